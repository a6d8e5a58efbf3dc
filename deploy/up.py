"""Starts the whole platform on this machine, keeps it running, and stops it in reverse order.

Decides the order: data folder, PostgreSQL, migrations, registry, broker, stations. Whatever fails half way, what was started is
stopped again. Knows nothing of gas.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from core.errors import UserError
from deploy.access import WebTls, new_doors, tls_settings
from deploy.data_folder import DataFolder
from deploy.embedded.broker import choose_broker
from deploy.embedded.broker_accounts import BrokerAccounts
from deploy.embedded.device_door import DeviceDoor
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.processes import LOOPBACK, claim_port, free_udp_port
from deploy.migrate import migrate
from deploy.parts import STATIONS, BrokerPart, Ports, PostgresPart, Process, check_rate, choose_ports, stations
from deploy.station import Station
from deploy.supervisor import Stopped, StopRequest, Supervisor
from deploy.terminal import Language, Terminal, result

if TYPE_CHECKING:
    from core.registry.model import ImportReport

_READY_SECONDS = 180.0
"""For a crowded machine, where what steps back for the others has a small share of it."""
_PORT_PATIENCE_SECONDS = 5.0
_CREWS_SEED = 1
DENY_COMMANDS = "GAS_SENTINEL_EXERCISE_DENY_COMMANDS"
"""Exercise of a platform started for a scenario: a broker whose access list stops the line's commands."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The listener for devices with certificates: the authority behind it, where it listens, and names that devices know it by."""

    authority: Path
    port: int = 0
    host: str = LOOPBACK
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the person asked for. Port 0 = a free one."""

    data: Path
    homes: Path | None = None
    crews: Path | None = None
    http_port: int = 8080
    mqtt_port: int = 1883
    clock_rate: float = 1.0
    language: Language = "zh"
    processes: tuple[Process, ...] = STATIONS
    seed_homes: int = 0
    """Simulated homes to make when the registry is still empty."""
    seed: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of the stations."""
    tls: TlsOptions | None = None
    """None: no TLS listener."""
    web_tls: WebTls | None = None
    """None: the pages are served without TLS, at this machine alone."""
    demo: bool = False
    """A demonstration: a link that anybody at this machine can sign in with."""
    console: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of the console alone."""


class Platform:
    """One running platform. ``line`` is what ``up`` prints once it is ready."""

    def __init__(self, options: UpOptions, terminal: Terminal, stop: StopRequest) -> None:
        self._options = options
        self._terminal = terminal
        self._stop = stop
        self._supervisor = Supervisor(stop, terminal.warn)
        self._folder = DataFolder(options.data)
        self._accounts: BrokerAccounts | None = None
        self.dsn = ""
        self.line: dict[str, Any] = {}

    def start(self) -> None:
        """Start everything and return when all of it is healthy. Raises UserError, or Stopped; call :meth:`stop` in any case."""
        options, say = self._options, self._terminal.say
        check_rate(options.clock_rate)
        if options.web_tls is not None:
            options.web_tls.check()
        for file in (options.homes, options.crews):
            if file is not None and not file.is_file():
                raise UserError(f"文件 {file} 不存在：请检查路径", f"there is no file {file}: check the path")
        self._folder.take()
        killed_before = self._folder.platform_file.exists()
        passwords = self._folder.station_passwords()
        tls = options.tls
        door = None if tls is None else DeviceDoor(tls.authority, tls.port, tls.host, tls.names, warn=self._terminal.warn)
        broker = choose_broker(self._folder.path, passwords, say, line_commands=options.settings.get(DENY_COMMANDS) != "true", door=door)
        broker.clear_the_way()
        # Looked at before the work begins: a busy port is said in the first second, not after an import.
        ports = self._claim_ports(killed_before)
        if door is not None:
            door.port = claim_port(door.port, "--mqtt-tls-port", ("消息代理 TLS", "broker, TLS"), door.host)
        web_tls = options.web_tls
        if web_tls is not None:
            web_tls = replace(web_tls, port=claim_port(web_tls.port, "--https-port", ("网页 TLS", "pages, TLS"), web_tls.host))
        self._start_postgres()
        self._check_stop()
        self._fill_registry()
        self._check_stop()
        say("启动消息代理…", "starting the broker ...")
        self._supervisor.start(BrokerPart(broker, ports.mqtt))
        self._folder.show_log("broker", broker.log)
        self._accounts = BrokerAccounts(lambda: self.dsn, broker.set_device_accounts, self._terminal.warn)
        self._accounts.start()
        doors = new_doors(self.dsn, demo=options.demo)
        epoch_ms = time.time_ns() // 1_000_000
        say("启动接警线、语音、调度和接口…", "starting the line, the voice worker, dispatch and the API ...")
        for station in stations(
            options.processes,
            ports,
            self._folder,
            self.dsn,
            passwords,
            language=options.language,
            clock_rate=options.clock_rate,
            clock_epoch_ms=epoch_ms,
            access_control=broker.access_control,
            settings=options.settings,
            console={**doors.settings(), **tls_settings(web_tls), **options.console},
        ):
            self._supervisor.start(station)
        self._supervisor.wait_ready(_READY_SECONDS)
        self.line = {
            "mqtt": {"host": LOOPBACK, "port": ports.mqtt, "username": "fleet", "password": passwords["fleet"]},
            "postgres": self.dsn,
            "http": f"http://{LOOPBACK}:{ports.http}",
            "api_token": doors.api_token,
            **doors.links(f"http://{LOOPBACK}:{ports.http}"),
            "pids": {"up": os.getpid(), **self._supervisor.pids()},
            "sim_sip": f"{LOOPBACK}:{ports.sim_sip}",
            "metrics": ports.metrics_urls(),
            "health": ports.health_urls(),
            "clock_rate": options.clock_rate,
            "clock_epoch_ms": epoch_ms,
            "language": options.language,
            "broker_access_control": broker.access_control,
            "data": str(self._folder.path),
        }
        if web_tls is not None:
            self.line["https"] = {"host": web_tls.host, "port": web_tls.port}
        if door is not None:
            self.line["tls"] = {"host": door.host, "port": door.port, "ca": str(door.authority.certificate_file)}
        self._folder.write_platform(json.dumps(self.line))

    @property
    def began(self) -> bool:
        """Whether any part was started: else there is nothing to stop, nor to say of it."""
        return bool(self._supervisor.pids())

    @property
    def platform_file(self) -> Path:
        """Where the line is kept while the platform runs."""
        return self._folder.platform_file

    @property
    def logs(self) -> Path:
        """Where the processes' logs are."""
        return self._folder.logs

    def add(self, station: Station) -> None:
        """Keep one more process running beside the platform's own."""
        self._supervisor.start(station)

    def run(self, each_tick: Callable[[], None] | None = None) -> None:
        """Watch over everything until asked to stop; ``each_tick`` is called several times a second."""
        self._supervisor.run(each_tick)

    def watch(self) -> None:
        """One look at everything."""
        self._supervisor.watch()

    def pid(self, name: str) -> int | None:
        """The process id of a part now; None while it is not running."""
        return self._supervisor.pid(name)

    def deaths(self) -> dict[str, int]:
        """How often each part died so far."""
        return self._supervisor.deaths()

    def stop(self) -> None:
        """Stop everything in reverse order. Safe after a start that failed."""
        if self._accounts is not None:
            self._accounts.stop()
        self._supervisor.stop()
        self._folder.release()

    def _check_stop(self) -> None:
        if self._stop.asked():
            raise Stopped

    def _claim_ports(self, killed_before: bool) -> Ports:
        options = self._options
        # What a killed run leaves behind is going down on its own, and holds its ports for a moment.
        deadline = time.monotonic() + (_PORT_PATIENCE_SECONDS if killed_before else 0.0)
        while True:
            try:
                return choose_ports(
                    claim_port(options.mqtt_port, "--mqtt-port", ("消息代理", "broker")),
                    claim_port(options.http_port, "--http-port", ("接口与网页", "API and pages")),
                    free_udp_port(),
                )
            except UserError:
                if time.monotonic() > deadline:
                    raise
                if self._stop.wait(0.2):
                    raise Stopped from None

    def _start_postgres(self) -> None:
        say = self._terminal.say
        say("启动数据库…", "starting PostgreSQL ...")
        server = PostgresServer(self._folder.path / "postgres", say=say)
        self._supervisor.start(PostgresPart(server))
        self._folder.show_log("postgres", server.log)
        self.dsn = server.dsn()
        self._check_stop()
        say("升级数据库结构…", "bringing the database schema up to date ...")
        migrate(self.dsn)

    def _fill_registry(self) -> None:
        say = self._terminal.say
        if self._options.homes is not None:
            say(f"导入住户 {self._options.homes} …", f"importing homes from {self._options.homes} ...")
            import_homes_file(self.dsn, self._options.homes)
        if self._options.crews is not None:
            say(f"导入抢修队 {self._options.crews} …", f"importing crews from {self._options.crews} ...")
            import_crews_file(self.dsn, self._options.crews)
        if self._options.seed_homes and registry_is_empty(self.dsn):
            count = self._options.seed_homes
            say(f"生成 {count} 户模拟住户…", f"making {count} simulated homes ...")
            self._seed_city(count)
        homes = simulated_homes_without_crew(self.dsn)
        if homes:
            say("为模拟住户生成模拟抢修队…", "making simulated crews for the simulated homes ...")
            seed_simulated_crews(self.dsn, homes)

    def _seed_city(self, count: int) -> None:
        from simulator.city import write_city

        homes, crews = self._folder.path / "city-homes.csv", self._folder.path / "city-crews.csv"
        write_city(count, self._options.seed, homes, crews)
        import_homes_file(self.dsn, homes)
        import_crews_file(self.dsn, crews)


