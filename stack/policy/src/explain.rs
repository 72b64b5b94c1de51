//! Tells how a call would be judged: what it comes to, and what every rule says of it.

use crate::condition::{Evidence, Memo};
use crate::decision::{Call, Denial, Escalation};
use crate::docket::Docket;
use crate::document::Standing;
use crate::guard::Guard;
use crate::moment::Moment;
use crate::precedence::{Pass, judge};
use crate::prices::Prices;

/// How a call would be judged. Nothing is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The entry of the policy that the call falls under, `/default` where it is none.
    pub entry: Option<String>,
    /// Each fact of the manifest, in its order: its name, and its value or why it has none.
    pub facts: Vec<(String, Result<String, String>)>,
    /// What the rules refuse, in the order in which they are asked. The first that is not in shadow decides.
    pub refusals: Vec<Refused>,
    /// Who would be asked, when nothing refuses.
    pub asks: Option<Escalation>,
    /// Every rule that could refuse the call, in the order in which they are asked.
    pub rules: Vec<String>,
    /// Whether the last refusal kept those after it from being asked.
    pub ended: bool,
}

/// A rule that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// What it says.
    pub denial: Denial,
    /// Whether it is only taken down.
    pub shadow: bool,
}

impl Explanation {
    /// The refusal that decides, if there is one.
    pub fn decisive(&self) -> Option<&Denial> {
        self.refusals.iter().find(|refused| !refused.shadow).map(|refused| &refused.denial)
    }
}

