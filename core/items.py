"""Trusted items: what is left of a device's message after decoding, defects named beside it.

A field that was missing or unreadable is None and its defect is listed; nothing here has been judged yet.
"""

from dataclasses import dataclass
from uuid import UUID

from core.messages import AckResult, AlarmEvent, CommandName, Connectivity, DetectorState, MeterFlag, ValveCause, ValveState

Identity = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Who measured, who published, when, and in which order.

    ``ts`` is device time, ``received_ms`` the platform's clock, both Unix ms.
    ``boot`` and ``seq`` are -1 where the device gave none.
    """

    account: str
    device_id: str
    ts: int
    boot: int
    seq: int
    received_ms: int
    retained: bool = False
    defects: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        """(device, ts, boot, seq): two items with the same identity are one item sent twice."""
        return (self.device_id, self.ts, self.boot, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorReading(Item):
    """Methane in %LEL and the detector's own state."""

    ch4_lel: float | None
    state: DetectorState | None
    ch4_raw_value: float | None = None
    ch4_raw_unit: str | None = None
    power: str | None = None
    temp_c: float | None = None
    battery_v: float | None = None
    rssi_dbm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading(Item):
    """Index in m3, flow in m3/h, pressure in kPa, credit in yuan, and what the valve says of itself."""

    volume_m3: float | None
    flow_m3h: float | None
    valve: ValveState | None
    cause: ValveCause | None = None
    pressure_kpa: float | None = None
    credit_cny: float | None = None
    flags: tuple[MeterFlag, ...] = ()
    temp_c: float | None = None
    battery_v: float | None = None
    rssi_dbm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmItem(Item):
    """An event of the alarm topic."""

    event: AlarmEvent | None
    ch4_lel: float | None = None
    valve: ValveState | None = None
    cause: ValveCause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckItem(Item):
    """An answer to a command."""

    command_id: UUID
    order_no: int
    incident_id: UUID | None
    command: CommandName
    result: AckResult
    valve: ValveState | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusItem(Item):
    """What a device says of itself, or its last will."""

    online: bool
    model: str | None = None
    firmware: str | None = None
    connectivity: Connectivity = "always_on"
    report_interval_s: int | None = None
    register_step_m3: float | None = None
