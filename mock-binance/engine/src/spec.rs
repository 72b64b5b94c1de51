//! What an exchange is before anything happens on it. The caller builds these values: the engine reads no files.

use crate::command::{OrderType, PreventionMode};
use crate::commission::{Commissions, Discount};
use crate::ids::{AssetId, SymbolId};
use crate::limits::LimitsSpec;
use crate::money::{Amount, Price, Quantity, Ratio};

/// Assets, symbols and limits of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeSpec {
    /// Asset names, such as `BTC`; an [`AssetId`] is a place in this list.
    pub assets: Vec<String>,
    /// Symbols; a [`SymbolId`] is a place in this list.
    pub symbols: Vec<SymbolSpec>,
    /// Request weights and order counts.
    pub limits: LimitsSpec,
    /// The rules that every new order passes, whatever its symbol.
    pub filters: ExchangeFilters,
    /// What paying commissions in one certain asset saves, for accounts that have asked for it.
    pub discount: Option<Discount>,
}

impl ExchangeSpec {
    /// The symbol of this exact name.
    pub fn symbol_id(&self, name: &str) -> Option<SymbolId> {
        let place = self.symbols.iter().position(|s| s.name == name)?;
        u16::try_from(place).ok().map(SymbolId)
    }

    /// The asset of this exact name.
    pub fn asset_id(&self, name: &str) -> Option<AssetId> {
        let place = self.assets.iter().position(|a| a == name)?;
        u16::try_from(place).ok().map(AssetId)
    }

    /// The symbol with this id.
    pub fn symbol(&self, id: SymbolId) -> Option<&SymbolSpec> {
        self.symbols.get(usize::from(id.0))
    }

    /// The name of this asset.
    pub fn asset(&self, id: AssetId) -> Option<&str> {
        self.assets.get(usize::from(id.0)).map(String::as_str)
    }

    /// Every symbol id, in order.
    pub fn symbol_ids(&self) -> impl Iterator<Item = SymbolId> + '_ {
        (0..).map(SymbolId).take(self.symbols.len())
    }

    /// Every asset id, in order.
    pub fn asset_ids(&self) -> impl Iterator<Item = AssetId> + '_ {
        (0..).map(AssetId).take(self.assets.len())
    }

    /// Whether the parts fit together; the first fault found.
    pub fn validate(&self) -> Result<(), SpecError> {
        if self.assets.len() > usize::from(u16::MAX) || self.symbols.len() > usize::from(u16::MAX) {
            return Err(SpecError::TooMany);
        }
        for (place, asset) in self.assets.iter().enumerate() {
            if self.assets.iter().skip(place + 1).any(|other| other == asset) {
                return Err(SpecError::DuplicateAsset { asset: asset.clone() });
            }
        }
        for (place, symbol) in self.symbols.iter().enumerate() {
            let name = || symbol.name.clone();
            if self.symbols.iter().skip(place + 1).any(|other| other.name == symbol.name) {
                return Err(SpecError::DuplicateSymbol { symbol: name() });
            }
            if symbol.base == symbol.quote || self.asset(symbol.base).is_none() || self.asset(symbol.quote).is_none() {
                return Err(SpecError::BadAssets { symbol: name() });
            }
            if !symbol.commissions.are_parts() {
                return Err(SpecError::BadCommission { symbol: name() });
            }
            if let Some(filter) = symbol.filters.negative() {
                return Err(SpecError::NegativeFilter { symbol: name(), filter });
            }
            if symbol.filters.iceberg_parts() > Filters::ICEBERG_PARTS_MAX {
                return Err(SpecError::TooManyParts { symbol: name() });
            }
        }
        if let Some(discount) = &self.discount
            && (self.asset(discount.asset).is_none() || !(Ratio::ZERO..=Ratio::ONE).contains(&discount.rate))
        {
            return Err(SpecError::BadDiscount);
        }
        for most in &self.filters.max_asset {
            if self.asset(most.asset).is_none() || most.limit.units() < 0 {
                return Err(SpecError::BadMaxAsset { asset: most.asset });
            }
        }
        Ok(())
    }
}

