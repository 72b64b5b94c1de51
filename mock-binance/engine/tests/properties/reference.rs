//! A naive exchange: slow, obvious, and with nothing of the real one's but the words.

use std::collections::BTreeMap;

use exchange_engine::{
    AccountId, AssetId, CancelRestriction, ClientOrderId, Command, MarketSize, NewOrder, OrderId, OrderKind, OrderRef,
    OrderStatus, Price, Quantity, Side, TimeInForce,
};

use crate::history::{ASSETS, START, commissions};

const ONE: i128 = 100_000_000;
const BASE: usize = 0;
const QUOTE: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefTrade {
    pub(crate) maker: OrderId,
    pub(crate) taker: OrderId,
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
}

#[derive(Debug, Clone)]
pub(crate) struct RefOrder {
    pub(crate) id: OrderId,
    account: AccountId,
    side: Side,
    price: Price,
    quantity: Quantity,
    pub(crate) executed: Quantity,
    pub(crate) status: OrderStatus,
    client: Option<ClientOrderId>,
}

impl RefOrder {
    fn remaining(&self) -> i128 {
        i128::from(self.quantity.units()) - i128::from(self.executed.units())
    }

    fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::New | OrderStatus::PartiallyFilled)
    }
}

pub(crate) struct Reference {
    pub(crate) orders: Vec<RefOrder>,
    pub(crate) trades: Vec<RefTrade>,
    /// All that an account has of an asset, held or not.
    totals: BTreeMap<AccountId, [i128; ASSETS]>,
}

fn paid(side: Side) -> usize {
    if side == Side::Buy { QUOTE } else { BASE }
}

impl Reference {
    pub(crate) fn new() -> Self {
        let start = START.map(|(_, units)| i128::from(units));
        let totals = (0..4).map(|id| (AccountId(id), if id == 0 { [0; ASSETS] } else { start })).collect();
        Self { orders: Vec::new(), trades: Vec::new(), totals }
    }

    /// Free and locked; what is locked is summed up from the open orders.
    pub(crate) fn balance(&self, account: AccountId, asset: AssetId) -> (i128, i128) {
        let asset = usize::from(asset.0);
        let open = self.orders.iter().filter(|o| o.is_open() && o.account == account && paid(o.side) == asset);
        let locked = open
            .map(|order| match order.side {
                Side::Sell => order.remaining(),
                Side::Buy => (i128::from(order.price.units()) * order.remaining() + ONE - 1) / ONE,
            })
            .sum();
        (self.totals[&account][asset] - locked, locked)
    }

    fn free(&self, account: AccountId, asset: usize) -> i128 {
        self.balance(account, AssetId(u16::try_from(asset).unwrap())).0
    }

    pub(crate) fn levels(&self, side: Side) -> Vec<(Price, Quantity)> {
        let mut levels: Vec<(Price, i128)> = Vec::new();
        for order in self.orders.iter().filter(|order| order.is_open() && order.side == side) {
            match levels.iter_mut().find(|(price, _)| *price == order.price) {
                Some((_, total)) => *total += order.remaining(),
                None => levels.push((order.price, order.remaining())),
            }
        }
        levels.sort();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
            .into_iter()
            .map(|(price, total)| (price, Quantity::from_units(i64::try_from(total).unwrap_or(i64::MAX))))
            .collect()
    }

    /// The open orders on the other side, in the order in which they would be met.
    fn queue(&self, taker: Side) -> Vec<usize> {
        let mut queue: Vec<usize> = (0..self.orders.len()).collect();
        queue.retain(|at| self.orders[*at].is_open() && self.orders[*at].side != taker);
        queue.sort_by_key(|at| {
            let price = self.orders[*at].price.units();
            (if taker == Side::Buy { price } else { -price }, self.orders[*at].id)
        });
        queue
    }

    /// Whether the command goes through; if so it is carried out. `id` is what a new order would be called.
    pub(crate) fn apply(&mut self, account: AccountId, command: &Command, id: OrderId) -> bool {
        match command {
            Command::Deposit { asset, amount } => {
                self.totals.get_mut(&account).unwrap()[usize::from(asset.0)] += i128::from(amount.units());
                true
            }
            Command::Withdraw { asset, amount } => {
                let (asset, amount) = (usize::from(asset.0), i128::from(amount.units()));
                let enough = self.free(account, asset) >= amount;
                if enough {
                    self.totals.get_mut(&account).unwrap()[asset] -= amount;
                }
                enough
            }
            Command::CancelAll { .. } => {
                let open = self.orders.iter_mut().filter(|order| order.is_open() && order.account == account);
                open.map(|order| order.status = OrderStatus::Canceled).count() > 0
            }
            Command::Cancel(request) => {
                let OrderRef::Id(id) = request.target else { panic!("histories name orders by id") };
                let found = self.orders.iter_mut().find(|order| order.id == id && order.account == account);
                let Some(order) = found.filter(|order| order.is_open()) else { return false };
                let fits = match request.restriction {
                    None => true,
                    Some(CancelRestriction::OnlyNew) => order.executed.is_zero(),
                    Some(CancelRestriction::OnlyPartiallyFilled) => !order.executed.is_zero(),
                };
                if fits {
                    order.status = OrderStatus::Canceled;
                }
                fits
            }
            Command::Place(order) => self.place(account, order, id),
            Command::PlaceList(_) | Command::CancelList(_) | Command::CancelReplace(_) | Command::Amend(_) => {
                panic!("the naive exchange knows single orders only")
            }
        }
    }

