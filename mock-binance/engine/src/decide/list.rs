//! Placing order lists, and what comes of them later.
//!
//! Later means: an order of the list was filled or closed. What then has to happen is worked out from how its orders
//! stand, in the order of [`next_step`]'s lines.

use crate::command::{Instructions, LimitTerms, MarketSize, NewOrder, OrderKind, OrderType, Side, StopGoal};
use crate::decide::filters::{self, Besides, Surroundings};
use crate::decide::matching::{self, Match};
use crate::decide::place::{self, Desire};
use crate::fact::{Accepted, Closing, Fact, ListOpened, Member};
use crate::ids::{AccountId, ClientOrderId, ListId, OrderId};
use crate::list::{ListLegs, NewOrderList, OcoLegs, PendingLegs};
use crate::money::{Amount, Overflow, Price, Quantity};
use crate::order::{ExpiryReason, OrderStatus};
use crate::rejection::Rejection;
use crate::spec::{Filter, SymbolSpec};
use crate::state::{Account, ListRecord, OrderRecord, Slot, State};
use crate::time::Timestamp;

/// Decides everything that a new list brings about at once. `matches` is room to work in.
pub(crate) fn place_list(
    state: &State,
    now: Timestamp,
    account_id: AccountId,
    list: &NewOrderList,
    matches: &mut Vec<Match>,
    plan: &mut Vec<Fact>,
) -> Result<ListId, Rejection> {
    let kind = list.kind();
    let orders = in_order(list);
    let mut checked = None;
    for order in &orders {
        // The quantity of what an OPO places is not known yet.
        let order = if kind.pays_other() { sized(order, Quantity::from_units(1)) } else { *order };
        checked = Some(place::well_formed(state, now, account_id, &order)?);
    }
    let (account, spec) = checked.ok_or(Rejection::ListNotSupported)?;
    check_features(list, spec)?;
    check_combination(list)?;
    if account.counted
        && let Some(hit) = account.counts.hit(&state.spec.limits.orders, now, kind.order_count())
    {
        return Err(Rejection::TooManyOrders(hit));
    }
    let others = |which: &dyn Fn(&NewOrder) -> bool| -> i64 {
        orders.iter().map(|order| i64::from(which(order))).sum::<i64>() - 1
    };
    let besides = Besides {
        open: i64::from(kind.order_count()) - 1,
        algo: others(&|order| matches!(order.kind, OrderKind::Stop { .. })),
        iceberg: others(&|order| order.instructions.iceberg.is_some()),
    };
    let around = Surroundings { state, now, account, spec, symbol: list.symbol, besides };
    let known = if kind.pays_other() { 1 } else { orders.len() };
    for order in orders.iter().take(known) {
        filters::pass(order, &around)?;
    }
    pass_list_filters(&around)?;
    check_names(state, account_id, list, &orders)?;

    let id = state.lists.next().ok_or(Rejection::Overflow)?;
    let first = state.next_order().filter(|_| !state.is_full()).ok_or(Rejection::Overflow)?;
    let client_id = list.client_id.unwrap_or_else(|| ClientOrderId::for_list(id));
    plan.push(Fact::ListOpened(ListOpened { list: id, account: account_id, symbol: list.symbol, kind, client_id }));
    let accepted = |place: u64, order: &NewOrder, pending: bool, twin_holds: bool| {
        let member = Member { list: id, pending, twin_holds };
        Fact::Accepted(accepted(OrderId(first.0 + place), account_id, spec, order, member))
    };
    match list.legs {
        ListLegs::Oco(legs) => {
            let pair = Pair { state, owner: account_id, account, spec, orders: legs.in_order(), extra: Amount::ZERO };
            let dearer = pair.dearer(matches)?;
            for (place, order) in pair.orders.iter().enumerate() {
                plan.push(accepted(place as u64, order, false, place != dearer));
            }
            if matches!(pair.orders[1].kind, OrderKind::LimitMaker { .. }) {
                plan.push(Fact::Booked { order: OrderId(first.0 + 1) });
            }
        }
        ListLegs::Oto { working, .. } => {
            let (owner, order) = (account_id, &working);
            let desire = Desire { state, owner, account, spec, order, is_held: false, extra: Amount::ZERO, matches };
            let intent = desire.intent()?;
            plan.push(accepted(0, &working, false, false));
            for (place, order) in orders.iter().enumerate().skip(1) {
                plan.push(accepted(place as u64, order, true, false));
            }
            let (mode, ..) = place::instructed(&working, spec);
            place::tell_plan(state, (first, working.side, mode), spec, matches, &intent.rest, plan)?;
        }
    }
    Ok(id)
}

