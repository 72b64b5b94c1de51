//! Messages of the protocol other than calls of tools: which of them pass.
//!
//! What a method means is nobody's business here. The crate knows their names, who may send each, and whether a policy
//! that says nothing of it lets it pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decision::{Denial, Reason};
use crate::docket::denial;
use crate::document::Policy;
use crate::guard::Guard;
use crate::precedence::halted;

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The client, which the agent speaks through.
    Client,
    /// The server that the policy stands before.
    Server,
}

/// What becomes of a message that no entry speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preset {
    /// It passes, and no entry may speak of it: without it there is no session, or it is ruled elsewhere.
    Always,
    /// It passes.
    Pass,
    /// It is denied.
    Deny,
}

/// A method that the language knows.
#[derive(Debug, Clone, Copy)]
struct Known {
    name: &'static str,
    by_client: bool,
    by_server: bool,
    preset: Preset,
    /// Whether a message of it names a prompt or a resource.
    names: bool,
}

const fn client(name: &'static str, preset: Preset) -> Known {
    Known { name, by_client: true, by_server: false, preset, names: false }
}

const fn server(name: &'static str, preset: Preset) -> Known {
    Known { name, by_client: false, by_server: true, preset, names: false }
}

const fn either(name: &'static str, preset: Preset) -> Known {
    Known { name, by_client: true, by_server: true, preset, names: false }
}

const fn naming(known: Known) -> Known {
    Known { names: true, ..known }
}

/// Every method, of all versions of the protocol that have it.
const KNOWN: [Known; 27] = [
    client("initialize", Preset::Always),
    client("server/discover", Preset::Always),
    either("ping", Preset::Always),
    client("notifications/initialized", Preset::Always),
    either("notifications/cancelled", Preset::Always),
    client("tools/list", Preset::Always),
    client("tools/call", Preset::Always),
    either("notifications/progress", Preset::Pass),
    server("notifications/message", Preset::Pass),
    server("notifications/tools/list_changed", Preset::Pass),
    client("resources/list", Preset::Deny),
    client("resources/templates/list", Preset::Deny),
    naming(client("resources/read", Preset::Deny)),
    naming(client("resources/subscribe", Preset::Deny)),
    naming(client("resources/unsubscribe", Preset::Deny)),
    server("notifications/resources/list_changed", Preset::Deny),
    naming(server("notifications/resources/updated", Preset::Deny)),
    client("prompts/list", Preset::Deny),
    naming(client("prompts/get", Preset::Deny)),
    server("notifications/prompts/list_changed", Preset::Deny),
    naming(client("completion/complete", Preset::Deny)),
    client("logging/setLevel", Preset::Deny),
    server("sampling/createMessage", Preset::Deny),
    server("elicitation/create", Preset::Deny),
    server("notifications/elicitation/complete", Preset::Deny),
    server("roots/list", Preset::Deny),
    client("notifications/roots/list_changed", Preset::Deny),
];

/// A message that is none of the calls of tools.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Who sends it.
    pub sender: Sender,
    /// Its method, as it was sent.
    pub method: &'a str,
    /// The prompt or the resource that it names, if it names one.
    pub names: Option<&'a str>,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passage {
    /// The policy has no `methods`, and rules nothing but tools.
    Unruled,
    /// It passes as a matter of course.
    Free,
    /// An entry lets it pass.
    Ruled {
        /// The entry's pointer.
        rule: Arc<str>,
        /// What a policy in shadow would have said of it.
        shadow: Option<Box<Denial>>,
    },
    /// It does not pass.
    Denied(Denial),
}

impl Passage {
    /// Whether it goes on.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Free | Self::Ruled { .. })
    }
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Allow,
    Deny,
    Hide,
}

/// An entry under `methods`.
#[derive(Debug)]
pub(crate) struct MethodRule {
    /// Its own pointer.
    pub(crate) rule: Arc<str>,
    pub(crate) word: Word,
    pub(crate) reason: Option<String>,
    pub(crate) only: Option<Only>,
}

/// The prompts or resources that an entry allows, and where it says so.
#[derive(Debug)]
pub(crate) struct Only {
    pub(crate) rule: String,
    pub(crate) names: Vec<String>,
    /// What is before the `*` of those that end in one.
    pub(crate) prefixes: Vec<String>,
}

impl Only {
    fn holds(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
            || self.prefixes.iter().any(|prefix| name.strip_prefix(prefix.as_str()).is_some_and(stays_below))
    }
}

/// Whether what follows a prefix cannot lead out of it: a server may resolve dots and decode escapes.
fn stays_below(rest: &str) -> bool {
    const ESCAPES: [&str; 4] = ["%25", "%2e", "%2f", "%5c"];
    let folded = rest.to_ascii_lowercase();
    !rest.contains("..")
        && !rest.contains('\\')
        && !rest.chars().any(char::is_control)
        && !ESCAPES.iter().any(|escape| folded.contains(escape))
}

/// The entries under `methods`, each method with the one that it gets.
#[derive(Debug, Default)]
pub(crate) struct MethodRules {
    pub(crate) by_name: BTreeMap<&'static str, Arc<MethodRule>>,
}

/// What a document may say of a name under `methods`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruled {
    /// An entry may speak of it; whether its messages name a prompt or a resource.
    By { names: bool },
    /// No entry may.
    Elsewhere,
}

