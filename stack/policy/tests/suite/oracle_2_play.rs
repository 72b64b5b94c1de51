//! Random documents of version "2" and random histories, played to the guard and to the oracle.

use mcp_policy::{Call, Decision, Guard, Moment, Outcome, Permit, PriceRequest, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::oracle::cases_of;
use crate::oracle_2::{Oracle, Verdict, Who};
use crate::support::policy;

const ARGUMENTS: [&str; 4] = ["a", "b", "symbol", "side"];
const SYMBOLS: [&str; 3] = ["BTC", "ETH", "DOGE"];

// Documents.

fn amount() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("0"),
        json!("5"),
        json!("05"),
        json!("5.0"),
        json!("5.00000001"),
        json!("10"),
        json!("0.5"),
        json!("0.0000000001"),
        json!("99999999999999999999"),
        json!(0),
        json!(5),
        json!(10),
        json!(0.5),
        json!(100),
    ])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => amount(),
        5 => prop::sample::select(vec![
            json!(null), json!(true), json!(-5), json!("x"), json!("xy5"), json!("X-y"), json!(""), json!("-5"), json!("1e1"),
            json!(" 5"), json!("５"), json!("ж"), json!("BUY"), json!("BTC")
        ]),
    ]
}

fn bound() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!("5"), json!(5), json!(0.5), json!("0"), json!("10.0"), json!("25"), json!("300")])
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "args.a",
        "args.b",
        "args.symbol",
        "args.side",
        "facts.f",
        "facts.f",
        "facts.g",
        "facts.symbol",
        "facts.ref",
    ])
}

fn condition(optional: bool) -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["x", "xy5", "BUY", "BTC", "5", ""]);
    let tested = prop_oneof![
        4 => (prop::sample::select(vec!["eq", "neq", "contains"]), scalar())
            .prop_map(|(op, value)| json!({ "op": op, "value": value })),
        3 => (prop::sample::select(vec!["in", "not_in"]), prop::collection::vec(scalar(), 0..4))
            .prop_map(|(op, values)| json!({ "op": op, "value": values })),
        4 => (prop::sample::select(vec!["lt", "lte", "gt", "gte"]), bound())
            .prop_map(|(op, value)| json!({ "op": op, "value": value })),
        2 => (prop::sample::select(vec!["lt", "lte", "gt", "gte"]), path())
            .prop_map(|(op, other)| json!({ "op": op, "other": other })),
        2 => (prop::sample::select(vec!["within_percent", "beyond_percent"]), path(), bound())
            .prop_map(|(op, other, value)| json!({ "op": op, "other": other, "value": value.as_str().unwrap_or("7") })),
        2 => prop::sample::select(vec![json!(["0", "5"]), json!([5, "10.5"]), json!(["0.5", "300"])])
            .prop_map(|value| json!({ "op": "between", "value": value })),
        2 => prop::collection::vec(word, 1..3).prop_map(|words| json!({ "op": "one_of", "value": words })),
        1 => (0_u64..3, 0_u64..3).prop_map(|(least, more)| json!({ "op": "length", "value": [least, least + more] })),
        1 => prop::sample::select(vec!["digits", "letters", "alphanumeric", "identifier"])
            .prop_map(|class| json!({ "op": "characters", "value": class })),
        1 => Just(json!({ "op": "regex", "value": "^x" })),
        2 => any::<bool>().prop_map(|wanted| json!({ "op": "exists", "value": wanted })),
    ];
    (path(), tested, prop::bool::weighted(0.2)).prop_map(move |(path, mut condition, if_present)| {
        condition["path"] = json!(path);
        if optional && if_present {
            condition["if_present"] = json!(true);
        }
        condition
    })
}

/// A condition or some of them put together. `if_present` may stand below `all`, and below nothing else.
fn term() -> BoxedStrategy<Value> {
    let inner = condition(false).prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|terms| json!({ "all": terms })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|terms| json!({ "any": terms })),
            inner.prop_map(|term| json!({ "not": term })),
        ]
    });
    let below = prop::collection::vec(condition(true), 1..3).prop_map(|terms| json!({ "all": terms }));
    prop_oneof![4 => condition(true), 1 => below, 2 => inner].boxed()
}

fn in_shadow(rule: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (rule, prop::bool::weighted(0.15)).prop_map(|(mut rule, shadow)| {
        if shadow {
            rule["shadow"] = json!(true);
        }
        rule
    })
}

