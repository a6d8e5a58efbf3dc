"""Bytes -> items. Decides what a payload says and what is broken in it; refuses to know who sent it or what it means.

A field that cannot be read is dropped and named in ``defects``; what is left is still judged, because a leak with a broken clock is
a leak. Only a payload in which nothing can be recognised is rejected, as a value with a reason from a closed list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from core.ids import is_account
from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.messages import (
    MAX_ALARM_BYTES_DEVICE,
    MAX_ALARM_BYTES_HUB,
    MAX_ITEMS,
    MAX_TELEMETRY_BYTES,
    Ack,
    Alarm,
    DetectorTelemetry,
    MeterTelemetry,
    RawMethane,
    Status,
)
from core.topics import Lane

Reason = Literal[
    "too_large",
    "not_json",
    "not_an_object",
    "empty",
    "too_many_items",
    "bad_device_id",
    "nothing_recognised",
    "bad_ack",
    "bad_topic",
    "clock_out_of_range",
    "unknown_sender",
    "not_judged",
    "not_stored",
]
"""Closed list of why a message, or a part of one, is in quarantine."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A part of a payload that could not be used, with its bytes (bounded) and the reason."""

    reason: Reason
    sample: bytes
    device_id: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one payload held."""

    items: tuple[Item, ...] = ()
    rejections: tuple[Rejection, ...] = ()


_SAMPLE_BYTES: Final = 512
_Model = TypeVar("_Model", bound=BaseModel)
_Raw = dict[str, Any]

_DETECTOR_FIELDS: Final = frozenset({"ch4_lel", "state", "ch4_raw"})
_METER_FIELDS: Final = frozenset({"volume_m3", "flow_m3h", "valve"})


def decode(account: str, lane: Lane, payload: bytes, received_ms: int, retained: bool = False) -> Decoded:
    """Decode one MQTT payload of an account's topic. ``received_ms`` is the platform's clock in Unix ms. Never raises."""
    limit = MAX_ALARM_BYTES_HUB if lane == "alarm" else MAX_TELEMETRY_BYTES
    if len(payload) > limit:
        return _reject("too_large", payload, account)
    if not payload:
        return _reject("empty", payload, account)
    try:
        parsed = from_json(payload, allow_inf_nan=True)
    except ValueError:
        return _reject("not_json", payload, account)
    raws = parsed if isinstance(parsed, list) else [parsed]
    items: list[Item] = []
    rejections: list[Rejection] = []
    # On the alarm topic every item is judged, however many there are: the byte limit bounds them.
    if len(raws) > MAX_ITEMS and lane != "alarm":
        rejections.append(Rejection("too_many_items", payload[:_SAMPLE_BYTES], account))
        raws = raws[:MAX_ITEMS]
    oversized = lane == "alarm" and len(payload) > MAX_ALARM_BYTES_DEVICE
    for raw in raws:
        result = _decode_one(account, lane, raw, received_ms, retained, oversized)
        if isinstance(result, Item):
            items.append(result)
        else:
            rejections.append(Rejection(result, payload[:_SAMPLE_BYTES], _device_of(account, raw)))
    if not raws:
        rejections.append(Rejection("empty", payload[:_SAMPLE_BYTES], account))
    return Decoded(tuple(items), tuple(rejections))


def _reject(reason: Reason, payload: bytes, account: str) -> Decoded:
    return Decoded(rejections=(Rejection(reason, payload[:_SAMPLE_BYTES], account),))


def _device_of(account: str, raw: object) -> str:
    if isinstance(raw, dict):
        named = raw.get("device_id")
        if isinstance(named, str) and is_account(named):
            return named
    return account


def _decode_one(account: str, lane: Lane, raw: object, received_ms: int, retained: bool, oversized: bool) -> Item | Reason:
    if not isinstance(raw, dict):
        return "not_an_object"
    defects: list[str] = ["oversized"] if oversized else []
    named = raw.get("device_id")
    if named is not None and not (isinstance(named, str) and is_account(named)):
        if lane != "alarm":
            return "bad_device_id"
        defects.append("device_id")
    common: _Raw = {
        "account": account,
        "device_id": _device_of(account, raw),
        "received_ms": received_ms,
        "retained": retained,
    }
    if lane == "alarm":
        return _alarm(raw, common, defects)
    if lane == "ack":
        return _ack(raw, common, defects)
    if lane == "status":
        return _status(raw, common, defects)
    if raw.keys() & _DETECTOR_FIELDS:
        return _detector(raw, common, defects)
    if raw.keys() & _METER_FIELDS:
        return _meter(raw, common, defects)
    return "nothing_recognised"


def _salvage(model: type[_Model], raw: _Raw, defects: list[str]) -> Callable[[str], Any]:
    """Read ``raw`` by ``model``; fields that cannot be read are named in ``defects`` and read as None.

    Returns a getter by field name. The common case validates once; a broken item is validated field by field.
    """
    try:
        whole = model.model_validate(raw)
        return lambda name: getattr(whole, name)
    except ValidationError as error:
        bad = {str(found["loc"][0]) for found in error.errors(include_url=False, include_input=False) if found["loc"]}
    good = {name: value for name, value in raw.items() if name not in bad and name in model.model_fields}
    defects.extend(sorted(bad - {"device_id"}))
    fields = model.model_fields
    missing = {name: None for name in fields if name not in good}
    # The bad fields are gone; placeholders let the rest be coerced as the contract says.
    partial = model.model_validate({**good, **_placeholders(model, missing)})
    return lambda name: getattr(partial, name) if name in good else None


_PLACEHOLDERS: Final[_Raw] = {
    "ts": 0,
    "boot": 0,
    "seq": 0,
    "ch4_lel": 0.0,
    "state": "fault",
    "volume_m3": 0.0,
    "flow_m3h": 0.0,
    "valve": "unknown",
    "event": "fault",
    "online": False,
}


def _placeholders(model: type[BaseModel], missing: _Raw) -> _Raw:
    return {name: _PLACEHOLDERS[name] for name in missing if model.model_fields[name].is_required()}


def _identity(get: Callable[[str], Any], common: _Raw) -> _Raw:
    ts, boot, seq = get("ts"), get("boot"), get("seq")
    return {
        **common,
        "ts": common["received_ms"] if ts is None else ts,
        "boot": -1 if boot is None else boot,
        "seq": -1 if seq is None else seq,
    }


def _alarm(raw: _Raw, common: _Raw, defects: list[str]) -> Item | Reason:
    get = _salvage(Alarm, raw, defects)
    if get("event") is None and get("ch4_lel") is None and raw.get("event") != "leak":
        return "nothing_recognised"
    return AlarmItem(
        **_identity(get, common),
        defects=tuple(defects),
        event=get("event"),
        ch4_lel=get("ch4_lel"),
        valve=get("valve"),
        cause=get("cause"),
    )


def _detector(raw: _Raw, common: _Raw, defects: list[str]) -> Item | Reason:
    get = _salvage(DetectorTelemetry, raw, defects)
    if get("ch4_lel") is None and get("state") is None:
        return "nothing_recognised"
    methane: RawMethane | None = get("ch4_raw")
    return DetectorReading(
        **_identity(get, common),
        defects=tuple(defects),
        ch4_lel=get("ch4_lel"),
        state=get("state"),
        ch4_raw_value=None if methane is None else methane.value,
        ch4_raw_unit=None if methane is None else methane.unit,
        power=get("power"),
        temp_c=get("temp_c"),
        battery_v=get("battery_v"),
        rssi_dbm=get("rssi_dbm"),
    )


def _meter(raw: _Raw, common: _Raw, defects: list[str]) -> Item | Reason:
    get = _salvage(MeterTelemetry, raw, defects)
    if get("volume_m3") is None and get("valve") is None:
        return "nothing_recognised"
    return MeterReading(
        **_identity(get, common),
        defects=tuple(defects),
        volume_m3=get("volume_m3"),
        flow_m3h=get("flow_m3h"),
        valve=get("valve"),
        cause=get("cause"),
        pressure_kpa=get("pressure_kpa"),
        credit_cny=get("credit_cny"),
        flags=get("flags") or (),
        temp_c=get("temp_c"),
        battery_v=get("battery_v"),
        rssi_dbm=get("rssi_dbm"),
    )


def _text(value: str | None) -> str | None:
    """NUL is the one character that the database takes in no text."""
    return None if value is None else value.replace("\0", "\ufffd")


def _status(raw: _Raw, common: _Raw, defects: list[str]) -> Item | Reason:
    get = _salvage(Status, raw, defects)
    if get("online") is None:
        return "nothing_recognised"
    return StatusItem(
        **_identity(get, common),
        defects=tuple(defects),
        online=get("online"),
        model=_text(get("model")),
        firmware=_text(get("firmware")),
        connectivity=get("connectivity") or "always_on",
        report_interval_s=get("report_interval_s"),
        register_step_m3=get("register_step_m3"),
    )


def _ack(raw: _Raw, common: _Raw, defects: list[str]) -> Item | Reason:
    try:
        ack = Ack.model_validate(raw)
    except ValidationError as error:
        bad = {str(found["loc"][0]) for found in error.errors(include_url=False, include_input=False) if found["loc"]}
        # What an answer answers must be readable; when it was measured need not be.
        if bad - {"ts", "boot", "seq", "detail", "valve", "incident_id"}:
            return "bad_ack"
        kept = {name: value for name, value in raw.items() if name not in bad}
        ack = Ack.model_validate({"ts": common["received_ms"], "boot": 0, "seq": 0, **kept})
        defects.extend(sorted(bad))
    return AckItem(
        **{**common, "ts": ack.ts, "boot": -1 if "boot" in defects else ack.boot, "seq": -1 if "seq" in defects else ack.seq},
        defects=tuple(defects),
        command_id=ack.command_id,
        order_no=ack.order_no,
        incident_id=ack.incident_id,
        command=ack.command,
        result=ack.result,
        valve=ack.valve,
        detail=_text(ack.detail),
    )
