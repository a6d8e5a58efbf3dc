"""API tokens for other systems: each has a name, an end, and the rights that it names, of those that the role integration has.

Decides what a token may be given. Its value is shown once; the hash is kept.
"""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID, uuid4

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from console.access.rights import RIGHTS, Right
from console.access.secret import TOKEN_PREFIX, digest, new_secret
from console.access.users import Districts, Name, conflict, invalid, proper_name
from console.access.who import Who
from console.problems import not_found
from console.store import Store

LONGEST_DAYS: Final = 366
PLATFORM_NAME: Final = "platform"
_SEEN_MS: Final = 60_000

_COLUMNS = "token_id, name, rights, districts, made_ms, made_by, ends_ms, ended_ms, ended_by, seen_ms"
TOKENS = f"""
    SELECT {_COLUMNS} FROM api_tokens
    WHERE (%(made_ms)s::bigint IS NULL OR (made_ms, token_id) < (%(made_ms)s, %(token_id)s::uuid))
    ORDER BY made_ms DESC, token_id DESC LIMIT %(rows)s"""
_MAKE = f"""
    INSERT INTO api_tokens (token_id, name, token_hash, rights, districts, made_ms, made_by, ends_ms)
    SELECT %(token_id)s, %(name)s, %(hash)s, %(rights)s, %(districts)s, %(now_ms)s, %(made_by)s, %(ends_ms)s
    WHERE NOT EXISTS (SELECT FROM users WHERE name = %(name)s)
    RETURNING {_COLUMNS}"""
_END = f"""
    UPDATE api_tokens SET ended_ms = %(now_ms)s, ended_by = %(ended_by)s WHERE token_id = %(token_id)s AND ended_ms IS NULL
    RETURNING {_COLUMNS}"""
_FIND = """
    SELECT token_id, name, rights, districts, ends_ms, seen_ms FROM api_tokens
    WHERE token_hash = %(hash)s AND ended_ms IS NULL AND ends_ms > %(now_ms)s"""
_IN_USE = "SELECT 1 AS one FROM api_tokens WHERE token_hash = %(hash)s AND ended_ms IS NULL AND ends_ms > %(now_ms)s"
_SEEN = "UPDATE api_tokens SET seen_ms = %(now_ms)s WHERE token_hash = %(hash)s"


class Token(BaseModel):
    """A token, without its value."""

    token_id: UUID
    name: str
    rights: list[Right]
    districts: list[str] | None = Field(description="GB/T 2260; null = every district")
    made_ms: int = Field(description="Unix ms")
    made_by: str
    ends_ms: int = Field(description="Unix ms")
    ended_ms: int | None = Field(description="Unix ms; set when it was ended before its time")
    ended_by: str | None
    seen_ms: int | None = Field(description="Unix ms; last use, to the minute")


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    rights: Annotated[list[Right], Field(min_length=1, max_length=len(RIGHTS["integration"]), examples=[["read"]])]
    districts: Districts | None = None
    days: int = Field(90, ge=1, le=LONGEST_DAYS, description="days until it ends")


class MadeToken(Token):
    """A token that was just made: the one time that its value is told."""

    token: str = Field(description="to be sent as `Authorization: Bearer …`")


class Tokens:
    """The tokens of one database. Times are Unix ms of real time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, made_ms: int | None, token_id: UUID | None, rows: int) -> list[Token]:
        """Tokens, newest first, from behind a row."""
        found = await self._store.own(TOKENS, {"made_ms": made_ms, "token_id": token_id, "rows": rows})
        return [Token(**row) for row in found]

    async def make(self, wanted: NewToken, made_by: str, now_ms: int) -> MadeToken:
        """Make a token. Raises a 422 problem for a right that no token has, a 409 problem for a name that another has now."""
        beyond = set(wanted.rights) - RIGHTS["integration"]
        if beyond:
            named = ", ".join(sorted(beyond))
            raise invalid("body.rights", f"令牌不能有这些权限：{named}", f"no token has these rights: {named}")
        name = proper_name(wanted.name)
        value = new_secret(TOKEN_PREFIX)
        row = {
            "token_id": uuid4(),
            "name": name,
            "hash": digest(value),
            "rights": sorted({*wanted.rights, "read"}),
            "districts": wanted.districts,
            "now_ms": now_ms,
            "made_by": made_by,
            "ends_ms": now_ms + timedelta(days=wanted.days) // timedelta(milliseconds=1),
        }
        try:
            made = await self._store.own(_MAKE, row)
        except psycopg.errors.UniqueViolation:
            made = []
        if not made:
            raise conflict(
                "name_taken",
                "已有同名的用户或有效令牌；如果刚才已新建而没有见到令牌，请撤销它，再新建一个",
                "a user or a token in use has this name; if you have just made this token and did not see its value, revoke it "
                "and make a new one",
            )
        return MadeToken(**made[0], token=value)

    async def end(self, token_id: UUID, ended_by: str, now_ms: int) -> Token:
        """End a token now. Raises a 404 problem where there is none in use."""
        rows = await self._store.own(_END, {"token_id": token_id, "ended_by": ended_by, "now_ms": now_ms})
        if not rows:
            raise not_found(f"没有使用中的令牌 {token_id}", f"there is no token {token_id} in use")
        return Token(**rows[0])

    async def in_use(self, hashed: bytes, now_ms: int) -> bool:
        """Whether a token has not ended."""
        return bool(await self._store.own(_IN_USE, {"hash": hashed, "now_ms": now_ms}))

    async def find(self, value: str, origin: str, now_ms: int) -> Who | None:
        """Who has a token that has not ended."""
        hashed = digest(value)
        rows = await self._store.own(_FIND, {"hash": hashed, "now_ms": now_ms})
        if not rows:
            return None
        row = rows[0]
        if row["seen_ms"] is None or now_ms - row["seen_ms"] > _SEEN_MS:
            await self._store.own(_SEEN, {"hash": hashed, "now_ms": now_ms})
        return Who(
            user_id=None,
            name=row["name"],
            display=row["name"],
            roles=frozenset({"integration"}),
            districts=None if row["districts"] is None else tuple(row["districts"]),
            technician_id=None,
            crew_id=None,
            via="token",
            rights=RIGHTS["integration"] & frozenset(row["rights"]),
            expires_ms=row["ends_ms"],
            origin=origin,
            credential=hashed,
        )


def platform_itself(value: str, origin: str) -> Who:
    """What the platform itself runs on this machine: the simulated technicians, the story in the terminal, scenarios, benchmarks."""
    return Who(
        user_id=None,
        name=PLATFORM_NAME,
        display=PLATFORM_NAME,
        roles=frozenset({"integration"}),
        districts=None,
        technician_id=None,
        crew_id=None,
        via="token",
        # Whoever plays the telephones and judges the calls has to know the numbers; no token that is made has this right.
        rights=RIGHTS["integration"] | {"unmask"},
        expires_ms=2**53 - 1,
        origin=origin,
        credential=digest(value),
    )
