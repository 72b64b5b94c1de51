"""What mcpsec asks over HTTP, asked of a real gateway over MCP, and answered by what happened.

Usage: adapter.py PORT-FILE GATEWAY POLICY     serves POST /api/evaluate; `deny` in place of GATEWAY denies everything unheard
       adapter.py --server                     the MCP server behind the gateway: answers what stands in the file $ANSWER
"""

import json
import os
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer

TOOLS = {"file.read": "path", "http.request": "url", "db.query": "sql", "bash.exec": "command"}


def server():
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        result = {}
        if asked["method"] == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        elif asked["method"] == "tools/list":
            schema = lambda name: {"type": "object", "properties": {name: {"type": "string"}}}
            result = {"tools": [{"name": tool, "inputSchema": schema(name)} for tool, name in TOOLS.items()]}
        elif asked["method"] == "tools/call":
            with open(os.environ["ANSWER"]) as answer:
                result = json.load(answer)
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)


class Gateway:
    """One session, begun anew when it has ended."""

    def __init__(self, command, policy):
        self.answer = tempfile.NamedTemporaryFile("w", suffix=".json")
        command = [command, "--policy", policy, "--", sys.executable, os.path.abspath(__file__), "--server"]
        pipe, env = subprocess.PIPE, {**os.environ, "ANSWER": self.answer.name}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=env)
        client = {"name": "mcpsec", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.say({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return json.loads(self.process.stdout.readline())

    def evaluate(self, case):
        """HTTP's status and body for a case: denied if the call did not reach the server, flagged if its answer was changed."""
        answer = case.get("_test_response", {"content": [{"type": "text", "text": "done"}]})
        if "error" in answer:
            answer = {"content": [{"type": "text", "text": answer["error"]["message"]}], "isError": True}
        self.answer.seek(0)
        self.answer.truncate()
        json.dump(answer, self.answer)
        self.answer.flush()
        told = self.ask("tools/call", {"name": f"{case['tool']}.{case['function']}", "arguments": case["parameters"]})
        if "error" in told:
            return 400, {"error": told["error"]["message"]}
        verdict = told["result"].get("_meta", {}).get("mcp-gateway/verdict", {})
        if verdict.get("denied"):
            return (429 if verdict["reason"] == "limit_reached" else 200), {"verdict": "Deny", "reason": verdict["reason"]}
        # Withheld, marked or redacted: the suite has one word for each, and takes any.
        changed = told["result"] != answer
        return 200, {"verdict": "Allow", "inspection": {"injection_detected": changed, "dlp_findings": ["changed"] if changed else []}}


def main(port_file, command, policy):
    gateway = None if command == "deny" else Gateway(command, policy)
    reasons = open(port_file + ".log", "w")

    class Door(BaseHTTPRequestHandler):

        def do_POST(self):
            case = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = gateway.evaluate(case) if gateway else (200, {"verdict": "Deny"})
            print(json.dumps([case["tool"], case["function"], status, body])[:300], file=reasons, flush=True)
            told = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_):
            pass

    listener = HTTPServer(("127.0.0.1", 0), Door)
    with open(port_file + ".new", "w") as file:
        file.write(str(listener.server_port))
    os.rename(port_file + ".new", port_file)
    listener.serve_forever()


server() if sys.argv[1:] == ["--server"] else main(*sys.argv[1:])
