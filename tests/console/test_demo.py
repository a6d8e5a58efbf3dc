"""The demonstration's routes at a real district port; and a call's recording, whole, in parts, and recorded when heard."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from console.api.demo import on_loopback
from core.clock import ManualClock
from simulator.demo.port import ControlPort
from simulator.demo.ringing import Rings
from simulator.demo.taken import LEASE_S, LEFT_S, Taken
from simulator.phones.lines import PhoneReport
from simulator.world.plan import DevicePlace, HomePlan
from tests.console.stage import Records, Served
from tests.console.test_requests import station
from tests.simulator.test_demo_leaks import Stage

LINK = "demo-link-of-this-test"


def _plan(number: int, home_id: str | None = None) -> HomePlan:
    return HomePlan(
        home_id or f"home-{number:04}",
        (DevicePlace(f"D{number:05}", f"D{number:05}"),),
        DevicePlace(f"M{number:05}", f"M{number:05}"),
        address_zh=f"芙蓉区 云栖花园 3栋 2单元 {500 + number}室",
        address_en=f"Room {500 + number}, Unit 2, Building 3",
        phones=(f"sip:1{number:04}@sim.invalid",),
        building="430102/云栖花园/3",
    )


class District:
    """A district whose homes are not all those of the registry: its port in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.url = ""
        self.rings = Rings()
        self.clock = ManualClock()
        self.taken = Taken(self.clock)
        self.leaking: Callable[[], set[str]] = set
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="district")
        self._thread.start()
        self._port: ControlPort | None = None

    def start(self) -> None:
        self._do(self._start())

    async def _start(self) -> None:
        stage = Stage(_plan(1), _plan(2), _plan(3), _plan(9, "home-elsewhere"))
        self.leaking = lambda: {leak.home_id for leak in stage.scene.town.record.leaks}
        self._port = await ControlPort(stage.leaks, self.rings, self.taken, "127.0.0.1:0").__aenter__()
        self.url = self._port.url

    def stop(self) -> None:
        if self._port is not None:
            self._do(self._port.__aexit__())
            self._port = None

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def later(self, seconds: float) -> None:
        self._do(self.clock.advance(seconds))

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture
def district() -> Iterator[District]:
    found = District()
    found.start()
    yield found
    found.end()


@pytest.fixture
def demonstrated(start_console: Callable[..., Served], district: District, records: Records) -> Served:
    """A console in demonstration; of the district's homes the registry has 1 and 2 as simulated, 3 as a real one."""
    for number in (1, 2):
        records.home(number)
    records.home(3, simulated=False)
    return start_console(demo_link=LINK, demo_control_url=district.url)


def enter(console: Served, role: str | None = None) -> httpx.Client:
    """A browser that followed the demonstration's link."""
    client = console.anybody()
    client.headers["Origin"] = console.url
    session = client.post("/api/v1/session/link", json={"token": LINK, **({"as": role} if role else {})})
    assert session.status_code == 200, session.text
    client.headers["X-CSRF-Token"] = session.json()["csrf"]
    return client


