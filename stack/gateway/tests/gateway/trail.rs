//! Reading an audit: what was done to a chain, and what became of calls.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Bench, answer, call};
use mcp_gateway::trail::{self, Damage, Query, Verified};
use mcp_gateway::{AuditKey, ChainedAudit, Rotation};
use serde_json::json;

struct Written {
    folder: tempfile::TempDir,
    path: PathBuf,
    key: Option<AuditKey>,
}

impl Written {
    /// Five calls and a refused frame: the decisions of the first four, a denial, three outcomes and a refusal.
    async fn new(key: Option<AuditKey>, rotation: Rotation) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = ChainedAudit::open(&path, key.as_ref(), rotation).unwrap();
        let bench = Bench::with(|config| config.audit = Box::new(audit));
        let mut rig = bench.open("s");
        for n in 0..4 {
            rig.client.send(&call(n, "echo", json!({"a": n}))).await;
            let frame = rig.server.next().await;
            bench.advance_ms(5);
            // The last stays open.
            if n < 3 {
                rig.server.send(&answer(&frame["id"], "done")).await;
                rig.client.next().await;
            }
        }
        rig.client.send(&call(9, "withdraw", json!({}))).await;
        rig.client.next().await;
        rig.client.send("[1]").await;
        rig.client.next().await;
        rig.serving.abort();
        let _ = rig.serving.await;
        Self { folder, path, key }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.path).unwrap().lines().map(str::to_owned).collect()
    }

    fn verify(&self) -> Verified {
        trail::verify(&trail::files(&self.path).unwrap(), self.key.as_ref()).unwrap()
    }

    /// What is found once `change` was made, by line and damage; everything is put back afterwards.
    fn after(&self, change: impl FnOnce(&mut Vec<String>)) -> Option<(u64, Damage)> {
        let before = self.lines();
        let mut lines = before.clone();
        change(&mut lines);
        let text = |lines: &[String]| lines.join("\n") + "\n";
        fs::write(&self.path, text(&lines)).unwrap();
        let found = self.verify().finding.map(|finding| (finding.line, finding.damage));
        fs::write(&self.path, text(&before)).unwrap();
        found
    }
}

fn key() -> AuditKey {
    AuditKey::new(&[7; 32]).unwrap()
}

