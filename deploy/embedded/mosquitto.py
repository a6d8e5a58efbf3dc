"""mosquitto as a child of this process, on the loopback, with our configuration.

Decides: its folder, its account, start, readiness, reload and stop. The rights of each account stand in ``mosquitto_files``, what
the TLS listener shows in ``device_door``.
"""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from core.registry.credentials import password_hash
from deploy.embedded.account import Say, as_account, home_for, own, programs_for, service_account, silence
from deploy.embedded.device_door import DOOR_FILES, DeviceDoor
from deploy.embedded.mosquitto_files import access, configuration, password_lines
from deploy.embedded.mosquitto_program import Mosquitto
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import LOOPBACK, alive, command_line, dies_with_parent, last_line, stop_child, stop_orphan

_READY_SECONDS = 15.0
_RELOAD_SECONDS = 20.0
_SIGNAL_AGAIN_SECONDS = 3.0
_WITNESS = "_reload"
"""An account of no rights whose password is new in every password file: whom it lets in with that has read the file."""
_DOOR_LOOK_SECONDS = 1.0


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
        self._devices: dict[str, str] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()
        self._watch: threading.Thread | None = None
        self._watch_over = threading.Event()
        self.port = 0
        self.line_commands = True
        self.door: DeviceDoor | None = None

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
        door = self.door
        tls = None if door is None else (door.host, door.port)
        self._write("mosquitto.conf", configuration(self.folder, port, user, tls, saved_bytes=self._saved_bytes()), 0o600)
        self._write("access", access(line_commands=self.line_commands), 0o600)
        with self._changing:
            self._devices = self._devices or self._devices_of_last_time()
            self._write_passwords()
            if door is not None:
                self._furnish(door)
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
        if self.door is not None and self._watch is None:
            self._watch_over.clear()
            self._watch = threading.Thread(target=self._watch_door, args=(self.door,), name="device-door", daemon=True)
            self._watch.start()

    def set_device_accounts(self, hashes: Mapping[str, str]) -> None:
        """Replace the device and hub accounts (account -> ``$7$`` hash); the broker has read them when this returns.

        Whoever is connected with an unchanged password stays connected. Raises UserError when the broker does not read them.
        """
        with self._changing:
            self._devices = dict(hashes)
            self._reload()

    def renew_door(self) -> list[str]:
        """Carry what changed at the authority to the broker; returns the accounts that were shown out.

        A revoked certificate is refused from then on, and a connection that was made with it is ended. Raises UserError when the
        authority's files cannot be read, or the broker does not read its own.
        """
        if self.door is None:
            return []
        with self._changing:
            files, accounts = self.door.news()
            for name, content in files.items():
                self._write(name, content, 0o600)
            if files and self.running():
                self._show_out(accounts)
            self.door.delivered()
        return accounts

    def stop(self) -> None:
        """Stop the broker; it saves its sessions."""
        self._watch_over.set()
        if self._watch is not None:
            self._watch.join(_RELOAD_SECONDS)
            self._watch = None
        if self._child is not None:
            stop_child(self._child)
            self._child = None

    def _furnish(self, door: DeviceDoor) -> None:
        """Lay the door's files out. A broker that has some from earlier comes up with those: devices must not be kept out by a disk."""
        try:
            for name, content in door.files().items():
                self._write(name, content, 0o600)
        except (UserError, OSError) as error:
            if not all((self.folder / name).exists() for name in DOOR_FILES):
                raise
            door.warn(
                f"证书文件未能更新，沿用消息代理已有的：{error}",
                f"the broker goes on with the certificate files that it has: {error}",
            )

    def _saved_bytes(self) -> int:
        try:
            return (self.folder / "mosquitto.db").stat().st_size
        except OSError:
            return 0

    def _devices_of_last_time(self) -> dict[str, str]:
        """The stations' hashes are made at each start; the devices' stay as they were until the database is heard."""
        try:
            lines = (self.folder / "passwords").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = (line.split(":", 1) for line in lines if ":" in line)
        return {account: hashed for account, hashed in found if account not in self._stations}

    def _write_passwords(self, passing: Mapping[str, str] | None = None) -> str:
        """Returns the witness's password in this file."""
        secret = secrets.token_hex(24)
        stations = {**self._stations, _WITNESS: password_hash(secret)}
        self._write("passwords", password_lines(stations, {**self._devices, **(passing or {})}), 0o600)
        return secret

    def _reload(self, passing: Mapping[str, str] | None = None) -> None:
        """Write the passwords and wait until the broker has read all its files. Raises UserError when it does not.

        It forgets a signal that comes while it still reads for the one before, so it is told again until its witness is let in.
        """
        secret = self._write_passwords(passing)
        deadline, due = time.monotonic() + _RELOAD_SECONDS, 0.0
        while self._child is not None and self.running():
            now = time.monotonic()
            if now > deadline:
                raise UserError("消息代理没有读入新的账号文件", "the broker did not read its new files of accounts")
            if now >= due:
                due = now + _SIGNAL_AGAIN_SECONDS
                self._child.send_signal(signal.SIGHUP)
            if connect_code(LOOPBACK, self.port, _WITNESS, secret) == ACCEPTED:
                return
            time.sleep(0.01)

    def _show_out(self, accounts: list[str]) -> None:
        """Have the broker read its files, and end the connections of these accounts.

        The broker judges a certificate at the handshake alone. So the account's session is taken over once, on the loopback, by a
        password that only this moment knows: that ends the connection, and leaves what waits in the session where it is.
        """
        secret = secrets.token_hex(24)
        hashed = password_hash(secret)
        try:
            self._reload(dict.fromkeys(accounts, hashed))
            for account in accounts:
                deadline = time.monotonic() + _RELOAD_SECONDS
                while connect_code(LOOPBACK, self.port, account, secret, session=account) != ACCEPTED:
                    if not self.running():
                        return  # its next start reads the list
                    if time.monotonic() > deadline:
                        raise UserError(f"消息代理没有断开 {account}", f"the broker did not end the connection of {account}")
                    time.sleep(0.01)
        finally:
            if accounts:
                self._reload()

    def _watch_door(self, door: DeviceDoor) -> None:
        while not self._watch_over.wait(_DOOR_LOOK_SECONDS):
            try:
                for account in self.renew_door():
                    door.warn(f"{account} 的证书已吊销，连接已断开", f"the certificate of {account} is revoked, its connection ended")
            except UserError as error:
                door.warn(error.zh, error.en)
            except OSError as error:
                door.warn(f"证书文件未能交给消息代理：{error}", f"the certificate files did not reach the broker: {error}")

    def _write(self, name: str, content: str | bytes, mode: int) -> None:
        """Replace a file of the broker's in one step: a reload never reads half of it, and a full disk stops no restart."""
        path = self.folder / name
        wanted = content.encode() if isinstance(content, str) else content
        if path.exists() and path.read_bytes() == wanted:
            return
        fresh = path.with_name(f"{name}.new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(wanted)
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
