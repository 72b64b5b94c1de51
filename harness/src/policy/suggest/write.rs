//! Writes the policy.

use std::fmt::Write as _;

use serde_json::json;

use super::judge::Judged;
use super::listed::{Tool, shown};
use super::manifest::{Manifest, SHIPPED};
use super::rules::{self, ASSETS, Part, SYMBOLS};

const OPENING: &str = "\
// A policy to begin with, made from what a server says of its tools: names, descriptions, arguments.
// It is strict: what is not listed is denied, and so is an argument that is not declared. Read every line, and
// replace the numbers marked FILL IN by what the account can bear.
";

/// A policy of version \"2\" for tools and their classes, with comments.
pub fn policy_for(tools: &[Tool], judged: &[Judged]) -> String {
    let nameable: Vec<(&Tool, &Judged)> =
        tools.iter().zip(judged).filter(|(tool, _)| has_plain_name(&tool.name)).collect();
    let (listed, classes): (Vec<Tool>, Vec<Judged>) =
        nameable.iter().map(|(tool, judged)| ((*tool).clone(), (*judged).clone())).unzip();
    let manifest = Manifest::of(&listed, &classes);
    let any = |test: &dyn Fn(&str) -> bool| listed.iter().any(|tool| test(&tool.name));
    let prices = any(&|tool| manifest.has_fact(tool, "reference_price") || manifest.has_fact(tool, "notional"));

    let mut members = vec![Part::new("\"version\": \"2\""), Part::new("\"default\": \"deny\"")];
    members.push(if manifest.shipped && !listed.is_empty() {
        Part::new(format!("\"manifest\": \"{SHIPPED}\""))
            .remark("Closes the arguments of every tool, and says what a call comes to.")
    } else {
        written_out(&listed, &manifest)
    });
    if prices {
        let prices: serde_json::Map<_, _> =
            SYMBOLS.iter().map(|(symbol, price)| ((*symbol).to_owned(), json!(price))).collect();
        members.push(
            Part::new(format!("\"references\": {}", json!(prices)))
                .remark("FILL IN: the pairs that may be traded, each with a price somewhat above the market: what has no price")
                .remark("of its own is valued by it."),
        );
        let (symbol, base, quote) = ASSETS;
        members.push(Part::new(format!("\"assets\": {}", json!({ symbol: { "base": base, "quote": quote } }))));
    }
    let entries: Vec<(&Tool, &Judged, rules::Rules)> =
        nameable.iter().map(|(tool, judged)| (*tool, *judged, rules::of(tool, judged, &manifest))).collect();
    let safety: Vec<&str> =
        entries.iter().filter(|(.., rules)| rules.safety).map(|(tool, ..)| tool.name.as_str()).collect();
    if !safety.is_empty() {
        members.push(
            Part::new(format!("\"safety_tools\": {}", json!(safety)))
                .remark("With the kill switch on an agent can still stop what it began."),
        );
    }
    members.push(for_all(listed.iter().all(|tool| manifest.has_fact(&tool.name, "weight")) && !listed.is_empty()));
    members.push(Part::new(format!(
        "\"tools\": {{\n{}  }}",
        Part::join(&entries.iter().map(entry).collect::<Vec<_>>(), 4)
    )));

    let mut text = OPENING.to_owned();
    for (tool, _) in tools.iter().zip(judged).filter(|(tool, _)| !has_plain_name(&tool.name)) {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "// `{}` has a name that no policy can hold; it is denied like whatever is not listed.",
            shown(&tool.name)
        );
    }
    let _ = writeln!(text, "{{\n{}}}", Part::join(&members, 2));
    text
}

/// Whether a policy can name the tool: patterns and invisible characters would mean others.
fn has_plain_name(name: &str) -> bool {
    name.len() <= 128 && name.chars().all(|character| character.is_ascii_graphic() && character != '*')
}

fn written_out(tools: &[Tool], manifest: &Manifest) -> Part {
    let entries: Vec<Part> = tools
        .iter()
        .filter_map(|tool| Some(Part::new(format!("{}: {}", json!(tool.name), manifest.entry(&tool.name)?))))
        .collect();
    Part::new(format!("\"manifest\": {{\n{}  }}", Part::join(&entries, 4)))
        .remark("Which arguments each tool has, and what they come to. A call with any other argument is denied.")
}

fn for_all(weighed: bool) -> Part {
    let same = json!({ "counter": "same_call", "window": "minute", "max": 20, "each": "arguments",
                       "on_deny": "this is the same call again and again: look at what it answered" });
    let mut limits = vec![
        Part::new(json!({ "counter": "calls", "window": "minute", "max": 60, "scope": "grant" }).to_string()),
        Part::new(same.to_string()),
    ];
    if weighed {
        let weight =
            json!({ "counter": "weight", "window": "minute", "of": "facts.weight", "max": "600", "scope": "server" });
        limits.push(Part::new(weight.to_string()).remark("A tenth of what Binance gives an address in a minute."));
    }
    let members = [
        Part::new(format!("\"limits\": [\n{}    ]", Part::join(&limits, 6))),
        Part::new("\"error_streak\": [{ \"max\": 5, \"window\": \"minute\", \"pause\": 300 }]")
            .remark("Failures in a row: something is wrong that trying will not mend."),
        Part::new("\"concurrency\": [{ \"max\": 4 }]"),
    ];
    Part::new(format!("\"all_tools\": {{\n{}  }}", Part::join(&members, 4)))
}

fn entry((tool, judged, rules): &(&Tool, &Judged, rules::Rules)) -> Part {
    let name = json!(tool.name);
    let mut part = if rules.members.is_empty() {
        Part::new(format!("{name}: {{}}"))
    } else {
        Part::new(format!("{name}: {{\n{}    }}", Part::join(&rules.members, 6)))
    };
    part.remarks.push(format!("{}: {}", judged.class.title(), judged.because.join(", ")));
    part.remarks.extend(judged.doubts.iter().map(|doubt| format!("LOOK: {doubt}.")));
    part
}
