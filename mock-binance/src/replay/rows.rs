//! One row: from columns to the trades it stands for.

use std::fmt::Display;

use exchange_engine::{Price, Quantity, Side, SymbolSpec};

use super::error::Fault;

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordingKind {
    /// Single trades: seven columns.
    Trades,
    /// Aggregate trades: eight columns.
    AggTrades,
    /// Klines of any interval: twelve columns.
    Klines,
}

type Column = (usize, &'static str);

const PRICE: Column = (1, "price");
const QTY: Column = (2, "qty");
const OPEN_TIME: Column = (0, "openTime");
const OPEN: Column = (1, "open");
const HIGH: Column = (2, "high");
const LOW: Column = (3, "low");
const CLOSE: Column = (4, "close");
const VOLUME: Column = (5, "volume");
const CLOSE_TIME: Column = (6, "closeTime");

impl RecordingKind {
    /// As it stands before a path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::AggTrades => "aggTrades",
            Self::Klines => "klines",
        }
    }

    const fn columns(self) -> usize {
        match self {
            Self::Trades => 7,
            Self::AggTrades => 8,
            Self::Klines => 12,
        }
    }

    /// Which kind has so many columns.
    fn with(columns: usize) -> Option<Self> {
        [Self::Trades, Self::AggTrades, Self::Klines].into_iter().find(|kind| kind.columns() == columns)
    }
}

/// The kind of a file, by its first line.
pub(super) fn kind_of(line: &str, asked: Option<RecordingKind>) -> Result<RecordingKind, Fault> {
    let columns = line.split(',').count();
    match (RecordingKind::with(columns), asked) {
        (Some(kind), None) => Ok(kind),
        (Some(kind), Some(asked)) if kind == asked => Ok(kind),
        (_, Some(asked)) => {
            let (name, needs) = (asked.as_str(), asked.columns());
            Err(Fault::Row(format!("there are {columns} columns, and {name} have {needs}: give a file of {name}")))
        }
        (None, None) => Err(Fault::Row(format!(
            "the number of columns is {columns}: give a file with 7 (trades), 8 (aggTrades) or 12 (klines)"
        ))),
    }
}

/// Whether a first line names the columns. No field of it is a number then.
pub(super) fn is_header(line: &str) -> bool {
    line.split(',').all(|field| !field.trim().is_empty() && field.trim().parse::<f64>().is_err())
        && !line.split(',').any(|field| flag(field).is_some())
}

/// A trade that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    /// Microseconds since the epoch.
    pub(super) at_us: u64,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) maker: Side,
}

/// What a symbol lets prices and quantities be.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    symbol: String,
    tick: Price,
    step: Quantity,
    largest: Quantity,
}

/// A row may stand for so many trades: a larger quantity is split at the largest order.
const PIECES_MAX: i64 = 1_000;
/// Times with more digits than this are in microseconds, as in files since 2025.
const MILLIS_BELOW: u64 = 100_000_000_000_000;
/// The end of the year 9999 in microseconds.
const LATEST_US: u64 = 253_402_300_799_999_999;

impl Grid {
    pub(super) fn of(spec: &SymbolSpec) -> Self {
        let lot = spec.filters.lot.unwrap_or_default();
        let largest = lot.max.floor_to(lot.step);
        Self {
            symbol: spec.name.clone(),
            tick: spec.filters.price.map(|filter| filter.tick).unwrap_or_default(),
            step: if lot.step.is_positive() { lot.step } else { Quantity::from_units(1) },
            largest: if largest.is_positive() { largest } else { Quantity::from_units(i64::MAX) },
        }
    }

    /// The trades of a row, appended in the order in which they happen; not before `after_us`.
    pub(super) fn read(
        &self,
        kind: RecordingKind,
        line: &str,
        after_us: u64,
        prints: &mut impl Extend<Print>,
    ) -> Result<(), Fault> {
        if line.trim().is_empty() {
            return Err(Fault::Row("the line is empty: take it out".to_owned()));
        }
        let mut fields = [""; 12];
        let mut count = 0;
        for field in line.split(',') {
            if let Some(place) = fields.get_mut(count) {
                *place = field;
            }
            count += 1;
        }
        if count != kind.columns() {
            let (name, needs) = (kind.as_str(), kind.columns());
            return Err(Fault::Row(format!("there are {count} columns instead of {needs}: {name} have {needs}")));
        }
        match kind {
            RecordingKind::Trades => self.trade(&fields, [(4, "time"), (5, "isBuyerMaker")], after_us, prints),
            RecordingKind::AggTrades => self.trade(&fields, [(5, "time"), (6, "isBuyerMaker")], after_us, prints),
            RecordingKind::Klines => self.kline(&fields, after_us, prints),
        }
    }

