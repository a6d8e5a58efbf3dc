"""When the collector searches, and what it passes over."""

import gc
from collections.abc import Iterator

import pytest

from core import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize(("loaded", "passed_over"), [(collector.MANY, True), (collector.MANY - 1, False)])
def test_nothing_is_searched_while_much_is_loaded_and_that_not_ever(loaded: int, passed_over: bool) -> None:
    gc.unfreeze()
    rows: list[list[int]] = []
    with collector.paused(rows):
        assert not gc.isenabled()
        rows += [[number] for number in range(loaded)]
    assert gc.isenabled()
    assert (gc.get_freeze_count() > 0) == passed_over
    assert any(found is rows for found in gc.get_objects()) != passed_over


def test_whoever_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


async def test_what_is_young_is_searched_once_before_it_is_passed_over() -> None:
    class Knot:
        def __init__(self) -> None:
            self.self = self
            self.freed = freed

        def __del__(self) -> None:
            self.freed.append(True)

    freed: list[bool] = []
    gc.disable()
    Knot()
    kept = [Knot()]
    searching = collector.keep_short()
    searching.send(None)
    searching.close()
    assert freed == [True]
    assert not any(found is kept for found in gc.get_objects())
