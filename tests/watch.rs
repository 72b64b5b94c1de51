//! `rogue watch` as a person and a machine meet it: files are written, and its lines are read.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// One ping a minute, by a policy whose rule stands in a part.
const PARTED: &str =
    r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "include": ["limits.json"], "tools": {} }"#;
const LIMITS: &str =
    r#"{ "tools": { "bn_ping": { "limits": [{ "counter": "pings", "window": "minute", "max": 1 }] } } }"#;
/// The same in one piece.
const WHOLE: &str = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp",
    "tools": { "bn_ping": { "limits": [{ "counter": "pings", "window": "minute", "max": 1 }] } } }"#;

fn attack(id: &str, policy: &str) -> String {
    format!(
        "id: {id}
kind: attack
group: B
title: One ping too many
story: It pings twice.
policy: {policy}
attack:
  - call: {{ tool: bn_ping }}
  - call: {{ tool: bn_ping }}
harm: {{ requests: 2 }}
hold: {{ exchange: {{ requests: 1 }}, agent: {{ denied: 1 }} }}
twin:
  title: One ping
  steps: [{{ call: {{ tool: bn_ping }} }}]
  expect: {{ exchange: {{ requests: 1 }} }}
"
    )
}

const TESTS: &str = "policy: whole.json
tests:
  - name: the second ping is one too many
    steps:
      - { call: bn_ping, expect: allow }
      - { call: bn_ping, expect: deny }
";

const REASONS: &str =
    "- { pointer: /tools/bn_ping/limits/0/window, kind: shorten, reason: Nobody waits for so long. }\n";

/// A folder with three scenarios of two policies, of which one has a part, and the other tests and reasons.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("scenarios/policies")).expect("a folder");
    for (file, text) in [
        ("policies/parted.json", PARTED),
        ("policies/limits.json", LIMITS),
        ("policies/whole.json", WHOLE),
        ("policies/whole.tests.yaml", TESTS),
        ("policies/whole.equivalent.yaml", REASONS),
        ("one.yaml", &attack("one", "parted")),
        ("two.yaml", &attack("two", "parted")),
        ("three.yaml", &attack("three", "whole")),
    ] {
        fs::write(folder.path().join("scenarios").join(file), text).expect("a file");
    }
    folder
}

struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: PathBuf,
}

/// How long a machine may take that has much else to do. Nobody waits for it but whoever finds a fault.
const PATIENCE: Duration = Duration::from_mins(2);

impl Watch {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rogue"));
        command.arg("watch").args(args).current_dir(folder).env_remove("ROGUE_SCENARIOS").env_remove("NO_COLOR");
        command.env_remove("CLICOLOR_FORCE").kill_on_drop(true).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines, folder: folder.to_owned() }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("a line in time").expect("text").expect("it goes on watching")
    }

    /// The lines up to the end of a round, and that end.
    async fn round(&mut self) -> (Vec<Value>, Value) {
        let mut lines = Vec::new();
        loop {
            let line: Value = serde_json::from_str(&self.line().await).expect("a line of JSON");
            if line["event"] == "done" {
                return (lines, line);
            }
            lines.push(line);
        }
    }

    /// What a round came to, a word for each line: `changed FILE`, `NAME CHANGE`, `gone FILE`, `error FILE:LINE`.
    async fn told(&mut self) -> (Vec<String>, Value) {
        let (lines, done) = self.round().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().replace("scenarios/", "");
        let word = |line: &Value| match line["event"].as_str() {
            Some("changed") => {
                let files: Vec<String> = line["files"].as_array().expect("files").iter().map(text).collect();
                format!("changed {}", files.join(" "))
            }
            Some("result") => format!("{} {}", text(&line["name"]), text(&line["change"])),
            Some("gone") => format!("gone {}", text(&line["path"])),
            Some("problem") => format!("{} {}:{}", text(&line["severity"]), text(&line["path"]), line["line"]),
            other => format!("{other:?}"),
        };
        (lines.iter().map(word).collect(), done)
    }

    /// Writes a file as it stands.
    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join("scenarios").join(file), text).expect("a file");
    }

    /// Puts another file in the place of one, as editors do.
    fn replace(&self, file: &str, text: &str) {
        let place = self.folder.join("scenarios").join(file);
        let beside = place.with_file_name(".beside.swp");
        fs::write(&beside, text).expect("a file");
        fs::rename(&beside, &place).expect("another file in its place");
    }

    /// Presses Ctrl-C: the exit code, and what went to standard error.
    async fn interrupt(mut self) -> (Option<i32>, String) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("a code");
        let mut errors = String::new();
        self.child.stderr.take().expect("its errors").read_to_string(&mut errors).await.expect("text");
        (ended.code(), errors)
    }
}