def registry_is_empty(dsn: str) -> bool:
    """Whether no home was ever imported."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute("SELECT FROM homes LIMIT 1").fetchone() is None


def import_homes_file(dsn: str, path: Path, *, retire_missing: bool = False, credentials_out: Path | None = None) -> "ImportReport":
    """Import a registry file of homes. Raises RegistryError for bad rows, UserError where files or the database fail."""
    from core.registry.homes import import_homes

    try:
        return import_homes(dsn, path, retire_missing=retire_missing, credentials_out=credentials_out)
    except OSError as error:
        raise _unreadable(error, path) from None
    except psycopg.Error as error:
        raise _database_away(error) from None


def import_crews_file(dsn: str, path: Path) -> "ImportReport":
    """Import a registry file of crews. Raises RegistryError for bad rows, UserError where the file or the database fails."""
    from core.registry.crews import import_crews

    try:
        return import_crews(dsn, path)
    except OSError as error:
        raise _unreadable(error, path) from None
    except psycopg.Error as error:
        raise _database_away(error) from None


def simulated_homes_without_crew(dsn: str) -> int:
    """How many simulated homes there are, when no simulated crew could serve them; else 0."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM homes WHERE simulated AND retired_at IS NULL)"
            " WHERE NOT EXISTS (SELECT FROM crews WHERE simulated AND retired_at IS NULL)"
        ).fetchone()
    return int(row[0]) if row else 0


