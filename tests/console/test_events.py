"""The event stream over real HTTP: a change in the database reaches whoever watches, and nobody is silently left behind."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from tests.console.stage import T0, Records, Served, frames


@contextmanager
def watching(console: Served) -> Iterator[Iterator[tuple[str, Any]]]:
    """The stream from a moment at which the database is listened to."""
    with console.http.stream("GET", "/api/v1/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        events = frames(response.iter_lines())
        for event, data in events:
            if event == "clock" and data["live"]:
                break
        yield events


def until(events: Iterator[tuple[str, Any]], wanted: Callable[[str, Any], bool]) -> list[tuple[str, Any]]:
    """What the stream gives up to and with what is wanted; the clock's beats are left out."""
    found = []
    for event, data in events:
        if event != "clock":
            found.append((event, data))
        if wanted(event, data):
            return found
    raise AssertionError("the stream ended")


def test_a_change_reaches_the_watcher_as_the_get_gives_it(start_console: Callable[..., Served], records: Records) -> None:
    records.home(1)
    incident = records.incident(1)
    console = start_console(heartbeat_s=0.1)
    with watching(console) as events:
        records.change("incidents", "incident_id", incident, valve="reported_closed", reported_closed_ms=T0 + 900)
        told = until(events, lambda event, data: event == "incident")
    assert told[-1][1]["clocks"]["T4"] == T0 + 900
    assert told[-1][1] == console.get("/api/v1/incidents")["items"][0]


def test_every_kind_of_thing_is_told(start_console: Callable[..., Served], records: Records) -> None:
    records.home(1)
    console = start_console(heartbeat_s=0.1)
    with watching(console) as events:
        incident = records.incident(1)
        records.event(incident, "opened", T0 + 40, event="leak", lane="alarm", ch4_lel=23.0, alarm_lel=10.0)
        command = records.command(incident)
        order = records.order(incident)
        records.step(order, "created", T0 + 60, "created")
        call = records.call(incident, placed_ms=T0 + 60)
        task = records.task(incident)
        names = {"incident", "command", "order", "call", "task"}
        told: list[tuple[str, Any]] = []
        while not (names <= {name for name, _ in told} and sum(name == "timeline" for name, _ in told) == 3):
            told += until(events, lambda event, data: event != "clock")
    by_name = dict(told)
    assert by_name["command"] == console.get("/api/v1/commands")["items"][0]
    assert by_name["order"] == console.get("/api/v1/orders")["items"][0]
    assert by_name["call"] == console.get("/api/v1/calls")["items"][0]
    assert by_name["task"] == console.get("/api/v1/tasks")["items"][0]
    assert (by_name["command"]["command_id"], by_name["call"]["call_id"]) == (str(command), str(call))
    assert by_name["task"]["task_id"] == str(task)
    sentences = {data["kind"]: data for name, data in told if name == "timeline"}
    assert set(sentences) == {"opened", "created", "call_placed"}
    assert sentences["opened"]["en"] == "Leak alarm received: methane at 23 %LEL (set-point 10)"
    assert sentences["opened"]["address_zh"] == "芙蓉区 云栖花园 3栋 2单元 501室"
    assert (sentences["opened"]["incident_id"], sentences["opened"]["simulated"]) == (str(incident), True)


def test_an_order_or_call_moves_the_clocks_of_its_incident(start_console: Callable[..., Served], records: Records) -> None:
    incident = records.incident(1)
    order = records.order(incident)
    console = start_console(heartbeat_s=0.1)
    with watching(console) as events:
        records.change("work_orders", "order_id", order, state="on_site", on_site_ms=T0 + 9000)
        until(events, lambda event, data: event == "incident" and data["clocks"]["T11"] == T0 + 9000)


def test_each_moment_of_a_call_is_told_once(start_console: Callable[..., Served], records: Records) -> None:
    incident = records.incident(1)
    console = start_console(heartbeat_s=0.1)
    with watching(console) as events:
        call = records.call(incident, placed_ms=T0 + 60)
        told = until(events, lambda event, data: event == "timeline")
        records.change("calls", "call_id", call, ringing_ms=T0 + 900)
        told += until(events, lambda event, data: event == "timeline")
        records.change("calls", "call_id", call, key="1", key_ms=T0 + 5000, answered_ms=T0 + 2000, outcome="confirmed")
        told += until(events, lambda event, data: event == "timeline" and data["kind"] == "call_key")
    assert [data["kind"] for name, data in told if name == "timeline"] == ["call_placed", "call_ringing", "call_answered", "call_key"]


