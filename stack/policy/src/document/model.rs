//! A policy, compiled: every name looked up once, every pattern built, every pointer written out.

use std::sync::Arc;

use indexmap::IndexSet;

use super::handling::{self, Handling};
use super::sequences::Assets;
use super::warn::Warning;
use crate::arguments::Mentions;
use crate::breakers::Breaker;
use crate::canonical_json;
use crate::condition::{Condition, Subject};
use crate::facts::{References, ToolFacts};
use crate::methods::MethodRules;
use crate::own_keys::OwnMap;
use crate::prices::Live;
use crate::sequence::{Proof, Sequence};
use crate::strict::{self, Place};
use crate::term::Term;
use crate::window::Measure;

/// A policy document that was read and found valid.
#[derive(Debug)]
pub struct Policy {
    pub(super) default: Default,
    pub(super) hides_all: bool,
    /// How the names of tools begin that are hidden without being named.
    pub(super) hidden_prefixes: Vec<String>,
    pub(super) names: OwnMap<Named>,
    /// The names of `names`, folded: what a lenient server could take a name for.
    pub(super) folded: IndexSet<String>,
    pub(super) safety_tools: IndexSet<String>,
    /// What passes beside calls of tools, if the document says so.
    pub(crate) methods: Option<MethodRules>,
    /// Whether nothing is enforced.
    pub(super) shadow: bool,
    pub(super) assets: Assets,
    /// Whether what went before is asked for anywhere.
    pub(super) tracks: bool,
    pub(super) ratios: Arc<[u64]>,
    pub(super) breakers: Vec<Breaker>,
    pub(super) all_tools_breakers: Vec<usize>,
    pub(super) all_tools: Vec<LimitUse>,
    pub(super) counters: Vec<CounterSpec>,
    pub(super) default_rule: Arc<str>,
    pub(super) warnings: Vec<Warning>,
    pub(super) parts: Vec<(String, String)>,
    /// Only in version "2".
    pub(super) references: Arc<References>,
}

/// What becomes of tools that are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    Allow,
    Deny,
}

/// What a document says of a name.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) hidden: bool,
    pub(crate) rules: Option<ToolRules>,
}

/// An entry under `tools`.
#[derive(Debug)]
pub(crate) struct ToolRules {
    /// Its own pointer.
    pub(crate) rule: Arc<str>,
    pub(crate) action: Action,
    pub(crate) mentions: Mentions,
    /// The arguments that the tool has and the facts that they come to. Only in version "2".
    pub(crate) facts: Option<Arc<ToolFacts>>,
    pub(crate) deny_if: Vec<Clause>,
    /// Only in version "2".
    pub(crate) approve_if: Vec<Clause>,
    pub(crate) require: Vec<Clause>,
    /// Without those that `all_tools` charges already.
    pub(crate) limits: Vec<LimitUse>,
    pub(crate) sequence: Option<Box<Sequence>>,
    /// What a call of this tool proves to others that require it before.
    pub(crate) proves: Vec<Arc<Proof>>,
    /// Indexes among the policy's breakers.
    pub(crate) breakers: Vec<usize>,
    /// What a gateway does with calls and results beside letting them through.
    pub(crate) handling: Handling,
}

/// What to do with a call that no rule refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny(Reasoned),
    RequireApproval(Reasoned),
}

/// An action's pointer and its `reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reasoned {
    pub(crate) rule: String,
    pub(crate) reason: Option<String>,
}

/// Conditions, all of which must be true, in `deny_if` or `require`.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) rule: String,
    pub(crate) conditions: Vec<Term>,
    pub(crate) on_deny: Option<String>,
    pub(crate) shadow: bool,
}

impl Clause {
    /// Those of its conditions that must be true each by itself.
    pub(crate) fn singles(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.iter().filter_map(|term| match term {
            Term::One(condition) => Some(condition),
            Term::All(..) | Term::Any(..) | Term::Not(_) => None,
        })
    }
}

/// A place in the document that charges a counter.
#[derive(Debug)]
pub(crate) struct LimitUse {
    pub(crate) rule: String,
    /// Its index among the policy's counters.
    pub(crate) counter: usize,
    /// What is charged; one for each call if it is not given.
    pub(crate) of: Option<Subject>,
    /// What is counted apart from one another.
    pub(crate) each: Option<Each>,
    pub(crate) on_deny: Option<String>,
    pub(crate) shadow: bool,
}

/// What a limit counts apart from one another.
#[derive(Debug)]
pub(crate) enum Each {
    /// Calls of one tool with the same arguments.
    Arguments,
    /// Calls in which this is the same.
    Subject(Subject),
}

impl Each {
    /// As the document writes it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Arguments => "arguments",
            Self::Subject(subject) => subject.text(),
        }
    }
}

impl LimitUse {
    /// What it speaks of.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        let each = match &self.each {
            Some(Each::Subject(subject)) => Some(subject),
            Some(Each::Arguments) | None => None,
        };
        self.of.iter().chain(each)
    }
}

/// What a counter counts and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CounterSpec {
    /// Where the document first speaks of it.
    pub(crate) rule: String,
    pub(crate) measure: Measure,
    pub(crate) scope: Scope,
    /// What it counts, as the document writes it, if not calls.
    pub(crate) of: Option<String>,
    /// What it counts apart from one another, as the document writes it.
    pub(crate) each: Option<String>,
    /// The window as people say it.
    pub(crate) per: String,
    /// Its name; where it has none, what it is by its place.
    pub(crate) name: String,
}

