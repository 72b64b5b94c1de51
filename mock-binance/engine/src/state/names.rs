//! Client order ids: kept once, found by hash.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::ids::{AccountId, ClientOrderId, SymbolId};
use crate::state::Slot;

/// A kept name, or none when the order goes by its generated one.
pub(crate) type NameId = Option<NonZeroU32>;

/// The most that one name takes, with its length, and some to spare.
const NAME_BYTES_MAX: usize = 64;

/// The names that clients gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// All names one after another, each after its length: names are mostly shorter than the longest.
    bytes: Vec<u8>,
    /// Orders by the hash of account, symbol and name, the latest of a hash last. Whoever looks up compares the
    /// names themselves: a hash may be shared.
    index: BTreeSet<(u32, Slot)>,
}

impl Names {
    pub(super) fn add(
        &mut self,
        account: AccountId,
        symbol: SymbolId,
        name: &ClientOrderId,
        order: Slot,
    ) -> Option<NonZeroU32> {
        let text = name.as_str().as_bytes();
        // One more than the place, so that it is never zero.
        let id = NonZeroU32::new(u32::try_from(self.bytes.len()).ok()?.checked_add(1)?)?;
        self.bytes.push(u8::try_from(text.len()).ok()?);
        self.bytes.extend_from_slice(text);
        self.index.insert((hash(account, symbol, name), order));
        Some(id)
    }

    pub(crate) fn get(&self, id: NonZeroU32) -> Option<ClientOrderId> {
        let place = usize::try_from(id.get() - 1).ok()?;
        let (len, rest) = self.bytes.get(place..)?.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*len))?).ok()?.parse().ok()
    }

    /// Whether this kept name is that one.
    pub(crate) fn is(&self, id: NonZeroU32, name: &ClientOrderId) -> bool {
        let text = name.as_str().as_bytes();
        let kept = usize::try_from(id.get() - 1).ok().and_then(|place| self.bytes.get(place..)?.split_first());
        kept.is_some_and(|(len, rest)| usize::from(*len) == text.len() && rest.starts_with(text))
    }

    /// Whether there is no room for one more name.
    pub(crate) fn is_full(&self) -> bool {
        u32::try_from(self.bytes.len().saturating_add(NAME_BYTES_MAX)).is_err()
    }

    /// Orders that may have this name, the latest first.
    pub(crate) fn candidates(
        &self,
        account: AccountId,
        symbol: SymbolId,
        name: &ClientOrderId,
    ) -> impl Iterator<Item = Slot> + '_ {
        let hash = hash(account, symbol, name);
        self.index.range((hash, Slot(0))..=(hash, Slot(u32::MAX))).rev().map(|(_, order)| *order)
    }
}

/// FNV-1a, folded to 32 bits.
fn hash(account: AccountId, symbol: SymbolId, name: &ClientOrderId) -> u32 {
    let place = account.0.to_le_bytes().into_iter().chain(symbol.0.to_le_bytes());
    let hash = place
        .chain(name.as_str().bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}
