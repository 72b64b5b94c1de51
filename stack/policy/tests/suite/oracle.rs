//! The guard against a second implementation of the language: plain, slow, straight from the document, sharing no
//! code with the crate. Random documents and call sequences must be decided alike, down to rule, reason and wait.

use std::cmp::Ordering;

use mcp_policy::{Decision, Guard, Outcome, Permit};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{ask, guard};

/// A decision as text, so that both sides can be compared and read.
type Verdict = String;

/// The naive guard: the document as it is, and every charge that was ever made.
struct Oracle {
    document: Value,
    charges: Vec<Charge>,
    now: u64,
}

#[derive(Clone, PartialEq)]
struct Charge {
    at: u64,
    owner: String,
    call: usize,
}

enum Truth {
    Yes,
    No,
    Unsure,
}

impl Oracle {
    fn admit(
        &mut self,
        call: usize,
        tool: &str,
        arguments: &Map<String, Value>,
        who: (&str, &str),
        at: u64,
    ) -> Verdict {
        self.now = self.now.max(at);
        let document = self.document.clone();
        let hidden = |name: &str| list(&document["hide"]).any(|hidden| hidden == name || hidden == "*");
        let rules = document["tools"].get(tool);
        if hidden(tool) {
            return "deny (hidden) hidden".to_owned();
        }
        if rules.is_none() && document["default"] == "deny" {
            return "deny (default deny) unlisted".to_owned();
        }
        if rules.is_none() {
            let names = document["tools"].as_object().into_iter().flat_map(Map::keys).map(String::as_str);
            let mut names = names.chain(list(&document["hide"]).filter_map(Value::as_str));
            if names.any(|name| name.eq_ignore_ascii_case(tool.trim())) {
                return "deny /default ambiguous_tool".to_owned();
            }
        }
        if let Some(refusal) = rules.and_then(|rules| refusal(tool, rules, arguments)) {
            return refusal;
        }
        let every =
            list(&document["all_tools"]["limits"]).enumerate().map(|(n, limit)| ("/all_tools".to_owned(), n, limit));
        let own = rules.into_iter().flat_map(|rules| list(&rules["limits"])).enumerate();
        let own = own.map(|(n, limit)| (format!("/tools/{tool}"), n, limit));
        let mut limits: Vec<(String, Value)> = Vec::new();
        for (place, n, limit) in every.chain(own) {
            // A call counts once, however often its counter is named.
            if !limits.iter().any(|(_, other)| other["counter"] == limit["counter"]) {
                limits.push((format!("{place}/limits/{n}"), limit.clone()));
            }
        }
        if let Some(rate) = rules.and_then(|rules| rules.get("rate_limit")) {
            let own = json!({ "counter": format!("{tool} rate_limit"), "window": rate["window"], "max": rate["max"],
                              "scope": "session" });
            limits.push((format!("/tools/{tool}/rate_limit"), own));
        }
        if let Some(refusal) = self.used_up(&limits, who) {
            return refusal;
        }
        if rules.is_some_and(|rules| rules["action"] == "require_approval") {
            return format!("escalate /tools/{tool}/action");
        }
        for (_, limit) in &limits {
            self.charges.push(Charge { at: self.now, owner: owner(limit, who), call });
        }
        if rules.is_some() { format!("allow /tools/{tool}") } else { "allow /default".to_owned() }
    }

    fn used_up(&self, limits: &[(String, Value)], who: (&str, &str)) -> Option<Verdict> {
        let full_at = |limit: &Value, now: u64| {
            let length = limit["window"].as_u64().unwrap() * 1000;
            let held = self.charges.iter().filter(|charge| {
                charge.owner == owner(limit, who) && i128::from(charge.at) > i128::from(now) - i128::from(length)
            });
            held.count() as u64 >= limit["max"].as_u64().unwrap()
        };
        let (rule, _) = limits.iter().find(|(_, limit)| full_at(limit, self.now))?;
        // The first moment at which none is used up, tried one by one from the ends of the charges.
        let mut ends: Vec<u64> = limits
            .iter()
            .flat_map(|(_, limit)| {
                self.charges.iter().map(|charge| charge.at + limit["window"].as_u64().unwrap() * 1000)
            })
            .filter(|end| *end > self.now)
            .collect();
        ends.sort_unstable();
        let free = ends.into_iter().find(|end| limits.iter().all(|(_, limit)| !full_at(limit, *end)));
        Some(format!("deny {rule} limit_reached {:?}", free.map(|free| free - self.now)))
    }

