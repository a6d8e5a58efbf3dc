"""Decoding by property: any bytes never raise, and whatever the contract allows comes out as it went in."""

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.messages import (
    MAX_ALARM_BYTES_HUB,
    MAX_ITEMS,
    Ack,
    Alarm,
    DetectorTelemetry,
    MeterTelemetry,
    RawMethane,
    Status,
)
from core.topics import Lane
from gateway.decode import decode, read
from tests.gateway.payloads import LANES, NOW, WHOLE, encode, sound


@given(payload=st.binary(max_size=300), lane=st.sampled_from(LANES))
def test_any_bytes_at_all_never_raise(payload: bytes, lane: Lane) -> None:
    sound(decode("D1", lane, payload, NOW), lane, payload)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_NAMES = sorted({name for _, raw, _ in WHOLE for name in raw} | {"device_id"})


@given(
    raw=st.dictionaries(st.sampled_from(_NAMES), _JSON | st.sampled_from(["leak", "alarm", "closed", "D2"])), lane=st.sampled_from(LANES)
)
def test_any_values_in_known_fields_never_raise(raw: dict[str, object], lane: Lane) -> None:
    payload = encode(raw)
    found = decode("D1", lane, payload, NOW)
    sound(found, lane, payload)
    if lane == "alarm" and raw.get("event") == "leak":
        (item,) = found.items
        assert isinstance(item, AlarmItem)
        assert item.event == "leak"


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=64)
_DEVICE_ID = st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)


_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_FIGURES: dict[str, st.SearchStrategy[Any]] = {
    name: st.none() | _FINITE for name in ("pressure_kpa", "credit_cny", "temp_c", "battery_v", "rssi_dbm")
} | {
    "flow_m3h": _FINITE,
    "volume_m3": st.floats(0, allow_infinity=False),
    "ch4_raw": st.none() | st.builds(RawMethane, value=_FINITE),
    "model": st.none() | _TEXT,
    "firmware": st.none() | _TEXT,
    "report_interval_s": st.none() | st.integers(1, 604_800),
    "register_step_m3": st.none() | st.floats(0, 10, exclude_min=True),
    "detail": st.none() | _TEXT,
}


def _valid(lane: Lane, kind: type[Item], contract: type[Any], ch4: st.SearchStrategy[float | None]) -> st.SearchStrategy[Any]:
    figures = {"ch4_lel": ch4, "device_id": _DEVICE_ID, **_FIGURES}
    fields = {name: figures[name] for name in contract.model_fields if name in figures}
    return st.tuples(st.just(lane), st.just(kind), st.builds(contract, **fields))


VALID = st.one_of(
    _valid("alarm", AlarmItem, Alarm, st.none() | _FINITE),
    _valid("telemetry", DetectorReading, DetectorTelemetry, _FINITE),
    _valid("telemetry", MeterReading, MeterTelemetry, _FINITE),
    _valid("status", StatusItem, Status, _FINITE),
    _valid("ack", AckItem, Ack, _FINITE),
)


@given(valid=VALID, whole=st.booleans())
def test_whatever_the_contract_allows_decodes_to_the_same_values(valid: tuple[Lane, type[Item], Any], whole: bool) -> None:
    lane, kind, message = valid
    payload = message.model_dump_json(exclude_none=not whole).encode()
    found = decode("ACCOUNT", lane, payload, NOW)
    assert found.rejections == ()
    (item,) = found.items
    assert type(item) is kind
    assert item.defects == ()
    assert item.device_id == (message.device_id or "ACCOUNT")
    # A will is timed by its receipt.
    will = {"ts"} if isinstance(item, StatusItem) and not item.online else set()
    assert not will or item.ts == NOW
    for name in type(message).model_fields.keys() - {"device_id", "ch4_raw"} - will:
        assert getattr(item, name) == getattr(message, name), name
    if isinstance(item, DetectorReading):
        raw = None if message.ch4_raw is None else (message.ch4_raw.value, message.ch4_raw.unit)
        assert (None if item.ch4_raw_value is None else (item.ch4_raw_value, item.ch4_raw_unit)) == raw


# -- arrays of a hub -----------------------------------------------------------------------------------------------------------------

_LEAK: dict[str, Any] = {"device_id": "D7", "event": "leak"}
_BROKEN = (
    _JSON.filter(lambda raw: not isinstance(raw, dict))
    | st.dictionaries(st.sampled_from(_NAMES), _JSON)
    | st.fixed_dictionaries({"event": st.just("leak"), "device_id": st.sampled_from(["a/b", "", "x" * 33]) | st.integers()})
)


@st.composite
def _array_with_one_leak(draw: st.DrawFn) -> tuple[list[object], int]:
    """Up to 1,000 items, each broken in one of a few ways, and a leak somewhere among them."""
    kinds = draw(st.lists(_BROKEN, min_size=1, max_size=8))
    length = draw(st.integers(1, MAX_ITEMS))
    items: list[object] = [kinds[number % len(kinds)] for number in range(length)]
    at = draw(st.integers(0, length - 1))
    items[at] = {**_LEAK, **draw(st.dictionaries(st.sampled_from(["ts", "boot", "seq", "valve", "cause", "ch4_lel"]), _JSON))}
    return items, at


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(array=_array_with_one_leak(), hub=st.booleans())
def test_a_leak_anywhere_in_an_array_is_found_with_every_other_item_broken(array: tuple[list[object], int], hub: bool) -> None:
    items, _ = array
    payload = encode(items)
    assume(len(payload) <= MAX_ALARM_BYTES_HUB)
    found = decode("HUB", "alarm", payload, NOW, hub=hub)
    sound(found, "alarm", payload)
    leaks = [item for item in found.items if isinstance(item, AlarmItem) and item.event == "leak" and item.device_id == "D7"]
    assert len(leaks) >= 1
    assert len(found.items) + sum(rejection.count for rejection in found.rejections) == len(items)
    if hub:
        assert all(isinstance(raw, dict) for raw in items) or found.rejections
    assert {item.device_id for item in found.items if hub} <= {"D7", *(str(raw.get("device_id")) for raw in items if isinstance(raw, dict))}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(array=_array_with_one_leak())
def test_a_leak_is_read_before_anything_behind_it_is(array: tuple[list[object], int]) -> None:
    items, at = array
    payload = encode(items)
    assume(len(payload) <= MAX_ALARM_BYTES_HUB)
    asked: list[object] = []

    def wanted(raw: object, device_id: str) -> bool:
        asked.append(raw)
        return True

    for found in read("HUB", "alarm", payload, NOW, hub=True, wanted=wanted):
        if isinstance(found, AlarmItem) and found.event == "leak" and found.device_id == "D7":
            break
    assert len(asked) <= at + 1
