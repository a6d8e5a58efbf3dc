"""The event stream of many: each is told what is his to see, masked by his rights, once, also over a lost connection."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel

from console.access.rights import RIGHTS, Right
from console.access.who import Who
from console.ring import Ring, Told
from console.watcher import PATIENCE_SECONDS, Watcher
from tests.console.eyes import ELSEWHERE, HERE, Quarter, city, look_as
from tests.console.stage import T0, Records, Served

EVENTS = "/api/v1/events"
Frame = tuple[str, str, Any, str]


def framed(lines: Iterator[str]) -> Iterator[Frame]:
    """(event, id, data, raw data) of a stream's lines."""
    event, event_id, data = "", "", ""
    for line in lines:
        name, _, value = line.partition(": ")
        match name:
            case "event":
                event = value
            case "id":
                event_id = value
            case "data":
                data = value
            case "" if not line and data:
                yield event, event_id, json.loads(data), data
                event, event_id, data = "", "", ""


@contextmanager
def watched(client: httpx.Client, last_event_id: str | None = None) -> Iterator[Iterator[Frame]]:
    """The stream from a moment at which the database is listened to, or from the very first frame of one that goes on."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with client.stream("GET", EVENTS, headers=headers) as response:
        assert response.status_code == 200
        frames = framed(response.iter_lines())
        if last_event_id is None:
            next(frame for frame in frames if frame[0] == "clock" and frame[2]["live"])
        yield frames


def up_to(frames: Iterator[Frame], wanted: Callable[[Frame], bool]) -> list[Frame]:
    """What comes up to and with what is wanted, without the clock's beats; of those only so many are waited for."""
    found, beats = [], 0
    for frame in frames:
        if frame[0] != "clock":
            found.append(frame)
        elif (beats := beats + 1) > 600:
            raise AssertionError(f"it never came; there were {[each[:2] for each in found]}")
        if wanted(frame):
            return found
    raise AssertionError("the stream ended")


def finish(records: Records, quarter: Quarter, word: str) -> None:
    """What :func:`is_finished` waits for: sentences are told behind the things that were changed before them."""
    records.change("incidents", "incident_id", quarter.incident, reason=word)
    records.event(quarter.incident, "close_resent", T0 + 900, word=word)


def is_finished(word: str) -> Callable[[Frame], bool]:
    return lambda frame: frame[0] == "timeline" and frame[2]["detail"].get("word") == word


def touch(records: Records, quarter: Quarter, number: int) -> None:
    """Change one of everything of a district."""
    records.change("calls", "call_id", quarter.call, ringing_ms=T0 + 90 + number, answered_ms=T0 + 100)
    records.change("tasks", "task_id", quarter.task, note=f"n{number}")
    records.change("commands", "command_id", quarter.command, sends=number)
    records.change("work_orders", "order_id", quarter.order, on_site_ms=T0 + number)
    records.step(quarter.order, "arrive", T0 + number, "on_site", actor=quarter.technician)
    records.event(quarter.incident, "close_resent", T0 + number, note=f"{quarter.values['estate']} {number}")
    records.change("crew_positions", "crew_id", quarter.crew, at_ms=T0 + number)


