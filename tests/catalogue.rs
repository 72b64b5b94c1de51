//! `docs/catalogue.md` is what the scenarios say.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;

use rogue_harness::report::catalogue;
use rogue_harness::scenario::{Kind, load, load_all};

#[test]
fn the_page_is_what_the_scenarios_say() {
    let cases = load_all(&["scenarios/attacks".into(), "scenarios/workflows".into()]).expect("sound scenarios").cases;
    let page = catalogue(&cases);
    let path = Path::new("docs/catalogue.md");
    if std::env::var_os("ROGUE_WRITE_CATALOGUE").is_some() {
        std::fs::write(path, &page).expect("it can be written");
    }
    let kept = std::fs::read_to_string(path).expect("docs/catalogue.md");
    assert!(
        kept == page,
        "docs/catalogue.md is not what the scenarios say: `ROGUE_WRITE_CATALOGUE=1 cargo test --test catalogue`"
    );
    // Of every pattern it says either what shows it or why nothing does.
    assert!(!page.contains("not yet"), "a pattern has neither a scenario nor a reason");
    // Every feature of policies stops something, or it is said why that cannot be shown; and what is said to hold it instead is there.
    let features =
        page.split("### Policy features").nth(1).expect("the features").split("\n## ").next().expect("their end");
    assert!(!features.contains("none yet"), "a feature has neither a scenario nor a reason");
    for held in page.split('`').filter(|word| word.starts_with("stack/") && word.contains("/tests/")) {
        assert!(Path::new(held).exists(), "{held}");
    }
    // Every link leads somewhere, and every scenario is there.
    for target in page.split("](../").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(Path::new(target).is_file(), "{target}");
    }
    for case in &cases {
        assert!(page.contains(&format!("](../{})", case.path.display())), "{}", case.scenario.id);
    }
}

/// The table of `docs/policy.md` names for each kind of rule an attack that it stops, and `tests/scenarios.rs` runs it.
#[test]
fn each_rule_of_the_language_has_an_attack_that_it_stops() {
    let page = std::fs::read_to_string("docs/policy.md").expect("docs/policy.md");
    let table = page.split_once("## An attack for each rule\n").expect("the table").1;
    let table = table.split("\n## ").next().expect("a section");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule ")).collect();
    assert!(rows.len() >= 20, "{rows:?}");
    for row in rows {
        let files: Vec<&str> = row.split("](../").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(!files.is_empty(), "{row}");
        for file in files {
            assert!(Path::new(file).is_file(), "{file}");
            if file.starts_with("scenarios/") {
                let case = load(Path::new(file)).expect("a sound scenario").0;
                assert_eq!(case.scenario.kind, Kind::Attack, "{file}");
            }
        }
    }
}
