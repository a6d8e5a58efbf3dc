"""Ids that come out the same when the same message is judged twice.

A crash between two steps makes the line judge an item again; because ids are computed from the item, the second pass finds the
rows of the first instead of doubling them.
"""

import re
from uuid import UUID, uuid5

_NAMESPACE = UUID("6d0a6a5e-9f0b-5a53-8f37-0b1c7c0e2f11")

ACCOUNT_PATTERN = r"^[A-Za-z0-9_-]{1,32}$"
_ACCOUNT = re.compile(ACCOUNT_PATTERN)
RESERVED_ACCOUNTS = frozenset({"line", "dispatch", "fleet", "canary"})

RESERVED_PREFIXES = ("_", "canary-", "line-", "dispatch-", "fleet-")
"""Sessions of the platform at the broker are named after their station (``line-telemetry``)."""

CANARY_HOME = "CANARY"
"""The reserved home that walks the whole line every minute; it stands in no table of homes."""
CANARY_DETECTOR, CANARY_METER = "canary-detector", "canary-meter"
"""Its devices, and the accounts on which the line plays them."""


def is_account(text: str) -> bool:
    """Whether ``text`` may be a device or hub id: 1-32 of letters, digits, ``_`` and ``-``."""
    return _ACCOUNT.fullmatch(text) is not None


def is_reserved(account: str) -> bool:
    """Whether an id is kept for the platform's own accounts, their sessions and its canary home."""
    return account in RESERVED_ACCOUNTS or account == CANARY_HOME or account.startswith(RESERVED_PREFIXES)


def incident_id(kind: str, device: str, boot: int, seq: int, ts: int) -> UUID:
    """The id of the incident that this item opens; ``kind`` keeps a leak and a past leak of one item apart."""
    return uuid5(_NAMESPACE, f"incident/{kind}/{device}/{boot}/{seq}/{ts}")


def command_id(incident: UUID, command: str, attempt: int) -> UUID:
    """The id of one attempt at a command. A re-send keeps it; a new try is a new attempt."""
    return uuid5(incident, f"command/{command}/{attempt}")


def message_id(incident: UUID, what: str) -> UUID:
    """The id of one message from the line to dispatch; dispatch acts once on each."""
    return uuid5(incident, f"message/{what}")


def event_id(incident: UUID, what: str) -> UUID:
    """The id of one entry of an incident's record."""
    return uuid5(incident, f"event/{what}")


def condition_id(device: str, condition: str, since_ms: int) -> UUID:
    """The id of one stretch of time in which a device could not detect, was not heard or had no mains."""
    return uuid5(_NAMESPACE, f"condition/{condition}/{device}/{since_ms}")
