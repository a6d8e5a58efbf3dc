"""Users: their names, roles, districts, technician, and the link with which each chooses his password.

Decides what a user may be made or changed into. A user is never removed: his name stands in records for ever, and is given to nobody else.
"""

import re
import unicodedata
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from console.access.rights import ROLES, Role
from console.access.secret import digest, new_secret
from console.problems import FieldError, Problem, not_found
from console.store import Row, Store

Name = Annotated[str, Field(min_length=2, max_length=32, description="what he signs in with", examples=["zhou.min"])]
Display = Annotated[str, Field(min_length=1, max_length=64, description="how he is called on pages", examples=["周敏"])]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(ROLES))]
Districts = Annotated[
    list[Annotated[str, Field(pattern=r"^\d{6,12}$")]], Field(min_length=1, max_length=100, description="GB/T 2260", examples=[["430102"]])
]
Language = Literal["zh", "en"]

LINK_MS: Final = 24 * 3_600_000
_NAME: Final = re.compile(r"[\w][\w.\-]{1,31}")
_TAKEN: Final = frozenset({"demo", "platform", "line", "dispatch", "voice", "console"})

_COLUMNS = """u.user_id, u.name, u.display, u.roles, u.districts, u.technician_id, t.crew_id, u.language, u.made_ms, u.made_by,
              u.changed_ms, u.disabled_ms, u.password_hash IS NOT NULL AS has_password,
              (SELECT max(seen_ms) FROM sessions s WHERE s.user_id = u.user_id) AS seen_ms"""
USERS = f"""
    SELECT {_COLUMNS} FROM users u LEFT JOIN technicians t USING (technician_id)
    WHERE (%(name)s::text IS NULL OR u.name > %(name)s) ORDER BY u.name LIMIT %(rows)s"""
_USER = f"SELECT {_COLUMNS} FROM users u LEFT JOIN technicians t USING (technician_id) WHERE user_id = %(user_id)s"
_ANY = "SELECT EXISTS (SELECT FROM users) AS one"
_SECRET = "SELECT user_id, password_hash, disabled_ms FROM users WHERE name = %(name)s"  # noqa: S105  a column's name
_MAKE = """
    INSERT INTO users (user_id, name, display, roles, districts, technician_id, language, password_hash, made_ms, made_by, changed_ms)
    SELECT %(user_id)s, %(name)s, %(display)s, %(roles)s, %(districts)s, %(technician_id)s, %(language)s, %(password_hash)s, %(now_ms)s,
           %(made_by)s, %(now_ms)s
    WHERE NOT (%(first)s AND EXISTS (SELECT FROM users)) RETURNING user_id"""
_NAME_OF_TOKEN = "SELECT 1 AS one FROM api_tokens WHERE name = %(name)s AND ended_ms IS NULL"  # noqa: S105  a name
_CHANGE = """
    UPDATE users SET display = %(display)s, roles = %(roles)s, districts = %(districts)s, technician_id = %(technician_id)s,
           language = %(language)s, changed_ms = %(now_ms)s,
           disabled_ms = CASE WHEN %(disabled)s THEN coalesce(disabled_ms, %(now_ms)s) END
    WHERE user_id = %(user_id)s"""
_PASSWORD = "UPDATE users SET password_hash = %(hash)s, changed_ms = %(now_ms)s WHERE user_id = %(user_id)s"  # noqa: S105  a column's name
_KEEPERS = """
    SELECT 1 AS one FROM users
    WHERE 'supervisor' = ANY (roles) AND disabled_ms IS NULL AND password_hash IS NOT NULL AND user_id <> %(user_id)s LIMIT 1"""
