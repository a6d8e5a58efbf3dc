"""What every request to the API passes before a route sees it: who asks, from which page, how often, how much, and whether again.

Decides that nothing below ``/api`` is answered to somebody who is not signed in, but what lets him in. The right that a route needs is
checked where the route is known, in ``console.api.needs``.
"""

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.access.access import Access
from console.access.idempotency import checked
from console.access.secret import csrf_of, same
from console.access.table import OPEN
from console.access.who import Who
from console.problems import Problem, answer, database_is_away
from console.store import DatabaseAway

API: Final = "/api/"
BASE: Final = "/api/v1"
_STATE: Final = frozenset({"/health", "/metrics"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BODY_MAX: Final = 64 * 1024
_UPLOAD_MAX: Final = 3 * 1024 * 1024 + 64 * 1024
_UPLOADS: Final = "/attachments"
_UNSIGNED_SHARE: Final = 0.25
_BY_ITSELF: Final = frozenset({"image", "audio", "video"})


class _Running(Protocol):
    @property
    def access(self) -> Access: ...


class Gate:
    """ASGI middleware; leaves who asks in the request's state as ``who``."""

    def __init__(self, app: ASGIApp, running: _Running) -> None:
        self._app = app
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if scope["path"] in _STATE and not at_this_machine(scope):
                raise _nothing_here()
            if scope["path"].startswith(API):
                await self._api(scope, receive, send)
                return
        except Problem as problem:
            await answer(problem)(scope, receive, send)
            return
        except DatabaseAway as error:
            await answer(database_is_away(error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._running.access
        headers = _headers(scope)
        who, cookie = await _who(access, scope, headers)
        _slow_down(access, who, address(scope))
        if who is None and f"{scope['method']} {scope['path'].removeprefix(BASE)}" not in OPEN:
            raise not_signed_in()
        if scope["method"] not in _SAFE and (who is None or who.via != "token"):
            _check_page(scope, headers, None if who is None else cookie)
        scope.setdefault("state", {})["who"] = who
        limit = _UPLOAD_MAX if scope["path"].endswith(_UPLOADS) else _BODY_MAX
        receive = _bounded(receive, headers, limit)
        key = headers.get("idempotency-key")
        if key is None or who is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            # Cut off on the way: nobody is left to be answered, and what came of it must not stand for the whole under its key.
            return
        owner = f"user:{who.user_id}" if who.user_id is not None else f"{who.via}:{who.name}"
        now_ms = access.clock.now_ms()
        await access.once.answer(self._app, scope, _again(body, receive), send, owner=owner, key=checked(key), body=body, now_ms=now_ms)


def cookie_name(scope: Mapping[str, Any]) -> str:
    """The session cookie's name: with TLS one that no other host and no plain page can set."""
    return "__Host-gs_session" if scope["scheme"] == "https" else "gs_session"


def cookie_of(scope: Mapping[str, Any]) -> str | None:
    """The session cookie's value, if one was sent."""
    jar: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                continue
    found = jar.get(cookie_name(scope))
    return None if found is None or not found.value else found.value


def address(scope: Mapping[str, Any]) -> str:
    """The address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def at_this_machine(scope: Mapping[str, Any]) -> bool:
    """Whether it comes from this machine itself."""
    try:
        found = ipaddress.ip_address(address(scope))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def not_signed_in() -> Problem:
    """401: nobody is signed in, or no longer."""
    return Problem(HTTPStatus.UNAUTHORIZED, "not_signed_in", "请先登录", "sign in first")


def _nothing_here() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "not_found", "没有这个地址", "there is nothing at this address")


async def _who(access: Access, scope: Scope, headers: Mapping[str, str]) -> tuple[Who | None, str | None]:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer":
        value, origin = value.strip(), address(scope)
        guessed = not access.was_right(value)
        if guessed:
            # Counted as wrong before it is looked up, so that many at once gain nothing and cost no database.
            access.bad_tokens.take(origin, access.clock.monotonic())
        found = await access.of_token(value, origin, here=at_this_machine(scope))
        if found is not None and guessed:
            access.bad_tokens.give_back(origin)
        if found is None:
            # Never the cookie instead: whoever sends a token means it.
            raise Problem(HTTPStatus.UNAUTHORIZED, "bad_token", "接口令牌无效或已到期", "the API token is not valid, or no longer")
        return found, None
    cookie = cookie_of(scope)
    return (None if cookie is None else await access.of_cookie(cookie, address(scope), _idle_ms(scope, headers))), cookie


def _idle_ms(scope: Scope, headers: Mapping[str, str]) -> int | None:
    """How long ago a person did something at whatever asks; None: it asks by itself. A page's word can only shorten a session."""
    told = headers.get("x-idle-seconds")
    if scope["path"] == f"{BASE}/events" or headers.get("sec-fetch-dest") in _BY_ITSELF:
        return None
    if told is None:
        return 0
    return int(told) * 1000 if told.isascii() and told.isdigit() and len(told) < 10 else None


def _slow_down(access: Access, who: Who | None, origin: str) -> None:
    now_s = access.clock.monotonic()
    if who is None:
        access.rates.take(f"unsigned {origin}", now_s, _UNSIGNED_SHARE)
    elif who.via != "token":
        access.rates.take(who.credential, now_s)
    elif not access.is_platform(who):
        access.token_rates.take(who.credential, now_s)


def _check_page(scope: Scope, headers: Mapping[str, str], cookie: str | None) -> None:
    """A change must come from a page of ours: a browser says from where, and only such a page knows the word beside the cookie."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    ours = f"{scope['scheme']}://{headers.get('host', '')}"
    foreign = origin.casefold() != ours.casefold() if origin is not None else site not in (None, "same-origin", "none")
    if foreign or (cookie is not None and not same(headers.get("x-csrf-token", ""), csrf_of(cookie))):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "foreign_page",
            "请求并非来自本控制台页面，请刷新页面后重试",
            "the request does not come from a page of this console: reload the page and try again",
        )


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _bounded(receive: Receive, headers: Mapping[str, str], limit: int) -> Receive:
    """Counts the body; a Problem raised while it is read is answered like any other."""
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        raise _too_large(limit)
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> Problem:
    size = f"{limit // 1024} kB"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"请求内容超过 {size}", f"the request is larger than {size}")


async def _whole(receive: Receive) -> bytes | None:
    """The body to its end; None where it was cut off before."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body.extend(message.get("body", b""))
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, and then what really comes: a download would end at a disconnect that is none."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
