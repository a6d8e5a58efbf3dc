"""One change of the registry: its number, its record, and the word to those who follow it.

Decides that changes happen one after another: numbers are committed in their order, so that whoever has read up to a number has
missed nothing below it.
"""

from typing import Any, Final, Literal

from psycopg import Cursor

CHANNEL: Final = "registry"
"""NOTIFY channel; the payload is the version."""

What = Literal["homes", "crews"]


def begin_change(cursor: Cursor[Any]) -> int:
    """Wait for a change that is under way and take the next version. Readers are not held up."""
    cursor.execute("LOCK TABLE registry_changes IN EXCLUSIVE MODE")
    row = cursor.execute("SELECT nextval('registry_version')").fetchone()
    assert row is not None  # noqa: S101  nextval gives one row or raises
    return int(row[0])


def record_change(cursor: Cursor[Any], version: int, what: What, *, added: int, changed: int, retired: int) -> None:
    """Write the change down and announce it; both take effect with the commit."""
    cursor.execute(
        "INSERT INTO registry_changes (version, what, added, changed, retired) VALUES (%s, %s, %s, %s, %s)",
        (version, what, added, changed, retired),
    )
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(version)))
