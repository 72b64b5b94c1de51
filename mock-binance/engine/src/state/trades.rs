//! One symbol's trades as a few bytes each: what differs from the trade before.

use crate::ids::TradeId;
use crate::money::{Amount, Price, Quantity};
use crate::packing::{Pages, Reader, Terms, put_delta, put_micros};
use crate::state::Slot;
use crate::time::Timestamp;

/// So many trades are read at most to find one of them.
const BLOCK: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TradeRecord {
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    pub(crate) time: Timestamp,
    pub(crate) maker: Slot,
    pub(crate) taker: Slot,
    pub(crate) maker_commission: Amount,
    pub(crate) taker_commission: Amount,
    pub(crate) maker_discounted: bool,
    pub(crate) taker_discounted: bool,
}

/// What the first trade of a block is told relative to.
const NOTHING: TradeRecord = TradeRecord {
    price: Price::ZERO,
    quantity: Quantity::ZERO,
    time: Timestamp::EPOCH,
    maker: Slot(0),
    taker: Slot(0),
    maker_commission: Amount::ZERO,
    taker_commission: Amount::ZERO,
    maker_discounted: false,
    taker_discounted: false,
};

/// Every trade, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trades {
    all: Pages<BLOCK>,
    /// The last trade once more: the next one is told relative to it, and it is what most readers ask for.
    last: Option<TradeRecord>,
}

fn put(out: &mut Vec<u8>, trade: &TradeRecord, before: &TradeRecord) {
    put_micros(out, trade.time.as_micros().wrapping_sub(before.time.as_micros()));
    put_delta(out, before.taker.0.into(), trade.taker.0.into());
    put_delta(out, trade.taker.0.into(), trade.maker.0.into());
    Terms {
        price: trade.price,
        quantity: trade.quantity,
        maker_commission: trade.maker_commission,
        taker_commission: trade.taker_commission,
        maker_discounted: trade.maker_discounted,
        taker_discounted: trade.taker_discounted,
    }
    .put(out, before.price);
}

fn read(reader: &mut Reader<'_>, before: &TradeRecord) -> Option<TradeRecord> {
    let time = Timestamp::from_micros(before.time.as_micros().wrapping_add(reader.micros()?));
    let taker = reader.delta(before.taker.0.into())?;
    let maker = reader.delta(taker)?;
    let (terms, _) = Terms::read(reader, before.price)?;
    Some(TradeRecord {
        price: terms.price,
        quantity: terms.quantity,
        time,
        maker: Slot(u32::try_from(maker).ok()?),
        taker: Slot(u32::try_from(taker).ok()?),
        maker_commission: terms.maker_commission,
        taker_commission: terms.taker_commission,
        maker_discounted: terms.maker_discounted,
        taker_discounted: terms.taker_discounted,
    })
}

impl Trades {
    pub(super) const fn new() -> Self {
        Self { all: Pages::new(), last: None }
    }

    pub(super) const fn last(&self) -> Option<&TradeRecord> {
        self.last.as_ref()
    }

    /// Forgets the trades before this one; the last trade is kept in any case.
    pub(super) fn forget_below(&mut self, id: TradeId) {
        self.all.forget_below(usize::try_from(id.0).unwrap_or(usize::MAX));
    }

    /// `None` when there is no room.
    pub(super) fn push(&mut self, trade: TradeRecord) -> Option<()> {
        let (out, starts) = self.all.next()?;
        let before = self.last.as_ref().filter(|_| !starts);
        put(out, &trade, before.unwrap_or(&NOTHING));
        self.last = Some(trade);
        Some(())
    }

    pub(super) fn get(&self, id: TradeId) -> Option<TradeRecord> {
        let place = usize::try_from(id.0).ok()?;
        if place + 1 == self.all.len() {
            return self.last.clone();
        }
        let mut reader = self.all.block(place)?;
        let mut trade = read(&mut reader, &NOTHING)?;
        for _ in 0..place % BLOCK {
            trade = read(&mut reader, &trade)?;
        }
        Some(trade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trade_comes_back() {
        let records: Vec<TradeRecord> = (0..1_300_u32)
            .map(|number| TradeRecord {
                price: Price::from_units(6_000_000_000_000 - i64::from(number % 7) * 1_000_000),
                quantity: Quantity::from_units(i64::from(number) + 1),
                time: Timestamp::from_millis(1_767_571_200_000 + u64::from(number / 3)),
                maker: Slot(number),
                taker: Slot(2_000 + number / 2),
                maker_commission: Amount::from_units(i64::from(number) * 77),
                taker_commission: Amount::from_units(i64::MAX - i64::from(number)),
                maker_discounted: number % 2 == 0,
                taker_discounted: number % 5 == 0,
            })
            .collect();
        let mut trades = Trades::new();
        for record in &records {
            assert_eq!(trades.push(record.clone()), Some(()));
            assert_eq!(trades.last(), Some(record));
        }
        for (id, record) in records.iter().enumerate() {
            assert_eq!(trades.get(TradeId(id as u64)).as_ref(), Some(record), "{id}");
        }
        assert_eq!(trades.get(TradeId(1_300)), None);
    }
}
