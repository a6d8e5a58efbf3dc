"""Which broker serves this machine: mosquitto wherever one can be had, else rumqttd with its limits said aloud."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from core.errors import UserError
from deploy.embedded.account import Say, silence
from deploy.embedded.device_door import DeviceDoor
from deploy.embedded.mosquitto import MosquittoServer
from deploy.embedded.mosquitto_program import obtain
from deploy.embedded.rumqttd import RumqttdServer


class BrokerServer(Protocol):
    """What ``up`` needs of a broker."""

    @property
    def access_control(self) -> bool:
        """Whether an account is kept to its own topics."""
        ...

    @property
    def port(self) -> int:
        """Where the stations connect (MQTT 5)."""
        ...

    @property
    def pid(self) -> int | None: ...
    @property
    def log(self) -> Path: ...
    def running(self) -> bool: ...
    def clear_the_way(self) -> None:
        """End a broker that an earlier, killed run left behind."""
        ...

    def start(self, port: int) -> None: ...
    def set_device_accounts(self, hashes: Mapping[str, str]) -> None:
        """Replace the device and hub accounts: account -> password hash."""
        ...

    def stop(self) -> None: ...


def choose_broker(
    folder: Path, accounts: Mapping[str, str], say: Say = silence, *, line_commands: bool = True, door: DeviceDoor | None = None
) -> BrokerServer:
    """The broker for a data folder; ``accounts`` maps the stations' names to their passwords.

    ``line_commands`` False is an exercise: an access list that lets no command of the line through. ``door`` asks for a TLS listener;
    raises UserError where the broker can have none.
    """
    found = obtain(say=say)
    if found is not None:
        server = MosquittoServer(folder / "mosquitto", found, accounts, say=say)
        server.line_commands = line_commands
        server.door = door
        return server
    if door is not None:
        raise UserError(
            "本机没有 mosquitto，内置 rumqttd 不能验证设备证书：请安装 mosquitto 2，或去掉 --mqtt-tls-port",
            "there is no mosquitto on this machine, and the embedded rumqttd knows no client certificates: install mosquitto 2, or "
            "leave --mqtt-tls-port out",
        )
    say(
        "本机没有 mosquitto，也无法解出：改用内置 rumqttd。它没有访问控制（任何账号都能冒充任何设备），重启后会话丢失，"
        "因此模拟小区以外不允许开阀，设备账号也不可用。正式使用请安装 mosquitto 2（apt install mosquitto）",
        "no mosquitto on this machine and none could be unpacked: the embedded rumqttd stands in. It has no access control (any "
        "account can pose as any device) and loses its sessions at a restart, so that no valve is opened outside the simulation "
        "and there are no device accounts. For real use install mosquitto 2 (apt install mosquitto)",
    )
    return RumqttdServer(folder / "rumqttd", accounts)
