"""``/metrics`` and ``/health`` of a process on a loopback port, served from a thread that the event loop never waits for."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import make_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STANDS_STILL: Final = "standing_still"
"""The reason of a process whose event loop does not turn: it lives, and does nothing."""

_TURN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this process could do its work *now*. ``reasons`` names what is missing, in closed short words."""

    ok: bool
    reasons: tuple[str, ...] = ()
    detail: dict[str, object] = field(default_factory=dict)


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """A scrape is not news."""


class Observer:
    """The running server; ``port`` is the bound port."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        self.port: int = server.server_port
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True, name="observe").start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def serve(port: int, health: Callable[[], Health], registry: CollectorRegistry = REGISTRY) -> Observer:
    """Serve on ``127.0.0.1:port`` (0 = a free port). ``/health`` answers 200 when ok and 503 when not, with the reasons.

    Called where an event loop runs, ``/health`` also says whether that loop turns.
    """
    metrics = make_wsgi_app(registry)
    loop = _present_loop()

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        if environ.get("PATH_INFO") != "/health":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"only /metrics and /health are here\n"]
        found = health()
        if loop is not None and not _turns(loop):
            found = replace(found, ok=False, reasons=(*found.reasons, STANDS_STILL))
        body = json.dumps({"ok": found.ok, "reasons": found.reasons, **found.detail}).encode()
        status = "200 OK" if found.ok else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [body]

    return Observer(make_server("127.0.0.1", port, app, handler_class=_QuietHandler))


def _present_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _turns(loop: asyncio.AbstractEventLoop) -> bool:
    turned = Event()
    try:
        loop.call_soon_threadsafe(turned.set)
    except RuntimeError:
        return False  # closed: it never turns again
    return turned.wait(_TURN_S)
