//! The rules of a policy by their pointers, in the order in which they are asked.

use super::model::{Action, LimitUse, Policy, ToolRules};
use crate::sequence::Sequence;

impl Policy {
    /// Every rule that could refuse a call, each once: what a test of the policy should make refuse at least once. An
    /// entry of a pattern of names counts once for all the tools that it means.
    pub fn rules_told(&self) -> Vec<&str> {
        let mut told: Vec<&str> = Vec::new();
        let entries = self.names.values().filter_map(|named| named.rules.as_ref()).map(Some);
        for rule in std::iter::once(None).chain(entries).flat_map(|rules| self.rules_for(rules)) {
            if !told.contains(&rule) {
                told.push(rule);
            }
        }
        told
    }

    /// The limits, by their pointers, that count in one counter with the one at `limit`, and that one: the first is the
    /// one by which [`Charged`](crate::Charged) tells the counter. Empty when there is no such limit.
    pub fn sharing(&self, limit: &str) -> Vec<&str> {
        let entries = self.names.values().filter_map(|named| named.rules.as_ref());
        let all: Vec<&LimitUse> = self.all_tools.iter().chain(entries.flat_map(|rules| &rules.limits)).collect();
        let Some(counter) = all.iter().find(|of| of.rule == limit).map(|of| of.counter) else { return Vec::new() };
        let first = self.counters().get(counter).map(|spec| spec.rule.as_str());
        let mut sharing: Vec<&str> = first.into_iter().collect();
        for limit in all.iter().filter(|limit| limit.counter == counter) {
            if !sharing.contains(&limit.rule.as_str()) {
                sharing.push(&limit.rule);
            }
        }
        sharing
    }

    /// Those that are asked for a tool with these rules.
    pub(crate) fn rules_for<'p>(&'p self, rules: Option<&'p ToolRules>) -> impl Iterator<Item = &'p str> {
        let denies = rules.into_iter().filter_map(|rules| match &rules.action {
            Action::Deny(reasoned) => Some(reasoned.rule.as_str()),
            Action::Allow | Action::RequireApproval(_) => None,
        });
        let clauses = rules.into_iter().flat_map(|rules| {
            let deny = rules.deny_if.iter().chain(&rules.require);
            deny.chain(&rules.approve_if).map(|clause| clause.rule.as_str())
        });
        let sequence = rules.and_then(|rules| rules.sequence.as_deref());
        let sequence = sequence.into_iter().flat_map(Sequence::heads).map(|head| head.rule.as_str());
        let breakers = self.applying(rules).filter_map(|place| self.breakers.get(place));
        let breakers = breakers.map(|breaker| breaker.head.rule.as_str());
        let own: &[LimitUse] = rules.map_or(&[], |rules| &rules.limits);
        let limits = self.all_tools.iter().chain(own).map(|limit| limit.rule.as_str());
        let asks = rules.into_iter().filter_map(|rules| match &rules.action {
            Action::RequireApproval(reasoned) => Some(reasoned.rule.as_str()),
            Action::Allow | Action::Deny(_) => None,
        });
        denies.chain(clauses).chain(sequence).chain(breakers).chain(limits).chain(asks)
    }
}
