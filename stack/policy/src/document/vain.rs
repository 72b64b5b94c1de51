//! Finds what a valid document says in vain: rules that can never match, limits that let nothing through, documents
//! that deny everything.

use indexmap::IndexMap;
use rust_decimal::Decimal;
use serde_json::Value;

use super::model::{Action, Clause, Default, LimitUse, Policy, ToolRules};
use super::reader::Reader;
use crate::condition::{Comparison, Condition, Literal, Operand, Test, Truth};
use crate::decimal;
use crate::seam::Seam;

/// Notes every warning about `policy`.
pub(super) fn look(reader: &mut Reader<'_>, policy: &Policy) {
    let mut look = Look { reader, policy };
    let nothing_passes = look.limits(policy.all_tools());
    let mut someone_passes = policy.default == Default::Allow;
    for named in policy.names.values() {
        let Some(rules) = &named.rules else { continue };
        if policy.hides_all || named.hidden {
            look.warn("hidden_and_configured", &rules.rule, "the tool is hidden, so that none of this ever applies");
        } else if !look.tool(rules) {
            someone_passes = true;
        }
    }
    if policy.hides_all {
        look.warn("denies_everything", "/hide", "`*` hides every tool: every call is denied");
    } else if nothing_passes {
        look.warn("denies_everything", "/all_tools/limits", "a limit of 0 on all tools denies every call");
    } else if !someone_passes {
        let only_hides = !policy.names.is_empty() && policy.names.values().all(|named| named.rules.is_none());
        let message = if only_hides {
            "every tool is denied and not only the hidden ones: list under `tools` those that may be called, or write \
             `\"default\": \"allow\"`"
        } else {
            "every call is denied: no tool is listed that could be allowed"
        };
        look.warn("denies_everything", "/default", message);
    }
}

struct Look<'r, 's, 'p> {
    reader: &'r mut Reader<'s>,
    policy: &'p Policy,
}

impl Look<'_, '_, '_> {
    fn warn(&mut self, code: &'static str, pointer: &str, message: &str) {
        self.reader.warn(code, pointer, message);
    }

    /// Looks at one tool, and returns whether it can never be called.
    fn tool(&mut self, rules: &ToolRules) -> bool {
        if matches!(rules.action, Action::Deny(_)) {
            if !(rules.deny_if.is_empty() && rules.require.is_empty() && rules.limits.is_empty()) {
                let message = "the action denies every call, so that the tool's other rules never apply";
                self.warn("rules_on_denied_tool", &rules.rule, message);
            }
            return true;
        }
        let refused = self.deny_if(rules);
        let unmet = self.require(rules);
        let no_quota = self.limits(&rules.limits);
        refused || unmet || no_quota
    }

    fn deny_if(&mut self, rules: &ToolRules) -> bool {
        for clause in &rules.deny_if {
            self.conditions(clause);
            if is_contradictory(&clause.singles().collect::<Vec<_>>()) {
                let message = "these conditions exclude one another, so that the rule never matches";
                self.warn("never_matches", &clause.rule, message);
            }
            for condition in clause.singles() {
                if let Test::Eq(Literal::Text(_, Some(_))) = &condition.test {
                    self.compares_bytes(clause, condition);
                }
            }
        }
        let Some(always) = rules.deny_if.iter().position(|clause| clause.conditions.is_empty()) else { return false };
        let by = rules.deny_if.get(always).map_or("", |clause| clause.rule.as_str());
        let message = format!("`{by}` refuses every call, so that this is never reached");
        let later = rules.deny_if.iter().skip(always + 1).chain(&rules.require).map(|clause| clause.rule.as_str());
        for rule in later.chain(rules.limits.iter().map(|limit| limit.rule.as_str())) {
            self.warn("never_reached", rule, &message);
        }
        true
    }

    fn require(&mut self, rules: &ToolRules) -> bool {
        let mut never_holds = false;
        for clause in &rules.require {
            self.conditions(clause);
            if clause.conditions.is_empty() {
                self.warn("requires_nothing", &clause.rule, "an empty list of conditions always holds");
            }
            if is_contradictory(&clause.singles().collect::<Vec<_>>()) {
                never_holds = true;
                self.warn("never_holds", &clause.rule, "this can never hold, so that every call is denied");
            }
            for condition in clause.singles() {
                match &condition.test {
                    Test::Regex(regex) if !is_anchored(regex.as_str()) => {
                        let message = format!(
                            "the pattern may match any part of `{}`: write `^…$` to require it of the whole",
                            condition.path.text()
                        );
                        self.warn("unanchored_regex", &clause.rule, &message);
                    }
                    Test::Neq(Literal::Text(_, Some(_))) => self.compares_bytes(clause, condition),
                    _ => {}
                }
            }
        }
        let together: Vec<&Condition> = rules.require.iter().flat_map(Clause::singles).collect();
        if !never_holds && is_contradictory(&together) {
            let first = rules.require.first().map_or("", |clause| clause.rule.as_str());
            let message = "the requirements exclude one another, so that every call is denied";
            self.warn("never_holds", first.strip_suffix("/0").unwrap_or(first), message);
            never_holds = true;
        }
        never_holds
    }

    fn conditions(&mut self, clause: &Clause) {
        for condition in clause.singles() {
            match &condition.test {
                Test::NotIn(list) if list.is_empty() => {
                    self.warn("empty_list", &clause.rule, "`not_in` an empty list is true of every value");
                }
                Test::In(list) if list.is_empty() => {
                    self.warn("empty_list", &clause.rule, "`in` an empty list is true of no value");
                }
                _ => {}
            }
        }
    }

    /// A refusal of one spelling of a number lets its other spellings through.
    fn compares_bytes(&mut self, clause: &Clause, condition: &Condition) {
        let message = format!(
            "a string in quotes is compared with `{}` byte by byte, so that another spelling of the same number \
             passes: write the number without quotes",
            condition.path.text()
        );
        self.warn("decimal_compared_as_text", &clause.rule, &message);
    }

    /// Looks at limits, and returns whether one of them lets nothing through.
    fn limits(&mut self, limits: &[LimitUse]) -> bool {
        let mut nothing_passes = false;
        for limit in limits {
            let zero = self.policy.counters().get(limit.counter).is_some_and(|spec| spec.measure.max() == 0);
            if zero {
                self.warn("limit_of_zero", &limit.rule, "a limit of 0 denies every call");
                nothing_passes = true;
            }
        }
        nothing_passes
    }
}

