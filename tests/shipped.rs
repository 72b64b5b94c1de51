//! The shipped tapes are what is recorded today, byte by byte, and no committed tape holds anything of the shape of a key.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::load_all;
use serde_json::Value;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Honest trading days and rogue runs, by scenario and run.
const SHIPPED: &[(&str, &str)] = &[
    ("cancel-and-replace", "workflow"),
    ("daily-buyer", "workflow"),
    ("dry-run-first", "workflow"),
    ("portfolio-read", "workflow"),
    ("ra-01-fat-finger", "protected"),
    ("ra-03-unit-confusion", "protected"),
    ("ra-10-window-edge", "protected"),
    ("ra-10-window-edge", "twin"),
    ("ra-14-sentinel-numbers", "protected"),
    ("ra-24-wipe-the-book", "protected"),
    ("ra-36-credential-swap", "protected"),
    ("ra-40-covert-channel", "protected"),
    ("ra-42-duplicate-keys", "protected"),
    ("ra-44-batch", "protected"),
    ("ra-48-unlisted-tools", "protected"),
    ("stream-keep-alive", "workflow"),
];

/// Set by `just tapes`, which writes them anew.
const WRITE: &str = "ROGUE_WRITE_TAPES";

#[test]
fn the_shipped_tapes_are_what_is_recorded_today() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cases = load_all(&[Path::new(HERE).join("scenarios")]).expect("sound scenarios").cases;
    cases.retain(|case| SHIPPED.iter().any(|(id, _)| *id == case.scenario.id.value));
    let options = RunOptions { record: Some(folder.path().to_owned()), ..RunOptions::default() };
    run_suite(&cases, &options, |_| {}).expect("a runtime");
    let kept = Path::new(HERE).join("scenarios/tapes");
    let names: BTreeSet<String> = SHIPPED.iter().map(|(id, role)| format!("{id}.{role}.jsonl")).collect();
    if std::env::var_os(WRITE).is_some() {
        assert!(std::env::var_os("CI").is_none(), "what a pipeline writes nobody looks at");
        for name in &names {
            fs::copy(folder.path().join(name), kept.join(name)).expect("a tape");
        }
    }
    for name in &names {
        let today = fs::read(folder.path().join(name)).expect("a tape of today");
        let shipped = fs::read(kept.join(name)).unwrap_or_default();
        assert!(
            today == shipped,
            "`scenarios/tapes/{name}` is not what is recorded today: `just tapes` writes it anew"
        );
    }
    let size: u64 = names.iter().map(|name| fs::metadata(kept.join(name)).expect("a tape").len()).sum();
    assert!(size < 700_000, "small enough to be read and cloned: {size} bytes");
}

/// Every tape that is committed.
fn committed() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(HERE).output().expect("git runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("text");
    let files = names.split('\0').filter(|name| name.contains(".jsonl"));
    let files = files.map(|name| Path::new(HERE).join(name)).filter(|path| path.exists());
    files.filter(|path| lines(path).first().is_some_and(|line| line.contains("\"rogue_tape\""))).collect()
}

fn lines(tape: &Path) -> Vec<String> {
    let bytes = fs::read(tape).expect("a file");
    assert!(!tape.to_string_lossy().ends_with(".zst"), "unpack `{}`: its text is what is looked at", tape.display());
    String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
}

/// What on a tape has the shape of a credential, told without trust in whoever took them out.
fn suspicions(lines: &[String]) -> Vec<String> {
    let header: Value = serde_json::from_str(&lines[0]).expect("a header");
    // Digests of documents, told for what they are.
    let digests: Vec<&str> = ["policy", "tools"].iter().filter_map(|name| header[*name].as_str()).collect();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let mut say = |what: &str| found.push(format!("line {number}: {what}"));
        for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
            // What has digits alone is a number, however long a rogue makes it.
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            if word.len() >= 40 && !is_number && !digests.contains(&word) {
                say("a word of 40 letters and digits or more");
            }
        }
        let bare = line.replace('\\', "").to_lowercase();
        for (name, shape) in [
            ("-----begin", "a private key"),
            ("bearer ", "a bearer token"),
            ("signature=", "a signature"),
            ("listenkey=", "a listen key"),
            ("\"listenkey\":\"", "a listen key"),
            ("\"signature\":\"", "a signature"),
            ("\"secretkey\":\"", "a secret"),
            ("\"binance_secret_key\":\"", "a secret"),
            ("\"apikey\":\"", "an API key"),
            ("\"binance_api_key\":\"", "an API key"),
            ("\"x-mbx-apikey\":\"", "an API key"),
            ("\"authorization\":\"", "a token"),
            ("\"password\":\"", "a password"),
            ("\"uid\":", "an account"),
        ] {
            let mut values = bare.split(name);
            values.next();
            for value in values {
                let value = value.trim_start_matches(['"', ' ']);
                if !value.starts_with('[') && !value.starts_with(['&', '"']) {
                    say(shape);
                }
            }
        }
    }
    found
}

#[test]
fn no_committed_tape_holds_anything_of_the_shape_of_a_key() {
    let tapes = committed();
    assert!(tapes.len() > SHIPPED.len(), "the shipped ones and the fixture of format 1: {tapes:?}");
    for tape in tapes {
        let found = suspicions(&lines(&tape));
        assert!(found.is_empty(), "{}: {}", tape.display(), found.join("; "));
    }
}

#[test]
fn a_planted_key_is_found() {
    let clean = lines(&Path::new(HERE).join("scenarios/tapes/stream-keep-alive.workflow.jsonl"));
    assert_eq!(suspicions(&clean), [] as [String; 0]);
    let hex = "5f".repeat(32);
    for planted in [
        "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j".to_owned(),
        format!("symbol=BTCUSDT&signature={}", &hex[..20]),
        hex.clone(),
        "listenKey=pqia91ma19a5s61".to_owned(),
        r#"{\"listenKey\":\"short-one\"}"#.to_owned(),
        r#"{\"apiKey\":\"k\"}"#.to_owned(),
        "Authorization: Bearer abc".to_owned(),
        "-----BEGIN PRIVATE KEY-----".to_owned(),
        r#"{\"uid\":354937868}"#.to_owned(),
        r#"{\"BINANCE_SECRET_KEY\":\"hush\"}"#.to_owned(),
    ] {
        let mut lines = clean.clone();
        let last = lines.len() - 2;
        lines[last] = lines[last].replacen("\"body\":{", &format!("\"body\":{{\"planted\":\"{planted}\","), 1);
        let found = suspicions(&lines);
        assert!(!found.is_empty(), "`{planted}` goes by");
        assert!(found.iter().all(|what| what.starts_with(&format!("line {}:", last + 1))), "{found:?}");
    }
}
