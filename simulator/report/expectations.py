"""What this one scenario expects beside the invariants: who closed the valve, who was reached, how the work ended. Pure.

The words are those of :mod:`simulator.scenarios.expected`; what a scenario leaves out is not judged.
"""

from simulator.report.facts import Facts, Finding, Incident, Verdict
from simulator.report.served import every_home, placed
from simulator.report.truth import truths

REACHED = frozenset({"confirmed", "help_needed"})
HUMAN_TASKS = frozenset({"nobody_confirmed", "nobody_to_call"})

_ZH = {
    "linkage": "就地联动",
    "command": "平台命令",
    "manual": "手动",
    "nobody": "无人",
    "reached": "已按键确认",
    "human_task": "转人工任务",
    "called": "已致电",
    "not_called": "未致电",
    "archived": "已归档",
    "created": "已建单",
    "closed": "已结",
    "open": "未结",
    "none": "无",
}


def _zh(*words: str) -> str:
    return "、".join(_ZH.get(word, word) for word in words) or "无"


def _en(*words: str) -> str:
    return ", ".join(word.replace("_", " ") for word in words) or "none"


def _counted(words: list[str]) -> tuple[str, ...]:
    """Each word once, with its number where there are many."""
    return tuple(f"{word} ×{words.count(word)}" if words.count(word) > 1 else word for word in dict.fromkeys(words))


def expectations(facts: Facts) -> list[Finding]:
    """One finding an expectation."""
    found = [_count(facts), _closed_by(facts), _household(facts), _order(facts), *truths(facts), *every_home(facts)]
    noisy = facts.scenario.home.leak_m3h is None and facts.scenario.expected.incidents == 0 and facts.scenario.home.noise_limit_lel > 1
    return [*found, _noise(facts)] if noisy else found


def _count(facts: Facts) -> Finding:
    expected, found = facts.scenario.expected, facts.incidents
    most = expected.incidents if expected.incidents_at_most is None else expected.incidents_at_most
    wrong = sorted({str(incident.detail["kind"]) for incident in found} - {expected.kind})
    right = expected.incidents <= len(found) <= most and not wrong
    should = f"{expected.incidents}" if most == expected.incidents else f"{expected.incidents}–{most}"
    zh, en = f"事件 {len(found)} 个，应为 {should} 个", f"{len(found)} incident(s), expected {should}"
    if expected.incidents or found:
        zh, en = f"{zh}，类别 {expected.kind}", f"{en} of kind {expected.kind}"
    if wrong:
        zh, en = f"{zh}；另有 {'、'.join(wrong)}", f"{en}; there is {', '.join(wrong)}"
    return _found("expected_incidents", right, zh, en)


def _closed_by(facts: Facts) -> Finding:
    expected = facts.scenario.expected.closed_by
    moves = facts.record.moves_to(facts.story_home, "closed")
    cause = str(moves[0].cause) if moves else "nobody"
    heard = len([h for h in facts.record.heard if h.home_id == facts.story_home and h.command.command in ("close_valve", "open_valve")])
    right = cause == expected and not (expected == "nobody" and heard)
    zh, en = f"关阀：{_zh(cause)}，应为{_zh(expected)}", f"closed by {_en(cause)}, expected {_en(expected)}"
    return _found("expected_closing", right, f"{zh}；阀门命令 {heard} 次", f"{en}; {heard} valve command(s)")


def household(incident: Incident) -> str:
    """How far the calls of an incident came: reached, human_task, called, not_called."""
    if any(call["outcome"] in REACHED for call in incident.detail["calls"]):
        return "reached"
    if any(task["kind"] in HUMAN_TASKS for task in incident.detail["tasks"]):
        return "human_task"
    return "called" if any(placed(call) for call in incident.detail["calls"]) else "not_called"


def _household(facts: Facts) -> Finding:
    expected = facts.scenario.expected.household
    found = [household(incident) for incident in facts.of_story] or ["not_called"]
    rung = bool(facts.phones)
    if expected == "called":
        right = all(state != "not_called" for state in found)
    else:
        right = all(state == expected for state in found) and not (expected == "not_called" and rung)
    zh = f"住户：{_zh(*found)}，应为{_zh(expected)}"
    return _found("expected_household", right, zh, f"household: {_en(*found)}, expected {_en(expected)}")


def _order(facts: Facts) -> Finding:
    expected = facts.scenario.expected
    orders = [order for incident in facts.incidents for order in incident.detail["orders"]]
    if expected.order == "none":
        return _found("expected_order", not orders, f"抢修单 {len(orders)} 张，应为 0", f"{len(orders)} order(s), expected none")
    states = [str(order["state"]) for order in orders]
    kinds = {str(order["kind"]) for order in orders}
    right = bool(orders) and kinds <= {expected.order_kind}
    wrong = ", ".join(sorted(kinds - {expected.order_kind}))
    zh_kind, en_kind = (
        (f"；种类 {wrong}，应为 {expected.order_kind}", f"; kind {wrong}, expected {expected.order_kind}") if wrong else ("", "")
    )
    if expected.order == "created":
        right = right and all(incident.detail["orders"] for incident in facts.incidents)
        zh = f"抢修单 {len(orders)} 张（{_zh(*_counted(states))}），只看建单，不看修复{zh_kind}"
        en = f"{len(orders)} order(s) ({_en(*_counted(states))}); judged as created, not to their end{en_kind}"
        return _found("expected_order", right, zh, en)
    closed = [str(incident.detail["state"]) for incident in facts.incidents]
    leaks = [incident for incident in facts.incidents if incident.detail["kind"] in ("leak", "hotline_report")]
    restored = all(incident.clocks["T14"] is not None for incident in leaks)
    ended = all(state == "archived" for state in states) and all(state == "closed" for state in closed)
    late_zh, late_en = ("，超时", ", out of time") if facts.timed_out else ("", "")
    zh = f"抢修单：{_zh(*_counted(states))}；事件：{_zh(*_counted(closed))}；应为{'复气' if leaks else ''}归档{late_zh}{zh_kind}"
    en = f"order: {_en(*_counted(states))}; incident: {_en(*_counted(closed))}; expected "
    return _found("expected_order", right and restored and ended, zh, f"{en}{'restored and ' if leaks else ''}archived{late_en}{en_kind}")


def _noise(facts: Facts) -> Finding:
    """Nothing happening proves something only where the platform had readings that came near the set-point."""
    set_point, stored = facts.plans[facts.story_home].set_point_lel, facts.stored
    right = stored.count > 0 and set_point / 2 < stored.highest_lel < set_point
    return _found(
        "expected_noise",
        right,
        f"平台存有 {stored.count} 条读数，最高 {stored.highest_lel:.1f} %LEL，报警设定值 {set_point:g}",
        f"{stored.count} readings stored, the highest {stored.highest_lel:.1f} %LEL, set-point {set_point:g}",
    )


def _found(key: str, right: bool, zh: str, en: str) -> Finding:
    verdict: Verdict = "held" if right else "broken"
    return Finding(key, None, verdict, zh, en)
