"""A station that does nothing but be there: serves /health on the port of its environment until SIGTERM."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Health(BaseHTTPRequestHandler):
    """Always well."""

    def do_GET(self) -> None:
        """200 with an empty object."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  named so by the library
        """A look at its health is not news."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = os.environ.get("GAS_SENTINEL_OBSERVE_PORT") or os.environ["GAS_SENTINEL_HTTP_PORT"]
    HTTPServer(("127.0.0.1", int(port)), Health).serve_forever()
