//! Holds the arrows between the crates, as `ARCHITECTURE.md` draws them.
//!
//! What a crate may name is what it can come to depend on. The list below is the whole of it: an arrow
//! that is not here is a design change, and belongs into `ARCHITECTURE.md` first.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Crate, and the crates of this workspace that it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("exchange-engine", &[]),
    ("mock-binance", &["exchange-engine"]),
    ("mcp-policy", &[]),
    ("mcp-gateway", &["mcp-policy"]),
    ("binance-mcp", &[]),
    ("rogue-harness", &["binance-mcp", "mcp-gateway", "mock-binance"]),
    ("rogue", &["rogue-harness"]),
];

/// Crates that know no IO: nothing that opens a socket, a file, a clock or a thread may come in.
const PURE: &[&str] = &["exchange-engine", "mcp-policy"];
const IMPURE_DEPENDENCIES: &[&str] = &[
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "rand",
    "reqwest",
    "rmcp",
    "tempfile",
    "time",
    "tokio",
    "tracing",
    "wiremock",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--offline".to_owned(), "--no-deps".to_owned()])
        .exec()
        .expect("`cargo metadata` works in this workspace")
}

/// The violations of `allowed` in `packages`, as sentences.
fn violations(packages: &[Package], allowed: &[(&str, &[&str])]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        allowed.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut found = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(may) = allowed.get(name) else {
            found.push(format!("`{name}` has no line in the list of arrows"));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            // The root package's tests and benches drive every crate; nothing ships from there.
            let root_tests = name == "rogue" && dependency.kind == DependencyKind::Development;
            if ours.contains(to) && !may.contains(to) && !root_tests {
                found.push(format!("`{name}` must not know `{to}` ({:?} dependency)", dependency.kind));
            }
        }
    }
    found
}

#[test]
fn the_arrows_hold() {
    let metadata = metadata();
    let found = violations(&metadata.packages, ARROWS);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_seen() {
    let metadata = metadata();
    let tightened: Vec<(&str, &[&str])> = ARROWS
        .iter()
        .map(|(from, to)| if *from == "mock-binance" { (*from, [].as_slice()) } else { (*from, *to) })
        .collect();
    let found = violations(&metadata.packages, &tightened);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`mock-binance` must not know `exchange-engine`"), "{found:?}");
}

#[test]
fn our_own_stack_stands_behind_the_feature_embedded() {
    let metadata = metadata();
    let harness = metadata.packages.iter().find(|p| p.name.as_str() == "rogue-harness").expect("the harness exists");
    for name in ["binance-mcp", "mcp-gateway"] {
        let dependency = harness
            .dependencies
            .iter()
            .find(|d| d.name == name && d.kind == DependencyKind::Normal)
            .unwrap_or_else(|| panic!("the harness names `{name}`"));
        assert!(dependency.optional, "`{name}` must be optional: the suite is not written for our own stack");
    }
    assert!(!harness.features["default"].contains(&"embedded".to_owned()));
}

#[test]
fn pure_crates_have_no_impure_dependency_and_ban_clocks() {
    let metadata = metadata();
    for name in PURE {
        let package = metadata.packages.iter().find(|p| p.name.as_str() == *name).expect("the pure crate exists");
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            assert!(
                !IMPURE_DEPENDENCIES.contains(&dependency.name.as_str()),
                "`{name}` is pure and must not depend on `{}`",
                dependency.name
            );
        }
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let lints = std::fs::read_to_string(folder.join("clippy.toml")).expect("a pure crate has its own clippy.toml");
        for banned in [
            "std::time::SystemTime::now",
            "std::time::Instant::now",
            "std::thread::sleep",
            "std::env::var",
            "std::collections::HashMap::iter",
        ] {
            assert!(lints.contains(banned), "`{name}/clippy.toml` must ban `{banned}`");
        }
        assert!(lints.contains("take `now` as an argument"), "the ban names the replacement");
    }
}
