"""Passwords for devices and hubs that prove themselves by one (stations, hubs, small and embedded installations).

Decides who needs an account (a device that no hub serves, and every hub) and how its password is kept: here only as mosquitto's
PBKDF2 hash, in clear only in the file that the engineer asked for. Refuses to know how the broker reads them.
"""

import base64
import csv
import hashlib
import os
import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from psycopg import Cursor

from core.errors import UserError

CHANNEL: Final = "broker_accounts"
"""NOTIFY channel; the payload is the number of new accounts."""

ROUNDS: Final = 101
"""mosquitto's own default. The passwords are long random strings, so that rounds buy nothing and cost 0.2 ms a hundred each."""

_SALT_BYTES = 12
_HASH_BYTES = 64
_PASSWORD_BYTES = 18
_HEADER = ("account", "password")

_WITHOUT: Final = """
SELECT DISTINCT d.account FROM devices d
 WHERE d.retired_at IS NULL AND NOT EXISTS (SELECT FROM broker_accounts b WHERE b.account = d.account)
 ORDER BY d.account
"""


def password_hash(password: str, salt: bytes | None = None) -> str:
    """A password as mosquitto 2 keeps it: `$7$rounds$salt$hash`, PBKDF2-HMAC-SHA512 and base64; a salt of 12 bytes is drawn."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS, dklen=_HASH_BYTES)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def issue_credentials(cursor: Cursor[Any], path: Path) -> int:
    """Give a password to every serving account that has none and add it to `path`; returns how many.

    The file keeps the lines it held, is replaced in one move and readable by its owner only. It is written before the commit: a
    crash between leaves passwords that the broker does not know, and the next import issues new ones, but never an account whose
    password nobody has. Raises UserError where `path` holds something else, OSError where it cannot be written.
    """
    held = _held(path)
    accounts = [str(account) for (account,) in cursor.execute(_WITHOUT).fetchall()]
    # Hexadecimal: one that begins with "-" is an option on a command line and a formula in a spreadsheet.
    passwords = {account: secrets.token_hex(_PASSWORD_BYTES) for account in accounts}
    # The hash lets go of the interpreter's lock: a city's 384,000 take every core there is.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = pool.map(password_hash, passwords.values())
        with cursor.copy("COPY broker_accounts (account, password_hash) FROM STDIN") as copy:
            for account, hashed in zip(passwords, hashes, strict=True):
                copy.write_row((account, hashed))
    _write(path, held | passwords)
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(len(passwords))))
    return len(passwords)


def _held(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if tuple(header) != _HEADER or any(len(line) != len(_HEADER) for line in lines):
        raise UserError(
            f"{path} 不是凭据文件（首行应为 account,password），为免覆盖而停止",
            f"{path} is not a file of credentials (its first line is not account,password); it is left as it is",
        )
    return dict(lines)


def _write(path: Path, passwords: dict[str, str]) -> None:
    # mkstemp opens with mode 600, so that no moment lets others read.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows(sorted(passwords.items()))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
