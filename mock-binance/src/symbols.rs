//! The symbols of a mock: read from a file in the form of an exchangeInfo answer, checked, and told again.
//!
//! A file may be a saved answer of `GET /api/v3/exchangeInfo`, or only its `symbols`. What the mock does not play
//! (order types, flags and permissions of the live exchange) is taken off the rows, so that its own exchangeInfo
//! promises only what the mock keeps. Filters are told as they were written; those that the engine does
//! not know bind nothing. A file may also have `exchangeFilters` and, in the form of `GET /api/v3/myFilters`,
//! `assetFilters`. A name that Binance does not know is an error.

mod filters;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exchange_engine::{
    AssetId, Commissions, ExchangeFilters, ExchangeSpec, Features, OrderTypes, Prevention, PreventionMode, Price,
    SpecError, SymbolId, SymbolSpec, SymbolStatus,
};
use serde::{Deserialize, Serialize};

pub(crate) use filters::{AssetFilterRow, ExchangeFilterRow, FilterRow};

/// The four symbols that a mock has when nothing else is asked for.
const DEFAULT: &str = include_str!("../data/exchange_info.json");

/// Why symbols could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// The file could not be read.
    #[error("cannot read the symbols in `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not an exchangeInfo answer.
    #[error(
        "not an exchangeInfo answer: {source}; write {{\"symbols\": [..]}} with rows like those of GET /api/v3/exchangeInfo"
    )]
    Json {
        /// What is wrong, with line and column.
        #[from]
        source: serde_json::Error,
    },
    /// There is no symbol in it.
    #[error("the list of symbols is empty: give at least one")]
    Empty,
    /// One symbol has a value that cannot be used.
    #[error("symbol `{symbol}`: {field} is `{value}`, {remedy}")]
    Row {
        /// The symbol.
        symbol: String,
        /// Where in its row.
        field: String,
        /// What stands there.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A filter of the exchange or of an asset has a value that cannot be used.
    #[error("{filter}: {field} is `{value}`, {remedy}")]
    Filter {
        /// The filter.
        filter: &'static str,
        /// Where in it.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// The rows do not fit together.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// The symbols of a mock.
#[derive(Debug, Clone)]
pub struct Symbols {
    rows: Vec<SymbolRow>,
    exchange_filters: Vec<ExchangeFilterRow>,
    asset_filters: Vec<AssetFilterRow>,
    filters: ExchangeFilters,
    assets: Vec<String>,
    specs: Vec<SymbolSpec>,
    by_name: BTreeMap<String, SymbolId>,
    streams: Vec<StreamNames>,
}

/// The names of a symbol's market streams.
#[derive(Debug, Clone)]
pub(crate) struct StreamNames {
    pub(crate) trade: String,
    pub(crate) agg_trade: String,
    pub(crate) book_ticker: String,
}

/// A row of exchangeInfo, in the field order of the live exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the exchange tells so many flags")]
pub(crate) struct SymbolRow {
    pub(crate) symbol: String,
    pub(crate) status: String,
    pub(crate) base_asset: String,
    #[serde(default = "eight")]
    pub(crate) base_asset_precision: u32,
    pub(crate) quote_asset: String,
    #[serde(default = "eight")]
    pub(crate) quote_precision: u32,
    #[serde(default = "eight")]
    pub(crate) quote_asset_precision: u32,
    #[serde(default = "eight")]
    base_commission_precision: u32,
    #[serde(default = "eight")]
    quote_commission_precision: u32,
    pub(crate) order_types: Vec<String>,
    #[serde(default)]
    iceberg_allowed: bool,
    #[serde(default)]
    oco_allowed: bool,
    #[serde(default)]
    oto_allowed: bool,
    #[serde(default)]
    opo_allowed: bool,
    #[serde(default)]
    pub(crate) quote_order_qty_market_allowed: bool,
    #[serde(default)]
    allow_trailing_stop: bool,
    #[serde(default)]
    cancel_replace_allowed: bool,
    #[serde(default)]
    amend_allowed: bool,
    #[serde(default)]
    peg_instructions_allowed: bool,
    #[serde(default)]
    is_spot_trading_allowed: bool,
    #[serde(default)]
    is_margin_trading_allowed: bool,
    pub(crate) filters: Vec<FilterRow>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) permission_sets: Option<Vec<Vec<String>>>,
    #[serde(default)]
    default_self_trade_prevention_mode: String,
    #[serde(default)]
    allowed_self_trade_prevention_modes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    symbols: Vec<SymbolRow>,
    #[serde(default)]
    exchange_filters: Vec<ExchangeFilterRow>,
    #[serde(default)]
    asset_filters: Vec<AssetFilterRow>,
}

const fn eight() -> u32 {
    8
}

impl Symbols {
    /// BTCUSDT, ETHUSDT, BNBUSDT and ETHBTC with filters like those of the live exchange.
    pub fn default_set() -> Result<Self, SymbolsError> {
        Self::parse(DEFAULT)
    }

    /// Reads a file; see the module for its form.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SymbolsError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| SymbolsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads the text of an exchangeInfo answer.
    pub fn parse(text: &str) -> Result<Self, SymbolsError> {
        let File { symbols: mut rows, exchange_filters, asset_filters } = serde_json::from_str(text)?;
        if rows.is_empty() {
            return Err(SymbolsError::Empty);
        }
        let mut symbols = Self {
            rows: Vec::new(),
            exchange_filters,
            asset_filters,
            filters: ExchangeFilters::default(),
            assets: Vec::new(),
            specs: Vec::new(),
            by_name: BTreeMap::new(),
            streams: Vec::new(),
        };
        for row in &mut rows {
            row.take_off_what_is_not_played()?;
            let base = symbols.asset(&row.base_asset);
            let quote = symbols.asset(&row.quote_asset);
            symbols.specs.push(row.spec(base, quote)?);
            let lower = row.symbol.to_lowercase();
            symbols.streams.push(StreamNames {
                trade: format!("{lower}@trade"),
                agg_trade: format!("{lower}@aggTrade"),
                book_ticker: format!("{lower}@bookTicker"),
            });
        }
        symbols.rows = rows;
        symbols.filters = symbols.exchange_filters(&symbols.asset_filters)?;
        let spec = symbols.spec(Commissions::default(), &BTreeMap::new());
        spec.validate()?;
        symbols.by_name = spec.symbol_ids().zip(&symbols.rows).map(|(id, row)| (row.symbol.clone(), id)).collect();
        Ok(symbols)
    }

    /// What the engine is told.
    pub(crate) fn spec(&self, commissions: Commissions, prices: &BTreeMap<String, Price>) -> ExchangeSpec {
        ExchangeSpec {
            assets: self.assets.clone(),
            symbols: self
                .specs
                .iter()
                .map(|spec| SymbolSpec { commissions, opening_price: prices.get(&spec.name).copied(), ..spec.clone() })
                .collect(),
            filters: self.filters.clone(),
            ..ExchangeSpec::default()
        }
    }

    /// The filters of the whole exchange, as they were written.
    pub(crate) fn exchange_filter_rows(&self) -> &[ExchangeFilterRow] {
        &self.exchange_filters
    }

    /// The filters of the two assets of a symbol, as they were written.
    pub(crate) fn asset_filter_rows(&self, id: SymbolId) -> impl Iterator<Item = &AssetFilterRow> {
        let of_symbol =
            move |asset: &String| self.row(id).is_some_and(|row| [&row.base_asset, &row.quote_asset].contains(&asset));
        self.asset_filters.iter().filter(move |AssetFilterRow::MaxAsset { asset, .. }| of_symbol(asset))
    }

    pub(crate) fn id(&self, name: &str) -> Option<SymbolId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn row(&self, id: SymbolId) -> Option<&SymbolRow> {
        self.rows.get(usize::from(id.0))
    }

    /// The name of a symbol; empty for an id that is not of this mock.
    pub(crate) fn name(&self, id: SymbolId) -> &str {
        self.row(id).map_or("", |row| row.symbol.as_str())
    }

    /// The name of an asset; empty for an id that is not of this mock.
    pub(crate) fn asset_name(&self, id: AssetId) -> &str {
        self.assets.get(usize::from(id.0)).map_or("", String::as_str)
    }

    pub(crate) fn streams(&self, id: SymbolId) -> Option<&StreamNames> {
        self.streams.get(usize::from(id.0))
    }

    /// Every symbol, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.symbol.as_str())
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SymbolId> + use<> {
        (0..).map(SymbolId).take(self.rows.len())
    }

    fn asset(&mut self, name: &str) -> AssetId {
        self.known_asset(name).unwrap_or_else(|| {
            self.assets.push(name.to_owned());
            // `ExchangeSpec::validate` refuses more assets than there are ids.
            AssetId(u16::try_from(self.assets.len() - 1).unwrap_or(u16::MAX))
        })
    }

    fn known_asset(&self, name: &str) -> Option<AssetId> {
        let at = self.assets.iter().position(|known| known == name)?;
        u16::try_from(at).ok().map(AssetId)
    }
}

/// The order types of the live exchange; all of them are played.
const ORDER_TYPES: [&str; 7] =
    ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];