fn clause() -> impl Strategy<Value = Value> {
    in_shadow(prop::collection::vec(term(), 1..3).prop_map(|terms| json!({ "conditions": terms })))
}

/// Counters that agree wherever they are named.
fn limits(all_tools: bool) -> impl Strategy<Value = Value> {
    let mut pool = vec![
        json!({ "counter": "one", "window": 1, "max": 1, "scope": "grant" }),
        json!({ "counter": "few", "window": 2, "max": 3, "scope": "session" }),
        json!({ "counter": "many", "window": 3, "max": 6, "scope": "server" }),
        json!({ "counter": "all", "window": 4, "max": 8, "scope": "organisation" }),
        json!({ "counter": "same", "window": 3, "max": 2, "each": "arguments" }),
        json!({ "counter": "spent", "window": 3, "max": "25.5", "of": "facts.f" }),
        json!({ "counter": "little", "window": 2, "max": "10", "of": "facts.g", "scope": "server" }),
        json!({ "counter": "by_symbol", "window": 2, "max": 2, "each": "facts.symbol" }),
        json!({ "counter": "by_value", "window": 4, "max": "600", "of": "facts.f", "each": "facts.g", "scope": "session" }),
        json!({ "counter": "none", "window": 1, "max": 0, "scope": "session" }),
    ];
    if !all_tools {
        pool.push(json!({ "counter": "plain", "window": 2, "max": "12", "of": "args.a" }));
        pool.push(json!({ "counter": "by_a", "window": 2, "max": 1, "each": "args.a" }));
    }
    let limit = in_shadow(prop::sample::select(pool));
    prop_oneof![1 => Just(json!([])), 2 => prop::collection::vec(limit, 1..4).prop_map(Value::from)]
}

fn breakers() -> impl Strategy<Value = Value> {
    let scope = || prop::sample::select(vec!["session", "grant", "server", "organisation"]);
    let cooldown = (prop::sample::select(vec!["call", "denial"]), 1_u64..3, scope())
        .prop_map(|(after, window, scope)| json!({ "after": after, "window": window, "scope": scope }));
    let streak = (1_u64..4, 1_u64..3, 1_u64..3, scope()).prop_map(
        |(max, window, pause, scope)| json!({ "max": max, "window": window, "pause": pause, "scope": scope }),
    );
    let concurrency = (1_u64..4, scope()).prop_map(|(max, scope)| json!({ "max": max, "scope": scope }));
    let some = |rule: BoxedStrategy<Value>| prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(in_shadow(rule), 1..3)];
    (some(cooldown.boxed()), some(streak.boxed()), some(concurrency.boxed())).prop_map(|(cooldown, streak, concurrency)| {
        json!({ "cooldown": cooldown, "error_streak": streak, "concurrency": concurrency })
    })
}

fn entry() -> impl Strategy<Value = Value> {
    (
        prop_oneof![8 => Just("allow"), 1 => Just("deny"), 1 => Just("require_approval")],
        prop::collection::vec(clause(), 0..3),
        prop::collection::vec(prop_oneof![in_shadow(term()), clause()], 0..2),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(clause(), 1..3)],
        limits(false),
        prop::option::weighted(0.2, (0_u64..4, 1_u64..4)),
        breakers(),
    )
        .prop_map(|(action, deny_if, require, approve_if, limits, rate, mut entry)| {
            let rules = json!({ "action": action, "deny_if": deny_if, "require": require, "approve_if": approve_if,
                                "limits": limits });
            entry.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
            if let Some((max, window)) = rate {
                entry["rate_limit"] = json!({ "max": max, "window": window });
            }
            entry
        })
}

fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["a", "b"]).prop_map(|name| json!({ "decimal": name })),
        1 => prop::sample::select(vec!["1", "0.5", "10"]).prop_map(|constant| json!({ "constant": constant })),
        2 => Just(json!({ "reference": "symbol" })),
    ];
    let case_of = |inner: BoxedStrategy<Value>| {
        let guards = prop::sample::select(vec![
            json!({}),
            json!({ "one_of": { "side": ["BUY"] } }),
            json!({ "with": ["a"] }),
            json!({ "without": ["a"] }),
            json!({ "at_most": { "a": "5" } }),
            json!({ "with": ["b"], "one_of": { "side": ["SELL", "BUY"] } }),
            json!({ "without": ["b"], "at_most": { "a": "0.5" } }),
        ]);
        (guards, inner).prop_map(|(mut case, is)| {
            case["is"] = is;
            case
        })
    };
    leaf.prop_recursive(2, 8, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..3).prop_map(|values| json!({ "product": values })),
            prop::collection::vec(inner.clone(), 2..3).prop_map(|values| json!({ "greatest": values })),
            prop::collection::vec(case_of(inner.boxed()), 1..4).prop_map(|cases| json!({ "cases": cases })),
        ]
    })
    .boxed()
}

