//! Which endpoint a method names.

use crate::api::route::{self, Route};

/// Method, and the verb and path of the endpoint that answers it.
const METHODS: &[(&str, &str, &str)] = &[
    ("ping", "GET", "ping"),
    ("time", "GET", "time"),
    ("exchangeInfo", "GET", "exchangeInfo"),
    ("executionRules", "GET", "executionRules"),
    ("depth", "GET", "depth"),
    ("trades.recent", "GET", "trades"),
    ("trades.historical", "GET", "historicalTrades"),
    ("trades.aggregate", "GET", "aggTrades"),
    ("blockTrades.historical", "GET", "historicalBlockTrades"),
    ("klines", "GET", "klines"),
    ("uiKlines", "GET", "uiKlines"),
    ("avgPrice", "GET", "avgPrice"),
    ("ticker", "GET", "ticker"),
    ("ticker.24hr", "GET", "ticker/24hr"),
    ("ticker.tradingDay", "GET", "ticker/tradingDay"),
    ("ticker.price", "GET", "ticker/price"),
    ("ticker.book", "GET", "ticker/bookTicker"),
    ("referencePrice", "GET", "referencePrice"),
    ("referencePrice.calculation", "GET", "referencePrice/calculation"),
    ("order.place", "POST", "order"),
    ("order.test", "POST", "order/test"),
    ("order.cancelReplace", "POST", "order/cancelReplace"),
    ("order.amend.keepPriority", "PUT", "order/amend/keepPriority"),
    ("order.amendments", "GET", "order/amendments"),
    ("sor.order.place", "POST", "sor/order"),
    ("sor.order.test", "POST", "sor/order/test"),
    ("orderList.place", "POST", "order/oco"),
    ("orderList.place.oco", "POST", "orderList/oco"),
    ("orderList.place.oto", "POST", "orderList/oto"),
    ("orderList.place.otoco", "POST", "orderList/otoco"),
    ("orderList.place.opo", "POST", "orderList/opo"),
    ("orderList.place.opoco", "POST", "orderList/opoco"),
    ("orderList.cancel", "DELETE", "orderList"),
    ("orderList.status", "GET", "orderList"),
    ("openOrderLists.status", "GET", "openOrderList"),
    ("allOrderLists", "GET", "allOrderList"),
    ("order.status", "GET", "order"),
    ("order.cancel", "DELETE", "order"),
    ("openOrders.status", "GET", "openOrders"),
    ("openOrders.cancelAll", "DELETE", "openOrders"),
    ("allOrders", "GET", "allOrders"),
    ("myTrades", "GET", "myTrades"),
    ("myPreventedMatches", "GET", "myPreventedMatches"),
    ("myAllocations", "GET", "myAllocations"),
    ("myFilters", "GET", "myFilters"),
    ("account.status", "GET", "account"),
    ("account.commission", "GET", "account/commission"),
    ("account.rateLimits.orders", "GET", "rateLimit/order"),
    // As they were until 2026-02-20.
    ("userDataStream.start", "POST", "userDataStream"),
    ("userDataStream.ping", "PUT", "userDataStream"),
    ("userDataStream.stop", "DELETE", "userDataStream"),
];

/// The endpoint of a method; `v3/` before its name says nothing new.
pub(crate) fn find(method: &str) -> Option<&'static Route> {
    let method = method.strip_prefix("v3/").unwrap_or(method);
    let (_, verb, path) = METHODS.iter().find(|(name, ..)| *name == method)?;
    route::find(verb, &format!("/api/v3/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_named_exactly() {
        assert!(find("order.place").is_some());
        assert!(find("v3/order.place").is_some());
        for method in ["", "Order.place", "order", "v3/", "userDataStream"] {
            assert!(find(method).is_none(), "{method}");
        }
    }
}