    fn trade(
        &self,
        fields: &[&str],
        [time_column, maker]: [Column; 2],
        after_us: u64,
        prints: &mut impl Extend<Print>,
    ) -> Result<(), Fault> {
        let (price, quantity) = (self.price(fields, PRICE)?, self.quantity(fields, QTY)?);
        if !quantity.is_positive() {
            return Err(bad(fields, QTY, "is not above zero: take the row out"));
        }
        let at_us = time(fields, time_column, after_us)?;
        let maker = match flag(value(fields, maker)) {
            Some(true) => Side::Buy,
            Some(false) => Side::Sell,
            None => return Err(bad(fields, maker, "is neither true nor false: write one of them")),
        };
        self.pieces(fields, QTY, Print { at_us, price, quantity, maker }, prints)
    }

    /// Open, low, high, close when the price rises; open, high, low, close when it falls. What stays is left out.
    fn kline(&self, fields: &[&str], after_us: u64, prints: &mut impl Extend<Print>) -> Result<(), Fault> {
        let [open, high, low, close] = [OPEN, HIGH, LOW, CLOSE].map(|column| self.price(fields, column));
        let (open, high, low, close) = (open?, high?, low?, close?);
        if high < open.max(close) {
            return Err(bad(fields, HIGH, "is below the open or the close: correct the row"));
        }
        if low > open.min(close) {
            return Err(bad(fields, LOW, "is above the open or the close: correct the row"));
        }
        let from = time(fields, OPEN_TIME, after_us)?;
        let to = time(fields, CLOSE_TIME, from)?;
        if to == from {
            return Err(bad(fields, CLOSE_TIME, "is not after the openTime: correct the row"));
        }
        let volume = self.quantity(fields, VOLUME)?;
        if volume.is_zero() {
            return Ok(());
        }
        let (first, second) = if close >= open { (low, high) } else { (high, low) };
        let mut path = vec![open];
        for price in [first, second, close] {
            if path.last() != Some(&price) {
                path.push(price);
            }
        }
        let steps = volume.units() / self.step.units();
        let stops = i64::try_from(path.len()).unwrap_or(i64::MAX);
        let each = steps / stops;
        if each == 0 {
            let problem = format!("is too little for the {stops} different prices of the row: correct it");
            return Err(bad(fields, VOLUME, problem));
        }
        let mut last = open;
        for (place, price) in (0_u64..).zip(&path) {
            let is_close = place + 1 == path.len() as u64;
            let so_much = if is_close { steps - each * (stops - 1) } else { each };
            let part = if is_close && place > 0 { to - from } else { (to - from) / 3 * place };
            let maker = if *price < last { Side::Buy } else { Side::Sell };
            last = *price;
            let quantity = Quantity::from_units(so_much * self.step.units());
            self.pieces(fields, VOLUME, Print { at_us: from + part, price: *price, quantity, maker }, prints)?;
        }
        Ok(())
    }

    /// A trade, split where it is larger than the largest order.
    fn pieces(
        &self,
        fields: &[&str],
        column: Column,
        print: Print,
        prints: &mut impl Extend<Print>,
    ) -> Result<(), Fault> {
        let (mut left, most) = (print.quantity.units(), self.largest.units());
        if left / most >= PIECES_MAX {
            let problem = format!("is more than {PIECES_MAX} times the largest order of {}: correct it", self.symbol);
            return Err(bad(fields, column, problem));
        }
        while left > 0 {
            prints.extend([Print { quantity: Quantity::from_units(left.min(most)), ..print }]);
            left -= left.min(most);
        }
        Ok(())
    }

    fn price(&self, fields: &[&str], column: Column) -> Result<Price, Fault> {
        let price: Price = decimal(fields, column)?;
        if !price.is_positive() {
            return Err(bad(fields, column, "is not above zero: correct it"));
        }
        self.fits(price.is_multiple_of(self.tick), fields, column, "tick", self.tick)?;
        Ok(price)
    }

    fn quantity(&self, fields: &[&str], column: Column) -> Result<Quantity, Fault> {
        let quantity: Quantity = decimal(fields, column)?;
        if quantity < Quantity::ZERO {
            return Err(bad(fields, column, "is below zero: correct it"));
        }
        self.fits(quantity.is_multiple_of(self.step), fields, column, "step", self.step)?;
        Ok(quantity)
    }

    fn fits(&self, fit: bool, fields: &[&str], column: Column, of: &str, grid: impl Display) -> Result<(), Fault> {
        if fit {
            return Ok(());
        }
        let problem = format!(
            "is no multiple of the {of} {grid} of {}: give the symbols the rules of that time with --symbols",
            self.symbol
        );
        Err(bad(fields, column, problem))
    }
}

