//! The 23 tools. Paths, parameters and weights: Binance Spot REST reference.
//!
//! Annotations state what a careful client should assume, which is not always what servers of this
//! kind have published:
//!
//! * `open_world` is true throughout: every tool asks a remote exchange whose state others change.
//! * [`READ`]: changes nothing. `bn_test_order` belongs here: the exchange validates and forgets it.
//! * [`SPEND`]: `bn_new_order` is *destructive*. A filled order cannot be taken back, so calling it
//!   merely additive would be wrong; and two calls are two orders.
//! * [`CANCEL`]: destructive, and *not* idempotent: between two equal calls an order may have been
//!   placed under the same client id, or on the same symbol, and the second call would end that too.
//! * [`OPEN_STREAM`]: adds a key. Repeating it may return the same key or, once expired, another.
//! * [`EXTEND_STREAM`]: sets the same validity again, so it is idempotent.
//! * [`CLOSE_STREAM`]: destructive (it ends the stream for all who listen), idempotent (a closed key
//!   stays closed).

use super::spec::{Access, Endpoint, Hints, Kind, MAX_SAFE_INTEGER, Param, Spec};

const READ: Hints = hints(true, false, true);
const SPEND: Hints = hints(false, true, false);
const CANCEL: Hints = hints(false, true, false);
const OPEN_STREAM: Hints = hints(false, false, false);
const EXTEND_STREAM: Hints = hints(false, false, true);
const CLOSE_STREAM: Hints = hints(false, true, true);

const fn hints(read_only: bool, destructive: bool, idempotent: bool) -> Hints {
    Hints { read_only, destructive, idempotent, open_world: true }
}

const fn endpoint(method: &'static str, path: &'static str, access: Access) -> Endpoint {
    Endpoint { method, path, access }
}

const fn public(path: &'static str) -> Endpoint {
    endpoint("GET", path, Access::Public)
}

const SYMBOL: Param = Param::required("symbol", Kind::Symbol, "Trading pair in upper case, for example BTCUSDT.");
const SYMBOL_OR_ALL: Param = Param::optional(
    "symbol",
    Kind::Symbol,
    "Trading pair in upper case, for example BTCUSDT. Left out: all pairs, at a higher weight.",
);
const FIELDS: Param = Param::optional(
    "_fields",
    Kind::FieldList,
    "Comma-separated top-level fields to keep in the answer (in each row, if it is a list), to save \
     context. Applied by this server and not sent to the exchange; an unknown name is an error.",
);
const RECV_WINDOW: Param = Param::optional(
    "recvWindow",
    Kind::Integer { min: 1, max: crate::config::MAX_RECV_WINDOW_MS, default: None },
    "How many milliseconds after its timestamp the exchange may still take the request. Left out: the \
     server's configured value.",
);
const FROM_ID: Param =
    Param::optional("fromId", id(), "Trade id to start from, inclusive. Not to be combined with times.");
const START: Param =
    Param::optional("startTime", id(), "Start of the period, inclusive, in milliseconds since the Unix epoch.");
const END: Param =
    Param::optional("endTime", id(), "End of the period, inclusive, in milliseconds since the Unix epoch.");
const LIMIT: Param =
    Param::optional("limit", Kind::Integer { min: 1, max: 1_000, default: Some(500) }, "How many rows at most.");
const ORDER_ID: Param =
    Param::optional("orderId", id(), "The exchange's id of the order. Give this or origClientOrderId.");
const ORIG_CLIENT_ORDER_ID: Param = Param::optional(
    "origClientOrderId",
    Kind::ClientOrderId,
    "The client order id with which the order was placed. Give this or orderId.",
);
const LISTEN_KEY: Param = Param::required("listenKey", Kind::ListenKey, "The key that bn_create_listen_key returned.");

const fn id() -> Kind {
    Kind::Integer { min: 0, max: MAX_SAFE_INTEGER, default: None }
}

