"""Through which line an address may be dialled, if any. Pure; the one place where this is decided.

A simulated home is only ever dialled through the simulator's loopback proxy and only at ``sip:...@sim.invalid``; the canary only at its
one address and only at the worker's own telephone on loopback; every other home only through the trunk and only at a telephone number.
Where these do not fit, nothing is dialled at all.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from dispatch.voice.protocol import CANARY_ADDRESS, Reason

SIMULATED_HOST: Final = "sim.invalid"

_SIMULATED = re.compile(r"sip:[0-9A-Za-z+*#._-]{1,32}@sim\.invalid")
_NUMBER = re.compile(r"\+?[0-9]{5,20}")
_SPACING = re.compile(r"[\s().-]+")


class Lines(Protocol):
    """The lines that this worker was given; empty = none."""

    @property
    def sim_sip_proxy(self) -> str: ...

    @property
    def sip_trunk(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial ``uri`` through ``line``."""

    uri: str
    line: Literal["simulated", "canary", "trunk"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Dial nothing."""

    reason: Reason


def route(address: str, simulated: bool, lines: Lines) -> Dial | Refused:
    """Where a call to ``address`` goes. ``simulated`` is the registry's mark of the home, not what the address looks like."""
    looks_simulated = "sim.invalid" in address.lower()
    if simulated:
        if not _SIMULATED.fullmatch(address):
            return Refused("simulated_mismatch" if not looks_simulated else "bad_address")
        if address == CANARY_ADDRESS:
            return Dial(address, "canary")
        if not lines.sim_sip_proxy:
            return Refused("no_sim_proxy")
        if not is_loopback(lines.sim_sip_proxy):
            return Refused("simulated_mismatch")
        return Dial(address, "simulated")
    if looks_simulated:
        return Refused("simulated_mismatch")
    number = _SPACING.sub("", unicodedata.normalize("NFKC", address)).removeprefix("tel:")
    if not _NUMBER.fullmatch(number):
        return Refused("bad_address")
    if not lines.sip_trunk:
        return Refused("no_trunk")
    return Dial(f"sip:{number}@{lines.sip_trunk}", "trunk")


def is_loopback(endpoint: str) -> bool:
    """Whether ``host:port`` is a literal loopback address with a port. A name is none: it could resolve to anywhere."""
    host, _, port = endpoint.rpartition(":")
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback and 0 < int(port) < 65536
    except ValueError:
        return False
