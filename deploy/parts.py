"""What the platform consists of on one machine: which process gets which environment. Knows names and ports, starts nothing."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import UserError
from core.ids import CANARY_DETECTOR, CANARY_METER
from deploy.data_folder import DataFolder
from deploy.embedded.broker import BrokerServer
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.processes import LOOPBACK, free_port, last_line
from deploy.station import Station
from deploy.terminal import Language


@dataclass(frozen=True, slots=True)
class Process:
    """One station: its name in pids and logs, its module, and its account at the broker (None = it does not speak MQTT)."""

    name: str
    command: tuple[str, ...]
    account: str | None = None
    steps_back: int = 0
    """Nice value: a station that people can wait for leaves the processor to those that a leak waits for."""


def module(name: str) -> tuple[str, ...]:
    """The command that runs a module of ours."""
    return (sys.executable, "-m", name)


LINE, VOICE, DISPATCH, CONSOLE = "line", "voice", "dispatch", "console"

STATIONS: tuple[Process, ...] = (
    Process(LINE, module("gateway"), "line"),
    Process(VOICE, module("dispatch.voice")),
    Process(DISPATCH, module("dispatch"), "dispatch"),
    Process(CONSOLE, module("console"), steps_back=5),
)
"""In the order of their start: the line first, so that it listens before anybody shows it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one platform listens, all on the loopback. The observe ports carry /metrics and /health."""

    mqtt: int
    http: int
    sim_sip: int
    observe: Mapping[str, int]

    def health_urls(self) -> dict[str, str]:
        """Health endpoint by station."""
        return {CONSOLE: f"http://{LOOPBACK}:{self.http}/health"} | {
            name: f"http://{LOOPBACK}:{port}/health" for name, port in self.observe.items()
        }

    def metrics_urls(self) -> dict[str, str]:
        """Metrics endpoint by station."""
        return {name: f"{url.removesuffix('/health')}/metrics" for name, url in self.health_urls().items()}


def choose_ports(mqtt: int, http: int, sim_sip: int) -> Ports:
    """Ports for a start: three as given, the others free ones."""
    return Ports(mqtt, http, sim_sip, {name: free_port() for name in (LINE, VOICE, DISPATCH)})


def stations(
    processes: tuple[Process, ...],
    ports: Ports,
    folder: DataFolder,
    dsn: str,
    passwords: Mapping[str, str],
    *,
    language: Language,
    clock_rate: float,
    clock_epoch_ms: int,
    access_control: bool,
    settings: Mapping[str, str] | None = None,
    console: Mapping[str, str] | None = None,
) -> list[Station]:
    """The children of a platform, ready to be started. ``settings`` are further variables for all of them, ``console`` for the
    console alone (its secrets are nobody else's); those of the surrounding environment reach them too.
    """
    health = ports.health_urls()
    common = {
        "GAS_SENTINEL_MQTT_HOST": LOOPBACK,
        "GAS_SENTINEL_MQTT_PORT": str(ports.mqtt),
        "GAS_SENTINEL_POSTGRES_DSN": dsn,
        "GAS_SENTINEL_LANGUAGE": language,
        "GAS_SENTINEL_CLOCK_RATE": f"{clock_rate:g}",
        "GAS_SENTINEL_CLOCK_EPOCH_MS": str(clock_epoch_ms),
        "GAS_SENTINEL_BROKER_ACCESS_CONTROL": "true" if access_control else "false",
        "GAS_SENTINEL_VOICE_SOCKET": str(folder.voice_socket()),
        "GAS_SENTINEL_SIM_SIP_PROXY": f"{LOOPBACK}:{ports.sim_sip}",
        "GAS_SENTINEL_HTTP_HOST": LOOPBACK,
        "GAS_SENTINEL_HTTP_PORT": str(ports.http),
        "GAS_SENTINEL_LINE_HEALTH_URL": health[LINE],
        "GAS_SENTINEL_DISPATCH_HEALTH_URL": health[DISPATCH],
        "GAS_SENTINEL_VOICE_HEALTH_URL": health[VOICE],
        "GAS_SENTINEL_DATA_DIR": str(folder.path),
        "GAS_SENTINEL_RECORDINGS_DIR": str(folder.recordings()),
        "PYTHONUNBUFFERED": "1",
    }
    made = []
    for process in processes:
        environment = {**common, **(settings or {})}
        if process.account is not None:
            environment["GAS_SENTINEL_MQTT_USERNAME"] = process.account
            environment["GAS_SENTINEL_MQTT_PASSWORD"] = passwords[process.account]
        if process.name in (LINE, DISPATCH):
            environment["GAS_SENTINEL_STATE_DIR"] = str(folder.state(process.name))
        if process.name == LINE:
            for account in (CANARY_DETECTOR, CANARY_METER):
                variable = account.upper().replace("-", "_")
                # A scenario may break it: its own setting goes first.
                environment.setdefault(f"GAS_SENTINEL_{variable}_PASSWORD", passwords[account])
        if process.name == CONSOLE:
            environment |= console or {}
        if process.name in ports.observe:
            environment["GAS_SENTINEL_OBSERVE_PORT"] = str(ports.observe[process.name])
        log = folder.logs / f"{process.name}.log"
        health_url = health.get(process.name)
        made.append(Station(process.name, process.command, environment, log, health_url=health_url, steps_back=process.steps_back))
    return made


class PostgresPart:
    """The database among the supervised parts; it comes back on the port that the others know."""

    name = "postgres"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        return self._server.pid

    def running(self) -> bool:
        """Whether it lives."""
        return self._server.running()

    def start(self) -> None:
        """Start it, on its former port if it had one."""
        self._server.start(self._server.port)

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()

    def health(self) -> str | None:
        """pg_ctl waits until it accepts connections; alive is well."""
        return None if self.running() else "not running"

    def last_words(self) -> str:
        """The last line of its log."""
        return last_line(self._server.log)


class BrokerPart:
    """The broker among the supervised parts."""

    name = "broker"

    def __init__(self, server: BrokerServer, port: int) -> None:
        self._server = server
        self._port = port

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._server.pid

    def running(self) -> bool:
        """Whether it lives."""
        return self._server.running()

    def start(self) -> None:
        """Start it on its port."""
        self._server.start(self._port)

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()

    def health(self) -> str | None:
        """Its start waits until it lets a station in; alive is well."""
        return None if self.running() else "not running"

    def last_words(self) -> str:
        """The last line of its log."""
        return last_line(self._server.log)


def check_rate(clock_rate: float) -> None:
    """Refuse a clock that stands still or runs backwards."""
    if not 0 < clock_rate <= 10_000:
        raise UserError("--clock-rate 须大于 0 且不超过 10000", "--clock-rate must be above 0 and at most 10000")
