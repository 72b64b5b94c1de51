//! The orders that one grant has placed, as far as the results of its calls told.
//!
//! An order is entered before its call leaves, so that the calls beside it already see it, and it stays open until a
//! result says that it is over. Only what is over is ever forgotten, oldest first: forgetting an open order would make
//! room for one more than may be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::Equivalent;
use rust_decimal::Decimal;

use super::exposure::Exposure;
use super::notes::{Item, Marks};
use crate::effects::{Intent, Side, Told};
use crate::their_keys::TheirMap;

/// One order.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) symbol: Box<str>,
    pub(super) side: Side,
    pub(super) price: Option<Decimal>,
    pub(super) quantity: Option<u64>,
    pub(super) filled: u64,
    /// As the how many-th it was over.
    pub(super) over: Option<u64>,
    pub(super) id: Option<Box<str>>,
    pub(super) client_id: Option<Box<str>>,
    /// What it trades, if the policy says so.
    pub(super) asset: Option<Arc<str>>,
    pub(super) placed_at: u64,
    pub(super) standing: Standing,
}

/// What is known of an order's being the grant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its call is under way. Its name proves nothing: another's order may bear it.
    UnderWay,
    /// Nobody knows what became of its call. It may be looked up by its name, and what is found there is its own only if
    /// it is no older.
    Doubtful,
    /// A result confirmed it, at this step of the guard.
    Confirmed(u64),
}

/// How far the clocks of the exchange and of the guard may be apart.
const CLOCKS_APART_MS: u64 = 10_000;

/// The open orders of one symbol.
#[derive(Debug, Default)]
struct Book {
    open: usize,
    buys: BTreeSet<(Decimal, u64)>,
    sells: BTreeSet<(Decimal, u64)>,
    /// Those that take any price.
    market_buys: usize,
    market_sells: usize,
}

/// Which order has an id: by symbol and id.
type Ids = TheirMap<(Box<str>, Box<str>), u64>;

/// A key of [`Ids`], borrowed.
#[derive(Hash)]
struct IdRef<'a>(&'a str, &'a str);

impl Equivalent<(Box<str>, Box<str>)> for IdRef<'_> {
    fn equivalent(&self, key: &(Box<str>, Box<str>)) -> bool {
        (self.0, self.1) == (&*key.0, &*key.1)
    }
}

/// The orders of one grant.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    all: BTreeMap<u64, Order>,
    placed: u64,
    open: usize,
    by_order_id: Ids,
    by_client_order_id: Ids,
    books: BTreeMap<Box<str>, Book>,
    exposures: BTreeMap<Arc<str>, Exposure>,
    /// Orders that are over, oldest first.
    over: VecDeque<u64>,
    /// How many have ever been over.
    ended: u64,
    pub(super) marks: Marks,
}

/// Which orders a list of all open ones speaks of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub(crate) symbol: Option<&'a str>,
    /// At which step of the guard the list was asked for, and when.
    pub(crate) step: u64,
    pub(crate) at: u64,
    pub(crate) late_ms: u64,
}

/// What a list names that is no known order: it may be one whose id was never told.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Strangers {
    pub(super) any: bool,
    pub(super) any_without_id: bool,
    pub(super) any_without_name: bool,
}

impl Orders {
    /// How many are open.
    pub(crate) fn open(&self, symbol: Option<&str>) -> usize {
        match symbol {
            None => self.open,
            Some(symbol) => self.books.get(symbol).map_or(0, |book| book.open),
        }
    }

    /// Whether one more can be held.
    pub(crate) fn has_room(&self, orders_max: usize) -> bool {
        self.open < orders_max
    }

    pub(crate) fn exposure(&self, asset: &str) -> Exposure {
        self.exposures.get(asset).copied().unwrap_or_default()
    }

    /// Whether an order of `side` at `price` would meet one of these that is open.
    pub(crate) fn crosses(&self, symbol: &str, side: Side, price: Option<Decimal>) -> bool {
        let Some(book) = self.books.get(symbol) else { return false };
        match side {
            Side::Buy => {
                let best = book.sells.first().map(|(price, _)| *price);
                book.market_sells > 0 || best.is_some_and(|best| price.is_none_or(|price| price >= best))
            }
            Side::Sell => {
                let best = book.buys.last().map(|(price, _)| *price);
                book.market_buys > 0 || best.is_some_and(|best| price.is_none_or(|price| price <= best))
            }
        }
    }

