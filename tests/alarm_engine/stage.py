"""The stage of the engine's stories: a small registry, a clock that is advanced, and ports that write down what went through them."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.state import Done, LineState, StationMessage
from core.clock import ManualClock
from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.messages import AckResult, AlarmEvent, Command, DetectorState, ValveCause, ValveState
from core.registry.model import Contact, Device, DeviceKind, Home
from core.station import LeakAgainMessage, OrderMessage, ValveMessage

HOME, OTHER_HOME = "H1", "H2"


@dataclass
class Ports:
    """Both ports of the engine. ``log`` keeps the order in which things happened."""

    clock: ManualClock
    log: list[str] = field(default_factory=list)
    commands: list[tuple[str, Command]] = field(default_factory=list)
    told: list[StationMessage] = field(default_factory=list)
    written: list[Rows] = field(default_factory=list)
    waiting: list[Done] = field(default_factory=list)
    database_up: bool = True
    sent_at: list[float] = field(default_factory=list)

    def command(self, account: str, message: Command) -> None:
        self.log.append(f"command:{message.command}")
        self.commands.append((account, message))
        self.sent_at.append(self.clock.monotonic())

    def station(self, message: StationMessage) -> None:
        self.log.append(f"station:{message.type}")
        self.told.append(message)

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        self.log.append("put")
        self.written.append(rows)
        if done is not None:
            self.waiting.append(done)
        if self.database_up:
            self.commit()

    def commit(self) -> None:
        """Everything that waits becomes durable."""
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


def home(home_id: str, meter_id: str | None, *, alarm_lel: float = 10.0, simulated: bool = True) -> Home:
    return Home(
        home_id=home_id,
        household_no=f"43{home_id}",
        district_code="430102",
        district="芙蓉区",
        subdistrict="文艺路街道",
        community="识字里社区",
        estate="云栖花园",
        building="3",
        unit="2",
        floor="5",
        room="501",
        riser_id=None,
        lon=113.0,
        lat=28.2,
        coord_datum="WGS-84",
        meter_location=None,
        access_note=None,
        language="zh",
        flags=(),
        alarm_lel=alarm_lel,
        meter_id=meter_id,
        simulated=simulated,
        contacts=(Contact(1, "甲", "resident", f"sip:{home_id}@sim.invalid"),),
        retired=False,
        version=1,
    )


def device(
    number: int, device_id: str, kind: DeviceKind, home_id: str | None, *, account: str | None = None, retired: bool = False
) -> Device:
    return Device(number, device_id, kind, home_id, account or device_id, date(2024, 1, 1), retired, 1)


class Stage:
    """An engine over two homes (the second behind a hub), a home without a meter, a retired detector and a spare one."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ports = Ports(self.clock)
        self.state = LineState(self.clock, LineSettings(), down=self.ports, keeper=self.ports)
        self.state.registry.apply(
            [home(HOME, "M1"), home(OTHER_HOME, "M2"), home("H3", None)],
            [
                device(1, "M1", "meter", HOME),
                device(2, "D1", "detector", HOME),
                device(3, "M2", "meter", OTHER_HOME, account="HUB"),
                device(4, "D2", "detector", OTHER_HOME, account="HUB"),
                device(5, "HUB", "hub", None),
                device(6, "D3", "detector", "H3"),
                device(7, "OLD", "detector", HOME, retired=True),
                device(8, "SPARE", "detector", None),
                device(9, "D1B", "detector", HOME),
            ],
            version=1,
        )
        self.engine = Engine(self.state)
        self.acknowledged: list[Item] = []
        self._seq = 0

    # -- devices speak -------------------------------------------------------------------------------------------------------

    def _take(self, item: Item, lane: str) -> None:
        self.engine.take(item, lane, lambda: self.acknowledged.append(item))

    def alarm(
        self,
        device_id: str = "D1",
        event: AlarmEvent | None = "leak",
        *,
        account: str | None = None,
        seq: int | None = None,
        ts: int | None = None,
        boot: int = 1,
        ch4: float | None = 20.0,
        valve: ValveState | None = None,
        cause: ValveCause | None = None,
        retained: bool = False,
    ) -> AlarmItem:
        item = AlarmItem(
            account=account or self.state.registry.devices[device_id].account
            if device_id in self.state.registry.devices
            else account or device_id,
            device_id=device_id,
            ts=self.clock.now_ms() if ts is None else ts,
            boot=boot,
            seq=self._next() if seq is None else seq,
            received_ms=self.clock.now_ms(),
            event=event,
            ch4_lel=ch4,
            valve=valve,
            cause=cause,
            retained=retained,
        )
        self._take(item, "alarm")
        return item

    def again(self, item: AlarmItem) -> None:
        """The device repeats an item, with its ts."""
        self._take(item, "alarm")

    def reading(
        self,
        device_id: str = "D1",
        ch4: float | None = 0.0,
        state: DetectorState | None = "normal",
        *,
        boot: int = 1,
        seq: int | None = None,
    ) -> DetectorReading:
        item = DetectorReading(
            account=self.state.registry.devices[device_id].account,
            device_id=device_id,
            ts=self.clock.now_ms(),
            boot=boot,
            seq=self._next() if seq is None else seq,
            received_ms=self.clock.now_ms(),
            ch4_lel=ch4,
            state=state,
        )
        self._take(item, "telemetry")
        return item

    def meter(
        self,
        valve: ValveState,
        cause: ValveCause | None = None,
        device_id: str = "M1",
        *,
        seq: int | None = None,
        ts: int | None = None,
        boot: int = 1,
        volume: float = 1.0,
        flow: float = 0.0,
        credit: float | None = None,
        retained: bool = False,
    ) -> None:
        self._take(
            MeterReading(
                account=self.state.registry.devices[device_id].account,
                device_id=device_id,
                ts=self.clock.now_ms() if ts is None else ts,
                boot=boot,
                seq=self._next() if seq is None else seq,
                received_ms=self.clock.now_ms(),
                volume_m3=volume,
                flow_m3h=flow,
                valve=valve,
                cause=cause,
                credit_cny=credit,
                retained=retained,
            ),
            "telemetry",
        )

    def ack(
        self,
        result: AckResult,
        valve: ValveState | None = None,
        *,
        command: Command | None = None,
        device_id: str | None = None,
        retained: bool = False,
    ) -> None:
        """The meter answers the newest command, or ``command``."""
        answered = command or [message for _, message in self.ports.commands if not message.reason.startswith("proof")][-1]
        self._take(
            AckItem(
                account=self.state.registry.devices[answered.device_id].account,
                device_id=device_id or answered.device_id,
                ts=self.clock.now_ms(),
                boot=1,
                seq=self._next(),
                received_ms=self.clock.now_ms(),
                command_id=answered.command_id,
                order_no=answered.order_no,
                incident_id=answered.incident_id,
                command=answered.command,
                result=result,
                valve=valve,
                retained=retained,
            ),
            "ack",
        )

    def status(self, device_id: str = "M1", *, online: bool = True, account: str | None = None, **known: Any) -> None:
        now = self.clock.now_ms()
        account = account or self.state.registry.devices[device_id].account
        self._take(
            StatusItem(account=account, device_id=device_id, ts=now, boot=1, seq=0, received_ms=now, online=online, **known), "status"
        )

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, the line's timer running as it does."""
        remaining = seconds
        while remaining > 0:
            step = min(0.25, remaining)
            await self.clock.advance(step)
            self.engine.valves.tick()
            remaining -= step

    # -- what came of it -------------------------------------------------------------------------------------------------------

    @property
    def closes(self) -> list[Command]:
        return [message for _, message in self.ports.commands if message.command == "close_valve"]

    @property
    def orders(self) -> list[OrderMessage]:
        return [message for message in self.ports.told if isinstance(message, OrderMessage)]

    @property
    def valve_words(self) -> list[str]:
        return [message.valve for message in self.ports.told if isinstance(message, ValveMessage)]

    @property
    def valve_facts(self) -> ValveMessage:
        """What dispatch was told last of the valve and the room."""
        return [message for message in self.ports.told if isinstance(message, ValveMessage)][-1]

    @property
    def asked(self) -> list[Command]:
        """The questions of the watch over a closed valve."""
        return [message for _, message in self.ports.commands if message.reason.startswith("proof")]

    @property
    def leaks_again(self) -> list[LeakAgainMessage]:
        return [message for message in self.ports.told if isinstance(message, LeakAgainMessage)]

    def incident(self, place: str = HOME) -> Incident:
        return self.state.open_by_place[place]

    def events(self) -> list[str]:
        return [str(row["kind"]) for rows in self.ports.written for row in rows.events]
