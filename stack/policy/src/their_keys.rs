//! Tables whose keys come from outside: grants, sessions, ids of orders.
//!
//! Somebody may choose such keys to fall together, so the hash is keyed by chance, anew in each process. It is a faster
//! one than the standard's, since every call looks up a dozen of them. Nothing is ever read in the order of the hash.

/// A map by keys that somebody else chose.
pub(crate) type TheirMap<K, V> = indexmap::IndexMap<K, V, ahash::RandomState>;
