"""The three files that mosquitto reads from us: configuration, passwords and who may use which topic. Pure text, no process."""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from core.ids import is_account, is_reserved

PBKDF2_ROUNDS: Final = 101
"""mosquitto's own default. The passwords are long random strings, so that rounds buy nothing and cost 0.2 ms a hundred each."""

STATION_ACCOUNTS: Final = ("line", "dispatch", "fleet")

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
autosave_interval 5

pid_file {folder}/mosquitto.pid
log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages false
log_type error
log_type warning
log_type notice
"""


_HASH = re.compile(r"\$7\$\d{1,7}\$[A-Za-z0-9+/=]{4,}\$[A-Za-z0-9+/=]{4,}\Z")


def password_hash(password: str, salt: bytes | None = None) -> str:
    """A password as mosquitto 2 keeps it: ``$7$rounds$salt$hash``, PBKDF2-HMAC-SHA512, base64."""
    salt = os.urandom(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, PBKDF2_ROUNDS, dklen=64)
    return f"$7${PBKDF2_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def configuration(folder: Path, port: int, user: str | None) -> str:
    """mosquitto's configuration for a folder of its own; ``user`` is whom root drops to."""
    return _CONFIGURATION.format(folder=folder, port=port, user=f"user {user}" if user else "")


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