    /// The order of that symbol with these ids, of which at least one is given. Ids of different orders are none's.
    pub(crate) fn find(&self, symbol: &str, order_id: Option<&str>, client_order_id: Option<&str>) -> Option<u64> {
        let of = |index: &Ids, id: &str| index.get(&IdRef(symbol, id)).copied();
        match (order_id.map(|id| of(&self.by_order_id, id)), client_order_id.map(|id| of(&self.by_client_order_id, id)))
        {
            (Some(Some(order)), Some(Some(same))) => (order == same).then_some(order),
            (Some(Some(order)), None) | (None, Some(Some(order))) => Some(order),
            _ => None,
        }
    }

    /// Enters an order whose call is about to leave.
    pub(super) fn enter(&mut self, intent: &Intent, asset: Option<Arc<str>>, now: u64, orders_max: usize) -> u64 {
        while self.all.len() >= orders_max.max(1)
            && let Some(oldest) = self.over.pop_front()
        {
            self.forget(oldest);
        }
        self.placed += 1;
        let number = self.placed;
        let symbol: Box<str> = intent.symbol.as_str().into();
        let client_order_id: Option<Box<str>> = intent.client_order_id.as_deref().map(Into::into);
        let order = Order {
            symbol: symbol.clone(),
            side: intent.side,
            price: intent.price,
            quantity: intent.quantity,
            filled: 0,
            over: None,
            id: None,
            client_id: client_order_id.clone(),
            asset,
            placed_at: now,
            standing: Standing::UnderWay,
        };
        if let Some(asset) = &order.asset {
            self.exposures.entry(Arc::clone(asset)).or_default().opens(order.side, order.quantity);
            self.marks.mark(|| Item::Exposure(Arc::clone(asset)));
        }
        self.marks.mark(|| Item::Order(number));
        self.open += 1;
        self.books.entry(symbol.clone()).or_default().add(number, &order);
        if let Some(id) = client_order_id {
            // An id that names an open order goes on naming it until the exchange has taken the other.
            let key = (symbol, id);
            let is_free = self.by_client_order_id.get(&key).is_none_or(|other| !self.is_open(*other));
            if is_free {
                self.by_client_order_id.insert(key, number);
            }
        }
        self.all.insert(number, order);
        number
    }

    /// Takes back an order that was provably never placed.
    pub(super) fn never_was(&mut self, number: u64) {
        if let Some(order) = self.all.get(&number).filter(|order| order.is_open()) {
            let rest = order.rest();
            if let Some((asset, exposure)) = order.exposure(&mut self.exposures) {
                exposure.ends(order.side, rest);
                self.marks.mark(|| Item::Exposure(asset));
            }
            self.leave_book(number);
        }
        self.forget(number);
    }

    /// What is known of an order's being the grant's.
    pub(crate) fn standing(&self, number: u64) -> Option<Standing> {
        self.all.get(&number).map(|order| order.standing)
    }

    /// The call that placed the order is over, and nobody knows what came of it.
    pub(super) fn is_doubtful(&mut self, number: u64) {
        if let Some(order) = self.all.get_mut(&number).filter(|order| order.standing == Standing::UnderWay) {
            order.standing = Standing::Doubtful;
            self.marks.mark(|| Item::Order(number));
        }
    }

    /// The call that placed the order succeeded.
    pub(super) fn is_confirmed(&mut self, number: u64, step: u64) {
        if let Some(order) = self.all.get_mut(&number)
            && !matches!(order.standing, Standing::Confirmed(_))
        {
            order.standing = Standing::Confirmed(step);
            self.marks.mark(|| Item::Order(number));
        }
    }

