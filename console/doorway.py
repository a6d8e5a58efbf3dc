"""What every HTTP request passes: it must be addressed to this machine, and it is counted. Streams pass untouched."""

from collections.abc import MutableMapping
from http import HTTPStatus
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.metrics import Metrics
from console.problems import Problem, answer

_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Doorway:
    """ASGI middleware. A name that is not loopback means that a foreign page sent its visitor here (DNS rebinding): refused."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._metrics.seconds.labels(scope["method"], _route(scope)).observe(monotonic() - started)
            await send(message)

        try:
            if _host(scope) in _OWN_NAMES:
                await self._app(scope, receive, counted)
            else:
                await answer(_not_for_us())(scope, receive, counted)
        finally:
            self._metrics.requests.labels(scope["method"], _route(scope), str(status or 499)).inc()


def _not_for_us() -> Problem:
    return Problem(
        HTTPStatus.MISDIRECTED_REQUEST,
        "not_addressed_here",
        "请求地址不是本机",
        "the request is not addressed to this machine",
    )


def _host(scope: MutableMapping[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1").lower()
            return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return ""


def _route(scope: MutableMapping[str, Any]) -> str:
    # The template, never the path: ids must not become labels.
    return getattr(scope.get("route"), "path_format", None) or "none"