fn live() -> impl Strategy<Value = Option<Value>> {
    let two = json!({ "tools": ["price", "average"], "max_age": 2, "max_move_percent": "20", "agree_percent": "2" });
    let one = json!({ "tools": ["price"], "max_age": 1, "max_move_percent": "50" });
    prop_oneof![2 => Just(None), 1 => Just(Some(two)), 1 => Just(Some(one))]
}

fn document() -> impl Strategy<Value = Value> {
    let hidden = prop::sample::select(vec!["t2", "h*", "u", "u*"]);
    let all = (limits(true), breakers());
    (
        (prop::collection::vec(hidden, 0..2), prop::bool::weighted(0.1), live()),
        (all, value(), value()),
        (entry(), entry(), entry(), entry()),
        prop::sample::subsequence(vec!["t1", "t*", "u", "*"], 1..5),
    )
        .prop_map(|((hide, shadow, live), ((limits, breakers), f, g), (one, two, three, four), listed)| {
            let facts = json!({ "f": f, "g": g, "symbol": { "argument": "symbol" }, "ref": { "reference": "symbol" } });
            let tool = json!({ "arguments": ARGUMENTS, "facts": facts });
            let mut all_tools = breakers;
            all_tools["limits"] = limits;
            let mut tools = json!({ "t1": one, "t*": two, "u": three, "*": four });
            tools.as_object_mut().unwrap().retain(|name, _| listed.contains(&name.as_str()));
            let tells = |answer: Value| json!({ "symbol": "symbol", "answer": answer });
            let mut price = tool.clone();
            price["effect"] = json!({ "tells_price": tells(json!({ "price": "/price", "symbol": "/symbol" })) });
            let mut average = tool.clone();
            average["effect"] = json!({ "tells_price": tells(json!({ "price": "/price" })) });
            let mut document = json!({
                "version": "2", "default": "deny", "hide": hide, "shadow": shadow,
                "references": { "BTC": "10", "ETH": "0.5" }, "all_tools": all_tools, "tools": tools,
                "manifest": { "t1": tool, "t2": tool, "u": tool, "h1": tool, "price": price, "average": average },
            });
            if let Some(live) = live {
                document["live_references"] = live;
            }
            // A tool that may be called while the kill switch is on must be one that may be called at all.
            let hidden = |name: &str| {
                document["hide"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|hide| name.starts_with(hide.as_str().unwrap().trim_end_matches('*')))
            };
            let denied = |name: &str| document["tools"].get(name).is_none_or(|rules| rules["action"] == "deny");
            let safe: Vec<&str> = ["t1", "u"].into_iter().filter(|name| !hidden(name) && !denied(name)).collect();
            document["safety_tools"] = json!(safe);
            document
        })
}

// Histories.

#[derive(Debug, Clone)]
enum Deed {
    Call {
        tool: &'static str,
        arguments: Vec<(&'static str, Value)>,
        who: Who,
        outcome: Option<Outcome>,
        settled_after: usize,
    },
    /// The tools tell prices, of what was asked for so long ago.
    Tell { symbol: &'static str, prices: [Option<&'static str>; 2], ago_ms: u64 },
}

#[derive(Debug, Clone)]
struct Step {
    /// Milliseconds since the step before; negative when the clock is set back.
    after_ms: i64,
    deed: Deed,
}

fn argument() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        4 => (Just("a"), prop_oneof![4 => amount(), 1 => scalar()]),
        4 => (Just("b"), prop_oneof![4 => amount(), 1 => scalar()]),
        4 => (Just("symbol"), prop_oneof![6 => prop::sample::select(SYMBOLS.to_vec()).prop_map(|symbol| json!(symbol)), 1 => scalar()]),
        4 => (Just("side"), prop_oneof![6 => prop::sample::select(vec![json!("BUY"), json!("SELL")]), 1 => scalar()]),
        1 => (prop::sample::select(vec!["A", "Side", "z"]), scalar()),
        1 => Just(("a", json!(1e30))),
        1 => (Just("b"), prop::collection::vec(scalar(), 0..3).prop_map(Value::from)),
    ]
}