impl SymbolRow {
    fn take_off_what_is_not_played(&mut self) -> Result<(), SymbolsError> {
        for name in &self.order_types {
            if !ORDER_TYPES.contains(&name.as_str()) {
                return Err(self.bad("orderTypes", name, "write order types of the spot exchange, such as `LIMIT`"));
            }
        }
        for allowed in [&mut self.peg_instructions_allowed, &mut self.is_margin_trading_allowed] {
            *allowed = false;
        }
        self.is_spot_trading_allowed = true;
        self.permissions.clear();
        self.permission_sets = Some(vec![vec!["SPOT".to_owned()]]);
        if self.default_self_trade_prevention_mode.is_empty() {
            PreventionMode::None.as_str().clone_into(&mut self.default_self_trade_prevention_mode);
        }
        Ok(())
    }

    fn spec(&self, base: AssetId, quote: AssetId) -> Result<SymbolSpec, SymbolsError> {
        let legal = |c: char| (c.is_alphanumeric() && !c.is_ascii_lowercase()) || matches!(c, '-' | '_' | '.');
        if self.symbol.is_empty() || !self.symbol.chars().all(legal) {
            return Err(self.bad("symbol", &self.symbol, "write it in capital letters and digits"));
        }
        Ok(SymbolSpec {
            name: self.symbol.clone(),
            base,
            quote,
            status: self.status()?,
            order_types: OrderTypes::which(|known| self.order_types.iter().any(|name| name == known.as_str())),
            quote_order_qty_market_allowed: self.quote_order_qty_market_allowed,
            features: Features {
                oco: self.oco_allowed,
                oto: self.oto_allowed,
                opo: self.opo_allowed,
                cancel_replace: self.cancel_replace_allowed,
                amend: self.amend_allowed,
                iceberg: self.iceberg_allowed,
                trailing_stop: self.allow_trailing_stop,
            },
            prevention: self.prevention()?,
            filters: self.filters()?,
            ..SymbolSpec::default()
        })
    }

