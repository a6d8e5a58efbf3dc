"""Two ids of one incident: which one stays, what is kept of both, and that a picture without the database knows it too."""

from typing import Any
from uuid import UUID

from alarm_engine.aliases import Stored, kept, rename, settle
from alarm_engine.incident import Incident
from alarm_engine.picture import Picture
from alarm_engine.record import alias_row, event
from alarm_engine.rows import Row, Rows

OURS, THEIRS, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)


def row(key: UUID, state: str = "open", place: str = "H1", **changes: Any) -> Row:
    opened = Incident(
        incident_id=key,
        kind="leak",
        place=place,
        account="D1",
        device_id="D1",
        home=None,
        simulated=True,
        lane="alarm",
        reason="event",
        ch4_lel=20.0,
        alarm_lel=10.0,
        boot=1,
        seq=1,
        alarmed_ms=1,
        received_ms=2,
        last_leak_ms=2,
    )
    return {**opened.row(), "state": state, **changes}


def opens(key: UUID, state: str = "open", place: str = "H1") -> Rows:
    return Rows(incidents={key: row(key, state, place)})


def stored(key: UUID = THEIRS, place: str = "H1") -> Stored:
    return Stored({key: row(key, place=place)})


def test_what_was_opened_anew_is_the_stored_one() -> None:
    assert settle([opens(OURS), opens(UUID(int=9), place="H9")], stored()) == {OURS: THEIRS}


def test_a_stored_incident_that_ended_among_what_waits_is_nobodys_other_name() -> None:
    assert settle([opens(THEIRS, "closed"), opens(OURS)], stored()) == {}


def test_what_is_known_as_an_alias_stays_one() -> None:
    known = Stored({THEIRS: row(THEIRS)}, {OURS: THEIRS, THIRD: THEIRS})
    assert settle([opens(OURS)], known) == {OURS: THEIRS, THIRD: THEIRS}
    assert settle([Rows(events=[event(OURS, 1, "opened")])], known)[OURS] == THEIRS  # also where its own row waits no more


def test_two_that_wait_for_one_place_are_one() -> None:
    assert settle([opens(OURS), opens(THIRD)], Stored()) == {THIRD: OURS}


def test_what_opened_and_ended_meanwhile_never_stands_open_beside_the_stored_one() -> None:
    waiting = [opens(OURS), opens(OURS, "closed"), opens(THIRD)]
    assert settle(waiting, stored()) == {THIRD: THEIRS}
    assert [rows.incidents[OURS]["state"] for rows in waiting[:2]] == ["closed", "closed"]


def test_everything_follows_the_alias() -> None:
    rows = opens(OURS)
    rows.add(
        Rows(
            commands={THIRD: {"command_id": str(THIRD), "incident_id": str(OURS)}},
            alarms=[{"incident_id": str(OURS)}, {"incident_id": None}],
            events=[event(OURS, 1, "opened"), event(THIRD, 1, "opened")],
            outbox=[{"message_id": str(THIRD), "incident_id": str(OURS)}],
            holds={THIRD: {"hold_id": str(THIRD), "incident_id": str(OURS)}},
            aliases=[alias_row(THIRD, OURS, 1, "why")],
        )
    )
    rename(rows, {OURS: THEIRS}, stored())
    assert set(rows.incidents) == {THEIRS}
    assert rows.incidents[THEIRS]["incident_id"] == str(THEIRS)
    belongs = [[row["incident_id"] for row in table] for table in (rows.commands.values(), rows.outbox, rows.holds.values(), rows.aliases)]
    assert belongs == [[str(THEIRS)]] * 4
    assert [row["incident_id"] for row in rows.alarms] == [str(THEIRS), None]
    assert [row["incident_id"] for row in rows.events] == [str(THEIRS), str(THIRD)]


def test_first_times_devices_and_the_graver_kind_are_kept() -> None:
    theirs = row(THEIRS, close_sent_ms=5, holds_ms=None, opened_valve_ms=7, devices=["D1"])
    ours = row(OURS, close_sent_ms=50, holds_ms=60, kind="past_leak", devices=["D1", "D1B"])
    merged = {**ours, **kept(ours, theirs)}
    expected = {"close_sent_ms": 5, "holds_ms": 60, "opened_valve_ms": 7, "kind": "leak", "devices": ["D1", "D1B"]}
    assert {name: merged[name] for name in expected} == expected


def test_a_picture_knows_one_of_both() -> None:
    """The snapshot is older than the alias: a start without the database does not open the same incident twice."""
    picture = Picture()
    picture.fold(opens(OURS))
    picture.fold(Rows(commands={THIRD: {"command_id": str(THIRD), "incident_id": str(OURS), "device_id": "M1", "order_no": 4}}))
    picture.fold(Rows(aliases=[alias_row(OURS, THEIRS, 1, "why")]))
    assert list(picture.incidents) == [str(THEIRS)]
    assert picture.incidents[str(THEIRS)]["incident_id"] == str(THEIRS)
    assert picture.commands[str(THIRD)]["incident_id"] == str(THEIRS)
    picture.fold(opens(THEIRS, "closed"))
    assert picture.incidents == {}


def test_an_alias_of_what_has_ended_opens_nothing_in_a_picture() -> None:
    picture = Picture()
    for rows in (opens(OURS), opens(THEIRS, "closed"), Rows(aliases=[alias_row(OURS, THEIRS, 1, "why")])):
        picture.fold(rows)
    assert picture.incidents == {}