fn call() -> impl Strategy<Value = Deed> {
    let who = (
        prop::sample::select(vec![("g", "1"), ("g", "2"), ("h", "1")]),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.2),
    );
    let who = who.prop_map(|((grant, session), halted, approved)| Who { grant, session, halted, approved });
    let outcome = prop::sample::select(vec![Outcome::NeverSent, Outcome::Succeeded, Outcome::Failed, Outcome::Unknown]);
    (
        prop::sample::select(vec!["t1", "t1", "t2", "u", "h1", "price", "other", "T1"]),
        prop::collection::vec(argument(), 0..7),
        who,
        prop::option::weighted(0.85, outcome),
        0_usize..5,
    )
        .prop_map(|(tool, arguments, who, outcome, settled_after)| Deed::Call {
            tool,
            arguments,
            who,
            outcome,
            settled_after,
        })
}

fn tell() -> impl Strategy<Value = Deed> {
    let price = || {
        prop::option::weighted(
            0.9,
            prop::sample::select(vec!["10", "10.1", "10.2", "10.21", "12", "12.01", "8", "0.5", "0.6", "0", "-1"]),
        )
    };
    (prop::sample::select(SYMBOLS.to_vec()), price(), price(), prop_oneof![4 => Just(0_u64), 1 => 0_u64..2500])
        .prop_map(|(symbol, one, two, ago_ms)| Deed::Tell { symbol, prices: [one, two], ago_ms })
}

fn step() -> impl Strategy<Value = Step> {
    let after_ms = prop_oneof![4 => 0_i64..400, 2 => Just(0), 1 => Just(1000), 1 => 1000_i64..4000, 1 => -500_i64..0];
    (after_ms, prop_oneof![6 => call(), 1 => tell()]).prop_map(|(after_ms, deed)| Step { after_ms, deed })
}

fn decided(guard: &Guard, decision: &Decision) -> Verdict {
    match decision {
        Decision::Allow(permit) => {
            let shadows: Vec<String> =
                permit.shadows().iter().map(|denial| format!("{} {}", denial.rule, denial.reason.code())).collect();
            let charged: Vec<String> =
                guard.charged(permit).map(|charged| format!("{}/{}", charged.amount, charged.used)).collect();
            format!("allow {} [{}] [{}]", permit.rule(), shadows.join(", "), charged.join(" "))
        }
        Decision::Escalate(escalation) => format!("escalate {}", escalation.rule),
        Decision::Deny(denial) => {
            format!("deny {} {} {:?}", denial.rule, denial.reason.code(), denial.retry_after_ms)
        }
    }
}

/// What the guard asks for, found by asking it about every symbol.
fn request(guard: &mut Guard, tool: &str, symbol: &str) -> Option<PriceRequest> {
    let arguments = json!({ "symbol": symbol }).as_object().cloned().unwrap();
    let call = Call { tool: "probe", arguments: &arguments, grant: "g", session: "1" };
    let wanted = guard.prices_wanted(&call, Moment::new(Timestamp::from_millis(0)));
    wanted.into_iter().find(|request| request.tool == tool)
}

/// A document in which one tool more cannot be judged without a price: by it the test learns what the guard asks for.
fn with_probe(document: &Value) -> Value {
    let mut document = document.clone();
    document["manifest"]["probe"] = document["manifest"]["t1"].clone();
    document["tools"]["probe"] = json!({ "require": [{ "path": "facts.ref", "op": "gt", "value": "0" }] });
    document["all_tools"] = json!({});
    document["hide"] = json!([]);
    document
}