    fn place(&mut self, account: AccountId, new: &NewOrder, id: OrderId) -> bool {
        let namesake =
            |order: &RefOrder| order.is_open() && order.account == account && order.client == new.client_order_id;
        if new.client_order_id.is_some() && self.orders.iter().any(namesake) {
            return false;
        }
        let queue = self.queue(new.side);
        let free = self.free(account, paid(new.side));
        let (limit, quantity, mut budget) = match new.kind {
            OrderKind::Limit { quantity, price, .. } | OrderKind::LimitMaker { quantity, price } => {
                (Some(price), Some(quantity), i128::MAX)
            }
            OrderKind::Market { size: MarketSize::Base(quantity) } => (None, Some(quantity), i128::MAX),
            OrderKind::Market { size: MarketSize::Quote(amount) } => (None, None, i128::from(amount.units())),
            OrderKind::Stop { .. } => panic!("the naive exchange knows no orders that wait for a price"),
        };
        let crosses = |price: Price| {
            limit.is_none_or(|limit| if new.side == Side::Buy { price <= limit } else { price >= limit })
        };
        let by_quote = quantity.is_none();
        let whole = quantity.map_or(i128::from(i64::MAX), |quantity| i128::from(quantity.units()));

        // What would trade.
        let (mut left, mut cost, mut beyond) = (whole, 0, 0);
        let mut meets = Vec::new();
        for at in &queue {
            let maker = &self.orders[*at];
            let price = i128::from(maker.price.units());
            let wanted = if by_quote { left.min(budget * ONE / price) } else { left };
            beyond = 0;
            if wanted == 0 || !crosses(maker.price) {
                break;
            }
            let amount = wanted.min(maker.remaining());
            let quote = price * amount / ONE;
            left -= amount;
            cost += quote;
            if by_quote {
                budget -= quote;
                beyond = left.min(budget * ONE / price);
            }
            meets.push((*at, amount, quote));
        }
        let traded = whole - left;
        let quantity = if by_quote { traded + beyond } else { whole };

        // Whether it may.
        let worth = limit.map_or(0, |limit| (i128::from(limit.units()) * whole + ONE - 1) / ONE);
        if worth > i128::from(i64::MAX) {
            return false;
        }
        let needed = match (new.side, &new.kind) {
            (Side::Sell, _) => quantity,
            (Side::Buy, OrderKind::Market { size: MarketSize::Base(_) }) => cost,
            (Side::Buy, OrderKind::Market { size: MarketSize::Quote(amount) }) => i128::from(amount.units()),
            (Side::Buy, _) => worth,
        };
        let takes = matches!(new.kind, OrderKind::LimitMaker { .. }) && !meets.is_empty();
        if needed > free || takes || (by_quote && traded == 0) {
            return false;
        }

        // Then it does.
        let fok = matches!(new.kind, OrderKind::Limit { time_in_force: TimeInForce::Fok, .. });
        if fok && traded < whole {
            meets.clear();
        }
        let executed: i128 = meets.iter().map(|(_, amount, _)| amount).sum();
        for (at, amount, quote) in meets {
            self.trade(at, account, new.side, id, amount, quote);
        }
        let rests =
            matches!(new.kind, OrderKind::Limit { time_in_force: TimeInForce::Gtc, .. } | OrderKind::LimitMaker { .. });
        let status = match (executed == quantity, rests, executed > 0) {
            (true, _, _) => OrderStatus::Filled,
            (false, false, _) => OrderStatus::Expired,
            (false, true, true) => OrderStatus::PartiallyFilled,
            (false, true, false) => OrderStatus::New,
        };
        self.orders.push(RefOrder {
            id,
            account,
            side: new.side,
            price: limit.unwrap_or_default(),
            quantity: Quantity::from_units(i64::try_from(quantity).unwrap()),
            executed: Quantity::from_units(i64::try_from(executed).unwrap()),
            status,
            client: new.client_order_id,
        });
        true
    }

    fn trade(&mut self, at: usize, taker: AccountId, side: Side, id: OrderId, amount: i128, quote: i128) {
        let units = i64::try_from(amount).unwrap();
        let maker = &mut self.orders[at];
        maker.executed = Quantity::from_units(maker.executed.units() + units);
        maker.status = if maker.remaining() == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let (maker_account, price, maker_id) = (maker.account, maker.price, maker.id);
        self.trades.push(RefTrade { maker: maker_id, taker: id, price, quantity: Quantity::from_units(units) });
        let rates = commissions().standard;
        for (account, side, rate) in [(maker_account, side.opposite(), rates.maker), (taker, side, rates.taker)] {
            let (gives, given, gets, got) =
                if side == Side::Buy { (QUOTE, quote, BASE, amount) } else { (BASE, amount, QUOTE, quote) };
            let fee = (got * i128::from(rate.units()) * 2 + ONE) / (ONE * 2);
            let totals = self.totals.get_mut(&account).unwrap();
            totals[gives] -= given;
            totals[gets] += got - fee;
            self.totals.get_mut(&AccountId::FEES).unwrap()[gets] += fee;
        }
    }
}
