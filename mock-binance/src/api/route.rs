//! The endpoints: what each needs, takes and weighs.
//!
//! Weights are those of the documentation; since 2026-04-02 successful orders and cancels weigh nothing.

use exchange_engine::{AccountId, Timestamp};

use super::error::ApiError;
use super::params::{Field, Params, symbol_list};
use super::render::{Context, TimeUnit};
use super::{
    account, amend, commission, info, list, list_params, listen_key, market, prevented, replace, routing, rules,
    ticker, trading,
};
use crate::state::State;

/// What an endpoint asks of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing: a key that is sent all the same is not looked at.
    None,
    /// A key (`USER_STREAM`).
    Key,
    /// A key and a signature (`TRADE`, `USER_DATA`).
    Signed,
}

/// One endpoint.
pub(crate) struct Route {
    method: &'static str,
    path: &'static str,
    pub(crate) security: Security,
    pub(crate) fields: &'static [Field],
    weight: Weight,
    pub(crate) run: Run,
}

type Run = fn(&mut Call<'_>) -> Result<Vec<u8>, ApiError>;

/// A request that has passed the checks of the face.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) params: &'a Params<'a>,
    pub(crate) now: Timestamp,
    /// What the server believes the time to be: `now`, unless a fault has put its clock wrong.
    pub(crate) server_time: Timestamp,
    pub(crate) unit: TimeUnit,
    /// Who asks; nobody in particular on endpoints that need no key.
    pub(crate) account: AccountId,
}

impl Call<'_> {
    /// What answers about orders need.
    pub(crate) fn context(&self) -> Context<'_> {
        Context { symbols: &self.state.symbols, unit: self.unit, strategies: &self.state.strategies }
    }
}

enum Weight {
    Fixed(u32),
    /// Nothing when it succeeds.
    FreeOnSuccess(u32),
    /// By `limit`.
    Depth,
    /// One for a symbol, another for all or a list.
    SymbolOrAll(u32, u32),
    /// By the number of symbols.
    Ticker24h,
    /// So much for each symbol, up to a cap.
    EachSymbol {
        each: u32,
        cap: u32,
    },
    /// So much for each symbol that is asked for, up to a cap; the cap for all of them.
    EachSymbolOrAll {
        each: u32,
        cap: u32,
    },
    /// One with this parameter, another without.
    With(&'static str, u32, u32),
    /// `order/test`.
    ComputesCommission,
}

impl Route {
    pub(crate) fn weight(&self, params: &Params<'_>) -> u32 {
        let listed = || params.get("symbols").and_then(symbol_list).map(|list| list.len());
        match self.weight {
            Weight::Fixed(weight) | Weight::FreeOnSuccess(weight) => weight,
            Weight::Depth => match params.get("limit").and_then(|limit| limit.parse::<u64>().ok()) {
                None | Some(..=100) => 5,
                Some(..=500) => 25,
                Some(..=1000) => 50,
                Some(_) => 250,
            },
            Weight::SymbolOrAll(one, all) => {
                if params.has("symbol") {
                    one
                } else {
                    all
                }
            }
            Weight::Ticker24h => match (params.has("symbol"), listed()) {
                (true, _) | (false, Some(..=20)) => 2,
                (false, Some(..=100)) => 40,
                (false, Some(_) | None) => 80,
            },
            Weight::EachSymbol { each, cap } => {
                let symbols = listed().and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
                each.saturating_mul(symbols).min(cap)
            }
            Weight::EachSymbolOrAll { each, cap } => match (params.has("symbol"), listed()) {
                (true, _) => each,
                (false, Some(symbols)) => each.saturating_mul(u32::try_from(symbols).unwrap_or(u32::MAX)).min(cap),
                (false, None) => cap,
            },
            Weight::With(name, with, without) => {
                if params.has(name) {
                    with
                } else {
                    without
                }
            }
            Weight::ComputesCommission => match params.get("computeCommissionRates") {
                Some("true" | "TRUE") => 20,
                _ => 1,
            },
        }
    }

    pub(crate) fn is_free_on_success(&self) -> bool {
        matches!(self.weight, Weight::FreeOnSuccess(_))
    }

    /// Whether the answer tells the order counts.
    pub(crate) fn counts_orders(&self) -> bool {
        let placing = ["/api/v3/order", "/api/v3/order/cancelReplace", "/api/v3/order/oco", "/api/v3/sor/order"];
        self.method == "POST" && (placing.contains(&self.path) || self.path.starts_with("/api/v3/orderList/"))
    }

    pub(crate) fn is_listen_key(&self) -> bool {
        self.path == LISTEN_KEY
    }
}

/// The endpoint of a request.
pub(crate) fn find(method: &str, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path && route.method == method)
}

const LISTEN_KEY: &str = "/api/v3/userDataStream";

