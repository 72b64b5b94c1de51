//! Reads `live_references`: which tools tell the prices of `references`, and how far they are believed.
//!
//! ```json
//! { "tools": ["bn_ticker_price", "bn_avg_price"], "max_age": 10, "max_move_percent": "20", "agree_percent": "2" }
//! ```

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::manifest::{Manifest, amount};
use super::reader::{Node, Reader, quoted};
use crate::facts::References;
use crate::prices::{Live, Source};

/// The longest age, in seconds: what was true an hour ago is no price.
const AGE_MAX: u64 = 3_600;

pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    references: &References,
    manifest: &Manifest,
) -> Option<Live> {
    let keys = ["tools", "max_age", "max_move_percent", "agree_percent"];
    let members = reader.object(node, "`live_references`", &keys)?;
    if references.signed.is_empty() {
        let message = "no symbol has a reference that a price could be held against";
        reader.wrong(&node.pointer, message, "write `references` with the price of each symbol, as a person sees it");
    }
    let remedy = "name one or two tools that tell a price, such as `[\"bn_ticker_price\"]`";
    let tools = reader.required(node, members, "tools", remedy)?;
    let mut sources: Vec<Source> = Vec::new();
    let nodes = reader.array(&tools, "the list of tools");
    if nodes.is_empty() || nodes.len() > 2 {
        reader.wrong(&tools.pointer, format!("there are {} tools", nodes.len()), remedy);
    }
    for node in nodes {
        let Some(name) = reader.string(&node, "a tool's name") else { continue };
        match manifest.get(name).and_then(|facts| facts.tells_price.clone()) {
            Some(_) if sources.iter().any(|source| source.tool == name) => {
                reader.wrong(&node.pointer, format!("{} is named already", quoted(name)), "name each tool once");
            }
            Some(tells) => sources.push(Source { tool: name.to_owned(), tells }),
            None => {
                let message = format!("the manifest does not say that {} tells a price", quoted(name));
                reader.wrong(&node.pointer, message, "give it the effect `tells_price` there, or name another tool");
            }
        }
    }
    let age = reader.required(node, members, "max_age", "write after how many seconds a price is too old")?;
    let max_age = reader.count(&age, "`max_age`", 1)?;
    if max_age > AGE_MAX {
        reader.wrong(&age.pointer, "a price would be believed for more than an hour", "write at most 3600 seconds");
    }
    let max_move_percent = percent(reader, node, members, "max_move_percent")?;
    let agree_percent = match (members.contains_key("agree_percent"), sources.len()) {
        (false, ..=1) => Decimal::ZERO,
        (true, ..=1) => {
            let pointer = node.member(members, "agree_percent")?.pointer;
            let message = "there is only one tool, so that there is nothing to agree with";
            reader.wrong(&pointer, message, "name a second tool, or leave it out");
            return None;
        }
        _ => percent(reader, node, members, "agree_percent")?,
    };
    Some(Live { sources, max_age_ms: max_age.saturating_mul(1000), max_move_percent, agree_percent })
}

fn percent(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>, key: &str) -> Option<Decimal> {
    let node = reader.required(node, members, key, &format!("write it in percent, such as `\"{key}\": \"10\"`"))?;
    let percent = amount(reader, &node, "a distance in percent")?;
    if percent >= Decimal::ONE_HUNDRED {
        reader.wrong(&node.pointer, "a hundred percent or more bounds nothing", "write less than 100");
        return None;
    }
    Some(percent)
}
