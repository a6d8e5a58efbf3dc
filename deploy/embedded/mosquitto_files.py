"""The three files that mosquitto reads from us: configuration, passwords and who may use which topic. Pure text, no process."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from core.ids import CANARY_DETECTOR, CANARY_METER, is_account, is_reserved

STATION_ACCOUNTS: Final = ("line", "dispatch", "fleet", CANARY_DETECTOR, CANARY_METER)
"""The accounts that are the platform's own. The canary's two have the rights of a device and no others."""


ACCESS: Final = """\
# Written at every start by Gas Sentinel; changes here are lost.
# The line hears every device and alone commands them; dispatch and the line talk to each other.
user line
topic read gas/v1/+/up/#
topic write gas/v1/+/down/#
topic write gas/station/#
topic read gas/station/line

user dispatch
topic read gas/station/dispatch
topic write gas/station/line

# Load tests and the simulated district, on the loopback: every device in both directions.
user fleet
topic readwrite gas/v1/#

# A device or hub: under its own id and nowhere else.
pattern write gas/v1/%u/up/#
pattern read gas/v1/%u/down/#
"""

_SAVE_OFTEN_S, _SAVE_SELDOM_S = 1, 5
_FELT_BYTES = 5_000_000

_COMMANDS: Final = "topic write gas/v1/+/down/#"
_PROMISES_ONLY: Final = "topic write gas/v1/+/down/ack"


def access(*, line_commands: bool) -> str:
    """Who may use which topic. Without ``line_commands`` (an exercise) the broker drops the line's commands, as a wrong ACL would."""
    return ACCESS if line_commands else ACCESS.replace(_COMMANDS, _PROMISES_ONLY)


_CONFIGURATION: Final = """\
# Written at every start by Gas Sentinel; changes here are lost.
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/access
{user}
# Without it a command waits 40 ms for company.
set_tcp_nodelay true

# mosquitto drops silently over its default of 1000 queued messages. What is dropped here a device repeats, but late.
max_queued_messages 2000000
max_queued_bytes 1073741824
max_inflight_messages 1000
max_packet_size 2097152
persistent_client_expiration 14d

persistence true
persistence_location {folder}/
# What is not saved dies with a kill -9; a save stops everything for about 1 ms for each 1,000 stored messages.
autosave_interval {autosave_s}

pid_file {folder}/mosquitto.pid
log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages false
log_type error
log_type warning
log_type notice
"""


_TLS_LISTENER: Final = """
# Devices with a certificate of the utility's authority: the name in it is the account, and the client id. What a client says of
# itself is not heard, so that nobody takes another's session over.
listener {port} {host}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
crlfile {folder}/revoked.crl
require_certificate true
use_identity_as_username true
use_username_as_clientid true
tls_version tlsv1.2
"""

_HASH = re.compile(r"\$7\$\d{1,7}\$[A-Za-z0-9+/=]{4,}\$[A-Za-z0-9+/=]{4,}\Z")


def autosave_seconds(saved_bytes: int) -> int:
    """How often the broker saves, by the size of what it saved last: often while a save is not felt, seldom where it is."""
    return _SAVE_OFTEN_S if saved_bytes <= _FELT_BYTES else _SAVE_SELDOM_S


def configuration(folder: Path, port: int, user: str | None, tls: tuple[str, int] | None = None, *, saved_bytes: int = 0) -> str:
    """mosquitto's configuration for a folder of its own.

    ``user`` is whom root drops to, ``tls`` address and port for devices, ``saved_bytes`` the size of what it has saved.
    """
    text = _CONFIGURATION.format(folder=folder, port=port, user=f"user {user}" if user else "", autosave_s=autosave_seconds(saved_bytes))
    return text if tls is None else text + _TLS_LISTENER.format(folder=folder, host=tls[0], port=tls[1])


def password_lines(stations: Mapping[str, str], devices: Mapping[str, str]) -> str:
    """The password file: ``stations`` and ``devices`` map account to hash.

    A device account that is no valid id, or that bears a name reserved for the platform, gets no line: such a row could give a
    device the rights of a station.
    """
    lines = [f"{account}:{hashed}" for account, hashed in stations.items()]
    lines += [
        f"{account}:{hashed}"
        for account, hashed in sorted(devices.items())
        if is_account(account) and not is_reserved(account) and _HASH.match(hashed)
    ]
    return "\n".join(lines) + "\n"
