"""What this one scenario expects beside the invariants: who closed the valve, who was reached, how the work ended. Pure."""

from simulator.report.facts import Facts, Finding, Incident, Verdict

REACHED = frozenset({"confirmed", "help_needed"})
HUMAN_TASKS = frozenset({"nobody_confirmed", "nobody_to_call"})

_ZH = {
    "linkage": "就地联动",
    "command": "平台命令",
    "manual": "手动",
    "nobody": "无人",
    "reached": "已按键确认",
    "human_task": "转人工任务",
    "called": "已致电未确认",
    "not_called": "未致电",
    "archived": "已归档",
    "closed": "已结",
    "open": "未结",
}


def _zh(*words: str) -> str:
    return "、".join(_ZH.get(word, word) for word in words) or "无"


def _en(*words: str) -> str:
    return ", ".join(word.replace("_", " ") for word in words) or "none"


def expectations(facts: Facts) -> list[Finding]:
    """One finding an expectation."""
    found = [_count(facts), _closed_by(facts), _household(facts), _order(facts)]
    return [*found, _noise(facts)] if facts.scenario.home.leak_m3h is None else found


def _count(facts: Facts) -> Finding:
    expected, found = facts.scenario.expected.incidents, len(facts.incidents)
    zh, en = f"事件 {found} 个，应为 {expected} 个", f"{found} incident(s), expected {expected}"
    return _found("expected_incidents", found == expected, zh, en)


def _closed_by(facts: Facts) -> Finding:
    expected = facts.scenario.expected.closed_by
    moves = facts.record.moves_to(facts.story_home, "closed")
    cause = str(moves[0].cause) if moves else "nobody"
    heard = len([h for h in facts.record.heard if h.command.command in ("close_valve", "open_valve")])
    right = cause == expected and not (expected == "nobody" and heard)
    zh, en = f"关阀：{_zh(cause)}，应为{_zh(expected)}", f"closed by {_en(cause)}, expected {_en(expected)}"
    return _found("expected_closing", right, f"{zh}；阀门命令 {heard} 次", f"{en}; {heard} valve command(s)")


def household(incident: Incident) -> str:
    """How far the calls of an incident came: reached, human_task, called, not_called."""
    if any(call["outcome"] in REACHED for call in incident.detail["calls"]):
        return "reached"
    if any(task["kind"] in HUMAN_TASKS for task in incident.detail["tasks"]):
        return "human_task"
    return "called" if incident.detail["calls"] else "not_called"


def _household(facts: Facts) -> Finding:
    expected = facts.scenario.expected.household
    found = [household(incident) for incident in facts.of_home(facts.story_home)] or ["not_called"]
    rung = bool(facts.phones)
    right = all(state == expected for state in found) and not (expected == "not_called" and rung)
    zh = f"住户：{_zh(*found)}，应为{_zh(expected)}"
    return _found("expected_household", right, zh, f"household: {_en(*found)}, expected {_en(expected)}")


def _order(facts: Facts) -> Finding:
    expected = facts.scenario.expected.order
    orders = [order for incident in facts.incidents for order in incident.detail["orders"]]
    if expected == "none":
        return _found("expected_order", not orders, f"工单 {len(orders)} 张，应为 0", f"{len(orders)} order(s), expected none")
    states = [str(order["state"]) for order in orders]
    closed = [incident.detail["state"] for incident in facts.incidents]
    restored = all(incident.clocks["T14"] is not None for incident in facts.incidents)
    ended = all(state == "archived" for state in states) and all(state == "closed" for state in closed)
    right = bool(orders) and restored and ended
    late_zh, late_en = ("，超时", ", out of time") if facts.timed_out else ("", "")
    return _found(
        "expected_order",
        right,
        f"工单：{_zh(*states)}；事件：{_zh(*closed)}；应为复气归档{late_zh}",
        f"order: {_en(*states)}; incident: {_en(*closed)}; expected restored and archived{late_en}",
    )


def _noise(facts: Facts) -> Finding:
    """Nothing happening proves something only where the platform had readings that came near the set-point."""
    set_point, stored = facts.plans[facts.story_home].set_point_lel, facts.stored
    right = stored.count > 0 and set_point / 2 < stored.highest_lel < set_point
    return _found(
        "expected_noise",
        right,
        f"平台存有 {stored.count} 条读数，最高 {stored.highest_lel:.1f} %LEL，报警值 {set_point:g}",
        f"{stored.count} readings stored, the highest {stored.highest_lel:.1f} %LEL, set-point {set_point:g}",
    )


def _found(key: str, right: bool, zh: str, en: str) -> Finding:
    verdict: Verdict = "held" if right else "broken"
    return Finding(key, None, verdict, zh, en)
