//! Every example of `docs/policy.md` is a document that loads, and says nothing in vain.
//!
//! A block `jsonc` is a whole document; `jsonc tool=NAME` are the rules of that tool, and are put into one.

use mcp_policy::Policy;

const PAGE: &str = include_str!("../../../../docs/policy.md");

/// The fenced blocks: the line of each, what stands behind its fence, its text.
fn blocks() -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (line, text) in PAGE.lines().enumerate() {
        match (text.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((line + 1, info.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((.., block))) => {
                block.push_str(text);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A whole document round the rules of one tool.
pub(crate) fn around(tool: &str, rules: &str) -> String {
    format!(
        "{{ \"version\": \"2\", \"default\": \"deny\", \"manifest\": \"binance-mcp\",\n\
           \"references\": {{ \"BTCUSDT\": \"75000\", \"ETHUSDT\": \"4000\" }},\n\
           \"assets\": {{ \"BTCUSDT\": {{ \"base\": \"BTC\", \"quote\": \"USDT\" }} }},\n\
           \"tools\": {{ \"{tool}\": {rules} }} }}"
    )
}

/// Every example as a whole document, with the line of the page where it stands.
pub(crate) fn examples() -> Vec<(usize, String)> {
    blocks()
        .into_iter()
        .filter_map(|(line, info, text)| match info.split_once(" tool=") {
            Some((_, tool)) => Some((line, around(tool, &text))),
            None => (info == "jsonc").then_some((line, text)),
        })
        .collect()
}

#[test]
fn every_example_of_the_page_loads_without_a_warning() {
    let examples = examples();
    assert!(examples.len() >= 8, "{} examples", examples.len());
    for (line, text) in examples {
        let policy = Policy::parse(&text).unwrap_or_else(|errors| panic!("docs/policy.md:{line}: {errors}\n{text}"));
        assert_eq!(policy.warnings(), [], "docs/policy.md:{line}");
    }
}
