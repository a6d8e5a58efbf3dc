"""What a scenario expects the platform to know: of the valve and the room, of holds and conditions, of the desk and the canary. Pure."""

from collections.abc import Callable, Iterable, Sequence

from simulator.report.facts import Facts, Finding, most_at_once, now

_SETTLE_MS = 2_000
"""Real ms after the last step, in which what it was told becomes known."""


_PROOFS = {"reported_closed": "not_yet", "gas_still_flows": "flows", "valve_holds": "holds", "not_provable": "not_provable"}
"""What an entry of the timeline says of the proof."""


def truths(facts: Facts) -> list[Finding]:
    """One finding for each of these words that the scenario says."""
    found = [judged(facts) for judged in _JUDGED]
    return [finding for finding in found if finding is not None]


def in_this_order(wanted: Sequence[str], seen: Iterable[str]) -> bool:
    """Whether all wanted words come in their order, whatever stands between."""
    waiting = iter(seen)
    return all(any(word == one for one in waiting) for word in wanted)


def _found(key: str, right: bool, zh: str, en: str) -> Finding:
    return Finding(key, None, "held" if right else "broken", zh, en)


def _list(words: Iterable[str]) -> str:
    return ", ".join(words) or "—"


def _attempts(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected
    if not expected.attempts_at_least and expected.attempts_at_most is None:
        return None
    began = min((leak.started_ms for leak in facts.record.leaks if leak.home_id == facts.story_home), default=0)
    story = {h.command.command_id for h in facts.record.closes_heard(facts.story_home) if h.at_ms >= began}
    anywhere = {h.command.command_id for h in facts.record.heard if h.command.command == "close_valve"}
    most = expected.attempts_at_most
    right = len(story) >= expected.attempts_at_least and (most is None or len(anywhere) <= most)
    zh, en = (
        f"本户关阀 {len(story)} 次（不同命令），全部住户 {len(anywhere)} 次",
        f"{len(story)} close attempt(s) here, {len(anywhere)} anywhere",
    )
    should = f"≥ {expected.attempts_at_least}" + ("" if most is None else f", ≤ {most}")
    return _found("expected_attempts", right, f"{zh}；应 {should}", f"{en}; expected {should}")


def _said(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected
    if not expected.said and not expected.never_said:
        return None
    entries = sorted((entry for incident in facts.of_story for entry in incident.timeline), key=lambda entry: int(entry["at_ms"]))
    kinds = [str(entry["kind"]) for entry in entries]
    missing = [kind for kind in expected.said if kind not in kinds]
    wrong = [kind for kind in expected.never_said if kind in kinds]
    ordered = in_this_order(expected.said, kinds)
    zh = f"记录按序有 {_list(expected.said)}，没有 {_list(expected.never_said)}"
    en = f"recorded in this order: {_list(expected.said)}; and never: {_list(expected.never_said)}"
    if missing:
        zh, en = f"{zh}；缺 {_list(missing)}", f"{en}; missing: {_list(missing)}"
    elif not ordered:
        shown = _list(kind for kind in kinds if kind in expected.said)
        zh, en = f"{zh}；实为 {shown}", f"{en}; it was {shown}"
    if wrong:
        zh, en = f"{zh}；却有 {_list(wrong)}", f"{en}; there is {_list(wrong)}"
    return _found("expected_record", ordered and not wrong, zh, en)


def _proof(facts: Facts) -> Finding | None:
    expected, seen = facts.scenario.expected, facts.watched
    if not expected.proof_seen and not expected.minutes_left:
        return None
    entries = sorted((entry for incident in facts.of_story for entry in incident.timeline), key=lambda entry: int(entry["at_ms"]))
    told = [_PROOFS[str(entry["kind"])] for entry in entries if entry["kind"] in _PROOFS]
    # What lasted for a moment only may have passed between two looks; the record still tells of it.
    ordered = in_this_order(expected.proof_seen, seen.proofs) or (
        in_this_order(expected.proof_seen, told) and {"not_yet"} & set(expected.proof_seen) <= set(seen.proofs)
    )
    right = ordered and (seen.minutes_left or not expected.minutes_left)
    zh, en = (
        f"阀门是否关严：{_list(seen.proofs)}（记录：{_list(told)}）",
        f"does the valve hold: {_list(seen.proofs)} (recorded: {_list(told)})",
    )
    if expected.proof_seen:
        zh, en = f"{zh}；应依次 {_list(expected.proof_seen)}", f"{en}; expected {_list(expected.proof_seen)} in turn"
    if expected.minutes_left:
        known = seen.minutes_left
        zh, en = f"{zh}；{'已' if known else '未'}说明还需多久", f"{en}; the minutes left were {'said' if known else 'NOT said'}"
    return _found("expected_proof", right, zh, en)


def _answer_due(facts: Facts) -> Finding | None:
    if not facts.scenario.expected.answer_due:
        return None
    seen = facts.watched.answer_due
    zh, en = "平台知道燃气表下次上报才会执行", "the platform knew that the meter hears at its next uplink"
    return _found("expected_answer_due", seen, zh if seen else f"未见：{zh}", en if seen else f"not seen: {en}")


def _clearing(facts: Facts) -> Finding | None:
    expected, seen = facts.scenario.expected, facts.watched
    if expected.clearing is None and expected.before_meter is None:
        return None
    right = (expected.clearing is None or expected.clearing in seen.clearings) and (
        expected.before_meter is None or expected.before_meter == seen.before_meter
    )
    zh = f"室内浓度：{_list(seen.clearings)}；{'疑' if seen.before_meter else '未疑'}表前泄漏"
    en = f"the room: {_list(seen.clearings)}; a leak before the meter {'is' if seen.before_meter else 'is not'} suspected"
    return _found("expected_clearing", right, zh, en)


def _priority(facts: Facts) -> Finding | None:
    if not facts.scenario.expected.priority_raised:
        return None
    histories = list(facts.watched.priorities.values())
    right = any(min(history) < history[0] for history in histories)
    shown = "; ".join(" → ".join(map(str, history)) for history in histories) or "—"
    return _found("expected_priority", right, f"抢修单优先级 {shown}，应有提升", f"priority of the order {shown}; expected to rise")


def _conditions(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected
    if not expected.conditions_seen and not expected.conditions_end:
        return None
    most = most_at_once(facts.conditions)
    end = {what: len(homes) for what, homes in now(facts.conditions, facts.ended_ms).items()}
    right = all(most.get(what, 0) >= count for what, count in expected.conditions_seen.items())
    right = right and all(end.get(what, 0) == count for what, count in expected.conditions_end.items())
    wanted = [*(f"{what} ≥ {count}" for what, count in expected.conditions_seen.items())]
    last = [*(f"{what} = {count}" for what, count in expected.conditions_end.items())]
    zh = f"同时最多 {most or '无'}，应 {_list(wanted)}；结束时 {end or '无'}，应 {_list(last)}"
    en = f"at one time at the most {most or 'none'}, expected {_list(wanted)}; in the end {end or 'none'}, expected {_list(last)}"
    return _found("expected_conditions", right, zh, en)


def _tasks(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected.tasks
    if not expected:
        return None
    right = all(facts.tasks.get(kind, 0) == count for kind, count in expected.items())
    known, should = dict(facts.tasks) or "—", dict(expected)
    return _found("expected_tasks", right, f"人工任务 {known}，应有 {should}", f"tasks of the desk {known}, expected {should}")


def _holds(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected
    if not expected.holds_seen and expected.holds_after_steps is None:
        return None
    ours = [span for span in facts.holds if span.home_id == facts.story_home]
    seen = {span.what for span in ours}
    right = set(expected.holds_seen) <= seen
    zh, en = f"出现过的阀门保持 {_list(sorted(seen))}", f"holds seen: {_list(sorted(seen))}"
    if expected.holds_after_steps is not None:
        done_ms = facts.ended_ms if facts.steps_done_ms is None else facts.steps_done_ms + round(_SETTLE_MS * facts.clock_rate)
        last_ms = min(done_ms, facts.ended_ms)
        left = set(now(ours, last_ms))
        # A leak that lasts sets its hold again: that it was lifted meanwhile must not be lost.
        lifted = {span.what for span in ours if span.ended_ms is not None and span.ended_ms <= last_ms} & set(expected.holds_after_steps)
        right = right and left == set(expected.holds_after_steps) and not lifted
        should = _list(sorted(expected.holds_after_steps))
        zh = f"{zh}；末步之后 {_list(sorted(left))}，应为 {should}"
        en = f"{en}; after the last step: {_list(sorted(left))}, expected {should}"
        if lifted:
            zh, en = f"{zh}；其间曾解除 {_list(sorted(lifted))}", f"{en}; lifted meanwhile: {_list(sorted(lifted))}"
    return _found("expected_holds", right, zh, en)


def _open_refused(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected.open_refused
    if expected is None:
        return None
    opened = [h for h in facts.record.heard if h.home_id == facts.story_home and h.command.command == "open_valve"]
    early = [h for h in opened if facts.steps_done_ms is not None and h.at_ms <= facts.steps_done_ms]
    right = bool(facts.open_answers) and all(answer == expected for answer in facts.open_answers) and not early
    zh = f"请求开阀：{_list(facts.open_answers)}，应因 {expected} 被拒；其间到表的开阀命令 {len(early)} 次"
    en = f"asked to open: {_list(facts.open_answers)}, expected to be refused as {expected}; {len(early)} open(s) reached the meter"
    return _found("expected_refusal", right, zh, en)


def _devices(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected.devices_listed
    if expected is None:
        return None
    listed = max((len(incident.detail["devices"]) for incident in facts.incidents), default=0)
    return _found(
        "expected_devices", listed == expected, f"列出设备 {listed} 台，应为 {expected}", f"{listed} devices listed, expected {expected}"
    )


def _canary(facts: Facts) -> Finding | None:
    expected = facts.scenario.expected
    if not expected.canary_rounds and expected.canary_age_s is None:
        return None
    age_s, whole = facts.watched.canary_age_s, facts.canary.whole
    right = whole >= expected.canary_rounds and (expected.canary_age_s is None or age_s <= expected.canary_age_s)
    zh, en = (
        f"自检走完 {whole} 轮，应 ≥ {expected.canary_rounds}",
        f"{whole} round(s) of the canary home, expected {expected.canary_rounds}",
    )
    if expected.canary_age_s is not None:
        zh = f"{zh}；最久 {age_s:.0f} 秒，不超过 {expected.canary_age_s:g} 秒"
        en = f"{en}; the last was never older than {age_s:.0f} s (allowed: {expected.canary_age_s:g} s)"
    return _found("expected_canary", right, zh, en)


_JUDGED: Sequence[Callable[[Facts], Finding | None]] = (
    _attempts,
    _said,
    _proof,
    _answer_due,
    _clearing,
    _priority,
    _conditions,
    _tasks,
    _holds,
    _open_refused,
    _devices,
    _canary,
)
