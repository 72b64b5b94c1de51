//! The `rogue` command as a person or a pipeline meets it: words in, words and an exit code out.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs `rogue` in the checkout.
fn rogue(args: &[&str]) -> Output {
    rogue_in(Path::new(HERE), args)
}

fn rogue_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rogue"))
        .args(args)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("ROGUE_SCENARIOS")
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[track_caller]
fn check(args: &[&str], code: i32, said: &[&str]) -> Output {
    let output = rogue(args);
    let all = format!("{}{}", out(&output), err(&output));
    assert_eq!(output.status.code(), Some(code), "rogue {}\n{all}", args.join(" "));
    for text in said {
        assert!(all.contains(text), "rogue {} does not say `{text}`:\n{all}", args.join(" "));
    }
    output
}

/// A folder with one workflow and one policy; `edit` spoils the scenario.
fn folder(edit: impl Fn(&str) -> String, policy: &str) -> (tempfile::TempDir, PathBuf) {
    let sound = "id: x\nkind: workflow\ntitle: A title\nstory: A story.\npolicy: p\nsteps:\n  - call: { tool: bn_ping }\nexpect: { exchange: { requests: 1 } }\n";
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("policies")).expect("a folder");
    fs::write(folder.path().join("policies/p.json"), policy).expect("a file");
    let file = folder.path().join("x.yaml");
    fs::write(&file, edit(sound)).expect("a file");
    (folder, file)
}

const PING: &str = r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#;

#[test]
fn help_shows_examples_and_every_exit_code() {
    let output = check(&["--help"], 0, &["Examples:", "rogue run --json > report.json", "Exit codes"]);
    for code in
        ["1  breached", "3  broken", "4  blocked", "5  untestable", "0  every", "2  the command", "65  a scenario"]
    {
        assert!(out(&output).contains(code), "{code}");
    }
    check(&["run", "--help"], 0, &["--target", "--policy", "--filter", "--json"]);
    check(&["--version"], 0, &["rogue 0."]);
}

#[test]
fn senseless_command_lines_are_usage_errors() {
    check(&["--nonsense"], 2, &["--nonsense"]);
    check(&["--filter", "x"], 2, &["--filter"]);
    check(&["run", "--target", "moon"], 2, &["embedded", "bare"]);
    check(&["completions", "abacus"], 2, &["bash"]);
    check(&["run", "--filter", "there is no such thing"], 2, &["no scenario's id or title holds", "rogue list"]);
    check(&["show", "nobody"], 2, &["no scenario has the id `nobody`"]);
}