/// The methods that a document may name, and those of which it may not speak.
pub(crate) fn vocabulary() -> impl Iterator<Item = (&'static str, Ruled)> {
    KNOWN.iter().map(|known| {
        let ruled = match known.preset {
            Preset::Always => Ruled::Elsewhere,
            Preset::Pass | Preset::Deny => Ruled::By { names: known.names },
        };
        (known.name, ruled)
    })
}

fn known(sender: Sender, method: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        known.name == method
            && match sender {
                Sender::Client => known.by_client,
                Sender::Server => known.by_server,
            }
    })
}

/// Every method that the language knows, with whoever may send it.
pub fn methods() -> impl Iterator<Item = (Sender, &'static str)> {
    KNOWN.iter().flat_map(|known| {
        let client = known.by_client.then_some((Sender::Client, known.name));
        client.into_iter().chain(known.by_server.then_some((Sender::Server, known.name)))
    })
}

/// Whether messages of this method pass under a policy that has no `methods`.
pub fn passes_unruled(sender: Sender, method: &str) -> bool {
    known(sender, method).is_some_and(|known| known.preset != Preset::Deny)
}

impl Policy {
    /// What the entries under `methods` name in `only`; of a pattern, a name that it means.
    pub fn named_by_methods(&self) -> Vec<String> {
        let rules = self.methods.iter().flat_map(|methods| methods.by_name.values());
        let only = rules.filter_map(|rule| rule.only.as_ref());
        let names = only
            .flat_map(|only| only.names.iter().cloned().chain(only.prefixes.iter().map(|prefix| format!("{prefix}x"))));
        names.collect()
    }
}

impl MethodRules {
    fn ask(&self, message: &Message<'_>, is_halted: bool) -> Passage {
        let Some(known) = known(message.sender, message.method) else {
            let words = "the policy knows no such method of this sender's";
            return Passage::Denied(denial(Reason::Unlisted, "(default deny)", words));
        };
        if known.preset == Preset::Always {
            return Passage::Free;
        }
        // News of what went before makes nobody do anything.
        if is_halted && known.preset == Preset::Deny {
            return Passage::Denied(halted());
        }
        let Some(entry) = self.by_name.get(known.name) else {
            return match known.preset {
                Preset::Always | Preset::Pass => Passage::Free,
                Preset::Deny => {
                    let words = format!("the policy does not list `{}` under `methods`", known.name);
                    Passage::Denied(denial(Reason::Unlisted, "(default deny)", &words))
                }
            };
        };
        let words = |own: &str| entry.reason.clone().unwrap_or_else(|| own.to_owned());
        match entry.word {
            Word::Hide => Passage::Denied(denial(Reason::Hidden, &entry.rule, &words("the policy hides this method"))),
            Word::Deny => {
                Passage::Denied(denial(Reason::ActionDenied, &entry.rule, &words("the policy denies this method")))
            }
            Word::Allow => match (&entry.only, message.names) {
                (Some(only), None) => {
                    let words = "it does not say what it is about, so nobody can tell whether that is allowed";
                    Passage::Denied(denial(Reason::Unevaluable, &only.rule, words))
                }
                (Some(only), Some(name)) if !only.holds(name) => {
                    let words = words("the policy allows others than the one that is named");
                    Passage::Denied(denial(Reason::RequireFailed, &only.rule, &words))
                }
                _ => Passage::Ruled { rule: entry.rule.clone(), shadow: None },
            },
        }
    }
}

impl Guard {
    /// Judges a message that is no call of a tool: by its entry under `methods`, the one with its exact name before the
    /// one with the longest pattern, then by the preset. Nothing is counted.
    pub fn judge_message(&self, message: &Message<'_>, is_halted: bool) -> Passage {
        let Some(policy) = self.policy() else { return Passage::Denied(Self::unruled()) };
        let Some(methods) = &policy.methods else { return Passage::Unruled };
        match methods.ask(message, is_halted) {
            Passage::Denied(denial)
                if policy.is_in_shadow()
                    && denial.reason != Reason::Halted
                    && known(message.sender, message.method).is_some() =>
            {
                Passage::Ruled { rule: "/shadow".into(), shadow: Some(Box::new(denial)) }
            }
            passage => passage,
        }
    }
}

impl Guard {
    /// Whether messages of this method pass, or could if they named the right thing; nothing if the policy has no
    /// `methods`. For whoever announces what there is.
    pub fn offers(&self, sender: Sender, method: &str) -> Option<bool> {
        let Some(policy) = self.policy() else { return Some(false) };
        let methods = policy.methods.as_ref()?;
        let Some(known) = known(sender, method) else { return Some(false) };
        let entry = methods.by_name.get(known.name);
        let listed = entry.map_or(known.preset != Preset::Deny, |entry| entry.word == Word::Allow);
        Some(listed || policy.is_in_shadow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_is_known_twice() {
        for (place, one) in KNOWN.iter().enumerate() {
            assert!(KNOWN.iter().skip(place + 1).all(|other| other.name != one.name), "{}", one.name);
            assert!(one.by_client || one.by_server, "{}", one.name);
        }
    }

    #[test]
    fn nothing_leads_out_of_a_prefix() {
        for rest in ["", "a.txt", "a/b.c", "%20x", "ü"] {
            assert!(stays_below(rest), "{rest}");
        }
        for rest in ["../x", "a/..", "%2E./x", "..%2fx", "%2Fetc", "a\\b", "%5Cx", "%252e", "a\0b", "a\nb"] {
            assert!(!stays_below(rest), "{rest}");
        }
    }
}
