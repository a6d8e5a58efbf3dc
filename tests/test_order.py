"""The order in which the tests begin where several processes share them."""

from itertools import chain

import pytest

from tests.conftest import LONGEST, longest_first
from tests.docs.reading import ROOT


def shares(names: list[str], workers: int) -> list[list[str]]:
    """What each process is handed at first, as ``--dist worksteal`` does it."""
    left, handed = list(names), []
    for worker in range(workers):
        size = len(left) // (workers - worker)
        handed.append(left[:size])
        del left[:size]
    return handed


@pytest.mark.parametrize("workers", [2, 3, 4, 5])
def test_every_process_begins_with_its_share_of_the_longest(workers: int) -> None:
    names = [*(f"tests/docs/{number}" for number in range(40)), *reversed(LONGEST), "tests/simulator/last"]
    ordered = longest_first(names, workers)
    assert sorted(ordered) == sorted(names)
    heads = [share[at] for at in range(len(LONGEST)) for share in shares(ordered, workers) if at < len(share)]
    assert tuple(heads[: len(LONGEST)]) == LONGEST
    short = [name for name in chain(*shares(ordered, workers)) if name not in LONGEST]
    assert short == [name for name in names if name not in LONGEST]


def test_nothing_but_the_longest_is_shared_out_as_well() -> None:
    assert sorted(longest_first([*LONGEST], 4)) == sorted(LONGEST)
    assert longest_first([], 4) == []


def test_the_longest_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name.partition("::")[0]).exists()] == []
