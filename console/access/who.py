"""Somebody who is signed in: his name, his rights, what he may see. Knows nothing of cookies or tables."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from console.access.rights import Right, Role
from console.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Who:
    """``name`` is the actor of all that he asks. ``expires_ms`` is Unix ms of real time, whatever the platform's clock says."""

    user_id: UUID | None
    name: str
    display: str
    roles: frozenset[Role]
    districts: tuple[str, ...] | None
    technician_id: str | None
    crew_id: str | None
    via: Literal["password", "token", "demo"]
    rights: frozenset[Right]
    expires_ms: int
    language: Literal["zh", "en"] = "zh"
    since_ms: int = 0
    """The beginning of today in Changsha by the platform's clock: a technician still sees what he archived since."""
    origin: str = ""
    """The address that he comes from."""
    credential: bytes = field(default=b"", repr=False)
    """Which session or token let him in: the hash of its secret."""

    def may(self, right: Right) -> bool:
        """Whether he has a right."""
        return right in self.rights

    @property
    def scope(self) -> Scope:
        """What he sees. Only who is nothing but a technician is bound to his crew."""
        if self.roles == {"technician"}:
            return Scope(None, self.crew_id or "", self.since_ms)
        return Scope(self.districts, None)