/// The orders of a list as they are numbered.
fn in_order(list: &NewOrderList) -> Vec<NewOrder> {
    match list.legs {
        ListLegs::Oco(legs) => legs.in_order().to_vec(),
        ListLegs::Oto { working, pending: PendingLegs::One(order), .. } => vec![working, order],
        ListLegs::Oto { working, pending: PendingLegs::Oco(legs), .. } => {
            let [one, other] = legs.in_order();
            vec![working, one, other]
        }
    }
}

fn check_features(list: &NewOrderList, spec: &SymbolSpec) -> Result<(), Rejection> {
    let kind = list.kind();
    if kind.pair().is_some() && !spec.features.oco {
        return Err(Rejection::OcoNotAllowed);
    }
    if kind.has_working() && !spec.features.oto {
        return Err(Rejection::OtoNotAllowed);
    }
    if kind.pays_other() && !spec.features.opo { Err(Rejection::OpoNotAllowed) } else { Ok(()) }
}

/// Whether the orders go together.
fn check_combination(list: &NewOrderList) -> Result<(), Rejection> {
    let here = |order: &NewOrder| order.symbol == list.symbol;
    let fine = match list.legs {
        ListLegs::Oco(legs) => pair_fits(legs) && here(&legs.above),
        ListLegs::Oto { working, pending, pays_other } => {
            let rests = matches!(working.kind, OrderKind::Limit { .. } | OrderKind::LimitMaker { .. });
            let (fits, side) = match pending {
                PendingLegs::One(order) => {
                    let by_quote = matches!(order.kind, OrderKind::Market { size: MarketSize::Quote(_) });
                    (!by_quote && here(&order), order.side)
                }
                PendingLegs::Oco(legs) => (pair_fits(legs) && here(&legs.above), legs.above.side),
            };
            let pays = !pays_other || (working.side == Side::Buy && side == Side::Sell);
            rests && fits && pays && here(&working)
        }
    };
    if fine { Ok(()) } else { Err(Rejection::ListNotSupported) }
}

fn pair_fits(OcoLegs { above, below }: OcoLegs) -> bool {
    let takes_profit = |order: &NewOrder| {
        matches!(order.kind, OrderKind::LimitMaker { .. } | OrderKind::Stop { goal: StopGoal::Profit, .. })
    };
    let alike = above.side == below.side && above.symbol == below.symbol;
    let one_of_each = (above.is_stop_loss() && takes_profit(&below)) || (below.is_stop_loss() && takes_profit(&above));
    alike && one_of_each && quantity_of(&above) == quantity_of(&below)
}

fn pass_list_filters(around: &Surroundings<'_>) -> Result<(), Rejection> {
    let full = |open: usize, most: Option<u32>| most.is_some_and(|most| u32::try_from(open).is_ok_and(|n| n >= most));
    let open = &around.account.open_lists;
    let here = open.iter().filter_map(|list| around.state.lists.get(*list)).filter(|list| list.symbol == around.symbol);
    if full(here.count(), around.spec.filters.max_num_order_lists) {
        return Err(Rejection::Filter(Filter::MaxNumOrderLists));
    }
    if full(open.len(), around.state.spec.filters.max_num_order_lists) {
        return Err(Rejection::Filter(Filter::ExchangeMaxNumOrderLists));
    }
    Ok(())
}

/// Names are unique among what is open, and within the list.
fn check_names(state: &State, account: AccountId, list: &NewOrderList, orders: &[NewOrder]) -> Result<(), Rejection> {
    let is_open =
        |name| state.lists.named(account, name).and_then(|id| state.lists.get(id)).is_some_and(|l| !l.is_done);
    if list.client_id.is_some_and(is_open) {
        return Err(Rejection::DuplicateList);
    }
    for (place, order) in orders.iter().enumerate() {
        place::check_name(state, account, order)?;
        let same = |other: &NewOrder| other.client_order_id.is_some() && other.client_order_id == order.client_order_id;
        if orders.iter().skip(place + 1).any(same) {
            return Err(Rejection::DuplicateOrder);
        }
    }
    Ok(())
}

/// An order as the engine takes it on.
fn accepted(id: OrderId, account: AccountId, spec: &SymbolSpec, order: &NewOrder, member: Member) -> Accepted {
    let (time_in_force, price, stop_price) = place::terms(&order.kind);
    let (prevention, iceberg, trailing_delta) = place::instructed(order, spec);
    Accepted {
        order: id,
        account,
        symbol: order.symbol,
        side: order.side,
        order_type: order.kind.order_type(),
        time_in_force,
        price,
        stop_price,
        quantity: quantity_of(order),
        quote_order_qty: Amount::ZERO,
        client_order_id: order.client_order_id,
        member: Some(member),
        prevention,
        iceberg,
        trailing_delta,
    }
}

