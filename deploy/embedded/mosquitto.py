"""mosquitto as a child of this process, on the loopback, with our configuration.

Decides: its folder, its account, start, readiness, reload and stop. The rights of each account stand in ``mosquitto_files``.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from deploy.embedded.account import Say, as_account, home_for, own, programs_for, service_account, silence
from deploy.embedded.mosquitto_files import access, configuration, password_hash, password_lines
from deploy.embedded.mosquitto_program import Mosquitto
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import LOOPBACK, alive, command_line, dies_with_parent, last_line, stop_child, stop_orphan

_READY_SECONDS = 15.0


class MosquittoServer:
    """One broker in one folder. ``accounts`` maps the stations' names to their passwords."""

    access_control = True

    def __init__(self, folder: Path, found: Mosquitto, accounts: Mapping[str, str], *, say: Say = silence) -> None:
        self._account = service_account()
        self._say = say
        self.folder = home_for(folder, self._account, say)
        self.log = self.folder / "mosquitto.log"
        self._program = found
        if found.unpacked is not None:
            inside = str(found.program.relative_to(found.unpacked))
            name = f"mosquitto-{found.program.stat().st_size}-{int(found.program.stat().st_mtime)}"
            self._program = found.moved(programs_for(found.unpacked, inside, name, self._account, say))
        self._passwords = dict(accounts)
        self._stations = {account: password_hash(password) for account, password in accounts.items()}
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.line_commands = True

    @property
    def pid(self) -> int | None:
        """The broker's process id; None when it is not running."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def running(self) -> bool:
        """Whether the broker lives."""
        return self.pid is not None

    def start(self, port: int) -> None:
        """Start on a port that is free. Raises UserError when it does not come up. Call from the main thread: it dies with it."""
        self.clear_the_way()
        self.port = port
        user = self._account.name if self._account else None
        self._write("mosquitto.conf", configuration(self.folder, port, user), 0o600)
        self._write("access", access(line_commands=self.line_commands), 0o600)
        if not (self.folder / "passwords").exists():
            self._write("passwords", password_lines(self._stations, {}), 0o600)
        self._write_stations_again()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [str(self._program.program), "-c", str(self.folder / "mosquitto.conf")],
                env={"PATH": os.defpath, "HOME": str(self.folder), **self._program.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent(),
                **as_account(self._account),
            )
        self._wait_ready()

    def set_device_accounts(self, hashes: Mapping[str, str]) -> None:
        """Replace the device and hub accounts (account -> ``$7$`` hash) and have the broker read them."""
        self._write("passwords", password_lines(self._stations, hashes), 0o600)
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop the broker; it saves its sessions."""
        if self._child is not None:
            stop_child(self._child)
            self._child = None

    def _write_stations_again(self) -> None:
        """The stations' hashes are made at each start; the devices' stay as they were until the database is heard."""
        path = self.folder / "passwords"
        devices = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
        self._write("passwords", password_lines(self._stations, devices), 0o600)

    def _write(self, name: str, text: str, mode: int) -> None:
        """Replace a file of the broker's in one step: a reload never reads half of it."""
        path = self.folder / name
        fresh = path.with_name(f"{name}.new")
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        own(fresh, self._account, mode)
        fresh.replace(path)

    def clear_the_way(self) -> None:
        """End a broker that a killed run left behind."""
        try:
            pid = int((self.folder / "mosquitto.pid").read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            return
        if alive(pid) and str(self.folder / "mosquitto.conf") in command_line(pid):
            self._say(
                f"上次运行留下的消息代理（进程 {pid}）先行停止",
                f"a broker left by an earlier run (process {pid}) is stopped first",
            )
            stop_orphan(pid)

    def _wait_ready(self) -> None:
        username, password = next(iter(self._passwords.items()))
        deadline = time.monotonic() + _READY_SECONDS
        while connect_code(LOOPBACK, self.port, username, password) != ACCEPTED:
            if not self.running() or time.monotonic() > deadline:
                self.stop()
                said = last_line(self.log)
                raise UserError(f"消息代理无法启动：{said}（日志：{self.log}）", f"mosquitto does not start: {said} (its log: {self.log})")
            time.sleep(0.02)