impl CounterSpec {
    /// What tells it from all others, in this document and in another: whatever counts the same has the same.
    pub(crate) fn identity(&self) -> String {
        // As JSON, so that no name can look like two parts.
        let parts = [
            self.name.as_str(),
            self.scope.name(),
            self.of.as_deref().unwrap_or_default(),
            self.each.as_deref().unwrap_or_default(),
        ];
        canonical_json(&parts.into_iter().collect())
    }
}

/// Whom a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Grant,
    Session,
    /// All calls of all grants.
    Server,
    /// The same, of all servers that share a store.
    Organisation,
}

impl Scope {
    /// Its name in documents and in what outlives them.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Session => "session",
            Self::Server => "server",
            Self::Organisation => "organisation",
        }
    }

    /// Whether each grant counts for itself.
    pub(crate) const fn by_grant(self) -> bool {
        matches!(self, Self::Grant | Self::Session)
    }
}

/// What a policy says of one tool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standing<'p> {
    Hidden(Option<&'p ToolRules>),
    Listed(&'p ToolRules),
    /// Not named, and `default` is `allow`.
    Free,
    /// Not named, and `default` is `deny`.
    Unlisted,
    /// Not named, but a lenient server could take the name for one that is, and `default` is `allow`.
    Lookalike,
}

impl Policy {
    /// What the document says in vain, in the order of the text.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The same policy with its warnings at other places: `place` is asked for each by its pointer and its place in the
    /// JSON. For whoever turned another notation into that.
    #[must_use]
    pub fn placed(self, place: impl Fn(&str, Place) -> Place) -> Self {
        let mut warnings: Vec<Warning> = self.warnings.into_iter().map(|warning| warning.placed(&place)).collect();
        warnings.sort_by_key(Warning::place);
        Self { warnings, ..self }
    }

    /// The parts that the document includes, in the order in which they were loaded: the path below its folder, and
    /// the text. Whoever digests a document digests them too.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Whether the values of results matter to what it says later: whose an order is, or what a price.
    pub fn learns_from_results(&self) -> bool {
        self.tracks() || self.has_live_references()
    }

    /// Whether reference prices are told while calls are judged.
    pub fn has_live_references(&self) -> bool {
        self.live().is_some()
    }

    /// How reference prices are told, if they are.
    pub(crate) fn live(&self) -> Option<(&References, &Live)> {
        self.references.live.get().map(|live| (&*self.references, live))
    }

    pub(crate) fn standing(&self, tool: &str) -> Standing<'_> {
        let named = self.names.get(tool);
        let rules = named.and_then(|named| named.rules.as_ref());
        let hidden = match named {
            Some(named) => named.hidden,
            None => self.hidden_prefixes.iter().any(|prefix| tool.starts_with(prefix.as_str())),
        };
        if self.hides_all || hidden {
            return Standing::Hidden(rules);
        }
        match (rules, self.default) {
            (Some(rules), _) => Standing::Listed(rules),
            (None, Default::Deny) => Standing::Unlisted,
            (None, Default::Allow) if self.folded.contains(&lenient(tool)) => Standing::Lookalike,
            (None, Default::Allow) => Standing::Free,
        }
    }

    /// The rules of every entry, in the order of the names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &ToolRules> {
        self.names.values().filter_map(|named| named.rules.as_ref())
    }

    /// The rules of a tool that is listed.
    pub(crate) fn rules(&self, tool: &str) -> Option<&ToolRules> {
        self.names.get(tool).and_then(|named| named.rules.as_ref())
    }

    /// Whether the tool may be called while the kill switch is on.
    pub(crate) fn is_safety_tool(&self, tool: &str) -> bool {
        self.safety_tools.contains(tool)
    }

    /// Whether the whole policy is judged and not enforced.
    pub(crate) fn is_in_shadow(&self) -> bool {
        self.shadow
    }

    /// Whether any rule asks what went before, so that orders and listen keys are followed.
    pub(crate) fn tracks(&self) -> bool {
        self.tracks
    }

    /// The lengths of the windows in which cancels are set against trades, in milliseconds.
    pub(crate) fn ratios(&self) -> Arc<[u64]> {
        Arc::clone(&self.ratios)
    }

    /// What a symbol trades.
    pub(crate) fn asset(&self, symbol: &str) -> Option<&Arc<str>> {
        self.assets.get(symbol)
    }

    pub(crate) fn breakers(&self) -> &[Breaker] {
        &self.breakers
    }

    /// The breakers that apply to calls of a tool with these rules: those of all tools first.
    pub(crate) fn applying<'p>(&'p self, rules: Option<&'p ToolRules>) -> impl Iterator<Item = usize> + Clone + 'p {
        let own: &[usize] = rules.map_or(&[], |rules| &rules.breakers);
        self.all_tools_breakers.iter().chain(own).copied()
    }

    /// What a gateway does with the tool's calls and results beside letting them through.
    pub fn handling(&self, tool: &str) -> &Handling {
        let rules = self.names.get(tool).and_then(|named| named.rules.as_ref());
        rules.map_or(&handling::NOTHING, |rules| &rules.handling)
    }

    pub(crate) fn counters(&self) -> &[CounterSpec] {
        &self.counters
    }

    pub(crate) fn all_tools(&self) -> &[LimitUse] {
        &self.all_tools
    }

    pub(crate) fn default_rule(&self) -> &Arc<str> {
        &self.default_rule
    }
}

/// What a server that trims and folds would make of a name.
pub(super) fn lenient(tool: &str) -> String {
    strict::fold(tool.trim_matches(|character: char| character.is_whitespace() || character.is_control()))
}
