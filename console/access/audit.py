"""The record of who signed in, looked behind a mask, searched for a home, exported, or changed users and tokens.

Append-only: the database refuses everything but INSERT. Decides what a record says; what has to be recorded is known where it happens.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import CALL_IN_SCOPE
from console.access.scope import home_id_in_scope, order_in_scope
from console.access.who import Who
from console.store import Store
from core.clock import Clock

What = Literal[
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "demo_entered",
    "unmasked",
    "searched_by_phone",
    "searched_by_address",
    "exported",
    "recording_heard",
    "picture_seen",
    "user_made",
    "user_changed",
    "password_link_made",
    "password_chosen",
    "token_made",
    "token_ended",
]
Via = Literal["password", "token", "demo", "link", "command", "nobody"]

WHAT_NAMES: Final[Mapping[What, tuple[str, str]]] = {
    "signed_in": ("登录", "signed in"),
    "sign_in_failed": ("登录失败", "failed to sign in"),
    "signed_out": ("退出", "signed out"),
    "demo_entered": ("进入演示", "entered the demonstration"),
    "unmasked": ("查看已遮盖的姓名电话", "looked at masked names and numbers"),
    "searched_by_phone": ("按电话搜索", "searched by telephone number"),
    "searched_by_address": ("按地址或编号搜索", "searched by address or number"),
    "exported": ("导出", "exported"),
    "recording_heard": ("收听通话录音", "listened to a call"),
    "picture_seen": ("查看现场照片或签名", "looked at a photo or signature"),
    "user_made": ("新建用户", "made a user"),
    "user_changed": ("更改用户", "changed a user"),
    "password_link_made": ("签发设密链接", "made a link to choose a password"),
    "password_chosen": ("设置密码", "chose a password"),
    "token_made": ("签发接口令牌", "made an API token"),
    "token_ended": ("停用接口令牌", "ended an API token"),
}

# What may be a telephone that is not typed to its end, or has a digit too many.
_LONG_NUMBER: Final = re.compile(r"\d(?:[ -]?\d){8,}")
_AGAIN_MS: Final = 86_400_000
_REMEMBERED_MAX: Final = 10_000

_NOTE = """
    INSERT INTO audit (at_ms, who, via, what, about, reason, origin, detail)
    VALUES (%(at_ms)s, %(who)s, %(via)s, %(what)s, %(about)s, %(reason)s, %(origin)s, %(detail)s)"""

# By the home, call or order that it is about; what is of no home (signing in, users, tokens, exports, searches that found several or none)
# is read by every reader.
_IN_SCOPE: Final = f"""
    {home_id_in_scope("audit.about")}
    AND NOT EXISTS (SELECT FROM calls WHERE audit.what = 'recording_heard' AND NOT {CALL_IN_SCOPE} AND calls.call_id =
                        CASE WHEN audit.what = 'recording_heard' AND audit.about ~ '^[0-9a-f-]{{36}}$' THEN audit.about::uuid END)
    AND NOT EXISTS (SELECT FROM work_orders WHERE audit.what = 'picture_seen' AND work_orders.order_no = audit.detail ->> 'order_no'
                                              AND NOT {order_in_scope()})"""
AUDIT = f"""
    SELECT audit_no, at_ms, who, via, what, about, reason, origin, detail,
           CASE WHEN what IN ('user_made', 'user_changed', 'password_link_made', 'password_chosen')
                  THEN (SELECT users.name FROM users WHERE users.user_id::text = audit.about)
                WHEN what IN ('token_made', 'token_ended')
                  THEN (SELECT api_tokens.name FROM api_tokens WHERE api_tokens.token_id::text = audit.about) END AS about_name
    FROM audit
    WHERE (%(after)s::bigint IS NULL OR audit_no < %(after)s)
      AND (%(who)s::text IS NULL OR who = %(who)s)
      AND (%(what)s::text IS NULL OR what = %(what)s)
      AND (%(about)s::text IS NULL OR about = %(about)s)
      AND {_IN_SCOPE}
    ORDER BY audit_no DESC LIMIT %(rows)s"""


class AuditRecord(BaseModel):
    """One record."""

    audit_no: int
    at_ms: int = Field(description="Unix ms")
    who: str = Field(description="name of the user or token; ? where nobody has such a name")
    via: Via
    what: str
    zh: str
    en: str
    about: str = Field(description="the id of what it was about: a home, a user, a token")
    about_name: str | None = Field(description="what that user or token is called today; null of anything else")
    reason: str = Field(description="the reason that was given")
    origin: str = Field(description="the address that it came from")
    detail: dict[str, Any]


class Audit:
    """Writes records. One that cannot be written is a refusal of what it would have recorded: DatabaseAway goes up."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: OrderedDict[tuple[bytes, str, str], int] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def note_once(self, who: Who, what: What, *, about: str, detail: Mapping[str, Any] | None = None) -> None:
        """Record what comes in many parts, a sound or a picture, once for each session and thing, and a day. Raises DatabaseAway."""
        key, now_ms = (who.credential, what, about), self._clock.now_ms()
        # Two at once: neither is answered before the record is written, and there is one.
        async with self._one_at_a_time:
            if now_ms - self._noted.get(key, now_ms - _AGAIN_MS) < _AGAIN_MS:
                return
            await self.note(who, what, about=about, detail=detail)
            self._noted.pop(key, None)
            self._noted[key] = now_ms
            while len(self._noted) > _REMEMBERED_MAX:
                self._noted.popitem(last=False)

    async def note(self, who: Who, what: What, *, about: str = "", reason: str = "", detail: Mapping[str, Any] | None = None) -> None:
        """Record what somebody signed in does, before it is done or shown. Raises DatabaseAway."""
        await self.note_of(who.name, who.via, what, who.origin, about=about, reason=reason, detail=detail)

    async def note_search(self, who: Who, asked: str, homes: Sequence[str]) -> None:
        """Record a search for a home by its address or by a number that leads to it, and which homes it found. Raises DatabaseAway.

        What was typed stands there as it was typed, without the long numbers in it: a household's is told by the home that it found.
        """
        typed = _LONG_NUMBER.sub(lambda found: masking.number(found[0]), masking.text(asked))
        detail = {"asked": typed, "found": len(homes)}
        await self.note(who, "searched_by_address", about=homes[0] if len(homes) == 1 else "", detail=detail)

    async def note_of(
        self, who: str, via: Via, what: What, origin: str, *, about: str = "", reason: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """The same of somebody who is not signed in. Raises DatabaseAway."""
        row = {
            "at_ms": self._clock.now_ms(),
            "who": who,
            "via": via,
            "what": what,
            "about": about[:200],
            "reason": reason[:500],
            "origin": origin,
            "detail": Jsonb(dict(detail or {})),
        }
        await self._store.own(_NOTE, row)
