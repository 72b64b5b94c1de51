//! `rogue new` as a person meets it: what it writes is sound and holds, and it replaces nothing.
//!
//! That the tests of what it writes compile and pass is `just scaffold`, part of the whole check.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::fs;
use std::path::Path;
use std::process::Command;

const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/harness");

#[track_caller]
fn rogue(folder: &Path, args: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue"))
        .args(args)
        .current_dir(folder)
        .env_remove("ROGUE_SCENARIOS")
        .output()
        .expect("it runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{said}");
    said
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn what_it_writes_is_sound_and_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    rogue(folder.path(), &["new", "mine", "--harness-path", HARNESS], 0);
    let mine = folder.path().join("mine");
    let said = rogue(&mine, &["lint"], 0);
    assert!(said.contains("2 scenarios are sound") && !said.contains("warning"), "{said}");
    let said = rogue(&mine, &["run", "--color", "never"], 0);
    assert!(said.contains("1 of 1 rogue agents held") && said.contains("1 of 1 honest workflows passed"), "{said}");
    let manifest = read(&mine, "Cargo.toml");
    assert!(manifest.contains(&format!("rogue-harness = {{ path = \"{HARNESS}\", features")), "{manifest}");
    // The rule that is named in the attack is what stops it, and each of its commands is one that there is.
    let policy = read(&mine, "scenarios/policies/desk.json");
    fs::write(mine.join("scenarios/policies/desk.json"), policy.replace("\"500\"", "\"500000\"")).expect("a file");
    assert!(rogue(&mine, &["run", "--color", "never"], 1).contains("BREACHED"));
}

#[test]
fn nothing_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = folder.path().join("full");
    fs::create_dir(&full).expect("a folder");
    fs::write(full.join("notes"), "mine").expect("a file");
    let said = rogue(folder.path(), &["new", "full"], 2);
    assert!(said.contains("`full` is not empty") && said.contains("name a folder"), "{said}");
    assert_eq!(fs::read_dir(&full).expect("the folder").count(), 1);
    let said = rogue(folder.path(), &["new", "full/notes"], 2);
    assert!(said.contains("cannot be read as a folder"), "{said}");
    assert_eq!(read(&full, "notes"), "mine");
    // An empty one will do.
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    rogue(folder.path(), &["new", "empty"], 0);
    assert!(read(&folder.path().join("empty"), ".gitignore").contains("/target"));
}

#[test]
fn the_harness_is_a_path_or_a_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let git = ["--harness-git", "https://example.com/r.git", "--harness-rev", "1a2b3c4"];
    rogue(folder.path(), &[&["new", "git"], &git[..]].concat(), 0);
    let manifest = read(&folder.path().join("git"), "Cargo.toml");
    let line = "rogue-harness = { git = \"https://example.com/r.git\", rev = \"1a2b3c4\", features";
    assert!(manifest.contains(line), "{manifest}");
    // A branch moves, so that a repository alone is not enough.
    rogue(folder.path(), &["new", "moving", "--harness-git", "https://example.com/r.git"], 2);
    let said = rogue(folder.path(), &["new", "wrong", "--harness-path", "nowhere"], 2);
    assert!(said.contains("`nowhere`") && said.contains("--harness-path"), "{said}");
    assert!(!folder.path().join("wrong").exists() && !folder.path().join("moving").exists());
}
