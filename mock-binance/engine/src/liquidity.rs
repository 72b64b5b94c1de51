//! A liquidity provider: an account with ordinary LIMIT orders on both sides of a reference price, and the commands
//! that fill a side up again when it runs thin, so that a book is never empty.
//!
//! ```text
//! asks   reference + 2 * spacing   ▒▒▒▒▒▒
//!        reference + 1 * spacing   ▒▒▒▒
//! ------ reference ------------------------
//! bids   reference - 1 * spacing   ▒▒▒▒▒
//!        reference - 2 * spacing   ▒▒▒
//! ```
//!
//! Everything here is a pure function of the ladder and the exchange. Open the account with
//! [`Exchange::open_provider`]: a ladder is more orders at once than the order counts of a client allow.

use std::collections::BTreeSet;

use crate::command::{CancelOrder, Command, NewOrder, OrderKind, OrderRef, Side, TimeInForce};
use crate::exchange::Exchange;
use crate::ids::{AccountId, OrderId, SymbolId, mix};
use crate::money::{Amount, Price, Quantity};
use crate::spec::SymbolSpec;

const TRADES_PER_RUNG: i64 = 50;

/// A ladder of LIMIT orders on both sides of a reference price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// Where.
    pub symbol: SymbolId,
    /// The price in the middle; taken down to a multiple of the tick.
    pub reference: Price,
    /// Rungs on each side.
    pub rungs: u32,
    /// From the reference to the first rung, and from rung to rung; taken down to a multiple of the tick, at least one.
    pub spacing: Price,
    /// The middle quantity of a rung: the seed varies it from half to one and a half of this. Filters may raise it.
    pub quantity: Quantity,
    /// A side with fewer open orders of the provider than this is filled up again.
    pub thin_below: u32,
    /// Varies the quantities; the same seed gives the same ladder.
    pub seed: u64,
}

impl Ladder {
    /// What the provider's balances must hold for the whole ladder: base asset and quote asset. Nothing when the
    /// symbol is unknown or the ladder is worth more than can be counted.
    pub fn needs(&self, exchange: &Exchange) -> Option<(Amount, Amount)> {
        let spec = exchange.spec().symbol(self.symbol)?;
        let (mut base, mut quote) = (Amount::ZERO, Amount::ZERO);
        for rung in 1..=self.rungs {
            if let Some((_, quantity)) = self.rung(spec, Side::Sell, rung) {
                base = base.checked_add(quantity.as_amount()).ok()?;
            }
            if let Some((price, quantity)) = self.rung(spec, Side::Buy, rung) {
                quote = quote.checked_add(price.times_up(quantity).ok()?).ok()?;
            }
        }
        Some((base, quote))
    }