impl Guard {
    /// Tells how `call` would be judged, by every rule and not only the first that refuses. It is charged to nothing.
    ///
    /// A limit that is used up hides those after it, and a refusal before any rule is asked (the kill switch, hidden and
    /// unlisted tools, an `action`, an argument that is none) hides them all.
    pub fn explain(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Explanation {
        let moment = moment.into();
        let now = self.now.max(moment.now()).as_millis();
        let Some(policy) = &self.policy else {
            let denial = Self::unruled();
            let refusals = vec![Refused { denial, shadow: false }];
            return Explanation {
                entry: None,
                facts: Vec::new(),
                refusals,
                asks: None,
                rules: Vec::new(),
                ended: true,
            };
        };
        let rules = match policy.standing(call.tool) {
            Standing::Hidden(rules) => rules,
            Standing::Listed(rules) => Some(rules),
            Standing::Free | Standing::Unlisted | Standing::Lookalike => None,
        };
        let mut docket = Docket::explaining();
        let verdict = judge(policy, call, moment, now, &mut self.state, &mut docket);
        let all_in_shadow = policy.is_in_shadow();
        let mut refusals: Vec<Refused> =
            docket.told().map(|(denial, shadow)| Refused { denial, shadow: shadow || all_in_shadow }).collect();
        let ended = verdict.is_err();
        let asks = match verdict {
            Err(denial) => {
                let shadow = all_in_shadow && denial.reason != crate::Reason::Halted;
                refusals.push(Refused { denial, shadow });
                None
            }
            Ok(Pass::Ask(escalation)) => Some(escalation),
            Ok(Pass::Allow { .. }) => None,
        };
        let bound = rules.and_then(|rules| rules.mentions.bind(call.arguments).ok()).unwrap_or_default();
        let facts = rules.and_then(|rules| rules.facts.as_deref());
        let prices = Prices { quotes: &self.state.quotes, now };
        let evidence = Evidence { bound: &bound, arguments: call.arguments, facts, memo: &Memo::default(), prices };
        Explanation {
            entry: rules.map(|rules| rules.rule.to_string()),
            facts: facts.map(|facts| evidence.told(facts)).unwrap_or_default(),
            refusals,
            asks,
            rules: policy.rules_for(rules).map(ToOwned::to_owned).collect(),
            ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{Decision, Outcome, Policy, Timestamp};

    const DOCUMENT: &str = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp",
        "references": { "BTCUSDT": "75000" }, "hide": ["bn_close_listen_key"],
        "all_tools": { "limits": [{ "counter": "calls", "window": "minute", "max": 6 }] },
        "tools": { "bn_ping": {}, "bn_cancel_order": { "action": "require_approval" },
            "bn_new_order": {
                "require": [{ "path": "facts.symbol", "op": "one_of", "value": ["BTCUSDT"] },
                            { "path": "facts.notional", "op": "between", "value": ["10", "500"] }],
                "deny_if": [{ "conditions": [{ "path": "args.recvWindow", "op": "gt", "value": 5000, "if_present": true }],
                              "shadow": true }],
                "limits": [{ "counter": "turnover", "window": "day", "of": "facts.notional", "max": "900" }] } } }"#;

    fn call<'a>(tool: &'a str, arguments: &'a Map<String, Value>) -> Call<'a> {
        Call { tool, arguments, grant: "desk", session: "1" }
    }

    #[test]
    fn every_rule_has_its_say_and_nothing_is_charged() {
        let mut guard = Guard::new(Policy::parse(DOCUMENT).unwrap());
        let Value::Object(arguments) = json!({ "symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT",
            "timeInForce": "GTC", "quantity": "1", "price": "4000", "recvWindow": 60000 })
        else {
            panic!("an object")
        };
        for _ in 0..9 {
            let told = guard.explain(&call("bn_new_order", &arguments), Timestamp::from_millis(0));
            let refused: Vec<_> =
                told.refusals.iter().map(|refused| (refused.denial.rule.as_str(), refused.shadow)).collect();
            let entry = "/tools/bn_new_order";
            assert_eq!(told.entry.as_deref(), Some(entry));
            assert_eq!(
                refused,
                [
                    ("/tools/bn_new_order/deny_if/0", true),
                    ("/tools/bn_new_order/require/0", false),
                    ("/tools/bn_new_order/require/1", false),
                    ("/tools/bn_new_order/limits/0", false),
                ]
            );
            assert_eq!(told.decisive().unwrap().rule, "/tools/bn_new_order/require/0");
            assert_eq!(told.rules.len(), 5, "{:?}", told.rules);
            assert!(told.facts.contains(&("notional".to_owned(), Ok("4000".to_owned()))), "{:?}", told.facts);
        }
        assert_eq!(guard.counters(), 0);
        let told = guard.explain(&call("bn_cancel_order", &Map::new()), Timestamp::from_millis(0));
        assert_eq!((told.refusals, told.asks.unwrap().rule), (Vec::new(), "/tools/bn_cancel_order/action".to_owned()));
        let rules = Policy::parse(DOCUMENT).unwrap();
        assert_eq!(rules.rules_told().len(), 6, "{:?}", rules.rules_told());
    }

    proptest! {
        #[test]
        fn what_decides_is_what_admits_or_refuses(
            calls in prop::collection::vec((0..5_usize, 0..3_usize, 1..700_u64, any::<bool>(), 0..40_000_u64), 1..30),
        ) {
            let mut guard = Guard::new(Policy::parse(DOCUMENT).unwrap());
            let tools = ["bn_ping", "bn_new_order", "bn_cancel_order", "bn_close_listen_key", "bn_unheard_of"];
            let mut now = 0;
            for (tool, symbol, units, approved, passed) in calls {
                now += passed;
                let symbol = ["BTCUSDT", "ETHUSDT", "btcusdt"].get(symbol).unwrap();
                let order = json!({ "symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                    "quantity": "0.01", "price": (units * 100).to_string() });
                let arguments = match order {
                    Value::Object(order) if tool == 1 => order,
                    _ => Map::new(),
                };
                let call = call(tools.get(tool).unwrap(), &arguments);
                let moment = Moment::new(Timestamp::from_millis(now)).approved(approved);
                let told = guard.explain(&call, moment);
                match guard.admit(&call, moment) {
                    Decision::Allow(permit) => {
                        prop_assert_eq!((told.decisive(), &told.asks), (None, &None));
                        guard.settle(permit, Outcome::Succeeded);
                    }
                    Decision::Deny(denial) => prop_assert_eq!(told.decisive(), Some(&denial)),
                    Decision::Escalate(escalation) => {
                        prop_assert_eq!((told.decisive(), &told.asks), (None, &Some(escalation)));
                    }
                }
            }
        }
    }
}
