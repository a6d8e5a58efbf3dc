"""Signing in: the ways there are, and what may stand between a proven name and a session.

Decides that a wrong name and a wrong password look the same, in words and in time. Single sign-on (OIDC) would be another
:class:`SignInWay`, a second factor a :class:`SecondStep`; neither is built.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from console.access.attempts import Attempts
from console.access.audit import Audit
from console.access.passwords import Passwords
from console.access.users import Users, proper_name
from console.problems import Problem


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody is who he says."""

    user_id: UUID
    name: str


class SignInWay(Protocol):
    """A way to prove who one is."""

    async def prove(self, name: str, secret: str, origin: str, now_ms: int) -> Proven:
        """Who it is. Raises a 401 problem, or 429 where he has to wait. Each failure is counted and recorded."""
        ...


class SecondStep(Protocol):
    """What may be asked for beside a password before a session begins."""

    async def passed(self, proven: Proven, answer: str | None, now_ms: int) -> bool:
        """Whether a session may begin; False = asked for and not given."""
        ...


class PasswordWay:
    """Name and password."""

    def __init__(self, users: Users, passwords: Passwords, attempts: Attempts, audit: Audit) -> None:
        self._users = users
        self._passwords = passwords
        self._attempts = attempts
        self._audit = audit

    async def prove(self, name: str, secret: str, origin: str, now_ms: int) -> Proven:
        """See :class:`SignInWay`."""
        try:
            proper = proper_name(name)
        except Problem:
            # Not even a name: judged like any other that nobody has.
            proper = "?"
        await self._attempts.charge(proper, origin, now_ms)
        user = await self._users.secret_of(proper)
        right = await self._passwords.verify(None if user is None else user["password_hash"], secret)
        if user is None or not right or user["disabled_ms"] is not None:
            # What stands in the name's place may be a password typed into the wrong field: kept only where it is a name.
            who = "?" if user is None else proper
            await self._audit.note_of(who, "nobody", "sign_in_failed", origin)
            raise wrong()
        await self._attempts.right(proper, origin, now_ms)
        return Proven(user["user_id"], proper)


def wrong() -> Problem:
    """401 that does not say which of the two is wrong."""
    return Problem(HTTPStatus.UNAUTHORIZED, "wrong_name_or_password", "用户名或密码不正确", "wrong name or password")