_TECHNICIAN = "SELECT crew_id FROM technicians WHERE technician_id = %(technician_id)s AND retired_at IS NULL"
_LINK = """
    WITH earlier AS (UPDATE one_time_links SET used_ms = %(now_ms)s WHERE user_id = %(user_id)s AND used_ms IS NULL)
    INSERT INTO one_time_links (link_hash, user_id, made_ms, made_by, ends_ms)
    VALUES (%(hash)s, %(user_id)s, %(now_ms)s, %(made_by)s, %(ends_ms)s)"""
_LINKED = """
    SELECT u.user_id, u.name, u.display FROM one_time_links JOIN users u USING (user_id)
    WHERE link_hash = %(hash)s AND used_ms IS NULL AND ends_ms > %(now_ms)s AND u.disabled_ms IS NULL"""
_USE = """
    UPDATE one_time_links SET used_ms = %(now_ms)s WHERE link_hash = %(hash)s AND used_ms IS NULL AND ends_ms > %(now_ms)s
    RETURNING user_id"""


class User(BaseModel):
    """A user, without his password."""

    user_id: UUID
    name: str
    display: str
    roles: list[Role]
    districts: list[str] | None = Field(description="GB/T 2260; null = every district")
    technician_id: str | None
    crew_id: str | None = Field(description="the crew of the technician")
    language: Language
    made_ms: int = Field(description="Unix ms")
    made_by: str
    changed_ms: int = Field(description="Unix ms")
    disabled_ms: int | None = Field(description="Unix ms; null = may sign in")
    has_password: bool = Field(description="false until he has chosen one by his link")
    seen_ms: int | None = Field(description="Unix ms; last act in a session that has not ended")


