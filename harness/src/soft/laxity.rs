//! The names of what the naive server gets wrong.

use std::collections::BTreeSet;

/// One thing that some real server gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Laxity {
    /// The last of several equal keys wins (`JSON.parse`). Off: a duplicate key is undecodable.
    LastDuplicateWins,
    /// Keys of the envelope and of `params` match whatever their case, folding `ſ` and the Kelvin sign as well, and
    /// the last one wins (Go's `encoding/json`, CVE-2026-27896).
    CaseInsensitiveKeys,
    /// A key ends at its first U+0000 (GO-2026-4770).
    NulEndsKey,
    /// A byte order mark before the frame is dropped (`TextDecoder`).
    ByteOrderMarkStripped,
    /// Bytes that are not UTF-8 become U+FFFD (`Buffer.toString`).
    InvalidUtf8Replaced,
    /// `1e400` is read as infinity (`JSON.parse`).
    HugeNumbersAreInfinite,
    /// An escaped half of a surrogate pair is read as U+FFFD.
    LoneSurrogatesReplaced,
    /// Nesting has no limit (V8's parser does not recurse).
    UnboundedNesting,
    /// Several JSON values on one line are handled one after the other (streaming decoders).
    ManyValuesPerLine,
    /// What follows a complete value is ignored when it cannot be read.
    TrailingBytesIgnored,
    /// A batch is processed element by element (SDKs of the 2025-03-26 revision).
    Batches,
    /// A call without an id is carried out and merely not answered.
    CallsWithoutId,
    /// A tool's name may have blanks around it, another case, or a server's prefix (`binance/bn_ping`).
    LooseToolNames,
    /// `arguments` may be an array, which is spread like an object (`{...args}`).
    ArrayArguments,
    /// Any value is made text: an array is joined by commas, an object is `[object Object]` (`String(value)`).
    AnythingIsText,
    /// Arguments that no schema declares are spread into the signed query.
    UndeclaredArguments,
    /// `&` and `=` in a value go into the query as they are, as in one that was put together by hand.
    SeparatorsUnescaped,
    /// `BINANCE_API_KEY` and `BINANCE_SECRET_KEY` among the arguments replace the server's own.
    CredentialsFromArguments,
}

impl Laxity {
    /// Every laxity there is.
    pub const ALL: [Self; 18] = [
        Self::LastDuplicateWins,
        Self::CaseInsensitiveKeys,
        Self::NulEndsKey,
        Self::ByteOrderMarkStripped,
        Self::InvalidUtf8Replaced,
        Self::HugeNumbersAreInfinite,
        Self::LoneSurrogatesReplaced,
        Self::UnboundedNesting,
        Self::ManyValuesPerLine,
        Self::TrailingBytesIgnored,
        Self::Batches,
        Self::CallsWithoutId,
        Self::LooseToolNames,
        Self::ArrayArguments,
        Self::AnythingIsText,
        Self::UndeclaredArguments,
        Self::SeparatorsUnescaped,
        Self::CredentialsFromArguments,
    ];
}

/// The set of laxities that a server has. The default is all of them: the union of what real servers get wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laxities(BTreeSet<Laxity>);

impl Default for Laxities {
    fn default() -> Self {
        Self(Laxity::ALL.into_iter().collect())
    }
}

impl Laxities {
    /// A server without a single laxity.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// The same set without one of them.
    #[must_use]
    pub fn without(mut self, laxity: Laxity) -> Self {
        self.0.remove(&laxity);
        self
    }

    /// The same set with one more.
    #[must_use]
    pub fn with(mut self, laxity: Laxity) -> Self {
        self.0.insert(laxity);
        self
    }

    /// Whether the set holds this laxity.
    pub fn has(&self, laxity: Laxity) -> bool {
        self.0.contains(&laxity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_every_laxity_once() {
        let set: BTreeSet<_> = Laxity::ALL.into_iter().collect();
        assert_eq!(set.len(), Laxity::ALL.len());
        assert!(Laxity::ALL.iter().all(|&one| Laxities::default().has(one)));
        assert!(Laxity::ALL.iter().all(|&one| !Laxities::default().without(one).has(one)));
    }
}
