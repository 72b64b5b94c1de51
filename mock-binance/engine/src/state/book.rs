//! One symbol's resting orders by price, and within a price by time.
//!
//! ```text
//! levels: price -> { total, first, last }        nodes: order <-> order <-> order
//! ```
//!
//! A level's orders are a linked list through a slab, so that joining and leaving cost the same however long the
//! queue is. The book knows slots of orders; their quantities are kept with the orders.

use std::collections::BTreeMap;

use crate::command::Side;
use crate::event::BookLevel;
use crate::money::{Price, Quantity};
use crate::state::Slot;

/// A place in the slab of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    order: Slot,
    prev: NodeId,
    next: NodeId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Wider than a quantity: many cheap bids may sum up to more than one order can.
    total: i128,
    first: NodeId,
    last: NodeId,
}

/// One side; keys are prices whose sign makes the best one the smallest.
type Levels = BTreeMap<i64, Level>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Book {
    bids: Levels,
    asks: Levels,
    nodes: Vec<Node>,
    /// The first unused node; unused ones are linked by `next`.
    free: NodeId,
    update_id: u64,
}

const fn key(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.units().wrapping_neg(),
        Side::Sell => price.units(),
    }
}

const fn price_of(side: Side, key: i64) -> Price {
    match side {
        Side::Buy => Price::from_units(key.wrapping_neg()),
        Side::Sell => Price::from_units(key),
    }
}

impl Book {
    pub(super) const fn new() -> Self {
        Self { bids: BTreeMap::new(), asks: BTreeMap::new(), nodes: Vec::new(), free: NodeId::NONE, update_id: 0 }
    }

    /// Counts changes, from 0.
    pub(crate) const fn update_id(&self) -> u64 {
        self.update_id
    }

    const fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut Levels {
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

    /// The best price of a side.
    pub(crate) fn best_price(&self, side: Side) -> Option<Price> {
        self.side(side).first_key_value().map(|(key, _)| price_of(side, *key))
    }

    /// The best level of a side.
    pub(crate) fn best(&self, side: Side) -> Option<BookLevel> {
        self.depth(side).next()
    }

    /// A side's levels, best first.
    pub(crate) fn depth(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        self.levels(side).map(|(price, level)| BookLevel {
            price,
            quantity: i64::try_from(level.total).map_or(Quantity::MAX, Quantity::from_units),
        })
    }

    /// A side's levels, best first, to look into.
    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, &Level)> + '_ {
        self.side(side).iter().map(move |(key, level)| (price_of(side, *key), level))
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
        let node = Node { order, prev: NodeId::NONE, next: NodeId::NONE };
        let id = if self.free == NodeId::NONE {
            let id = NodeId(u32::try_from(self.nodes.len()).ok().filter(|id| *id != NodeId::NONE.0)?);
            self.nodes.push(node);
            id
        } else {
            let id = self.free;
            let unused = self.node_mut(id)?;
            let next = unused.next;
            *unused = node;
            self.free = next;
            id
        };
        let empty = Level { total: 0, first: id, last: NodeId::NONE };
        let level = self.side_mut(side).entry(key(side, price)).or_insert(empty);
        level.total += i128::from(quantity.units());
        let before = std::mem::replace(&mut level.last, id);
        if before != NodeId::NONE {
            self.node_mut(before)?.next = id;
            self.node_mut(id)?.prev = before;
        }
        self.update_id += 1;
        Some(id)
    }

    /// Takes a traded quantity off a level.
    pub(super) fn reduce(&mut self, side: Side, price: Price, quantity: Quantity) -> Option<()> {
        let level = self.side_mut(side).get_mut(&key(side, price))?;
        level.total -= i128::from(quantity.units());
        self.update_id += 1;
        Some(())
    }

    /// Takes an order, of which so much still rests, out of its level's queue.
    pub(super) fn leave(&mut self, side: Side, price: Price, id: NodeId, resting: Quantity) -> Option<()> {
        let free = self.free;
        let node = self.node_mut(id)?;
        let (prev, next) = (node.prev, node.next);
        node.next = free;
        self.free = id;
        if prev != NodeId::NONE {
            self.node_mut(prev)?.next = next;
        }
        if next != NodeId::NONE {
            self.node_mut(next)?.prev = prev;
        }
        let levels = self.side_mut(side);
        let level = levels.get_mut(&key(side, price))?;
        level.total -= i128::from(resting.units());
        if prev == NodeId::NONE {
            level.first = next;
        }
        if next == NodeId::NONE {
            level.last = prev;
        }
        if level.first == NodeId::NONE {
            levels.remove(&key(side, price));
        }
        self.update_id += 1;
        Some(())
    }
}
