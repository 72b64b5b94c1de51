//! `docs/catalogue.md` is what the scenarios say.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;

use rogue_harness::report::catalogue;
use rogue_harness::scenario::load_all;

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
    // Every link leads somewhere, and every scenario is there.
    for target in page.split("](../").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(Path::new(target).is_file(), "{target}");
    }
    for case in &cases {
        assert!(page.contains(&format!("](../{})", case.path.display())), "{}", case.scenario.id);
    }
}