    fn prevention(&self) -> Result<Prevention, SymbolsError> {
        let mode = |field: &str, name: &String| {
            let known = PreventionMode::ALL.into_iter().find(|mode| mode.as_str() == name);
            known.ok_or_else(|| self.bad(field, name, "write a mode of self-trade prevention, such as `EXPIRE_MAKER`"))
        };
        let allowed = self.allowed_self_trade_prevention_modes.iter();
        Ok(Prevention {
            default: mode("defaultSelfTradePreventionMode", &self.default_self_trade_prevention_mode)?,
            allowed: allowed
                .map(|name| mode("allowedSelfTradePreventionModes", name))
                .collect::<Result<_, SymbolsError>>()?,
        })
    }

    fn status(&self) -> Result<SymbolStatus, SymbolsError> {
        [
            SymbolStatus::Trading,
            SymbolStatus::EndOfDay,
            SymbolStatus::Halt,
            SymbolStatus::Break,
            SymbolStatus::CancelOnly,
        ]
        .into_iter()
        .find(|status| status.as_str() == self.status)
        .ok_or_else(|| self.bad("status", &self.status, "write one of TRADING, END_OF_DAY, HALT, BREAK, CANCEL_ONLY"))
    }

    fn number<T: std::str::FromStr>(&self, field: &str, value: &str) -> Result<T, SymbolsError> {
        value.parse().map_err(|_| self.bad(field, value, filters::DECIMAL))
    }