/// A specification whose parts do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// More assets or symbols than ids.
    #[error("too many assets or symbols: at most 65535 of each")]
    TooMany,
    /// An asset named twice.
    #[error("asset `{asset}` is listed twice: list it once")]
    DuplicateAsset {
        /// Its name.
        asset: String,
    },
    /// A symbol named twice.
    #[error("symbol `{symbol}` is listed twice: list it once")]
    DuplicateSymbol {
        /// Its name.
        symbol: String,
    },
    /// A base or quote asset that is missing, or base and quote are the same.
    #[error("symbol `{symbol}` needs two different assets from the list of assets")]
    BadAssets {
        /// Its name.
        symbol: String,
    },
    /// A commission below 0, or commissions that come to more than a trade brings.
    #[error("symbol `{symbol}` has a commission rate below 0, or rates that come to more than 1")]
    BadCommission {
        /// Its name.
        symbol: String,
    },
    /// A filter bound below zero.
    #[error("symbol `{symbol}` has a negative number in its filter {filter:?}")]
    NegativeFilter {
        /// Its name.
        symbol: String,
        /// The filter.
        filter: Filter,
    },
    /// An `ICEBERG_PARTS` above [`Filters::ICEBERG_PARTS_MAX`].
    #[error(
        "symbol `{symbol}` lets an iceberg order have more than {} parts: lower its ICEBERG_PARTS",
        Filters::ICEBERG_PARTS_MAX
    )]
    TooManyParts {
        /// Its name.
        symbol: String,
    },
    /// A discount in an asset that is not listed, or at a rate outside of 0 to 1.
    #[error("the discount needs an asset from the list of assets and a rate from 0 to 1")]
    BadDiscount,
    /// A `MAX_ASSET` of an asset that is not listed, or below zero.
    #[error("MAX_ASSET needs an asset from the list of assets and a limit that is not negative: asset {asset:?}")]
    BadMaxAsset {
        /// The asset.
        asset: AssetId,
    },
}

/// One trading pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SymbolSpec {
    /// Such as `BTCUSDT`.
    pub name: String,
    /// The asset that is bought and sold.
    pub base: AssetId,
    /// The asset that pays.
    pub quote: AssetId,
    /// Whether orders are taken at the start.
    pub status: SymbolStatus,
    /// The order types that this symbol takes.
    pub order_types: OrderTypes,
    /// Whether MARKET orders may name an amount of the quote asset.
    pub quote_order_qty_market_allowed: bool,
    /// What else it takes.
    pub features: Features,
    /// Self-trade prevention.
    pub prevention: Prevention,
    /// The rules that every new order passes.
    pub filters: Filters,
    /// What a trade costs.
    pub commissions: Commissions,
    /// Stands for the last price until the first trade.
    pub opening_price: Option<Price>,
}

/// Whether a symbol takes orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SymbolStatus {
    /// Orders and cancels are taken.
    #[default]
    Trading,
    /// Trading has ended for the day; nothing is taken.
    EndOfDay,
    /// Trading is halted; nothing is taken.
    Halt,
    /// A break between sessions; nothing is taken.
    Break,
    /// Cancels only.
    CancelOnly,
}

impl SymbolStatus {
    /// As the exchange writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trading => "TRADING",
            Self::EndOfDay => "END_OF_DAY",
            Self::Halt => "HALT",
            Self::Break => "BREAK",
            Self::CancelOnly => "CANCEL_ONLY",
        }
    }
}

/// The order types that a symbol takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each type")]
pub struct OrderTypes {
    /// LIMIT.
    pub limit: bool,
    /// `LIMIT_MAKER`.
    pub limit_maker: bool,
    /// MARKET.
    pub market: bool,
    /// `STOP_LOSS`.
    pub stop_loss: bool,
    /// `STOP_LOSS_LIMIT`.
    pub stop_loss_limit: bool,
    /// `TAKE_PROFIT`.
    pub take_profit: bool,
    /// `TAKE_PROFIT_LIMIT`.
    pub take_profit_limit: bool,
}

impl OrderTypes {
    /// The types that a test holds for.
    pub fn which(takes: impl Fn(OrderType) -> bool) -> Self {
        Self {
            limit: takes(OrderType::Limit),
            limit_maker: takes(OrderType::LimitMaker),
            market: takes(OrderType::Market),
            stop_loss: takes(OrderType::StopLoss),
            stop_loss_limit: takes(OrderType::StopLossLimit),
            take_profit: takes(OrderType::TakeProfit),
            take_profit_limit: takes(OrderType::TakeProfitLimit),
        }
    }

