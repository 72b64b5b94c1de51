//! Reads the rules over what went before.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::limits::{units, window};
use super::model::{Action, Named};
use super::reader::{Node, Reader, kind, quoted};
use crate::docket::Head;
use crate::effects::Effect;
use crate::facts::ToolFacts;
use crate::own_keys::OwnMap;
use crate::sequence::{CancelToFill, ExposureCap, OpenOrders, Prior, Proof, Sequence};

/// The keys of a tool's entry that are read here.
pub(super) const KEYS: [&str; 7] = [
    "requires_prior",
    "own_orders_only",
    "own_listen_keys_only",
    "no_self_cross",
    "open_orders",
    "exposure",
    "cancel_to_fill",
];

/// What each symbol trades.
pub(super) type Assets = IndexMap<String, Arc<str>>;

/// Reads `assets`, wherever it stands: the asset that each symbol trades and the one that it is paid in.
pub(super) fn assets(reader: &mut Reader<'_>, nodes: &[Node<'_>]) -> Assets {
    let mut assets = Assets::new();
    let mut paid_in: Vec<(String, String)> = Vec::new();
    let mut symbols: Vec<(&String, Node<'_>)> = Vec::new();
    for node in nodes {
        let members = reader.open_object(node, "`assets`").into_iter().flatten();
        symbols
            .extend(members.map(|(symbol, value)| {
                (symbol, Node { value, pointer: crate::pointer::child(&node.pointer, symbol) })
            }));
    }
    for (symbol, node) in symbols {
        let Some(members) = reader.object(&node, "a symbol's assets", &["base", "quote"]) else { continue };
        let mut side = |key: &str| {
            let remedy = "write `\"BTCUSDT\": { \"base\": \"BTC\", \"quote\": \"USDT\" }`";
            let side = reader.required(&node, members, key, remedy)?;
            reader.string(&side, "an asset").map(str::to_owned)
        };
        if let (Some(base), Some(quote)) = (side("base"), side("quote")) {
            if assets.insert(symbol.clone(), base.into()).is_some() {
                let message = format!("{} has its assets in another part", quoted(symbol));
                reader.wrong_key(&node.pointer, message, "write them once");
            }
            paid_in.push((node.pointer.clone(), quote));
        }
    }
    for (pointer, quote) in paid_in {
        if assets.values().any(|base| **base == *quote) {
            let message = format!("{} is both traded and paid with", quoted(&quote));
            reader.wrong(&pointer, message, "leave the symbol out: what such orders move cannot be told exactly");
        }
    }
    assets
}

/// Reads what a tool's entry says of what went before.
pub(super) fn sequence(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    members: &Map<String, Value>,
    facts: &ToolFacts,
    assets: &Assets,
) -> Option<Box<Sequence>> {
    let mut read = Sequences { reader, effect: facts.effect.as_ref() };
    let at = |key: &str| node.member(members, key);
    let is_about_one: Fits = Some(|effect| matches!(effect, Effect::Cancels(_) | Effect::Reads(_)));
    let is_about_key: Fits = Some(|effect| matches!(effect, Effect::Extends(_) | Effect::Closes(_)));
    let places: Fits = Some(|effect| matches!(effect, Effect::Places(_)));
    let sequence = Sequence {
        prior: read.several(at("requires_prior"), None, Sequences::prior),
        own_orders: at("own_orders_only").and_then(|node| read.flag(&node, is_about_one)),
        own_listen_keys: at("own_listen_keys_only").and_then(|node| read.flag(&node, is_about_key)),
        self_cross: at("no_self_cross").and_then(|node| read.flag(&node, places)),
        open_orders: read.several(at("open_orders"), places, Sequences::open_orders),
        exposure: read.several(at("exposure"), places, |read, node| read.exposure(node, assets)),
        cancel_to_fill: read.several(at("cancel_to_fill"), None, Sequences::cancel_to_fill),
    };
    (!sequence.is_empty()).then(|| Box::new(sequence))
}

/// Of which effects a rule can be.
type Fits = Option<fn(&Effect) -> bool>;

/// Tells each tool what its calls prove to others, and returns the lengths of the windows in which cancels are set
/// against trades.
pub(super) fn link(reader: &mut Reader<'_>, names: &mut OwnMap<Named>) -> Arc<[u64]> {
    let mut ratios = std::collections::BTreeSet::new();
    let mut proofs: Vec<(String, String, Arc<Proof>)> = Vec::new();
    for sequence in names.values().filter_map(|named| named.rules.as_ref()?.sequence.as_deref()) {
        ratios.extend(sequence.cancel_to_fill.iter().map(|cap| cap.window_ms));
        let required = sequence.prior.iter();
        proofs.extend(required.map(|prior| (prior.tool.clone(), prior.head.rule.clone(), Arc::clone(&prior.proof))));
    }
    for (tool, rule, proof) in proofs {
        let listed = names.get_mut(&tool).filter(|named| !named.hidden).and_then(|named| named.rules.as_mut());
        let Some(rules) = listed.filter(|rules| !matches!(rules.action, Action::Deny(_))) else {
            let message = format!("{} may not be called, so that nothing could ever go before", quoted(&tool));
            reader.wrong(&format!("{rule}/tool"), message, "list it under `tools`, unhidden and not denied");
            continue;
        };
        if !rules.proves.iter().any(|other| other.purpose == proof.purpose) {
            rules.proves.push(proof);
        }
    }
    ratios.into_iter().collect()
}

/// Reads what every rule may have beside its own keys.
pub(super) fn head(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> Head {
    let on_deny = node.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
    Head { rule: node.pointer.clone(), on_deny: on_deny.map(str::to_owned), shadow: shadow(reader, node, members) }
}

/// Reads `shadow`, which is never meant unless it is written.
pub(super) fn shadow(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> bool {
    match node.member(members, "shadow") {
        None => false,
        Some(Node { value: Value::Bool(wanted), .. }) => *wanted,
        Some(node) => {
            let message = format!("`shadow` is {}", kind(node.value));
            reader.wrong(&node.pointer, message, "write true or false without quotes");
            false
        }
    }
}

struct Sequences<'r, 's, 'm> {
    reader: &'r mut Reader<'s>,
    effect: Option<&'m Effect>,
}

impl Sequences<'_, '_, '_> {
    /// A rule that is on by being written: `true`, or an object with `on_deny` and `shadow`.
    fn flag(&mut self, node: &Node<'_>, fits: Fits) -> Option<Head> {
        self.fits(node, fits);
        match node.value {
            Value::Bool(true) => Some(Head { rule: node.pointer.clone(), on_deny: None, shadow: false }),
            Value::Object(_) => {
                let members = self.reader.object(node, "the rule", &["on_deny", "shadow"])?;
                Some(head(self.reader, node, members))
            }
            other => {
                let message = format!("the rule is {}", kind(other));
                self.reader.wrong(&node.pointer, message, "write true, or leave the rule out");
                None
            }
        }
    }

    fn several<T>(
        &mut self,
        node: Option<Node<'_>>,
        fits: Fits,
        mut read: impl FnMut(&mut Self, &Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = node else { return Vec::new() };
        self.fits(&node, fits);
        let nodes = self.reader.array(&node, "the list of rules");
        nodes.iter().filter_map(|node| read(self, node)).collect()
    }

    /// A rule about orders or listen keys needs a tool of which the manifest says what it does to them.
    fn fits(&mut self, node: &Node<'_>, fits: Fits) {
        if let Some(fits) = fits
            && !self.effect.is_some_and(fits)
        {
            let message = "the manifest does not say that this tool does what the rule is about";
            let remedy = "remove the rule, or give the tool its effect in the manifest";
            self.reader.wrong_key(&node.pointer, message, remedy);
        }
    }

    fn prior(&mut self, node: &Node<'_>) -> Option<Prior> {
        let members = self.reader.object(node, "a rule", &["tool", "within", "but", "on_deny", "shadow"])?;
        let head = head(self.reader, node, members);
        let tool = self.reader.required(node, members, "tool", "name the tool that must have been called")?;
        let tool = self.reader.string(&tool, "a tool's name")?.to_owned();
        let within_ms = window(self.reader, node, members, "within")? * 1000;
        let mut but = Vec::new();
        if let Some(list) = node.member(members, "but") {
            for node in self.reader.array(&list, "`but`") {
                but.push(self.reader.string(&node, "an argument's name")?.to_owned());
            }
        }
        but.sort_unstable();
        let purpose = format!("prior\0{tool}\0{}", but.join("\0"));
        Some(Prior { head, tool, proof: Arc::new(Proof { purpose, but }), within_ms })
    }

    fn open_orders(&mut self, node: &Node<'_>) -> Option<OpenOrders> {
        let members = self.reader.object(node, "a rule", &["max", "per", "on_deny", "shadow"])?;
        let head = head(self.reader, node, members);
        let max = self.count(node, members, "max")?;
        let per_symbol = match node.member(members, "per") {
            Some(per) => self.reader.word(&per, "owner of open orders", &[("grant", false), ("symbol", true)])?,
            None => false,
        };
        Some(OpenOrders { head, max, per_symbol })
    }

    fn exposure(&mut self, node: &Node<'_>, assets: &Assets) -> Option<ExposureCap> {
        let members = self.reader.object(node, "a rule", &["asset", "max", "on_deny", "shadow"])?;
        let head = head(self.reader, node, members);
        let asset = self.reader.required(node, members, "asset", "name the asset, such as `\"asset\": \"BTC\"`")?;
        let name = self.reader.string(&asset, "an asset")?;
        if !assets.values().any(|base| **base == *name) {
            let message = format!("no symbol under `assets` trades {}", quoted(name));
            self.reader.wrong(&asset.pointer, message, "say at the top what each symbol trades");
        }
        let max = units(self.reader, node, members, "say how far the position may move, such as `\"max\": \"0.5\"`")?;
        Some(ExposureCap { head, asset: name.into(), max })
    }

    fn cancel_to_fill(&mut self, node: &Node<'_>) -> Option<CancelToFill> {
        let members = self.reader.object(node, "a rule", &["window", "max", "free", "on_deny", "shadow"])?;
        let head = head(self.reader, node, members);
        let window_ms = window(self.reader, node, members, "window")? * 1000;
        let (max, free) = (self.count(node, members, "max"), self.count(node, members, "free"));
        Some(CancelToFill { head, window_ms, max: max?, free: free? })
    }

    fn count(&mut self, node: &Node<'_>, members: &Map<String, Value>, key: &str) -> Option<u64> {
        let member = self.reader.required(node, members, key, "write a whole number")?;
        self.reader.count(&member, "the number", 0)
    }
}