def seed_simulated_crews(dsn: str, homes: int) -> None:
    """Give simulated homes the crews of a city of their number."""
    from simulator.city import crews_csv

    with tempfile.TemporaryDirectory(prefix="gas-sentinel-") as folder:
        path = Path(folder) / "crews.csv"
        path.write_text(crews_csv(homes, _CREWS_SEED), encoding="utf-8")
        import_crews_file(dsn, path)


def run_until_stopped(options: UpOptions, terminal: Terminal) -> int:
    """``gas-sentinel up``: start, print the line, watch, stop; returns the exit status. Raises UserError once all is stopped."""
    stop = StopRequest()
    stop.listen()
    platform = Platform(options, terminal, stop)
    try:
        platform.start()
        terminal.say(
            f"平台已就绪：{platform.line['http']}（Ctrl-C 停止，日志在 {platform.logs}）",
            f"the platform is ready: {platform.line['http']} (Ctrl-C stops it; logs in {platform.logs})",
        )
        say_links(platform.line, terminal)
        result(json.dumps(platform.line))
        platform.run()
    except Stopped:
        pass
    except UserError:
        if not stop.asked():
            raise
    finally:
        began = platform.began
        if began:
            terminal.say("正在停止…", "stopping ...")
        platform.stop()
        if began:
            terminal.say("已全部停止，数据保留。", "everything is stopped; the data is kept.")
        stop.release()
    return 0


def say_links(line: Mapping[str, Any], terminal: Terminal) -> None:
    """Say how a person gets in: the link of the demonstration, else that of the first user while there is none."""
    if "demo_link" in line:
        terminal.say(
            f"演示模式：在本机浏览器打开此链接即登录，无需密码：\n  {line['demo_link']}",
            f"Demonstration: open this link in a browser on this machine and you are signed in, without a password:\n  {line['demo_link']}",
        )
    elif "setup_link" in line:
        terminal.say(
            f"还没有用户。在本机浏览器打开此链接开通首个用户（一次有效）：\n  {line['setup_link']}",
            f"There is no user yet. Open this link in a browser on this machine to make the first one (good once):\n  {line['setup_link']}",
        )
    if "https" in line:
        terminal.say(f"网页 TLS 端口：{line['https']['port']}", f"the pages with TLS are on port {line['https']['port']}")


def _database_away(error: psycopg.Error) -> UserError:
    said = str(error).strip().splitlines()[:1] or ["?"]
    return UserError(f"数据库出错，未导入：{said[0]}", f"the database failed and nothing was imported: {said[0]}")


def _unreadable(error: OSError, path: Path) -> UserError:
    return UserError(
        f"文件 {error.filename or path} 无法读写（{error.strerror}）：请检查路径",
        f"{error.filename or path} cannot be read or written ({error.strerror}): check the path",
    )
