//! The README tells the truth: what it shows of the command, of a denial and of a scenario is what there is.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rogue_harness::run::{RunOptions, run_scenario, runtime};
use rogue_harness::scenario::load;
use rogue_harness::verdict::Role;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The first fenced block of a language after a text.
fn block(after: &str, language: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let start = readme.find(after).unwrap_or_else(|| panic!("the README has no `{after}`"));
    let fence = format!("```{language}\n");
    let block = readme[start..].split_once(&fence).unwrap_or_else(|| panic!("no {language} block after `{after}`")).1;
    block.split_once("```").expect("the block ends").0.to_owned()
}

/// A line without what differs from run to run or is drawn: wall times, rules, runs of blanks.
fn plain(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut kept: Vec<String> = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let timed = words.get(place + 1).is_some_and(|unit| matches!(unit.trim_end_matches('.'), "ms" | "s"));
        let is_time = timed && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let is_unit = matches!(word.trim_end_matches('.'), "ms" | "s") && kept.last().is_some_and(|last| last == "#");
        if is_time {
            kept.push("#".to_owned());
        } else if !is_unit && !word.chars().all(|c| "─╌".contains(c)) {
            kept.push((*word).to_owned());
        }
    }
    kept.join(" ")
}

#[test]
fn the_output_that_is_shown_is_what_the_command_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_rogue"))
        .current_dir(root())
        .args(["run", "--color", "never"])
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let printed: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(plain).collect();
    let mut rest = printed.iter();
    for shown in block("<!-- output: rogue run -->", "text").lines().map(plain) {
        // Three dots stand for lines that are left out.
        if !shown.is_empty() && shown != "..." {
            assert!(rest.any(|line| *line == shown), "not printed, or not in this place: `{shown}`\n{printed:#?}");
        }
    }
}

/// Runs a command line of the README as a shell would, in a folder with nothing but the scenarios.
fn exits_as_it_says(folder: &Path, line: &str) {
    let (command, remark) = line.split_once("  #").unwrap_or((line, ""));
    let expected = remark.split("exit code ").nth(1).and_then(|code| code.chars().next()?.to_digit(10)).unwrap_or(0);
    let command = command.replace("cargo run --release --", concat!("'", env!("CARGO_BIN_EXE_rogue"), "'"));
    let output = Command::new("sh").args(["-c", &command]).current_dir(folder).output().expect("a shell");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code().map(i64::from), Some(i64::from(expected)), "{line}\n{said}");
}

#[test]
fn every_command_about_policies_and_tapes_does_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(root().join("scenarios"), folder.path().join("scenarios")).expect("a link");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let section = |title: &str| {
        let section = readme.split(title).nth(1).expect("the section");
        section.split("\n## ").next().expect("its end")
    };
    let sections = ["## Write a policy\n", "## Record, replay, backtest\n"].map(section);
    let blocks = sections.iter().flat_map(|section| section.split("```sh\n").skip(1));
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let (chores, commands): (Vec<_>, Vec<_>) = blocks.flat_map(str::lines).partition(|line| line.starts_with("just "));
    assert!(commands.len() > 13, "{commands:?}");
    for command in commands {
        assert!(command.starts_with("cargo run --release -- "), "a command that nothing here runs: {command}");
        exits_as_it_says(folder.path(), command);
    }
    // Chores that need more than Rust are run by the whole check.
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect("the whole check");
    for chore in chores {
        let chore = chore.split("  ").next().unwrap_or_default();
        assert!(ci.lines().any(|line| line == chore), "`{chore}` is not run by .ci/run");
    }
}

#[test]
fn the_scenario_that_is_shown_is_a_file() {
    let shown = block("## A scenario is a file", "yaml");
    let file = std::fs::read_to_string(root().join("scenarios/attacks/ra-03-unit-confusion.yaml")).expect("the file");
    assert_eq!(shown, file);
}

#[test]
fn the_denial_that_is_shown_is_what_an_agent_is_told() {
    let shown = block("## What an agent is told", "json");
    let (case, _) = load(&root().join("scenarios/attacks/ra-01-fat-finger.yaml")).expect("a sound scenario");
    let result = runtime().expect("a runtime").block_on(run_scenario(&case, &RunOptions::default()));
    let protected = result.run(Role::Protected).expect("a protected run");
    let told = protected.transcript.iter().any(|line| line.contains(shown.trim()));
    assert!(told, "{:#?}", protected.transcript);
}
