//! Reads what the manifest says a tool does.
//!
//! ```json
//! { "effect": { "places_order": {
//!     "symbol": "symbol", "side": { "argument": "side", "buy": "BUY", "sell": "SELL" },
//!     "quantity": "quantity", "price": "price", "client_order_id": "newClientOrderId",
//!     "answer": { "order_id": "/orderId", "client_order_id": "/clientOrderId", "filled": "/executedQty",
//!                 "status": { "at": "/status", "open": ["NEW"], "closed": ["FILLED"] } },
//!     "refused": { "at": "/error/outcomeUnknown", "is": false } } } }
//! ```

use serde_json::{Map, Value};

use super::reader::{Node, Reader, quoted};
use crate::effects::{Answer, Effect, ManyOrders, OneOrder, Places, Refused};
use crate::own_keys::OwnSet;
use crate::pointer::Pointer;
use crate::prices::TellsPrice;

const KINDS: [&str; 9] = [
    "places_order",
    "cancels_order",
    "cancels_all_orders",
    "reads_order",
    "lists_open_orders",
    "issues_listen_key",
    "extends_listen_key",
    "closes_listen_key",
    "tells_price",
];

/// What a manifest says that a tool does.
pub(super) enum Told {
    Effect(Box<Effect>),
    Price(TellsPrice),
}

/// Reads `effect`.
pub(super) fn effect(reader: &mut Reader<'_>, node: &Node<'_>, arguments: &OwnSet) -> Option<Told> {
    let members = reader.object(node, "an effect", &KINDS)?;
    let (Some(kind), 1) = (members.keys().next(), members.len()) else {
        reader.wrong(&node.pointer, "a tool has exactly one effect", format!("write one of {}", KINDS.join(", ")));
        return None;
    };
    let node = node.member(members, kind)?;
    let mut read = Effects { reader, arguments };
    if kind == "tells_price" {
        return read.price(&node).map(Told::Price);
    }
    let effect = match kind.as_str() {
        "places_order" => read.places(&node).map(Effect::Places),
        "cancels_order" => read.one(&node).map(Effect::Cancels),
        "cancels_all_orders" => read.many(&node).map(Effect::CancelsAll),
        "reads_order" => read.one(&node).map(Effect::Reads),
        "lists_open_orders" => read.many(&node).map(Effect::Lists),
        "issues_listen_key" => read.single(&node, "answer", Effects::pointer).map(Effect::Issues),
        "extends_listen_key" => read.single(&node, "argument", Effects::argument).map(Effect::Extends),
        "closes_listen_key" => read.single(&node, "argument", Effects::argument).map(Effect::Closes),
        _ => None,
    };
    effect.map(|effect| Told::Effect(Box::new(effect)))
}

struct Effects<'r, 's, 'm> {
    reader: &'r mut Reader<'s>,
    arguments: &'m OwnSet,
}

