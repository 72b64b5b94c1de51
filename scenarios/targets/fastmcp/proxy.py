"""FastMCP's own proxy over standard streams, with the sliding limit that it ships: 120 calls a minute."""

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy
from fastmcp.server.middleware.rate_limiting import SlidingWindowRateLimitingMiddleware

proxy = create_proxy(StdioTransport(sys.argv[1], sys.argv[2:]), name="desk")
proxy.add_middleware(SlidingWindowRateLimitingMiddleware(max_requests=120, window_minutes=1))
proxy.run(transport="stdio", show_banner=False)