#[tokio::test]
async fn a_whole_chain_is_whole_and_each_damage_is_named_with_its_line() {
    for key in [None, Some(key())] {
        let written = Written::new(key, Rotation::default()).await;
        let whole = written.verify();
        let count = written.lines().len();
        assert_eq!((whole.records, whole.first, whole.has_head, &whole.finding), (count as u64, 1, true, &None));

        for at in 0..count {
            let line = at as u64 + 1;
            let last = at + 1 == count;
            let changed = written.after(|lines| lines[at] = lines[at].replacen("\"s\"", "\"t\"", 1));
            assert_eq!(changed, Some((line, Damage::Changed)), "line {line}");
            let garbled = written.after(|lines| lines[at] = "garbage".to_owned());
            assert_eq!(garbled, Some((line, Damage::Changed)), "line {line}");
            let inserted = written.after(|lines| lines.insert(at, r#"{"seq":1,"decision":"allow"}"#.to_owned()));
            assert_eq!(inserted, Some((line, Damage::Inserted)), "line {line}");
            let doubled = written.after(|lines| lines.insert(at, lines[at].clone()));
            let twin = if last { line } else { line + 1 };
            assert!(
                matches!(doubled, Some((found, Damage::Inserted)) if found == twin || found == line),
                "{doubled:?}"
            );
            let removed = written.after(|lines| drop(lines.remove(at)));
            let expected = if last {
                (line - 1, Damage::EndCut { records: Some(1) })
            } else if at == 0 {
                // What is left begins later, as if an older file had been taken away.
                assert_eq!(removed, None);
                continue;
            } else {
                (line, Damage::Removed { records: 1 })
            };
            assert_eq!(removed, Some(expected), "line {line}");
        }
        let cut = written.after(|lines| lines.truncate(2));
        assert_eq!(cut, Some((2, Damage::EndCut { records: Some(count as u64 - 2) })));
        let moved = written.after(|lines| lines.swap(1, 3));
        assert!(moved.is_some_and(|(line, _)| line == 2));
    }
}

#[tokio::test]
async fn half_a_last_record_is_a_cut_end() {
    let written = Written::new(None, Rotation::default()).await;
    let text = fs::read_to_string(&written.path).unwrap();
    fs::write(&written.path, &text[..text.len() - 20]).unwrap();
    let found = written.verify().finding.unwrap();
    assert_eq!((found.line, found.damage), (written.lines().len() as u64, Damage::EndCut { records: None }));
}

/// Writes a record that fits after the one before it, as anybody can who knows how, where there is no key.
fn forge(lines: &[String], at: usize, body: &str) -> String {
    let previous: serde_json::Value = serde_json::from_str(&lines[at - 1]).unwrap();
    let hash = previous.get("hash").or_else(|| previous.get("hmac")).unwrap().as_str().unwrap();
    let sealed = format!(r#"{body},"n":{},"prev":"{hash}""#, at + 1);
    format!(r#"{sealed},"hash":"{}"}}"#, mcp_gateway::policy_digest(&sealed))
}

#[tokio::test]
async fn a_forged_record_shows_by_the_one_after_it_and_with_a_key_by_itself() {
    let plain = Written::new(None, Rotation::default()).await;
    let body = r#"{"ts_ms":1,"seq":99,"decision":"allow","tool":"withdraw""#;
    assert_eq!(plain.after(|lines| lines[2] = forge(lines, 2, body)), Some((3, Damage::Changed)));
    assert_eq!(plain.after(|lines| lines.insert(2, forge(lines, 2, body))), Some((3, Damage::Inserted)));
    let keyed = Written::new(Some(key()), Rotation::default()).await;
    assert_eq!(keyed.after(|lines| lines[2] = forge(lines, 2, body)), Some((3, Damage::Changed)));
    let last = keyed.lines().len();
    // The end is where a chain without a key cannot tell.
    assert_eq!(
        keyed.after(|lines| {
            let forged = forge(lines, last, body);
            lines.push(forged);
        }),
        Some((last as u64 + 1, Damage::Changed))
    );
}

#[tokio::test]
async fn another_key_and_a_changed_head_are_told() {
    let keyed = Written::new(Some(key()), Rotation::default()).await;
    let files = trail::files(&keyed.path).unwrap();
    let damage = |key: Option<&AuditKey>| trail::verify(&files, key).unwrap().finding.unwrap().damage;
    assert_eq!(damage(None), Damage::OtherHash { keyed: true });
    assert_eq!(damage(Some(&AuditKey::new(&[8; 32]).unwrap())), Damage::Changed);
    let head = keyed.folder.path().join("audit.jsonl.head");
    let text = fs::read_to_string(&head).unwrap();
    fs::write(&head, text.replace("\"n\":", "\"n\":1")).unwrap();
    assert_eq!(damage(keyed.key.as_ref()), Damage::HeadChanged);
    fs::remove_file(&head).unwrap();
    let verified = keyed.verify();
    assert!(verified.finding.is_none() && !verified.has_head);
}

#[tokio::test]
async fn a_chain_goes_through_all_its_files() {
    let written = Written::new(None, Rotation { bytes_max: 1000 }).await;
    let files = trail::files(&written.path).unwrap();
    assert!(files.len() > 3, "{files:?}");
    let whole = written.verify();
    assert!(whole.finding.is_none(), "{whole:?}");
    let all = trail::entries(&files).unwrap();
    assert_eq!((all.entries.len(), all.unreadable, all.orphans), (6, 0, 0));

    // A file in the middle that is gone shows; the oldest may have been taken away.
    fs::rename(&files[1], written.folder.path().join("gone")).unwrap();
    let finding = written.verify().finding.unwrap();
    assert_eq!((finding.file, finding.line), (files[2].clone(), 1));
    assert!(matches!(finding.damage, Damage::Removed { .. }));
    fs::remove_file(&files[0]).unwrap();
    let later = written.verify();
    assert!(later.finding.is_none() && later.first > 1, "{later:?}");
}

#[tokio::test]
async fn calls_are_told_with_their_outcomes_and_found_by_what_they_are() {
    let written = Written::new(None, Rotation::default()).await;
    let mut all = trail::entries(&trail::files(&written.path).unwrap()).unwrap();
    // The session ended with the fourth call open: the gateway says that its outcome is unknown.
    let outcomes: Vec<_> = all.entries.iter().filter_map(|entry| entry.outcome.clone()).collect();
    let told: Vec<_> = outcomes.iter().map(|outcome| (outcome.outcome.as_str(), outcome.latency_ms)).collect();
    let done = ("succeeded", Some(5));
    assert_eq!(told, [done, done, done, ("unknown", Some(5))]);
    assert_eq!(all.unknown(), 1);

    let fitting = |all: &trail::Entries, query: &Query| all.entries.iter().filter(|entry| query.fits(entry)).count();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(fitting(&all, &Query::default()), 6);
    assert_eq!(fitting(&all, &Query { tool: some("echo"), ..Query::default() }), 4);
    assert_eq!(fitting(&all, &Query { decision: some("deny"), ..Query::default() }), 1);
    assert_eq!(fitting(&all, &Query { rule: some("/tools/echo"), outcome: some("succeeded"), ..Query::default() }), 3);
    assert_eq!(fitting(&all, &Query { reason: some("batch"), ..Query::default() }), 1);
    let start = crate::support::START_MS;
    let later = Query { since_ms: Some(start + 5), until_ms: Some(start + 10), ..Query::default() };
    assert_eq!(fitting(&all, &later), 1);
    assert_eq!(fitting(&all, &Query { grant: some("other"), ..Query::default() }), 0);

    // Killed before an outcome could be written: unknown, and not on record.
    let lines = written.lines();
    fs::write(&written.path, format!("{}\n", lines[0])).unwrap();
    all = trail::entries(&trail::files(&written.path).unwrap()).unwrap();
    let outcome = all.entries[0].outcome.as_ref().unwrap();
    assert_eq!((outcome.outcome.as_str(), outcome.recorded, all.unknown()), ("unknown", false, 1));
    assert!(trail::files(Path::new("no-such-audit")).is_err());
}
