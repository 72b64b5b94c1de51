//! The filters of a symbols file: told again as they were written, and what the engine is told of them.

use exchange_engine::{
    ExchangeFilters, Filters, LotSize, MaxAsset, MinNotional, NotionalFilter, PercentPrice, PercentPriceBySide,
    PriceFilter, TrailingDelta,
};
use serde::{Deserialize, Serialize};

use super::{SymbolRow, Symbols, SymbolsError};

pub(super) const DECIMAL: &str = "write a decimal with at most 8 places, below 92233720368, such as `0.01000000`";

/// A filter of a symbol.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub(crate) enum FilterRow {
    PriceFilter {
        min_price: String,
        max_price: String,
        tick_size: String,
    },
    LotSize(LotRow),
    MarketLotSize(LotRow),
    PercentPrice {
        multiplier_up: String,
        multiplier_down: String,
        avg_price_mins: u32,
    },
    PercentPriceBySide {
        bid_multiplier_up: String,
        bid_multiplier_down: String,
        ask_multiplier_up: String,
        ask_multiplier_down: String,
        avg_price_mins: u32,
    },
    MinNotional {
        min_notional: String,
        apply_to_market: bool,
        avg_price_mins: u32,
    },
    Notional {
        min_notional: String,
        apply_min_to_market: bool,
        max_notional: String,
        apply_max_to_market: bool,
        avg_price_mins: u32,
    },
    MaxNumOrders {
        max_num_orders: u32,
    },
    MaxPosition {
        max_position: String,
    },
    MaxNumOrderLists {
        max_num_order_lists: u32,
    },
    MaxNumOrderAmends {
        max_num_order_amends: u32,
    },
    IcebergParts {
        limit: u32,
    },
    MaxNumIcebergOrders {
        max_num_iceberg_orders: u32,
    },
    MaxNumAlgoOrders {
        max_num_algo_orders: u32,
    },
    TrailingDelta {
        min_trailing_above_delta: u32,
        max_trailing_above_delta: u32,
        min_trailing_below_delta: u32,
        max_trailing_below_delta: u32,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LotRow {
    min_qty: String,
    max_qty: String,
    step_size: String,
}

/// A filter of the whole exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the exchange's names")]
pub(crate) enum ExchangeFilterRow {
    ExchangeMaxNumOrders { max_num_orders: u32 },
    ExchangeMaxNumAlgoOrders { max_num_algo_orders: u32 },
    ExchangeMaxNumIcebergOrders { max_num_iceberg_orders: u32 },
    ExchangeMaxNumOrderLists { max_num_order_lists: u32 },
}

/// A filter of an asset; of the public answers none tells these.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AssetFilterRow {
    MaxAsset { asset: String, limit: String },
}

impl SymbolRow {
    pub(super) fn filters(&self) -> Result<Filters, SymbolsError> {
        let mut filters = Filters::default();
        for row in &self.filters {
            self.add_filter(&mut filters, row)?;
        }
        Ok(filters)
    }

