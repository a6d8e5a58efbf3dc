"""What the line knows right now, in one place: registry, devices, open incidents, commands. Only the engine and the valve desk write it."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

from alarm_engine.device_view import DeviceViews
from alarm_engine.hold_record import HoldKey, HoldRecord
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE, Gravity
from alarm_engine.registry_view import RegistryView
from alarm_engine.rows import Row, Rows
from alarm_engine.settings import LineSettings
from core.clock import Clock
from core.items import Identity
from core.messages import Command
from core.station import LeakAgainMessage, OrderMessage, TaskMessage, ValveMessage

Done = Callable[[], None]
StationMessage = OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage
HeardAlarm = tuple[Identity, Gravity]

_REMEMBERED_ALARMS: Final = 64
_REPEATS_KEPT: Final = 16
_REMEMBERED_COMMANDS: Final = 20_000
_REMEMBERED_ENDS: Final = 20_000
_GRAVITIES: Final[tuple[Gravity, ...]] = (2, 1, 0)


class Down(Protocol):
    """The way down: both calls put the message on the socket before they return."""

    def command(self, account: str, message: Command) -> None:
        """Send a command to the account that serves the device."""
        ...

    def station(self, message: StationMessage) -> None:
        """Tell dispatch; repeated until dispatch says that it has it."""
        ...


class Keeper(Protocol):
    """Whoever makes rows durable."""

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        """Queue a bundle; ``done`` is called once it is durable. ``alarm_received_ms`` marks a bundle that holds an alarm."""
        ...


@dataclass(slots=True)
class HeardAlarms:
    """Alarms heard lately, by device: durable ones are acknowledged again at once, pending ones when they are durable.

    Each is remembered with what was made of it. What was only noted, or could not be placed, is no repeat of a leak that closes a valve,
    whatever identity its device gave it; and what came without a boot or a count has no identity to be repeated.
    """

    _by_device: dict[str, OrderedDict[HeardAlarm, list[Done] | None]] = field(default_factory=dict)

    def repeat(self, identity: Identity, weight: Gravity, done: Done) -> bool:
        """True when this alarm was heard before and as much was made of it; its acknowledgement is then taken care of."""
        heard = self._by_device.get(identity[0])
        if heard is None:
            return False
        known = next((key for key in _as_grave(identity, weight) if key in heard), None)
        if known is None:
            return False
        waiting = heard[known]
        if waiting is None:
            done()
        else:
            waiting.append(done)
            if len(waiting) > _REPEATS_KEPT:
                # Hours without a disk and a database: the broker was answered by the window, the device needs one promise.
                del waiting[1]
        return True

    def pending(self, identity: Identity, weight: Gravity, done: Done) -> Done:
        """Remember a new alarm as on its way to the database; returns what to call when it is durable."""
        if not has_identity(identity):
            return done
        heard, key = self._by_device.setdefault(identity[0], OrderedDict()), (identity, weight)
        heard[key] = [done]
        while len(heard) > _REMEMBERED_ALARMS and next(iter(heard.values())) is None:
            heard.popitem(last=False)

        def durable() -> None:
            waiting = heard.get(key) or []
            heard[key] = None
            for acknowledge in waiting:
                acknowledge()

        return durable

    def durable(self, most: int) -> list[HeardAlarm]:
        """Alarms known to be durable, at most so many of the devices heard last."""
        found: list[HeardAlarm] = []
        for heard in reversed(self._by_device.values()):
            found.extend(key for key, waiting in heard.items() if waiting is None)
            if len(found) >= most:
                break
        return found[:most]

    def remember_durable(self, known: HeardAlarm) -> None:
        """Take in an alarm stored before this process started."""
        if has_identity(known[0]):
            self._by_device.setdefault(known[0][0], OrderedDict())[known] = None

    def remember_unless_known(self, known: HeardAlarm) -> None:
        """The same, unless it was heard since: then its own way is not cut short."""
        if not has_identity(known[0]):
            return
        heard = self._by_device.setdefault(known[0][0], OrderedDict())
        if known not in heard:
            heard[known] = None
            heard.move_to_end(known, last=False)


def has_identity(identity: Identity) -> bool:
    """Whether its device counted it: without a boot and a count, two items of one time cannot be told from one sent twice."""
    return identity[2] >= 0 and identity[3] >= 0


def _as_grave(identity: Identity, weight: Gravity) -> Iterator[HeardAlarm]:
    for more in _GRAVITIES:
        if more >= weight:
            yield identity, more


@dataclass(slots=True)
class LineState:
    """Everything that a decision may look at, and the ports through which it acts."""

    clock: Clock
    settings: LineSettings
    down: Down
    keeper: Keeper
    registry: RegistryView = field(default_factory=RegistryView)
    devices: DeviceViews = field(default_factory=DeviceViews)
    open_by_place: dict[str, Incident] = field(default_factory=dict)
    incidents: dict[UUID, Incident] = field(default_factory=dict)
    places_of_detectors: dict[str, str] = field(default_factory=dict)
    """Where the detectors of open incidents belong, those of kinds that close a valve."""
    commands: OrderedDict[UUID, CommandRecord] = field(default_factory=OrderedDict)
    alarms: HeardAlarms = field(default_factory=HeardAlarms)
    holds: dict[str, dict[HoldKey, HoldRecord]] = field(default_factory=dict)
    loose_closes: dict[str, CommandRecord] = field(default_factory=dict)
    """By meter: the close that a person asked for in a home without an incident, until its meter has reported closed."""
    closed_lately: "OrderedDict[UUID, None]" = field(default_factory=OrderedDict)

    def take_open(self, incident: Incident) -> None:
        """An incident is open: it began, an earlier life had it open, or it has a device more."""
        self.open_by_place[incident.place] = incident
        self.incidents[incident.incident_id] = incident
        if ALARM_TABLE[incident.kind].close:
            self.places_of_detectors.update(dict.fromkeys(incident.detectors, incident.place))

    def drop(self, incident: Incident) -> None:
        """An incident is over. Its identity stays known, so that a late answer to its close opens nothing."""
        if self.open_by_place.get(incident.place) is incident:
            del self.open_by_place[incident.place]
        for device_id in incident.detectors:
            if self.places_of_detectors.get(device_id) == incident.place:
                del self.places_of_detectors[device_id]
        self.incidents.pop(incident.incident_id, None)
        self.ended(incident.incident_id)

    def open_incident_of(self, device_id: str) -> Incident | None:
        """The open incident of the home in which a device stands."""
        device = self.registry.devices.get(device_id)
        if device is None or device.home_id is None:
            return None
        return self.open_by_place.get(device.home_id)

    def remember(self, command: CommandRecord) -> None:
        """Keep a command so that its answers are understood; the oldest finished ones are forgotten."""
        self.commands[command.command_id] = command
        while len(self.commands) > _REMEMBERED_COMMANDS:
            oldest = next(iter(self.commands.values()))
            if oldest.under_way:
                break
            del self.commands[oldest.command_id]

    def take_holds(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take up the holds in force, from rows of ``valve_holds`` or from a file of ours."""
        for row in rows:
            if row["lifted_ms"] is None:
                hold = HoldRecord.from_row(row)
                self.holds.setdefault(hold.home_id, {})[hold.key] = hold

    def holds_in_force(self) -> Iterator[Row]:
        """The rows of every hold in force, one by one, for the snapshot; holds may come and go meanwhile."""
        for holds in list(self.holds.values()):
            yield from [hold.row() for hold in holds.values()]

    def ended(self, incident_id: UUID) -> None:
        """Remember that an incident is over: a late answer to its close opens it no more."""
        self.closed_lately[incident_id] = None
        while len(self.closed_lately) > _REMEMBERED_ENDS:
            self.closed_lately.popitem(last=False)

    def monotonic_of(self, at_ms: int) -> float:
        """A moment of the wall clock in monotonic seconds; one that seems to lie ahead is now."""
        return self.clock.monotonic() - max(0, self.clock.now_ms() - at_ms) / 1000