impl Effects<'_, '_, '_> {
    fn places(&mut self, node: &Node<'_>) -> Option<Places> {
        const KEYS: [&str; 7] = ["symbol", "side", "quantity", "price", "client_order_id", "answer", "refused"];
        let members = self.reader.object(node, "an effect", &KEYS)?;
        let side = self.required(node, members, "side")?;
        let sides = self.reader.object(&side, "the side", &["argument", "buy", "sell"])?;
        let word = |read: &mut Self, key: &str| {
            let word = read.required(&side, sides, key)?;
            read.reader.string(&word, "a word").map(str::to_owned)
        };
        Some(Places {
            symbol: self.named(node, members, "symbol")?,
            side: self.named(&side, sides, "argument")?,
            buy: word(self, "buy")?,
            sell: word(self, "sell")?,
            quantity: self.named(node, members, "quantity")?,
            price: self.named(node, members, "price")?,
            client_order_id: self.named(node, members, "client_order_id")?,
            answer: self.answer(node, members)?,
            refused: self.refused(node, members),
        })
    }

    fn one(&mut self, node: &Node<'_>) -> Option<OneOrder> {
        let keys = ["symbol", "order_id", "client_order_id", "answer", "refused"];
        let members = self.reader.object(node, "an effect", &keys)?;
        Some(OneOrder {
            symbol: self.named(node, members, "symbol")?,
            order_id: self.named(node, members, "order_id")?,
            client_order_id: self.named(node, members, "client_order_id")?,
            answer: self.answer(node, members)?,
            refused: self.refused(node, members),
        })
    }

    fn many(&mut self, node: &Node<'_>) -> Option<ManyOrders> {
        let members = self.reader.object(node, "an effect", &["symbol", "items", "answer", "late_ms"])?;
        let items = self.required(node, members, "items")?;
        Some(ManyOrders {
            symbol: self.named(node, members, "symbol")?,
            items: self.pointer(&items)?,
            answer: self.answer(node, members)?,
            late_ms: self.late(node, members)?,
        })
    }

    fn price(&mut self, node: &Node<'_>) -> Option<TellsPrice> {
        let members = self.reader.object(node, "an effect", &["symbol", "answer"])?;
        let symbol = self.named(node, members, "symbol")?;
        let answer = self.required(node, members, "answer")?;
        let members = self.reader.object(&answer, "`answer`", &["price", "symbol"])?;
        let price = self.required(&answer, members, "price")?;
        let price = self.pointer(&price)?;
        let told_symbol = match answer.member(members, "symbol") {
            Some(node) => Some(self.pointer(&node)?),
            None => None,
        };
        Some(TellsPrice { symbol, price, told_symbol })
    }

    /// An effect of one member.
    fn single<T>(&mut self, node: &Node<'_>, key: &str, read: impl Fn(&mut Self, &Node<'_>) -> Option<T>) -> Option<T> {
        let members = self.reader.object(node, "an effect", &[key])?;
        let member = self.required(node, members, key)?;
        read(self, &member)
    }

    fn answer(&mut self, node: &Node<'_>, members: &Map<String, Value>) -> Option<Answer> {
        let node = self.required(node, members, "answer")?;
        let keys = ["symbol", "order_id", "client_order_id", "filled", "placed_at", "status"];
        let members = self.reader.object(&node, "`answer`", &keys)?;
        let mut at = |key: &str| match node.member(members, key) {
            Some(node) => self.pointer(&node).map(Some),
            None => Some(None),
        };
        let (symbol, order_id) = (at("symbol")?, at("order_id")?);
        let (client_order_id, filled, placed_at) = (at("client_order_id")?, at("filled")?, at("placed_at")?);
        let mut answer = Answer {
            symbol,
            order_id,
            client_order_id,
            filled,
            placed_at,
            status: None,
            open: Vec::new(),
            closed: Vec::new(),
        };
        if let Some(status) = node.member(members, "status") {
            let members = self.reader.object(&status, "`status`", &["at", "open", "closed"])?;
            let at = self.required(&status, members, "at")?;
            answer.status = Some(self.pointer(&at)?);
            answer.open = self.words(&status, members, "open")?;
            answer.closed = self.words(&status, members, "closed")?;
        }
        Some(answer)
    }

    fn words(&mut self, node: &Node<'_>, members: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
        let list = self.required(node, members, key)?;
        let nodes = self.reader.array(&list, "the list of words");
        nodes.iter().map(|node| self.reader.string(node, "a word").map(str::to_owned)).collect()
    }

    /// One that cannot be read is an error, so that the document is not used without it.
    fn refused(&mut self, node: &Node<'_>, members: &Map<String, Value>) -> Option<Refused> {
        let node = node.member(members, "refused")?;
        let members = self.reader.object(&node, "`refused`", &["at", "is"])?;
        let at = self.required(&node, members, "at")?;
        let at = self.pointer(&at)?;
        let is = self.required(&node, members, "is")?.value.clone();
        Some(Refused { at, is })
    }

    fn late(&mut self, node: &Node<'_>, members: &Map<String, Value>) -> Option<u64> {
        let late = self.required(node, members, "late_ms")?;
        self.reader.count(&late, "`late_ms`", 0)
    }

    fn named(&mut self, node: &Node<'_>, members: &Map<String, Value>, key: &str) -> Option<String> {
        let node = self.required(node, members, key)?;
        self.argument(&node)
    }

    fn argument(&mut self, node: &Node<'_>) -> Option<String> {
        let name = self.reader.string(node, "an argument's name")?;
        let known = self.arguments.contains(name);
        if !known {
            let message = format!("the tool has no argument {}", quoted(name));
            self.reader.wrong(&node.pointer, message, "name it under `arguments` if the tool has it");
        }
        known.then(|| name.to_owned())
    }

    fn pointer(&mut self, node: &Node<'_>) -> Option<Pointer> {
        let pointer = self.reader.string(node, "a JSON pointer")?;
        let parsed = Pointer::parse(pointer);
        if parsed.is_none() {
            let message = format!("{} is no JSON pointer", quoted(pointer));
            self.reader.wrong(&node.pointer, message, format!("did you mean `/{}`?", pointer.replace('.', "/")));
        }
        parsed
    }

    fn required<'v>(&mut self, node: &Node<'v>, members: &'v Map<String, Value>, key: &str) -> Option<Node<'v>> {
        self.reader.required(node, members, key, "an effect says all of this or nothing")
    }
}