/// The quantity of an order that has one.
fn quantity_of(order: &NewOrder) -> Quantity {
    match order.kind {
        OrderKind::Limit { quantity, .. }
        | OrderKind::LimitMaker { quantity, .. }
        | OrderKind::Stop { quantity, .. }
        | OrderKind::Market { size: MarketSize::Base(quantity) } => quantity,
        OrderKind::Market { size: MarketSize::Quote(_) } => Quantity::ZERO,
    }
}

/// The same order of another quantity.
pub(super) fn sized(order: &NewOrder, to: Quantity) -> NewOrder {
    let mut order = *order;
    match &mut order.kind {
        OrderKind::Limit { quantity, .. }
        | OrderKind::LimitMaker { quantity, .. }
        | OrderKind::Stop { quantity, .. }
        | OrderKind::Market { size: MarketSize::Base(quantity) } => *quantity = to,
        OrderKind::Market { size: MarketSize::Quote(_) } => {}
    }
    order
}

/// The order that an accepted one was asked for as, with this quantity.
pub(super) fn asked(record: &OrderRecord, quantity: Quantity) -> NewOrder {
    let (price, time_in_force) = (record.price(), record.time_in_force);
    let kind = match record.order_type {
        OrderType::Limit => OrderKind::Limit { time_in_force, quantity, price },
        OrderType::LimitMaker => OrderKind::LimitMaker { quantity, price },
        OrderType::Market => OrderKind::Market { size: MarketSize::Base(quantity) },
        OrderType::StopLoss | OrderType::StopLossLimit | OrderType::TakeProfit | OrderType::TakeProfitLimit => {
            let limit = (!record.order_type.takes_any_price()).then_some(LimitTerms { time_in_force, price });
            let goal = record.order_type.stop_goal().unwrap_or(StopGoal::Loss);
            OrderKind::Stop { goal, stop_price: record.special().stop_price, quantity, limit }
        }
    };
    let instructions = Instructions {
        prevention: Some(record.prevention),
        iceberg: Some(record.special().iceberg).filter(|shown| shown.is_positive()),
        trailing_delta: Some(record.special().trailing_delta).filter(|delta| *delta > 0),
    };
    NewOrder { instructions, ..NewOrder::new(record.symbol, record.side, kind) }
}

/// The two orders of an OCO, the stop loss first, before the book and the balances are asked.
struct Pair<'a> {
    state: &'a State,
    owner: AccountId,
    account: &'a Account,
    spec: &'a SymbolSpec,
    orders: [NewOrder; 2],
    /// What an OPO holds for them already.
    extra: Amount,
}

impl Pair<'_> {
    /// Checks both, and tells the place of the one that holds what both pay with.
    fn dearer(&self, matches: &mut Vec<Match>) -> Result<usize, Rejection> {
        let [stop_loss, other] = &self.orders;
        let market = self.state.market(stop_loss.symbol).ok_or(Rejection::UnknownSymbol)?;
        if let Some(last) = market.tape.last_price() {
            let (far, near) = (place::reach(&other.kind), place::reach_stop(&stop_loss.kind));
            // One that follows the price from the start has no price of its own.
            let fine = match stop_loss.side {
                Side::Sell => far > last && last > near,
                Side::Buy => far < last && (last < near || near.is_zero()),
            };
            if !fine {
                return Err(Rejection::ListPrices);
            }
        }
        for order in &self.orders {
            let Self { state, owner, account, spec, extra, .. } = *self;
            Desire { state, owner, account, spec, order, is_held: false, extra, matches }.intent()?;
        }
        Ok(usize::from(needs(other)? > needs(stop_loss)?))
    }
}

/// What an order of an OCO holds when it stands alone.
fn needs(order: &NewOrder) -> Result<Amount, Overflow> {
    let quantity = quantity_of(order);
    match (order.side, place::terms(&order.kind)) {
        (Side::Sell, _) => Ok(quantity.as_amount()),
        (Side::Buy, (_, Price::ZERO, stop_price)) => stop_price.times_up(quantity),
        (Side::Buy, (_, price, _)) => price.times_up(quantity),
    }
}

