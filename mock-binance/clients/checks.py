"""What both scripts share: where the mock is, the checks, and the rule that nothing leaves this machine."""

import os
import sys

REST = os.environ["MOCK_REST"].rstrip("/")
WS = os.environ["MOCK_WS"].rstrip("/")
KEY = os.environ["MOCK_KEY"]
SECRET = os.environ["MOCK_SECRET"]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _only_loopback(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host is not None and host not in LOOPBACK:
        # An exception could be swallowed or retried by a client; this cannot.
        print(f"FAILED traffic to {host}", file=sys.stderr, flush=True)
        os._exit(2)


sys.addaudithook(_only_loopback)


def equal(what, got, wanted):
    """Ends the script with the difference unless the two are equal."""
    if got != wanted:
        sys.exit(f"FAILED {what}\n  wanted: {wanted!r}\n  got:    {got!r}")
    print(f"ok {what}", flush=True)


def holds(what, condition, seen):
    """Ends the script with what was seen unless the condition holds."""
    if not condition:
        sys.exit(f"FAILED {what}\n  got:    {seen!r}")
    print(f"ok {what}", flush=True)