    /// Takes note of what a result tells of an order, if it can be told to be this one. Returns whether it is the first
    /// that tells of a trade.
    pub(super) fn told(&mut self, number: u64, told: &Told, step: u64) -> bool {
        if !self.is_this(number, told) {
            return false;
        }
        self.is_confirmed(number, step);
        let Some(order) = self.all.get_mut(&number) else { return false };
        let symbol = order.symbol.clone();
        if let Some(id) = &told.order_id
            && order.id.is_none()
        {
            order.id = Some(id.as_str().into());
            let before = self.by_order_id.insert((symbol.clone(), id.as_str().into()), number);
            self.marks.mark_all([Some(number), before].into_iter().flatten().map(Item::Order));
        }
        if let Some(id) = &told.client_order_id
            && order.client_id.as_deref().is_none_or(|own| own == id)
        {
            let id = order.client_id.get_or_insert_with(|| id.as_str().into()).clone();
            let before = self.by_client_order_id.insert((symbol, id), number);
            if before != Some(number) {
                self.marks.mark_all([Some(number), before].into_iter().flatten().map(Item::Order));
            }
        }
        let mut first_trade = false;
        if let Some(filled) = told.filled.filter(|filled| *filled > order.filled) {
            first_trade = order.filled == 0;
            let (before, more) = (order.rest(), filled - order.filled);
            order.filled = filled;
            let after = order.rest();
            self.marks.mark(|| Item::Order(number));
            if let Some((asset, exposure)) = order.exposure(&mut self.exposures) {
                if order.is_open() {
                    exposure.ends(order.side, before);
                    exposure.opens(order.side, after);
                }
                exposure.trades(order.side, more);
                self.marks.mark(|| Item::Exposure(asset));
            }
        }
        if told.is_closed == Some(true) {
            self.is_over(number, told.filled.is_some());
        }
        first_trade
    }

    /// An order is over; whether all that it traded `was_told`.
    pub(super) fn is_over(&mut self, number: u64, was_told: bool) {
        let Some(order) = self.all.get(&number).filter(|order| order.is_open()) else { return };
        let rest = order.rest();
        if let Some((asset, exposure)) = order.exposure(&mut self.exposures) {
            exposure.ends(order.side, rest);
            if !was_told {
                exposure.doubts(order.side, rest);
            }
            self.marks.mark(|| Item::Exposure(asset));
        }
        self.leave_book(number);
        self.over.push_back(number);
    }

    /// Closes those that a list of all open orders does not name, if it would have named them.
    pub(super) fn unlisted_are_over(&mut self, listed: Listed<'_>, named: &BTreeSet<u64>, strangers: Strangers) {
        let over: Vec<u64> = self
            .all
            .iter()
            .filter(|(number, order)| order.is_open() && !named.contains(number) && order.would_be_in(listed))
            .filter(|(_, order)| order.is_none_of(strangers))
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            self.is_over(number, false);
        }
    }

    /// One of them, and whether its id and its name lead to it.
    pub(super) fn known(&self, number: u64) -> Option<(&Order, bool, bool)> {
        let order = self.all.get(&number)?;
        let leads =
            |index: &Ids, id: Option<&str>| id.is_some_and(|id| index.get(&IdRef(&order.symbol, id)) == Some(&number));
        let by_id = leads(&self.by_order_id, order.id.as_deref());
        Some((order, by_id, leads(&self.by_client_order_id, order.client_id.as_deref())))
    }

    /// The numbers of all.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.all.keys().copied()
    }

    pub(super) fn exposures(&self) -> &BTreeMap<Arc<str>, Exposure> {
        &self.exposures
    }

    /// Takes up an order of before, and whether its id and its name lead to it.
    pub(super) fn take_up(&mut self, number: u64, order: Order, by_id: bool, by_name: bool) {
        self.placed = self.placed.max(number);
        for (index, id, leads) in
            [(&mut self.by_order_id, &order.id, by_id), (&mut self.by_client_order_id, &order.client_id, by_name)]
        {
            if let (Some(id), true) = (id, leads) {
                index.insert((order.symbol.clone(), id.clone()), number);
            }
        }
        match order.over {
            None => {
                self.open += 1;
                self.books.entry(order.symbol.clone()).or_default().add(number, &order);
            }
            Some(ended) => {
                self.ended = self.ended.max(ended);
                let place =
                    self.over.partition_point(|other| self.all.get(other).is_some_and(|other| other.over < order.over));
                self.over.insert(place, number);
            }
        }
        self.all.insert(number, order);
    }

    /// Takes up the exposures of before, if they go with the orders of before.
    pub(super) fn take_up_exposures(&mut self, exposures: BTreeMap<Arc<str>, Exposure>) -> bool {
        let mut open: BTreeMap<&Arc<str>, Exposure> = BTreeMap::new();
        for order in self.all.values().filter(|order| order.is_open()) {
            if let Some(asset) = &order.asset {
                open.entry(asset).or_default().opens(order.side, order.rest());
            }
        }
        let nothing = Exposure::default();
        let fits = exposures.iter().all(|(asset, exposure)| exposure.is_open_as(open.get(asset).unwrap_or(&nothing)))
            && open.keys().all(|asset| exposures.contains_key(*asset));
        self.exposures = exposures;
        fits
    }

    /// Whether what is told can be told to be this order. A name alone is not enough: it may be that of an older one.
    pub(super) fn is_this(&self, number: u64, told: &Told) -> bool {
        self.all.get(&number).is_some_and(|order| match order.standing {
            Standing::Confirmed(_) => true,
            Standing::Doubtful => {
                told.placed_at.is_some_and(|at| at.saturating_add(CLOCKS_APART_MS) >= order.placed_at)
            }
            Standing::UnderWay => false,
        })
    }

    fn is_open(&self, number: u64) -> bool {
        self.all.get(&number).is_some_and(Order::is_open)
    }

    fn leave_book(&mut self, number: u64) {
        let Some(order) = self.all.get_mut(&number) else { return };
        self.ended += 1;
        order.over = Some(self.ended);
        self.marks.mark(|| Item::Order(number));
        self.open = self.open.saturating_sub(1);
        if let Some(book) = self.books.get_mut(&order.symbol) {
            book.remove(number, order);
            if book.open == 0 {
                self.books.remove(&order.symbol);
            }
        }
    }

    fn forget(&mut self, number: u64) {
        let Some(order) = self.all.remove(&number) else { return };
        self.marks.mark(|| Item::Order(number));
        let forget = |index: &mut Ids, id: Option<&str>| {
            let Some(id) = id else { return };
            let key = IdRef(&order.symbol, id);
            if index.get(&key) == Some(&number) {
                index.swap_remove(&key);
            }
        };
        forget(&mut self.by_order_id, order.id.as_deref());
        forget(&mut self.by_client_order_id, order.client_id.as_deref());
    }
}

