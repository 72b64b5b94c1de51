//! A long tape takes no more memory than a short one, written, read, shown or judged. Alone in its file: what else a process does would
//! be measured with it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use rogue_harness::cassette::tools::{open, show, stats, verify};
use rogue_harness::cassette::{Direction, Header, Leg, Redactor, TapeWriter};

/// How much the process may have taken more at its highest: a page cache of the allocator, no message.
const GROWN_KIB_MAX: u64 = 3_000;

/// The most that was ever resident in this process.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

fn write(path: &Path, calls: u64) {
    let header = Header::new("test", 1_767_571_200_000);
    let file = BufWriter::new(File::create(path).unwrap());
    let mut tape = TapeWriter::new(file, &header, Redactor::new(&[]).unwrap()).unwrap();
    for id in 0..calls {
        let mut say = |leg, dir, frame: String| {
            tape.message(header.clock_origin_ms + id, leg, dir, frame.as_bytes()).unwrap();
        };
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"bn_open_orders","arguments":{{"symbol":"BTCUSDT"}}}}}}"#
        );
        say(Leg::Agent, Direction::Out, call);
        // Half of them are never answered.
        if id % 2 == 0 {
            say(Leg::Agent, Direction::Back, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#));
        }
    }
    tape.finish().unwrap();
}

fn read(path: &Path) -> u64 {
    assert_eq!(verify(open(path).unwrap(), &[]).unwrap(), []);
    show(open(path).unwrap(), &mut std::io::sink()).unwrap().unwrap();
    judged(path);
    let stats = stats(open(path).unwrap()).unwrap();
    stats.messages
}

#[cfg(feature = "embedded")]
fn judged(path: &Path) {
    let policy = r#"{ "version": "1", "default": "deny", "tools": {
        "bn_open_orders": { "limits": [ { "counter": "looks", "window": "minute", "max": 1000 } ] } } }"#;
    let mut backtest = rogue_harness::backtest::Backtest::new(&policy.into(), None).unwrap();
    backtest.tape("tape", open(path).unwrap()).unwrap();
    let changes = backtest.finish();
    assert!(changes.calls >= 4_000 && changes.allowed >= 1_000, "{}", changes.text());
}

#[cfg(not(feature = "embedded"))]
fn judged(_: &Path) {}

#[test]
fn a_long_tape_takes_no_more_memory_than_a_short_one() {
    let folder = tempfile::tempdir().unwrap();
    let (short, long) = (folder.path().join("short.jsonl"), folder.path().join("long.jsonl"));
    // Long enough for as many unanswered calls as a backtest ever keeps waiting.
    write(&short, 10_000);
    assert_eq!(read(&short), 15_000);
    let before = peak_kib();
    write(&long, 40_000);
    assert_eq!(read(&long), 60_000);
    let grown = peak_kib() - before;
    assert!(grown <= GROWN_KIB_MAX, "{grown} KiB more");
    assert!(fs::metadata(&long).unwrap().len() > 10_000_000, "far more than that was written");
}
