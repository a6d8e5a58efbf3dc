"""Bytes -> items. Decides what a payload says and what is broken in it; refuses to know who sent it or what it means.

A field that cannot be read is dropped and named in ``defects``; what is left is still judged, because a leak with a broken clock is
a leak; and so is one that is said on the wrong topic or in the wrong case. Only a payload in which nothing can be recognised, or an
item that a hub sends without saying whose it is, is rejected, as a value with a reason from a closed list.
"""

from collections.abc import Callable, Container, Iterator
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
from core.units import to_lel_percent

Reason = Literal[
    "too_large",
    "not_json",
    "not_an_object",
    "empty",
    "too_many_items",
    "bad_device_id",
    "no_device_id",
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
    """A part of a payload that could not be used, with its bytes (bounded) and the reason.

    Parts of one payload that fail for the same reason and device are one rejection with their ``count``.
    """

    reason: Reason
    sample: bytes
    device_id: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one payload held."""

    items: tuple[Item, ...] = ()
    rejections: tuple[Rejection, ...] = ()


_SAMPLE_BYTES: Final = 512
_MOST_KINDS: Final = 100
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
PURE_METHANE_LEL: Final = to_lel_percent(100.0, "%vol")
"""The most that there can be, in %LEL: what stands for a value without bounds."""
_Model = TypeVar("_Model", bound=BaseModel)
_Raw = dict[str, Any]

_DETECTOR_FIELDS: Final = frozenset({"ch4_lel", "state", "ch4_raw"})
_METER_FIELDS: Final = frozenset({"volume_m3", "flow_m3h", "valve"})


def decode(account: str, lane: Lane, payload: bytes, received_ms: int, retained: bool = False, *, hub: bool = False) -> Decoded:
    """Everything in one MQTT payload of an account's topic; parameters as of :func:`read`. Never raises."""
    found = list(read(account, lane, payload, received_ms, retained, hub=hub))
    return Decoded(tuple(each for each in found if isinstance(each, Item)), tuple(each for each in found if isinstance(each, Rejection)))


def read(
    account: str,
    lane: Lane,
    payload: bytes,
    received_ms: int,
    retained: bool = False,
    *,
    hub: bool = False,
    known: Container[str] | None = None,
    wanted: Callable[[object, str], bool] | None = None,
) -> Iterator[Item | Rejection]:
    """Read one payload item by item, in order, rejections last, so that a leak is judged before what stands behind it is read.

    ``received_ms`` is the platform's clock in Unix ms. ``hub``: the account speaks for others, so every item must name its device
    (but a status, which is then the hub's own), and it may send a longer alarm. ``known`` are the ids that a device may name: one that
    names another speaks for itself. None: any. ``wanted`` is asked for each parsed part with the device that it names, before anything
    dear is done with it; what it does not want is passed over. Never raises.
    """
    limit = MAX_ALARM_BYTES_HUB if lane == "alarm" else MAX_TELEMETRY_BYTES
    sample = payload[:_SAMPLE_BYTES]
    if len(payload) > limit:
        yield Rejection("too_large", sample, account)
        return
    if not payload:
        yield Rejection("empty", sample, account)
        return
    odd: tuple[str, ...] = ()
    try:
        parsed = from_json(payload, allow_inf_nan=True)
    except ValueError:
        try:
            if not payload.startswith(_BYTE_ORDER_MARK):
                raise
            parsed = from_json(payload[len(_BYTE_ORDER_MARK) :], allow_inf_nan=True)
        except ValueError:
            yield Rejection("not_json", sample, account)
            return
        odd = ("byte_order_mark",)
    raws = parsed if isinstance(parsed, list) else [parsed]
    refused: dict[tuple[Reason, str], int] = {}
    # On the alarm topic every item is judged, however many there are: the byte limit bounds them.
    if len(raws) > MAX_ITEMS and lane != "alarm":
        refused["too_many_items", account] = len(raws) - MAX_ITEMS
        raws = raws[:MAX_ITEMS]
    if lane == "alarm" and not hub and len(payload) > MAX_ALARM_BYTES_DEVICE:
        odd = (*odd, "oversized")
    if hub:
        known = None
    for number, raw in enumerate(raws):
        device_id = _device_of(account, raw, known)
        if wanted is not None and not wanted(raw, device_id):
            continue
        common: _Raw = {"account": account, "device_id": device_id, "received_ms": received_ms, "retained": retained}
        defects: list[str] = [*odd]
        if number >= MAX_ITEMS:
            defects.append("too_many_items")
        result = _decode_one(lane, raw, common, defects, hub)
        if isinstance(result, Item):
            yield result
        else:
            key = (result, device_id if len(refused) < _MOST_KINDS else account)
            refused[key] = refused.get(key, 0) + 1
    if not raws:
        refused["empty", account] = 1
    for (reason, device_id), count in refused.items():
        yield Rejection(reason, sample, device_id, count)


def _device_of(account: str, raw: object, known: Container[str] | None) -> str:
    if isinstance(raw, dict):
        named = raw.get("device_id")
        if isinstance(named, str) and is_account(named) and (known is None or named in known):
            return named
    return account


def _decode_one(lane: Lane, raw: object, common: _Raw, defects: list[str], hub: bool) -> Item | Reason:
    if not isinstance(raw, dict):
        return "not_an_object"
    named = raw.get("device_id")
    if named is None:
        if hub and lane != "status":
            return "no_device_id"
    elif named != common["device_id"]:
        # A device speaks for itself, whatever it calls itself. Behind a hub nobody can tell whose leak it is.
        if hub:
            return "bad_device_id"
        defects.append("device_id")
    if lane == "alarm":
        return _alarm(raw, common, defects)
    if lane == "ack":
        return _ack(raw, common, defects)
    if lane == "status":
        return _status(raw, common, defects)
    if "event" in raw and reads(raw["event"], "leak"):
        defects.append("event_in_telemetry")
        return _alarm(raw, common, defects)
    if raw.keys() & _DETECTOR_FIELDS:
        return _detector(raw, common, defects)
    if raw.keys() & _METER_FIELDS:
        return _meter(raw, common, defects)
    return "nothing_recognised"


def reads(value: object, word: str) -> bool:
    """Whether a value is this lower-case word, whatever its case and the blanks around it."""
    return value == word or (isinstance(value, str) and value.strip().lower() == word)


def may_say_leak(raw: _Raw) -> bool:
    """Whether a part of an alarm says by a word that it is a leak, before it is read. Methane is not looked at."""
    return reads(raw.get("event"), "leak") or reads(raw.get("state"), "alarm")


def _meant(name: str, value: object) -> str | float | None:
    """What a value that the contract does not allow tells of a leak all the same, as the contract would say it; else None."""
    if name == "event":
        return "leak" if reads(value, "leak") else None
    if name == "state":
        return "alarm" if reads(value, "alarm") else None
    return PURE_METHANE_LEL if name == "ch4_lel" and _boundless(value) else None


def _boundless(value: object) -> bool:
    """Whether a value is more than any finite number; a number in quotes is a number."""
    try:
        return isinstance(value, int | float | str) and float(value) == float("inf")
    except OverflowError:
        return isinstance(value, int) and value > 0
    except ValueError:
        return False


def _salvage(model: type[_Model], raw: _Raw, defects: list[str]) -> Callable[[str], Any]:
    """Read ``raw`` by ``model``; fields that cannot be read are named in ``defects`` and read as None.

    Returns a getter by field name. The common case validates once; a broken item is validated field by field. What tells of a leak in
    spite of its defect is read as that.
    """
    try:
        whole = model.model_validate(raw)
        return lambda name: getattr(whole, name)
    except ValidationError as error:
        bad = {str(found["loc"][0]) for found in error.errors(include_url=False, include_input=False) if found["loc"]}
    good = {name: value for name, value in raw.items() if name not in bad and name in model.model_fields}
    for name in bad:
        if (meant := _meant(name, raw.get(name))) is not None:
            good[name] = meant
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
    event = get("event")
    if event != "leak" and reads(raw.get("state"), "alarm"):
        # A reading on the wrong topic; whatever its event is, the detector says that it measures a leak.
        event = "leak"
        defects.append("state_in_alarm")
    if event is None and get("ch4_lel") is None:
        return "nothing_recognised"
    return AlarmItem(
        **_identity(get, common),
        defects=tuple(defects),
        event=event,
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
    identity = _identity(get, common)
    if not get("online"):
        # A will was written when its connection began: its time is that of its receipt.
        identity["ts"] = common["received_ms"]
    return StatusItem(
        **identity,
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
