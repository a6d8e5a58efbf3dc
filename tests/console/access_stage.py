"""A user of the access tests, made as the console makes him, and the moment at which their clock stands."""

from typing import Any, Final
from uuid import UUID

from console.access.access import Access
from console.access.users import NewUser

PASSWORD: Final = "vier Pferde am Xiang"
NOW: Final = 1_775_120_400_000


async def user(access: Access, name: str = "zhou", *roles: Any, password: str | None = PASSWORD) -> UUID:
    """An operator, where no roles are given; without a password nobody can sign in as him."""
    hashed = None if password is None else await access.passwords.hash(password)
    wanted = NewUser(name=name, display=name, roles=list(roles) or ["operator"])
    return await access.users.make(wanted, "test", access.clock.now_ms(), password_hash=hashed)
