"""A registry file into a real database: what is added, changed, moved and retired, and what refuses the whole file."""

import csv
import io
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.errors import RegistryError, UserError
from core.registry.change import begin_change
from core.registry.credentials import password_hash
from core.registry.home_row import HOME_COLUMNS
from core.registry.homes import import_homes
from core.registry.model import Contact, Device, Home
from core.registry.reading import RegistryRows, load_registry
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.testing import TestBroker
from simulator.city import write_city

BASE = {
    "household_no": "0102000001", "district_code": "430102", "district": "芙蓉区", "subdistrict": "东屯渡街道", "community": "嘉雨社区",
    "estate": "云栖花园", "building": "3", "unit": "2", "floor": "5", "room": "501", "riser_id": "R1", "lon": "113.02", "lat": "28.2",
    "coord_datum": "WGS-84", "meter_location": "厨房", "access_note": "", "contact1_name": "模拟·甲", "contact1_role": "resident",
    "contact1_phone": "sip:00010000001@sim.invalid", "contact2_name": "", "contact2_role": "", "contact2_phone": "",
    "language": "zh", "flags": "", "alarm_lel": "10", "meter_made_on": "2025-05-01", "detector_made_on": "2025-06-01", "hub_id": "",
    "simulated": "true",
}  # fmt: skip
REAL = {"simulated": "false", "contact1_phone": "+8613800000000"}


def home(ordinal: int, **cells: str) -> dict[str, str]:
    """A right row of home number `ordinal` with meter M… and detector D…, but for the cells given."""
    devices = {"meter_id": f"M{ordinal}", "detector_id": f"D{ordinal}"}
    row = BASE | {"home_id": f"H{ordinal}"} | devices | cells
    return row | {f"{kind}_made_on": "" for kind in ("meter", "detector") if not row[f"{kind}_id"]}


