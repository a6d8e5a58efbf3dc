"""Who is signed in with a cookie, until when. Only the hash of a cookie's value is stored.

Decides the two ends of a session: so long after it began, and so long after a person's last act where somebody sits at a desk. A wall
that only looks, a phone in a stairwell and the demonstration have the first end alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from console.access.rights import ALL_RIGHTS, ROLES, Role, rights_of
from console.access.secret import digest, new_secret
from console.access.who import Who
from console.store import Row, Store
from core.local_time import AHEAD_MS

DEMO_NAME: Final = "demo"
TOUCH_MS: Final = 60_000
_NO_IDLE_END: Final[frozenset[Role]] = frozenset({"viewer", "technician"})
_DAY_MS: Final = 86_400_000

_BEGIN = """
    INSERT INTO sessions (session_hash, user_id, roles, technician_id, origin, made_ms, seen_ms, ends_ms)
    VALUES (%(hash)s, %(user_id)s, %(roles)s, %(technician_id)s, %(origin)s, %(now_ms)s, %(now_ms)s, %(ends_ms)s)"""
_FIND = """
    SELECT s.user_id, s.roles AS as_roles, s.seen_ms, s.ends_ms, u.name, u.display, u.roles, u.districts, u.language, u.disabled_ms,
           coalesce(u.technician_id, s.technician_id) AS technician_id, t.crew_id
    FROM sessions s LEFT JOIN users u USING (user_id)
    LEFT JOIN technicians t ON t.technician_id = coalesce(u.technician_id, s.technician_id) AND t.retired_at IS NULL
    WHERE s.session_hash = %(hash)s"""
_PLAY = "UPDATE sessions SET technician_id = %(technician_id)s WHERE session_hash = %(hash)s AND user_id IS NULL"
_TOUCH = "UPDATE sessions SET seen_ms = greatest(seen_ms, %(acted_ms)s) WHERE session_hash = %(hash)s"
_END = "DELETE FROM sessions WHERE session_hash = %(hash)s"
_END_OF_USER = "DELETE FROM sessions WHERE user_id = %(user_id)s AND session_hash <> %(but)s RETURNING session_hash"


@dataclass(slots=True)
class Session:
    """One session as it was read. ``seen_ms``: a person's last act; ``stored_ms``: as much of it as the database knows."""

    who: Who
    ends_ms: int
    idle_ms: int | None
    seen_ms: int
    stored_ms: int

    @property
    def expires_ms(self) -> int:
        """Its end, if nobody acts any more."""
        return self.ends_ms if self.idle_ms is None else min(self.ends_ms, self.seen_ms + self.idle_ms)

    def seen(self, acted_ms: int) -> Who:
        """Whoever acted then."""
        self.seen_ms = max(self.seen_ms, acted_ms)
        return self.now()

    def now(self) -> Who:
        """Whoever it is, with the end as it stands."""
        return replace(self.who, expires_ms=self.expires_ms)


class Sessions:
    """The sessions of one database. Times are Unix ms of real time; lengths too."""

    def __init__(self, store: Store, *, longest_ms: int, idle_ms: int, demo: bool) -> None:
        self._store = store
        self._longest_ms = longest_ms
        self._idle_ms = idle_ms
        self._demo = demo

    async def begin(
        self,
        user_id: UUID | None,
        origin: str,
        now_ms: int,
        *,
        roles: Sequence[Role] | None = None,
        technician_id: str | None = None,
    ) -> str:
        """A new session; returns the cookie's value, which is nowhere else. ``roles`` and ``technician_id`` are the demonstration's."""
        cookie = new_secret()
        row = {
            "hash": digest(cookie),
            "user_id": user_id,
            "roles": None if roles is None else list(roles),
            "technician_id": technician_id,
            "origin": origin,
            "now_ms": now_ms,
            "ends_ms": now_ms + self._longest_ms,
        }
        await self._store.own(_BEGIN, row)
        return cookie

    async def find(self, hashed: bytes, origin: str, now_ms: int, since_ms: int, seen_ms: int = 0) -> "Session | None":
        """The session behind a cookie's hash; None where there is none, or it has ended. ``seen_ms``: an act not written down yet."""
        rows = await self._store.own(_FIND, {"hash": hashed})
        if not rows:
            return None
        row = rows[0]
        told = self._demonstrated(row) if row["user_id"] is None else _user(row)
        if told is None:
            return None
        who = Who(user_id=row["user_id"], expires_ms=0, since_ms=since_ms, origin=origin, credential=hashed, **told)
        idle_ms = None if who.via == "demo" or who.roles <= _NO_IDLE_END else self._idle_ms
        found = Session(who, row["ends_ms"], idle_ms, max(row["seen_ms"], seen_ms), row["seen_ms"])
        return found if found.expires_ms > now_ms else None

    async def play(self, hashed: bytes, technician_id: str) -> None:
        """A session of the demonstration goes on as this technician; its roles stay. No user's own session is changed."""
        await self._store.own(_PLAY, {"hash": hashed, "technician_id": technician_id})

    async def touch(self, hashed: bytes, acted_ms: int) -> None:
        """He did something then: the idle end moves on."""
        await self._store.own(_TOUCH, {"hash": hashed, "acted_ms": acted_ms})

    async def end(self, hashed: bytes) -> None:
        """Sign out."""
        await self._store.own(_END, {"hash": hashed})

    async def end_of_user(self, user_id: UUID, but: bytes = b"") -> None:
        """End every session of a user, one excepted."""
        await self._store.own(_END_OF_USER, {"user_id": user_id, "but": but})

    def _demonstrated(self, row: Row) -> Mapping[str, Any] | None:
        if not self._demo:
            return None
        roles: frozenset[Role] = frozenset(row["as_roles"] or ROLES)
        return {
            "name": DEMO_NAME,
            "display": "演示 demo",
            "roles": roles,
            "districts": None,
            "technician_id": row["technician_id"],
            "crew_id": row["crew_id"],
            "via": "demo",
            # Through whomsoever's eyes: whoever shows the product must be able to go on.
            "rights": ALL_RIGHTS if row["as_roles"] is None else rights_of(roles) | {"demo"},
        }


def _user(row: Row) -> Mapping[str, Any] | None:
    if row["name"] is None or row["disabled_ms"] is not None:
        return None
    roles: frozenset[Role] = frozenset(role for role in ROLES if role in row["roles"])
    return {
        "name": row["name"],
        "display": row["display"],
        "roles": roles,
        "districts": None if row["districts"] is None else tuple(row["districts"]),
        "technician_id": row["technician_id"],
        "crew_id": row["crew_id"],
        "via": "password",
        "rights": rights_of(roles),
        "language": row["language"],
    }


def day_began_ms(now_ms: int) -> int:
    """The beginning of the day in Changsha (UTC+8 all year), Unix ms."""
    return (now_ms + AHEAD_MS) // _DAY_MS * _DAY_MS - AHEAD_MS