const SYMBOL: Field = Field::symbol().mandatory();
const LIMIT: Field = Field::digits("limit");
const START: Field = Field::digits("startTime");
const END: Field = Field::digits("endTime");
const FROM_ID: Field = Field::digits("fromId");
const ORDER_ID: Field = Field::digits("orderId");
const ORIG_CLIENT_ID: Field = Field::client_id("origClientOrderId");
const STATUS: Field = Field::word("symbolStatus");
const TIME_ZONE: Field = Field::word("timeZone");
const TICKER_TYPE: Field = Field::word("type");
const KLINES: &[Field] = &[SYMBOL, Field::word("interval").mandatory(), START, END, TIME_ZONE, LIMIT];
const WINDOW: Weight = Weight::EachSymbol { each: 4, cap: 200 };
const TICKER: &[Field] = &[Field::symbol(), Field::symbols(), STATUS];

/// The parameters of a new order.
const ORDER: [Field; 19] = [
    SYMBOL,
    Field::word("side").mandatory(),
    Field::word("type").mandatory(),
    Field::word("timeInForce"),
    Field::decimal("quantity"),
    Field::decimal("quoteOrderQty"),
    Field::decimal("price"),
    Field::client_id("newClientOrderId"),
    Field::digits("strategyId"),
    Field::digits("strategyType"),
    Field::decimal("stopPrice"),
    Field::digits("trailingDelta"),
    Field::decimal("icebergQty"),
    Field::word("newOrderRespType"),
    Field::word("selfTradePreventionMode"),
    Field::word("pegPriceType"),
    Field::digits("pegOffsetValue"),
    Field::word("pegOffsetType"),
    // Only `order/test` takes the last one.
    Field::word("computeCommissionRates"),
];

const fn open(path: &'static str, fields: &'static [Field], weight: Weight, run: Run) -> Route {
    Route { method: "GET", path, security: Security::None, fields, weight, run }
}

const fn signed(method: &'static str, path: &'static str, fields: &'static [Field], weight: Weight, run: Run) -> Route {
    Route { method, path, security: Security::Signed, fields, weight, run }
}

const fn keyed(method: &'static str, fields: &'static [Field], run: Run) -> Route {
    Route { method, path: LISTEN_KEY, security: Security::Key, fields, weight: Weight::Fixed(2), run }
}

/// The parameters of an order by smart order routing.
const SOR_ORDER: [Field; 13] = [
    SYMBOL,
    Field::word("side").mandatory(),
    Field::word("type").mandatory(),
    Field::word("timeInForce"),
    Field::decimal("quantity").mandatory(),
    Field::decimal("price"),
    Field::client_id("newClientOrderId"),
    Field::digits("strategyId"),
    Field::digits("strategyType"),
    Field::decimal("icebergQty"),
    Field::word("newOrderRespType"),
    Field::word("selfTradePreventionMode"),
    // Only `sor/order/test` takes the last one.
    Field::word("computeCommissionRates"),
];

const ORDER_FIELDS: &[Field] = ORDER.split_at(18).0;

/// The parameters of `order/cancelReplace`.
const REPLACE: [Field; 24] = list_params::joined(&[
    ORDER_FIELDS,
    &[
        Field::word("cancelReplaceMode").mandatory(),
        Field::client_id("cancelNewClientOrderId"),
        Field::client_id("cancelOrigClientOrderId"),
        Field::digits("cancelOrderId"),
        Field::word("cancelRestrictions"),
        Field::word("orderRateLimitExceededMode"),
    ],
]);
const LIST_ID: Field = Field::digits("orderListId");
const LIST_CLIENT_ID: Field = Field::client_id("listClientOrderId");
const LISTEN_KEY_FIELDS: &[Field] = &[Field::word("listenKey").mandatory()];