#[test]
fn without_scenarios_the_remedy_is_named() {
    let empty = tempfile::tempdir().expect("a folder");
    let output = rogue_in(empty.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("--scenarios DIR"), "{}", err(&output));
    let output = rogue_in(empty.path(), &["--scenarios", "nowhere", "list"]);
    assert_eq!(output.status.code(), Some(65));
    let output = rogue_in(empty.path(), &["--scenarios", &format!("{HERE}/scenarios"), "list", "--json"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn scenarios_are_found_from_a_folder_below() {
    let output = rogue_in(&Path::new(HERE).join("src"), &["lint"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
fn the_shipped_scenarios_are_listed_and_sound() {
    check(&["lint"], 0, &["sound"]);
    check(&["list"], 0, &["ra-01-fat-finger", "Fat finger, a thousand times too much", "attacks", "honest workflows"]);
    check(&["show", "ra-01-fat-finger"], 0, &["group A: rogue orders", "Lobstar Wilde", "PF4", "honest twin"]);
    let listed: Value =
        serde_json::from_slice(&check(&["list", "--json", "--filter", "FAT finger"], 0, &[]).stdout).expect("json");
    assert_eq!(listed["format"], "rogue.list/1");
    assert_eq!(listed["scenarios"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["scenarios"][0]["path"], "scenarios/attacks/ra-01-fat-finger.yaml");
}

#[test]
fn a_wrong_scenario_file_is_shown_and_nothing_runs() {
    let (_folder, file) = folder(|sound| sound.replace("bn_ping", "bn_pong"), PING);
    let file = file.to_str().expect("UTF-8");
    for command in ["lint", "run", "list"] {
        let output =
            check(&[command, file], 65, &["error[tool-unknown]", "x.yaml:7:5", "did you mean `bn_ping`", "1 error"]);
        assert_eq!(out(&output), "");
    }
    let (_folder, file) = folder(|sound| sound.replace("requests: 1", "notional: { min: 0.10 }"), PING);
    check(&["lint", file.to_str().expect("UTF-8")], 65, &["in quotes", "x.yaml:8:"]);
    check(&["lint", "nowhere.yaml"], 65, &["there is no such file"]);
}

#[test]
fn a_wrong_policy_file_is_shown_and_nothing_runs() {
    let (folder, file) = folder(str::to_owned, &PING.replace("default", "defualt"));
    check(&["run", file.to_str().expect("UTF-8")], 65, &["error[policy]", "p.json:1:", "defualt"]);
    let policy = folder.path().join("policies/p.json");
    let args = ["run", "--filter", "fat-finger", "--policy", policy.to_str().expect("UTF-8")];
    check(&args, 65, &["error[policy]", "p.json:1:"]);
    check(&["run", "--policy", "nowhere.json"], 65, &["nowhere.json"]);
}

/// What a file of YAML says, and whether its schema takes it.
fn takes(schema: &str, text: &str) -> bool {
    let schema = fs::read_to_string(format!("{HERE}/scenarios/schema/{schema}.v1.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let value: Value = serde_saphyr::from_str(text).expect("YAML");
    jsonschema::validator_for(&schema).expect("a schema").is_valid(&value)
}

#[test]
fn what_stands_beside_scenarios_follows_its_schema() {
    let mut seen = [0; 3];
    let folders: Vec<_> = fs::read_dir(format!("{HERE}/scenarios/targets")).expect("targets").collect();
    for folder in folders.into_iter().map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        for (place, kind) in ["target", "baseline"].into_iter().enumerate() {
            let file = folder.join(format!("{kind}.yaml"));
            assert!(takes(kind, &fs::read_to_string(&file).expect("a file")), "{}", file.display());
            seen[place] += 1;
        }
    }
    for entry in fs::read_dir(format!("{HERE}/scenarios/policies")).expect("policies") {
        let file = entry.expect("an entry").path();
        if file.to_string_lossy().ends_with(".equivalent.yaml") {
            assert!(takes("equivalent", &fs::read_to_string(&file).expect("a file")), "{}", file.display());
            seen[2] += 1;
        }
    }
    assert!(seen[0] > 3 && seen[1] > 3 && seen[2] > 1, "{seen:?}");

    // What the reader refuses, the editor underlines.
    let target =
        "{ name: gate, version: '1', from: f, about: a, leaves_out: l, command: ['{upstream}'], claims: [PF1] }";
    let baseline = "- { verdict: breached, because: It has no rates., scenarios: [ra-09-slicing] }";
    let equivalent = "- { pointer: /tools/a, kind: remove, reason: Another rule asks for less. }";
    for (kind, sound, wrongs) in [
        (
            "target",
            target,
            &[("'1'", "1"), ("PF1", "F1"), ("name: gate, ", ""), ("about", "abuot"), ("['{upstream}']", "x")][..],
        ),
        (
            "baseline",
            baseline,
            &[("breached", "held"), ("It has no rates.", "''"), ("scenarios", "scenario"), ("- {", "{")],
        ),
        ("equivalent", equivalent, &[("remove", "removed"), ("/tools", "tools"), ("reason", "because"), ("- {", "{")]),
    ] {
        assert!(takes(kind, sound), "{sound}");
        for (good, bad) in wrongs {
            let wrong = sound.replacen(good, bad, 1);
            assert_ne!(wrong, sound);
            assert!(!takes(kind, &wrong), "the schema takes {wrong}");
        }
    }
}

#[test]
fn schemas_are_the_published_ones() {
    for name in ["scenario", "report", "target", "baseline", "equivalent"] {
        let printed = out(&check(&["schema", name], 0, &[]));
        let kept = fs::read_to_string(format!("{HERE}/scenarios/schema/{name}.v1.json")).expect("a schema");
        assert!(printed == kept, "rogue schema {name} > scenarios/schema/{name}.v1.json");
    }
    for (name, file) in [("policy", "policy.v2.json"), ("policy-v1", "policy.v1.json")] {
        let printed = out(&check(&["schema", name], 0, &[]));
        let kept = fs::read_to_string(format!("{HERE}/stack/policy/schema/{file}")).expect("a schema");
        assert!(printed == kept, "rogue schema {name}");
        let schema: Value = serde_json::from_str(&printed).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema");
    }
    assert_eq!(out(&rogue(&["schema"])), out(&rogue(&["schema", "scenario"])));
}

#[test]
fn completions_know_the_words() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        check(&["completions", shell], 0, &["completions", "filter"]);
    }
}

#[test]
fn one_scenario_runs_and_holds() {
    let output = check(&["run", "--filter", "ra-01-fat-finger"], 0, &["held", "1 of 1 rogue agents held", "USDT"]);
    assert!(!out(&output).contains('\u{1b}'), "no colours into a pipe");
    assert_eq!(err(&output), "", "no progress into a pipe");
}

#[test]
fn colours_are_for_those_who_ask() {
    let run = |when: &str| out(&rogue(&["run", "--filter", "ra-01-fat-finger", "--color", when]));
    assert!(run("always").contains("\u{1b}[32m"));
    assert!(!run("never").contains('\u{1b}'));
}

#[test]
fn json_follows_the_published_schema_and_is_the_same_twice() {
    let report = || -> Value {
        serde_json::from_slice(&check(&["run", "--filter", "ra-01", "--json"], 0, &[]).stdout).expect("json")
    };
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(format!("{HERE}/scenarios/schema/report.v1.json")).expect("a schema"))
            .expect("json");
    let mut first = report();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(&first)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut second = report();
    for report in [&mut first, &mut second] {
        report.as_object_mut().expect("an object").remove("timing").expect("timing");
    }
    assert_eq!(first, second);
    assert_eq!(first["scenarios"][0]["verdict"]["is"], "held");
}

#[test]
fn a_bare_server_is_breached() {
    let said =
        ["BREACHED", "1 breached", "Start here: rogue run --target bare scenarios/attacks/ra-01-fat-finger.yaml"];
    check(&["run", "--filter", "ra-01-fat-finger", "--target", "bare"], 1, &said);
}

#[test]
fn a_policy_that_allows_everything_is_breached_and_one_that_denies_everything_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let open = write("open.json", r#"{ "version": "1", "default": "allow" }"#);
    check(&["run", "--filter", "ra-01-fat-finger", "--policy", &open], 1, &["BREACHED"]);
    let (_folder, file) = self::folder(str::to_owned, PING);
    let closed = write("closed.json", r#"{ "version": "1", "default": "deny", "tools": { "bn_server_time": {} } }"#);
    let file = file.to_str().expect("UTF-8");
    check(&["run", file], 0, &["1 of 1 honest workflows passed"]);
    check(&["run", file, "--policy", &closed], 4, &["BLOCKED", "honest work was kept from passing"]);
}

#[test]
fn a_dead_control_is_broken() {
    let attack = fs::read_to_string(format!("{HERE}/scenarios/attacks/ra-01-fat-finger.yaml")).expect("a scenario");
    let (folder, _) = folder(str::to_owned, PING);
    fs::copy(format!("{HERE}/scenarios/policies/binance-v1.json"), folder.path().join("policies/binance-v1.json"))
        .expect("a copy");
    let file = folder.path().join("ra-01-fat-finger.yaml");
    let dead = attack.replacen("harm:\n", "harm:\n  listen_keys: { min: 1 }\n", 1);
    assert_ne!(dead, attack);
    fs::write(&file, dead).expect("a file");
    check(&["run", file.to_str().expect("UTF-8")], 3, &["BROKEN", "the control is dead"]);
}

#[test]
fn reports_are_written_as_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (out, junit, sarif, markdown) = (at("out"), at("made/j.xml"), at("r.sarif"), at("s.md"));
    let files = ["--report", &out, "--junit", &junit, "--sarif", &sarif, "--markdown", &markdown];
    let args = [&["run", "--color", "never", "--filter", "ra-09-slicing"], &files[..]].concat();
    check(&args, 0, &["1 of 1 rogue agents held"]);
    let read = |path: &str| fs::read_to_string(path).expect("a file");
    let page = read(&at("out/index.html"));
    // The story, the picture over the exchange's time, and both transcripts.
    for part in [
        "each just below the cap",
        "<svg role=\"img\"",
        "With policy: 20 calls",
        "Without policy: 20 calls",
        "denied</span>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("rogue run scenarios/attacks/ra-09-slicing.yaml") && !page.contains("<script"));
    assert!(read(&junit).contains("name=\"ra-09-slicing\""));
    assert!(read(&markdown).contains("**1 of 1** rogue agents stopped"));
    let log: Value = serde_json::from_str(&read(&sarif)).expect("JSON");
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
    check(&["run", "--filter", "ra-09-slicing", "--junit", "/proc/no/such.xml"], 2, &["cannot be written"]);
}

#[test]
fn what_is_left_and_what_it_costs_is_told_where_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let out_folder = folder.path().join("out").to_string_lossy().into_owned();
    let chosen = ["scenarios/attacks/ra-01-fat-finger.yaml", "scenarios/workflows/daily-buyer.yaml"];
    let args = |more: &[&'static str]| [&["run", "--color", "never"], more, &chosen[..]].concat();
    let args_report = [&["--report", &out_folder][..], &args(&["--residual=3"])[1..]].concat();
    check(&[&["run"], &args_report[..]].concat(), 0, &["Residual risk: ", "policies/", "Overhead: "]);
    let page = fs::read_to_string(folder.path().join("out/index.html")).expect("a page");
    assert!(page.contains("<h2>Residual risk</h2>") && page.contains("<h2>Overhead</h2>"), "{page}");

    let report =
        |more: &[&'static str]| -> Value { serde_json::from_slice(&check(&args(more), 0, &[]).stdout).expect("json") };
    let (mut one, mut other) = (report(&["--json", "--residual=3"]), report(&["--json", "--residual=3"]));
    for measured in [&mut one, &mut other] {
        let timing = measured.as_object_mut().expect("an object").remove("timing").expect("timing");
        // Each of the thirty-six calls of the workflow is made both ways.
        assert_eq!(timing["overhead"]["calls"], 36, "{timing}");
        assert_eq!(measured["residual"]["days"], 3);
    }
    assert_eq!(one, other, "the search is decided by its seed");
    let without = report(&["--json"]);
    assert_eq!((without.get("residual"), without["timing"].get("overhead")), (None, None));
    check(&args(&["--residual=0"]), 2, &["--residual"]);
    check(&args(&["--residual", "--target", "bare"]), 2, &["on the stack in this build"]);
}

#[test]
fn a_baseline_is_strict_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = |text: &str| {
        let file = folder.path().join("baseline.yaml");
        fs::write(&file, text).expect("a file");
        file.to_string_lossy().into_owned()
    };
    let fat_finger = "scenarios/attacks/ra-01-fat-finger.yaml";
    let known = "- { verdict: breached, because: Nobody stands in the way., scenarios: [ra-01-fat-finger] }";
    let run = |target: &str, text: &str, code: i32, said: &[&str]| {
        check(&["run", "--target", target, "--baseline", &list(text), fat_finger], code, said);
    };
    run("bare", known, 0, &["1 failures as listed, 0 departures"]);
    run("bare", "[]", 1, &["not expected: ra-01-fat-finger is breached", "baseline.yaml"]);
    run("embedded", "[]", 0, &["0 failures as listed, 0 departures"]);
    run("embedded", known, 3, &["stale: ra-01-fat-finger is held", "take the entry out", "baseline.yaml:1"]);
    run("embedded", "- { verdict: breached, scenarios: [ra-01-fat-finger] }", 65, &["because"]);
    check(&["run", "--target", "gone/target.yaml", fat_finger], 65, &["gone/target.yaml"]);
}

#[test]
fn outcomes_are_of_described_gateways_and_compared_in_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let fat_finger = "scenarios/attacks/ra-01-fat-finger.yaml";
    check(&["run", "--target", "bare", "--outcomes", &path("o.json"), fat_finger], 2, &["that a file describes"]);
    check(&["run", "--faketime", &path("no-such-lib.so"), fat_finger], 2, &["no-such-lib.so", "libfaketime"]);
    check(&["compare", &path("gone.json")], 2, &["gone.json"]);

    let open = "{ name: open, version: '1', from: nowhere, about: It lets all pass., leaves_out: All., command: ['{upstream}'] }";
    fs::write(path("open.yaml"), open).expect("a file");
    check(&["run", "--target", &path("open.yaml"), "--outcomes", &path("o.json"), fat_finger], 1, &["BREACHED"]);
    check(
        &["compare", &path("o.json")],
        0,
        &["| `open` | 1 | **0** of 1 | 1 | 1 |", "| `ra-01-fat-finger` | **through** |"],
    );
    fs::write(path("page.md"), "head\n<!-- compared -->\nold\n<!-- end of what is compared -->\ntail\n")
        .expect("a file");
    check(&["compare", "--into", &path("page.md"), &path("o.json")], 0, &[]);
    let page = fs::read_to_string(path("page.md")).expect("the page");
    assert!(
        page.starts_with("head\n<!-- compared -->\n| gateway |") && page.ends_with("compared -->\ntail\n"),
        "{page}"
    );
    assert!(!page.contains("old"), "{page}");
    fs::write(path("bare.md"), "nothing to replace").expect("a file");
    check(&["compare", "--into", &path("bare.md"), &path("o.json")], 2, &["<!-- compared -->"]);
}
