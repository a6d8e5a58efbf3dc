"""Who gets a telephone line when there are fewer lines than calls."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from dispatch.lines import Lines


def test_first_calls_come_before_anybodys_second_then_the_more_urgent_then_who_asked_first() -> None:
    lines = Lines(1)
    busy, again, late, early, urgent = (uuid4() for _ in range(5))
    lines.want(busy, (1, 4))
    assert lines.next(0) == busy
    for call, rank in ((again, (2, 1)), (early, (1, 4)), (late, (1, 4)), (urgent, (1, 2))):
        lines.want(call, rank)
    served = []
    for _ in range(4):
        assert lines.next(0) is None
        lines.let_go(busy)
        busy = lines.next(0) or uuid4()
        served.append(busy)
    assert served == [urgent, early, late, again]


def test_a_rank_may_change_while_waiting() -> None:
    lines = Lines(1)
    first, second = uuid4(), uuid4()
    lines.want(first, (1, 4))
    lines.want(second, (1, 4))
    lines.want(second, (1, 2))
    assert lines.next(0) == second
    lines.want(second, (1, 9))  # it has its line
    lines.let_go(second)
    assert lines.next(0) == first
    assert lines.next(0) is None


@given(st.lists(st.tuples(st.sampled_from(["want", "next", "let_go", "hold"]), st.integers(0, 5), st.integers(1, 3)), max_size=60))
def test_no_call_is_lost_and_no_line_is_given_twice(events: list[tuple[str, int, int]]) -> None:
    lines = Lines(2)
    wanted: set[UUID] = set()
    granted: set[UUID] = set()
    held = 0
    for what, number, rank in events:
        call = UUID(int=number)
        match what:
            case "want":
                lines.want(call, (rank, rank))
                wanted |= {call} - granted
            case "next":
                given = lines.next(0)
                if given is not None:
                    assert given in wanted
                    wanted.discard(given)
                    granted.add(given)
                else:
                    assert not wanted or len(granted) >= 2
            case "hold":
                lines.hold(call, 0)
                held += 1
                wanted.discard(call)
                granted.add(call)
            case _:
                lines.let_go(call)
                wanted.discard(call)
                granted.discard(call)
        assert (lines.waiting, lines.busy) == (len(wanted), len(granted))
        assert lines.busy <= 2 + held