impl Order {
    fn is_open(&self) -> bool {
        self.over.is_none()
    }

    /// What it may have moved.
    fn exposure<'e>(&self, exposures: &'e mut BTreeMap<Arc<str>, Exposure>) -> Option<(Arc<str>, &'e mut Exposure)> {
        let asset = self.asset.as_ref()?;
        Some((Arc::clone(asset), exposures.get_mut(asset)?))
    }

    /// What it has not traded yet.
    fn rest(&self) -> Option<u64> {
        self.quantity.map(|quantity| quantity.saturating_sub(self.filled))
    }

    /// Whether it cannot be one of the strangers of a list.
    fn is_none_of(&self, strangers: Strangers) -> bool {
        !strangers.any
            || (self.id.is_some() && !strangers.any_without_id)
            || (self.client_id.is_some() && !strangers.any_without_name)
    }

    /// Whether a list of all open orders names it if it is open.
    fn would_be_in(&self, listed: Listed<'_>) -> bool {
        let has_arrived = match self.standing {
            Standing::Confirmed(step) => step < listed.step,
            Standing::UnderWay | Standing::Doubtful => self.placed_at.saturating_add(listed.late_ms) < listed.at,
        };
        has_arrived && listed.symbol.is_none_or(|symbol| symbol == &*self.symbol)
    }
}

impl Book {
    fn add(&mut self, number: u64, order: &Order) {
        self.open += 1;
        match (order.side, order.price) {
            (Side::Buy, Some(price)) => drop(self.buys.insert((price, number))),
            (Side::Sell, Some(price)) => drop(self.sells.insert((price, number))),
            (Side::Buy, None) => self.market_buys += 1,
            (Side::Sell, None) => self.market_sells += 1,
        }
    }

    fn remove(&mut self, number: u64, order: &Order) {
        self.open = self.open.saturating_sub(1);
        match (order.side, order.price) {
            (Side::Buy, Some(price)) => drop(self.buys.remove(&(price, number))),
            (Side::Sell, Some(price)) => drop(self.sells.remove(&(price, number))),
            (Side::Buy, None) => self.market_buys = self.market_buys.saturating_sub(1),
            (Side::Sell, None) => self.market_sells = self.market_sells.saturating_sub(1),
        }
    }
}
