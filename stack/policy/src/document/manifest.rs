//! Reads a manifest: which arguments each tool has, and which facts they come to.
//!
//! ```json
//! { "bn_new_order": {
//!     "arguments": ["symbol", "side", "type", "quantity", "quoteOrderQty", "price"],
//!     "facts": {
//!       "symbol": { "argument": "symbol" },
//!       "notional": { "cases": [
//!         { "with": ["quoteOrderQty"], "without": ["quantity", "price"], "is": { "decimal": "quoteOrderQty" } },
//!         { "one_of": { "side": ["BUY"] }, "is": { "product": [{ "decimal": "quantity" }, { "decimal": "price" }] } },
//!         { "is": { "product": [{ "decimal": "quantity" },
//!                               { "greatest": [{ "decimal": "price" }, { "reference": "symbol" }] }] } } ] } } } }
//! ```

use std::sync::Arc;

use indexmap::IndexMap;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::effects::{self, Told};
use super::model::Policy;
use super::reader::{Node, Reader, kind, quoted};
use crate::decimal;
use crate::facts::{Expression, Fact, Guard, References, ToolFacts};
use crate::own_keys::{OwnMap, OwnSet};
use crate::pointer;

/// The tools of a manifest.
pub(super) type Manifest = IndexMap<String, Arc<ToolFacts>>;

/// The manifests that come with the crate, by the name under which a policy asks for them.
const SHIPPED: [(&str, &str); 1] = [("binance-mcp", include_str!("../../manifests/binance-mcp.json"))];

impl Policy {
    /// The text of a manifest that comes with the crate, which is JSON without comments.
    pub fn shipped_manifest(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, source)| *source)
    }
}

const FORMS: [&str; 6] = ["decimal", "constant", "reference", "product", "greatest", "cases"];

/// Reads `manifest`: the name of a shipped one, or a manifest.
pub(super) fn manifest(reader: &mut Reader<'_>, node: &Node<'_>, references: &Arc<References>) -> Option<Manifest> {
    let Value::String(name) = node.value else { return Some(tools(reader, node, references)) };
    let Some((_, source)) = SHIPPED.iter().find(|(shipped, _)| shipped == name) else {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let remedy = format!("use `{}`, or write the manifest here as an object", names.join("`, `"));
        reader.wrong(&node.pointer, format!("no manifest is called {}", quoted(name)), remedy);
        return None;
    };
    let shipped = Reader::open(source).and_then(|(mut inner, root)| {
        let tools = tools(&mut inner, &Node { value: &root, pointer: String::new() }, references);
        inner.finish(tools)
    });
    match shipped {
        Ok(tools) => Some(tools),
        Err(errors) => {
            let message = format!("the manifest {} is not valid: {errors}", quoted(name));
            reader.wrong(
                &node.pointer,
                message,
                "this is a defect of the program: write the manifest here as an object",
            );
            None
        }
    }
}

fn tools(reader: &mut Reader<'_>, node: &Node<'_>, references: &Arc<References>) -> Manifest {
    let mut manifest = Manifest::new();
    for (name, value) in reader.open_object(node, "`manifest`").into_iter().flatten() {
        let node = Node { value, pointer: pointer::child(&node.pointer, name) };
        if let Some(facts) = tool(reader, &node, references) {
            manifest.insert(name.clone(), Arc::new(facts));
        }
    }
    manifest
}

fn tool(reader: &mut Reader<'_>, node: &Node<'_>, references: &Arc<References>) -> Option<ToolFacts> {
    let members = reader.object(node, "a tool of the manifest", &["arguments", "facts", "effect"])?;
    let list = reader.required(node, members, "arguments", "name every argument that the tool has")?;
    let mut arguments = OwnSet::default();
    for node in reader.array(&list, "`arguments`") {
        if let Some(name) = reader.string(&node, "an argument's name")
            && !arguments.insert(name.to_owned())
        {
            reader.wrong(&node.pointer, format!("{} is named already", quoted(name)), "name each argument once");
        }
    }
    let mut read = Facts { reader, arguments: &arguments, references };
    let mut facts = OwnMap::default();
    if let Some(node) = node.member(members, "facts") {
        for (name, value) in read.reader.open_object(&node, "`facts`").into_iter().flatten() {
            let node = Node { value, pointer: pointer::child(&node.pointer, name) };
            if name.is_empty() || name.contains('.') {
                let message = format!("{} is no fact's name", quoted(name));
                read.reader.wrong_key(&node.pointer, message, "write a name without points");
            }
            facts.extend(read.fact(&node).map(|fact| (name.clone(), fact)));
        }
    }
    let (mut effect, mut tells_price) = (None, None);
    match node.member(members, "effect").and_then(|node| effects::effect(reader, &node, &arguments)) {
        Some(Told::Effect(told)) => effect = Some(*told),
        Some(Told::Price(told)) => tells_price = Some(told),
        None => {}
    }
    Some(ToolFacts { arguments, facts, effect, tells_price })
}

/// Reads the facts of one tool.
struct Facts<'r, 's, 'm> {
    reader: &'r mut Reader<'s>,
    arguments: &'m OwnSet,
    references: &'m Arc<References>,
}

