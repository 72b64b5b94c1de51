//! The 23 tools: names, endpoints and arguments, as the naive server knows them.

use serde_json::{Map, Value, json};

/// What an endpoint asks of a request (Binance's own classes, REST reference, "Endpoint security type").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Open to everybody.
    None,
    /// The key in a header, no signature.
    UserStream,
    /// The key in a header and a signature over the parameters.
    Signed,
}

/// One tool and the endpoint behind it.
#[derive(Debug, Clone, Copy)]
pub struct ToolSpec {
    /// The tool's name.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path on the exchange.
    pub path: &'static str,
    /// What the endpoint asks of a request.
    pub security: Security,
    /// The declared arguments, the required ones marked with a star.
    pub arguments: &'static [&'static str],
}

impl ToolSpec {
    /// Whether the tool declares an argument of this name.
    pub fn declares(&self, argument: &str) -> bool {
        self.arguments.iter().any(|known| known.trim_end_matches('*') == argument)
    }

    /// The definition as `tools/list` shows it: an open schema, as such servers have, and annotations as the published
    /// server gives them: an order is "not destructive", and a client that trusts that asks nobody.
    pub(super) fn definition(&self) -> Value {
        let mut properties = Map::new();
        for argument in self.arguments {
            let name = argument.trim_end_matches('*');
            let kind = if WHOLE_NUMBERS.contains(&name) { "number" } else { "string" };
            properties.insert(name.to_owned(), json!({ "type": kind }));
        }
        let required: Vec<&str> = self.arguments.iter().filter_map(|argument| argument.strip_suffix('*')).collect();
        json!({
            "name": self.name,
            "description": format!("{} {} of the spot exchange", self.method, self.path),
            "inputSchema": { "type": "object", "properties": properties, "required": required },
            "annotations": {
                "readOnlyHint": self.method == "GET" || self.path.ends_with("/test"),
                "destructiveHint": self.method == "DELETE",
            },
        })
    }
}

/// All tools, in the order of `tools/list`.
pub fn tools() -> &'static [ToolSpec] {
    TOOLS
}

const WHOLE_NUMBERS: [&str; 6] = ["limit", "fromId", "startTime", "endTime", "orderId", "recvWindow"];

const ORDER: &[&str] = &[
    "symbol*",
    "side*",
    "type*",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "newClientOrderId",
    "recvWindow",
];

const fn tool(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    security: Security,
    arguments: &'static [&'static str],
) -> ToolSpec {
    ToolSpec { name, method, path, security, arguments }
}

const TOOLS: &[ToolSpec] = &[
    tool("bn_ping", "GET", "/api/v3/ping", Security::None, &["_fields"]),
    tool("bn_server_time", "GET", "/api/v3/time", Security::None, &["_fields"]),
    tool("bn_exchange_info", "GET", "/api/v3/exchangeInfo", Security::None, &["symbol", "symbols", "_fields"]),
    tool("bn_order_book", "GET", "/api/v3/depth", Security::None, &["symbol*", "limit", "_fields"]),
    tool("bn_recent_trades", "GET", "/api/v3/trades", Security::None, &["symbol*", "limit", "_fields"]),
    tool(
        "bn_aggregate_trades",
        "GET",
        "/api/v3/aggTrades",
        Security::None,
        &["symbol*", "fromId", "startTime", "endTime", "limit", "_fields"],
    ),
    tool(
        "bn_klines",
        "GET",
        "/api/v3/klines",
        Security::None,
        &["symbol*", "interval*", "startTime", "endTime", "limit", "_fields"],
    ),
    tool("bn_avg_price", "GET", "/api/v3/avgPrice", Security::None, &["symbol*", "_fields"]),
    tool("bn_ticker_24hr", "GET", "/api/v3/ticker/24hr", Security::None, &["symbol", "_fields"]),
    tool("bn_ticker_price", "GET", "/api/v3/ticker/price", Security::None, &["symbol", "_fields"]),
    tool("bn_book_ticker", "GET", "/api/v3/ticker/bookTicker", Security::None, &["symbol", "_fields"]),
    tool("bn_new_order", "POST", "/api/v3/order", Security::Signed, ORDER),
    tool("bn_test_order", "POST", "/api/v3/order/test", Security::Signed, ORDER),
    tool(
        "bn_query_order",
        "GET",
        "/api/v3/order",
        Security::Signed,
        &["symbol*", "orderId", "origClientOrderId", "recvWindow", "_fields"],
    ),
    tool(
        "bn_cancel_order",
        "DELETE",
        "/api/v3/order",
        Security::Signed,
        &["symbol*", "orderId", "origClientOrderId", "recvWindow"],
    ),
    tool("bn_cancel_all_orders", "DELETE", "/api/v3/openOrders", Security::Signed, &["symbol*", "recvWindow"]),
    tool("bn_open_orders", "GET", "/api/v3/openOrders", Security::Signed, &["symbol", "recvWindow", "_fields"]),
    tool(
        "bn_all_orders",
        "GET",
        "/api/v3/allOrders",
        Security::Signed,
        &["symbol*", "orderId", "startTime", "endTime", "limit", "recvWindow", "_fields"],
    ),
    tool("bn_account_info", "GET", "/api/v3/account", Security::Signed, &["recvWindow", "_fields"]),
    tool(
        "bn_my_trades",
        "GET",
        "/api/v3/myTrades",
        Security::Signed,
        &["symbol*", "orderId", "startTime", "endTime", "fromId", "limit", "recvWindow", "_fields"],
    ),
    tool("bn_create_listen_key", "POST", "/api/v3/userDataStream", Security::UserStream, &["_fields"]),
    tool("bn_keepalive_listen_key", "PUT", "/api/v3/userDataStream", Security::UserStream, &["listenKey*"]),
    tool("bn_close_listen_key", "DELETE", "/api/v3/userDataStream", Security::UserStream, &["listenKey*"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_23_tools_with_names_of_their_own() {
        let names: BTreeSet<_> = tools().iter().map(|tool| tool.name).collect();
        assert_eq!(names.len(), 23);
        assert_eq!(tools().len(), 23);
    }

    #[test]
    fn a_star_marks_what_is_required() {
        let order = tools().iter().find(|tool| tool.name == "bn_new_order").unwrap();
        assert!(order.declares("symbol") && order.declares("price") && !order.declares("icebergQty"));
        assert_eq!(order.definition()["inputSchema"]["required"], json!(["symbol", "side", "type"]));
        assert_eq!(order.definition()["inputSchema"]["properties"]["recvWindow"]["type"], "number");
        assert_eq!(order.definition()["annotations"]["destructiveHint"], false);
    }
}