/// Every endpoint, the busiest first.
static ROUTES: &[Route] = &[
    signed("POST", "/api/v3/order", ORDER_FIELDS, Weight::FreeOnSuccess(1), trading::place),
    open("/api/v3/time", &[], Weight::Fixed(1), market::time),
    signed("GET", "/api/v3/order", &[SYMBOL, ORDER_ID, ORIG_CLIENT_ID], Weight::Fixed(4), account::order),
    signed(
        "DELETE",
        "/api/v3/order",
        &[SYMBOL, ORDER_ID, ORIG_CLIENT_ID, Field::client_id("newClientOrderId"), Field::word("cancelRestrictions")],
        Weight::FreeOnSuccess(1),
        trading::cancel,
    ),
    signed("GET", "/api/v3/account", &[Field::word("omitZeroBalances")], Weight::Fixed(20), account::account),
    signed("GET", "/api/v3/rateLimit/order", &[], Weight::Fixed(40), info::order_counts),
    signed("GET", "/api/v3/account/commission", &[SYMBOL], Weight::Fixed(20), commission::rates),
    signed("POST", "/api/v3/order/test", &ORDER, Weight::ComputesCommission, trading::test),
    signed("GET", "/api/v3/openOrders", &[Field::symbol()], Weight::SymbolOrAll(6, 80), account::open_orders),
    signed("DELETE", "/api/v3/openOrders", &[SYMBOL], Weight::FreeOnSuccess(1), trading::cancel_all),
    signed("GET", "/api/v3/allOrders", &[SYMBOL, ORDER_ID, START, END, LIMIT], Weight::Fixed(20), account::all_orders),
    signed(
        "GET",
        "/api/v3/myTrades",
        &[SYMBOL, ORDER_ID, START, END, FROM_ID, LIMIT],
        Weight::With("orderId", 5, 20),
        account::my_trades,
    ),
    signed("POST", "/api/v3/order/cancelReplace", &REPLACE, Weight::FreeOnSuccess(1), replace::replace),
    signed(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        &[SYMBOL, ORDER_ID, ORIG_CLIENT_ID, Field::client_id("newClientOrderId"), Field::decimal("newQty").mandatory()],
        Weight::Fixed(4),
        amend::amend,
    ),
    signed(
        "GET",
        "/api/v3/order/amendments",
        &[SYMBOL, ORDER_ID.mandatory(), Field::digits("fromExecutionId"), LIMIT],
        Weight::Fixed(4),
        amend::amendments,
    ),
    signed("POST", "/api/v3/order/oco", &list_params::ELDER_OCO, Weight::FreeOnSuccess(1), list::elder_oco),
    signed("POST", "/api/v3/orderList/oco", &list_params::OCO, Weight::FreeOnSuccess(1), list::oco),
    signed("POST", "/api/v3/orderList/oto", &list_params::OTO, Weight::FreeOnSuccess(1), list::oto),
    signed("POST", "/api/v3/orderList/otoco", &list_params::OTOCO, Weight::FreeOnSuccess(1), list::otoco),
    signed("POST", "/api/v3/orderList/opo", &list_params::OPO, Weight::FreeOnSuccess(1), list::opo),
    signed("POST", "/api/v3/orderList/opoco", &list_params::OPOCO, Weight::FreeOnSuccess(1), list::opoco),
    signed(
        "DELETE",
        "/api/v3/orderList",
        &[SYMBOL, LIST_ID, LIST_CLIENT_ID, Field::client_id("newClientOrderId")],
        Weight::FreeOnSuccess(1),
        list::cancel,
    ),
    signed("GET", "/api/v3/orderList", &[LIST_ID, ORIG_CLIENT_ID], Weight::Fixed(4), list::list),
    signed("GET", "/api/v3/allOrderList", &[FROM_ID, START, END, LIMIT], Weight::Fixed(20), list::all),
    signed(
        "GET",
        "/api/v3/myPreventedMatches",
        &[SYMBOL, Field::digits("preventedMatchId"), ORDER_ID, Field::digits("fromPreventedMatchId"), LIMIT],
        Weight::With("orderId", 20, 2),
        prevented::matches,
    ),
    signed("POST", "/api/v3/sor/order", SOR_ORDER.split_at(12).0, Weight::FreeOnSuccess(1), routing::order),
    signed("POST", "/api/v3/sor/order/test", &SOR_ORDER, Weight::ComputesCommission, routing::order),
    signed(
        "GET",
        "/api/v3/myAllocations",
        &[SYMBOL, START, END, Field::digits("fromAllocationId"), LIMIT, ORDER_ID],
        Weight::Fixed(20),
        routing::allocations,
    ),
    signed("GET", "/api/v3/myFilters", &[SYMBOL], Weight::Fixed(40), rules::filters),
    signed("GET", "/api/v3/openOrderList", &[], Weight::Fixed(6), list::open),
    open("/api/v3/ping", &[], Weight::Fixed(1), market::ping),
    open(
        "/api/v3/exchangeInfo",
        &[Field::symbol(), Field::symbols(), Field::word("permissions"), Field::word("showPermissionSets"), STATUS],
        Weight::Fixed(20),
        info::exchange_info,
    ),
    open("/api/v3/executionRules", TICKER, Weight::EachSymbolOrAll { each: 2, cap: 40 }, rules::execution_rules),
    open("/api/v3/referencePrice", &[SYMBOL], Weight::Fixed(2), rules::reference_price),
    open("/api/v3/referencePrice/calculation", &[SYMBOL, STATUS], Weight::Fixed(2), rules::reference_price),
    open("/api/v3/depth", &[SYMBOL, LIMIT, STATUS], Weight::Depth, market::depth),
    open("/api/v3/trades", &[SYMBOL, LIMIT], Weight::Fixed(25), market::trades),
    open("/api/v3/historicalTrades", &[SYMBOL, LIMIT, FROM_ID], Weight::Fixed(25), market::trades),
    open(
        "/api/v3/historicalBlockTrades",
        &[SYMBOL, FROM_ID.mandatory(), LIMIT],
        Weight::Fixed(25),
        routing::block_trades,
    ),
    open("/api/v3/aggTrades", &[SYMBOL, FROM_ID, START, END, LIMIT], Weight::Fixed(4), market::agg_trades),
    open("/api/v3/klines", KLINES, Weight::Fixed(2), market::klines),
    open("/api/v3/uiKlines", KLINES, Weight::Fixed(2), market::klines),
    open("/api/v3/avgPrice", &[SYMBOL], Weight::Fixed(2), market::avg_price),
    open(
        "/api/v3/ticker/24hr",
        &[Field::symbol(), Field::symbols(), TICKER_TYPE, STATUS],
        Weight::Ticker24h,
        ticker::day,
    ),
    open(
        "/api/v3/ticker/tradingDay",
        &[Field::symbol(), Field::symbols(), TIME_ZONE, TICKER_TYPE, STATUS],
        WINDOW,
        ticker::trading_day,
    ),
    open(
        "/api/v3/ticker",
        &[Field::symbol(), Field::symbols(), Field::word("windowSize"), TICKER_TYPE, STATUS],
        WINDOW,
        ticker::rolling,
    ),
    open("/api/v3/ticker/price", TICKER, Weight::SymbolOrAll(2, 4), ticker::price),
    open("/api/v3/ticker/bookTicker", TICKER, Weight::SymbolOrAll(2, 4), ticker::book),
    keyed("POST", &[], listen_key::open),
    keyed("PUT", LISTEN_KEY_FIELDS, listen_key::keep_alive),
    keyed("DELETE", LISTEN_KEY_FIELDS, listen_key::close),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, query: &str, expected: u32) {
        let route = find(method, path).expect("a route");
        let weight = route.weight(&Params::read(query.as_bytes(), b""));
        assert_eq!(weight, expected, "{method} {path}?{query}");
    }

    #[test]
    fn weights_follow_the_parameters() {
        for (limit, weight) in [(1, 5), (100, 5), (101, 25), (500, 25), (501, 50), (1000, 50), (1001, 250), (9999, 250)]
        {
            check("GET", "/api/v3/depth", &format!("symbol=A&limit={limit}"), weight);
        }
        check("GET", "/api/v3/depth", "symbol=A", 5);
        check("GET", "/api/v3/ticker/24hr", "symbol=A", 2);
        check("GET", "/api/v3/ticker/24hr", "", 80);
        let list = |n: usize| format!("symbols=[{}]", vec!["\"A\""; n].join(","));
        for (n, weight) in [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80)] {
            check("GET", "/api/v3/ticker/24hr", &list(n), weight);
        }
        for path in ["/api/v3/ticker", "/api/v3/ticker/tradingDay"] {
            check("GET", path, "symbol=A&windowSize=7d", 4);
            for (n, weight) in [(0, 4), (1, 4), (2, 8), (50, 200), (51, 200), (100, 200)] {
                check("GET", path, &list(n), weight);
            }
        }
        for path in ["/api/v3/ticker/price", "/api/v3/ticker/bookTicker"] {
            check("GET", path, "symbol=A", 2);
            check("GET", path, "", 4);
            check("GET", path, &list(1), 4);
        }
        check("GET", "/api/v3/executionRules", "symbol=A", 2);
        check("GET", "/api/v3/executionRules", "", 40);
        check("GET", "/api/v3/executionRules", "symbolStatus=TRADING", 40);
        for (n, weight) in [(1, 2), (3, 6), (20, 40), (21, 40)] {
            check("GET", "/api/v3/executionRules", &list(n), weight);
        }
        check("GET", "/api/v3/openOrders", "symbol=A", 6);
        check("GET", "/api/v3/openOrders", "", 80);
        check("GET", "/api/v3/myTrades", "orderId=1", 5);
        check("GET", "/api/v3/myTrades", "", 20);
        check("POST", "/api/v3/order/test", "", 1);
        check("POST", "/api/v3/order/test", "computeCommissionRates=true", 20);
        check("POST", "/api/v3/sor/order/test", "", 1);
        check("POST", "/api/v3/sor/order/test", "computeCommissionRates=true", 20);
    }

    #[test]
    fn only_order_test_takes_compute_commission_rates() {
        let known = |path| {
            let route = find("POST", path).expect("a route");
            route.fields.iter().any(|field| field.name == "computeCommissionRates")
        };
        assert!(known("/api/v3/order/test"));
        assert!(!known("/api/v3/order"));
        assert!(known("/api/v3/sor/order/test"));
        assert!(!known("/api/v3/sor/order"));
    }
}
