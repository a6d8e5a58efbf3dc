"""rumqttd from the ``iotcore`` wheel: the broker of last resort, for the simulated district alone.

It has no access control (a spoofed valve command arrives), keeps no session over a restart, and speaks MQTT 5 and 3.1.1 on two
different ports. It refuses strangers by password, and is bound to the loopback.
"""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import (
    LOOPBACK,
    alive,
    command_line,
    dies_with_parent,
    free_port,
    last_line,
    stop_child,
    stop_orphan,
)

_READY_SECONDS = 15.0
_HEAD = """\
id = 0

[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""
_LISTENER = """
[{kind}.1]
name = "{kind}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[{kind}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 2097152
max_inflight_count = 1000
dynamic_filters = true

[{kind}.1.connections.auth]
"""


class RumqttdServer:
    """One rumqttd. ``accounts`` maps the stations' names to their passwords; device accounts are not kept."""

    access_control = False

    def __init__(self, folder: Path, accounts: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.absolute()
        self.log = self.folder / "rumqttd.log"
        self._passwords = dict(accounts)
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.port_311 = 0

    @property
    def pid(self) -> int | None:
        """The broker's process id; None when it is not running."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def running(self) -> bool:
        """Whether the broker lives."""
        return self.pid is not None

    def clear_the_way(self) -> None:
        """End a broker that a killed run left behind."""
        try:
            pid = int((self.folder / "rumqttd.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        if alive(pid) and str(self.folder / "rumqttd.toml") in command_line(pid):
            stop_orphan(pid)

    def start(self, port: int) -> None:
        """Start on ``port`` (MQTT 5) and on a free one for 3.1.1 (``port_311``). Raises UserError when it does not come up."""
        self.clear_the_way()
        self.port, self.port_311 = port, free_port()
        auth = "".join(f'"{account}" = "{password}"\n' for account, password in self._passwords.items())
        text = _HEAD + "".join(
            _LISTENER.format(kind=kind, port=listening) + auth for kind, listening in (("v5", self.port), ("v4", self.port_311))
        )
        configuration = self.folder / "rumqttd.toml"
        configuration.touch(mode=0o600)
        configuration.write_text(text, encoding="utf-8")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                # rumqttd reports every packet as an error record; only its end is news.
                [sys.executable, "-m", "iotcore", "--config", str(configuration), "--log-level", "CRITICAL"],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
        (self.folder / "rumqttd.pid").write_text(str(self._child.pid), encoding="ascii")
        self._wait_ready()

    def set_device_accounts(self, hashes: Mapping[str, str]) -> None:
        """Nothing: rumqttd reads its accounts once, and knows no hashes."""

    def stop(self) -> None:
        """Stop the broker; its sessions are lost."""
        if self._child is not None:
            stop_child(self._child, signal.SIGTERM, 2.0)
            self._child = None

    def _wait_ready(self) -> None:
        username, password = next(iter(self._passwords.items()))
        deadline = time.monotonic() + _READY_SECONDS
        while connect_code(LOOPBACK, self.port_311, username, password) != ACCEPTED or not _listens(self.port):
            if not self.running() or time.monotonic() > deadline:
                self.stop()
                said = last_line(self.log)
                raise UserError(f"内置消息代理无法启动：{said}", f"the embedded broker does not start: {said}")
            time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1.0).close()
    except OSError:
        return False
    return True
