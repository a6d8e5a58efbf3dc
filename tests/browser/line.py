"""A line between a browser and the console that can be held: nothing passes, and nobody is told. Knows no HTTP."""

import selectors
import socket
import threading
from types import TracebackType
from typing import Self

_LOOK_S = 0.02


class Line:
    """Forwards connections of a loopback port to ``to`` (host, port). Context manager."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._door = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._over = threading.Event()
        self._held = threading.Event()
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
            far = socket.create_connection(self._to)
            for one, other in ((near, far), (far, near)):
                self._peers[one] = other
                self._selector.register(one, selectors.EVENT_READ)
            return
        if ready not in self._peers:
            return  # closed with its peer, in this very look
        try:
            if data := ready.recv(65536):
                self._peers[ready].sendall(data)
                return
        except OSError:
            pass  # either end is gone: so is the other
        for gone in (ready, self._peers.pop(ready, ready)):
            if gone in self._selector.get_map():
                self._selector.unregister(gone)
            self._peers.pop(gone, None)
            gone.close()
