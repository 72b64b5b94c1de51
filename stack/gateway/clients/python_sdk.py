"""Lists and calls the 23 tools through the gateway, with the SDK that MCP's makers publish for Python.

Usage: python_sdk.py CLIENTS.json NAME

NAME is one of the servers of a client's configuration file: a command, or a URL with its headers.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import httpx2
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

PAIR = {"symbol": "BTCUSDT"}
LIMIT = {**PAIR, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": "50000"}

# Each call, and what the shipped policy makes of it: let through, or the reason of its denial. `$` names what an earlier
# answer told.
CALLS = [
    ("bn_ping", {}, None),
    ("bn_server_time", {}, None),
    ("bn_exchange_info", PAIR, None),
    ("bn_order_book", {**PAIR, "limit": 5}, None),
    ("bn_order_book", {**PAIR, "limit": 5000}, "require_failed"),
    ("bn_recent_trades", PAIR, None),
    ("bn_aggregate_trades", PAIR, None),
    ("bn_klines", {**PAIR, "interval": "1m"}, None),
    ("bn_avg_price", PAIR, None),
    ("bn_ticker_24hr", PAIR, None),
    ("bn_ticker_24hr", {}, "unevaluable"),
    ("bn_ticker_price", PAIR, None),
    ("bn_book_ticker", PAIR, None),
    ("bn_test_order", LIMIT, None),
    ("bn_new_order", LIMIT, None),
    ("bn_new_order", {**LIMIT, "quantity": "1.5"}, "require_failed"),
    ("bn_new_order", {**PAIR, "side": "BUY", "type": "MARKET", "Quantity": "0.001"}, "undeclared_argument"),
    ("bn_query_order", {**PAIR, "orderId": "$orderId"}, None),
    ("bn_open_orders", PAIR, None),
    ("bn_all_orders", PAIR, None),
    ("bn_cancel_order", {**PAIR, "orderId": "$orderId"}, None),
    ("bn_cancel_order", {**PAIR, "orderId": 1}, "not_own"),
    ("bn_new_order", {**LIMIT, "price": "49000"}, None),
    ("bn_cancel_all_orders", PAIR, None),
    ("bn_my_trades", PAIR, None),
    ("bn_account_info", {}, None),
    ("bn_create_listen_key", {}, None),
    ("bn_create_listen_key", {}, "limit_reached"),
    ("bn_keepalive_listen_key", {"listenKey": "$listenKey"}, None),
    ("bn_keepalive_listen_key", {"listenKey": "another"}, "not_own"),
    ("bn_close_listen_key", {"listenKey": "$listenKey"}, None),
]


async def connect(stack, server):
    """The streams to one server of a client's configuration."""
    if "command" in server:
        command = StdioServerParameters(command=server["command"], args=server["args"], env=server["env"])
        return await stack.enter_async_context(stdio_client(command))
    client = await stack.enter_async_context(httpx2.AsyncClient(headers=server["headers"], trust_env=False))
    return (await stack.enter_async_context(streamable_http_client(server["url"], http_client=client)))[:2]


async def check(server):
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(*await connect(stack, server)))
        await session.initialize()
        tools = {tool.name for tool in (await session.list_tools()).tools}
        assert len(tools) == 23, f"{len(tools)} tools: {sorted(tools)}"
        known = {}
        for name, arguments, reason in CALLS:
            filled = {key: known[value[1:]] if str(value).startswith("$") else value for key, value in arguments.items()}
            answer = await session.call_tool(name, filled)
            text = answer.content[0].text
            if reason is None:
                assert not answer.is_error, f"{name} {filled}: {text}"
                told = answer.structured_content or {}
                known.update({key: told[key] for key in ("orderId", "listenKey") if key in told})
            else:
                assert answer.is_error and text.startswith("[POLICY DENIED]"), f"{name} {filled} was let through: {text}"
                assert answer.structured_content["reason"] == reason, f"{name} {filled}: {answer.structured_content}"
        called = {name for name, _, _ in CALLS}
        assert called == tools, f"never called: {sorted(tools - called)}"
        denied = sum(reason is not None for _, _, reason in CALLS)
        print(f"   {len(tools)} tools, {len(CALLS) - denied} calls let through, {denied} denied")


def main():
    path, name = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        asyncio.run(check(json.load(file)["mcpServers"][name]))


main()