class Files:
    """Registry files in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "homes.csv"

    def of(self, *rows: dict[str, str], encoding: str = "utf-8") -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, HOME_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        self.path.write_bytes(text.getvalue().encode(encoding))
        return self.path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


async def load(dsn: str, since: int = 0) -> RegistryRows:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        return await load_registry(connection, since)


def counts(dsn: str, path: Path, **options: Any) -> tuple[int, int, int, int]:
    report = import_homes(dsn, path, **options)
    return report.added, report.changed, report.unchanged, report.retired


@pytest.mark.parametrize("word", ["业主", "户主", "owner"])
async def test_an_owner_is_told_by_any_word_that_lists_have_for_him(database: str, files: Files, word: str) -> None:
    import_homes(database, files.of(home(1, contact1_role=word)))
    (read,) = (await load(database)).homes
    assert read.contacts[0].role == "owner"


async def test_a_home_is_read_back_as_it_was_written(database: str, files: Files) -> None:
    second = {"contact2_name": "模拟·乙", "contact2_role": "物业", "contact2_phone": "sip:0002@sim.invalid"}
    report = import_homes(database, files.of(home(1, flags="infant; lives_alone", alarm_lel="8", **second)))
    rows = await load(database)
    assert rows.version == report.version
    (read,) = rows.homes
    assert read == Home(
        home_id="H1", household_no="0102000001", district_code="430102", district="芙蓉区", subdistrict="东屯渡街道",
        community="嘉雨社区", estate="云栖花园", building="3", unit="2", floor="5", room="501", riser_id="R1", lon=113.02, lat=28.2,
        coord_datum="WGS-84", meter_location="厨房", access_note=None, language="zh", flags=("lives_alone", "infant"),
        alarm_lel=8.0, meter_id="M1", simulated=True, retired=False, version=report.version,
        contacts=(
            Contact(1, "模拟·甲", "resident", "sip:00010000001@sim.invalid"),
            Contact(2, "模拟·乙", "property", "sip:0002@sim.invalid"),
        ),
    )  # fmt: skip
    by_id = {device.device_id: device for device in rows.devices}
    assert set(by_id) == {"M1", "D1"}
    assert isinstance(by_id["M1"], Device)
    assert (by_id["M1"].kind, by_id["M1"].home_id, by_id["M1"].account) == ("meter", "H1", "M1")
    assert by_id["D1"].made_on is not None
    assert by_id["D1"].made_on.isoformat() == "2025-06-01"


async def test_only_what_changed_gets_the_new_version(database: str, files: Files) -> None:
    assert counts(database, files.of(home(1), home(2), home(3))) == (3, 0, 0, 0)
    assert counts(database, files.of(home(1), home(2), home(3))) == (0, 0, 3, 0)
    before = (await load(database)).version
    phone = {"contact1_phone": "sip:0009@sim.invalid"}
    assert counts(database, files.of(home(1, room="502"), home(2, **phone), home(3), home(4))) == (1, 2, 1, 0)
    since = await load(database, before)
    assert {(read.home_id, read.room, read.contacts[0].phone[:8]) for read in since.homes} == {
        ("H1", "502", "sip:0001"),
        ("H2", "501", "sip:0009"),
        ("H4", "501", "sip:0001"),
    }
    assert {device.device_id for device in since.devices} == {"M4", "D4"}
    assert (await load(database, since.version)).homes == []


def test_an_import_announces_its_version(database: str, files: Files) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN registry")
        report = import_homes(database, files.of(home(1)))
        (heard,) = listener.notifies(timeout=60, stop_after=1)
    assert heard.payload == str(report.version)
    assert query(database, "SELECT version, what, added, changed, retired FROM registry_changes") == [(report.version, "homes", 1, 0, 0)]


async def test_changes_wait_for_one_another_and_readers_for_none(database: str) -> None:
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        begin_change(first.cursor())
        second.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            begin_change(second.cursor())
        assert (await load(database)).version == 0


async def test_a_home_with_two_detectors_repeats_its_row(database: str, files: Files) -> None:
    path = files.of(home(1), home(1, detector_id="D1-2", detector_made_on="2024-01-01"))
    assert counts(database, path) == (1, 0, 0, 0)
    assert {d.device_id for d in (await load(database)).devices} == {"M1", "D1", "D1-2"}
    assert counts(database, path) == (0, 0, 1, 0)


async def test_behind_a_hub_devices_are_served_by_it(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1, hub_id="HUB-1"), home(2, hub_id="HUB-1"), home(3)))
    accounts = {d.device_id: (d.kind, d.account, d.home_id) for d in (await load(database)).devices}
    assert accounts["D1"] == ("detector", "HUB-1", "H1")
    assert accounts["HUB-1"] == ("hub", "HUB-1", None)
    assert accounts["M3"] == ("meter", "M3", "H3")


async def test_a_home_may_have_neither_meter_nor_detector(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1, meter_id=""), home(2, detector_id=""), home(3, meter_id="", detector_id="")))
    rows = await load(database)
    assert {read.home_id: read.meter_id for read in rows.homes} == {"H1": None, "H2": "M2", "H3": None}
    assert {device.device_id for device in rows.devices} == {"D1", "M2"}


async def test_two_meters_change_places_in_one_go(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1), home(2)))
    assert counts(database, files.of(home(1, meter_id="M2"), home(2, meter_id="M1"))) == (0, 2, 0, 0)
    assert {read.home_id: read.meter_id for read in (await load(database)).homes} == {"H1": "M2", "H2": "M1"}


async def test_a_replaced_meter_is_retired_and_a_detector_left_out_keeps_watching(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1)))
    before = (await load(database)).version
    assert counts(database, files.of(home(1, meter_id="M9", detector_id="D9"))) == (0, 1, 0, 0)
    since = await load(database, before)
    assert {(d.device_id, d.retired) for d in since.devices} == {("M1", True), ("M9", False), ("D9", False)}
    assert [read.meter_id for read in since.homes] == ["M9"]
    assert query(database, "SELECT retired_at FROM devices WHERE device_id = 'D1'") == [(None,)]


async def test_retire_missing_retires_and_never_deletes_and_a_home_may_come_back(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1), home(2)))
    assert counts(database, files.of(home(1)), retire_missing=True) == (0, 0, 1, 1)
    rows = await load(database)
    assert {(read.home_id, read.retired) for read in rows.homes} == {("H1", False), ("H2", True)}
    assert {device.device_id for device in rows.devices if device.retired} == {"M2", "D2"}
    assert counts(database, files.of(home(1), home(2)), retire_missing=True) == (0, 1, 1, 0)
    assert not any(read.retired for read in (await load(database)).homes)


def test_the_platforms_own_canary_is_not_retired(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1)))
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TEMP TABLE own AS SELECT * FROM homes")
        connection.execute("UPDATE own SET home_id = '_canary'")
        connection.execute("INSERT INTO homes SELECT * FROM own")
    assert counts(database, files.of(home(2)), retire_missing=True) == (1, 0, 0, 1)
    assert query(database, "SELECT home_id FROM homes WHERE retired_at IS NULL ORDER BY 1") == [("H2",), ("_canary",)]


async def test_a_real_number_is_stored_as_e164(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1, **REAL | {"contact1_phone": "0731-8888 6666"}), home(2, **REAL)))
    phones = {read.home_id: read.contacts[0].phone for read in (await load(database)).homes}
    assert phones == {"H1": "+8673188886666", "H2": "+8613800000000"}


def test_a_byte_order_mark_is_tolerated(database: str, files: Files) -> None:
    assert counts(database, files.of(home(1), encoding="utf-8-sig")) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([home(1, home_id="H 1")], (2, "home_id", "not valid")),
        ([home(1, meter_id="canary")], (2, "meter_id", "reserved")),
        ([home(1, meter_id="canary-meter")], (2, "meter_id", "reserved")),
        ([home(1, detector_id="canary-detector")], (2, "detector_id", "reserved")),
        ([home(1, home_id="CANARY")], (2, "home_id", "reserved")),
        ([home(1, hub_id="_hub")], (2, "hub_id", "reserved")),
        ([home(1, room="")], (2, "room", "empty")),
        ([home(1, district_code="4301")], (2, "district_code", "6 digits")),
        ([home(1, coord_datum="BD-09")], (2, "coord_datum", "none of")),
        ([home(1, lat="")], (2, "lon", "all three or none")),
        ([home(1, lat="128")], (2, "lat", "-90 to 90")),
        ([home(1, alarm_lel="2.9")], (2, "alarm_lel", "3 to 25")),
        ([home(1, alarm_lel="nan")], (2, "alarm_lel", "3 to 25")),
        ([home(1, alarm_lel="1_0")], (2, "alarm_lel", "3 to 25")),
        ([home(1, meter_made_on="2025-02-30")], (2, "meter_made_on", "YYYY-MM-DD")),
        ([home(1, language="fr")], (2, "language", "none of")),
        ([home(1, flags="lives_alone;dog")], (2, "flags", "'dog'")),
        ([home(1, contact1_role="boss")], (2, "contact1_role", "'boss'")),
        ([home(1, contact1_name="")], (2, "contact1_name", "empty")),
        ([home(1, contact1_phone="")], (2, "contact1_phone", "empty")),
        ([home(1, simulated="")], (2, "simulated", "true or false")),
        ([home(1, contact1_phone="+8613800000000")], (2, "contact1_phone", "simulated row cannot have the real number")),
        ([home(1, simulated="false")], (2, "contact1_phone", "not simulated cannot have")),
        ([home(1, **REAL | {"contact1_phone": "12345"})], (2, "contact1_phone", "neither a mobile")),
        ([home(1, access_note="门\n禁")], (3, "cell", "line break")),
        ([home(1), home(2, meter_id="M1")], (3, "M1", "line 2")),
        ([home(1), home(2, detector_id="D1")], (3, "D1", "line 2")),
        ([home(1), home(2, detector_id="M1")], (3, "M1", "as a meter")),
        ([home(1), home(1, detector_id="D2", room="502")], (3, "H1", "detector alone")),
        ([home(1), home(1, detector_id="D2", meter_id="M2")], (3, "H1", "detector alone")),
        ([home(1), home(1)], (3, "D1", "line 2")),
        ([], (1, "file", "no rows")),
    ],
)
def test_a_bad_row_is_named_by_line_and_refuses_the_file(
    database: str, files: Files, rows: list[dict[str, str]], problem: tuple[int, str, str]
) -> None:
    line, what, why = problem
    good = home(77)
    with pytest.raises(RegistryError) as refused:
        import_homes(database, files.of(*rows, *([good] if rows else [])))
    assert [found.line for found in refused.value.problems] == [line]
    (found,) = refused.value.problems
    assert what in found.en
    assert why in found.en
    assert any("一" <= character <= "鿿" for character in found.zh)
    assert query(database, "SELECT count(*) FROM homes") == [(0,)]
    assert query(database, "SELECT count(*) FROM registry_changes") == [(0,)]


def test_all_problems_are_named_up_to_a_hundred(database: str, files: Files) -> None:
    with pytest.raises(RegistryError) as refused:
        import_homes(database, files.of(home(1, room="", language="fr"), home(2), home(3, alarm_lel="99")))
    assert [found.line for found in refused.value.problems] == [2, 2, 4]
    with pytest.raises(RegistryError) as refused:
        import_homes(database, files.of(*(home(ordinal, room="") for ordinal in range(300))))
    assert len(refused.value.problems) == 100


def test_unknown_and_missing_columns_are_named(database: str, tmp_path: Path) -> None:
    path = tmp_path / "homes.csv"
    path.write_text(",".join(HOME_COLUMNS).replace("estate", "compound") + "\n", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        import_homes(database, path)
    assert [found.en for found in refused.value.problems] == ["missing columns: estate", "unknown columns: compound"]


def test_another_encoding_is_said_so(database: str, files: Files) -> None:
    with pytest.raises(RegistryError) as refused:
        import_homes(database, files.of(home(1), encoding="gb18030"))
    assert "UTF-8" in refused.value.problems[0].en
    assert refused.value.problems[0].line == 2


def test_what_contradicts_the_stored_registry_is_refused(database: str, files: Files) -> None:
    import_homes(database, files.of(home(1), home(2)))
    with pytest.raises(RegistryError) as refused:
        import_homes(database, files.of(home(3, meter_id="M1", detector_id="M2")))
    assert [(found.line, found.en.split(" ")[1]) for found in refused.value.problems] == [(2, "M2"), (2, "M1")]
    # With the old home's row beside it the same move is right.
    assert counts(database, files.of(home(1, meter_id=""), home(3, meter_id="M1"))) == (1, 1, 0, 0)


def test_credentials_are_issued_once_to_those_who_serve(database: str, files: Files, tmp_path: Path) -> None:
    out = tmp_path / "credentials.csv"
    path = files.of(home(1, hub_id="HUB-1"), home(2))
    import_homes(database, path, credentials_out=out)
    first = dict(csv.reader(out.read_text(encoding="utf-8").splitlines()))
    assert set(first) == {"account", "HUB-1", "M2", "D2"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    import_homes(database, files.of(home(1, hub_id="HUB-1"), home(2), home(3)), credentials_out=out)
    later = dict(csv.reader(out.read_text(encoding="utf-8").splitlines()))
    assert set(later) - set(first) == {"M3", "D3"}
    assert first.items() <= later.items()
    assert query(database, "SELECT account FROM broker_accounts ORDER BY 1") == [("D2",), ("D3",), ("HUB-1",), ("M2",), ("M3",)]


def test_an_issued_password_is_no_option_on_a_command_line_and_no_formula_in_a_sheet(database: str, files: Files, tmp_path: Path) -> None:
    out = tmp_path / "credentials.csv"
    import_homes(database, files.of(*(home(n) for n in range(1, 101))), credentials_out=out)
    passwords = [password for _, password in csv.reader(out.read_text(encoding="utf-8").splitlines()[1:])]
    assert len(set(passwords)) == 200
    assert all(password.isalnum() for password in passwords)


def test_a_file_that_holds_no_credentials_is_left_alone(database: str, files: Files, tmp_path: Path) -> None:
    out = tmp_path / "diary.txt"
    out.write_text("dear diary\n", encoding="utf-8")
    with pytest.raises(UserError):
        import_homes(database, files.of(home(1)), credentials_out=out)
    assert out.read_text(encoding="utf-8") == "dear diary\n"
    assert query(database, "SELECT count(*) FROM homes") == [(0,)]


def test_the_broker_accepts_an_issued_password(database: str, files: Files, tmp_path: Path, broker: TestBroker) -> None:
    out = tmp_path / "credentials.csv"
    import_homes(database, files.of(home(1)), credentials_out=out)
    issued = dict(csv.reader(out.read_text(encoding="utf-8").splitlines()[1:]))
    stored: dict[str, str] = dict(query(database, "SELECT account, password_hash FROM broker_accounts"))
    others = {account: password_hash(password) for account, password in broker.accounts.items()}
    broker.server.set_device_accounts(others | stored)
    assert connect_code(broker.host, broker.port, "M1", issued["M1"]) == ACCEPTED
    assert connect_code(broker.host, broker.port, "M1", "another") != ACCEPTED


async def test_a_simulated_city_imports_and_reads_back_whole(database: str, tmp_path: Path) -> None:
    path = tmp_path / "city.csv"
    write_city(1000, 5, path)
    assert counts(database, path) == (1000, 0, 0, 0)
    assert counts(database, path) == (0, 0, 1000, 0)
    rows = await load(database)
    with path.open(encoding="utf-8", newline="") as file:
        written = {row["home_id"]: row for row in csv.DictReader(file)}
    assert {read.home_id: (read.room, read.meter_id) for read in rows.homes} == {
        home_id: (row["room"], row["meter_id"]) for home_id, row in written.items()
    }
    assert all(read.simulated and read.contacts[0].phone.startswith("sip:") for read in rows.homes)