    /// Whether a type is taken.
    pub const fn take(&self, order_type: OrderType) -> bool {
        match order_type {
            OrderType::Limit => self.limit,
            OrderType::LimitMaker => self.limit_maker,
            OrderType::Market => self.market,
            OrderType::StopLoss => self.stop_loss,
            OrderType::StopLossLimit => self.stop_loss_limit,
            OrderType::TakeProfit => self.take_profit,
            OrderType::TakeProfitLimit => self.take_profit_limit,
        }
    }
}

impl Default for OrderTypes {
    fn default() -> Self {
        Self::which(|_| true)
    }
}

/// What a symbol takes besides single orders; everything when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each of the exchange's flags")]
pub struct Features {
    /// `ocoAllowed`.
    pub oco: bool,
    /// `otoAllowed`.
    pub oto: bool,
    /// `opoAllowed`.
    pub opo: bool,
    /// `cancelReplaceAllowed`.
    pub cancel_replace: bool,
    /// `amendAllowed`.
    pub amend: bool,
    /// `icebergAllowed`.
    pub iceberg: bool,
    /// `allowTrailingStop`.
    pub trailing_stop: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { oco: true, oto: true, opo: true, cancel_replace: true, amend: true, iceberg: true, trailing_stop: true }
    }
}

/// What a symbol does about orders that would trade with others of the same account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prevention {
    /// Of orders that say nothing.
    pub default: PreventionMode,
    /// What orders may say; `NONE` they always may.
    pub allowed: Vec<PreventionMode>,
}

impl Default for Prevention {
    fn default() -> Self {
        Self { default: PreventionMode::None, allowed: PreventionMode::ALL.to_vec() }
    }
}

/// The rules that new orders pass; an absent one asks nothing. Build it with `..Filters::default()`: it will grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filters {
    /// `PRICE_FILTER`.
    pub price: Option<PriceFilter>,
    /// `PERCENT_PRICE`.
    pub percent_price: Option<PercentPrice>,
    /// `PERCENT_PRICE_BY_SIDE`.
    pub percent_price_by_side: Option<PercentPriceBySide>,
    /// `LOT_SIZE`.
    pub lot: Option<LotSize>,
    /// `MARKET_LOT_SIZE`, on MARKET orders in addition to `LOT_SIZE`.
    pub market_lot: Option<LotSize>,
    /// `MIN_NOTIONAL`, the elder of the two: symbols have it or `NOTIONAL`.
    pub min_notional: Option<MinNotional>,
    /// `NOTIONAL`.
    pub notional: Option<NotionalFilter>,
    /// `MAX_NUM_ORDERS`: how many orders an account may have open on the symbol.
    pub max_num_orders: Option<u32>,
    /// `MAX_NUM_ALGO_ORDERS`: how many orders that wait for a price an account may have open on the symbol.
    pub max_num_algo_orders: Option<u32>,
    /// `MAX_NUM_ICEBERG_ORDERS`: how many iceberg orders an account may have open on the symbol.
    pub max_num_iceberg_orders: Option<u32>,
    /// `ICEBERG_PARTS`: into how many parts an iceberg order may be cut, at most and by default
    /// [`ICEBERG_PARTS_MAX`](Self::ICEBERG_PARTS_MAX).
    pub iceberg_parts: Option<u32>,
    /// `TRAILING_DELTA`.
    pub trailing_delta: Option<TrailingDelta>,
    /// `MAX_NUM_ORDER_LISTS`: how many order lists an account may have open on the symbol.
    pub max_num_order_lists: Option<u32>,
    /// `MAX_NUM_ORDER_AMENDS`: how often one order may be amended.
    pub max_num_order_amends: Option<u32>,
    /// `MAX_POSITION`: how much of the base asset an account may have or be about to buy.
    pub max_position: Option<Quantity>,
}

impl Filters {
    /// The longest time, in minutes, that one of them takes an average price over.
    pub(crate) fn average_mins(&self) -> u32 {
        let mins = [
            self.percent_price.map(|filter| filter.avg_price_mins),
            self.percent_price_by_side.map(|filter| filter.avg_price_mins),
            self.min_notional.map(|filter| filter.avg_price_mins),
            self.notional.map(|filter| filter.avg_price_mins),
        ];
        mins.into_iter().flatten().max().unwrap_or_default()
    }
}