    fn never_sent(&mut self, call: usize) {
        self.charges.retain(|charge| charge.call != call);
    }
}

fn owner(limit: &Value, (grant, session): (&str, &str)) -> String {
    let session = if limit["scope"] == "session" { session } else { "any" };
    json!([limit["counter"], grant, session]).to_string()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the tool's own rules say of the arguments.
fn refusal(tool: &str, rules: &Value, arguments: &Map<String, Value>) -> Option<Verdict> {
    if rules["action"] == "deny" {
        return Some(format!("deny /tools/{tool}/action action_denied"));
    }
    let conditions = |rule: &Value| -> Vec<Value> {
        if rule.get("conditions").is_some() { list(&rule["conditions"]).cloned().collect() } else { vec![rule.clone()] }
    };
    let paths: Vec<Vec<String>> = list(&rules["deny_if"])
        .chain(list(&rules["require"]))
        .flat_map(conditions)
        .map(|condition| condition["path"].as_str().unwrap().split('.').skip(1).map(str::to_owned).collect())
        .collect();
    for path in &paths {
        // Follow the exact path; at each step look for a key that is another step's look-alike.
        let mut at = Some(Value::Object(arguments.clone()));
        for (depth, step) in path.iter().enumerate() {
            let Some(Value::Object(here)) = &at else { break };
            let siblings: Vec<&String> = paths
                .iter()
                .filter(|other| other.starts_with(&path[..depth]))
                .filter_map(|other| other.get(depth))
                .collect();
            for key in here.keys() {
                if key.eq_ignore_ascii_case(step) && !siblings.contains(&key) {
                    return Some(format!("deny /tools/{tool} ambiguous_argument"));
                }
            }
            at = here.get(step).cloned();
        }
    }
    for (list_name, refuses_when) in [("deny_if", true), ("require", false)] {
        for (index, rule) in list(&rules[list_name]).enumerate() {
            let truths: Vec<Truth> = conditions(rule).iter().map(|condition| holds(condition, arguments)).collect();
            let no = truths.iter().any(|truth| matches!(truth, Truth::No));
            let unsure = truths.iter().any(|truth| matches!(truth, Truth::Unsure));
            let reason = match (no, unsure) {
                (false, true) => "unevaluable",
                (no, _) if no == refuses_when => continue,
                _ if refuses_when => "deny_if_matched",
                _ => "require_failed",
            };
            return Some(format!("deny /tools/{tool}/{list_name}/{index} {reason}"));
        }
    }
    None
}

fn holds(condition: &Value, arguments: &Map<String, Value>) -> Truth {
    let root = Value::Object(arguments.clone());
    let pointer = condition["path"].as_str().unwrap().strip_prefix("args").unwrap().replace('.', "/");
    let (op, value) = (condition["op"].as_str().unwrap(), &condition["value"]);
    let yes = |holds: bool| if holds { Truth::Yes } else { Truth::No };
    let found = root.pointer(&pointer);
    if op == "exists" {
        return yes(found.is_some() == value.as_bool().unwrap_or(true));
    }
    let Some(argument) = found else { return Truth::Unsure };
    let not = |truth: Truth| match truth {
        Truth::Yes => Truth::No,
        Truth::No => Truth::Yes,
        Truth::Unsure => Truth::Unsure,
    };
    let any = |values: Vec<Truth>| {
        if values.iter().any(|truth| matches!(truth, Truth::Yes)) {
            Truth::Yes
        } else if values.iter().any(|truth| matches!(truth, Truth::Unsure)) {
            Truth::Unsure
        } else {
            Truth::No
        }
    };
    match op {
        "eq" => same(argument, value),
        "neq" => not(same(argument, value)),
        "in" => any(list(value).map(|value| same(argument, value)).collect()),
        "not_in" => not(any(list(value).map(|value| same(argument, value)).collect())),
        "regex" => match (argument.as_str(), value.as_str().unwrap()) {
            (None, _) => Truth::Unsure,
            (Some(text), "^x") => yes(text.starts_with('x')),
            (Some(text), "5$") => yes(text.ends_with('5')),
            (Some(text), _) => yes(text.chars().all(|character| character.is_ascii_lowercase()) && !text.is_empty()),
        },
        "contains" => match (argument, value) {
            (Value::String(text), Value::String(part)) => yes(text.contains(part.as_str())),
            (Value::Array(elements), _) => any(elements.iter().map(|element| same(element, value)).collect()),
            _ => Truth::Unsure,
        },
        _ => match (number(argument), number(value)) {
            (Some(argument), Some(bound)) => {
                let ordering = compare(&argument, &bound);
                yes(match op {
                    "lt" => ordering == Ordering::Less,
                    "lte" => ordering != Ordering::Greater,
                    "gt" => ordering == Ordering::Greater,
                    _ => ordering != Ordering::Less,
                })
            }
            _ => Truth::Unsure,
        },
    }
}

fn same(argument: &Value, value: &Value) -> Truth {
    let yes = |holds: bool| if holds { Truth::Yes } else { Truth::No };
    match (argument, value) {
        (_, Value::Null) => yes(argument.is_null()),
        (Value::Bool(a), Value::Bool(b)) => yes(a == b),
        (Value::String(a), Value::String(b)) => yes(a == b),
        (Value::Number(_), Value::Number(_) | Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            match (number(argument), number(value)) {
                (Some(a), Some(b)) => yes(compare(&a, &b) == Ordering::Equal),
                _ => Truth::Unsure,
            }
        }
        _ => Truth::Unsure,
    }
}

/// Sign, digits before and digits behind the point, as text without idle zeros.
fn number(value: &Value) -> Option<(bool, String, String)> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let parts: Vec<&str> = text.split('.').collect();
            let digits = |part: &&str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
            if parts.len() > 2 || !parts.iter().all(digits) {
                return None;
            }
            text.clone()
        }
        _ => return None,
    };
    let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    Some((negative, whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned()))
}