/// Whether no call can make all of `conditions` true. Says no when in doubt.
fn is_contradictory(conditions: &[&Condition]) -> bool {
    let mut by_path: IndexMap<&str, Vec<&Test>> = IndexMap::new();
    // What is asked only of a present argument excludes nothing where it holds of an absent one.
    for condition in conditions.iter().filter(|condition| condition.absent != Some(Truth::True)) {
        by_path.entry(condition.path.text()).or_default().push(&condition.test);
    }
    by_path.values().any(|tests| absent(tests) || empty_range(tests) || no_candidate(tests))
}

/// An argument that must be absent, and present or compared with something.
fn absent(tests: &[&Test]) -> bool {
    tests.iter().any(|test| matches!(test, Test::Exists(false)))
        && tests.iter().any(|test| !matches!(test, Test::Exists(false)))
}

/// Bounds with nothing between them.
fn empty_range(tests: &[&Test]) -> bool {
    let bounds = |wanted: [Comparison; 2]| {
        tests.iter().filter_map(move |test| match test {
            Test::Compare(comparison, bound) if wanted.contains(comparison) => Some((*bound, *comparison)),
            _ => None,
        })
    };
    bounds([Comparison::Gt, Comparison::Gte]).any(|(low, above)| {
        bounds([Comparison::Lt, Comparison::Lte])
            .any(|(high, below)| low > high || (low == high && (above, below) != (Comparison::Gte, Comparison::Lte)))
    })
}

/// An `eq` or `in` none of whose values passes the other tests.
fn no_candidate(tests: &[&Test]) -> bool {
    tests.iter().any(|test| {
        let candidates = match test {
            Test::Eq(literal) => std::slice::from_ref(literal),
            Test::In(literals) => literals.as_slice(),
            _ => return false,
        };
        !candidates.iter().any(|candidate| may_pass(candidate, tests))
    })
}

fn may_pass(candidate: &Literal, tests: &[&Test]) -> bool {
    let spellings = match candidate {
        Literal::Null => vec![Value::Null],
        Literal::Bool(value) => vec![Value::from(*value)],
        Literal::Text(text, None) => vec![Value::from(text.as_str())],
        Literal::Text(text, Some(number)) => {
            let mut spellings = numeric(*number);
            spellings.push(Value::from(text.as_str()));
            spellings
        }
        Literal::Number(number) => numeric(*number),
    };
    let numeric = matches!(candidate, Literal::Number(_) | Literal::Text(_, Some(_)));
    tests.iter().any(|test| numeric && matches!(test, Test::Regex(_) | Test::Contains(_)))
        || tests.iter().any(|test| matches!(test, Test::CompareWith(..) | Test::Apart(..)))
        || spellings
            .iter()
            .any(|value| tests.iter().all(|test| test.judge(Operand::Value(value), Seam::default()) == Truth::True))
}

/// A number as an argument could carry it: as a string, and as a JSON number.
fn numeric(number: Decimal) -> Vec<Value> {
    let text = decimal::text(number);
    let json = serde_json::from_str(&text).ok();
    std::iter::once(Value::from(text)).chain(json).collect()
}

/// Whether a pattern is plainly one that must match the whole text. Says no when in doubt.
fn is_anchored(pattern: &str) -> bool {
    let opens = pattern.starts_with('^') || pattern.starts_with("\\A");
    let closes = pattern.ends_with("\\z") || (pattern.ends_with('$') && !pattern.ends_with("\\$"));
    opens && closes && !has_open_alternative(pattern) && !pattern.contains("(?m")
}

/// Whether a `|` stands outside every group and class, so that the anchors belong to one branch only.
fn has_open_alternative(pattern: &str) -> bool {
    let (mut groups, mut in_class, mut escaped) = (0_usize, false, false);
    for character in pattern.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => groups += 1,
            ')' if !in_class => groups = groups.saturating_sub(1),
            '|' if !in_class && groups == 0 => return true,
            _ => {}
        }
    }
    false
}
