//! Tables whose keys are the policy's own.
//!
//! Looking up is most of what judging a call costs, and the standard hash guards against keys that somebody chose to
//! fall together. Nobody but the author of the policy chooses these: a caller only looks up.

use std::hash::{BuildHasherDefault, Hasher};

/// A map by names of the policy.
pub(crate) type OwnMap<V> = indexmap::IndexMap<String, V, BuildHasherDefault<Fnv>>;

/// A set of names of the policy.
pub(crate) type OwnSet = indexmap::IndexSet<String, BuildHasherDefault<Fnv>>;

/// FNV-1a.
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
