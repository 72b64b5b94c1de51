//! Placing an order.
//!
//! Causes of refusal are looked for in the order of [`Rejection`]'s variants; the first found is told.

use crate::command::{
    CancelReplace, Instructions, LimitTerms, MarketSize, NewOrder, OrderKind, PreventionMode, Side, StopGoal,
    TimeInForce,
};
use crate::decide::filters::{self, Besides, Surroundings};
use crate::decide::matching::{self, Appetite, Match, Taker, Walk};
use crate::fact::{Accepted, Closing, Fact, Prevented, Traded};
use crate::ids::{AccountId, ClientOrderId, OrderId};
use crate::limits::OrderCountHit;
use crate::money::{Amount, Price, Quantity};
use crate::order::ExpiryReason;
use crate::rejection::Rejection;
use crate::spec::{SymbolSpec, SymbolStatus};
use crate::state::{Account, Slot, State};
use crate::time::Timestamp;

/// What `order/test` looks at: the symbol's rules and filters.
pub(crate) fn check(state: &State, now: Timestamp, account: AccountId, order: &NewOrder) -> Result<(), Rejection> {
    let (account, spec) = well_formed(state, now, account, order)?;
    pass_filters(state, now, account, spec, order)
}

/// What needs neither limits nor filters nor the book to see.
pub(super) fn well_formed<'a>(
    state: &'a State,
    now: Timestamp,
    account: AccountId,
    order: &NewOrder,
) -> Result<(&'a Account, &'a SymbolSpec), Rejection> {
    let known = state.account(account).filter(|_| account != AccountId::FEES).ok_or(Rejection::UnknownAccount)?;
    let spec = state.spec.symbol(order.symbol).ok_or(Rejection::UnknownSymbol)?;
    let market = state.market(order.symbol).ok_or(Rejection::UnknownSymbol)?;
    if market.status_at(now) != SymbolStatus::Trading {
        return Err(Rejection::MarketClosed);
    }
    if !spec.order_types.take(order.kind.order_type()) {
        return Err(Rejection::OrderTypeNotAllowed);
    }
    let (sized, priced) = match order.kind {
        OrderKind::Limit { quantity, price, .. } | OrderKind::LimitMaker { quantity, price } => {
            (quantity.is_positive(), price.is_positive())
        }
        OrderKind::Market { size: MarketSize::Base(quantity) } => (quantity.is_positive(), true),
        OrderKind::Stop { stop_price, quantity, limit, .. } => {
            let limited = limit.is_none_or(|limit| limit.price.is_positive());
            let follows = stop_price.is_zero() && order.instructions.trailing_delta.is_some();
            (quantity.is_positive(), (stop_price.is_positive() || follows) && limited)
        }
        OrderKind::Market { size: MarketSize::Quote(amount) } => {
            if !spec.quote_order_qty_market_allowed {
                return Err(Rejection::QuoteOrderQtyNotAllowed);
            }
            (amount.is_positive(), true)
        }
    };
    check_instructions(order, spec)?;
    if !sized {
        return Err(Rejection::InvalidQuantity);
    }
    if !priced {
        return Err(Rejection::InvalidPrice);
    }
    Ok((known, spec))
}

/// Whether the symbol, and this type of order, take what is asked for.
fn check_instructions(order: &NewOrder, spec: &SymbolSpec) -> Result<(), Rejection> {
    let Instructions { prevention, iceberg, trailing_delta } = order.instructions;
    let is_allowed = |mode| mode == PreventionMode::None || spec.prevention.allowed.contains(&mode);
    if !prevention.is_none_or(is_allowed) {
        return Err(Rejection::PreventionNotAllowed);
    }
    if iceberg.is_some() {
        // What is hidden rests: nothing else can be cut into parts.
        let rests = match order.kind {
            OrderKind::Limit { time_in_force, .. } => time_in_force == TimeInForce::Gtc,
            OrderKind::LimitMaker { .. } => true,
            OrderKind::Stop { limit, .. } => limit.is_some_and(|limit| limit.time_in_force == TimeInForce::Gtc),
            OrderKind::Market { .. } => false,
        };
        if !spec.features.iceberg {
            return Err(Rejection::IcebergNotAllowed);
        }
        if !rests {
            return Err(Rejection::Unsupported);
        }
    }
    if trailing_delta.is_some() {
        if !matches!(order.kind, OrderKind::Stop { .. }) {
            return Err(Rejection::Unsupported);
        }
        if !spec.features.trailing_stop {
            return Err(Rejection::TrailingNotAllowed);
        }
    }
    Ok(())
}

