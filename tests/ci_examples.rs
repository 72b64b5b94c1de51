//! The examples for CI systems do what they say: their scripts are run as they stand, in a repository as `rogue new` writes
//! it, and what they upload is there afterwards, whether the policy holds or not.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const INSTALL: &str = r#"cargo install --locked --git "$REPOSITORY" --rev "$REVISION" rogue"#;

fn example(name: &str) -> Value {
    let text = fs::read_to_string(Path::new(HERE).join("examples/ci").join(name)).expect("an example");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name} is not YAML: {error}"))
}

/// The lines of the scripts in which `rogue` is called; the one that builds it has to be as expected.
fn commands(scripts: &[&str]) -> Vec<String> {
    let lines = || scripts.iter().flat_map(|script| script.lines());
    assert_eq!(lines().filter(|line| line.contains("cargo ")).collect::<Vec<_>>(), [INSTALL]);
    lines().filter(|line| line.starts_with("rogue ")).map(str::to_owned).collect()
}

/// Everything beneath `value` that names a file of the output.
fn uploaded(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("rogue-out") => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| uploaded(item, found)),
        Value::Object(members) => members.values().for_each(|member| uploaded(member, found)),
        _ => {}
    }
}

/// Runs the commands as a CI system would, up to the first that fails.
fn run(folder: &Path, commands: &[String]) -> (Option<i32>, String) {
    let built = Path::new(env!("CARGO_BIN_EXE_rogue")).parent().expect("a folder");
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands.join("\n")])
        .current_dir(folder)
        .env("PATH", path)
        .env("POLICY", "scenarios/policies/desk.json")
        .env("SCENARIOS", "scenarios")
        .env_remove("ROGUE_SCENARIOS")
        .output()
        .expect("bash");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[track_caller]
fn check(scripts: &[&str], uploads: &BTreeSet<String>) {
    let commands = commands(scripts);
    assert_eq!(commands.len(), 3, "{commands:?}");
    for (edit, code) in [(("500", "500"), 0), (("\"500\"", "\"500000\""), 1)] {
        let folder = tempfile::tempdir().expect("a folder");
        let harness = format!("'{HERE}/harness'");
        let (made, said) = run(folder.path(), &[format!("rogue new . --harness-path {harness}")]);
        assert_eq!(made, Some(0), "{said}");
        let policy = folder.path().join("scenarios/policies/desk.json");
        let text = fs::read_to_string(&policy).expect("a policy").replace(edit.0, edit.1);
        fs::write(&policy, text).expect("a policy");
        let (ended, said) = run(folder.path(), &commands);
        assert_eq!(ended, Some(code), "{said}");
        for upload in uploads {
            assert!(folder.path().join(upload).exists(), "`{upload}` is uploaded, and there is no such file\n{said}");
        }
    }
}

#[test]
fn the_github_action() {
    let action = example("action.yml");
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let scripts: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let mut uploads = BTreeSet::new();
    for step in steps {
        uploaded(&step["with"], &mut uploads);
    }
    assert_eq!(uploads.len(), 2, "{uploads:?}");
    uploads.insert("rogue-out/summary.md".to_owned());
    // An input in a script's text would be read as a script.
    assert!(scripts.iter().all(|script| !script.contains("${{")), "{scripts:?}");
    // Every step with a script names its shell: a composite action is no good otherwise.
    assert!(steps.iter().all(|step| step["run"].is_null() || step["shell"] == "bash"), "{steps:?}");
    for input in ["policy", "repository", "revision", "scenarios"] {
        let named = format!("${{{{ inputs.{input} }}}}");
        assert!(action["inputs"][input]["description"].is_string(), "{input}");
        assert!(action["runs"].to_string().contains(&named), "`{input}` is asked for and not used");
    }
    check(&scripts, &uploads);
}

#[test]
fn the_gitlab_job() {
    let job = &example("gitlab-ci.yml")["rogue"];
    let scripts: Vec<&str> = job["script"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    let mut uploads = BTreeSet::new();
    uploaded(&job["artifacts"], &mut uploads);
    assert_eq!(uploads.len(), 4, "{uploads:?}");
    for variable in ["REPOSITORY", "REVISION", "POLICY", "SCENARIOS"] {
        assert!(job["variables"][variable].is_string(), "{variable}");
    }
    check(&scripts, &uploads);
}
