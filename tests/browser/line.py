"""A line between a browser and the console that can be held or lost. Knows no HTTP.

The browser's own "offline" belongs to a page and ends a moment before a closed page does: its last request may still pass. What is lost
here is lost for all.
"""

import selectors
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LOOK_S = 0.02


class Line:
    """Forwards connections of a loopback port to the host and port of ``url``. Context manager."""

    def __init__(self, url: str) -> None:
        to = urlsplit(url)
        assert to.hostname is not None
        assert to.port is not None
        self._to = (to.hostname, to.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._over = threading.Event()
        self._held = threading.Event()
        self._lost = threading.Event()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._selector.register(self._door, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        for open_socket in [*self._peers, self._door]:
            open_socket.close()
        self._selector.close()

    def hold(self) -> None:
        """From now on nothing passes; connections stay open, as on a line that is dead somewhere."""
        self._held.set()

    def go_on(self) -> None:
        """What was held back passes again."""
        self._held.clear()

    def lose(self) -> None:
        """From now on connections end, new ones at once, and nothing more passes."""
        self._lost.set()

    def find(self) -> None:
        """New connections pass again."""
        self._lost.clear()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(_LOOK_S):
                if self._held.is_set():
                    self._over.wait(_LOOK_S)
                    break
                self._pass(key.fileobj)

    def _pass(self, ready: object) -> None:
        assert isinstance(ready, socket.socket)
        if ready is self._door:
            near, _ = self._door.accept()
            if self._lost.is_set():
                near.close()
            else:
                self._join(near)
            return
        if ready not in self._peers:
            return  # closed with its peer, in this very look
        try:
            data = ready.recv(65536)
            if data and not self._lost.is_set():
                self._peers[ready].sendall(data)
                return
        except OSError:
            pass  # either end is gone: so is the other
        self._end(ready)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._to)
        except OSError:
            near.close()  # the console is gone: so is the line to it
            return
        for one, other in ((near, far), (far, near)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _end(self, side: socket.socket) -> None:
        for gone in (side, self._peers[side]):
            self._selector.unregister(gone)
            del self._peers[gone]
            gone.close()