def test_each_watcher_is_told_what_is_his_to_see(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, there = city(records)
    with (
        watched(look_as(console, "operator", districts=[HERE])) as desk,
        watched(look_as(console, "operator", districts=[HERE, ELSEWHERE])) as both,
        watched(look_as(console, "technician", technician_id=here.technician)) as crew,
    ):
        for number in (1, 2):
            touch(records, there, number)
            touch(records, here, number)
        for quarter in (there, here):
            finish(records, quarter, "last")
        told = {"desk": up_to(desk, is_finished("last")), "crew": up_to(crew, is_finished("last"))}
        ends = up_to(both, is_finished("last"))
        ends += up_to(both, is_finished("last"))
    kinds = {"incident", "command", "order", "call", "task", "timeline", "crew"}
    assert kinds <= {frame[0] for frame in ends}
    assert any(there.find_in(frame[3]) for frame in ends), "there was something to leak"
    for who, frames in told.items():
        assert kinds <= {frame[0] for frame in frames}, who
        assert not [mark for frame in frames for mark in there.find_in(frame[3])], who
    # Judged by the same facts, whatever the way: what the stream told of is what the lists give.
    assert {frame[2]["incident_id"] for frame in told["crew"] if frame[0] == "incident"} == {str(here.incident)}


def test_people_are_masked_by_the_rights_of_each_watcher(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, _ = city(records)
    with watched(look_as(console, "operator")) as operator, watched(look_as(console, "viewer")) as viewer:
        touch(records, here, 1)
        finish(records, here, "last")
        clear, masked = up_to(operator, is_finished("last")), up_to(viewer, is_finished("last"))
        records.change("incidents", "incident_id", here.incident, state="closed", reason="closed")
        records.change("calls", "call_id", here.call, reason="after")
        closed = up_to(operator, lambda frame: frame[0] == "call" and frame[2]["reason"] == "after")
    assert [frame[:2] for frame in clear] == [frame[:2] for frame in masked], "the same events under the same ids"
    secrets = ("周敏", "+8613812340001", "+8613912340001")
    for event in ("call", "task", "crew", "timeline", "incident"):
        assert any(secret in frame[3] for frame in clear if frame[0] == event for secret in secrets), event
    assert not [secret for frame in masked for secret in secrets if secret in frame[3]]
    assert any("周**" in frame[3] for frame in masked if frame[0] == "call")
    assert "周敏" not in closed[-1][3]


def test_whoever_comes_back_is_told_everything_once(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, _ = city(records)
    steady, dropped = look_as(console, "operator"), look_as(console, "operator")
    with watched(steady) as all_along:
        with watched(dropped) as before:
            touch(records, here, 1)
            finish(records, here, "one")
            had = up_to(before, is_finished("one"))[:4]
        # He leaves in the middle of what was sent; meanwhile more happens, which nobody of his kind is there for.
        touch(records, here, 2)
        finish(records, here, "two")
        wanted = up_to(all_along, is_finished("two"))
        with watched(dropped, had[-1][1]) as again:
            had += up_to(again, is_finished("two"))
            touch(records, here, 3)
            finish(records, here, "three")
            had += up_to(again, is_finished("three"))
        wanted += up_to(all_along, is_finished("three"))
    ids = [frame[1] for frame in wanted]
    assert len(ids) == len(set(ids))
    assert [frame[1] for frame in had] == ids[ids.index(had[0][1]) :]
    assert not [frame for frame in had if frame[0] == "resync"]


def test_whoever_comes_back_after_the_end_of_an_incident_is_sent_no_names_again(
    start_console: Callable[..., Served], records: Records
) -> None:
    console = start_console(heartbeat_s=0.1)
    here, there = city(records)
    dropped = look_as(console, "operator")
    with watched(look_as(console, "operator")) as steady:
        with watched(dropped) as before:
            finish(records, here, "left")
            place = up_to(before, is_finished("left"))[-1][1]
        up_to(steady, is_finished("left"))
        records.change("commands", "command_id", here.command, reason="ring +8613812340001")
        said = {"at_ms": T0, "kind": "remark", "actor": "desk", "display": "desk", "note": "ring +8613812340001"}
        records.put("incident_remarks", remark_id=uuid4(), incident_id=here.incident, **said)
        for quarter in (there, here):
            touch(records, quarter, 1)
            finish(records, quarter, "one")
        told = up_to(steady, is_finished("one"))
        told += up_to(steady, is_finished("one"))
        records.change("incidents", "incident_id", here.incident, state="closed", reason="closed")
        up_to(steady, lambda frame: frame[0] == "incident" and frame[2]["reason"] == "closed")
    with watched(dropped, place) as again:
        had = up_to(again, lambda frame: frame[0] == "incident" and frame[2]["reason"] == "closed")
    assert [frame for frame in told if "周敏" in frame[3] and frame[0] in {"call", "timeline"}], "there was a name to be told"
    assert {"command", "remark"} <= {frame[0] for frame in told if "+8613812340001" in frame[3]}, "and a number in what was said"
    of_here = [frame for frame in had if str(here.incident) in frame[3]]
    assert {"call", "task", "order", "command", "remark", "timeline", "incident"} <= {frame[0] for frame in of_here}, (
        "he misses nothing of it"
    )
    names = ("周敏", "+8613812340001")
    assert not [frame for frame in of_here if frame[0] != "crew" and any(name in frame[3] for name in names)]
    elsewhere = records.db.execute("SELECT name FROM contacts WHERE home_id = %s", [there.home]).fetchone()
    assert elsewhere is not None
    assert [frame for frame in had if frame[0] == "call" and elsewhere[0] in frame[3]], "the other incident is still open"


def test_every_event_has_an_id_and_the_clocks_lead_to_the_same_place(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.05)
    here, _ = city(records)
    with look_as(console, "viewer", districts=[ELSEWHERE]).stream("GET", EVENTS) as response:
        frames = framed(response.iter_lines())
        next(frame for frame in frames if frame[0] == "clock" and frame[2]["live"])
        first = next(frame for frame in frames if frame[0] == "clock")
        records.change("incidents", "incident_id", here.incident, reason="not his")
        # What is not his to see moves his place on: coming back he is not told it either.
        moved = next(frame for frame in frames if frame[0] == "clock" and frame[1] != first[1])
    assert all(frame[1] for frame in (first, moved))
    assert int(moved[1].rpartition("-")[2]) > int(first[1].rpartition("-")[2])


def test_an_id_of_another_life_or_of_long_ago_is_told_to_read_again(start_console: Callable[..., Served], records: Records) -> None:
    city(records)
    first, second = start_console(heartbeat_s=0.1), start_console(heartbeat_s=0.1)
    with watched(look_as(first, "viewer")) as frames:
        place = next(frames)[1]
    for given, reason in ((place, "console_restarted"), ("nonsense", "console_restarted"), (f"{place}9", "console_restarted")):
        with watched(look_as(second, "viewer"), given) as frames:
            told = next(frame for frame in frames if frame[0] != "clock")
            assert (told[0], told[2]["reason"]) == ("resync", reason)
    with watched(look_as(first, "viewer"), f"{place}9") as frames:
        told = next(frame for frame in frames if frame[0] != "clock")
        assert (told[0], told[2]["reason"]) == ("resync", "away_too_long")
    response = look_as(second, "viewer").get(EVENTS, params={"after": "x" * 100})
    assert response.status_code == 422


def test_whose_session_ends_is_told_so_and_whose_rights_change_sees_by_the_new_ones(
    start_console: Callable[..., Served], records: Records
) -> None:
    console = start_console(heartbeat_s=0.1, look_s=0.1)
    here, there = city(records)
    leaving, moving = console.signed_in("operator", name="leaving"), console.signed_in("operator", name="moving")
    with watched(leaving) as left, watched(moving) as moved:
        records.db.execute("DELETE FROM sessions USING users WHERE users.user_id = sessions.user_id AND name = 'leaving'")
        records.db.execute("UPDATE users SET districts = %s, roles = '{viewer}' WHERE name = 'moving'", [[ELSEWHERE]])
        frames = list(left)
        assert [frame[0] for frame in frames if frame[0] not in {"clock", "resync"}] == ["signed_out"]
        assert frames[-1][0] == "signed_out"
        up_to(moved, lambda frame: frame[0] == "resync" and frame[2]["reason"] == "rights_changed")
        for quarter in (here, there):
            touch(records, quarter, 1)
        finish(records, there, "last")
        told = up_to(moved, is_finished("last"))
    assert not [mark for frame in told for mark in here.find_in(frame[3])]
    assert any("黄**" in frame[3] for frame in told)
    assert leaving.get(EVENTS).status_code == 401


def test_a_crew_whose_order_is_taken_back_reads_again(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, there = city(records)
    with watched(look_as(console, "technician", technician_id=here.technician)) as crew:
        records.change("work_orders", "order_id", here.order, state="waiting", crew_id=None, technician_id=None)
        records.step(here.order, "reassign", T0 + 5, "waiting", from_crew=here.crew)
        told = up_to(crew, lambda frame: frame[0] == "resync" and frame[2]["reason"] == "taken_back")
        assert told[-1][2]["order_no"] == here.order_no
        records.change("work_orders", "order_id", there.order, crew_id=here.crew)
        given = up_to(crew, lambda frame: frame[0] == "order")
        assert given[-1][2]["order_no"] == there.order_no
    assert not [frame for frame in told if frame[0] == "order"], "it was no longer his when it was told"


def test_what_people_say_send_and_sign_is_told_to_whom_it_concerns(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, there = city(records)
    operator = look_as(console, "operator", districts=[HERE])
    watchers = {
        "operator": operator,
        "elsewhere": look_as(console, "operator", districts=[ELSEWHERE]),
        "viewer": look_as(console, "viewer"),
        "crew": look_as(console, "technician", technician_id=here.technician),
        "everywhere": look_as(console, "supervisor"),
    }
    with ExitStack() as stack:
        streams = {who: stack.enter_context(watched(client)) for who, client in watchers.items()}
        assert operator.post(f"/api/v1/incidents/{here.incident}/remarks", json={"text": "ring 13812345678"}).status_code == 200
        records.put(
            "order_attachments", attachment_id=uuid4(), order_id=here.order, kind="photo", media_type="image/jpeg", bytes=b"x", size=1,
            sha256=b"x", happened_ms=T0, received_ms=T0, made_by=here.technician,
        )  # fmt: skip
        for desk in (HERE, f"{HERE},{ELSEWHERE}", "*"):
            records.put(
                "handovers", handover_id=uuid4(), desk=desk, after=UUID(int=0), begun_ms=T0, actor="desk", display="desk", remarks="",
                owners={}, document={"incidents": [], "tasks": []},
            )  # fmt: skip
        told: dict[str, list[Frame]] = {who: [] for who in streams}
        # Sentences that were read together are told by their time. The remark's is now: it may stand behind the first end, not the second.
        for word in ("last", "very last"):
            for quarter in (here, there):
                finish(records, quarter, word)
            for who, frames in streams.items():
                told[who] += up_to(frames, is_finished(word))
    names = {who: {frame[0] for frame in frames} & {"remark", "attachment", "handover"} for who, frames in told.items()}
    assert names == {
        "operator": {"remark", "attachment", "handover"},
        "elsewhere": set(),
        "viewer": {"remark", "attachment"},
        "crew": {"remark", "attachment"},
        "everywhere": {"remark", "attachment", "handover"},
    }
    for who, client in watchers.items():
        handed = {frame[2]["desk"] for frame in told[who] if frame[0] == "handover"}
        answer = client.get("/api/v1/handovers")
        assert handed == ({item["desk"] for item in answer.json()["items"]} if answer.status_code == 200 else set()), who
    said = {who: next(frame[2]["text"] for frame in told[who] if frame[0] == "remark") for who in ("operator", "viewer")}
    assert said == {"operator": "ring 13812345678", "viewer": "ring 138****5678"}
    sentences = [frame[2]["zh"] for frame in told["viewer"] if frame[0] == "timeline" and frame[2]["kind"] == "remark"]
    assert len(sentences) == 1
    assert sentences[0].endswith("ring 138****5678")


def test_where_a_crew_is_comes_while_it_works(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(heartbeat_s=0.1)
    here, _ = city(records)
    viewer = look_as(console, "viewer")
    with watched(viewer) as frames:
        told_ms = round(time.time() * 1000)
        records.change("crew_positions", "crew_id", here.crew, lon=113.25, at_ms=told_ms)
        told = up_to(frames, lambda frame: frame[0] == "crew")[-1][2]
        assert (told["crew_id"], told["lon"], told["position_ms"]) == (here.crew, 113.25, told_ms)
        assert told == viewer.get("/api/v1/crews").json()["items"][0]
        records.change("work_orders", "order_id", here.order, state="archived", archived_ms=T0 + 6)
        assert up_to(frames, lambda frame: frame[0] == "crew")[-1][2]["lon"] is None


# -- the ring and who takes from it -----------------------------------------------------------------------------------------------------


class Thing(BaseModel):
    number: int


def who(*rights: Right) -> Who:
    return Who(None, "x", "x", frozenset(), None, None, None, "password", frozenset(rights), 0)


def tell(ring: Ring, number: int, *, hidden: bool = False) -> None:
    def clear_for(looker: Who) -> bool:
        return looker.may("read_people")

    ring.tell(Told("thing", Thing(number=number), Thing(number=-number), lambda _: not hidden, clear_for))


def watcher(ring: Ring, looker: Who, position: int) -> Watcher:
    async def still(known: Who) -> Who | None:
        return known

    return Watcher(ring, looker, still, lambda at, _: f"id: {at}\n\n".encode(), position)


def numbers(chunk: bytes | None) -> list[int]:
    return [json.loads(line[6:])["number"] for line in (chunk or b"").decode().splitlines() if line.startswith("data: ")]


def test_the_ring_forgets_the_oldest_by_number_size_and_age_and_knows_it() -> None:
    by_number, by_size, by_age = Ring(most=3), Ring(size=200), Ring(seconds=0)
    for ring in (by_number, by_size, by_age):
        for number in range(1, 11):
            tell(ring, number)
        assert ring.last == 10
        assert not ring.follows(0)
        assert ring.follows(10)
        assert not ring.follows(11)
    assert (by_number.first, by_number.follows(7), by_number.follows(6)) == (8, True, False)
    by_number.forget()
    assert not by_number.follows(10), "what comes after a gap does not follow what was before it"
    tell(by_number, 11)
    assert by_number.follows(by_number.last - 1)


def test_what_was_told_in_clear_is_judged_anew_once_the_incident_is_over() -> None:
    ring, reads = Ring(most=5), who("read_people")

    def told(number: int, whose: str | None, *, over: bool = False) -> None:
        def clear_for(looker: Who) -> bool:
            return looker.may("unmask") or (not over and looker.may("read_people"))

        ring.tell(Told("thing", Thing(number=number), Thing(number=-number), lambda _: True, clear_for, whose, over))

    def shown(looker: Who) -> list[int]:
        frames = [event.frame(looker) for number in range(ring.first, ring.last + 1) if (event := ring.get(number))]
        return [each for frame in frames for each in numbers(frame)]

    for number, whose in enumerate(("H1", "H2", None, "H1"), 1):
        told(number, whose)
    assert shown(reads) == [1, 2, 3, 4]
    told(5, "H1", over=True)
    assert shown(reads) == [-1, 2, 3, -4, -5]
    assert shown(who("unmask")) == [1, 2, 3, 4, 5], "who reads names without an open incident still does"
    # It leaks there again; what the ring has forgotten meanwhile is not looked for.
    for number in range(6, 11):
        told(number, "H1")
    assert shown(reads) == [6, 7, 8, 9, 10]
    told(11, "H2", over=True)
    told(12, "H1", over=True)
    assert shown(reads) == [-8, -9, -10, -11, -12]
    ring.forget()
    told(13, "H1", over=True)
    assert shown(reads) == [-13]


def test_a_position_is_read_from_ids_of_this_life_only() -> None:
    ring, other = Ring(), Ring()
    tell(ring, 1)
    assert ring.position(ring.id_of(1)) == 1
    for given in (None, "", "1", "-1", f"{ring.life}-", f"{ring.life}--1", f"{ring.life}-１", f"{ring.life}-{'9' * 40}", other.id_of(1)):
        assert ring.position(given) is None, given


async def test_what_many_see_is_rendered_once() -> None:
    ring = Ring()
    tell(ring, 1)
    event = ring.get(1)
    assert event is not None
    seen = [event.frame(who(*rights)) for rights in (("read",), ("read",), ("read", "read_people"), RIGHTS["operator"])]
    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    assert seen[0] != seen[2]


async def test_a_watcher_takes_at_his_own_pace_and_only_what_is_his() -> None:
    ring = Ring()
    for number in range(1, 6):
        tell(ring, number, hidden=number == 3)
    one, late = watcher(ring, who("read_people"), 0), watcher(ring, who(), 2)
    assert numbers(await one.next()) == [1, 2, 4, 5]
    tell(ring, 6)
    assert numbers(await one.next()) == [6]
    assert numbers(await late.next()) == [-4, -5, -6]
    assert (one.position, late.position) == (6, 6)
    late.end(b'data: {"number": 0}\n\n')
    assert numbers(await late.next()) == [0]
    assert await late.next() is None


async def test_who_is_behind_for_long_is_too_slow_and_who_catches_up_is_not() -> None:
    ring = Ring(most=50)
    slow = watcher(ring, who(), 0)
    await slow.next()
    for number in range(1, 31):
        tell(ring, number)
    back = watcher(ring, who(), 0)
    assert not slow.too_slow(20, 100.0), "he was not even asked"
    assert slow.too_slow(20, 100.0 + PATIENCE_SECONDS + 1)
    assert not back.too_slow(20, 1000.0)
    for number in range(31, 100):
        tell(ring, number)
    assert back.too_slow(20, 1000.0), "the ring no longer has what he misses"