    fn bad(&self, field: &str, value: &str, remedy: &'static str) -> SymbolsError {
        SymbolsError::Row { symbol: self.symbol.clone(), field: field.to_owned(), value: value.to_owned(), remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_with(from: &str, to: &str) -> Result<Symbols, SymbolsError> {
        assert!(DEFAULT.contains(from), "{from}");
        Symbols::parse(&DEFAULT.replacen(from, to, 1))
    }

    #[test]
    fn the_default_file_loads_and_is_told_as_it_was_written() {
        let symbols = Symbols::default_set().unwrap();
        let names: Vec<_> = symbols.names().collect();
        assert_eq!(names, ["BTCUSDT", "ETHUSDT", "BNBUSDT", "ETHBTC"]);
        let told = serde_json::to_value(&symbols.rows).unwrap();
        let written: serde_json::Value = serde_json::from_str(DEFAULT).unwrap();
        assert_eq!(told.to_string(), written["symbols"].to_string(), "same fields in the same order");
    }

    #[test]
    fn what_the_mock_does_not_play_is_not_promised() {
        let symbols = default_with(r#""pegInstructionsAllowed": false"#, r#""pegInstructionsAllowed": true"#).unwrap();
        assert!(!symbols.rows[0].peg_instructions_allowed);
    }

    #[test]
    fn bad_data_is_named_with_its_place_and_remedy() {
        let rows = [
            (r#""TRADING""#, r#""TRADNG""#, "symbol `BTCUSDT`: status is `TRADNG`, write one of TRADING"),
            (
                r#""tickSize": "0.01000000""#,
                r#""tickSize": "a cent""#,
                "PRICE_FILTER.tickSize is `a cent`, write a decimal",
            ),
            (r#""LIMIT_MAKER""#, r#""LIMT""#, "orderTypes is `LIMT`, write order types"),
            (r#""symbol": "BTCUSDT""#, r#""symbol": "btcusdt""#, "symbol is `btcusdt`, write it in capital letters"),
            (r#""symbol": "BTCUSDT""#, r#""symbol": "ETHUSDT""#, "symbol `ETHUSDT` is listed twice"),
            (r#""EXPIRE_TAKER""#, r#""EXPIRE_TAKR""#, "allowedSelfTradePreventionModes is `EXPIRE_TAKR`, write a mode"),
            (r#""PRICE_FILTER""#, r#""PRICE_FILTR""#, "unknown variant `PRICE_FILTR`"),
            (r#""symbols""#, r#""symbol""#, "missing field `symbols`"),
        ];
        for (from, to, expected) in rows {
            let error = default_with(from, to).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(matches!(Symbols::parse(r#"{"symbols":[]}"#), Err(SymbolsError::Empty)));
        let error = Symbols::from_file("no/such/file.json").unwrap_err();
        assert_eq!(error.to_string(), "cannot read the symbols in `no/such/file.json`");
    }
}