    fn add_filter(&self, filters: &mut Filters, row: &FilterRow) -> Result<(), SymbolsError> {
        match row {
            FilterRow::PriceFilter { min_price, max_price, tick_size } => {
                filters.price = Some(PriceFilter {
                    min: self.number("PRICE_FILTER.minPrice", min_price)?,
                    max: self.number("PRICE_FILTER.maxPrice", max_price)?,
                    tick: self.number("PRICE_FILTER.tickSize", tick_size)?,
                });
            }
            FilterRow::LotSize(lot) => filters.lot = Some(self.lot("LOT_SIZE", lot)?),
            FilterRow::MarketLotSize(lot) => filters.market_lot = Some(self.lot("MARKET_LOT_SIZE", lot)?),
            FilterRow::PercentPrice { multiplier_up, multiplier_down, avg_price_mins } => {
                filters.percent_price = Some(PercentPrice {
                    up: self.number("PERCENT_PRICE.multiplierUp", multiplier_up)?,
                    down: self.number("PERCENT_PRICE.multiplierDown", multiplier_down)?,
                    avg_price_mins: *avg_price_mins,
                });
            }
            FilterRow::PercentPriceBySide {
                bid_multiplier_up,
                bid_multiplier_down,
                ask_multiplier_up,
                ask_multiplier_down,
                avg_price_mins,
            } => {
                filters.percent_price_by_side = Some(PercentPriceBySide {
                    bid_up: self.number("PERCENT_PRICE_BY_SIDE.bidMultiplierUp", bid_multiplier_up)?,
                    bid_down: self.number("PERCENT_PRICE_BY_SIDE.bidMultiplierDown", bid_multiplier_down)?,
                    ask_up: self.number("PERCENT_PRICE_BY_SIDE.askMultiplierUp", ask_multiplier_up)?,
                    ask_down: self.number("PERCENT_PRICE_BY_SIDE.askMultiplierDown", ask_multiplier_down)?,
                    avg_price_mins: *avg_price_mins,
                });
            }
            FilterRow::MinNotional { min_notional, apply_to_market, avg_price_mins } => {
                filters.min_notional = Some(MinNotional {
                    min: self.number("MIN_NOTIONAL.minNotional", min_notional)?,
                    apply_to_market: *apply_to_market,
                    avg_price_mins: *avg_price_mins,
                });
            }
            FilterRow::Notional {
                min_notional,
                apply_min_to_market,
                max_notional,
                apply_max_to_market,
                avg_price_mins,
            } => {
                filters.notional = Some(NotionalFilter {
                    min: self.number("NOTIONAL.minNotional", min_notional)?,
                    apply_min_to_market: *apply_min_to_market,
                    max: self.number("NOTIONAL.maxNotional", max_notional)?,
                    apply_max_to_market: *apply_max_to_market,
                    avg_price_mins: *avg_price_mins,
                });
            }
            FilterRow::MaxNumOrders { max_num_orders } => filters.max_num_orders = Some(*max_num_orders),
            FilterRow::MaxPosition { max_position } => {
                filters.max_position = Some(self.number("MAX_POSITION.maxPosition", max_position)?);
            }
            FilterRow::IcebergParts { limit } => filters.iceberg_parts = Some(*limit),
            FilterRow::MaxNumIcebergOrders { max_num_iceberg_orders } => {
                filters.max_num_iceberg_orders = Some(*max_num_iceberg_orders);
            }
            FilterRow::MaxNumAlgoOrders { max_num_algo_orders } => {
                filters.max_num_algo_orders = Some(*max_num_algo_orders);
            }
            FilterRow::TrailingDelta {
                min_trailing_above_delta,
                max_trailing_above_delta,
                min_trailing_below_delta,
                max_trailing_below_delta,
            } => {
                filters.trailing_delta = Some(TrailingDelta {
                    min_above: *min_trailing_above_delta,
                    max_above: *max_trailing_above_delta,
                    min_below: *min_trailing_below_delta,
                    max_below: *max_trailing_below_delta,
                });
            }
            FilterRow::MaxNumOrderLists { max_num_order_lists } => {
                filters.max_num_order_lists = Some(*max_num_order_lists);
            }
            FilterRow::MaxNumOrderAmends { max_num_order_amends } => {
                filters.max_num_order_amends = Some(*max_num_order_amends);
            }
        }
        Ok(())
    }

    fn lot(&self, filter: &str, row: &LotRow) -> Result<LotSize, SymbolsError> {
        Ok(LotSize {
            min: self.number(&format!("{filter}.minQty"), &row.min_qty)?,
            max: self.number(&format!("{filter}.maxQty"), &row.max_qty)?,
            step: self.number(&format!("{filter}.stepSize"), &row.step_size)?,
        })
    }
}

