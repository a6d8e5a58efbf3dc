"""Requests of people: put, answered, refused, or not answered yet. The test plays the stations by SQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.console.stage import Records, Served

NOBODY = UUID(int=7)
BY = {"asked_by": "platform"}
"""What stands in a body beside what was asked, where a token asks in another's name."""


@contextmanager
def station(dsn: str, name: str, state: str, answer: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """A station that answers every request in the same way; yields what it was asked."""
    asked: list[dict[str, Any]] = []
    done = threading.Event()
    ready = threading.Event()

    def work() -> None:
        with psycopg.connect(dsn, autocommit=True) as db:
            db.execute(f"LISTEN requests_{name}".encode())
            ready.set()
            while not done.is_set():
                # Read whole: the connection cannot be used while its notices are being read.
                for notice in list(db.notifies(timeout=0.05, stop_after=1)):
                    row = db.execute("SELECT kind, body, actor FROM requests WHERE request_id = %s", [notice.payload]).fetchone()
                    assert row is not None
                    asked.append({"kind": row[0], "body": row[1], "actor": row[2]})
                    db.execute(
                        "UPDATE requests SET state = %s, answer = %s, answered_at = clock_timestamp() WHERE request_id = %s",
                        [state, Jsonb(answer), notice.payload],
                    )

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield asked
    finally:
        done.set()
        thread.join(60)


@pytest.fixture
def order_no(records: Records) -> str:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"))
    return "QX-260402-0001"


ORDER_STEPS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("accept", {}, "accept", {"note": ""}),
    ("on-site", {}, "on_site", {"note": ""}),
    ("no-access", {"note": "无人应门"}, "no_access", {"note": "无人应门"}),
    ("made-safe", {"reading_lel": 0.4, "note": ""}, "made_safe", {"reading_lel": 0.4, "note": ""}),
    ("cause", {"cause": "hose", "note": "软管老化"}, "record_cause", {"cause": "hose", "note": "软管老化"}),
    (
        "tightness-test",
        {"start_kpa": 2.0, "end_kpa": 1.99, "minutes": 1, "entered_by": "desk-1"},
        "tightness_test",
        {"start_kpa": 2.0, "end_kpa": 1.99, "minutes": 1.0, "entered_by": "desk-1"},
    ),
    ("restore", {"note": "ok"}, "restore", {"note": "ok"}),
    ("archive", {}, "archive", {"note": ""}),
]


def test_the_steps_of_an_order_reach_dispatch(console: Served, database: str, order_no: str) -> None:
    with station(database, "dispatch", "done", {"state": "accepted"}) as asked:
        for path, body, _, _ in ORDER_STEPS:
            response = console.http.post(f"/api/v1/orders/{order_no}/{path}", json={"actor": "tech-1", **body})
            assert response.status_code == 200, response.text
            assert response.json()["answer"] == {"state": "accepted"}
    assert asked == [
        {"kind": kind, "actor": "tech-1", "body": {"order_no": order_no, "technician_id": "tech-1", **body, **BY}}
        for _, _, kind, body in ORDER_STEPS
    ]


def test_what_concerns_meters_reaches_the_line(console: Served, database: str, order_no: str) -> None:
    with station(database, "line", "done", {}) as asked:
        wanted: list[tuple[str, dict[str, Any]]] = [
            ("incidents", {"home_id": "home-0001", "note": "闻到燃气味", "caller_phone": "+8613800000000"}),
            ("incidents", {"place": "五一大道 1 号", "close": False}),
            ("homes/home-0001/close-valve", {"reason": "away"}),
            ("devices/D00001/self-test", {}),
            ("devices/M00001/report", {}),
            (f"orders/{order_no}/open-valve", {}),
        ]
        for path, body in wanted:
            assert console.http.post(f"/api/v1/{path}", json={"actor": "desk-1", **body}).status_code == 200
    assert [(a["kind"], a["body"]) for a in asked] == [
        (
            "hotline_report",
            {"home_id": "home-0001", "place": "", "note": "闻到燃气味", "caller_phone": "+8613800000000", "close": True, **BY},
        ),
        ("hotline_report", {"home_id": None, "place": "五一大道 1 号", "note": "", "caller_phone": None, "close": False, **BY}),
        ("close_valve", {"home_id": "home-0001", "reason": "away", **BY}),
        ("self_test", {"device_id": "D00001", **BY}),
        ("report", {"device_id": "M00001", **BY}),
        ("open_valve", {"order_no": order_no, "technician_id": "desk-1", **BY}),
    ]


def test_tasks_and_positions_reach_dispatch(console: Served, database: str, records: Records) -> None:
    task, crew = records.task(), records.crew("c1")
    with station(database, "dispatch", "done", {}) as asked:
        assert console.http.post(f"/api/v1/tasks/{task}/done", json={"actor": "desk-1", "note": "done"}).status_code == 200
        position = {"actor": "tech-1", "lon": 113.0, "lat": 28.2, "coord_datum": "GCJ-02"}
        assert console.http.post(f"/api/v1/crews/{crew}/position", json=position).status_code == 200
    assert [(a["kind"], a["body"]) for a in asked] == [
        ("task_done", {"task_id": str(task), "note": "done", **BY}),
        ("crew_position", {"crew_id": "c1", "lon": 113.0, "lat": 28.2, "coord_datum": "GCJ-02", **BY}),
    ]


