"""Asks an MCP server that somebody else wrote, through their SDK, and prints what it was told.

Usage: ask.py HH:MM -- COMMAND [ARGUMENT ...]

One line of JSON for each answer, so that a server, a recorder before it and a tape in its place can be compared.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError


def tell(name, **answer):
    print(json.dumps({"asked": name, **answer}, sort_keys=True))


async def ask(time, command):
    server = StdioServerParameters(command=command[0], args=command[1:])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        tell("initialize", server=hello.server_info.name)
        tools = await session.list_tools()
        tell("tools/list", tools=[tool.name for tool in tools.tools])
        for zone in ("Asia/Tokyo", "Europe/Atlantis"):
            arguments = {"source_timezone": zone, "time": time, "target_timezone": "UTC"}
            try:
                answer = await session.call_tool("convert_time", arguments)
            except MCPError as error:
                tell("convert_time", error=str(error))
                continue
            tell("convert_time", failed=bool(answer.is_error), text=[part.text for part in answer.content])


def main():
    time, mark, *command = sys.argv[1:]
    if mark != "--" or not command:
        sys.exit(__doc__)
    asyncio.run(ask(time, command))


main()
