//! A closed order as bytes. What an ordinary order does not have, or what follows from the rest, is told by a flag.

use crate::command::PreventionMode;
use crate::ids::{AccountId, SymbolId};
use crate::journal::codec::{EXPIRIES, ORDER_TYPES, SIDES, TIMES_IN_FORCE};
use crate::money::{Amount, Price, Quantity};
use crate::order::OrderStatus;
use crate::packing::{Reader, digit, of_digit, put_micros, put_u64, put_units};
use crate::state::OrderRecord;
use crate::state::book::PartId;
use crate::state::orders::Special;
use crate::time::Timestamp;

/// More than the longest order takes: twenty numbers of at most ten bytes.
pub(super) const ORDER_BYTES_MAX: usize = 256;

const STATUSES: [OrderStatus; 7] = [
    OrderStatus::Filled,
    OrderStatus::Canceled,
    OrderStatus::Expired,
    OrderStatus::New,
    OrderStatus::PartiallyFilled,
    OrderStatus::PendingNew,
    OrderStatus::ExpiredInMatch,
];

/// Nothing of it traded.
const UNTOUCHED: u64 = 1;
/// All of it traded.
const WHOLE: u64 = 1 << 1;
/// It was placed after it was accepted.
const WORKED_LATER: u64 = 1 << 2;
/// What its trades came to is not its price times their quantity.
const OTHER_QUOTE: u64 = 1 << 3;
const NAMED: u64 = 1 << 4;
const EXPIRY_REASON: u64 = 1 << 5;
/// Account, symbol and mode of prevention are those of the base.
const ALIKE: u64 = 1 << 6;
const IN_LIST: u64 = 1 << 7;
const WAITING: u64 = 1 << 8;
const PENDING: u64 = 1 << 9;
const TWIN_HOLDS: u64 = 1 << 10;
const PREVENTED: u64 = 1 << 11;
const ICEBERG: u64 = 1 << 12;
const TRAILS: u64 = 1 << 13;
const FOLLOWED: u64 = 1 << 14;
const STOP_PRICE: u64 = 1 << 15;

/// What the orders that are kept together are told relative to: one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    updated: Timestamp,
    account: AccountId,
    symbol: SymbolId,
    prevention: PreventionMode,
}

impl Base {
    pub(super) const fn of(record: &OrderRecord) -> Self {
        let OrderRecord { updated, account, symbol, prevention, .. } = *record;
        Self { updated, account, symbol, prevention }
    }
}