fn numbers(done: &Value) -> [u64; 6] {
    ["run", "lost", "new_failures", "fixed", "waiting", "failing"].map(|name| done[name].as_u64().expect("a number"))
}

#[tokio::test]
async fn a_change_runs_what_it_touches_and_tells_what_is_different() {
    let folder = folder();
    let mut watch = Watch::start(folder.path(), &["--json"]);
    let first: Value = serde_json::from_str(&watch.line().await).expect("a line of JSON");
    assert_eq!((&first["event"], &first["checks"], &first["files"]), (&"watching".into(), &5.into(), &8.into()));
    let (told, done) = watch.told().await;
    let all =
        ["one new", "policies/whole.equivalent.yaml new", "policies/whole.tests.yaml new", "three new", "two new"];
    assert_eq!(told, all);
    assert_eq!(numbers(&done), [5, 0, 0, 0, 0, 0]);

    // A part, by another file in its place: what includes it.
    watch.replace("policies/limits.json", &LIMITS.replace("\"max\": 1", "\"max\": 2"));
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed policies/limits.json", "one lost", "two lost"]);
    assert_eq!(numbers(&done), [2, 2, 0, 0, 0, 2]);
    watch.replace("policies/limits.json", LIMITS);
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed policies/limits.json", "one fixed", "two fixed"]);
    assert_eq!(numbers(&done), [2, 0, 0, 2, 0, 0]);

    // A policy: what uses it, with its tests and reasons.
    watch.write("policies/whole.json", &WHOLE.replace("\"max\": 1", "\"max\": 2"));
    let (told, done) = watch.told().await;
    let expected = [
        "changed policies/whole.json",
        "policies/whole.equivalent.yaml same",
        "policies/whole.tests.yaml lost",
        "three lost",
    ];
    assert_eq!(told, expected);
    assert_eq!(numbers(&done), [3, 2, 0, 0, 0, 2]);
    watch.write("policies/whole.json", WHOLE);
    assert_eq!(numbers(&watch.told().await.1), [3, 0, 0, 2, 0, 0]);

    // A scenario: itself alone. One that comes, and goes.
    watch.write("one.yaml", &attack("one", "parted").replace("denied: 1", "denied: 2"));
    assert_eq!(watch.told().await.0, ["changed one.yaml", "one lost"]);
    watch.write("four.yaml", &attack("four", "whole").replace("denied: 1", "denied: 2"));
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed four.yaml", "four new_failure"]);
    assert_eq!(numbers(&done), [1, 0, 1, 0, 0, 2]);
    fs::remove_file(folder.path().join("scenarios/four.yaml")).expect("it was there");
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed four.yaml", "gone four.yaml"]);
    assert_eq!(numbers(&done), [0, 0, 0, 0, 0, 1]);
    // Reasons.
    watch.write("policies/whole.equivalent.yaml", &REASONS.replace("limits/0", "limits/1"));
    assert_eq!(watch.told().await.0, ["changed policies/whole.equivalent.yaml", "policies/whole.equivalent.yaml lost"]);

    let (code, errors) = watch.interrupt().await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_file_that_is_wrong_is_told_and_watched_further() {
    let folder = folder();
    let mut watch = Watch::start(folder.path(), &["--json"]);
    drop(watch.line().await);
    drop(watch.told().await);

    // A part that is wrong holds up what includes it, and it is said once.
    watch.write("policies/limits.json", &LIMITS.replace("window", "windw"));
    let (lines, done) = watch.round().await;
    let telling = |line: &&Value| line["message"].as_str().is_some_and(|message| message.contains("`windw`"));
    let problem: Vec<&Value> = lines.iter().filter(telling).collect();
    assert_eq!(problem.len(), 1, "{lines:?}");
    assert_eq!(problem[0]["path"], "scenarios/policies/limits.json");
    assert_eq!((&problem[0]["line"], &problem[0]["column"]), (&1.into(), &60.into()));
    assert!(problem[0]["help"].as_str().expect("a remedy").contains("window"), "{problem:?}");
    assert!(lines.iter().all(|line| line["event"] == "problem"), "{lines:?}");
    assert_eq!(numbers(&done), [0, 0, 0, 0, 2, 0]);

    // Meanwhile the others go on.
    watch.write("three.yaml", &attack("three", "whole").replace("denied: 1", "denied: 2"));
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed three.yaml", "three lost"]);
    assert_eq!(numbers(&done), [1, 1, 0, 0, 2, 1]);
    watch.write("three.yaml", "id: three\nkind: atack\n");
    let (told, done) = watch.told().await;
    assert_eq!(told, ["error three.yaml:2"]);
    assert_eq!(numbers(&done), [0, 0, 0, 0, 3, 1]);

    // Repaired as it was: nothing is to be run. Repaired otherwise: held against what it last came to.
    watch.write("policies/limits.json", LIMITS);
    assert_eq!(numbers(&watch.told().await.1), [0, 0, 0, 0, 1, 1]);
    watch.write("three.yaml", &attack("three", "whole"));
    let (told, done) = watch.told().await;
    assert_eq!(told, ["changed three.yaml", "three fixed"]);
    assert_eq!(numbers(&done), [1, 0, 0, 1, 0, 0]);
    assert_eq!(watch.interrupt().await.0, Some(0));
}

#[tokio::test]
async fn people_are_told_in_words_and_in_colour_only_where_it_shows() {
    let folder = folder();
    let policy = folder.path().join("mine.json");
    fs::write(&policy, WHOLE).expect("a file");
    let mut plain = Watch::start(folder.path(), &["--policy", "mine.json", "--filter", "TWO"]);
    let mut painted = Watch::start(folder.path(), &["--policy", "mine.json", "--filter", "TWO", "--color", "always"]);
    // The policy in place of its own, and the scenario.
    assert_eq!(plain.line().await, "watching 1 check, made of 2 files; Ctrl-C ends it");
    let told = plain.line().await;
    assert!(told.starts_with("1 run in ") && told.ends_with(" ms: no difference; 1 of 1 good"), "{told}");
    drop((painted.line().await, painted.line().await));

    fs::write(&policy, WHOLE.replace("\"max\": 1", "\"max\": 9")).expect("a file");
    for expected in ["", "changed: mine.json (1 check)", "held → BREACHED  two"] {
        assert_eq!(plain.line().await, expected);
    }
    assert!(plain.line().await.starts_with("    - the protected run: "));
    let mut lines = vec![painted.line().await, painted.line().await, painted.line().await];
    let line = lines.pop().expect("a line");
    assert!(line.contains("\u{1b}[") && line.contains("held → BREACHED"), "{line:?}");
    assert_eq!(plain.interrupt().await.0, Some(0));
    assert_eq!(painted.interrupt().await.0, Some(0));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_watched() {
    let folder = folder();
    let mut watch = Watch::start(folder.path(), &["no-such-folder"]);
    let ended = tokio::time::timeout(PATIENCE, watch.child.wait()).await.expect("it ends").expect("a code");
    assert_eq!(ended.code(), Some(65));
}
