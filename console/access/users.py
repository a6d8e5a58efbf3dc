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
# What is left out is taken from the row as it is once it is locked: somebody else may have changed it since it was read. Whoever might
# leave nobody to manage users waits, by the lock on all who can, until another who does the same is through.
_CHANGE = """
    WITH locked AS MATERIALIZED (
        SELECT user_id, roles, technician_id, disabled_ms FROM users
        WHERE user_id = %(user_id)s
           OR (%(may_leave)s AND 'supervisor' = ANY (roles) AND disabled_ms IS NULL AND password_hash IS NOT NULL)
        ORDER BY user_id FOR NO KEY UPDATE
    ), wanted AS MATERIALIZED (
        SELECT user_id, 'supervisor' = ANY (roles) AND disabled_ms IS NULL AS kept, disabled_ms AS was_disabled_ms,
               coalesce(%(roles)s::text[], roles) AS roles,
               CASE WHEN %(names_technician)s THEN %(technician_id)s::text ELSE technician_id END AS technician_id,
               CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_ms
                    WHEN %(disabled)s::boolean THEN coalesce(disabled_ms, %(now_ms)s) END AS disabled_ms
        FROM locked WHERE user_id = %(user_id)s
    ), judged AS MATERIALIZED (
        SELECT wanted.*,
               kept AND (disabled_ms IS NOT NULL OR 'supervisor' <> ALL (roles))
                   AND (SELECT count(*) FROM locked WHERE user_id <> %(user_id)s) = 0 AS last_supervisor,
               'technician' = ANY (roles) AND technician_id IS NULL AS nameless,
               disabled_ms IS NULL AND (%(names_technician)s OR was_disabled_ms IS NOT NULL)
                   AND EXISTS (SELECT FROM users other WHERE other.technician_id = wanted.technician_id
                                                         AND other.disabled_ms IS NULL AND other.user_id <> wanted.user_id) AS taken
        FROM wanted
    ), changed AS (
        UPDATE users SET display = coalesce(%(display)s, users.display), language = coalesce(%(language)s, users.language),
               districts = CASE WHEN %(names_districts)s THEN %(districts)s::text[] ELSE users.districts END,
               roles = judged.roles, technician_id = judged.technician_id, disabled_ms = judged.disabled_ms, changed_ms = %(now_ms)s
        FROM judged WHERE users.user_id = judged.user_id AND NOT (last_supervisor OR nameless OR taken)
    )
    SELECT last_supervisor, nameless, taken FROM judged"""
_PASSWORD = "UPDATE users SET password_hash = %(hash)s, changed_ms = %(now_ms)s WHERE user_id = %(user_id)s"  # noqa: S105  a column's name
_TECHNICIAN = """
    SELECT crews.district_code FROM technicians JOIN crews USING (crew_id)
    WHERE technician_id = %(technician_id)s AND (technicians.retired_at IS NULL OR %(also_retired)s)"""
_TAKEN_TECHNICIAN = "SELECT 1 AS one FROM users WHERE technician_id = %(technician_id)s AND disabled_ms IS NULL"
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
        """Make a user; returns his id. With ``first`` only while there is none: 409 ``not_the_first``. A taken name: 409 ``name_taken``.

        The technician of another who may sign in: 409 ``technician_taken``.
        """
        roles, user_id = _ordered(wanted.roles), uuid4()
        _check_roles(roles)
        if "technician" in roles and wanted.technician_id is None:
            raise _nameless()
        if wanted.technician_id is not None:
            await self.district_of(wanted.technician_id)
            if await self._store.own(_TAKEN_TECHNICIAN, {"technician_id": wanted.technician_id}):
                raise _technician_taken(wanted.technician_id)
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
            raise conflict(
                "name_taken",
                "这个登录名已有人使用（停用的也保留）；如果刚才已新建而没有见到密码链接，请在用户列表中为其生成新的密码链接",
                "the name is taken (also by a disabled user); if you have just made this user and did not see the link, make a new one "
                "in the list of users",
            ) from None
        if not made:
            raise conflict("not_the_first", "已经有用户了，请登录", "there is a user already: sign in")
        return user_id

    async def change(self, user: User, wanted: UserChange, now_ms: int) -> None:
        """Change what is named, and nothing else, whatever ``user`` was when he was read.

        Raises a 409 problem where nobody could manage users any more (``last_supervisor``), and where another who may sign in is the
        technician (``technician_taken``).
        """
        given = wanted.model_fields_set
        roles = None if wanted.roles is None else _ordered(wanted.roles)
        _check_roles(roles or [])
        if wanted.technician_id is not None:
            await self.district_of(wanted.technician_id)
        row = {
            "user_id": user.user_id,
            "display": wanted.display,
            "language": wanted.language,
            "roles": roles,
            "names_districts": "districts" in given,
            "districts": wanted.districts,
            "names_technician": "technician_id" in given,
            "technician_id": wanted.technician_id,
            "disabled": wanted.disabled,
            "may_leave": bool(wanted.disabled) or (roles is not None and "supervisor" not in roles),
            "now_ms": now_ms,
        }
        [found] = await self._store.own(_CHANGE, row)
        if found["last_supervisor"]:
            raise conflict(
                "last_supervisor",
                "这是最后一位能登录的值班长，不能停用或去掉该角色",
                "this is the last supervisor who can sign in: he stays one",
            )
        if found["nameless"]:
            raise _nameless()
        if found["taken"]:
            raise _technician_taken(wanted.technician_id or user.technician_id or "")

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

    async def district_of(self, technician_id: str, *, also_retired: bool = False) -> str:
        """The district (GB/T 2260) of a technician's crew. Raises a 422 problem where he is not in the registry."""
        rows = await self._store.own(_TECHNICIAN, {"technician_id": technician_id, "also_retired": also_retired})
        if not rows:
            raise invalid("body.technician_id", "登记中没有这位抢修人员", "there is no such technician in the registry")
        district: str = rows[0]["district_code"]
        return district


def _check_roles(roles: Sequence[Role]) -> None:
    if "integration" in roles:
        raise invalid("body.roles", "“系统对接”只用于接口令牌", "the role integration is for API tokens alone")


def _nameless() -> Problem:
    return invalid("body.technician_id", "抢修人员须指定其工号", "a technician needs his technician_id")


def _technician_taken(technician_id: str) -> Problem:
    return conflict(
        "technician_taken",
        f"另一位可登录的用户已对应抢修人员 {technician_id}；抢修记录须能分清是谁",
        f"another user who may sign in is the technician {technician_id}; the record of an order must tell who it was",
    )


def _ordered(roles: Sequence[Role]) -> list[Role]:
    return [role for role in ROLES if role in roles]


def conflict(reason: str, zh: str, en: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, reason, zh, en)


def invalid(where: str, zh: str, en: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", zh, en, errors=[FieldError(where=where, en=en)])
