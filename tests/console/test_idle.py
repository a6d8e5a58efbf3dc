"""A desk that nobody sits at is signed out, whatever its pages ask by themselves; who sits there is not, however seldom he touches it."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import pytest
from pydantic import ValidationError

from console.access.access import Access
from console.access.rights import Role
from console.settings import ConsoleSettings
from core.clock import ManualClock
from tests.console.access_stage import user
from tests.console.stage import Records, Served

_MIN_S: Final = 60
ORIGIN: Final = "10.0.0.1"
IDLE_MS: Final = 30 * 60_000


@pytest.fixture
async def cookie(access: Access, clock: ManualClock) -> str:
    return await access.sessions.begin(await user(access), ORIGIN, clock.now_ms())


async def somebody(access: Access, *roles: Role) -> UUID:
    """A new user, also a technician, whose crew nobody asks for here."""
    user_id = await user(access, "somebody")
    await access._store.own("UPDATE users SET roles = %(roles)s WHERE user_id = %(user_id)s", {"roles": list(roles), "user_id": user_id})
    return user_id


async def polled(access: Access, clock: ManualClock, cookie: str, minutes: int, acts: Collection[int] = ()) -> list[bool]:
    """Signed in or not, at each of a page's polls, one every ten seconds; ``acts``: the minutes in which a person did something."""
    found = []
    began_ms = clock.now_ms()
    acted_ms = began_ms
    for _ in range(minutes * 6):
        await clock.advance(10)
        if (clock.now_ms() - began_ms) // 60_000 in acts:
            acted_ms = clock.now_ms()
        found.append(await access.of_cookie(cookie, ORIGIN, clock.now_ms() - acted_ms) is not None)
    return found


async def test_a_page_that_goes_on_asking_keeps_nobody_signed_in(access: Access, clock: ManualClock, cookie: str) -> None:
    found = await polled(access, clock, cookie, 35)
    assert found == [True] * 179 + [False] * 31, "until half an hour after he sat down, and no longer"


def test_an_idle_end_is_longer_than_its_own_warning() -> None:
    assert ConsoleSettings.model_validate({"postgres_dsn": "", "desk_idle_minutes": 15}).desk_idle_minutes == 15
    with pytest.raises(ValidationError, match="desk_idle_minutes"):
        ConsoleSettings.model_validate({"postgres_dsn": "", "desk_idle_minutes": 14.9})


async def test_who_moves_once_in_twenty_minutes_stays(access: Access, clock: ManualClock, cookie: str) -> None:
    assert all(await polled(access, clock, cookie, 100, range(0, 100, 20)))


async def test_the_end_is_counted_from_the_act_not_from_the_word_of_it(access: Access, clock: ManualClock, cookie: str) -> None:
    await clock.advance(20 * _MIN_S)
    who = await access.of_cookie(cookie, ORIGIN, 4 * 60_000)
    assert who is not None
    assert who.expires_ms == clock.now_ms() - 4 * 60_000 + IDLE_MS


async def test_no_word_of_a_page_makes_a_session_shorter_or_longer_than_it_was(
    access: Access,
    clock: ManualClock,
    cookie: str,
) -> None:
    began_ms = clock.now_ms()
    await clock.advance(5 * _MIN_S)
    for idle_ms in (10 * 3_600_000, None):
        who = await access.of_cookie(cookie, ORIGIN, idle_ms)
        assert who is not None
        assert who.expires_ms == began_ms + IDLE_MS
    who = await access.of_cookie(cookie, ORIGIN, -3_600_000)
    assert who is not None
    assert who.expires_ms == clock.now_ms() + IDLE_MS, "a page does not know the future"


async def test_who_acts_all_the_time_is_still_known_after_a_new_start_of_the_console(
    access: Access,
    clock: ManualClock,
    cookie: str,
) -> None:
    for _ in range(60):
        await clock.advance(30)
        assert await access.of_cookie(cookie, ORIGIN) is not None
    await clock.advance(20 * _MIN_S)
    access.forget()
    assert await access.of_cookie(cookie, ORIGIN, 20 * 60_000) is not None


@pytest.mark.parametrize("roles", [("viewer",), ("technician",), ("technician", "viewer")])
async def test_a_wall_and_a_phone_in_a_stairwell_have_no_idle_end(access: Access, clock: ManualClock, roles: Any) -> None:
    cookie = await access.sessions.begin(await somebody(access, *roles), ORIGIN, clock.now_ms())
    for _ in range(11):
        await clock.advance(3600)
        assert await access.of_cookie(cookie, ORIGIN, clock.now_ms()) is not None


async def test_a_technician_who_sits_at_a_desk_too_has_the_desks_end(access: Access, clock: ManualClock) -> None:
    cookie = await access.sessions.begin(await somebody(access, "technician", "dispatcher"), ORIGIN, clock.now_ms())
    await clock.advance(31 * _MIN_S)
    assert await access.of_cookie(cookie, ORIGIN) is None


NOT_AN_ACT: Final = (
    ("a page that nobody touched", "/api/v1/session", {"X-Idle-Seconds": "1600"}),
    ("a word that is no number", "/api/v1/session", {"X-Idle-Seconds": "-5"}),
    ("a picture of a page", "/api/v1/session", {"Sec-Fetch-Dest": "image"}),
)


@pytest.mark.parametrize(("path", "headers"), [case[1:] for case in NOT_AN_ACT], ids=[case[0] for case in NOT_AN_ACT])
def test_what_is_no_act_of_a_person_moves_no_end(console: Served, records: Records, path: str, headers: dict[str, str]) -> None:
    desk, began_ms = _desk_since_25_min(console, records)
    assert desk.get(path, headers=headers).json()["expires_ms"] == began_ms + IDLE_MS
    assert _seen(records) == began_ms
    acted = desk.get("/api/v1/session", headers={"X-Idle-Seconds": "30"}).json()
    assert began_ms + 1_470_000 + IDLE_MS <= acted["expires_ms"] <= acted["now_ms"] - 30_000 + IDLE_MS
    assert _seen(records) > began_ms


def test_a_stream_that_is_opened_anew_is_no_act_of_a_person(console: Served, records: Records) -> None:
    desk, began_ms = _desk_since_25_min(console, records)
    with desk.stream("GET", "/api/v1/events") as events:
        assert events.status_code == 200
        next(events.iter_raw())
    assert _seen(records) == began_ms
    assert desk.get("/api/v1/session").json()["expires_ms"] > began_ms + IDLE_MS


def _desk_since_25_min(console: Served, records: Records) -> tuple[Any, int]:
    desk = console.signed_in("operator", name="night-desk")
    row = records.db.execute("UPDATE sessions SET seen_ms = seen_ms - 1500000 RETURNING seen_ms").fetchone()
    assert row is not None
    return desk, row[0]


def _seen(records: Records) -> int:
    row = records.db.execute("SELECT seen_ms FROM sessions").fetchone()
    assert row is not None
    return int(row[0])
