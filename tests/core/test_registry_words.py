"""The registry's small rules: telephone numbers, addresses, and the two ways to name a place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry.address import address
from core.registry.datum import to_wgs84, wgs84_to_gcj02
from core.registry.model import Home, Language
from core.registry.phone import PhoneRefused, stored_phone


def home(*, district: str = "芙蓉区", code: str = "430102", building: str = "3", unit: str = "2", room: str = "501") -> Home:
    return Home(
        home_id="H1", household_no="1", district_code=code, district=district, subdistrict="", community="", estate="云栖花园",
        building=building, unit=unit, floor="5", room=room, riser_id=None, lon=None, lat=None, coord_datum=None,
        meter_location=None, access_note=None, language="zh", flags=(), alarm_lel=10.0, meter_id=None, simulated=True, contacts=(),
        retired=False, version=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "language", "words"),
    [
        (home(), "zh", "芙蓉区 云栖花园 3栋 2单元 501室"),
        (home(), "en", "Room 501, Unit 2, Building 3, 云栖花园, Furong District"),
        (home(unit=""), "zh", "芙蓉区 云栖花园 3栋 501室"),
        (home(unit=""), "en", "Room 501, Building 3, 云栖花园, Furong District"),
        (home(building="A12"), "zh", "芙蓉区 云栖花园 A12栋 2单元 501室"),
        (home(building="东座", room="门面3号"), "zh", "芙蓉区 云栖花园 东座 2单元 门面3号"),
        (home(district="韶山市", code="430382"), "en", "Room 501, Unit 2, Building 3, 云栖花园, 韶山市"),
    ],
)
def test_an_address_is_worded_for_a_person(there: Home, language: Language, words: str) -> None:
    assert address(there, language) == words


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("13800000000", "+8613800000000"),
        ("138 0000 0000", "+8613800000000"),
        ("+86 138-0000-0000", "+8613800000000"),
        ("0731-88886666", "+8673188886666"),
        ("(0731) 88886666", "+8673188886666"),
        ("010-88886666", "+861088886666"),
        ("+8673188886666", "+8673188886666"),
        ("+442071838750", "+442071838750"),
    ],
)
def test_a_real_number_is_stored_as_e164(written: str, stored: str) -> None:
    assert stored_phone(written, simulated=False) == stored
    assert stored_phone(stored, simulated=False) == stored
    with pytest.raises(PhoneRefused):
        stored_phone(written, simulated=True)


@pytest.mark.parametrize("written", ["", "110", "95158", "12800000000", "+8600000000000", "+0012345678", "1380000000a", "١٣٨٠٠٠٠٠٠٠٠"])
def test_what_is_no_number_of_a_home_is_refused(written: str) -> None:
    with pytest.raises(PhoneRefused):
        stored_phone(written, simulated=False)


def test_a_simulated_number_stands_in_simulated_rows_only() -> None:
    assert stored_phone("sip:000100000011@sim.invalid", simulated=True) == "sip:000100000011@sim.invalid"
    with pytest.raises(PhoneRefused):
        stored_phone("sip:000100000011@sim.invalid", simulated=False)


@pytest.mark.parametrize(
    "written",
    [
        "sip:1@sim.invalid",
        "sip:000100@sim.invalid.example.org",
        "sip:000100@provider.example",
        "sip:000100@sim.invalid;x",
        "SIP:0001@sim.invalid",
    ],
)
def test_a_simulated_row_has_no_other_sip_address(written: str) -> None:
    with pytest.raises(PhoneRefused):
        stored_phone(written, simulated=True)


@given(st.text(max_size=30))
def test_no_text_is_right_for_both(text: str) -> None:
    allowed = 0
    for simulated in (True, False):
        try:
            stored_phone(text, simulated=simulated)
        except PhoneRefused:
            continue
        allowed += 1
    assert allowed <= 1


@given(st.floats(112.0, 114.0), st.floats(27.5, 29.0))
def test_the_two_datums_differ_by_half_a_kilometre_and_lead_back(lon: float, lat: float) -> None:
    there = wgs84_to_gcj02(lon, lat)
    east_m, north_m = (there[0] - lon) * 111_320 * math.cos(math.radians(lat)), (there[1] - lat) * 111_320
    assert 300 < math.hypot(east_m, north_m) < 1000
    assert to_wgs84(*there, "GCJ-02") == pytest.approx((lon, lat), abs=1e-8)
    assert to_wgs84(lon, lat, "WGS-84") == (lon, lat)


def test_a_published_point_of_tiananmen_comes_out() -> None:
    assert wgs84_to_gcj02(116.397428, 39.90923) == pytest.approx((116.403671, 39.910635), abs=1e-4)