fn value<'a>(fields: &[&'a str], (column, _): Column) -> &'a str {
    fields.get(column).map_or("", |field| field.trim())
}

fn bad(fields: &[&str], column: Column, problem: impl Into<String>) -> Fault {
    Fault::field(column, value(fields, column), problem)
}

fn decimal<T: std::str::FromStr<Err: Display>>(fields: &[&str], column: Column) -> Result<T, Fault> {
    value(fields, column).parse().map_err(|error| bad(fields, column, format!("is no decimal: {error}")))
}

/// A moment, in milliseconds or microseconds: which one, its size tells.
fn time(fields: &[&str], column: Column, after_us: u64) -> Result<u64, Fault> {
    let text = value(fields, column);
    let number: Option<u64> = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let at_us = number.map(|number| if number < MILLIS_BELOW { number * 1_000 } else { number });
    match at_us {
        Some(at_us) if at_us > LATEST_US => Err(bad(fields, column, "is after the year 9999: correct it")),
        Some(at_us) if at_us < after_us => {
            Err(bad(fields, column, "is before the time of the row above: put the rows in order"))
        }
        Some(at_us) => Ok(at_us),
        None => Err(bad(fields, column, "is no time: write milliseconds or microseconds since the epoch")),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use exchange_engine::{Filters, LotSize, PriceFilter};
    use proptest::prelude::*;

    use super::*;

    /// Prices in cents, quantities in thousandths, orders of at most 5.
    fn grid() -> Grid {
        let price = PriceFilter { tick: Price::from_units(1_000_000), ..PriceFilter::default() };
        let (step, max) = (Quantity::from_units(100_000), Quantity::from_units(500_000_000));
        let lot = LotSize { step, max, ..LotSize::default() };
        let filters = Filters { price: Some(price), lot: Some(lot), ..Filters::default() };
        Grid::of(&SymbolSpec { filters, ..SymbolSpec::default() })
    }

    proptest! {
        #[test]
        fn any_text_is_a_row_or_an_error(
            line in prop_oneof![any::<String>(), proptest::collection::vec("[-0-9.eTrueFalse ]{0,20}", 0..14)
                .prop_map(|fields| fields.join(","))],
        ) {
            for kind in [RecordingKind::Trades, RecordingKind::AggTrades, RecordingKind::Klines] {
                let _ = grid().read(kind, &line, 0, &mut Vec::new());
                let _ = kind_of(&line, Some(kind));
            }
            let _ = is_header(&line);
        }

        #[test]
        fn a_kline_is_traded_from_open_to_close_between_low_and_high(
            mut prices in proptest::array::uniform4(1_i64..10_000),
            open_is_high in any::<bool>(),
            steps in 4_i64..60_000,
            length_ms in 1_u64..100_000_000,
        ) {
            prices.sort_unstable();
            let [low, one, other, high] = prices;
            let (open, close) = if open_is_high { (other, one) } else { (one, other) };
            let (from, to) = (1_735_776_000_000, 1_735_776_000_000 + length_ms);
            let text = |cents: i64| Price::from_units(cents * 1_000_000).to_string();
            let volume = Quantity::from_units(steps * 100_000);
            let [o, h, l, c] = [open, high, low, close].map(text);
            let line = format!("{from},{o},{h},{l},{c},{volume},{to},0,0,0,0,0");
            let mut prints = Vec::new();
            prop_assert_eq!(grid().read(RecordingKind::Klines, &line, 0, &mut prints), Ok(()));
            let cents = |print: &Print| print.price.units() / 1_000_000;
            prop_assert_eq!(prints.first().map(cents), Some(open));
            prop_assert_eq!(prints.last().map(cents), Some(close));
            prop_assert_eq!(prints.iter().map(cents).max(), Some(high));
            prop_assert_eq!(prints.iter().map(cents).min(), Some(low));
            prop_assert_eq!(prints.iter().map(|print| print.quantity.units()).sum::<i64>(), volume.units());
            prop_assert!(prints.iter().all(|print| print.quantity <= Quantity::from_units(500_000_000)));
            prop_assert!(prints.iter().all(|print| print.quantity.is_positive()));
            prop_assert!(prints.is_sorted_by_key(|print| print.at_us));
            prop_assert!(prints.iter().all(|print| (from * 1_000..=to * 1_000).contains(&print.at_us)));
            // Where a price is met twice, either of them will do.
            let first = |price| prints.iter().position(|print| cents(print) == price);
            let last = |price| prints.iter().rposition(|print| cents(print) == price);
            let in_order = if close < open { first(high) <= last(low) } else { first(low) <= last(high) };
            prop_assert!(in_order, "{:?}", prints);
        }
    }
}
