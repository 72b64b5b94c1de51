//! The rows that say what the exchange is, before anything happens on it.

use exchange_engine::{
    Commissions, Features, LotSize, MaxAsset, MinNotional, NotionalFilter, OrderTypes, PercentPrice,
    PercentPriceBySide, PriceFilter, Ratio, TrailingDelta, WindowLimit,
};

use super::{Row, World, parse, secs};

impl World {
    /// Changes the specification; only before anything else.
    pub(super) fn specify(&mut self, words: &[&str]) -> Row<String> {
        if self.exchange.is_some() {
            return Err("`spec` comes before the first operation".to_owned());
        }
        let symbol = self.spec.symbols.get_mut(usize::from(self.symbol.0)).unwrap();
        let filters = &mut symbol.filters;
        let ratio = |text: &str| parse::<Ratio>(text);
        match words {
            ["commissions", maker, taker] => {
                symbol.commissions = Commissions::by_role(ratio(maker)?, ratio(taker)?);
            }
            ["opening-price", price] => symbol.opening_price = Some(parse(price)?),
            ["types", types @ ..] => {
                symbol.order_types = OrderTypes::which(|known| types.contains(&known.as_str()));
            }
            ["not", features @ ..] => {
                let lacks = |name| features.contains(&name);
                symbol.features = Features {
                    oco: !lacks("oco"),
                    oto: !lacks("oto"),
                    opo: !lacks("opo"),
                    cancel_replace: !lacks("cancel-replace"),
                    amend: !lacks("amend"),
                    iceberg: !lacks("iceberg"),
                    trailing_stop: !lacks("trailing"),
                };
            }
            ["iceberg-parts", most] => filters.iceberg_parts = Some(parse(most)?),
            ["max-num-iceberg-orders", most] => filters.max_num_iceberg_orders = Some(parse(most)?),
            ["max-num-algo-orders", most] => filters.max_num_algo_orders = Some(parse(most)?),
            ["exchange-max-num-iceberg-orders", most] => {
                self.spec.filters.max_num_iceberg_orders = Some(parse(most)?);
            }
            ["exchange-max-num-algo-orders", most] => self.spec.filters.max_num_algo_orders = Some(parse(most)?),
            ["trailing", min_above, max_above, min_below, max_below] => {
                filters.trailing_delta = Some(TrailingDelta {
                    min_above: parse(min_above)?,
                    max_above: parse(max_above)?,
                    min_below: parse(min_below)?,
                    max_below: parse(max_below)?,
                });
            }
            ["max-num-order-lists", most] => filters.max_num_order_lists = Some(parse(most)?),
            ["max-num-order-amends", most] => filters.max_num_order_amends = Some(parse(most)?),
            ["exchange-max-num-order-lists", most] => self.spec.filters.max_num_order_lists = Some(parse(most)?),
            ["no-quote-order-qty"] => symbol.quote_order_qty_market_allowed = false,
            ["price", min, max, tick] => {
                filters.price = Some(PriceFilter { min: parse(min)?, max: parse(max)?, tick: parse(tick)? });
            }
            ["lot", min, max, step] => {
                filters.lot = Some(LotSize { min: parse(min)?, max: parse(max)?, step: parse(step)? });
            }
            ["market-lot", min, max, step] => {
                filters.market_lot = Some(LotSize { min: parse(min)?, max: parse(max)?, step: parse(step)? });
            }
            ["notional", min, max, on_market @ ..] => {
                filters.notional = Some(NotionalFilter {
                    min: parse(min)?,
                    apply_min_to_market: on_market.contains(&"min-on-market"),
                    max: parse(max)?,
                    apply_max_to_market: on_market.contains(&"max-on-market"),
                    avg_price_mins: 5,
                });
            }
            ["percent", bid_up, bid_down, ask_up, ask_down, mins] => {
                filters.percent_price_by_side = Some(PercentPriceBySide {
                    bid_up: ratio(bid_up)?,
                    bid_down: ratio(bid_down)?,
                    ask_up: ratio(ask_up)?,
                    ask_down: ratio(ask_down)?,
                    avg_price_mins: parse(mins)?,
                });
            }
            ["percent-price", up, down, mins] => {
                filters.percent_price =
                    Some(PercentPrice { up: ratio(up)?, down: ratio(down)?, avg_price_mins: parse(mins)? });
            }
            ["min-notional", min, on_market @ ..] => {
                let apply_to_market = on_market.contains(&"on-market");
                filters.min_notional = Some(MinNotional { min: parse(min)?, apply_to_market, avg_price_mins: 5 });
            }
            ["max-position", most] => filters.max_position = Some(parse(most)?),
            ["exchange-max-num-orders", most] => self.spec.filters.max_num_orders = Some(parse(most)?),
            ["max-asset", asset, limit] => {
                let asset = self.spec.asset_id(asset).ok_or(format!("no asset `{asset}`"))?;
                self.spec.filters.max_asset.push(MaxAsset { asset, limit: parse(limit)? });
            }
            ["max-num-orders", most] => filters.max_num_orders = Some(parse(most)?),
            ["order-limit", limit, "per", window] => {
                let window_secs = u32::try_from(secs(window)?.as_secs()).unwrap();
                self.spec.limits.orders.push(WindowLimit { window_secs, limit: parse(limit)? });
            }
            _ => return Err(format!("no such specification: {words:?}")),
        }
        Ok("ok".to_owned())
    }
}