def reason(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["reason"]


def test_only_simulated_homes_of_the_registry_may_be_chosen(demonstrated: Served) -> None:
    client = enter(demonstrated)
    found = client.get("/api/v1/demo/homes").json()
    assert [home["home_id"] for home in found["items"]] == ["home-0001", "home-0002"]
    assert found["items"][0]["kinds"] == ["plain", "stuck_valve", "before_meter", "nobody_answers"]
    found = client.get("/api/v1/demo/homes", params={"q": "502室"}).json()
    assert [home["home_id"] for home in found["items"]] == ["home-0002"]


def test_a_report_in_the_demonstration_is_none_of_a_real_person(demonstrated: Served, database: str) -> None:
    client = enter(demonstrated)
    with station(database, "line", "done", {"incident_id": str(uuid4())}) as asked:
        assert client.post("/api/v1/incidents", json={"place": "五一大道 1 号"}).is_success
    assert [(each["kind"], each["body"]["simulated"]) for each in asked] == [("hotline_report", True)]


def test_a_leak_is_started_once(demonstrated: Served, district: District) -> None:
    client = enter(demonstrated)
    begun = client.post("/api/v1/demo/leak", json={"home_id": "home-0001", "kind": "before_meter"})
    assert (begun.status_code, begun.json()["kind"]) == (200, "before_meter")
    again = client.post("/api/v1/demo/leak", json={"home_id": "home-0001"})
    assert reason(again) == (409, "leaks_already")
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json()["zh"]
    assert district.leaking() == {"home-0001"}


@pytest.mark.parametrize("home_id", ["home-0003", "home-elsewhere", "home-0999"])
def test_no_home_that_is_not_simulated_can_be_reached(demonstrated: Served, district: District, home_id: str) -> None:
    refused = enter(demonstrated).post("/api/v1/demo/leak", json={"home_id": home_id})
    assert reason(refused) == (404, "not_found")
    assert district.leaking() == set()


def test_a_building_leaks_and_another_is_not_known(demonstrated: Served) -> None:
    client = enter(demonstrated)
    begun = client.post("/api/v1/demo/building-leak", json={"estate": "云栖花园", "building": "3"})
    assert begun.status_code == 200
    assert "home-0001" in begun.json()["leaking"]
    nowhere = client.post("/api/v1/demo/building-leak", json={"estate": "别处", "building": "3"})
    assert reason(nowhere) == (404, "not_found")


def test_the_buildings_that_may_be_chosen(demonstrated: Served) -> None:
    (building,) = enter(demonstrated).get("/api/v1/demo/buildings").json()["items"]
    assert (building["estate"], building["building"], building["homes"]) == ("云栖花园", "3", 4)


def test_telephones_of_other_homes_are_not_shown(demonstrated: Served, district: District) -> None:
    for number, home_id in enumerate(("home-0001", "home-0003")):
        report = PhoneReport(event="ringing", number="10001", call=f"c{number}", at_ms=5)
        district.rings.follow(report, home_id, 1)
    (ring,) = enter(demonstrated).get("/api/v1/demo/phones").json()["items"]
    assert (ring["home_id"], ring["state"], ring["ringing_ms"]) == ("home-0001", "ringing", 5)


def test_it_is_for_those_who_demonstrate(demonstrated: Served) -> None:
    assert enter(demonstrated, "viewer").get("/api/v1/demo/homes").status_code == 200
    with demonstrated.signed_in("supervisor", "engineer") as supervisor:
        assert reason(supervisor.get("/api/v1/demo/homes")) == (403, "not_allowed")
        assert reason(supervisor.post("/api/v1/demo/leak", json={"home_id": "home-0001"})) == (403, "not_allowed")
    assert demonstrated.anybody().get("/api/v1/demo/homes").status_code == 401


def test_without_a_district_there_is_no_demonstration(start_console: Callable[..., Served]) -> None:
    client = enter(start_console(demo_link=LINK))
    answers = [
        client.get("/api/v1/demo/homes"),
        client.get("/api/v1/demo/phones"),
        client.get("/api/v1/demo/buildings"),
        client.post("/api/v1/demo/leak", json={"home_id": "home-0001"}),
        client.post("/api/v1/demo/building-leak", json={"estate": "云栖花园", "building": "3"}),
    ]
    assert [reason(answer) for answer in answers] == [(404, "not_found")] * 5


@pytest.mark.parametrize(
    "url", ["", "http://192.0.2.1:80", "http://localhost:80", "https://127.0.0.1:80", "127.0.0.1:80", "http://127.0.0.1", "http://[::1:80"]
)
def test_a_district_that_is_not_on_loopback_is_never_asked(url: str) -> None:
    assert on_loopback(url) is None


def test_loopback_is_loopback() -> None:
    assert on_loopback("http://127.0.0.1:4001/") == "http://127.0.0.1:4001"
    assert on_loopback("http://[::1]:4001") == "http://[::1]:4001"


def test_a_district_that_is_not_there_yet_is_said_so(demonstrated: Served, district: District) -> None:
    client = enter(demonstrated)
    district.stop()
    away = client.get("/api/v1/demo/homes")
    assert reason(away) == (503, "district_away")
    assert away.headers["retry-after"]


# --- recordings -------------------------------------------------------------------------------------------------


SOUND = b"RIFF" + bytes(range(200)) * 5


class Kept:
    """A console with a folder of recordings, and a call that has one."""

    def __init__(self, console: Served, records: Records, folder: Path) -> None:
        self.console = console
        self.records = records
        records.home()
        self.incident = records.incident()
        self.call = records.call(self.incident, answered_ms=1)
        folder.mkdir()
        (folder / f"{self.call}.wav").write_bytes(SOUND)

    def heard(self) -> list[str]:
        rows = self.records.db.execute("SELECT about FROM audit WHERE what = 'recording_heard'").fetchall()
        return [row[0] for row in rows]


def path(call: UUID) -> str:
    return f"/api/v1/calls/{call}/recording"


@pytest.fixture
def kept(start_console: Callable[..., Served], records: Records, tmp_path: Path) -> Kept:
    return Kept(start_console(recordings_dir=str(tmp_path / "said")), records, tmp_path / "said")


def test_a_call_can_be_heard_and_that_is_recorded(kept: Kept) -> None:
    with kept.console.signed_in("operator", name="zhang") as operator:
        heard = operator.get(path(kept.call))
    assert (heard.status_code, heard.content, heard.headers["content-type"]) == (200, SOUND, "audio/wav")
    assert (heard.headers["accept-ranges"], heard.headers["cache-control"]) == ("bytes", "private, no-store")
    assert kept.heard() == [str(kept.call)]
    assert kept.records.db.execute("SELECT who FROM audit WHERE what = 'recording_heard'").fetchall() == [("zhang",)]


PARTS = {
    "bytes=0-": (206, SOUND, f"bytes 0-{len(SOUND) - 1}/{len(SOUND)}"),
    "bytes=0-9": (206, SOUND[:10], f"bytes 0-9/{len(SOUND)}"),
    "bytes=100-199": (206, SOUND[100:200], f"bytes 100-199/{len(SOUND)}"),
    "bytes=1000-99999": (206, SOUND[1000:], f"bytes 1000-{len(SOUND) - 1}/{len(SOUND)}"),
    "bytes=-4": (206, SOUND[-4:], f"bytes {len(SOUND) - 4}-{len(SOUND) - 1}/{len(SOUND)}"),
    "bytes=9-3": (200, SOUND, None),
    "bytes=0-1,5-6": (200, SOUND, None),
    "chapters=1-2": (200, SOUND, None),
    "nonsense": (200, SOUND, None),
}


def test_a_player_may_ask_for_a_part(kept: Kept) -> None:
    operator = kept.console.signed_in("operator")
    found = {asked: operator.get(path(kept.call), headers={"Range": asked}) for asked in PARTS}
    assert {asked: (part.status_code, part.content, part.headers.get("content-range")) for asked, part in found.items()} == PARTS


def test_a_part_beyond_the_end_is_refused(kept: Kept) -> None:
    with kept.console.signed_in("operator") as operator:
        for asked in (f"bytes={len(SOUND)}-", "bytes=99999-", "bytes=-0"):
            found = operator.get(path(kept.call), headers={"Range": asked})
            assert reason(found) == (416, "no_such_part")
            assert found.headers["content-range"] == f"bytes */{len(SOUND)}"
    assert kept.heard() == []


def test_going_on_with_a_hearing_is_no_second_one(kept: Kept) -> None:
    with kept.console.signed_in("operator") as operator:
        operator.get(path(kept.call), headers={"Range": "bytes=0-99"})
        operator.get(path(kept.call), headers={"Range": "bytes=100-"})
    assert kept.heard() == [str(kept.call)]


@pytest.mark.parametrize("asked", ["bytes=1-", "bytes=-1043", "bytes=100-199"])
def test_a_hearing_is_recorded_whichever_part_is_asked_for(kept: Kept, asked: str) -> None:
    zhang, li = kept.console.signed_in("operator", name="zhang"), kept.console.signed_in("operator", name="li")
    for _ in range(3):
        assert zhang.get(path(kept.call), headers={"Range": asked}).status_code == 206
    assert kept.heard() == [str(kept.call)]
    li.get(path(kept.call), headers={"Range": asked})
    assert kept.heard() == [str(kept.call)] * 2
    other = kept.records.call(kept.incident, answered_ms=1)
    os.link(_file(kept, kept.call), _file(kept, other))
    li.get(path(other), headers={"Range": asked})
    assert kept.heard() == [str(kept.call), str(kept.call), str(other)]


def test_what_is_not_kept_and_what_is_no_call_are_not_found(kept: Kept) -> None:
    silent = kept.records.call(kept.incident)
    with kept.console.signed_in("operator") as operator:
        assert reason(operator.get(path(silent))) == (404, "not_found")
        assert reason(operator.get(path(uuid4()))) == (404, "not_found")
        assert operator.get("/api/v1/calls/..%2Fsecrets/recording").status_code in (404, 422)
    assert kept.heard() == []


def test_only_who_may_see_people_hears_them_and_only_of_his_district(kept: Kept) -> None:
    elsewhere = kept.records.home(2, district_code="430103")
    incident = kept.records.incident(2, home={"home_id": elsewhere, "district_code": "430103"})
    other = kept.records.call(incident, home_id=elsewhere, answered_ms=1)
    os.link(_file(kept, kept.call), _file(kept, other))
    with kept.console.signed_in("viewer") as viewer:
        assert reason(viewer.get(path(kept.call))) == (403, "not_allowed")
    with kept.console.signed_in("operator", districts=["430102"]) as operator:
        assert operator.get(path(kept.call)).status_code == 200
        assert reason(operator.get(path(other))) == (404, "not_found")
    assert kept.console.anybody().get(path(kept.call)).status_code == 401
    assert kept.heard() == [str(kept.call)]


def _file(kept: Kept, call: UUID) -> Path:
    folder = kept.console.server.running.settings.recordings_dir
    assert folder is not None
    return folder / f"{call}.wav"


def test_a_call_says_whether_it_can_be_heard(kept: Kept) -> None:
    silent = kept.records.call(kept.incident, at_ms=5, answered_ms=2)
    with kept.console.signed_in("operator") as operator:
        found = operator.get("/api/v1/calls", params={"incident_id": str(kept.incident)}).json()["items"]
    assert {call["call_id"]: call["recording"] for call in found} == {str(kept.call): True, str(silent): False}


# --- playing a technician -----------------------------------------------------------------------------------------


CREW = "芙蓉-1"


@pytest.fixture
def order(demonstrated: Served, records: Records) -> str:
    """An order of a simulated crew for a home of the district; the number that is spoken on the phone."""
    records.crew(CREW)
    records.crew("岳麓-2")
    records.order(records.incident(1), 1, state="assigned", crew_id=CREW, technician_id=f"{CREW}-A")
    return "QX-260402-0001"


def played(client: httpx.Client) -> list[str]:
    return [crew["crew_id"] for crew in client.get("/api/v1/demo/crews").json()["items"]]


def until_played(client: httpx.Client) -> None:
    """The sign of life goes out behind the answer."""
    end = time.monotonic() + 30
    while played(client) != [CREW]:
        assert time.monotonic() < end


def test_who_plays_the_crew_of_an_order_goes_on_as_its_technician_with_all_his_roles(demonstrated: Served, order: str) -> None:
    client = enter(demonstrated)
    before = client.get("/api/v1/session").json()
    assert (before["user"]["crew_id"], client.get("/api/v1/field/orders").json()["orders"], played(client)) == (None, [], [])
    taken = client.post("/api/v1/demo/crew", json={"order_no": order})
    assert (taken.status_code, taken.json()["crew_id"]) == (200, CREW)
    after = client.get("/api/v1/session").json()
    assert (after["user"]["technician_id"], after["user"]["crew_id"]) == (f"{CREW}-A", CREW)
    assert (after["user"]["roles"], after["csrf"]) == (before["user"]["roles"], before["csrf"])
    assert [found["order_no"] for found in client.get("/api/v1/field/orders").json()["orders"]] == [order]
    assert played(client) == [CREW]


def test_the_technicians_page_is_the_sign_of_life_and_the_desk_is_none(demonstrated: Served, district: District, order: str) -> None:
    client = enter(demonstrated, "technician")
    assert client.get("/api/v1/session").json()["user"]["crew_id"] == CREW
    client.get("/api/v1/orders")
    assert played(client) == []
    client.get("/api/v1/field/orders")
    until_played(client)
    district.later(LEASE_S - 1)
    assert played(client) == [CREW]
    client.get("/api/v1/orders")
    district.later(2)
    assert played(client) == []
    client.get(f"/api/v1/field/orders/{order}/live")
    until_played(client)


def test_a_page_that_closes_gives_its_crew_back_and_takes_nobodys_eyes(demonstrated: Served, district: District, order: str) -> None:
    client = enter(demonstrated)
    assert client.post("/api/v1/demo/crew", json={"order_no": order}).json()["left_s"] == LEASE_S
    left = client.post("/api/v1/demo/crew", json={"order_no": order, "plays": False})
    assert (left.status_code, left.json()) == (200, {"crew_id": CREW, "left_s": LEFT_S})
    district.later(LEFT_S + 1)
    assert played(client) == []
    # Whoever never played it becomes its technician by no such word.
    other = enter(demonstrated)
    other.post("/api/v1/demo/crew", json={"order_no": order, "plays": False})
    assert other.get("/api/v1/session").json()["user"]["crew_id"] is None


def test_a_system_that_is_connected_plays_nobody(demonstrated: Served, records: Records, order: str) -> None:
    demonstrator = enter(demonstrated)
    with demonstrated.signed_in("supervisor", "technician", technician_id=f"{CREW}-A") as other:
        assert reason(other.post("/api/v1/demo/crew", json={"order_no": order})) == (403, "not_allowed")
        assert other.get("/api/v1/session").json()["user"]["technician_id"] == f"{CREW}-A"
    assert played(demonstrator) == []


def test_only_the_crew_of_a_simulated_order_can_be_played(demonstrated: Served, records: Records, order: str) -> None:
    records.order(records.incident(3), 3, state="assigned", crew_id=CREW)
    records.order(records.incident(2), 2, state="waiting")
    client = enter(demonstrated)
    answers = [client.post("/api/v1/demo/crew", json={"order_no": f"QX-260402-000{number}"}) for number in (3, 9, 2)]
    assert [reason(answer) for answer in answers] == [(404, "not_found"), (404, "not_found"), (409, "no_crew_yet")]
    assert reason(enter(demonstrated, "viewer").post("/api/v1/demo/crew", json={"order_no": order})) == (403, "not_allowed")
    assert played(client) == []


def test_a_district_that_is_away_keeps_no_technician_from_his_orders(demonstrated: Served, district: District, order: str) -> None:
    client = enter(demonstrated, "technician")
    district.stop()
    assert [found["order_no"] for found in client.get("/api/v1/field/orders").json()["orders"]] == [order]
    assert reason(client.post("/api/v1/demo/crew", json={"order_no": order})) == (503, "district_away")