fn compare(a: &(bool, String, String), b: &(bool, String, String)) -> Ordering {
    let zero = |n: &(bool, String, String)| n.1.is_empty() && n.2.is_empty();
    let (a_negative, b_negative) = (a.0 && !zero(a), b.0 && !zero(b));
    match (a_negative, b_negative) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    let size = a.1.len().cmp(&b.1.len()).then_with(|| a.1.cmp(&b.1)).then_with(|| a.2.cmp(&b.2));
    if a_negative { size.reverse() } else { size }
}

// Generators.

fn scalar() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(5),
        json!(-5),
        json!(10),
        json!(0.5),
        json!(-0.5),
        json!("0"),
        json!("5"),
        json!("05"),
        json!("5.0"),
        json!("5.00000001"),
        json!("10"),
        json!("0.5"),
        json!("x"),
        json!("xy5"),
        json!("X"),
        json!(""),
        json!("-5"),
        json!("1e1"),
        json!(" 5"),
        json!("５"),
    ])
}

fn argument() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => scalar(),
        1 => prop::collection::vec(scalar(), 0..3).prop_map(Value::from),
        2 => scalar().prop_map(|value| json!({ "d": value })),
        2 => scalar().prop_map(|value| json!({ "D": value })),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec!["args.a", "args.b", "args.c", "args.c.d", "args.c.0", "args.A"]);
    let tested = prop_oneof![
        4 => (prop::sample::select(vec!["eq", "neq", "contains"]), scalar()).prop_map(|(op, value)| (op, value)),
        3 => (prop::sample::select(vec!["in", "not_in"]), prop::collection::vec(scalar(), 0..4))
            .prop_map(|(op, values)| (op, Value::from(values))),
        4 => (
            prop::sample::select(vec!["lt", "lte", "gt", "gte"]),
            prop::sample::select(vec![json!(5), json!("5"), json!(0.5), json!("5.00000000"), json!(-1), json!("0")]),
        )
            .prop_map(|(op, value)| (op, value)),
        1 => prop::sample::select(vec!["^x", "5$", "^[a-z]+$"]).prop_map(|pattern| ("regex", json!(pattern))),
        3 => any::<bool>().prop_map(|wanted| ("exists", json!(wanted))),
    ];
    (path, tested).prop_map(|(path, (op, value))| json!({ "path": path, "op": op, "value": value }))
}

fn rule() -> impl Strategy<Value = Value> {
    prop::collection::vec(condition(), 0..3).prop_map(|conditions| json!({ "conditions": conditions }))
}