/// Times of the order are told relative to the moment that it closed, and that one to the base.
pub(super) fn put(out: &mut Vec<u8>, record: &OrderRecord, base: &Base) {
    // Every field by name: whoever adds one has to say here how it is kept.
    let OrderRecord {
        price_or_quote,
        quantity,
        executed,
        cumulative_quote,
        // Field by field below.
        special: _,
        time,
        working,
        updated,
        account,
        name,
        list,
        // An order that is closed has left the book.
        part: _,
        symbol,
        side,
        order_type,
        time_in_force,
        status,
        expiry_reason,
        waiting,
        pending,
        twin_holds,
        prevention,
    } = record;
    let Special { stop_price, prevented, prevented_match, iceberg, shown, trailing_delta, trailing_since } =
        record.special();
    let other_quote = Price::from_units(*price_or_quote).times(*executed) != Ok(*cumulative_quote);
    let alike = (*account, *symbol, *prevention) == (base.account, base.symbol, base.prevention);
    let flags = [
        (alike, ALIKE),
        (executed.is_zero(), UNTOUCHED),
        (!executed.is_zero() && executed == quantity, WHOLE),
        (working != time, WORKED_LATER),
        (other_quote, OTHER_QUOTE),
        (name.is_some(), NAMED),
        (expiry_reason.is_some(), EXPIRY_REASON),
        (!stop_price.is_zero(), STOP_PRICE),
        (list.is_some(), IN_LIST),
        (*waiting, WAITING),
        (*pending, PENDING),
        (*twin_holds, TWIN_HOLDS),
        (prevented_match.is_some(), PREVENTED),
        (!iceberg.is_zero(), ICEBERG),
        (*trailing_delta > 0, TRAILS),
        (trailing_since.is_some(), FOLLOWED),
    ];
    let flags = flags.iter().filter(|(is_so, _)| *is_so).fold(0, |flags, (_, flag)| flags | flag);
    put_u64(out, flags);
    // The values that most orders have come first, and make a small number.
    let kind = digit(digit(0, &ORDER_TYPES, order_type), &TIMES_IN_FORCE, time_in_force);
    put_u64(out, digit(digit(kind, &SIDES, side), &STATUSES, status));
    if !alike {
        put_u64(out, account.0.into());
        put_u64(out, symbol.0.into());
        put_u64(out, digit(0, &PreventionMode::ALL, prevention));
    }
    put_units(out, *price_or_quote);
    put_units(out, quantity.units());
    put_micros(out, updated.micros_since(base.updated));
    put_micros(out, updated.micros_since(*time));
    if flags & (UNTOUCHED | WHOLE) == 0 {
        put_units(out, executed.units());
    }
    if other_quote {
        put_units(out, cumulative_quote.units());
    }
    if working != time {
        put_micros(out, updated.micros_since(*working));
    }
    if let Some(name) = name {
        put_u64(out, name.get().into());
    }
    if let Some(reason) = expiry_reason {
        put_u64(out, digit(0, &EXPIRIES, reason));
    }
    if !stop_price.is_zero() {
        put_units(out, stop_price.units());
    }
    if let Some(list) = list {
        put_u64(out, list.0.into());
    }
    if let Some(id) = prevented_match {
        put_u64(out, (*id).into());
        put_units(out, prevented.units());
    }
    if !iceberg.is_zero() {
        put_units(out, iceberg.units());
        put_units(out, shown.units());
    }
    if *trailing_delta > 0 {
        put_u64(out, (*trailing_delta).into());
    }
    if let Some(since) = trailing_since {
        put_micros(out, updated.micros_since(*since));
    }
}

