"""python-binance, unmodified, against the mock."""

import asyncio
import time
from decimal import Decimal

from checks import KEY, REST, SECRET, WS, equal, holds

from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException
from binance.ws.reconnecting_websocket import ReconnectingWebsocket

Client.API_URL = AsyncClient.API_URL = f"{REST}/api"
BinanceSocketManager.STREAM_URL = f"{WS}/"
AsyncClient.WS_API_URL = f"{WS}/ws-api/v3"
# Closing a socket of this client waits until it has received something, or this many seconds.
ReconnectingWebsocket.TIMEOUT = 1
PAIR = "BTCUSDT"


def refused(what, code, call, **arguments):
    try:
        answer = call(**arguments)
    except BinanceAPIException as error:
        equal(what, error.code, code)
    else:
        equal(what, answer, f"error {code}")


def free(client, asset):
    return Decimal(client.get_asset_balance(asset=asset)["free"])


def market_data(client):
    equal("ping", client.ping(), {})
    away = abs(client.get_server_time()["serverTime"] - time.time() * 1000)
    holds("server time is about now", away < 60_000, away)
    info = client.get_symbol_info(PAIR)
    equal("exchange info: assets", (info["baseAsset"], info["quoteAsset"]), ("BTC", "USDT"))
    kinds = {rule["filterType"] for rule in info["filters"]}
    holds("exchange info: filters", {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"} <= kinds, kinds)
    depth = client.get_order_book(symbol=PAIR, limit=5)
    equal("depth: five levels a side", (len(depth["bids"]), len(depth["asks"])), (5, 5))
    bid, ask = Decimal(depth["bids"][0][0]), Decimal(depth["asks"][0][0])
    holds("depth: not crossed", bid < ask, (bid, ask))
    return bid, ask


def limit_order(client, bid):
    price = str((bid * Decimal("0.98")).quantize(Decimal("0.01")))
    before = free(client, "USDT")
    order = client.create_order(
        symbol=PAIR, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=price, newClientOrderId="mine"
    )
    equal("LIMIT rests", (order["status"], order["clientOrderId"]), ("NEW", "mine"))
    account = client.get_asset_balance(asset="USDT")
    equal("balances: the order is locked", Decimal(account["locked"]), Decimal(price) * Decimal("0.001"))
    seen = client.get_order(symbol=PAIR, orderId=order["orderId"])
    equal("query", (seen["status"], Decimal(seen["price"])), ("NEW", Decimal(price)))
    ids = [row["orderId"] for row in client.get_open_orders(symbol=PAIR)]
    equal("open orders", ids, [order["orderId"]])
    equal("cancel", client.cancel_order(symbol=PAIR, orderId=order["orderId"])["status"], "CANCELED")
    equal("no open orders", client.get_open_orders(symbol=PAIR), [])
    equal("balances: all is free again", free(client, "USDT"), before)


def market_order(client, ask):
    before = free(client, "USDT")
    order = client.order_market_buy(symbol=PAIR, quantity="0.002")
    equal("MARKET is filled", (order["status"], Decimal(order["executedQty"])), ("FILLED", Decimal("0.002")))
    filled = sum(Decimal(fill["qty"]) for fill in order["fills"])
    equal("MARKET: the fills make the quantity", filled, Decimal("0.002"))
    equal("MARKET: first fill at the best ask", Decimal(order["fills"][0]["price"]), ask)
    equal("balances: paid what was quoted", before - free(client, "USDT"), Decimal(order["cummulativeQuoteQty"]))
    mine = client.get_my_trades(symbol=PAIR, orderId=order["orderId"])
    equal("my trades", [t["id"] for t in mine], [fill["tradeId"] for fill in order["fills"]])
    trades = client.get_recent_trades(symbol=PAIR, limit=10)
    equal("trades: mine is the latest", trades[-1]["id"], mine[-1]["id"])
    last = order["fills"][-1]["price"]
    equal("klines: closes at my price", client.get_klines(symbol=PAIR, interval="1m", limit=2)[-1][4], last)
    equal("ticker: last price", client.get_ticker(symbol=PAIR)["lastPrice"], last)
    equal("ticker: price", client.get_symbol_ticker(symbol=PAIR)["price"], last)


def errors(client):
    refused("unknown symbol -1121", -1121, client.get_order_book, symbol="NOPEUSDT")
    refused("LOT_SIZE -1013", -1013, client.order_market_buy, symbol=PAIR, quantity="0.0000001")
    refused("balance -2010", -2010, client.order_market_sell, symbol=PAIR, quantity="9")
    wrong = Client(KEY, "not-the-secret")
    refused("wrong secret -1022", -1022, wrong.get_account)


BOUGHT = [
    ("executionReport", "NEW", "NEW"),
    ("executionReport", "TRADE", "FILLED"),
    ("outboundAccountPosition", None, None),
]


async def heard(socket):
    """The events up to the first that tells balances."""
    seen = []
    while not seen or seen[-1][0] != "outboundAccountPosition":
        event = await socket.recv()
        event = event.get("event", event)
        seen.append((event.get("e"), event.get("x"), event.get("X")))
    return seen


async def streams():
    client = await AsyncClient.create(KEY, SECRET)
    try:
        # `user_socket` of this version subscribes through the WebSocket API; the key is opened as a plain stream.
        key = await client.stream_get_listen_key()
        manager = BinanceSocketManager(client)
        async with manager.trade_socket(PAIR) as trades, manager._get_socket(key) as user:
            order = await client.order_market_buy(symbol=PAIR, quantity="0.001")
            trade = await trades.recv()
            fill = order["fills"][0]
            wanted = ("trade", PAIR, fill["tradeId"], fill["price"])
            equal("stream: trade", (trade["e"], trade["s"], trade["t"], trade["p"]), wanted)
            equal("user stream: by listen key", await heard(user), BOUGHT)
        async with manager.user_socket() as user:
            await client.order_market_buy(symbol=PAIR, quantity="0.001")
            equal("user stream: by subscription", await heard(user), BOUGHT)
        placed = await client.ws_create_order(
            symbol=PAIR, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price="50000"
        )
        equal("WebSocket API: LIMIT rests", placed["status"], "NEW")
        canceled = await client.ws_cancel_order(symbol=PAIR, orderId=placed["orderId"])
        equal("WebSocket API: cancel", canceled["status"], "CANCELED")
        equal("listen key: kept alive", await client.stream_keepalive(key), {})
        equal("listen key: closed", await client.stream_close(key), {})
    finally:
        await client.close_connection()


def main():
    client = Client(KEY, SECRET)
    bid, ask = market_data(client)
    limit_order(client, bid)
    market_order(client, ask)
    errors(client)
    asyncio.run(asyncio.wait_for(streams(), 30))


main()