impl Symbols {
    /// What the engine is told of the filters that belong to no symbol.
    pub(super) fn exchange_filters(&self, of_assets: &[AssetFilterRow]) -> Result<ExchangeFilters, SymbolsError> {
        let bad = |field, value: &String, remedy| SymbolsError::Filter {
            filter: "MAX_ASSET",
            field,
            value: value.clone(),
            remedy,
        };
        let max_asset = of_assets.iter().map(|AssetFilterRow::MaxAsset { asset, limit }| {
            let unknown = || bad("asset", asset, "write an asset of one of the symbols");
            let limit = limit.parse().map_err(|_| bad("limit", limit, DECIMAL))?;
            Ok(MaxAsset { asset: self.known_asset(asset).ok_or_else(unknown)?, limit })
        });
        let max_asset = max_asset.collect::<Result<_, SymbolsError>>()?;
        let mut filters = ExchangeFilters { max_asset, ..ExchangeFilters::default() };
        for row in &self.exchange_filters {
            match row {
                ExchangeFilterRow::ExchangeMaxNumOrders { max_num_orders } => {
                    filters.max_num_orders = Some(*max_num_orders);
                }
                ExchangeFilterRow::ExchangeMaxNumAlgoOrders { max_num_algo_orders } => {
                    filters.max_num_algo_orders = Some(*max_num_algo_orders);
                }
                ExchangeFilterRow::ExchangeMaxNumIcebergOrders { max_num_iceberg_orders } => {
                    filters.max_num_iceberg_orders = Some(*max_num_iceberg_orders);
                }
                ExchangeFilterRow::ExchangeMaxNumOrderLists { max_num_order_lists } => {
                    filters.max_num_order_lists = Some(*max_num_order_lists);
                }
            }
        }
        Ok(filters)
    }
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT;
    use super::*;
    use serde_json::{Value, json};

    const EXAMPLES: &str = include_str!("../../tests/data/filter_examples.json");
    const SAMPLE: &str = include_str!("../../tests/data/exchange_info_sample.json");

    #[test]
    fn every_documented_filter_is_told_as_it_was_written() {
        let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
        let examples = examples["examples"].as_array().unwrap();
        assert_eq!(examples.len(), 20);
        for example in examples {
            let (heading, written) = (example["heading"].as_str().unwrap(), example["json"].clone());
            let told = if heading.contains("Symbol filters") {
                serde_json::to_value(serde_json::from_value::<FilterRow>(written.clone()).unwrap()).unwrap()
            } else if heading.contains("Exchange Filters") {
                serde_json::to_value(serde_json::from_value::<ExchangeFilterRow>(written.clone()).unwrap()).unwrap()
            } else {
                serde_json::to_value(serde_json::from_value::<AssetFilterRow>(written.clone()).unwrap()).unwrap()
            };
            assert_eq!(told.to_string(), written.to_string(), "{heading}");
        }
    }

    #[test]
    fn the_filters_of_a_live_answer_keep_their_order() {
        let sample: Value = serde_json::from_str(SAMPLE).unwrap();
        let symbols = Symbols::parse(&sample["exchangeInfo"].to_string()).unwrap();
        let written = sample["exchangeInfo"]["symbols"].as_array().unwrap();
        assert_eq!(symbols.rows.len(), written.len());
        for (row, written) in symbols.rows.iter().zip(written) {
            let told = serde_json::to_value(&row.filters).unwrap();
            assert_eq!(told.to_string(), written["filters"].to_string(), "{}", row.symbol);
        }
    }

    #[test]
    fn the_default_symbols_have_the_filters_of_live_ones_in_live_order() {
        let (sample, default): (Value, Value) =
            (serde_json::from_str(SAMPLE).unwrap(), serde_json::from_str(DEFAULT).unwrap());
        let names = |symbol: &Value| -> Vec<String> {
            let filters = symbol["filters"].as_array().unwrap();
            filters.iter().map(|filter| filter["filterType"].to_string()).collect()
        };
        for symbol in default["symbols"].as_array().unwrap() {
            assert_eq!(names(symbol), names(&sample["exchangeInfo"]["symbols"][0]));
        }
    }

    #[test]
    fn a_limit_of_an_asset_names_its_fault() {
        let with = |asset: &str, limit: &str| {
            let filter = json!({ "filterType": "MAX_ASSET", "asset": asset, "limit": limit });
            let mut file: Value = serde_json::from_str(DEFAULT).unwrap();
            file["assetFilters"] = json!([filter]);
            Symbols::parse(&file.to_string()).map(|symbols| symbols.filters.max_asset.len())
        };
        assert_eq!(with("BTC", "42.00000000").unwrap(), 1);
        let told = with("NOPE", "42").unwrap_err().to_string();
        assert_eq!(told, "MAX_ASSET: asset is `NOPE`, write an asset of one of the symbols");
        let told = with("BTC", "much").unwrap_err().to_string();
        assert!(told.starts_with("MAX_ASSET: limit is `much`, write a decimal"), "{told}");
    }
}
