"""Reception before a console, which can be lost: every byte of a phone passes here.

The browser's own "offline" belongs to a page and ends a moment before a closed page does, so that its last request may still pass.
"""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_LOOK_S = 0.05
_MOST = 1 << 16


class Reception(socketserver.ThreadingTCPServer):
    """``url`` leads to the console for as long as ``there``; without reception connections end and new ones are not answered."""

    def __init__(self, console_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        at = urlsplit(console_url)
        self.console = (at.hostname or "", at.port or 0)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.there = True
        self.open = True


class _Connection(socketserver.BaseRequestHandler):
    server: Reception

    def handle(self) -> None:
        try:
            with socket.create_connection(self.server.console) as far:
                self._pass_on(far)
        except OSError:
            pass  # one side is gone: so is the other

    def _pass_on(self, far: socket.socket) -> None:
        across: dict[socket.socket, socket.socket] = {self.request: far, far: self.request}
        while True:
            ready, _, _ = select.select([*across], [], [], _LOOK_S)
            if not (self.server.there and self.server.open):
                return
            for side in ready:
                heard = side.recv(_MOST)
                if not heard:
                    return
                across[side].sendall(heard)


@contextmanager
def reception_before(console_url: str) -> Iterator[Reception]:
    """Reception before the console at this address, for as long as the block lasts."""
    with Reception(console_url) as found:
        thread = threading.Thread(target=found.serve_forever, args=(_LOOK_S,), name="reception")
        thread.start()
        try:
            yield found
        finally:
            found.open = False
            found.shutdown()
            thread.join()