impl Filters {
    /// The most parts of an iceberg order. Each part that an order meets is a trade of its own, so without a bound two
    /// orders could come to billions of trades. The exchange's own limit is 100 since 2026-03-12.
    pub const ICEBERG_PARTS_MAX: u32 = 1_000;

    /// Into how many parts an iceberg order may be cut.
    pub(crate) fn iceberg_parts(&self) -> u32 {
        self.iceberg_parts.unwrap_or(Self::ICEBERG_PARTS_MAX)
    }

    fn negative(&self) -> Option<Filter> {
        let price = self.price.is_some_and(|f| [f.min, f.max, f.tick].iter().any(|p| p.units() < 0));
        let lot = |l: Option<LotSize>| l.is_some_and(|f| [f.min, f.max, f.step].iter().any(|q| q.units() < 0));
        let notional = self.notional.is_some_and(|f| f.min.units() < 0 || f.max.units() < 0);
        let min_notional = self.min_notional.is_some_and(|f| f.min.units() < 0);
        let percent = self.percent_price.is_some_and(|f| f.up.units() < 0 || f.down.units() < 0);
        let percent_by_side = self
            .percent_price_by_side
            .is_some_and(|f| [f.bid_up, f.bid_down, f.ask_up, f.ask_down].iter().any(|r| r.units() < 0));
        [
            (price, Filter::Price),
            (percent, Filter::PercentPrice),
            (percent_by_side, Filter::PercentPriceBySide),
            (lot(self.lot), Filter::LotSize),
            (lot(self.market_lot), Filter::MarketLotSize),
            (min_notional, Filter::MinNotional),
            (notional, Filter::Notional),
            (self.max_position.is_some_and(|most| most.units() < 0), Filter::MaxPosition),
        ]
        .into_iter()
        .find_map(|(bad, filter)| bad.then_some(filter))
    }
}

/// The rules that new orders pass on every symbol; an absent one asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeFilters {
    /// `EXCHANGE_MAX_NUM_ORDERS`: how many orders an account may have open in all.
    pub max_num_orders: Option<u32>,
    /// `EXCHANGE_MAX_NUM_ALGO_ORDERS`: how many orders that wait for a price an account may have open in all.
    pub max_num_algo_orders: Option<u32>,
    /// `EXCHANGE_MAX_NUM_ICEBERG_ORDERS`: how many iceberg orders an account may have open in all.
    pub max_num_iceberg_orders: Option<u32>,
    /// `EXCHANGE_MAX_NUM_ORDER_LISTS`: how many order lists an account may have open in all.
    pub max_num_order_lists: Option<u32>,
    /// `MAX_ASSET`.
    pub max_asset: Vec<MaxAsset>,
}

/// How much of an asset one order may trade: its quantity where the asset is the base, its notional where it is the
/// quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAsset {
    /// Which asset.
    pub asset: AssetId,
    /// The most.
    pub limit: Amount,
}

/// The kinds of filter, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// `PRICE_FILTER`.
    Price,
    /// `PERCENT_PRICE`.
    PercentPrice,
    /// `PERCENT_PRICE_BY_SIDE`.
    PercentPriceBySide,
    /// `LOT_SIZE`.
    LotSize,
    /// `MARKET_LOT_SIZE`.
    MarketLotSize,
    /// `MIN_NOTIONAL`.
    MinNotional,
    /// `NOTIONAL`.
    Notional,
    /// `MAX_NUM_ORDERS`.
    MaxNumOrders,
    /// `MAX_POSITION`.
    MaxPosition,
    /// `EXCHANGE_MAX_NUM_ORDERS`.
    ExchangeMaxNumOrders,
    /// `MAX_ASSET`.
    MaxAsset,
    /// `MAX_NUM_ALGO_ORDERS`.
    MaxNumAlgoOrders,
    /// `EXCHANGE_MAX_NUM_ALGO_ORDERS`.
    ExchangeMaxNumAlgoOrders,
    /// `MAX_NUM_ICEBERG_ORDERS`.
    MaxNumIcebergOrders,
    /// `EXCHANGE_MAX_NUM_ICEBERG_ORDERS`.
    ExchangeMaxNumIcebergOrders,
    /// `ICEBERG_PARTS`.
    IcebergParts,
    /// `TRAILING_DELTA`.
    TrailingDelta,
    /// `MAX_NUM_ORDER_LISTS`.
    MaxNumOrderLists,
    /// `EXCHANGE_MAX_NUM_ORDER_LISTS`.
    ExchangeMaxNumOrderLists,
    /// `MAX_NUM_ORDER_AMENDS`.
    MaxNumOrderAmends,
}