/// The order at the start of these bytes; `None` at anything that was not written by [`put`].
pub(super) fn read(bytes: &[u8], base: &Base) -> Option<OrderRecord> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u64()?;
    let has = |flag| flags & flag != 0;
    let mut kind = reader.u64()?;
    let status = of_digit(&mut kind, &STATUSES)?;
    let side = of_digit(&mut kind, &SIDES)?;
    let time_in_force = of_digit(&mut kind, &TIMES_IN_FORCE)?;
    let order_type = of_digit(&mut kind, &ORDER_TYPES)?;
    let (account, symbol, prevention) = if has(ALIKE) {
        (base.account, base.symbol, base.prevention)
    } else {
        (reader.account()?, reader.symbol()?, reader.one_of(&PreventionMode::ALL)?)
    };
    let price_or_quote = reader.units()?;
    let quantity = reader.quantity()?;
    let updated = base.updated.plus_micros(reader.micros()?);
    let before = |micros: u64| updated.as_micros().checked_sub(micros).map(Timestamp::from_micros);
    let time = before(reader.micros()?)?;
    let executed = if has(UNTOUCHED) {
        Quantity::ZERO
    } else if has(WHOLE) {
        quantity
    } else {
        reader.quantity()?
    };
    let cumulative_quote: Amount =
        if has(OTHER_QUOTE) { reader.amount()? } else { Price::from_units(price_or_quote).times(executed).ok()? };
    let working = if has(WORKED_LATER) { before(reader.micros()?)? } else { time };
    let name = if has(NAMED) { Some(reader.narrow::<u32>()?.try_into().ok()?) } else { None };
    let expiry_reason = if has(EXPIRY_REASON) { Some(reader.one_of(&EXPIRIES)?) } else { None };
    let mut special = Special::NOTHING;
    if has(STOP_PRICE) {
        special.stop_price = reader.price()?;
    }
    let list = if has(IN_LIST) { Some(reader.list()?) } else { None };
    if has(PREVENTED) {
        special.prevented_match = Some(reader.narrow()?);
        special.prevented = reader.quantity()?;
    }
    if has(ICEBERG) {
        special.iceberg = reader.quantity()?;
        special.shown = reader.quantity()?;
    }
    if has(TRAILS) {
        special.trailing_delta = reader.narrow()?;
    }
    if has(FOLLOWED) {
        special.trailing_since = Some(before(reader.micros()?)?);
    }
    Some(OrderRecord {
        price_or_quote,
        quantity,
        executed,
        cumulative_quote,
        time,
        special: special.kept(),
        working,
        updated,
        account,
        name,
        expiry_reason,
        list,
        part: PartId::NONE,
        symbol,
        side,
        order_type,
        time_in_force,
        status,
        waiting: has(WAITING),
        pending: has(PENDING),
        twin_holds: has(TWIN_HOLDS),
        prevention,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::ListId;

    prop_compose! {
        fn any_record()(
            units in prop::array::uniform5(prop_oneof![Just(0), 1..1_000_i64, any::<i64>(), 1..100_000_i64]),
            whole in any::<bool>(),
            mut times in prop::array::uniform3(prop_oneof![0..100_u64, any::<u64>()]),
            ids in (any::<u32>(), any::<u32>(), prop::option::of(any::<u32>()), any::<u16>()),
            side in prop::sample::select(SIDES.to_vec()),
            order_type in prop::sample::select(ORDER_TYPES.to_vec()),
            time_in_force in prop::sample::select(TIMES_IN_FORCE.to_vec()),
            status in prop::sample::select(STATUSES.to_vec()),
            expiry_reason in prop::option::of(prop::sample::select(EXPIRIES.to_vec())),
            flags in prop::array::uniform3(any::<bool>()),
            prevention in prop::sample::select(PreventionMode::ALL.to_vec()),
            prevented in prop::option::of((any::<u32>(), any::<i64>())),
            iceberg in prop::option::of((1..i64::MAX, any::<i64>())),
            trailing in (any::<u16>(), any::<bool>()),
        ) -> OrderRecord {
            times.sort_unstable();
            let [price, stop, quantity, executed, quote] = units;
            let (account, name, list, symbol) = ids;
            let [waiting, pending, twin_holds] = flags;
            let special = Special {
                stop_price: Price::from_units(stop),
                prevented: Quantity::from_units(prevented.map(|(_, units)| units).unwrap_or_default()),
                prevented_match: prevented.map(|(id, _)| id),
                iceberg: Quantity::from_units(iceberg.map(|(part, _)| part).unwrap_or_default()),
                shown: Quantity::from_units(iceberg.map(|(_, shown)| shown).unwrap_or_default()),
                trailing_delta: trailing.0,
                trailing_since: trailing.1.then_some(Timestamp::from_micros(times[1])),
            };
            OrderRecord {
                special: special.kept(),
                price_or_quote: price,
                quantity: Quantity::from_units(quantity),
                executed: Quantity::from_units(if whole { quantity } else { executed }),
                cumulative_quote: Amount::from_units(quote),
                time: Timestamp::from_micros(times[0]),
                working: Timestamp::from_micros(times[1]),
                updated: Timestamp::from_micros(times[2]),
                account: AccountId(account),
                name: std::num::NonZeroU32::new(name),
                list: list.map(ListId),
                part: PartId::NONE,
                symbol: SymbolId(symbol),
                side,
                order_type,
                time_in_force,
                status,
                expiry_reason,
                waiting,
                pending,
                twin_holds,
                prevention,
            }
        }
    }

    proptest! {
        #[test]
        fn every_closed_order_comes_back(record in any_record()) {
            let mut bytes = Vec::new();
            let (account, symbol) = (AccountId(7), SymbolId(3));
            let other = Base { updated: Timestamp::EPOCH, account, symbol, prevention: PreventionMode::ExpireBoth };
            for base in [other, Base::of(&record)] {
                bytes.clear();
                put(&mut bytes, &record, &base);
                prop_assert!(bytes.len() <= ORDER_BYTES_MAX);
                prop_assert_eq!(read(&bytes, &base), Some(record.clone()));
                for cut in 0..bytes.len() {
                    prop_assert_eq!(read(&bytes[..cut], &base), None);
                }
            }
        }
    }
}