/// Plays `steps` to both, and says where they first differ.
fn play(guard: &mut Guard, document: &Value, steps: &[Step]) -> Result<(), String> {
    let mut oracle = Oracle::new(document.clone());
    let mut open: Vec<(usize, Outcome, usize, Permit)> = Vec::new();
    let mut at = 1_000_000_u64;
    let sources = document["live_references"]["tools"].as_array().cloned().unwrap_or_default();
    for (index, step) in steps.iter().enumerate() {
        at = at.saturating_add_signed(step.after_ms);
        match &step.deed {
            Deed::Tell { symbol, prices, ago_ms } => {
                for (tool, price) in sources.iter().map(|tool| tool.as_str().unwrap()).zip(prices) {
                    let mut blank = Guard::new(policy(&with_probe(document)));
                    let Some(request) = request(&mut blank, tool, symbol) else { continue };
                    let result = price.map(|price| json!({ "symbol": symbol, "price": price }));
                    let asked_at = at - ago_ms;
                    let _ = guard.tell_price(&request, result.as_ref(), Timestamp::from_millis(asked_at));
                    oracle.tell(tool, symbol, *price, asked_at);
                }
            }
            Deed::Call { tool, arguments, who, outcome, settled_after } => {
                let arguments: Map<String, Value> =
                    arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
                let expected = oracle.admit(index, tool, &arguments, *who, at);
                let call = Call { tool, arguments: &arguments, grant: who.grant, session: who.session };
                let moment = Moment::new(Timestamp::from_millis(at)).halted(who.halted).approved(who.approved);
                let decision = guard.admit(&call, moment);
                let decided = decided(guard, &decision);
                if decided != expected {
                    return Err(format!("step {index}: the guard says {decided}\nthe oracle {expected}\n{document:#}"));
                }
                if let (Decision::Allow(permit), Some(outcome)) = (decision, *outcome) {
                    open.push((index + settled_after, outcome, index, permit));
                }
            }
        }
        let (due, later) = open.into_iter().partition(|(when, ..)| *when <= index);
        open = later;
        for (_, outcome, call, permit) in due {
            guard.settle(permit, outcome);
            let failed = match outcome {
                Outcome::NeverSent => None,
                Outcome::Succeeded => Some(false),
                Outcome::Failed | Outcome::Unknown => Some(true),
            };
            oracle.settle(call, failed);
        }
    }
    Ok(())
}

proptest! {
    // `just oracle` asks for 100,000.
    #![proptest_config(cases_of(2_000))]

    #[test]
    fn the_guard_decides_as_the_oracle_of_version_2_does(
        document in document(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        play(&mut Guard::new(policy(&document)), &document, &steps).map_err(TestCaseError::fail)?;
    }
}

/// Every kind of verdict is met, so that agreement says something about each.
#[test]
fn random_histories_meet_every_reason() {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut met = BTreeSet::new();
    for _ in 0..400 {
        let document = document().new_tree(&mut runner).unwrap().current();
        let steps = prop::collection::vec(step(), 1..40).new_tree(&mut runner).unwrap().current();
        let mut guard = Guard::new(policy(&document));
        let mut at = 1_000_000_u64;
        for Step { after_ms, deed } in steps {
            at = at.saturating_add_signed(after_ms);
            let Deed::Call { tool, arguments, who, .. } = deed else { continue };
            let arguments: Map<String, Value> =
                arguments.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let call = Call { tool, arguments: &arguments, grant: who.grant, session: who.session };
            let moment = Moment::new(Timestamp::from_millis(at)).halted(who.halted).approved(who.approved);
            match guard.admit(&call, moment) {
                Decision::Allow(permit) => {
                    met.insert("allow");
                    met.extend(permit.shadows().iter().map(|_| "shadow"));
                    guard.settle(permit, Outcome::Failed);
                }
                Decision::Escalate(_) => drop(met.insert("escalate")),
                Decision::Deny(denial) => drop(met.insert(denial.reason.code())),
            }
        }
    }
    for reason in [
        "allow",
        "shadow",
        "escalate",
        "halted",
        "hidden",
        "unlisted",
        "action_denied",
        "ambiguous_argument",
        "undeclared_argument",
        "deny_if_matched",
        "require_failed",
        "unevaluable",
        "cooling_down",
        "error_streak",
        "limit_reached",
    ] {
        assert!(met.contains(reason), "{reason} is never met: {met:?}");
    }
}

/// The comparison itself is seen to fail: it notices every deliberate defect of a guard that version "2" can show.
#[cfg(feature = "mutants")]
#[test]
fn the_oracle_of_version_2_notices_every_mutation() {
    use mcp_policy::Mutation;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    // It knows no rules over orders, and no numbers too long for single precision; `mutants.rs` shows what these do.
    let beyond = [Mutation::IgnoreSequences, Mutation::GrantsShareOrders, Mutation::FloatCompare];
    for mutation in Mutation::ALL.into_iter().filter(|mutation| !beyond.contains(mutation)) {
        let mut runner = TestRunner::deterministic();
        let played = (0..20_000).find(|_| {
            let document = document().new_tree(&mut runner).unwrap().current();
            let steps = prop::collection::vec(step(), 1..40).new_tree(&mut runner).unwrap().current();
            play(&mut Guard::mutant(policy(&document), mutation), &document, &steps).is_err()
        });
        assert!(played.is_some(), "nobody notices {mutation}");
    }
}