def test_a_refusal_is_handed_on_word_for_word(console: Served, database: str, order_no: str) -> None:
    said = {"reason": "no_passed_test", "zh": "没有合格的严密性试验", "en": "no passed tightness test is stored"}
    with station(database, "line", "refused", said):
        response = console.http.post(f"/api/v1/orders/{order_no}/open-valve", json={"actor": "tech-1"})
    problem = response.json()
    assert response.status_code == problem["status"] == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["reason"], problem["zh"], problem["en"]) == (said["reason"], said["zh"], said["en"])
    state = console.get(f"/api/v1/requests/{problem['request_id']}")
    assert (state["state"], state["answer"], state["actor"]) == ("refused", said, "tech-1")


def test_a_station_that_does_not_answer_yet_is_asked_about_later(start_console: Callable[..., Served], records: Records) -> None:
    records.home(1)
    console = start_console(answer_wait_s=0.2)
    response = console.http.post("/api/v1/homes/home-0001/close-valve", json={"actor": "desk-1", "reason": "away"})
    assert response.status_code == 202
    request_id = response.json()["request_id"]
    before = console.get(f"/api/v1/requests/{request_id}")
    assert (before["state"], before["answer"], before["answered_ms"]) == ("pending", None, None)
    records.change("requests", "request_id", request_id, state="done", answer={"command_id": "x"})
    after = console.get(f"/api/v1/requests/{request_id}")
    assert (after["state"], after["answer"]) == ("done", {"command_id": "x"})


def test_an_answer_is_found_by_polling_when_its_notice_is_lost(console: Served, database: str, records: Records) -> None:
    records.home(1)
    # Without the trigger nobody is notified: only polling can find the answer.
    records.db.execute(
        "CREATE FUNCTION answer_at_once() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.state := 'done'; NEW.answer := '{\"ok\": true}'; RETURN NEW; END $$"
    )
    records.db.execute("CREATE TRIGGER at_once BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION answer_at_once()")
    response = console.http.post("/api/v1/homes/home-0001/close-valve", json={"actor": "desk-1", "reason": "away"})
    assert (response.status_code, response.json()["answer"]) == (200, {"ok": True})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("homes/none/close-valve", {"reason": "x"}),
        ("incidents", {"home_id": "none"}),
        ("devices/none/self-test", {}),
        ("devices/none/report", {}),
        ("orders/none/accept", {}),
        ("orders/none/open-valve", {}),
        (f"tasks/{NOBODY}/done", {}),
        ("crews/none/position", {"lon": 1, "lat": 1, "coord_datum": "WGS-84"}),
    ],
)
def test_nothing_is_asked_about_what_is_not_there(console: Served, records: Records, path: str, body: dict[str, Any]) -> None:
    response = console.http.post(f"/api/v1/{path}", json={"actor": "desk-1", **body})
    assert (response.status_code, response.json()["reason"]) == (404, "not_found")
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("incidents", {"actor": "desk-1"}),
        ("incidents", {"place": "  "}),
        ("homes/home-0001/close-valve", {"actor": "desk-1"}),
        ("homes/home-0001/close-valve", {"actor": "", "reason": "x"}),
        ("orders/o/accept", {"actor": "t", "order_no": "another"}),
        ("orders/o/made-safe", {"actor": "t", "reading_lel": -1}),
        ("orders/o/tightness-test", {"actor": "t", "start_kpa": 2, "end_kpa": 2, "minutes": 0}),
        ("crews/c/position", {"actor": "t", "lon": 1, "lat": 91, "coord_datum": "WGS-84"}),
        ("crews/c/position", {"actor": "t", "lon": 1, "lat": 1, "coord_datum": "BD-09"}),
    ],
)
def test_a_request_that_makes_no_sense_is_not_put(console: Served, records: Records, path: str, body: dict[str, Any]) -> None:
    response = console.http.post(f"/api/v1/{path}", json=body)
    assert response.status_code == 422
    assert response.json()["errors"]
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}])
@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x04\xe9\xb8", b'"\xed\xa0\x80"', b"{", b"\x00"])
def test_a_body_that_cannot_be_read_at_all_is_refused_as_one_that_makes_no_sense(
    console: Served, records: Records, body: bytes, key: dict[str, str]
) -> None:
    records.home(1)
    headers = {"Content-Type": "application/json", **key}
    response = console.http.post("/api/v1/homes/home-0001/close-valve", content=body, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (422, "invalid"), response.text
    assert response.json()["errors"][0]["where"].startswith("body")
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)


def test_a_foreign_page_cannot_ask(console: Served, records: Records) -> None:
    records.home(1)
    body = b'{"actor": "x", "reason": "y"}'
    path = "/api/v1/homes/home-0001/close-valve"
    as_form = console.http.post(path, content=body, headers={"content-type": "text/plain"})
    assert as_form.status_code == 422
    rebound = console.http.post(path, content=body, headers={"content-type": "application/json", "host": "evil.example"})
    assert (rebound.status_code, rebound.json()["reason"]) == (421, "not_addressed_here")
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)
