//! Client order ids: kept once, found by hash.
//!
//! ```text
//! index: (hash, order)          pages: number -> bytes: len name len name ...
//! id of a name: its page's number and its place in the page
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use crate::ids::{AccountId, ClientOrderId, SymbolId};
use crate::state::Slot;

/// A kept name, or none when the order goes by its generated one.
pub(crate) type NameId = Option<NonZeroU32>;

/// Room for a page's names. Small, because one name that is kept keeps its page.
const PAGE_BYTES: usize = 1 << 9;
/// As many pages as an id can tell apart, since it is one more than a place.
const PAGES_MAX: u32 = (1 << 23) - 1;

/// The names that clients gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// Names one after another, each after its length: they are mostly shorter than the longest.
    pages: BTreeMap<u32, Vec<u8>>,
    /// The number of the page that is written to.
    page: u32,
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
        let has_room = |page: &Vec<u8>| page.len() + text.len() < PAGE_BYTES;
        if self.pages.get(&self.page).is_some_and(|page| !has_room(page)) {
            // Numbers go round, and pass over the pages that are still kept.
            let mut numbers = (self.page + 1..PAGES_MAX).chain(0..self.page);
            self.page = numbers.find(|number| !self.pages.contains_key(number))?;
        }
        let page = self.pages.entry(self.page).or_insert_with(|| Vec::with_capacity(PAGE_BYTES));
        let place = usize::try_from(self.page).ok()? * PAGE_BYTES + page.len();
        page.push(u8::try_from(text.len()).ok()?);
        page.extend_from_slice(text);
        self.index.insert((hash(account, symbol, name), order));
        // One more than the place, so that it is never zero.
        NonZeroU32::new(u32::try_from(place).ok()?.checked_add(1)?)
    }

    /// What starts with the length of a name.
    fn at(&self, id: NonZeroU32) -> Option<&[u8]> {
        let place = usize::try_from(id.get() - 1).ok()?;
        self.pages.get(&page_of(id))?.get(place % PAGE_BYTES..)
    }

    pub(crate) fn get(&self, id: NonZeroU32) -> Option<ClientOrderId> {
        let (len, rest) = self.at(id)?.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*len))?).ok()?.parse().ok()
    }

    /// Whether this kept name is that one.
    pub(crate) fn is(&self, id: NonZeroU32, name: &ClientOrderId) -> bool {
        let text = name.as_str().as_bytes();
        let kept = self.at(id).and_then(|bytes| bytes.split_first());
        kept.is_some_and(|(len, rest)| usize::from(*len) == text.len() && rest.starts_with(text))
    }

    /// Whether there is no room for one more name.
    pub(crate) fn is_full(&self) -> bool {
        self.pages.len() as u64 >= u64::from(PAGES_MAX)
    }

    /// Forgets the names of orders that are not known any more. `name` tells the name that a known order goes by.
    pub(super) fn forget(&mut self, name: impl Fn(Slot) -> Option<NameId>) {
        let mut used = BTreeSet::from([self.page]);
        self.index.retain(|(_, order)| {
            let known = name(*order);
            used.extend(known.flatten().map(page_of));
            known.is_some()
        });
        self.pages.retain(|number, _| used.contains(number));
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

/// The number of the page that holds a name.
fn page_of(id: NonZeroU32) -> u32 {
    (id.get() - 1) >> PAGE_BYTES.trailing_zeros()
}

/// FNV-1a, folded to 32 bits.
fn hash(account: AccountId, symbol: SymbolId, name: &ClientOrderId) -> u32 {
    let place = account.0.to_le_bytes().into_iter().chain(symbol.0.to_le_bytes());
    let hash = place
        .chain(name.as_str().bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId(1);
    const SYMBOL: SymbolId = SymbolId(0);

    fn name_of(order: u32) -> ClientOrderId {
        format!("order-{order}").parse().unwrap()
    }

    fn found(names: &Names, order: u32) -> Vec<Slot> {
        names.candidates(ACCOUNT, SYMBOL, &name_of(order)).collect()
    }

    #[test]
    fn names_of_known_orders_stay_and_the_others_take_no_room() {
        let mut names = Names::default();
        let mut ids = BTreeMap::new();
        let known = |order: u32, now: u32| order.is_multiple_of(10_000) || order + 3_000 > now;
        for order in 0..100_000 {
            ids.insert(order, names.add(ACCOUNT, SYMBOL, &name_of(order), Slot(order)).unwrap());
            if order % 2_000 == 0 {
                names.forget(|slot| known(slot.0, order).then(|| ids.get(&slot.0).copied()));
            }
        }
        let now = 99_000;
        names.forget(|slot| known(slot.0, now).then(|| ids.get(&slot.0).copied()));
        for (order, id) in &ids {
            assert_eq!(found(&names, *order).contains(&Slot(*order)), known(*order, now), "{order}");
            if known(*order, now) {
                assert_eq!(names.get(*id), Some(name_of(*order)));
                assert!(names.is(*id, &name_of(*order)) && !names.is(*id, &name_of(order + 1)));
            }
        }
        // Some 42 names a page, and a page each for the ten that stayed.
        assert!(names.pages.len() <= 4_000 / 42 + 12, "{} pages", names.pages.len());
        assert_eq!(names.index.len(), ids.keys().filter(|order| known(**order, now)).count());
    }

    #[test]
    fn numbers_of_pages_go_round_and_pass_over_kept_ones() {
        let mut names = Names { page: PAGES_MAX - 2, ..Names::default() };
        let first = names.add(ACCOUNT, SYMBOL, &name_of(0), Slot(0)).unwrap();
        names.pages.insert(0, Vec::new());
        let mut numbers = Vec::new();
        for order in 1..200 {
            let id = names.add(ACCOUNT, SYMBOL, &name_of(order), Slot(order)).unwrap();
            assert_eq!(names.get(id), Some(name_of(order)));
            numbers.push(page_of(id));
        }
        numbers.dedup();
        assert_eq!(numbers.get(..4), Some([PAGES_MAX - 2, PAGES_MAX - 1, 1, 2].as_slice()));
        assert_eq!(names.get(first), Some(name_of(0)));
    }
}