def test_a_sentence_that_comes_before_its_incident_waits_for_it(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    incident_id = uuid4()
    with watching(console) as events:
        with records.db.transaction():
            order = records.order(incident_id)
            records.step(order, "created", T0 + 60, "created")
        until(events, lambda event, data: event == "order")
        records.incident(1, incident_id=incident_id)
        told = until(events, lambda event, data: event == "timeline")
    assert told[-1][1]["en"] == "Emergency order created: QX-260402-0001"


def test_beats_carry_the_servers_time_as_comment_and_event(start_console: Callable[..., Served]) -> None:
    console = start_console(heartbeat_s=0.05)
    with console.http.stream("GET", "/api/v1/events") as response:
        lines = response.iter_lines()
        comment = next(line for line in lines if line.startswith(": heartbeat "))
        data = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
    assert int(comment.rpartition(" ")[2]) == data["now_ms"]
    assert data["rate"] == 1


def test_events_have_growing_ids(start_console: Callable[..., Served], records: Records) -> None:
    incident = records.incident(1)
    console = start_console(heartbeat_s=0.05)
    with console.http.stream("GET", "/api/v1/events") as response:
        lines = response.iter_lines()
        next(line for line in lines if '"live": true' in line)
        ids = []
        for number in range(3):
            records.change("incidents", "incident_id", incident, last_leak_ms=T0 + number)
            next(line for line in lines if line == "event: incident")
            ids.append(int(next(line for line in lines if line.startswith("id: ")).rpartition("-")[2]))
    assert ids == sorted(set(ids))


def test_a_lost_database_connection_is_told_and_followed_by_resync(start_console: Callable[..., Served], records: Records) -> None:
    incident = records.incident(1)
    console = start_console(heartbeat_s=0.05)
    with watching(console) as events:
        records.db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()")
        until(events, lambda event, data: event == "clock" and not data["live"] and data["since_ms"] is not None)
        until(events, lambda event, data: event == "resync")
        until(events, lambda event, data: event == "clock" and data["live"] and data["since_ms"] is None)
        records.change("incidents", "incident_id", incident, valve="accepted")
        until(events, lambda event, data: event == "incident" and data["valve"] == "accepted")


def test_a_slow_client_costs_the_others_nothing(start_console: Callable[..., Served], records: Records) -> None:
    incident = records.incident(1)
    console = start_console(heartbeat_s=0.05, stream_queue_max=20)
    address = httpx.URL(console.url)

    with socket.create_connection((address.host, address.port or 0)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        token = console.http.headers["Authorization"]
        slow.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n\r\n".encode())
        slow.recv(200)
        stop = threading.Event()

        def busy() -> None:
            number = 0
            with Records(records.dsn).db as db:
                while not stop.is_set():
                    number += 1
                    db.execute("UPDATE incidents SET reason = %s WHERE incident_id = %s", [str(number) * 50_000, incident])

        thread = threading.Thread(target=busy)
        thread.start()
        try:
            with watching(console) as events:
                for event, _ in events:
                    if event == "incident" and cut_off(console) == 1:
                        break
        finally:
            stop.set()
            thread.join(60)


def cut_off(console: Served) -> float:
    """How many clients were cut off, from /metrics."""
    lines = console.http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("gas_sentinel_stream_cut_off_total")).split()[1])


def test_too_many_watchers_are_refused_as_a_problem(start_console: Callable[..., Served]) -> None:
    console = start_console(stream_clients_max=1)
    with console.http.stream("GET", "/api/v1/events"):
        refused = console.http.get("/api/v1/events")
        assert (refused.status_code, refused.json()["reason"]) == (503, "too_many_watchers")


def test_a_console_that_stops_ends_its_streams(start_console: Callable[..., Served]) -> None:
    console = start_console(heartbeat_s=0.05)
    with console.http.stream("GET", "/api/v1/events") as response:
        lines = response.iter_lines()
        next(lines)
        console.server.should_exit = True
        for number, _ in enumerate(lines):
            assert number < 10_000, "the stream goes on"
