"""The device contract v1 as models: what devices may say and what they are told. The JSON Schema in the docs is made from these.

Every item carries ``ts`` (Unix ms UTC, when measured), ``boot`` (boot counter) and ``seq`` (counts up within a boot). Unknown
fields are ignored. Tolerance towards broken items is the gateway's business, not the contract's.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from core.ids import ACCOUNT_PATTERN
from core.units import RawUnit

DetectorState = Literal["preheat", "normal", "warning", "alarm", "fault", "self_test", "end_of_life"]
ValveState = Literal["open", "closed", "opening", "closing", "fault", "unknown"]
ValveCause = Literal[
    "command",
    "linkage",
    "arrears",
    "excess_flow",
    "long_use",
    "low_pressure",
    "tamper",
    "low_battery",
    "seismic",
    "manual",
    "unknown",
]
MeterFlag = Literal[
    "tamper",
    "magnet",
    "tilt",
    "low_battery",
    "reverse_flow",
    "excess_flow",
    "long_use",
    "low_pressure",
    "micro_leak",
    "seismic",
]
AlarmEvent = Literal[
    "leak", "leak_cleared", "fault", "fault_cleared", "end_of_life", "power_lost", "power_restored", "tamper", "valve_closed"
]
Connectivity = Literal["always_on", "edrx", "psm"]
CommandName = Literal["close_valve", "open_valve", "self_test", "report"]
AckResult = Literal["accepted", "done", "rejected", "expired"]

DeviceId = Annotated[str, Field(pattern=ACCOUNT_PATTERN, description="1-32 of letters, digits, _ and -")]
UnixMs = Annotated[int, Field(ge=0, le=4_102_444_800_000, description="Unix time in milliseconds, UTC")]
Counter = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

MAX_ITEMS = 1_000
MAX_ALARM_BYTES_DEVICE = 16 * 1024
MAX_ALARM_BYTES_HUB = 256 * 1024
MAX_TELEMETRY_BYTES = 1024 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Item(_Message):
    ts: UnixMs = Field(description="when measured; a repeat keeps it")
    boot: Counter = Field(description="boot counter")
    seq: Counter = Field(description="counts up within a boot")
    device_id: DeviceId | None = Field(None, description="required from a hub: the device that measured")


class RawMethane(_Message):
    """The sensor's own value before conversion."""

    value: Finite
    unit: RawUnit


class DetectorTelemetry(_Item):
    """A laser methane detector's reading."""

    ch4_lel: Finite = Field(description="methane in % of the lower explosive limit")
    state: DetectorState
    ch4_raw: RawMethane | None = None
    power: Literal["mains", "battery"] | None = None
    temp_c: Finite | None = None
    battery_v: Finite | None = None
    rssi_dbm: Finite | None = None


class MeterTelemetry(_Item):
    """A gas meter's reading."""

    volume_m3: Annotated[float, Field(ge=0, allow_inf_nan=False, description="index, in steps of the register")]
    flow_m3h: Finite
    valve: ValveState
    cause: ValveCause | None = Field(None, description="why the valve is closed")
    pressure_kpa: Finite | None = None
    credit_cny: Finite | None = None
    flags: tuple[MeterFlag, ...] = ()
    temp_c: Finite | None = None
    battery_v: Finite | None = None
    rssi_dbm: Finite | None = None


class Alarm(_Item):
    """An event that cannot wait; repeated by the device every 5 s, growing to 60 s, until ``down/ack``."""

    event: AlarmEvent
    ch4_lel: Finite | None = None
    valve: ValveState | None = None
    cause: ValveCause | None = None


class Status(_Item):
    """What a device says of itself; retained, and also its last will."""

    online: bool
    model: str | None = Field(None, max_length=64)
    firmware: str | None = Field(None, max_length=64)
    connectivity: Connectivity = "always_on"
    report_interval_s: Annotated[int, Field(gt=0, le=604_800)] | None = None
    register_step_m3: Annotated[float, Field(gt=0, le=10)] | None = Field(None, description="meter: one step of its register")


class Ack(_Item):
    """A meter's or detector's answer to a command."""

    command_id: UUID
    order_no: Counter
    incident_id: UUID | None = None
    command: CommandName
    result: AckResult
    valve: ValveState | None = None
    detail: str | None = Field(None, max_length=256)


class Command(_Message):
    """A command to one device. A close is carried out whatever the device's clock says; ``expires_at`` binds the others only."""

    device_id: DeviceId
    command_id: UUID
    order_no: Counter = Field(description="grows per meter; an older order than the last one carried out is superseded")
    command: CommandName
    incident_id: UUID | None = None
    reason: str = Field(max_length=64)
    issued_at: UnixMs
    expires_at: UnixMs


class DownAck(_Message):
    """The promise that an alarm is durable: the device may stop repeating it."""

    device_id: DeviceId
    ts: UnixMs
    boot: Counter
    seq: Counter


CONTRACT: dict[str, type[BaseModel]] = {
    "up.telemetry.detector": DetectorTelemetry,
    "up.telemetry.meter": MeterTelemetry,
    "up.alarm": Alarm,
    "up.status": Status,
    "up.ack": Ack,
    "down.command": Command,
    "down.ack": DownAck,
}