const ORDER: &[Param] = &[
    SYMBOL,
    Param::required("side", Kind::Choice(&["BUY", "SELL"]), "Buy or sell the base asset."),
    Param::required(
        "type",
        Kind::Choice(&[
            "LIMIT",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
            "LIMIT_MAKER",
        ]),
        "Order type. It decides which other arguments are needed: LIMIT timeInForce, quantity, price; \
         MARKET quantity or quoteOrderQty; STOP_LOSS and TAKE_PROFIT quantity, stopPrice; \
         STOP_LOSS_LIMIT and TAKE_PROFIT_LIMIT timeInForce, quantity, price, stopPrice; LIMIT_MAKER \
         quantity, price.",
    ),
    Param::optional(
        "timeInForce",
        Kind::Choice(&["GTC", "IOC", "FOK"]),
        "GTC rests until cancelled, IOC fills what it can at once, FOK fills all at once or nothing.",
    ),
    Param::optional("quantity", Kind::Decimal, "Amount of the base asset, as a decimal string, for example \"0.015\"."),
    Param::optional(
        "quoteOrderQty",
        Kind::Decimal,
        "MARKET only: amount of the quote asset to spend or to receive, as a decimal string.",
    ),
    Param::optional("price", Kind::Decimal, "Limit price in the quote asset, as a decimal string. Not for MARKET."),
    Param::optional(
        "stopPrice",
        Kind::Decimal,
        "Trigger price of the stop and take-profit types, as a decimal string.",
    ),
    Param::optional(
        "newClientOrderId",
        Kind::ClientOrderId,
        "Your own id for the order, unique among your open orders. Recommended: with it, an order whose \
         answer was lost can be looked up.",
    ),
    RECV_WINDOW,
];

const NONE: &str = "";
const AFTER_ORDER: &str = "the order may have been booked: look it up with bn_query_order (by \
     newClientOrderId, if one was given) or bn_open_orders before placing it again";
const AFTER_CANCEL: &str = "the cancellation may have been carried out: look with bn_query_order or \
     bn_open_orders before repeating it";
const AFTER_STREAM: &str = "the change may have been carried out; for listen keys repeating the call is \
     harmless";

const ONLY_FIELDS: &[Param] = &[FIELDS];
const SYMBOL_AND_FIELDS: &[Param] = &[SYMBOL, FIELDS];
const ALL_AND_FIELDS: &[Param] = &[SYMBOL_OR_ALL, FIELDS];