/// Counters that agree wherever they are named.
fn limits() -> impl Strategy<Value = Value> {
    let limit = prop::sample::select(vec![
        json!({ "counter": "one", "window": 1, "max": 1, "scope": "grant" }),
        json!({ "counter": "few", "window": 2, "max": 3, "scope": "session" }),
        json!({ "counter": "some", "window": 3, "max": 5 }),
        json!({ "counter": "many", "window": 5, "max": 8, "scope": "grant" }),
        json!({ "counter": "none", "window": 1, "max": 0 }),
    ]);
    prop_oneof![2 => Just(json!([])), 3 => prop::collection::vec(limit, 1..3).prop_map(Value::from)]
}

fn tool() -> impl Strategy<Value = Value> {
    (
        prop_oneof![6 => Just("allow"), 1 => Just("deny"), 1 => Just("require_approval")],
        prop::collection::vec(rule(), 0..3),
        prop::collection::vec(prop_oneof![condition(), rule()], 0..3),
        limits(),
        prop::option::of((0_u64..4, 1_u64..4)),
    )
        .prop_map(|(action, deny_if, require, limits, rate)| {
            let mut tool = json!({ "action": action, "deny_if": deny_if, "require": require, "limits": limits });
            if let Some((max, window)) = rate {
                tool["rate_limit"] = json!({ "max": max, "window": window });
            }
            tool
        })
}

fn document() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(vec!["deny", "allow"]),
        prop::collection::vec(prop::sample::select(vec!["u", "h"]), 0..2),
        limits(),
        tool(),
        tool(),
        any::<bool>(),
    )
        .prop_map(|(default, hide, all, t, u, simple)| {
            let t = if simple { json!({ "limits": t["limits"] }) } else { t };
            json!({ "version": "1", "default": default, "hide": hide, "all_tools": { "limits": all },
                    "tools": { "t": t, "u": u } })
        })
}

#[derive(Debug, Clone)]
struct Step {
    tool: &'static str,
    arguments: Vec<(&'static str, Value)>,
    who: (&'static str, &'static str),
    /// Milliseconds since the step before; negative when the clock is set back.
    after_ms: i64,
    outcome: Option<Outcome>,
    /// After how many more steps the permit is settled.
    settled_after: usize,
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::sample::select(vec!["t", "t", "t", "u", "h", "other", "T", " t"]),
        prop::collection::vec((prop::sample::select(vec!["a", "b", "c", "c", "A", "B", "e"]), argument()), 0..4),
        prop::sample::select(vec![("g", "1"), ("g", "2"), ("h", "1")]),
        prop_oneof![4 => 0_i64..400, 2 => Just(0), 1 => Just(1000), 1 => 1000_i64..4000, 1 => -500_i64..0],
        prop::option::of(prop::sample::select(vec![
            Outcome::NeverSent,
            Outcome::NeverSent,
            Outcome::Succeeded,
            Outcome::Failed,
            Outcome::Unknown,
        ])),
        0_usize..6,
    )
        .prop_map(|(tool, arguments, who, after_ms, outcome, settled_after)| Step {
            tool,
            arguments,
            who,
            after_ms,
            outcome,
            settled_after,
        })
}

fn decided(decision: &Decision) -> Verdict {
    match decision {
        Decision::Allow(permit) => format!("allow {}", permit.rule()),
        Decision::Escalate(escalation) => format!("escalate {}", escalation.rule),
        Decision::Deny(denial) if denial.reason.code() == "limit_reached" => {
            format!("deny {} limit_reached {:?}", denial.rule, denial.retry_after_ms)
        }
        Decision::Deny(denial) => format!("deny {} {}", denial.rule, denial.reason.code()),
    }
}

/// Plays `steps` to both, and says where they first differ.
fn play(guard: &mut Guard, document: &Value, steps: &[Step]) -> Result<(), String> {
    let mut oracle = Oracle { document: document.clone(), charges: Vec::new(), now: 0 };
    let mut open: Vec<(usize, Outcome, usize, Permit)> = Vec::new();
    let mut at = 1_000_000_u64;
    for (index, step) in steps.iter().enumerate() {
        at = at.saturating_add_signed(step.after_ms);
        let arguments: Map<String, Value> =
            step.arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let expected = oracle.admit(index, step.tool, &arguments, step.who, at);
        let call = ask(step.tool).with(Value::Object(arguments)).grant(step.who.0).session(step.who.1);
        let decision = call.of(guard, at);
        let decided = decided(&decision);
        if decided != expected {
            return Err(format!("step {index}: the guard says {decided}, the oracle {expected}\n{document:#}"));
        }
        if let (Decision::Allow(permit), Some(outcome)) = (decision, step.outcome) {
            open.push((index + step.settled_after, outcome, index, permit));
        }
        let (due, later) = open.into_iter().partition(|(when, ..)| *when <= index);
        open = later;
        for (_, outcome, call, permit) in due {
            guard.settle(permit, outcome);
            if outcome == Outcome::NeverSent {
                oracle.never_sent(call);
            }
        }
    }
    Ok(())
}