impl Facts<'_, '_, '_> {
    fn fact(&mut self, node: &Node<'_>) -> Option<Fact> {
        match node.value.as_object().and_then(|members| node.member(members, "argument")) {
            Some(argument) => {
                self.reader.object(node, "a fact", &["argument"])?;
                self.argument(&argument).map(Fact::Argument)
            }
            None => self.expression(node).map(Fact::Computed),
        }
    }

    fn expression(&mut self, node: &Node<'_>) -> Option<Expression> {
        let members = self.reader.object(node, "a value", &FORMS)?;
        let (Some(form), 1) = (members.keys().next(), members.len()) else {
            let remedy = "write one of `decimal`, `constant`, `reference`, `product`, `greatest` and `cases`";
            self.reader.wrong(&node.pointer, "a value has exactly one form", remedy);
            return None;
        };
        let operand = node.member(members, form)?;
        match form.as_str() {
            "decimal" => self.argument(&operand).map(Expression::Decimal),
            "constant" => amount(self.reader, &operand, "a constant").map(Expression::Constant),
            "reference" => self.argument(&operand).map(|name| Expression::Reference(name, Arc::clone(self.references))),
            "product" => self.several(&operand).map(Expression::Product),
            "greatest" => self.several(&operand).map(Expression::Greatest),
            "cases" => self.cases(&operand).map(Expression::Cases),
            _ => None,
        }
    }

    fn several(&mut self, node: &Node<'_>) -> Option<Vec<Expression>> {
        let nodes = self.reader.array(node, "a list of values");
        if nodes.len() < 2 {
            self.reader.wrong(&node.pointer, "there are fewer than two values", "write two or more");
            return None;
        }
        nodes.iter().map(|node| self.expression(node)).collect()
    }

    fn cases(&mut self, node: &Node<'_>) -> Option<Vec<(Vec<Guard>, Expression)>> {
        let nodes = self.reader.array(node, "`cases`");
        nodes.iter().map(|node| self.case(node)).collect()
    }

    fn case(&mut self, node: &Node<'_>) -> Option<(Vec<Guard>, Expression)> {
        let members = self.reader.object(node, "a case", &["one_of", "at_most", "with", "without", "is"])?;
        let mut guards = Vec::new();
        // First those that tell most cases apart.
        for (name, node) in self.guarded(node, members, "one_of")? {
            let nodes = self.reader.array(&node, "the list of words");
            let words: Option<Vec<String>> =
                nodes.iter().map(|node| self.reader.string(node, "a word").map(str::to_owned)).collect();
            guards.push(Guard::OneOf(name, words?));
        }
        for (key, guard) in [("with", Guard::With as fn(String) -> Guard), ("without", Guard::Without)] {
            if let Some(list) = node.member(members, key) {
                for name in self.reader.array(&list, "the list of arguments") {
                    guards.push(guard(self.argument(&name)?));
                }
            }
        }
        for (name, node) in self.guarded(node, members, "at_most")? {
            guards.push(Guard::AtMost(name, amount(self.reader, &node, "the bound")?));
        }
        let value = self.reader.required(node, members, "is", "give the value that the fact has in this case")?;
        Some((guards, self.expression(&value)?))
    }

    /// The members of `key`, whose keys are arguments.
    fn guarded<'v>(
        &mut self,
        node: &Node<'v>,
        members: &'v Map<String, Value>,
        key: &str,
    ) -> Option<Vec<(String, Node<'v>)>> {
        let Some(node) = node.member(members, key) else { return Some(Vec::new()) };
        let guards = self.reader.open_object(&node, "a guard")?;
        guards
            .iter()
            .map(|(name, value)| {
                let node = Node { value, pointer: pointer::child(&node.pointer, name) };
                self.known(name, &node.pointer).then(|| (name.clone(), node))
            })
            .collect()
    }

    fn argument(&mut self, node: &Node<'_>) -> Option<String> {
        let name = self.reader.string(node, "an argument's name")?;
        self.known(name, &node.pointer).then(|| name.to_owned())
    }

    fn known(&mut self, name: &str, pointer: &str) -> bool {
        let known = self.arguments.contains(name);
        if !known {
            let message = format!("the tool has no argument {}", quoted(name));
            self.reader.wrong(pointer, message, "name it under `arguments` if the tool has it");
        }
        known
    }
}

/// Reads `references`, wherever it stands: the price of each symbol.
pub(super) fn references(reader: &mut Reader<'_>, nodes: &[Node<'_>]) -> IndexMap<String, Decimal> {
    let mut references = IndexMap::new();
    for node in nodes {
        for (symbol, value) in reader.open_object(node, "`references`").into_iter().flatten() {
            let node = Node { value, pointer: pointer::child(&node.pointer, symbol) };
            if let Some(price) = amount(reader, &node, "a reference price") {
                if price.is_zero() {
                    reader.wrong(&node.pointer, "a reference price is zero", "write the price of one unit");
                }
                if references.insert(symbol.clone(), price).is_some() {
                    let message = format!("{} has a price in another part", quoted(symbol));
                    reader.wrong_key(&node.pointer, message, "write it once");
                }
            }
        }
    }
    references
}

/// A canonical decimal in quotes, or a whole number.
pub(super) fn amount(reader: &mut Reader<'_>, node: &Node<'_>, what: &str) -> Option<Decimal> {
    let amount = match node.value {
        Value::String(text) => decimal::of_text(text).ok(),
        Value::Number(number) => number.as_u64().map(Into::into),
        _ => None,
    };
    if amount.is_none() {
        let message = match node.value {
            Value::String(text) => format!("{what} is {}", quoted(text)),
            other => format!("{what} is {}", kind(other)),
        };
        reader.wrong(&node.pointer, message, "write a decimal in quotes: digits, and a point with digits behind it");
    }
    amount
}
