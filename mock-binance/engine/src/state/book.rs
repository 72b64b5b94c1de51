//! One symbol's resting orders by price, and within a price by time.
//!
//! ```text
//! bids, asks: price -> head        head: { total, orders } <-> part: { orders } <-> part: { orders }
//! ```
//!
//! A level's queue is a list of parts, each of which is one line of a cache with a few orders; the first one is the
//! level itself. So joining and leaving cost the same however long the queue is, and most queues of a large book are
//! a single part: an order leaves it without its neighbours being looked for all over the memory. An order knows its
//! part. The book knows slots of orders; their quantities are kept with the orders.

use crate::command::Side;
use crate::event::BookLevel;
use crate::money::{Price, Quantity};
use crate::state::Slot;
use crate::state::prices::Prices;

/// A place in the slab of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartId(u32);

impl PartId {
    /// No part.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// Orders of a part.
const PART: usize = 7;

/// Some of the orders of a level that came one after another. Aligned to its size: one that lies across two lines of
/// a cache would be fetched twice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Part {
    /// What rests in the whole level, told by its head alone. Wider than a quantity: many cheap bids may sum up to
    /// more than one order can.
    total: i128,
    /// The head of the level, which may be this part.
    head: PartId,
    prev: PartId,
    next: PartId,
    /// The last part of the level, told by its head alone.
    last: PartId,
    /// The first `len` are in use. Only a head may be empty, and only while others follow.
    orders: [Slot; PART],
    len: u32,
}

const _: () = assert!(size_of::<Part>() == 64);

impl Part {
    const fn new(head: PartId, prev: PartId, last: PartId) -> Self {
        Self { total: 0, head, prev, next: PartId::NONE, last, orders: [Slot(0); PART], len: 0 }
    }

    fn orders(&self) -> &[Slot] {
        self.orders.get(..self.len as usize).unwrap_or_default()
    }

    const fn is_full(&self) -> bool {
        self.len as usize == PART
    }

    fn push(&mut self, order: Slot) -> Option<()> {
        *self.orders.get_mut(self.len as usize)? = order;
        self.len += 1;
        Some(())
    }

