"""What the line knows right now, in one place: registry, devices, open incidents, commands. Only the engine and the valve desk write it."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from alarm_engine.device_view import DeviceViews
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.registry_view import RegistryView
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from core.clock import Clock
from core.items import Identity
from core.messages import Command
from core.station import LeakAgainMessage, OrderMessage, TaskMessage, ValveMessage

Done = Callable[[], None]
StationMessage = OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage

_REMEMBERED_ALARMS: Final = 64
_REMEMBERED_COMMANDS: Final = 20_000


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
    """Alarms heard lately, by device: durable ones are acknowledged again at once, pending ones when they are durable."""

    _by_device: dict[str, OrderedDict[Identity, list[Done] | None]] = field(default_factory=dict)

    def repeat(self, identity: Identity, done: Done) -> bool:
        """True when this alarm was heard before; its acknowledgement is then taken care of."""
        heard = self._by_device.get(identity[0])
        if heard is None or identity not in heard:
            return False
        waiting = heard[identity]
        if waiting is None:
            done()
        else:
            waiting.append(done)
        return True

    def pending(self, identity: Identity, done: Done) -> Done:
        """Remember a new alarm as on its way to the database; returns what to call when it is durable."""
        heard = self._by_device.setdefault(identity[0], OrderedDict())
        heard[identity] = [done]
        while len(heard) > _REMEMBERED_ALARMS and next(iter(heard.values())) is None:
            heard.popitem(last=False)

        def durable() -> None:
            waiting = heard.get(identity) or []
            heard[identity] = None
            for acknowledge in waiting:
                acknowledge()

        return durable

    def remember_durable(self, identity: Identity) -> None:
        """Take in an alarm stored before this process started."""
        self._by_device.setdefault(identity[0], OrderedDict())[identity] = None


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
    commands: OrderedDict[UUID, CommandRecord] = field(default_factory=OrderedDict)
    alarms: HeardAlarms = field(default_factory=HeardAlarms)

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
