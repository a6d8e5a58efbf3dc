"""Access as a whole: who is behind a cookie or a token, found once in a few seconds, and the links that let in.

Decides how long a finding holds: five seconds, and while the database is away a quarter of an hour, because a control room that is signed
in must go on seeing that the database is away. Refuses to know routes and HTTP.
"""

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from structlog import get_logger

from console.access import idempotency
from console.access.attempts import FORGOTTEN_AFTER_S, KNOWN_FOR_MS, Attempts
from console.access.audit import Audit
from console.access.passwords import Passwords
from console.access.rates import Rates
from console.access.secret import TOKEN_PREFIX, digest, same
from console.access.sessions import TOUCH_MS, Session, Sessions, day_began_ms
from console.access.sign_in import PasswordWay, SignInWay
from console.access.tokens import Tokens, platform_itself
from console.access.users import Users
from console.access.who import Who
from console.settings import ConsoleSettings
from console.store import DatabaseAway, Store
from core.clock import Clock

_FRESH_MS: Final = 5_000
_STALE_MS: Final = 900_000
_REMEMBERED_MAX: Final = 2_000
_TIDY_S: Final = 3_600.0
# A system that is connected asks often, but not without end; whoever guesses tokens is stopped before the database is asked.
_TOKEN_PER_S: Final = 50.0
_TOKEN_BURST: Final = 200.0
_BAD_TOKENS_PER_S: Final = 1.0
_BAD_TOKENS_BURST: Final = 20.0
_log = get_logger()

_TIDY = """
    WITH a AS (DELETE FROM sessions WHERE ends_ms < %(now_ms)s),
         b AS (DELETE FROM sign_in_failures WHERE last_ms < %(forgotten_ms)s AND until_ms < %(now_ms)s),
         c AS (DELETE FROM known_origins WHERE last_ms < %(known_ms)s),
         d AS (DELETE FROM one_time_links WHERE ends_ms < %(known_ms)s)
    DELETE FROM idempotency_keys WHERE made_ms < %(kept_ms)s"""


