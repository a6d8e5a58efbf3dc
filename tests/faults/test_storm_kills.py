"""Who is killed when, and that the work goes on beside it. The storm itself is played by ``tests/scenarios``."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import pytest

from core.errors import UserError
from deploy.kills import KILLABLE, Killer, killable, moments
from deploy.own_platform import OwnPlatform
from deploy.plays import UNDER_FIRE
from deploy.up import Platform

PARTS = ("line", "dispatch", "voice", "console", "broker", "postgres")


def test_every_round_kills_each_part_once_and_the_seed_decides() -> None:
    some = list(islice(moments(PARTS, 7, 8.0), 30))
    assert some == list(islice(moments(PARTS, 7, 8.0), 30))
    assert some != list(islice(moments(PARTS, 8, 8.0), 30))
    for start in range(0, 30, 6):
        assert sorted(name for _, name in some[start : start + 6]) == sorted(PARTS)
    assert all(4.0 <= pause_s <= 12.0 for pause_s, _ in some)


def test_the_storm_of_the_tests_kills_every_part_that_there_is() -> None:
    _, (option, names) = UNDER_FIRE
    assert option == "--kill"
    assert set(killable(names)) == set(KILLABLE) == set(PARTS)


def test_only_parts_that_there_are_can_be_killed() -> None:
    assert killable("line, broker,line") == ("line", "broker")
    for wrong in ("up", "line,supervisor", ""):
        with pytest.raises(UserError, match="--kill does not know"):
            killable(wrong)


@pytest.fixture
def sleepers() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    ours = {name: subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for name in ("line", "voice")}
    yield ours
    for child in ours.values():
        child.kill()
        child.wait()


def test_a_kill_is_a_kill_9_and_who_is_down_is_waited_for(sleepers: dict[str, subprocess.Popen[bytes]]) -> None:
    def pid_of(name: str) -> int | None:
        child = sleepers[name]
        return child.pid if child.poll() is None else None

    killer = Killer(("line", "voice"), 1, 0.01, pid_of, rounds=1)
    killer.look()
    assert not killer.done
    killer.begin()
    while not killer.enough:
        killer.look()
        for child in sleepers.values():
            if child.pid in {sleepers[killed.name].pid for killed in killer.done}:
                assert child.wait(60) == -9
    for _ in range(100):
        killer.look()  # both are down: nobody is left to hit
    assert killer.counts() == {"line": 1, "voice": 1}
    killer.end()
    killer.look()
    assert len(killer.done) == 2


class _Parts:
    """The parts of a platform, as far as the one who works beside them can see."""

    def __init__(self) -> None:
        self.line: dict[str, Any] = {"http": "http://127.0.0.1:1"}
        self.looks = 0

    def watch(self) -> None:
        self.looks += 1


def _own() -> tuple[OwnPlatform, _Parts]:
    parts = _Parts()
    return OwnPlatform(cast("Platform", parts)), parts


def test_the_platform_is_looked_after_while_the_work_runs() -> None:
    own, parts = _own()
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1

    async def doing() -> str:
        async with asyncio.timeout(90):
            while parts.looks < 3:
                await asyncio.sleep(0.01)
        return "done"

    assert own.work(doing, look) == "done"
    assert looked >= 3


def test_what_goes_wrong_in_the_work_reaches_its_owner() -> None:
    async def doing() -> None:
        raise UserError("不行", "it cannot be done")

    with pytest.raises(UserError, match="it cannot be done"):
        _own()[0].work(doing)


def test_an_interrupt_ends_the_work_before_it_goes_on() -> None:
    begun, ended = False, False

    async def doing() -> None:
        nonlocal begun, ended
        begun = True
        try:
            await asyncio.sleep(600)
        finally:
            ended = True

    def look() -> None:
        if begun:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _own()[0].work(doing, look)
    assert ended
