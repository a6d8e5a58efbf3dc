"""One PostgreSQL and one broker for a whole test run, real ones, in seconds and leaving nothing behind.

The database is the product's with three differences: it lies in memory where there is room and does not flush to disk (a test machine's
power is not under test), and a password is hashed once instead of 4096 times (tests connect thousands of times; what a guess costs is
not under test either).
"""

import contextlib
import gc
import itertools
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from core.registry.credentials import password_hash
from deploy.embedded.account import can, service_account
from deploy.embedded.device_door import DeviceDoor
from deploy.embedded.mosquitto import MosquittoServer
from deploy.embedded.mosquitto_files import STATION_ACCOUNTS
from deploy.embedded.mosquitto_program import obtain
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.processes import LOOPBACK, alive, free_port
from deploy.migrate import migrate

TEMPLATE = "gas_sentinel_template"
_TEMPORARY = "gas-sentinel-test-"
_MEMORY = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it, named by nobody else
_MEMORY_BYTES = 4 << 30


@dataclass
class TestPostgres:
    """A running server. ``dsn`` leads to its ``postgres`` database, ``template`` names the migrated one."""

    __test__ = False

    server: PostgresServer
    dsn: str
    template: str
    _folder: Path
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def clone(self) -> str:
        """A fresh migrated database of its own; returns its connection string. Takes about 0.03 s in memory."""
        return self.server.create_database(f"test_{os.getpid()}_{next(self._count)}", self.template)

    def drop(self, dsn: str) -> None:
        """Drop a database that :meth:`clone` made, sending its clients home; one that cannot be dropped in seconds goes with the server."""
        name = sql.Identifier(dsn.rpartition("/")[2].partition("?")[0])
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for patience in ("1s", "5s"):
                connection.execute(sql.SQL("SET statement_timeout = {}").format(patience))
                with contextlib.suppress(psycopg.errors.QueryCanceled):
                    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
                    return
                # A client of this process that was cancelled while it connected holds its socket until it is collected; the server
                # waits a minute for its password, and the drop for that.
                gc.collect()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.server.stop()
        remove_folder(self._folder)


def start_test_postgres(folder: Path) -> TestPostgres:
    """Start a server in memory, or below ``folder`` where this machine has no room for that."""
    place = (_folder_in_memory() or reachable_folder(folder)) / "postgres"
    settings = {"fsync": "off", "shared_buffers": "'64MB'", "max_wal_size": "'256MB'", "max_connections": "200", "scram_iterations": "1"}
    server = PostgresServer(place, settings=settings)
    try:
        server.start()
        migrate(server.dsn(TEMPLATE))
        _hash_once(server.dsn("postgres"))
    except BaseException:
        server.stop()
        raise
    return TestPostgres(server, server.dsn("postgres"), TEMPLATE, place)


def _hash_once(dsn: str) -> None:
    """Store the password anew, as the setting has it. The program that brings schemas up to date refuses such a server: after it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        role, password = sql.Identifier(connection.info.user), sql.Literal(connection.info.password)
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))


@dataclass
class TestBroker:
    """A running mosquitto. ``accounts`` maps account to password: line, dispatch, fleet and what :meth:`account` added."""

    __test__ = False

    server: MosquittoServer
    host: str
    port: int
    accounts: dict[str, str]
    _folder: Path

    def account(self, name: str) -> str:
        """Make sure that a device or hub account exists; returns its password. The broker knows it when this returns."""
        if name not in self.accounts:
            self.accounts[name] = secrets.token_hex(12)
            self.server.set_device_accounts({a: password_hash(p) for a, p in self.accounts.items() if a not in STATION_ACCOUNTS})
        return self.accounts[name]

    @property
    def tls_port(self) -> int:
        """Where devices with a certificate connect; 0 without an authority."""
        return self.server.door.port if self.server.door is not None else 0

    def stop(self) -> None:
        """Stop the broker and remove its data."""
        self.server.stop()
        remove_folder(self._folder)


def start_test_broker(folder: Path, authority: Path | None = None) -> TestBroker:
    """Start mosquitto below ``folder`` on a free port, and with TLS on another one where there is an ``authority``.

    Raises LookupError where this machine can have none.
    """
    found = obtain()
    if found is None:
        raise LookupError("no mosquitto on this machine, and none could be unpacked")
    place = reachable_folder(folder) / "mosquitto"
    accounts = {name: secrets.token_hex(12) for name in STATION_ACCOUNTS}
    server = MosquittoServer(place, found, accounts)
    if authority is not None:
        server.door = DeviceDoor(authority, free_port())
    server.start(free_port())
    return TestBroker(server, LOOPBACK, server.port, accounts, place)


def _folder_in_memory() -> Path | None:
    """A folder of this process in memory, None where there is little: a database is hundreds of files to make and to remove again.

    What killed processes left there is removed.
    """
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return None
    for left in _MEMORY.glob(f"{_TEMPORARY}*"):
        owner = left.name.removeprefix(_TEMPORARY).partition("-")[0]
        if owner.isdecimal() and not alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES:
        return None
    place = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{os.getpid()}-", dir=_MEMORY))
    place.chmod(0o755)
    return place


def reachable_folder(folder: Path) -> Path:
    """``folder``, or a temporary one where the unprivileged account of root cannot get to that."""
    folder.mkdir(parents=True, exist_ok=True)
    account = service_account()
    if account is None or can(account, "-x", folder):
        return folder
    # pytest's temporary folders are closed to everybody but root.
    place = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
    place.chmod(0o755)
    return place


def remove_folder(folder: Path) -> None:
    """Remove a folder, and the temporary one that :func:`reachable_folder` may have made around it."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.name.startswith(_TEMPORARY):
        folder.parent.rmdir()
