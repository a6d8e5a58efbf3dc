"""Passwords: what is accepted as one, and argon2id over it, in one thread of its own.

Decides the cost of a guess. Hashing never runs on the event loop, and one at a time: ten people who sign in at once must not take
both cores of a small machine from the line.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from console.problems import FieldError, Problem

SHORTEST: Final = 10
LONGEST: Final = 200
_FEWEST_SIGNS: Final = 5
_WAITING_MAX: Final = 16
# RFC 9106's second choice holds 64 MiB; beside the line on a small machine half of it must do, at the same three passes.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)

_T = TypeVar("_T")


class Passwords:
    """Hashes and verifies. One for a console; ``stop`` ends its thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys = ""

    def stop(self) -> None:
        """End the thread once it is idle."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The argon2id string of a password. Raises a 503 problem when too many wait."""
        return await self._run(lambda: _HASHER.hash(_normal(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password behind ``stored``; False where there is none, after as long a time."""
        if not self._nobodys:
            self._nobodys = await self._run(lambda: _HASHER.hash("nobody has this password"))
        matches = await self._run(lambda: _matches(stored or self._nobodys, _normal(password)))
        return matches and stored is not None

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= _WAITING_MAX:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "同时登录的人过多，请稍候重试", "too many sign in at once: try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def check_password(password: str, name: str) -> None:
    """Raises a 422 problem for a password that is too easily guessed. Length counts; no rule about kinds of characters."""
    said = _normal(password)
    if not SHORTEST <= len(said) <= LONGEST:
        raise _refused(f"密码须为 {SHORTEST} 至 {LONGEST} 个字符", f"a password has {SHORTEST} to {LONGEST} characters")
    if len(set(said)) < _FEWEST_SIGNS:
        raise _refused("密码中不同的字符太少", "the password repeats too few characters")
    if name.casefold() in said.casefold():
        raise _refused("密码不能包含登录名", "the password must not contain the name")


def _refused(zh: str, en: str) -> Problem:
    where = [FieldError(where="body.password", en=en)]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "weak_password", zh, en, errors=where)


def _normal(password: str) -> str:
    # The same keys give other code points on another keyboard or system.
    return unicodedata.normalize("NFKC", password)


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