    /// The commands that fill up thin sides: on an empty book the whole ladder, on a full one nothing. Rungs that
    /// would trade at once are left out, so that filling up never moves the market.
    pub fn top_up(&self, exchange: &Exchange, account: AccountId) -> Vec<Command> {
        let Some(spec) = exchange.spec().symbol(self.symbol) else { return Vec::new() };
        let top = exchange.book_top(self.symbol);
        let open = exchange.open_orders(account, Some(self.symbol));
        let mut commands = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            let taken: BTreeSet<Price> = open.iter().filter(|o| o.side == side).map(|o| o.price).collect();
            if open.iter().filter(|o| o.side == side).count() >= usize::try_from(self.thin_below).unwrap_or(usize::MAX)
            {
                continue;
            }
            let against = top.and_then(|top| match side {
                Side::Buy => top.ask,
                Side::Sell => top.bid,
            });
            let would_trade = |price: Price| {
                against.is_some_and(|best| match side {
                    Side::Buy => price >= best.price,
                    Side::Sell => price <= best.price,
                })
            };
            let rungs = (1..=self.rungs).filter_map(|rung| self.rung(spec, side, rung));
            let missing = rungs.filter(|(price, _)| !taken.contains(price) && !would_trade(*price));
            commands.extend(missing.map(|(price, quantity)| self.order(side, TimeInForce::Gtc, quantity, price)));
        }
        commands
    }

    /// The same ladder round another price: the middle is the largest multiple of the spacing that is not above it.
    /// The price then lies between the best bid and the best ask, and a small move leaves most rungs where they were.
    #[must_use]
    pub fn moved_to(&self, exchange: &Exchange, price: Price) -> Self {
        let spacing = exchange.spec().symbol(self.symbol).map_or(self.spacing, |spec| self.spacing_on(spec));
        Self { reference: price.floor_to(spacing), ..*self }
    }

    /// The commands that take away the provider's orders that stand on no rung.
    pub fn clear(&self, exchange: &Exchange, account: AccountId) -> Vec<Command> {
        let Some(spec) = exchange.spec().symbol(self.symbol) else { return Vec::new() };
        let rungs: BTreeSet<(Side, Price)> = [Side::Buy, Side::Sell]
            .into_iter()
            .flat_map(|side| (1..=self.rungs).filter_map(move |rung| Some((side, self.rung(spec, side, rung)?.0))))
            .collect();
        let open = exchange.open_orders(account, Some(self.symbol));
        open.iter()
            .filter(|order| !rungs.contains(&(order.side, order.price)))
            .map(|order| self.cancel(order.id))
            .collect()
    }

    /// A LIMIT order on the ladder's symbol.
    pub const fn order(&self, side: Side, time_in_force: TimeInForce, quantity: Quantity, price: Price) -> Command {
        let kind = OrderKind::Limit { time_in_force, quantity, price };
        Command::Place(NewOrder::new(self.symbol, side, kind))
    }

    /// The cancel of an order on the ladder's symbol.
    pub const fn cancel(&self, order: OrderId) -> Command {
        let target = OrderRef::Id(order);
        Command::Cancel(CancelOrder { symbol: self.symbol, target, cancel_id: None, restriction: None })
    }

    /// The quantity of one trade at a price: a fiftieth of a middle rung, varied as rungs are by the seed and `turn`.
    /// Filters may raise it. Nothing when the symbol is unknown.
    pub fn trade_quantity(&self, exchange: &Exchange, turn: u64, price: Price) -> Option<Quantity> {
        let spec = exchange.spec().symbol(self.symbol)?;
        self.varied(spec, self.quantity.units() / TRADES_PER_RUNG, mix(turn), price)
    }

    /// The spacing as whole ticks.
    fn spacing_on(&self, spec: &SymbolSpec) -> Price {
        let tick = tick_of(spec);
        self.spacing.floor_to(tick).max(tick)
    }

    /// Price and quantity of a rung, counted from 1; nothing where there is no positive price.
    fn rung(&self, spec: &SymbolSpec, side: Side, rung: u32) -> Option<(Price, Quantity)> {
        let away = self.spacing_on(spec).units().checked_mul(i64::from(rung))?;
        let middle = self.reference.floor_to(tick_of(spec)).units();
        let price = Price::from_units(match side {
            Side::Buy => middle.checked_sub(away)?,
            Side::Sell => middle.checked_add(away)?,
        });
        if !price.is_positive() {
            return None;
        }
        Some((price, self.rung_quantity(spec, side, rung, price)?))
    }

    fn rung_quantity(&self, spec: &SymbolSpec, side: Side, rung: u32, price: Price) -> Option<Quantity> {
        let place = (u64::from(rung) << 1) | u64::from(side == Side::Sell);
        self.varied(spec, self.quantity.units(), place, price)
    }

    /// From half to one and a half of the middle quantity, as the seed and the salt say.
    fn varied(&self, spec: &SymbolSpec, middle: i64, salt: u64, price: Price) -> Option<Quantity> {
        let parts = mix(mix(self.seed ^ u64::from(self.symbol.0).rotate_left(32)) ^ salt) % 1_001;
        let middle = i128::from(middle);
        let varied = middle / 2 + middle * i128::from(parts) / 1_000;
        let lot = spec.filters.lot.unwrap_or_default();
        let smallest_worth = spec.filters.notional.map(|filter| filter.min).unwrap_or_default();
        // One step more than the truncated quantity is worth at least the smallest notional.
        let worth_it = price.affords(smallest_worth).units().checked_add(lot.step.units().max(1))?;
        let quantity = Quantity::from_units(i64::try_from(varied).ok()?).max(lot.min);
        Some(quantity.max(Quantity::from_units(worth_it)).floor_to(lot.step))
    }
}

/// The symbol's price tick; one unit where it has none.
fn tick_of(spec: &SymbolSpec) -> Price {
    let tick = spec.filters.price.map(|filter| filter.tick).filter(|tick| tick.is_positive());
    tick.unwrap_or(Price::from_units(1))
}