impl Filter {
    /// As the exchange writes it, after `Filter failure: `.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Price => "PRICE_FILTER",
            Self::PercentPrice => "PERCENT_PRICE",
            Self::PercentPriceBySide => "PERCENT_PRICE_BY_SIDE",
            Self::LotSize => "LOT_SIZE",
            Self::MarketLotSize => "MARKET_LOT_SIZE",
            Self::MinNotional => "MIN_NOTIONAL",
            Self::Notional => "NOTIONAL",
            Self::MaxNumOrders => "MAX_NUM_ORDERS",
            Self::MaxPosition => "MAX_POSITION",
            Self::ExchangeMaxNumOrders => "EXCHANGE_MAX_NUM_ORDERS",
            Self::MaxAsset => "MAX_ASSET",
            Self::MaxNumAlgoOrders => "MAX_NUM_ALGO_ORDERS",
            Self::ExchangeMaxNumAlgoOrders => "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            Self::MaxNumIcebergOrders => "MAX_NUM_ICEBERG_ORDERS",
            Self::ExchangeMaxNumIcebergOrders => "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            Self::IcebergParts => "ICEBERG_PARTS",
            Self::TrailingDelta => "TRAILING_DELTA",
            Self::MaxNumOrderLists => "MAX_NUM_ORDER_LISTS",
            Self::ExchangeMaxNumOrderLists => "EXCHANGE_MAX_NUM_ORDER_LISTS",
            Self::MaxNumOrderAmends => "MAX_NUM_ORDER_AMENDS",
        }
    }
}

/// Bounds of a trailing delta, in hundredths of a percent, by whether the trigger lies above the price or below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrailingDelta {
    /// The smallest for `STOP_LOSS` BUY and `TAKE_PROFIT` SELL.
    pub min_above: u32,
    /// The largest for these.
    pub max_above: u32,
    /// The smallest for the others.
    pub min_below: u32,
    /// The largest for these.
    pub max_below: u32,
}

/// Bounds and tick of a price; a bound or tick of zero is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PriceFilter {
    /// The smallest price.
    pub min: Price,
    /// The largest price.
    pub max: Price,
    /// Prices are multiples of this.
    pub tick: Price,
}

/// Bounds and step of a quantity; a bound or step of zero is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LotSize {
    /// The smallest quantity.
    pub min: Quantity,
    /// The largest quantity.
    pub max: Quantity,
    /// Quantities are multiples of this.
    pub step: Quantity,
}

/// Bounds of price times quantity. MARKET orders are valued at the average price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NotionalFilter {
    /// The smallest notional.
    pub min: Amount,
    /// Whether `min` binds MARKET orders.
    pub apply_min_to_market: bool,
    /// The largest notional; zero is off.
    pub max: Amount,
    /// Whether `max` binds MARKET orders.
    pub apply_max_to_market: bool,
    /// Minutes of the average price; 0 means the last price.
    pub avg_price_mins: u32,
}

/// The least price times quantity. MARKET orders are valued at the average price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinNotional {
    /// The smallest notional.
    pub min: Amount,
    /// Whether it binds MARKET orders.
    pub apply_to_market: bool,
    /// Minutes of the average price; 0 means the last price.
    pub avg_price_mins: u32,
}

/// How far a limit price may be from the average price, whatever the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PercentPrice {
    /// A price is at most the average times this.
    pub up: Ratio,
    /// A price is at least the average times this.
    pub down: Ratio,
    /// Minutes of the average price; 0 means the last price.
    pub avg_price_mins: u32,
}

/// How far a limit price may be from the average price, by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PercentPriceBySide {
    /// A BUY is at most the average times this.
    pub bid_up: Ratio,
    /// A BUY is at least the average times this.
    pub bid_down: Ratio,
    /// A SELL is at most the average times this.
    pub ask_up: Ratio,
    /// A SELL is at least the average times this.
    pub ask_down: Ratio,
    /// Minutes of the average price; 0 means the last price.
    pub avg_price_mins: u32,
}
