//! One symbol's resting orders by price, and within a price by time.
//!
//! ```text
//! bids, asks: price -> level        levels: { total, first, last }        nodes: order <-> order <-> order
//! ```
//!
//! A level's orders are a linked list through a slab, so that joining and leaving cost the same however long the
//! queue is. Each node knows its level, so that an order leaves a large book without being looked for in it: only a
//! price that appears or disappears is. The book knows slots of orders; their quantities are kept with the orders.

use crate::command::Side;
use crate::event::BookLevel;
use crate::money::{Price, Quantity};
use crate::state::Slot;
use crate::state::prices::Prices;

/// A place in the slab of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// A place in the slab of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LevelId(u32);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    order: Slot,
    level: LevelId,
    prev: NodeId,
    next: NodeId,
}

/// Aligned to its size: a level that lies across two lines of a cache would be fetched twice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(32))]
pub(crate) struct Level {
    /// Wider than a quantity: many cheap bids may sum up to more than one order can.
    total: i128,
    first: NodeId,
    last: NodeId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Book {
    /// Every price is a multiple of so many units; at least one.
    tick: i64,
    /// By key, as the asks.
    bids: Prices,
    asks: Prices,
    levels: Vec<Level>,
    /// Levels that are not in use.
    free_levels: Vec<LevelId>,
    nodes: Vec<Node>,
    /// The first unused node; unused ones are linked by `next`.
    free: NodeId,
    update_id: u64,
}

fn told(price: Price, level: &Level) -> BookLevel {
    BookLevel { price, quantity: i64::try_from(level.total).map_or(Quantity::MAX, Quantity::from_units) }
}

impl Book {
    /// An empty book, of prices that are multiples of this tick; a tick of zero is off.
    pub(super) fn new(tick: Price) -> Self {
        Self {
            tick: tick.units().max(1),
            bids: Prices::default(),
            asks: Prices::default(),
            levels: Vec::new(),
            free_levels: Vec::new(),
            nodes: Vec::new(),
            free: NodeId::NONE,
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

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::try_from(id.0).ok()?)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(id.0).ok()?)
    }

    fn level(&self, id: LevelId) -> Option<&Level> {
        self.levels.get(usize::try_from(id.0).ok()?)
    }

    fn level_mut(&mut self, id: LevelId) -> Option<&mut Level> {
        self.levels.get_mut(usize::try_from(id.0).ok()?)
    }

    /// The best price of a side.
    pub(crate) fn best_price(&self, side: Side) -> Option<Price> {
        self.side(side).first().map(|(key, _)| self.price(side, key))
    }

    /// The best level of a side.
    pub(crate) fn best(&self, side: Side) -> Option<BookLevel> {
        let (key, level) = self.side(side).first()?;
        Some(told(self.price(side, key), self.level(LevelId(level))?))
    }

    /// A side's levels, best first.
    pub(crate) fn depth(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        self.levels(side).map(|(price, level)| told(price, level))
    }

    /// A side's levels, best first, to look into.
    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, &Level)> + '_ {
        self.side(side)
            .iter()
            .filter_map(move |(key, level)| Some((self.price(side, key), self.level(LevelId(level))?)))
    }

    /// The orders of a level, the one that came first first.
    pub(crate) fn queue(&self, level: &Level) -> impl Iterator<Item = Slot> + '_ {
        let mut at = level.first;
        std::iter::from_fn(move || {
            let node = self.node(at)?;
            at = node.next;
            Some(node.order)
        })
    }

    /// Puts an order at the end of its level's queue.
    pub(super) fn join(&mut self, side: Side, price: Price, order: Slot, quantity: Quantity) -> Option<NodeId> {
        let level = self.level_of(side, price)?;
        let prev = self.level(level)?.last;
        let id = self.new_node(Node { order, level, prev, next: NodeId::NONE })?;
        let level = self.level_mut(level)?;
        level.total += i128::from(quantity.units());
        level.last = id;
        if prev == NodeId::NONE {
            level.first = id;
        } else {
            self.node_mut(prev)?.next = id;
        }
        self.update_id += 1;
        Some(id)
    }

    /// The level at a price, empty when there was none.
    fn level_of(&mut self, side: Side, price: Price) -> Option<LevelId> {
        let key = self.key(side, price)?;
        if let Some(known) = self.side(side).get(key) {
            return Some(LevelId(known));
        }
        let empty = Level { total: 0, first: NodeId::NONE, last: NodeId::NONE };
        let id = if let Some(id) = self.free_levels.pop() {
            *self.level_mut(id)? = empty;
            id
        } else {
            self.levels.push(empty);
            LevelId(u32::try_from(self.levels.len() - 1).ok()?)
        };
        self.side_mut(side).insert(key, id.0)?;
        Some(id)
    }

    fn new_node(&mut self, node: Node) -> Option<NodeId> {
        if self.free == NodeId::NONE {
            let id = NodeId(u32::try_from(self.nodes.len()).ok().filter(|id| *id != NodeId::NONE.0)?);
            self.nodes.push(node);
            return Some(id);
        }
        let id = self.free;
        let unused = self.node_mut(id)?;
        let next = std::mem::replace(unused, node).next;
        self.free = next;
        Some(id)
    }

    /// Takes a traded quantity off the level of an order.
    pub(super) fn reduce(&mut self, id: NodeId, quantity: Quantity) -> Option<()> {
        let level = self.node(id)?.level;
        self.level_mut(level)?.total -= i128::from(quantity.units());
        self.update_id += 1;
        Some(())
    }

    /// Takes an order, of which so much still rests, out of its level's queue.
    pub(super) fn leave(&mut self, side: Side, price: Price, id: NodeId, resting: Quantity) -> Option<()> {
        let free = self.free;
        let node = self.node_mut(id)?;
        let Node { level, prev, next, .. } = *node;
        node.next = free;
        self.free = id;
        if prev != NodeId::NONE {
            self.node_mut(prev)?.next = next;
        }
        if next != NodeId::NONE {
            self.node_mut(next)?.prev = prev;
        }
        let left = self.level_mut(level)?;
        left.total -= i128::from(resting.units());
        if prev == NodeId::NONE {
            left.first = next;
        }
        if next == NodeId::NONE {
            left.last = prev;
        }
        if left.first == NodeId::NONE {
            let key = self.key(side, price)?;
            let gone = self.side_mut(side).remove(key).map(LevelId)?;
            self.free_levels.push(gone);
        }
        self.update_id += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_rest_at_multiples_of_the_tick() {
        let units = Price::from_units;
        let all = |book: &Book, side| book.depth(side).map(|level| level.price.units()).collect::<Vec<_>>();
        for (tick, off) in [(100, Some(150)), (0, None)] {
            let mut book = Book::new(units(tick));
            let one = Quantity::from_units(1);
            for (side, price) in [(Side::Buy, 300), (Side::Buy, 9_000), (Side::Sell, 9_100), (Side::Sell, 700_000)] {
                let node = book.join(side, units(price), Slot(0), one).unwrap();
                assert!(book.join(side, units(price), Slot(1), one).is_some());
                assert_eq!(book.leave(side, units(price), node, one), Some(()));
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