/// What an order's instructions come to: a mode of prevention, the part to show, and the delta.
pub(super) fn instructed(order: &NewOrder, spec: &SymbolSpec) -> (PreventionMode, Option<Quantity>, Option<u16>) {
    let Instructions { prevention, iceberg, trailing_delta } = order.instructions;
    (prevention.unwrap_or(spec.prevention.default), iceberg, trailing_delta)
}

fn pass_filters(
    state: &State,
    now: Timestamp,
    account: &Account,
    spec: &SymbolSpec,
    order: &NewOrder,
) -> Result<(), Rejection> {
    filters::pass(order, &Surroundings { state, now, account, spec, symbol: order.symbol, besides: Besides::default() })
}

/// Decides everything that a new order brings about at once. `matches` is room to work in.
pub(crate) fn place(
    state: &State,
    now: Timestamp,
    account_id: AccountId,
    order: &NewOrder,
    matches: &mut Vec<Match>,
    plan: &mut Vec<Fact>,
) -> Result<OrderId, Rejection> {
    let (account, spec) = well_formed(state, now, account_id, order)?;
    if account.counted
        && let Some(hit) = account.counts.hit(&state.spec.limits.orders, now, 1)
    {
        return Err(Rejection::TooManyOrders(hit));
    }
    pass_filters(state, now, account, spec, order)?;
    check_name(state, account_id, order)?;
    let id = state.next_order().filter(|_| !state.is_full()).ok_or(Rejection::Overflow)?;
    let owner = account_id;
    let desire = Desire { state, owner, account, spec, order, is_held: false, extra: Amount::ZERO, matches };
    let intent = desire.intent()?;

    let (time_in_force, _, stop_price) = terms(&order.kind);
    let (prevention, iceberg, trailing_delta) = instructed(order, spec);
    plan.push(Fact::Accepted(Accepted {
        order: id,
        account: account_id,
        symbol: order.symbol,
        side: order.side,
        order_type: order.kind.order_type(),
        time_in_force,
        price: intent.price,
        stop_price,
        quantity: intent.quantity,
        quote_order_qty: intent.quote_order_qty,
        client_order_id: order.client_order_id,
        member: None,
        prevention,
        iceberg,
        trailing_delta,
    }));
    tell_plan(state, (id, order.side, prevention), spec, matches, &intent.rest, plan)?;
    Ok(id)
}

/// What is looked at before a cancel-replace does anything: the rules of the new order, and the order counts. With
/// `CANCEL_ONLY` a used-up count is told, and no refusal of the whole.
pub(crate) fn check_replace(
    state: &State,
    now: Timestamp,
    account: AccountId,
    request: &CancelReplace,
) -> Result<Option<OrderCountHit>, Rejection> {
    let (account, spec) = well_formed(state, now, account, &request.order)?;
    if !spec.features.cancel_replace {
        return Err(Rejection::CancelReplaceNotAllowed);
    }
    let hit = account.counts.hit(&state.spec.limits.orders, now, 1).filter(|_| account.counted);
    if let Some(hit) = hit
        && !request.cancel_when_limited
    {
        return Err(Rejection::TooManyOrders(hit));
    }
    pass_filters(state, now, account, spec, &request.order)?;
    Ok(hit)
}

/// A client's name is unique among its open orders on a symbol.
pub(super) fn check_name(state: &State, account: AccountId, order: &NewOrder) -> Result<(), Rejection> {
    let namesake = |name: &ClientOrderId| state.record(state.named(account, order.symbol, name)?);
    let taken = order.client_order_id.as_ref().and_then(namesake).is_some_and(|record| record.status.is_open());
    if taken { Err(Rejection::DuplicateOrder) } else { Ok(()) }
}

