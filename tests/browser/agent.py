"""An agent of few words: calls of tools over streamable HTTP."""

import json
import urllib.request


class Agent:
    """One session with a gateway."""

    def __init__(self, url, token):
        self.url = url
        self.headers = {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
        }
        self.number = 0
        client = {"name": "agent", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self.headers["MCP-Protocol-Version"] = "2025-11-25"
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        request = urllib.request.Request(self.url, json.dumps(message).encode(), self.headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            if session := answer.headers.get("Mcp-Session-Id"):
                self.headers["Mcp-Session-Id"] = session
            return answer.read().decode()

    def ask(self, method, params):
        self.number += 1
        told = self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        # One answer as it is, or as an event of a stream.
        lines = [line.removeprefix("data:") for line in told.splitlines() if line.startswith(("data:", "{"))]
        answers = [json.loads(line) for line in lines if line.strip()]
        return next(answer["result"] for answer in answers if answer.get("id") == self.number)

    def call(self, tool, arguments):
        """The reason of a denial, or nothing for a call that was let through and went well."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        if not result.get("isError"):
            return None
        return result.get("structuredContent", {}).get("reason", result["content"][0]["text"])
