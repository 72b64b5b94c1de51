//! Scenario files from disk: what a person reads when a file is wrong, and what a sound one comes to.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use rogue_harness::scenario::{Problem, discover, json_schema, load, load_all, parse, to_yaml};

const SOUND: &str = r"id: x
kind: workflow
title: A title
story: A story.
policy: p
steps:
  - call: { tool: bn_ping }
expect: { exchange: { requests: 1 } }
";

/// A policy that a build with our gateway reads without a word.
const POLICY: &str = r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#;

/// A folder with `workflows/x.yaml` and `policies/p.json`.
fn folder(scenario: &str, policy: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("workflows")).expect("a folder");
    fs::create_dir_all(folder.path().join("policies")).expect("a folder");
    let file = folder.path().join("workflows/x.yaml");
    fs::write(&file, scenario).expect("a file");
    fs::write(folder.path().join("policies/p.json"), policy).expect("a file");
    (folder, file)
}

/// The problems of a file as they are shown, without the folder's own name.
fn shown(scenario: &str, policy: &str) -> String {
    let (folder, file) = folder(scenario, policy);
    let problems = load(&file).expect_err("the file is wrong");
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    text.join("\n\n").replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_sound_file_is_loaded_with_its_policy() {
    let (_folder, file) = folder(SOUND, POLICY);
    let (case, warnings) = load(&file).expect("sound");
    assert_eq!((case.scenario.id.as_str(), case.policy.text()), ("x", POLICY));
    assert_eq!(warnings, []);
}

#[test]
fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
    let expected = "\
error[unknown-key]: there is no key `orders_boked` here
  --> workflows/x.yaml:8:23
   |
 8 | expect: { exchange: { orders_boked: 1 } }
   |                       ^
   = help: did you mean `orders_booked`? The keys here are requests, signed_requests, seen, orders_booked, \
orders_by_symbol, orders_rejected, trades, notional, turnover, loss_usdt, weight, limited, open_orders_lost, \
listen_keys, stream_connections, stream_frames, foreign_key_seen, params_seen, params_absent, ledger, any_window, \
other_paths";
    assert_eq!(shown(&SOUND.replace("requests: 1", "orders_boked: 1"), POLICY), expected);
}

#[test]
fn a_bare_decimal_is_told_to_wear_quotes() {
    let expected = "\
error[yaml]: write the number in quotes, as in \"0.1\": a bare fraction loses its digits (a `raw` step can send one)
  --> workflows/x.yaml:7:46
   |
 7 |   - call: { tool: bn_ping, args: { quantity: 0.10 } }
   |                                              ^";
    assert_eq!(shown(&SOUND.replace("bn_ping", "bn_ping, args: { quantity: 0.10 }"), POLICY), expected);

    let bound = shown(&SOUND.replace("requests: 1", "notional: { min: 0.10 }"), POLICY);
    assert!(bound.contains("write the decimal in quotes, as in \"0.1\""), "{bound}");
    assert!(bound.contains("x.yaml:8:"), "{bound}");
}

#[test]
fn an_unknown_verb_is_shown_with_all_verbs() {
    let text = shown(&SOUND.replace("call:", "cal:"), POLICY);
    assert!(text.starts_with("error[unknown-word]: `cal` has no meaning here\n  --> workflows/x.yaml:7:5"), "{text}");
    assert!(text.ends_with("did you mean `call`? The words here are call, repeat, each, parallel, advance, raw, request, notify, listen, owner_order, reconnect, operator, server_change, direct, market"), "{text}");
}

#[test]
fn a_missing_key_is_named() {
    let text = shown(&SOUND.replace("title: A title\n", ""), POLICY);
    assert!(text.starts_with("error[missing-key]: the key `title` is missing\n  --> workflows/x.yaml:"), "{text}");
    assert!(text.ends_with("= help: add `title: ...`"), "{text}");
}

#[test]
fn yaml_that_is_none_is_shown_with_its_place() {
    for (from, to) in [("title: A title", "title: [A"), ("policy: p", "policy: p\npolicy: q"), ("1 } }", "1 }")] {
        let text = shown(&SOUND.replace(from, to), POLICY);
        assert!(text.starts_with("error[yaml]: ") && text.contains("--> workflows/x.yaml:"), "{text}");
        assert!(text.contains(" | "), "no excerpt: {text}");
    }
}

#[test]
fn words_stay_words() {
    // YAML 1.1 reads these as booleans.
    let source = SOUND.replace("bn_ping", "bn_ping, args: { a: no, b: on, c: true, d: 0123 }");
    let scenario = parse(Path::new("x.yaml"), &source).expect("sound");
    let step = serde_json::to_value(&scenario.steps).expect("a value");
    assert_eq!(step[0]["call"]["args"], serde_json::json!({ "a": "no", "b": "on", "c": true, "d": "0123" }));
}

#[test]
fn a_missing_policy_is_shown_with_those_that_exist() {
    let expected = "\
error[policy-missing]: there is no policy `desk`
  --> workflows/x.yaml:5:9
   |
 5 | policy: desk
   |         ^
   = help: there are p in `policies`";
    assert_eq!(shown(&SOUND.replace("policy: p", "policy: desk"), POLICY), expected);
    let near = shown(&SOUND.replace("policy: p", "policy: P"), POLICY);
    assert!(near.ends_with("= help: did you mean `p`?"), "{near}");
}