/// Time in force, limit and stop price, each as it is told of a type that has none.
pub(super) fn terms(kind: &OrderKind) -> (TimeInForce, Price, Price) {
    match *kind {
        OrderKind::Limit { time_in_force, price, .. } => (time_in_force, price, Price::ZERO),
        OrderKind::LimitMaker { price, .. } => (TimeInForce::Gtc, price, Price::ZERO),
        OrderKind::Market { .. } => (TimeInForce::Gtc, Price::ZERO, Price::ZERO),
        OrderKind::Stop { stop_price, limit, .. } => {
            let LimitTerms { time_in_force, price } =
                limit.unwrap_or(LimitTerms { time_in_force: TimeInForce::Gtc, price: Price::ZERO });
            (time_in_force, price, stop_price)
        }
    }
}

/// The price that an order of an OCO which takes a profit is compared by: its limit, or its stop price without one.
pub(super) fn reach(kind: &OrderKind) -> Price {
    match terms(kind) {
        (_, Price::ZERO, stop_price) => stop_price,
        (_, price, _) => price,
    }
}

/// The price that an order of an OCO which stops a loss is compared by.
pub(super) fn reach_stop(kind: &OrderKind) -> Price {
    terms(kind).2
}

/// Decides what happens to an order whose stop price was reached: what would happen to a new order of the type that
/// it becomes. It is counted and its name is known already, and a LIMIT order holds what it pays with.
pub(crate) fn release(
    state: &State,
    now: Timestamp,
    slot: Slot,
    matches: &mut Vec<Match>,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    matches.clear();
    let record = state.record(slot).ok_or(Rejection::UnknownOrder)?;
    let account = state.account(record.account).ok_or(Rejection::UnknownAccount)?;
    let spec = state.spec.symbol(record.symbol).ok_or(Rejection::UnknownSymbol)?;
    let (quantity, price, time_in_force) = (record.remaining(), record.price(), record.time_in_force);
    let is_held = !record.order_type.takes_any_price();
    let kind = if is_held {
        OrderKind::Limit { time_in_force, quantity, price }
    } else {
        OrderKind::Market { size: MarketSize::Base(quantity) }
    };
    let mut order = NewOrder::new(record.symbol, record.side, kind);
    order.instructions.prevention = Some(record.prevention);
    let owner = record.account;
    // It was counted among the open orders while it waited, and has just left them.
    filters::pass(
        &order,
        &Surroundings { state, now, account, spec, symbol: record.symbol, besides: Besides::default() },
    )?;
    let intent =
        Desire { state, owner, account, spec, order: &order, is_held, extra: Amount::ZERO, matches }.intent()?;
    tell_plan(state, (slot.id(), record.side, record.prevention), spec, matches, &intent.rest, plan)
}

/// The trades of an order that is placed, and what becomes of the rest.
///
/// Of the two orders of an OCO the other one is closed before the first trade, so that what it holds passes over.
pub(super) fn tell_plan(
    state: &State,
    (id, side, mode): (OrderId, Side, PreventionMode),
    spec: &SymbolSpec,
    matches: &[Match],
    rest: &Rest,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let activate = |maker: Slot, plan: &mut Vec<Fact>| {
        if let Some(twin) = state.open_twin(maker) {
            let closed = Fact::Closed { order: twin.id(), closing: Closing::Expired(ExpiryReason::OcoTrigger) };
            // An iceberg order is met more than once.
            if !plan.contains(&closed) {
                plan.push(closed);
            }
        }
    };
    for found in matches {
        match *found {
            Match::Trade { maker, price, quantity, quote } => {
                activate(maker, plan);
                let commission = |is_maker, of: Side| {
                    let received = if of == Side::Buy { quantity.as_amount() } else { quote };
                    // Three kinds that are rounded each may come to a unit more than there is.
                    Ok::<_, Rejection>(spec.commissions.on(received, is_maker, of)?.total()?.min(received))
                };
                plan.push(Fact::Traded(Traded {
                    maker: maker.id(),
                    taker: id,
                    price,
                    quantity,
                    quote,
                    maker_commission: commission(true, side.opposite())?,
                    taker_commission: commission(false, side)?,
                    maker_discounted: false,
                    taker_discounted: false,
                }));
            }
            Match::Prevented { maker, price, maker_quantity, taker_quantity } => {
                // An order that only becomes smaller has begun to work.
                if !maker_quantity.is_zero() && state.record(maker).is_some_and(|r| maker_quantity < r.remaining()) {
                    activate(maker, plan);
                }
                let (maker, taker) = (maker.id(), id);
                plan.push(Fact::Prevented(Prevented { maker, taker, mode, price, maker_quantity, taker_quantity }));
            }
        }
    }
    match rest {
        Rest::Nothing => {}
        Rest::Books => plan.push(Fact::Booked { order: id }),
        Rest::Expires(reason) => plan.push(Fact::Closed { order: id, closing: Closing::Expired(*reason) }),
    }
    Ok(())
}

