//! Limits that several gateways share.
//!
//! ```text
//!  call ─▶ own guard ─▶ Held ─▶ shared store: one script ─▶ own disk ─▶ audit ─▶ server
//!                 └ denied        └ no room, or no answer: the own charge is given back, denied
//! ```
//!
//! The own guard judges first, so that a call that it refuses costs the store nothing. What it lets through waits
//! outside the lock for the store, which checks every limit and charges all or nothing in one step, by its own clock.
//! Without an answer in time nothing passes.

#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use mcp_policy::{Due, Policy};

#[cfg(feature = "redis")]
pub use redis::{BadRedis, RedisLimits};

/// A store in which several gateways count. What it does is done outside of any lock.
pub trait SharedLimits: fmt::Debug + Send + Sync {
    /// Checks that there is room for everything that a call to `server` owes, and charges all of it or nothing.
    fn charge(&self, server: &str, dues: Arc<[Due]>) -> Asking<Result<Charge, SharedError>>;

    /// Takes back what a call was charged that never left. Should this fail, it stays charged.
    fn refund(&self, server: &str, dues: Arc<[Due]>, at_ms: Vec<u64>) -> Asking<Result<(), SharedError>>;
}

/// A question on its way to a store.
pub type Asking<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a store has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// Everything was charged, each due at this time of the store's clock; 0 for one in shadow that had no room, and that
    /// is not charged.
    Made {
        /// In the order of the dues.
        at_ms: Vec<u64>,
    },
    /// Nothing was charged, for want of room.
    NoRoom {
        /// The first due that there is no room for.
        position: usize,
        /// After how long there is for all of them. `None` if never.
        retry_after_ms: Option<u64>,
    },
}

/// Why a store has done nothing, or nobody knows what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// It cannot be reached, does not answer in time, or refuses. What it was asked to charge may be charged.
    #[error("the shared store cannot be asked: {0}")]
    Unavailable(String),
    /// What it holds under a key of ours is none of ours.
    #[error("the shared store is damaged: {0}")]
    Damaged(String),
}

impl SharedError {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "shared_store_unavailable",
            Self::Damaged(_) => "shared_store_damaged",
        }
    }

    pub(crate) fn message(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "the limits that gateways share cannot be asked, so the call was not made",
            Self::Damaged(_) => "the limits that gateways share cannot be read, so the call was not made",
        }
    }
}

/// A policy with rules that each gateway would judge by what itself has seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "gateways with a shared store share limits alone, and of these rules each would know only its own calls: {}; \
     remove them, or run one gateway without a shared store",
    .0.join(", ")
)]
pub struct Unshared(Vec<String>);

/// Whether several gateways that share limits can hold all rules of `policy`.
///
/// # Errors
/// The rules that they cannot.
pub fn check_shared(policy: &Policy) -> Result<(), Unshared> {
    let rules = policy.unshared_rules();
    if rules.is_empty() { Ok(()) } else { Err(Unshared(rules.into_iter().map(str::to_owned).collect())) }
}