class Access:
    """Of one console. ``clock`` is real time, ``platform_clock`` the platform's (it may run at a declared rate)."""

    def __init__(self, store: Store, settings: ConsoleSettings, clock: Clock, platform_clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self.clock = clock
        self._platform_clock = platform_clock
        self.demo = bool(settings.demo_link.get_secret_value())
        self.users = Users(store)
        self.tokens = Tokens(store)
        self.audit = Audit(store, clock)
        self.attempts = Attempts(store)
        self.passwords = Passwords()
        self.rates = Rates(settings.requests_per_s)
        self.token_rates = Rates(_TOKEN_PER_S, _TOKEN_BURST / _TOKEN_PER_S)
        self.bad_tokens = Rates(_BAD_TOKENS_PER_S, _BAD_TOKENS_BURST / _BAD_TOKENS_PER_S)
        self.once = idempotency.OnceOnly(store)
        self.sessions = Sessions(
            store,
            longest_ms=round(settings.session_hours * 3_600_000),
            idle_ms=round(settings.desk_idle_minutes * 60_000),
            demo=self.demo,
        )
        self.way: SignInWay = PasswordWay(self.users, self.passwords, self.attempts, self.audit)
        self._platform = settings.platform_token.get_secret_value()
        self._found: OrderedDict[bytes, tuple[int, Session]] = OrderedDict()
        self._tokens: OrderedDict[bytes, tuple[int, Who]] = OrderedDict()
        self._tidier: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tidy, once an hour."""
        self._tidier = asyncio.create_task(self._tidy(), name="tidy access")

    async def stop(self) -> None:
        """Stop."""
        if self._tidier is not None:
            self._tidier.cancel()
            await asyncio.gather(self._tidier, return_exceptions=True)
        self.passwords.stop()

    # --- who is it ----------------------------------------------------------------------------------------------------

    async def of_cookie(self, cookie: str, origin: str, idle_ms: int | None = 0) -> Who | None:
        """Who is signed in with a cookie and asks something now. Raises DatabaseAway where that cannot be found out.

        ``idle_ms``: how long ago a person did something there; None: nobody did, the page asks by itself.
        """
        hashed = digest(cookie)
        session = await self._session(hashed, origin)
        if session is None:
            return None
        if idle_ms is None:
            return replace(session.now(), origin=origin)
        acted_ms = self.clock.now_ms() - max(0, idle_ms)
        if acted_ms - session.stored_ms > TOUCH_MS:
            # Before it is tried: a database that is away is not to hold up every request.
            session.stored_ms = acted_ms
            with contextlib.suppress(DatabaseAway):
                await self.sessions.touch(hashed, acted_ms)
        return replace(session.seen(acted_ms), origin=origin)

    async def of_token(self, value: str, origin: str, *, here: bool) -> Who | None:
        """Who has a token. The platform's own is good at this machine alone (``here``). Raises DatabaseAway."""
        if not value.startswith(TOKEN_PREFIX):
            return None
        if same(value, self._platform):
            return platform_itself(value, origin) if here else None
        hashed, now_ms = digest(value), self.clock.now_ms()
        known = self._tokens.get(hashed)
        if known is not None and now_ms - known[0] < _FRESH_MS and known[1].expires_ms > now_ms:
            # Known from wherever it was used last; what is asked now comes from here.
            return replace(known[1], origin=origin)
        try:
            found = await self.tokens.find(value, origin, now_ms)
        except DatabaseAway:
            if known is not None and now_ms - known[0] < _STALE_MS and known[1].expires_ms > now_ms:
                return replace(known[1], origin=origin)
            raise
        self._tokens.pop(hashed, None)
        if found is not None:
            self._tokens[hashed] = (now_ms, found)
            while len(self._tokens) > _REMEMBERED_MAX:
                self._tokens.popitem(last=False)
        return found

    def was_right(self, value: str) -> bool:
        """Whether a token was found good a while ago: who has it does not guess. Asks no database."""
        return same(value, self._platform) or digest(value) in self._tokens

    def is_platform(self, who: Who) -> bool:
        """Whether it is what the platform itself runs on this machine."""
        return who.credential == digest(self._platform)

    async def again(self, who: Who) -> Who | None:
        """Somebody who only listens, as he is now; None once he is signed out. Asking it is no activity of his. Raises DatabaseAway."""
        if who.via != "token":
            session = await self._session(who.credential, who.origin)
            return None if session is None else replace(session.now(), origin=who.origin)
        if self.is_platform(who):
            return who
        return who if await self.tokens.in_use(who.credential, self.clock.now_ms()) else None

    async def still(self, who: Who) -> bool:
        """Whether somebody who only listens is still signed in. Raises DatabaseAway."""
        return await self.again(who) is not None

    async def _session(self, hashed: bytes, origin: str) -> Session | None:
        now_ms = self.clock.now_ms()
        known = self._found.get(hashed)
        if known is not None and known[1].expires_ms <= now_ms:
            known = None
        if known is not None and now_ms - known[0] < _FRESH_MS:
            return known[1]
        try:
            # An act since the last touch is not in the database yet.
            seen_ms = 0 if known is None else known[1].seen_ms
            found = await self.sessions.find(hashed, origin, now_ms, day_began_ms(self._platform_clock.now_ms()), seen_ms)
        except DatabaseAway:
            if known is not None and now_ms - known[0] < _STALE_MS:
                return known[1]
            raise
        self._found.pop(hashed, None)
        if found is None:
            return None
        self._found[hashed] = (now_ms, found)
        while len(self._found) > _REMEMBERED_MAX:
            self._found.popitem(last=False)
        return found

    def forget(self) -> None:
        """Something about users, sessions or tokens was changed: everybody is looked up again."""
        self._found.clear()
        self._tokens.clear()

    # --- links --------------------------------------------------------------------------------------------------------

    def is_demo_link(self, secret: str) -> bool:
        """Whether it is the link of the demonstration that this console runs in."""
        return same(secret, self._settings.demo_link.get_secret_value())

    async def is_setup_link(self, secret: str) -> bool:
        """Whether it lets the first user in: while there is none."""
        return same(secret, self._settings.setup_link.get_secret_value()) and not await self.users.any()

    async def _tidy(self) -> None:
        while True:
            now_ms = self.clock.now_ms()
            row = {
                "now_ms": now_ms,
                "forgotten_ms": now_ms - FORGOTTEN_AFTER_S * 1000,
                "known_ms": now_ms - KNOWN_FOR_MS,
                "kept_ms": now_ms - idempotency.KEPT_MS,
            }
            try:
                await self._store.own(_TIDY, row)
            except DatabaseAway as error:
                _log.info("not tidied", reason=str(error))
            await asyncio.sleep(_TIDY_S)
