//! `docs/gateways.md` shows what is kept in `docs/data/gateways`, and each of the gateways there is described, held to a baseline
//! that agrees with what is kept, and asked about the scenarios that there are.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rogue_harness::baseline::Baseline;
use rogue_harness::report::{Outcomes, compare};
use rogue_harness::scenario::load_all;
use rogue_harness::target::TargetFile;
use serde_json::Value;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The gateways of the page, in its order.
fn gateways() -> Vec<String> {
    let script = read(Path::new("scenarios/targets/run"));
    let list = script.lines().find_map(|line| line.strip_prefix("all=(")?.strip_suffix(')')).expect("the list");
    list.split(' ').map(str::to_owned).collect()
}

fn kept(name: &str) -> String {
    read(&Path::new("docs/data/gateways").join(format!("{name}.json")))
}

#[test]
fn the_page_shows_what_is_kept() {
    let all: Vec<Outcomes> = gateways()
        .iter()
        .map(|name| Outcomes::parse(&kept(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect();
    let page = read(Path::new("docs/gateways.md"));
    let shown = page.split_once("<!-- compared -->\n").expect("the mark").1;
    let shown = shown.split_once("<!-- end of what is compared -->").expect("the mark").0;
    assert!(shown == compare(&all), "docs/gateways.md is not what is kept: `just foreign`");
}

#[test]
fn every_gateway_is_described_and_its_baseline_agrees_with_what_is_kept() {
    let cases = load_all(&["scenarios/attacks".into(), "scenarios/workflows".into()]).expect("sound scenarios").cases;
    let known: BTreeSet<&str> = cases.iter().map(|case| case.scenario.id.value.as_str()).collect();
    let described =
        std::fs::read_dir("scenarios/targets").expect("the folder").map(|entry| entry.expect("an entry").path());
    let described: BTreeSet<String> = described
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        described,
        gateways().into_iter().collect(),
        "the folders of scenarios/targets are the list of its `run`"
    );
    for name in described {
        let folder = Path::new("scenarios/targets").join(&name);
        let file = TargetFile::read(&folder.join("target.yaml")).unwrap_or_else(|problem| panic!("{problem}"));
        let kept: Value = serde_json::from_str(&kept(&name)).expect("JSON");
        assert_eq!((file.name(), kept["version"].as_str()), (name.as_str(), Some(file.version())));
        let pins = folder.join("requirements.txt");
        assert!(!pins.is_file() || read(&pins).contains(&format!("=={}\n", file.version())), "{name} is pinned");

        let scenarios = kept["scenarios"].as_object().expect("scenarios");
        let asked: BTreeSet<&str> = scenarios.keys().map(String::as_str).collect();
        // A scenario may be younger than the last run; one that is no more may not be shown.
        assert!(asked.len() > 90 && asked.is_subset(&known), "{name} was asked about other scenarios: `just foreign`");
        let failures: BTreeMap<&str, &str> = scenarios
            .iter()
            .filter_map(|(id, outcome)| Some((id.as_str(), outcome["verdict"].as_str()?)))
            .filter(|(_, verdict)| ["breached", "blocked", "broken"].contains(verdict))
            .collect();
        let baseline = Baseline::read(&folder.join("baseline.yaml")).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(baseline.entries(), failures, "{name}");
    }
}