/// What becomes of an order after its trades.
pub(super) struct Intent {
    price: Price,
    pub(super) quantity: Quantity,
    quote_order_qty: Amount,
    pub(super) rest: Rest,
}

/// What becomes of the part that does not trade at once.
pub(super) enum Rest {
    Nothing,
    Books,
    Expires(ExpiryReason),
}

/// A new order that has passed every rule of its symbol, before the book and the balances are asked.
pub(super) struct Desire<'a> {
    pub(super) state: &'a State,
    pub(super) owner: AccountId,
    pub(super) account: &'a Account,
    pub(super) spec: &'a SymbolSpec,
    pub(super) order: &'a NewOrder,
    /// Whether the order holds what it pays with already.
    pub(super) is_held: bool,
    /// What is held for a SELL besides the free balance.
    pub(super) extra: Amount,
    pub(super) matches: &'a mut Vec<Match>,
}

impl Desire<'_> {
    pub(super) fn intent(self) -> Result<Intent, Rejection> {
        match self.order.kind {
            OrderKind::Limit { time_in_force, quantity, price } => self.limit(time_in_force, quantity, price),
            OrderKind::LimitMaker { quantity, price } => self.limit_maker(quantity, price),
            OrderKind::Market { size: MarketSize::Base(quantity) } => self.market(quantity),
            OrderKind::Market { size: MarketSize::Quote(amount) } => self.market_by_quote(amount),
            OrderKind::Stop { goal, stop_price, quantity, limit } => self.stop(goal, stop_price, quantity, limit),
        }
    }

    fn walk(&mut self, appetite: Appetite) -> Result<Walk, Rejection> {
        let size = match appetite {
            Appetite::Base { quantity, .. } => Some(quantity),
            Appetite::Quote { .. } => None,
        };
        let (prevention, ..) = instructed(self.order, self.spec);
        let NewOrder { symbol, side, .. } = *self.order;
        let taker = Taker { account: self.owner, symbol, side, prevention, size };
        Ok(matching::walk(self.state, taker, appetite, self.matches)?)
    }

    /// Whether the account has this much free of what the order pays with.
    fn can_pay(&self, base: Quantity, quote: Amount) -> Result<(), Rejection> {
        if self.is_held {
            return Ok(());
        }
        let (asset, amount) = match self.order.side {
            Side::Buy => (self.spec.quote, quote),
            Side::Sell => (self.spec.base, base.as_amount()),
        };
        let free = self.account.purse(asset).map(|purse| purse.free).unwrap_or_default();
        let free = if self.order.side == Side::Sell { free.checked_add(self.extra)? } else { free };
        if free < amount { Err(Rejection::InsufficientBalance) } else { Ok(()) }
    }

    fn limit(mut self, time_in_force: TimeInForce, quantity: Quantity, price: Price) -> Result<Intent, Rejection> {
        let whole = price.times_up(quantity)?;
        self.can_pay(quantity, whole)?;
        let walk = self.walk(Appetite::Base { quantity, limit: Some(price) })?;
        let left = quantity.checked_sub(walk.quantity)?.checked_sub(walk.prevented)?;
        let rest = match time_in_force {
            TimeInForce::Fok if walk.quantity < quantity => {
                self.matches.clear();
                Rest::Expires(ExpiryReason::UnfilledFok)
            }
            _ if left.is_zero() => Rest::Nothing,
            TimeInForce::Gtc => {
                // A SELL that first took better prices may come to more than its limit says.
                walk.quote.checked_add(price.times_up(left)?)?;
                Rest::Books
            }
            TimeInForce::Ioc | TimeInForce::Fok => Rest::Expires(ExpiryReason::UnfilledIoc),
        };
        Ok(Intent { price, quantity, quote_order_qty: Amount::ZERO, rest })
    }

    fn limit_maker(self, quantity: Quantity, price: Price) -> Result<Intent, Rejection> {
        self.matches.clear();
        let market = self.state.market(self.order.symbol).ok_or(Rejection::UnknownSymbol)?;
        let takes = market.book.best_price(self.order.side.opposite()).is_some_and(|best| match self.order.side {
            Side::Buy => best <= price,
            Side::Sell => best >= price,
        });
        if takes {
            return Err(Rejection::WouldTake);
        }
        self.can_pay(quantity, price.times_up(quantity)?)?;
        Ok(Intent { price, quantity, quote_order_qty: Amount::ZERO, rest: Rest::Books })
    }

    fn stop(
        self,
        goal: StopGoal,
        stop_price: Price,
        quantity: Quantity,
        limit: Option<LimitTerms>,
    ) -> Result<Intent, Rejection> {
        self.matches.clear();
        let market = self.state.market(self.order.symbol).ok_or(Rejection::UnknownSymbol)?;
        let last = market.tape.last_price();
        if stop_price.is_positive() && last.is_some_and(|last| goal.is_reached(self.order.side, stop_price, last)) {
            return Err(Rejection::WouldTrigger);
        }
        let price = limit.map(|limit| limit.price);
        self.can_pay(quantity, price.unwrap_or(stop_price).times_up(quantity)?)?;
        let price = price.unwrap_or(Price::ZERO);
        Ok(Intent { price, quantity, quote_order_qty: Amount::ZERO, rest: Rest::Nothing })
    }

    fn market(mut self, quantity: Quantity) -> Result<Intent, Rejection> {
        let walk = self.walk(Appetite::Base { quantity, limit: None })?;
        self.can_pay(quantity, walk.quote)?;
        let filled = walk.quantity.checked_add(walk.prevented)? == quantity;
        let rest = if filled { Rest::Nothing } else { Rest::Expires(ExpiryReason::InsufficientLiquidity) };
        Ok(Intent { price: Price::ZERO, quantity, quote_order_qty: Amount::ZERO, rest })
    }

    fn market_by_quote(mut self, amount: Amount) -> Result<Intent, Rejection> {
        let (step, most) = matching::market_lot(self.spec);
        let walk = self.walk(Appetite::Quote { amount, step, most })?;
        let market = self.state.market(self.order.symbol).ok_or(Rejection::UnknownSymbol)?;
        if market.book.best_price(self.order.side.opposite()).is_none() {
            return Err(Rejection::NoLiquidity);
        }
        let least = self.spec.filters.lot.map(|lot| lot.min).unwrap_or_default();
        if walk.prevented.is_zero() && (walk.quantity.is_zero() || walk.quantity < least) {
            return Err(Rejection::LiquidityBelowLot);
        }
        // A BUY must own all that it offers to spend, as a SELL all that it turns out to sell.
        let quantity = walk.quantity.checked_add(walk.prevented)?.checked_add(walk.beyond)?;
        self.can_pay(quantity, amount)?;
        let filled = walk.beyond.is_zero();
        let rest = if filled { Rest::Nothing } else { Rest::Expires(ExpiryReason::InsufficientLiquidity) };
        Ok(Intent { price: Price::ZERO, quantity, quote_order_qty: amount, rest })
    }
}