class NewUser(BaseModel):
    """A user to be made."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    display: Display
    roles: Roles
    districts: Districts | None = None
    technician_id: str | None = Field(None, max_length=64)
    language: Language = "zh"


class UserChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    display: Display | None = None
    roles: Roles | None = None
    districts: Districts | None = Field(None, description="null = every district")
    technician_id: str | None = Field(None, max_length=64, description="null = none")
    language: Language | None = None
    disabled: bool | None = None
    new_password_link: bool = Field(False, description="make a link with which he chooses a new password; signs him out everywhere")


def proper_name(name: str) -> str:
    """The name as it is stored and compared. Raises a 422 problem for what cannot be one."""
    found = unicodedata.normalize("NFKC", name).strip().casefold()
    if _NAME.fullmatch(found) is None or found in _TAKEN:
        raise invalid("body.name", "登录名须为 2 至 32 个字母、数字、点、横线", "a name has 2 to 32 letters, digits, dots and dashes")
    return found


class Users:
    """The users of one database. Times are Unix ms of real time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def any(self) -> bool:
        """Whether there is a user at all."""
        return bool((await self._store.own(_ANY))[0]["one"])

    async def page(self, after: str | None, rows: int) -> list[User]:
        """Users by name, from behind ``after``."""
        return [User(**row) for row in await self._store.own(USERS, {"name": after, "rows": rows})]

    async def read(self, user_id: UUID) -> User:
        """One user. Raises a 404 problem."""
        rows = await self._store.own(_USER, {"user_id": user_id})
        if not rows:
            raise not_found(f"没有用户 {user_id}", f"there is no user {user_id}")
        return User(**rows[0])

    async def secret_of(self, name: str) -> Row | None:
        """``user_id``, ``password_hash`` and ``disabled_ms`` of a name."""
        rows = await self._store.own(_SECRET, {"name": name})
        return rows[0] if rows else None

    async def make(self, wanted: NewUser, made_by: str, now_ms: int, *, password_hash: str | None = None, first: bool = False) -> UUID:
        """Make a user; returns his id. With ``first`` only while there is none: 409 ``not_the_first``. A taken name: 409 ``name_taken``."""
        roles, user_id = _ordered(wanted.roles), uuid4()
        await self._check_roles(roles, wanted.technician_id)
        row = {
            **wanted.model_dump(exclude={"roles", "name"}),
            "user_id": user_id,
            "name": proper_name(wanted.name),
            "roles": roles,
            "password_hash": password_hash,
            "made_by": made_by,
            "now_ms": now_ms,
            "first": first,
        }
        if await self._store.own(_NAME_OF_TOKEN, {"name": row["name"]}):
            raise conflict("name_taken", "已有同名的接口令牌", "a token has this name")
        try:
            made = await self._store.own(_MAKE, row)
        except psycopg.errors.UniqueViolation:
            raise conflict("name_taken", "这个登录名已有人使用（停用的也保留）", "the name is taken (also by a disabled user)") from None
        if not made:
            raise conflict("not_the_first", "已经有用户了，请登录", "there is a user already: sign in")
        return user_id

    async def change(self, before: User, wanted: UserChange, now_ms: int) -> None:
        """Change what is named. Raises a 409 problem where nobody could manage users any more."""
        given = wanted.model_fields_set
        roles = before.roles if wanted.roles is None else _ordered(wanted.roles)
        technician_id = wanted.technician_id if "technician_id" in given else before.technician_id
        disabled = before.disabled_ms is not None if wanted.disabled is None else wanted.disabled
        await self._check_roles(roles, technician_id)
        leaves = "supervisor" in before.roles and before.disabled_ms is None and (disabled or "supervisor" not in roles)
        if leaves and not await self._store.own(_KEEPERS, {"user_id": before.user_id}):
            raise conflict(
                "last_supervisor",
                "这是最后一位能登录的值班长，不能停用或去掉该角色",
                "this is the last supervisor who can sign in: he stays one",
            )
        row = {
            "user_id": before.user_id,
            "display": wanted.display or before.display,
            "roles": roles,
            "districts": wanted.districts if "districts" in given else before.districts,
            "technician_id": technician_id,
            "language": wanted.language or before.language,
            "disabled": disabled,
            "now_ms": now_ms,
        }
        await self._store.own(_CHANGE, row)

    async def set_password(self, user_id: UUID, password_hash: str, now_ms: int) -> None:
        """Store the hash of a new password."""
        await self._store.own(_PASSWORD, {"user_id": user_id, "hash": password_hash, "now_ms": now_ms})

    async def new_link(self, user_id: UUID, made_by: str, now_ms: int) -> str:
        """The secret of a link with which he chooses his password, once, within a day. Earlier links end."""
        secret = new_secret()
        row = {"hash": digest(secret), "user_id": user_id, "now_ms": now_ms, "made_by": made_by, "ends_ms": now_ms + LINK_MS}
        await self._store.own(_LINK, row)
        return secret

    async def linked(self, secret: str, now_ms: int) -> Row | None:
        """``user_id``, ``name`` and ``display`` of whom a link is for, while it can be used."""
        rows = await self._store.own(_LINKED, {"hash": digest(secret), "now_ms": now_ms})
        return rows[0] if rows else None

    async def use_link(self, secret: str, now_ms: int) -> bool:
        """Use it up; False where it was used meanwhile."""
        return bool(await self._store.own(_USE, {"hash": digest(secret), "now_ms": now_ms}))

    async def _check_roles(self, roles: Sequence[Role], technician_id: str | None) -> None:
        if "integration" in roles:
            raise invalid("body.roles", "“系统对接”只用于接口令牌", "the role integration is for API tokens alone")
        if "technician" in roles and technician_id is None:
            raise invalid("body.technician_id", "抢修人员须指定其工号", "a technician needs his technician_id")
        if technician_id is not None and not await self._store.own(_TECHNICIAN, {"technician_id": technician_id}):
            raise invalid("body.technician_id", "登记中没有这位抢修人员", "there is no such technician in the registry")


def _ordered(roles: Sequence[Role]) -> list[Role]:
    return [role for role in ROLES if role in roles]


def conflict(reason: str, zh: str, en: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, reason, zh, en)


def invalid(where: str, zh: str, en: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", zh, en, errors=[FieldError(where=where, en=en)])
