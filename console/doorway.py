"""What every HTTP request passes: it must be addressed to this console, and it is counted. Streams pass untouched.

Without TLS the only names are this machine's own; with TLS also those of the certificate, and those that a setting adds.
"""

from collections.abc import MutableMapping
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from cryptography import x509
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.metrics import Metrics
from console.problems import Problem, answer
from console.settings import ConsoleSettings

OWN_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


def names_of(settings: ConsoleSettings) -> frozenset[str]:
    """The names that pages with TLS may be asked for by. Raises OSError and ValueError for a certificate that cannot be read."""
    if settings.tls_cert is None:
        return OWN_NAMES
    certificate = x509.load_pem_x509_certificates(settings.tls_cert.read_bytes())[0]
    try:
        stated = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found: set[str] = set()
    else:
        addresses = stated.get_values_for_type(x509.IPAddress)
        found = {*stated.get_values_for_type(x509.DNSName), *(f"[{a}]" if a.version == 6 else str(a) for a in addresses)}
    return OWN_NAMES | {name.strip().lower() for name in (*found, *settings.http_names.split(",")) if name.strip()}


class Doorway:
    """ASGI middleware. A name that is not ours means that a foreign page sent its visitor here (DNS rebinding): refused."""

    def __init__(self, app: ASGIApp, metrics: Metrics, names: frozenset[str] = OWN_NAMES) -> None:
        self._app = app
        self._metrics = metrics
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope["scheme"] == "https":
                    message = {**message, "headers": [*message["headers"], _HSTS]}
                self._metrics.seconds.labels(scope["method"], _route(scope)).observe(monotonic() - started)
            await send(message)

        try:
            if self._addressed_here(scope):
                await self._app(scope, receive, counted)
            else:
                await answer(_not_for_us())(scope, receive, counted)
        finally:
            self._metrics.requests.labels(scope["method"], _route(scope), str(status or 499)).inc()

    def _addressed_here(self, scope: Scope) -> bool:
        host = _host(scope)
        if scope["scheme"] != "https":
            return host in OWN_NAMES
        # A certificate for *.example.cn stands for one more label.
        return host in self._names or f"*.{host.partition('.')[2]}" in self._names


def _not_for_us() -> Problem:
    return Problem(
        HTTPStatus.MISDIRECTED_REQUEST,
        "not_addressed_here",
        "请求地址不是本控制台",
        "the request is not addressed to this console",
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