/// All tools, in the order of `tools/list`.
pub(crate) const TABLE: &[Spec] = &[
    Spec {
        name: "bn_ping",
        title: "Ping the exchange",
        description: "Tests whether the exchange's REST API can be reached. Weight 1. Returns an empty object.",
        endpoint: public("/api/v3/ping"),
        hints: READ,
        params: ONLY_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_server_time",
        title: "Exchange server time",
        description: "Reads the exchange's clock. Useful when signed calls fail with code -1021. Weight 1. \
             Returns {serverTime} in milliseconds since the Unix epoch.",
        endpoint: public("/api/v3/time"),
        hints: READ,
        params: ONLY_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_exchange_info",
        title: "Trading rules",
        description: "Reads trading rules: rate limits and, for each pair, status, assets, order types and the \
             filters (tick size, step size, minimum notional) that an order must meet. Weight 20. Name one \
             symbol or several symbols, not both; the full list is several megabytes and is refused as too \
             long. Returns {timezone, serverTime, rateLimits, exchangeFilters, symbols}.",
        endpoint: public("/api/v3/exchangeInfo"),
        hints: READ,
        params: &[
            Param::optional("symbol", Kind::Symbol, "Trading pair in upper case, for example BTCUSDT."),
            Param::optional(
                "symbols",
                Kind::SymbolList,
                "Several pairs as a JSON array in a string, for example [\"BTCUSDT\",\"ETHUSDT\"].",
            ),
            FIELDS,
        ],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_order_book",
        title: "Order book",
        description: "Reads bids and asks of one pair, best first. Weight 5 up to limit 100, 25 up to 500, 50 up \
             to 1000, 250 up to 5000. Returns {lastUpdateId, bids, asks}; each level is [price, quantity].",
        endpoint: public("/api/v3/depth"),
        hints: READ,
        params: &[
            SYMBOL,
            Param::optional(
                "limit",
                Kind::Integer { min: 1, max: 5_000, default: Some(100) },
                "How many levels on each side at most. More levels cost more weight.",
            ),
            FIELDS,
        ],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_recent_trades",
        title: "Recent trades",
        description: "Reads the latest public trades of one pair, oldest first. Weight 25. Returns {items}, each \
             {id, price, qty, quoteQty, time, isBuyerMaker, isBestMatch}.",
        endpoint: public("/api/v3/trades"),
        hints: READ,
        params: &[SYMBOL, LIMIT, FIELDS],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_aggregate_trades",
        title: "Aggregate trades",
        description: "Reads public trades of one pair, those of one taker order at one price put together, oldest \
             first; the latest ones unless fromId or times are given. Weight 4. Returns {items}, each {a: id, \
             p: price, q: quantity, f: first trade id, l: last trade id, T: time, m: buyer was maker, M: best \
             match}.",
        endpoint: public("/api/v3/aggTrades"),
        hints: READ,
        params: &[SYMBOL, FROM_ID, START, END, LIMIT, FIELDS],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_klines",
        title: "Candlesticks",
        description: "Reads candlesticks of one pair, oldest first; the latest ones unless times are given. Weight \
             2. Returns {items}, each an array [openTime, open, high, low, close, volume, closeTime, \
             quoteVolume, trades, takerBuyBaseVolume, takerBuyQuoteVolume, unused]. With _fields each row \
             becomes an object of the named columns.",
        endpoint: public("/api/v3/klines"),
        hints: READ,
        params: &[
            SYMBOL,
            Param::required(
                "interval",
                Kind::Choice(&[
                    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
                ]),
                "Length of a candlestick. Case matters: 1m is a minute, 1M a month.",
            ),
            START,
            END,
            LIMIT,
            FIELDS,
        ],
        columns: &[
            "openTime",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "closeTime",
            "quoteVolume",
            "trades",
            "takerBuyBaseVolume",
            "takerBuyQuoteVolume",
            "unused",
        ],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_avg_price",
        title: "Average price",
        description: "Reads the average price of one pair over the last minutes, against which percent-price \
             filters are measured. Weight 2. Returns {mins, price, closeTime}.",
        endpoint: public("/api/v3/avgPrice"),
        hints: READ,
        params: SYMBOL_AND_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_ticker_24hr",
        title: "24-hour statistics",
        description: "Reads price change, volume, high and low of the last 24 hours. Weight 2 with a symbol, 80 \
             without. Returns one object for a symbol, otherwise {items} with one object a pair.",
        endpoint: public("/api/v3/ticker/24hr"),
        hints: READ,
        params: ALL_AND_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_ticker_price",
        title: "Last price",
        description: "Reads the last traded price. Weight 2 with a symbol, 4 without. Returns {symbol, price} for a \
             symbol, otherwise {items} with one such object a pair.",
        endpoint: public("/api/v3/ticker/price"),
        hints: READ,
        params: ALL_AND_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_book_ticker",
        title: "Best bid and ask",
        description: "Reads the best bid and the best ask with their quantities. Weight 2 with a symbol, 4 without. \
             Returns {symbol, bidPrice, bidQty, askPrice, askQty} for a symbol, otherwise {items} with one such \
             object a pair.",
        endpoint: public("/api/v3/ticker/bookTicker"),
        hints: READ,
        params: ALL_AND_FIELDS,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_new_order",
        title: "Place an order",
        description: "Places a real order with the account's money. A fill cannot be taken back. Check it first \
             with bn_test_order and give a newClientOrderId. Weight 1 when refused, 0 when accepted; counts \
             towards the order limits. Returns the order with its status and, for LIMIT and MARKET, its fills. \
             If the error says that the outcome is unknown, look the order up before placing it again.",
        endpoint: endpoint("POST", "/api/v3/order", Access::SignedTrade),
        hints: SPEND,
        params: ORDER,
        columns: &[],
        when_unknown: AFTER_ORDER,
    },
    Spec {
        name: "bn_test_order",
        title: "Validate an order",
        description: "Lets the exchange validate an order (signature, arguments, filters) without placing it. Does \
             not look at the balance or the order book. Weight 1. Returns an empty object if the order is well \
             formed.",
        endpoint: endpoint("POST", "/api/v3/order/test", Access::SignedTrade),
        hints: READ,
        params: ORDER,
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_query_order",
        title: "Look up an order",
        description: "Reads one order of the account by orderId or origClientOrderId; one of the two must be given. \
             Weight 4. Returns the order with status, price, origQty, executedQty and cummulativeQuoteQty.",
        endpoint: endpoint("GET", "/api/v3/order", Access::SignedRead),
        hints: READ,
        params: &[SYMBOL, ORDER_ID, ORIG_CLIENT_ORDER_ID, RECV_WINDOW, FIELDS],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_cancel_order",
        title: "Cancel an order",
        description: "Cancels one open order by orderId or origClientOrderId; one of the two must be given. What \
             was filled before stays filled. Weight 1 when refused, 0 when done. Returns the cancelled order.",
        endpoint: endpoint("DELETE", "/api/v3/order", Access::SignedTrade),
        hints: CANCEL,
        params: &[SYMBOL, ORDER_ID, ORIG_CLIENT_ORDER_ID, RECV_WINDOW],
        columns: &[],
        when_unknown: AFTER_CANCEL,
    },
    Spec {
        name: "bn_cancel_all_orders",
        title: "Cancel all open orders of a pair",
        description: "Cancels every open order of the account on one pair, whoever placed it, protective stops \
             included. Weight 1 when refused, 0 when done. Returns {items}, each a cancelled order; code -2011 \
             if none was open.",
        endpoint: endpoint("DELETE", "/api/v3/openOrders", Access::SignedTrade),
        hints: CANCEL,
        params: &[SYMBOL, RECV_WINDOW],
        columns: &[],
        when_unknown: AFTER_CANCEL,
    },
    Spec {
        name: "bn_open_orders",
        title: "Open orders",
        description: "Reads the account's open orders. Weight 6 with a symbol, 80 without. Returns {items}, each an \
             order.",
        endpoint: endpoint("GET", "/api/v3/openOrders", Access::SignedRead),
        hints: READ,
        params: &[SYMBOL_OR_ALL, RECV_WINDOW, FIELDS],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_all_orders",
        title: "Order history",
        description: "Reads the account's orders on one pair, open, filled and cancelled, oldest first. Times may \
             lie at most 24 hours apart. Weight 20. Returns {items}, each an order.",
        endpoint: endpoint("GET", "/api/v3/allOrders", Access::SignedRead),
        hints: READ,
        params: &[
            SYMBOL,
            Param::optional("orderId", id(), "Only orders with this id and later ones."),
            START,
            END,
            LIMIT,
            RECV_WINDOW,
            FIELDS,
        ],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_account_info",
        title: "Account and balances",
        description: "Reads the account: balances (free and locked), commission rates and permissions. Weight 20. \
             Returns one object; _fields=balances keeps the balances only.",
        endpoint: endpoint("GET", "/api/v3/account", Access::SignedRead),
        hints: READ,
        params: &[RECV_WINDOW, FIELDS],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_my_trades",
        title: "Own trades",
        description: "Reads the account's own trades on one pair, oldest first. Weight 20, or 5 with orderId. \
             Returns {items}, each {symbol, id, orderId, orderListId, price, qty, quoteQty, commission, \
             commissionAsset, time, isBuyer, isMaker, isBestMatch}.",
        endpoint: endpoint("GET", "/api/v3/myTrades", Access::SignedRead),
        hints: READ,
        params: &[
            SYMBOL,
            Param::optional("orderId", id(), "Only the trades of this order."),
            START,
            END,
            FROM_ID,
            LIMIT,
            RECV_WINDOW,
            FIELDS,
        ],
        columns: &[],
        when_unknown: NONE,
    },
    Spec {
        name: "bn_create_listen_key",
        title: "Open a user data stream",
        description: "Creates the listen key of a user data stream, valid for 60 minutes, or extends the one that is \
             still valid. The key opens the account's private events to whoever holds it. Weight 2. Returns \
             {listenKey}. Binance retired listen keys on 2026-02-20: expect HTTP 410 from the real exchange.",
        endpoint: endpoint("POST", "/api/v3/userDataStream", Access::ApiKey),
        hints: OPEN_STREAM,
        params: ONLY_FIELDS,
        columns: &[],
        when_unknown: AFTER_STREAM,
    },
    Spec {
        name: "bn_keepalive_listen_key",
        title: "Keep a user data stream alive",
        description: "Extends the validity of a listen key to 60 minutes from now. Weight 2. Returns an empty \
             object. Retired by Binance like bn_create_listen_key.",
        endpoint: endpoint("PUT", "/api/v3/userDataStream", Access::ApiKey),
        hints: EXTEND_STREAM,
        params: &[LISTEN_KEY],
        columns: &[],
        when_unknown: AFTER_STREAM,
    },
    Spec {
        name: "bn_close_listen_key",
        title: "Close a user data stream",
        description: "Closes the user data stream of a listen key, for everyone who listens to it. Weight 2. Returns \
             an empty object. Retired by Binance like bn_create_listen_key.",
        endpoint: endpoint("DELETE", "/api/v3/userDataStream", Access::ApiKey),
        hints: CLOSE_STREAM,
        params: &[LISTEN_KEY],
        columns: &[],
        when_unknown: AFTER_STREAM,
    },
];
