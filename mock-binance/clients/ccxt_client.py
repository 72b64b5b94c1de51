"""ccxt and ccxt.pro, unmodified, against the mock."""

import asyncio
import json
import time
from decimal import Decimal

from checks import KEY, REST, SECRET, WS, equal, holds

import ccxt
import ccxt.pro

PAIR = "BTC/USDT"


def settings(secret=SECRET):
    return {
        "apiKey": KEY,
        "secret": secret,
        "urls": {
            "api": {
                "public": f"{REST}/api/v3",
                "private": f"{REST}/api/v3",
                "v1": f"{REST}/api/v1",
                "sapi": f"{REST}/sapi/v1",
                "ws": {"spot": f"{WS}/ws", "ws-api": {"spot": f"{WS}/ws-api/v3"}},
            }
        },
        "options": {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
        },
    }


def refused(exchange, what, kind, code, call, *arguments):
    try:
        answer = call(*arguments)
    except ccxt.BaseError as error:
        # Of an answer that ccxt knows by its text it keeps the class and the text; the code is in the raw answer.
        told = json.loads(exchange.last_http_response)["code"]
        equal(what, (type(error).__name__, told), (kind, code))
    else:
        equal(what, answer, f"{kind} {code}")


def number(value):
    return Decimal(str(value))


def market_data(exchange):
    away = abs(exchange.fetch_time() - time.time() * 1000)
    holds("server time is about now", away < 60_000, away)
    market = exchange.load_markets()[PAIR]
    equal("exchange info: assets", (market["base"], market["quote"], market["spot"]), ("BTC", "USDT", True))
    book = exchange.fetch_order_book(PAIR, 5)
    equal("depth: five levels a side", (len(book["bids"]), len(book["asks"])), (5, 5))
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    holds("depth: not crossed", bid < ask, (bid, ask))
    return bid, ask


def limit_order(exchange, bid):
    before = exchange.fetch_balance()["USDT"]["free"]
    price = float(exchange.price_to_precision(PAIR, bid * 0.98))
    order = exchange.create_order(PAIR, "limit", "buy", 0.001, price)
    equal("LIMIT rests", (order["status"], order["price"], order["amount"]), ("open", price, 0.001))
    used = exchange.fetch_balance()["USDT"]["used"]
    equal("balances: the order is locked", number(used), number(price) * Decimal("0.001"))
    seen = exchange.fetch_order(order["id"], PAIR)
    equal("query", (seen["id"], seen["status"]), (order["id"], "open"))
    equal("open orders", [row["id"] for row in exchange.fetch_open_orders(PAIR)], [order["id"]])
    equal("cancel", exchange.cancel_order(order["id"], PAIR)["status"], "canceled")
    equal("no open orders", exchange.fetch_open_orders(PAIR), [])
    equal("balances: all is free again", exchange.fetch_balance()["USDT"]["free"], before)


def market_order(exchange, ask):
    order = exchange.create_order(PAIR, "market", "buy", 0.002)
    equal("MARKET is filled", (order["status"], order["filled"]), ("closed", 0.002))
    equal("MARKET: fills at the best ask", order["trades"][0]["price"], ask)
    mine = exchange.fetch_my_trades(PAIR, params={"orderId": order["id"]})
    equal("my trades", [t["id"] for t in mine], [t["id"] for t in order["trades"]])
    last = order["trades"][-1]["price"]
    equal("trades: mine is the latest", exchange.fetch_trades(PAIR, limit=10)[-1]["price"], last)
    equal("klines: closes at my price", exchange.fetch_ohlcv(PAIR, "1m", limit=2)[-1][4], last)
    equal("ticker: last price", exchange.fetch_ticker(PAIR)["last"], last)


def errors(exchange):
    refused(exchange, "unknown symbol -1121", "BadSymbol", -1121, exchange.public_get_depth, {"symbol": "NOPEUSDT"})
    # ccxt rounds amounts itself, so the raw call is what reaches the exchange with a bad lot.
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.0000001"}
    refused(exchange, "LOT_SIZE -1013", "InvalidOrder", -1013, exchange.private_post_order, order)
    refused(exchange, "balance -2010", "InsufficientFunds", -2010, exchange.create_order, PAIR, "market", "sell", 9)
    wrong = ccxt.binance(settings("not-the-secret"))
    refused(wrong, "wrong secret -1022", "AuthenticationError", -1022, wrong.private_get_account)


async def streams():
    exchange = ccxt.pro.binance(settings())
    try:
        await exchange.load_markets()
        watching = asyncio.ensure_future(exchange.watch_trades(PAIR))
        # Nothing says when the subscription has begun, so orders are sent until a trade is seen.
        sent, trades = {}, None
        while trades is None:
            order = await exchange.create_order(PAIR, "market", "buy", 0.001)
            sent |= {trade["id"]: trade["price"] for trade in order["trades"]}
            done, _ = await asyncio.wait([watching], timeout=0.5)
            trades = watching.result() if done else None
        seen = trades[-1]
        equal("stream: trade", (seen["symbol"], seen["price"]), (PAIR, sent.get(seen["id"])))
        far = float(exchange.price_to_precision(PAIR, seen["price"] * 0.98))
        order = await exchange.create_order_ws(PAIR, "limit", "buy", 0.001, far)
        equal("WebSocket API: LIMIT rests", (order["status"], order["price"]), ("open", far))
        equal("WebSocket API: query", (await exchange.fetch_order_ws(order["id"], PAIR))["id"], order["id"])
        equal("WebSocket API: cancel", (await exchange.cancel_order_ws(order["id"], PAIR))["status"], "canceled")
        watching = asyncio.ensure_future(exchange.watch_orders(PAIR))
        sent, orders = set(), None
        while orders is None:
            sent.add((await exchange.create_order(PAIR, "market", "buy", 0.001))["id"])
            done, _ = await asyncio.wait([watching], timeout=0.5)
            orders = watching.result() if done else None
        equal("user stream: an order of mine", orders[-1]["id"] in sent, True)
    finally:
        await exchange.close()


def main():
    exchange = ccxt.binance(settings())
    bid, ask = market_data(exchange)
    limit_order(exchange, bid)
    market_order(exchange, ask)
    errors(exchange)
    asyncio.run(asyncio.wait_for(streams(), 30))


main()