#[test]
fn a_broken_policy_is_shown_with_its_place() {
    let expected = "\
error[policy-json]: the policy is not JSON: expected value
  --> policies/p.json:2:8
   |
 2 |   \"a\": oops
   |        ^";
    assert_eq!(shown(SOUND, "{\n  \"a\": oops\n}"), expected);
}

#[test]
fn all_problems_of_all_files_are_shown_at_once() {
    let (folder, _) = folder(&SOUND.replace("id: x", "id: y"), POLICY);
    fs::write(folder.path().join("workflows/z.yaml"), "nonsense").expect("a file");
    let problems = load_all(&[folder.path().to_owned()]).expect_err("two wrong files");
    let codes: Vec<_> = problems.iter().map(Problem::code).collect();
    assert_eq!(codes, ["id-file", "yaml"]);
}

#[test]
fn an_id_is_used_once() {
    let (folder, file) = folder(SOUND, POLICY);
    fs::create_dir_all(folder.path().join("more")).expect("a folder");
    fs::copy(&file, folder.path().join("more/x.yaml")).expect("a copy");
    let problems = load_all(&[folder.path().to_owned()]).expect_err("the same id twice");
    assert_eq!(problems.iter().map(Problem::code).collect::<Vec<_>>(), ["id-twice"]);
}

#[test]
fn folders_are_searched_without_policies_and_schemas() {
    let (folder, file) = folder(SOUND, POLICY);
    fs::create_dir_all(folder.path().join("schema")).expect("a folder");
    fs::write(folder.path().join("schema/no.yaml"), "no").expect("a file");
    fs::write(folder.path().join("policies/no.yaml"), "no").expect("a file");
    let twice = [folder.path().to_owned(), file.clone()];
    assert_eq!(discover(&twice).expect("files"), [file]);
    let missing = discover(&[folder.path().join("nowhere")]).expect_err("nothing there");
    assert_eq!(missing.first().map(Problem::code), Some("no-file"));
}

#[test]
fn the_published_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/schema/scenario.v1.json");
    let kept = fs::read_to_string(path).expect("the published schema");
    let current = format!("{}\n", serde_json::to_string_pretty(&json_schema()).expect("json"));
    assert!(kept == current, "the schema has changed; write it anew: rogue schema > scenarios/schema/scenario.v1.json");
}

/// The scenarios that are shipped.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

#[test]
fn shipped_scenarios_are_sound_and_survive_being_written() {
    let loaded = load_all(&[shipped()]).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
    });
    assert!(!loaded.cases.is_empty());
    for case in &loaded.cases {
        let written = to_yaml(&case.scenario).expect("yaml");
        let again = parse(&case.path, &written).unwrap_or_else(|problem| panic!("{problem}\n{written}"));
        assert_eq!(again, case.scenario, "{}", case.path.display());
        assert_eq!(to_yaml(&again).expect("yaml"), written, "{}", case.path.display());
    }
}

#[test]
fn editors_accept_what_is_shipped_and_refuse_what_the_loader_refuses() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a schema");
    let value = |source: &str| serde_saphyr::from_str::<serde_json::Value>(source).expect("yaml");
    for file in discover(&[shipped()]).expect("files") {
        let instance = value(&fs::read_to_string(&file).expect("a file"));
        let errors: Vec<String> =
            validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", file.display());
    }
    assert!(validator.is_valid(&value(SOUND)));
    for (from, to) in [
        ("requests: 1", "orders_boked: 1"),
        ("requests: 1", "notional: { min: 0.10 }"),
        ("requests: 1", "requests: {}"),
        ("call:", "cal:"),
        ("title: A title\n", ""),
        ("kind: workflow", "kind: work"),
        ("bn_ping", "bn_ping, args: { quantity: 0.10 }"),
    ] {
        let wrong = SOUND.replacen(from, to, 1);
        assert!(parse(Path::new("x.yaml"), &wrong).is_err(), "the loader takes {to}");
        assert!(!validator.is_valid(&value(&wrong)), "the schema takes {to}");
    }
}

#[test]
fn the_policy_of_a_grant_is_read_and_must_be_there() {
    let own = |grant: &str| SOUND.replace("policy: p\n", &format!("policy: p\nagents: {{ helper: {{ {grant} }} }}\n"));
    let (_folder, file) = folder(&own("grant: research, policy: p"), POLICY);
    let (case, _) = load(&file).expect("sound");
    assert_eq!(case.grants.get("research").map(rogue_harness::scenario::PolicyFile::text), Some(POLICY));
    let (_folder, file) = folder(&own("grant: research"), POLICY);
    assert!(load(&file).expect("sound").0.grants.is_empty());
    let told = shown(&own("grant: research, policy: reader"), POLICY);
    assert!(
        told.starts_with("error[policy-missing]: there is no policy `reader`\n  --> workflows/x.yaml:6:"),
        "{told}"
    );
}
