//! Which tools of a session are what was pinned.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::gateway::Gateway;
use crate::pins::Pinned;

/// More names are no listing of honest tools.
const REMEMBERED_MAX: usize = 10_000;

/// What was seen of the tools that a server listed in this session.
#[derive(Debug, Default)]
pub(super) struct Listed {
    fits: BTreeSet<String>,
    /// Why each of them is out, for as long as the session lasts: a server that shows one definition first and another
    /// later gains nothing by showing the first again.
    out: BTreeMap<String, &'static str>,
}

/// Whether a tool may be called, as far as pins go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    Pinned,
    /// Its definition is not the one that was pinned.
    Quarantined,
    /// Its definition was not seen since the server last said that it changes something.
    Unseen,
}

impl Listed {
    /// Looks at the definitions of one list; which of them may be shown.
    pub(super) fn look(&mut self, gateway: &Gateway, definitions: &[(String, Value)]) -> Vec<bool> {
        let Some(pins) = gateway.pins() else { return vec![true; definitions.len()] };
        let mut names = BTreeSet::new();
        for (name, definition) in definitions {
            let why = match pins.look(name, definition) {
                _ if !names.insert(name) => Some("twice"),
                Pinned::Fits => None,
                Pinned::Changed => Some("changed"),
                Pinned::New => Some("new"),
            };
            match why {
                None => drop(self.fits.insert(name.clone())),
                Some(why) => self.quarantine(gateway, name, why),
            }
        }
        definitions.iter().map(|(name, _)| self.trust(name) == Trust::Pinned).collect()
    }

    fn quarantine(&mut self, gateway: &Gateway, name: &str, why: &'static str) {
        self.fits.remove(name);
        // What is not remembered is unseen, and passes as little.
        if self.out.len() < REMEMBERED_MAX && self.out.insert(name.to_owned(), why).is_none() {
            tracing::warn!(tool = %crate::wire::text::shown(name), why, "a tool is not what was pinned: it is quarantined");
            gateway.record_event("tool_quarantined", &[("tool", name), ("why", why)]);
        }
    }

    /// The server says that its tools have changed.
    pub(super) fn changed(&mut self) {
        self.fits.clear();
    }

    pub(super) fn trust(&self, name: &str) -> Trust {
        if self.out.contains_key(name) {
            Trust::Quarantined
        } else if self.fits.contains(name) {
            Trust::Pinned
        } else {
            Trust::Unseen
        }
    }
}