/// At least `cases`, and as many as `PROPTEST_CASES` asks for in a longer run.
pub(crate) fn cases_of(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(cases), ..config }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..40)
}

proptest! {
    #![proptest_config(cases_of(2000))]

    #[test]
    fn the_guard_decides_as_the_oracle_does(document in document(), steps in steps()) {
        play(&mut guard(&document), &document, &steps).map_err(TestCaseError::fail)?;
    }
}

/// The comparison itself is seen to fail: it notices every deliberate defect of a guard.
#[cfg(feature = "mutants")]
#[test]
fn the_oracle_notices_every_mutation() {
    use mcp_policy::Mutation;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    // What the oracle's language, version "1", cannot say; `mutants.rs` shows what these do.
    let beyond = [
        Mutation::IgnoreKillSwitch,
        Mutation::IgnoreSequences,
        Mutation::IgnoreBreakers,
        Mutation::GrantScopeOnly,
        Mutation::ApprovalIsEnough,
        Mutation::GrantsShareOrders,
        Mutation::FloatCompare,
    ];
    for mutation in Mutation::ALL.into_iter().filter(|mutation| !beyond.contains(mutation)) {
        let mut runner = TestRunner::deterministic();
        let played = (0..20_000).find(|_| {
            let document = document().new_tree(&mut runner).unwrap().current();
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let mut mutant = Guard::mutant(crate::support::policy(&document), mutation);
            play(&mut mutant, &document, &steps).is_err()
        });
        assert!(played.is_some(), "nobody notices {mutation}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_large_window_never_admits_more_than_the_exact_definition(
        moves in prop::collection::vec(next_move(), 120),
        // Above 4096 calls are remembered by granules.
        max in 4097_u64..4200,
        window in 1_u64..120,
    ) {
        let (length, granule) = (window * 1000, (window * 1000).div_ceil(4094));
        let document = json!({ "version": "1", "default": "deny", "tools": { "t": {
            "limits": [ { "counter": "c", "window": window, "max": max } ] } } });
        let mut guard = guard(&document);
        let (mut now, mut admitted) = (0_u64, Vec::<u64>::new());
        for next in moves {
            let tries = match next {
                Move::On(gap_ms) => {
                    now += gap_ms;
                    150
                }
                Move::ToEndOf(call, early_ms) => {
                    // Where the window lets go of a call, or just before; and then as much as it takes.
                    let held_from = admitted.partition_point(|at| at + length <= now);
                    let end = admitted.get(held_from + call.index(admitted.len() - held_from + 1)).map(|at| at + length);
                    now = now.max(end.unwrap_or(now).saturating_sub(early_ms));
                    5000
                }
            };
            // Every call of a millisecond is judged by the exact count, and by one that forgets a granule later.
            let held_for = |length: u64| admitted.len() - admitted.partition_point(|at| at + length <= now);
            let (held, held_at_most) = (held_for(length), held_for(length + granule));
            let room = usize::try_from(max).unwrap();
            let passed = (0..tries).filter(|_| matches!(ask("t").of(&mut guard, now), Decision::Allow(_))).count();
            prop_assert!(held + passed <= room.max(held), "{} more after {} at {}", passed, held, now);
            prop_assert!(passed >= tries.min(room.saturating_sub(held_at_most)), "{} after {} at {}", passed, held, now);
            admitted.extend(std::iter::repeat_n(now, passed));
        }
    }
}

#[derive(Debug, Clone)]
enum Move {
    On(u64),
    ToEndOf(prop::sample::Index, u64),
}

fn next_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => (0_u64..12).prop_map(Move::On),
        1 => (0_u64..500).prop_map(Move::On),
        3 => (any::<prop::sample::Index>(), 0_u64..6).prop_map(|(call, early_ms)| Move::ToEndOf(call, early_ms)),
    ]
}
