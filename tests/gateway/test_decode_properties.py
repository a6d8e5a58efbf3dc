"""Decoding by property: any bytes never raise, and whatever the contract allows comes out as it went in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.messages import (
    Ack,
    Alarm,
    DetectorTelemetry,
    MeterTelemetry,
    RawMethane,
    Status,
)
from core.topics import Lane
from gateway.decode import decode
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
    for name in type(message).model_fields.keys() - {"device_id", "ch4_raw"}:
        assert getattr(item, name) == getattr(message, name), name
    if isinstance(item, DetectorReading):
        raw = None if message.ch4_raw is None else (message.ch4_raw.value, message.ch4_raw.unit)
        assert (None if item.ch4_raw_value is None else (item.ch4_raw_value, item.ch4_raw_unit)) == raw