/// What has to happen next because an order of this list was filled or closed; nothing when the plan stays empty.
///
/// 1. One order of an OCO is closed, and not by the other one: the other ends with `OCO_TRIGGER`.
/// 2. The working order is filled: what waits for it is placed, or ends with `REJECTED` when it cannot be.
/// 3. The working order ended otherwise: what waits for it ends with `OTO_PHASE_ONE_EXPIRED`.
/// 4. No order is open: the list is done.
pub(crate) fn next_step(
    state: &State,
    now: Timestamp,
    id: ListId,
    matches: &mut Vec<Match>,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    matches.clear();
    let list = state.lists.get(id).filter(|list| !list.is_done).ok_or(Rejection::UnknownList)?;
    let is_open = |slot: Slot| state.record(slot).is_some_and(|record| record.status.is_open());
    let expire = |slot: Slot, why| Fact::Closed { order: slot.id(), closing: Closing::Expired(why) };
    if let Some((one, other)) = list.kind.pair().and_then(|(a, b)| list.order(a).zip(list.order(b)))
        && is_open(one) != is_open(other)
    {
        let (open, closed) = if is_open(one) { (one, other) } else { (other, one) };
        // Otherwise it is the open one that has ended the other.
        if state.record(closed).is_some_and(|record| record.expiry_reason != Some(ExpiryReason::OcoTrigger)) {
            plan.push(expire(open, ExpiryReason::OcoTrigger));
            return Ok(());
        }
    }
    let waits = |slot: &Slot| state.record(*slot).is_some_and(|record| record.pending && record.status.is_open());
    let working = state.record(list.first).ok_or(Rejection::UnknownOrder)?;
    let pending: Vec<Slot> = list.pending().filter(waits).collect();
    if list.kind.has_working() && !working.status.is_open() && !pending.is_empty() {
        if working.status == OrderStatus::Filled {
            if release(state, now, list, &pending, matches, plan).is_err() {
                plan.clear();
                plan.extend(pending.iter().map(|slot| expire(*slot, ExpiryReason::Rejected)));
            }
        } else {
            plan.extend(pending.iter().map(|slot| expire(*slot, ExpiryReason::OtoPhaseOneExpired)));
        }
        return Ok(());
    }
    if !list.orders().any(is_open) {
        plan.push(Fact::ListClosed { list: id });
    }
    Ok(())
}

/// Places what waited for the working order.
fn release(
    state: &State,
    now: Timestamp,
    list: &ListRecord,
    pending: &[Slot],
    matches: &mut Vec<Match>,
    plan: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let account = state.account(list.account).ok_or(Rejection::UnknownAccount)?;
    let spec = state.spec.symbol(list.symbol).ok_or(Rejection::UnknownSymbol)?;
    let around = Surroundings { state, now, account, spec, symbol: list.symbol, besides: Besides::ITSELF };
    let extra = list.held;
    let mut orders = Vec::new();
    for slot in pending {
        let record = state.record(*slot).ok_or(Rejection::UnknownOrder)?;
        let quantity = if list.kind.pays_other() { lots(spec, record.order_type, extra) } else { record.quantity };
        let order = asked(&record, quantity);
        if !quantity.is_positive() {
            return Err(Rejection::InvalidQuantity);
        }
        filters::pass(&order, &around)?;
        orders.push((slot.id(), order));
    }
    match orders.as_slice() {
        [(id, order)] => {
            let owner = list.account;
            let desire = Desire { state, owner, account, spec, order, is_held: false, extra, matches: &mut *matches };
            let intent = desire.intent()?;
            plan.push(Fact::Released { order: *id, quantity: intent.quantity, twin_holds: false });
            let (mode, ..) = place::instructed(order, spec);
            place::tell_plan(state, (*id, order.side, mode), spec, matches, &intent.rest, plan)
        }
        [(one, first), (other, second)] => {
            let pair = Pair { state, owner: list.account, account, spec, orders: [*first, *second], extra };
            let dearer = pair.dearer(matches)?;
            for (place, (id, order)) in [(one, first), (other, second)].into_iter().enumerate() {
                let quantity = quantity_of(order);
                plan.push(Fact::Released { order: *id, quantity, twin_holds: place != dearer });
            }
            if matches!(second.kind, OrderKind::LimitMaker { .. }) {
                plan.push(Fact::Booked { order: *other });
            }
            Ok(())
        }
        _ => Err(Rejection::ListNotSupported),
    }
}

/// What an OPO's proceeds are as a quantity: whole steps of the lot size.
fn lots(spec: &SymbolSpec, order_type: OrderType, proceeds: Amount) -> Quantity {
    let proceeds = Quantity::from_units(proceeds.units());
    if order_type == OrderType::Market {
        let (step, most) = matching::market_lot(spec);
        proceeds.min(most).floor_to(step)
    } else {
        let lot = spec.filters.lot.unwrap_or_default();
        let most = if lot.max.is_zero() { Quantity::MAX } else { lot.max };
        proceeds.min(most).floor_to(lot.step)
    }
}
