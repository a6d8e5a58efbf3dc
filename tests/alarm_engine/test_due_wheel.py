"""The wheel of due times: nothing comes too early, nothing is lost, and one turn is never too long."""

from hypothesis import given
from hypothesis import strategies as st

from alarm_engine.conditions import Conditions
from alarm_engine.due_wheel import DueWheel
from tests.alarm_engine.stage import Stage, device, home


@given(
    st.lists(st.floats(0, 200), max_size=60),
    st.lists(st.floats(0, 60), min_size=1, max_size=20),
    st.integers(1, 7),
)
def test_each_thing_comes_out_once_and_not_before_it_is_due(dues: list[float], steps: list[float], most: int) -> None:
    wheel: DueWheel[int] = DueWheel()
    for number, due in enumerate(dues):
        wheel.put(number, due)
    now, out = 0.0, []
    for step in [*steps, *[60.0] * 100]:
        now += step
        found = [thing for _, thing in wheel.turn(now, most)]
        assert len(found) <= most
        assert all(dues[thing] <= now for thing in found)
        out += found
    assert sorted(out) == list(range(len(dues)))


def test_what_is_put_while_it_turns_comes_in_its_own_time() -> None:
    wheel: DueWheel[str] = DueWheel()
    wheel.put("first", 1.0)
    found = []
    for slot, thing in wheel.turn(10.0, 100):
        found.append((slot, thing))
        if thing == "first":
            assert wheel.put("soon", 3.0) == 4
            assert wheel.put("later", 20.0) == 21
    assert found == [(2, "first"), (4, "soon")]
    assert wheel.put("past", 0.0) == 11
    assert [thing for _, thing in wheel.turn(30.0, 100)] == ["past", "later"]


async def test_a_city_that_falls_silent_at_once_takes_many_short_ticks() -> None:
    stage = Stage()
    homes = [home(f"C{n}", None) for n in range(2_500)]
    stage.state.registry.apply(homes, [device(100 + n, f"CD{n}", "detector", f"C{n}") for n in range(2_500)], version=2)
    conditions = Conditions(stage.state, lambda: True)
    conditions.tick()
    for _ in range(11):
        conditions.enlist()
    await stage.clock.advance(3_000.0)
    counts = []
    for _ in range(4):
        before = conditions.homes("silent")
        conditions.tick()
        counts.append(conditions.homes("silent") - before)
        await stage.clock.advance(1.0)
    assert max(counts) <= 1_000
    assert conditions.homes("silent") == 2_500 + 3
    assert max(len(rows.conditions) for rows in stage.ports.written) <= 500
