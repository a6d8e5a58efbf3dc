"""The pages that a person can reach, and whom they are for: one list for every test that looks at all of them, and for the pictures."""

from dataclasses import dataclass
from typing import Final

from console.access.rights import Role


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its name in files, its path, and a role that uses it. ``{home}``, ``{incident}``, ``{order}`` stand for ids."""

    name: str
    path: str
    role: Role | None = "supervisor"


PAGES: Final = (
    Shown("signin", "/signin", None),
    Shown("wall", "/wall", "viewer"),
    Shown("desk", "/desk", "operator"),
    Shown("incident", "/desk/incidents/{incident}", "operator"),
    Shown("home", "/desk/homes/{home}", "operator"),
    Shown("search", "/desk/search", "operator"),
    Shown("hotline", "/desk/hotline", "operator"),
    Shown("orders", "/desk/orders", "dispatcher"),
    Shown("order", "/desk/orders/{order}", "dispatcher"),
    Shown("crews", "/desk/crews", "dispatcher"),
    Shown("conditions", "/desk/conditions", "operator"),
    Shown("handover", "/desk/handover", "operator"),
    Shown("users", "/admin/users", "supervisor"),
    Shown("tokens", "/admin/tokens", "engineer"),
    Shown("audit", "/admin/audit", "auditor"),
)

FIELD: Final = (Shown("field", "/field/", "technician"), Shown("field-order", "/field/orders/{order}", "technician"))
"""The technician's pages, which only a phone sees."""