    fn take(&mut self, order: Slot) -> Option<()> {
        let place = self.orders().iter().position(|one| *one == order)?;
        self.orders.copy_within(place + 1..self.len as usize, place);
        self.len -= 1;
        // What is not in use is the same in equal books.
        *self.orders.get_mut(self.len as usize)? = Slot(0);
        Some(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Book {
    /// Every price is a multiple of so many units; at least one.
    tick: i64,
    /// By key, as the asks.
    bids: Prices,
    asks: Prices,
    parts: Vec<Part>,
    /// The first unused part; unused ones are linked by `next`.
    free: PartId,
    update_id: u64,
}

fn told(price: Price, head: &Part) -> BookLevel {
    BookLevel { price, quantity: i64::try_from(head.total).map_or(Quantity::MAX, Quantity::from_units) }
}

impl Book {
    /// An empty book, of prices that are multiples of this tick; a tick of zero is off.
    pub(super) fn new(tick: Price) -> Self {
        Self {
            tick: tick.units().max(1),
            bids: Prices::default(),
            asks: Prices::default(),
            parts: Vec::new(),
            free: PartId::NONE,
            update_id: 0,
        }
    }

    /// A price in ticks, with a sign that makes the best one the smallest. Nothing for a price between two ticks.
    fn key(&self, side: Side, price: Price) -> Option<i64> {
        let ticks = price.units().checked_div(self.tick)?;
        if ticks.wrapping_mul(self.tick) != price.units() {
            return None;
        }
        match side {
            Side::Buy => ticks.checked_neg(),
            Side::Sell => Some(ticks),
        }
    }

    const fn price(&self, side: Side, key: i64) -> Price {
        let units = key.wrapping_mul(self.tick);
        match side {
            Side::Buy => Price::from_units(units.wrapping_neg()),
            Side::Sell => Price::from_units(units),
        }
    }

    /// Counts changes, from 0.
    pub(crate) const fn update_id(&self) -> u64 {
        self.update_id
    }

    const fn side(&self, side: Side) -> &Prices {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut Prices {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    fn part(&self, id: PartId) -> Option<&Part> {
        self.parts.get(usize::try_from(id.0).ok()?)
    }

    fn part_mut(&mut self, id: PartId) -> Option<&mut Part> {
        self.parts.get_mut(usize::try_from(id.0).ok()?)
    }

    /// The best price of a side.
    pub(crate) fn best_price(&self, side: Side) -> Option<Price> {
        self.side(side).first().map(|(key, _)| self.price(side, key))
    }

    /// The best level of a side.
    pub(crate) fn best(&self, side: Side) -> Option<BookLevel> {
        let (key, head) = self.side(side).first()?;
        Some(told(self.price(side, key), self.part(PartId(head))?))
    }

    /// A side's levels, best first.
    pub(crate) fn depth(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        self.levels(side).map(|(price, head)| told(price, head))
    }

    /// A side's levels, best first, to look into.
    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, &Part)> + '_ {
        self.side(side).iter().filter_map(move |(key, head)| Some((self.price(side, key), self.part(PartId(head))?)))
    }

    /// The orders of a level, the one that came first first.
    pub(crate) fn queue<'a>(&'a self, head: &'a Part) -> impl Iterator<Item = Slot> + 'a {
        let parts = std::iter::successors(Some(head), |part| self.part(part.next));
        parts.flat_map(|part| part.orders().iter().copied())
    }

    /// Puts an order at the end of its level's queue.
    pub(super) fn join(&mut self, side: Side, price: Price, order: Slot, quantity: Quantity) -> Option<PartId> {
        let head_id = self.head_of(side, price)?;
        let head = self.part_mut(head_id)?;
        head.total += i128::from(quantity.units());
        let last = head.last;
        let id = if self.part(last)?.is_full() {
            let id = self.new_part(|_| Part::new(head_id, last, PartId::NONE))?;
            self.part_mut(last)?.next = id;
            self.part_mut(head_id)?.last = id;
            id
        } else {
            last
        };
        self.part_mut(id)?.push(order)?;
        self.update_id += 1;
        Some(id)
    }

    /// The head of the level at a price, empty when there was none.
    fn head_of(&mut self, side: Side, price: Price) -> Option<PartId> {
        let key = self.key(side, price)?;
        if let Some(known) = self.side(side).get(key) {
            return Some(PartId(known));
        }
        let id = self.new_part(|id| Part::new(id, PartId::NONE, id))?;
        self.side_mut(side).insert(key, id.0)?;
        Some(id)
    }

    fn new_part(&mut self, part: impl Fn(PartId) -> Part) -> Option<PartId> {
        if self.free == PartId::NONE {
            let id = PartId(u32::try_from(self.parts.len()).ok().filter(|id| *id != PartId::NONE.0)?);
            self.parts.push(part(id));
            return Some(id);
        }
        let id = self.free;
        let unused = self.part_mut(id)?;
        let next = std::mem::replace(unused, part(id)).next;
        self.free = next;
        Some(id)
    }

    fn free_part(&mut self, id: PartId) -> Option<()> {
        let free = self.free;
        self.part_mut(id)?.next = free;
        self.free = id;
        Some(())
    }

    /// Takes a traded quantity off the level of an order.
    pub(super) fn reduce(&mut self, id: PartId, quantity: Quantity) -> Option<()> {
        let head = self.part(id)?.head;
        self.part_mut(head)?.total -= i128::from(quantity.units());
        self.update_id += 1;
        Some(())
    }

    /// Takes an order, of which so much still rests, out of its level's queue.
    pub(super) fn leave(
        &mut self,
        side: Side,
        price: Price,
        (id, order): (PartId, Slot),
        resting: Quantity,
    ) -> Option<()> {
        let part = self.part_mut(id)?;
        part.take(order)?;
        let Part { head, prev, next, len, .. } = *part;
        if len == 0 && id != head {
            self.part_mut(prev)?.next = next;
            if next == PartId::NONE {
                self.part_mut(head)?.last = prev;
            } else {
                self.part_mut(next)?.prev = prev;
            }
            self.free_part(id)?;
        }
        let left = self.part_mut(head)?;
        left.total -= i128::from(resting.units());
        if left.len == 0 && left.next == PartId::NONE {
            let key = self.key(side, price)?;
            let gone = self.side_mut(side).remove(key).map(PartId)?;
            self.free_part(gone)?;
        }
        self.update_id += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn queues_are_lists_however_long(
            steps in prop::collection::vec((0..3_u8, 0..4_i64, any::<prop::sample::Index>(), 1..50_i64), 0..400),
        ) {
            let mut book = Book::new(Price::from_units(1));
            let mut levels: BTreeMap<i64, Vec<(Slot, PartId, i64)>> = BTreeMap::new();
            for (order, (step, price, which, units)) in (0..).zip(steps) {
                let at = Price::from_units(price + 1);
                let level = levels.entry(price + 1).or_default();
                // Twice as many come as leave, so that queues have several parts.
                if step < 2 {
                    let part = book.join(Side::Sell, at, Slot(order), Quantity::from_units(units)).unwrap();
                    level.push((Slot(order), part, units));
                } else if !level.is_empty() && units < 40 {
                    let (order, part, rest) = level.remove(which.index(level.len()));
                    let rest = Quantity::from_units(rest);
                    prop_assert!(book.leave(Side::Sell, at, (part, order), rest).is_some());
                } else if let Some((_, part, rest)) = level.first_mut() {
                    let traded = units.min(*rest);
                    *rest -= traded;
                    prop_assert!(book.reduce(*part, Quantity::from_units(traded)).is_some());
                }
                levels.retain(|_, level| !level.is_empty());
                let told: Vec<_> = book.levels(Side::Sell).map(|(price, head)| {
                    (price.units(), head.total, book.queue(head).collect::<Vec<_>>())
                }).collect();
                let want: Vec<_> = levels.iter().map(|(price, level)| {
                    let total = level.iter().map(|(_, _, rest)| i128::from(*rest)).sum::<i128>();
                    (*price, total, level.iter().map(|(order, ..)| *order).collect::<Vec<_>>())
                }).collect();
                prop_assert_eq!(told, want);
            }
            for (price, level) in &levels {
                for (order, part, rest) in level {
                    let (at, rest) = (Price::from_units(*price), Quantity::from_units(*rest));
                    prop_assert!(book.leave(Side::Sell, at, (*part, *order), rest).is_some());
                }
            }
            prop_assert_eq!(book.best(Side::Sell), None);
            let free = std::iter::successors(Some(book.free).filter(|id| *id != PartId::NONE), |id| {
                Some(book.part(*id)?.next).filter(|id| *id != PartId::NONE)
            });
            prop_assert_eq!(free.count(), book.parts.len());
        }
    }

    #[test]
    fn orders_rest_at_multiples_of_the_tick() {
        let units = Price::from_units;
        let all = |book: &Book, side| book.depth(side).map(|level| level.price.units()).collect::<Vec<_>>();
        for (tick, off) in [(100, Some(150)), (0, None)] {
            let mut book = Book::new(units(tick));
            let one = Quantity::from_units(1);
            for (side, price) in [(Side::Buy, 300), (Side::Buy, 9_000), (Side::Sell, 9_100), (Side::Sell, 700_000)] {
                let part = book.join(side, units(price), Slot(0), one).unwrap();
                assert!(book.join(side, units(price), Slot(1), one).is_some());
                assert_eq!(book.leave(side, units(price), (part, Slot(0)), one), Some(()));
            }
            assert_eq!(all(&book, Side::Buy), [9_000, 300]);
            assert_eq!(all(&book, Side::Sell), [9_100, 700_000]);
            assert_eq!(book.best_price(Side::Buy), Some(units(9_000)));
            let before = book.clone();
            if let Some(off) = off {
                assert_eq!(book.join(Side::Buy, units(off), Slot(2), one), None);
            }
            assert_eq!(book, before);
        }
    }
}
