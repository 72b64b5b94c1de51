//! The rules that a class gets, as text with comments. Every number is small on purpose, and marked to be filled in.

use std::fmt::Write as _;

use serde_json::json;

use super::class::Class;
use super::judge::Judged;
use super::listed::Tool;
use super::manifest::Manifest;

/// The symbols of which a person wrote down a price.
pub(super) const SYMBOLS: [(&str, &str); 1] = [("BTCUSDT", "75000")];
/// What each of them trades, and in what it is paid.
pub(super) const ASSETS: (&str, &str, &str) = ("BTCUSDT", "BTC", "USDT");

/// Something in a document with the remarks above it: text without its comma, which may have several lines.
pub(super) struct Part {
    pub(super) remarks: Vec<String>,
    pub(super) text: String,
}

impl Part {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { remarks: Vec::new(), text: text.into() }
    }

    pub(super) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remarks.push(remark.into());
        self
    }

    /// The parts as the members of an object or the elements of an array.
    pub(super) fn join(parts: &[Self], indent: usize) -> String {
        let pad = " ".repeat(indent);
        let mut text = String::new();
        for (index, part) in parts.iter().enumerate() {
            for remark in &part.remarks {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "{pad}// {remark}");
            }
            let comma = if index + 1 < parts.len() { "," } else { "" };
            let _ = writeln!(text, "{pad}{}{comma}", part.text);
        }
        text
    }

    /// The parts as a named array.
    fn array(key: &str, parts: &[Self]) -> Self {
        Self::new(format!("\"{key}\": [\n{}      ]", Self::join(parts, 8)))
    }
}

/// What is written for one tool, and whether an agent keeps it while the kill switch is on.
pub(super) struct Rules {
    pub(super) members: Vec<Part>,
    pub(super) safety: bool,
}

/// The rules of one tool.
pub(super) fn of(tool: &Tool, judged: &Judged, manifest: &Manifest) -> Rules {
    let write = Writer { tool, manifest };
    let members = match judged.class {
        Class::PublicRead | Class::PrivateRead => write.read(),
        Class::DryRun => write.arguments_of_an_order().map_or_else(Vec::new, |require| vec![require]),
        Class::Cancels => write.cancels(),
        Class::ChangesCredential => write.changes_credential(),
        Class::Changes => vec![asks("it changes something: a person looks at each call"), write.limit("hour", 10)],
        Class::CancelsAll => write.cancels_all(),
        Class::MintsCredential => write.mints(),
        Class::MovesMoney => write.moves_money(),
        Class::Destroys => vec![denies("what it ends does not come back: a person does that")],
        Class::Unknown => vec![denies("nobody can tell what it does: read its documentation first")],
    };
    Rules { members, safety: matches!(judged.class, Class::Cancels | Class::CancelsAll) }
}

struct Writer<'l> {
    tool: &'l Tool,
    manifest: &'l Manifest,
}

