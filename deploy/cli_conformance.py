"""``gas-sentinel conformance``: one device against the contract, at a broker of its own or at a given one.

Gathers the options, starts the broker and asks the person; what is tried and judged is in ``gateway.conformance``.
"""

import asyncio
import secrets
import shutil
import signal
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from core.errors import LinkError, UserError
from core.ids import is_account, is_reserved
from deploy.report_file import check_file, write_file
from deploy.terminal import Language, Terminal, result, spoken_language

if TYPE_CHECKING:
    from gateway.conformance.bench import Act
    from gateway.conformance.report import Report

_INTERACTIVE_S: Final = 600.0
_PLATFORM: Final = "line"

_ASKED: Final[dict[str, tuple[str, str]]] = {
    "connect": ("请让设备连接", "let the device connect"),
    "alarm": (
        "请让设备报警（检测器：标准气；燃气表：倾斜、磁扰）",
        "make the device raise an alarm (detector: test gas; meter: tilt it, or a magnet)",
    ),
    "hands_off": ("接下来请勿按表上的键", "from here on leave the meter's key alone"),
    "key": ("请在 60 秒内按表上的键，确认开阀", "press the meter's key within 60 s, to confirm an open"),
    "reboot": ("请让设备断电重启", "take the device's power away and give it back"),
}
_ALWAYS: Final = frozenset({"connect", "alarm", "hands_off"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A broker, and the platform's account there."""

    host: str
    port: int
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class _AtTheDevice:
    """The person at the device, asked through the terminal. Without ``interactive`` nobody is expected to press or to unplug."""

    terminal: Terminal
    interactive: bool

    def can(self, act: "Act") -> bool:
        return self.interactive or act in _ALWAYS

    def ask(self, act: "Act") -> None:
        self.terminal.say(*_ASKED[act])


def conformance(
    account: Annotated[str, typer.Option(help="Account of the device, or of its hub. · 设备或其集中器的账号。")],
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="The device behind a hub. · 集中器下的设备号。", show_default=False)
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A broker that is there already. · 使用已有的消息代理。", show_default=False),
    ] = None,
    username: Annotated[str, typer.Option(help="The platform's account at that broker. · 平台在该代理上的账号。")] = _PLATFORM,
    password: Annotated[
        str, typer.Option(help="Its password. · 该账号的口令。", envvar="GAS_SENTINEL_MQTT_PASSWORD", show_default=False)
    ] = "",
    tls: Annotated[
        Path | None,
        typer.Option(metavar="CA", help="Encrypt to that broker; its authority, PEM. · 加密连接，CA 证书。", show_default=False),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where the device finds the broker of our own; unencrypted. · 自带代理的监听地址，未加密。"),
    ] = "127.0.0.1:0",
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Somebody stands at the device and does what is asked. · 设备旁有人按提示操作。")
    ] = False,
    json_out: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the report as JSON. · 报告另存为 JSON。", show_default=False)
    ] = None,
    language: Annotated[
        Language | None, typer.Option(help="Language of the report; default from LANG. · 报告语言。", show_default=False)
    ] = None,
) -> None:
    """Play the platform against one device and say point by point what it gets right and wrong. · 逐条检验设备是否符合协议。

    Exit status 1 when a point is broken, or the device did not come. Without --mqtt it starts a broker of its own, prints its
    address and the device's password, and sees connections too. A valve will be closed.
    """
    from core import log

    spoken = language or spoken_language()
    terminal = Terminal(spoken)
    log.configure("conformance", "error")
    for name in (account, device or account):
        if not is_account(name) or is_reserved(name):
            raise UserError(f"{name} 不能用作设备号或账号", f"{name} cannot be the id of a device or account")
    if json_out is not None:
        check_file(json_out)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if mqtt is None:
            with _own_broker(account, terminal) as (place, secret):
                found = asyncio.run(_examine(account, device, place, None, _address(listen, "--listen"), secret, terminal, interactive))
        else:
            place = _Place(*_address(mqtt, "--mqtt"), username, password)
            found = asyncio.run(_examine(account, device, place, _context(tls), None, None, terminal, interactive))
    finally:
        signal.signal(signal.SIGTERM, before)
    result(found.render(spoken))
    if json_out is not None:
        write_file(json_out, found.to_json() + "\n")
    raise typer.Exit(0 if found.ok else 1)


async def _examine(
    account: str,
    device: str | None,
    place: _Place,
    tls: ssl.SSLContext | None,
    listen: tuple[str, int] | None,
    secret: str | None,
    terminal: Terminal,
    interactive: bool,
) -> "Report":
    from gateway.conformance.bench import Bench, Rhythm
    from gateway.conformance.examine import examine
    from gateway.conformance.wire import Wire

    rhythm = replace(Rhythm(), act_s=_INTERACTIVE_S, connect_s=_INTERACTIVE_S) if interactive else Rhythm()
    wire = None
    if listen is not None:
        wire = Wire(place.host, place.port)
        try:
            await wire.start(*listen)
        except OSError as error:
            raise UserError(f"无法监听 {listen[0]}：{error.strerror}", f"cannot listen on {listen[0]}: {error.strerror}") from None
        terminal.say(
            f"消息代理 {listen[0]}:{wire.port}，账号 {account}，口令 {secret}",
            f"broker {listen[0]}:{wire.port}, account {account}, password {secret}",
        )
    try:
        bench = Bench(account, device or account, _AtTheDevice(terminal, interactive), rhythm, wire)
        return await examine(bench, place.host, place.port, place.username, place.password, tls)
    except LinkError as error:
        raise UserError(f"连接不上消息代理：{error}", f"the broker does not let us in: {error}") from None
    finally:
        if wire is not None:
            await wire.stop()


@contextmanager
def _own_broker(account: str, terminal: Terminal) -> Iterator[tuple[_Place, str]]:
    """A mosquitto with one device account, gone afterwards; gives where it is and the device's password. Main thread only."""
    from core.registry.credentials import password_hash
    from deploy.embedded.mosquitto import MosquittoServer
    from deploy.embedded.mosquitto_program import obtain
    from deploy.embedded.processes import LOOPBACK, free_port

    found = obtain(say=terminal.say)
    if found is None:
        raise UserError(
            "本机没有 mosquitto，也无法解出；请安装（apt install mosquitto）或用 --mqtt 指定",
            "no mosquitto on this machine and none could be unpacked; install it (apt install mosquitto) or name one with --mqtt",
        )
    folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-"))
    # The broker may run under another account, which has to get through here.
    folder.chmod(0o755)
    ours, devices = secrets.token_hex(12), secrets.token_hex(12)
    server = MosquittoServer(folder / "mosquitto", found, {_PLATFORM: ours}, say=terminal.say)
    try:
        server.set_device_accounts({account: password_hash(devices)})
        server.start(free_port())
        yield _Place(LOOPBACK, server.port, _PLATFORM, ours), devices
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise UserError(f"{option} 应为 主机:端口，而不是 {text}", f"{option} wants HOST:PORT, not {text}")
    return host, int(port)


def _context(authority: Path | None) -> ssl.SSLContext | None:
    if authority is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(authority))
    except OSError as error:
        raise UserError(
            f"{authority} 不是可用的 CA 证书（{error}）", f"{authority} is no usable certificate of an authority ({error})"
        ) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