impl Writer<'_> {
    fn has(&self, fact: &str) -> bool {
        self.manifest.has_fact(&self.tool.name, fact)
    }

    fn takes(&self, argument: &str) -> bool {
        self.manifest.has_argument(&self.tool.name, argument)
    }

    fn does(&self, effects: &[&str]) -> bool {
        self.manifest.has_effect(&self.tool.name, effects)
    }

    /// Only symbols that a person chose, if the tool has one.
    fn symbol(&self) -> Option<Part> {
        self.has("symbol").then(|| {
            let symbols: Vec<&str> = SYMBOLS.iter().map(|(symbol, _)| *symbol).collect();
            Part::new(json!({ "path": "facts.symbol", "op": "one_of", "value": symbols }).to_string())
        })
    }

    fn limit(&self, window: &str, max: u64) -> Part {
        let limit = json!({ "counter": format!("calls of {}", self.tool.name), "window": window, "max": max });
        Part::array("limits", &[Part::new(limit.to_string())])
    }

    fn read(&self) -> Vec<Part> {
        let mut require: Vec<Part> = self.symbol().into_iter().collect();
        if !require.is_empty() && self.takes("limit") && self.has("weight") {
            let most = json!({ "path": "args.limit", "op": "lte", "value": 100, "if_present": true });
            require.push(Part::new(most.to_string()).remark("Long answers weigh more."));
        }
        let mut members = Vec::new();
        if !require.is_empty() {
            members.push(Part::array("require", &require));
        }
        if self.does(&["reads_order"]) {
            members.push(Part::new("\"own_orders_only\": true").remark("What others are about to do is theirs."));
        }
        members
    }

    /// What is required of an order and of a trial of one alike.
    fn arguments_of_an_order(&self) -> Option<Part> {
        let mut require: Vec<Part> = self.symbol().into_iter().collect();
        let mut add = |wanted: bool, rule: serde_json::Value, remark: &str| {
            if wanted {
                require.push(Part::new(rule.to_string()).remark(remark));
            }
        };
        let types = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"];
        add(
            self.has("order_type"),
            json!({ "path": "facts.order_type", "op": "one_of", "value": types }),
            "A stop that becomes a market order sells at any price.",
        );
        add(
            self.has("notional"),
            json!({ "path": "facts.notional", "op": "between", "value": ["5", "100"], "on_deny": "an order is worth 5 to 100" }),
            "FILL IN: what one order may be worth.",
        );
        add(
            self.has("price") && self.has("reference_price"),
            json!({ "any": [{ "path": "args.price", "op": "exists", "value": false },
                            { "path": "facts.price", "op": "within_percent", "other": "facts.reference_price", "value": "25" }],
                    "on_deny": "the price is too far from the reference price" }),
            "FILL IN: how far a limit may lie from the reference price, in percent.",
        );
        add(
            self.has("stop_price") && self.has("price"),
            json!({ "any": [{ "path": "args.stopPrice", "op": "exists", "value": false },
                            { "path": "facts.stop_price", "op": "beyond_percent", "other": "facts.price", "value": "0.5" }],
                    "on_deny": "a stop lies at least half a percent from its limit price" }),
            "A stop next to its own limit fires at the first tick.",
        );
        add(
            self.takes("recvWindow"),
            json!({ "path": "args.recvWindow", "op": "between", "value": [1, 5000], "if_present": true }),
            "A longer window lets an old order be replayed.",
        );
        if self.takes("newClientOrderId") {
            let id = "args.newClientOrderId";
            add(
                true,
                json!({ "path": id, "op": "length", "value": [1, 24], "if_present": true }),
                "A name and not a message.",
            );
            add(
                true,
                json!({ "path": id, "op": "characters", "value": "identifier", "if_present": true }),
                "Nor a code.",
            );
        }
        (!require.is_empty()).then(|| Part::array("require", &require))
    }

    fn moves_money(&self) -> Vec<Part> {
        if self.has("notional") {
            return self.places_orders();
        }
        if !self.has("amount") {
            return vec![
                asks("it moves money, and nothing tells how much: a person looks at each call"),
                self.limit("hour", 5),
            ];
        }
        let most =
            json!({ "path": "facts.amount", "op": "lte", "value": "10", "on_deny": "one call moves at most 10" });
        let least = json!({ "path": "facts.amount", "op": "gt", "value": 0 });
        let name = &self.tool.name;
        let limits = [
            Part::new(json!({ "counter": format!("calls of {name}"), "window": "hour", "max": 5 }).to_string()),
            Part::new(
                json!({ "counter": format!("amount of {name}"), "window": "day", "of": "facts.amount", "max": "20" })
                    .to_string(),
            )
            .remark("FILL IN: how much in a day that rolls."),
        ];
        vec![
            asks("it moves money: a person looks at each call"),
            Part::array(
                "require",
                &[
                    Part::new(most.to_string())
                        .remark("FILL IN: the most of one call, in the unit in which the tool counts (often cents)."),
                    Part::new(least.to_string()),
                ],
            ),
            Part::array("limits", &limits),
        ]
    }

    fn places_orders(&self) -> Vec<Part> {
        let mut members: Vec<Part> = self.arguments_of_an_order().into_iter().collect();
        let ask = json!({ "conditions": [{ "path": "facts.notional", "op": "gt", "value": "50" }],
                          "on_deny": "a person signs orders above 50" });
        let ask = Part::new(ask.to_string()).remark("FILL IN: from which worth on a person signs.");
        members.push(Part::array("approve_if", &[ask]));
        if self.does(&["places_order"]) {
            members.push(Part::new("\"no_self_cross\": true"));
            members
                .push(Part::new("\"open_orders\": [{ \"max\": 5 }]").remark("FILL IN: how many orders may be open."));
            let exposure = json!([{ "asset": ASSETS.1, "max": "0.005" }]);
            members.push(
                Part::new(format!("\"exposure\": {exposure}"))
                    .remark("FILL IN: how far the position may move, up or down."),
            );
            members.push(
                Part::new("\"cancel_to_fill\": [{ \"window\": \"hour\", \"max\": 5, \"free\": 10 }]")
                    .remark("Who cancels without trading is not trading."),
            );
        }
        let same = json!({ "counter": "same_order", "window": 300, "max": 2, "each": "arguments",
                           "on_deny": "this very order was sent twice in five minutes" });
        let limits = [
            Part::new(json!({ "counter": "orders", "window": "minute", "max": 5, "scope": "grant" }).to_string())
                .remark("FILL IN: orders in a minute."),
            Part::new(
                json!({ "counter": "turnover", "window": "day", "of": "facts.notional", "max": "300", "scope": "grant" }).to_string(),
            )
            .remark("FILL IN: what all orders of a day together may be worth. The day rolls, so that midnight opens nothing."),
            Part::new(same.to_string()).remark("Twice may be a retry; a third time is a loop."),
        ];
        members.push(Part::array("limits", &limits));
        members
    }

    fn cancels(&self) -> Vec<Part> {
        let mut members = Vec::new();
        if self.does(&["cancels_order"]) {
            members.push(Part::new("\"own_orders_only\": true").remark("What others placed is theirs."));
        }
        members.push(self.limit("minute", 20));
        members
    }

    fn cancels_all(&self) -> Vec<Part> {
        let mut members = vec![asks("it takes what others began along: a person looks at each call")];
        members.extend(self.symbol().map(|symbol| Part::array("require", &[symbol])));
        members.push(self.limit("hour", 2));
        members
    }

    fn mints(&self) -> Vec<Part> {
        let redact = json!({ "redact": ["listenKey", "token", "access_token", "accessToken", "apiKey", "api_key", "key", "secret", "password"] });
        let mut members = Vec::new();
        if !self.does(&["issues_listen_key"]) {
            members.push(asks("it hands out a credential: a person looks at each call"));
        }
        members.push(
            Part::new(format!("\"result\": {redact}"))
                .remark("The agent does not see it. Take a name out only for an agent that has use for the value."),
        );
        let limit = json!({ "counter": format!("calls of {}", self.tool.name), "window": 1800, "max": 1 });
        members.push(Part::array("limits", &[Part::new(limit.to_string())]));
        members
    }

    fn changes_credential(&self) -> Vec<Part> {
        if self.does(&["extends_listen_key", "closes_listen_key"]) {
            return vec![Part::new("\"own_listen_keys_only\": true"), self.limit("hour", 10)];
        }
        vec![asks("it extends or ends a credential: a person looks at each call"), self.limit("hour", 5)]
    }
}

fn asks(reason: &str) -> Part {
    Part::new(format!("\"action\": \"require_approval\", \"reason\": {}", json!(reason)))
}

fn denies(reason: &str) -> Part {
    Part::new(format!("\"action\": \"deny\", \"reason\": {}", json!(reason)))
}
