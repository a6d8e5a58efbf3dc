"""Holds the platform's account against the world's truth: one finding for each invariant of the design. Pure.

A finding is *broken* only on evidence, and *not observed* where the scenario gave no chance to see it. Of many homes the faults are
named, the first few of them, and what held is counted.
"""

from collections import Counter

from simulator.report.expectations import expectations
from simulator.report.facts import Facts, Finding, Incident, Verdict, most_at_once
from simulator.report.figures import figure
from simulator.report.promises import promises
from simulator.report.truth import in_this_order

SIMULATED_ADDRESS = "@sim.invalid"

_CAUSES_ZH = {"linkage": "就地联动", "command": "平台命令", "manual": "手动"}
_FEW = 3
_SHOWN = 6
_SILENCING = frozenset({"hub_down", "power_cut"})

Fault = tuple[str, str]
"""What is wrong, in Chinese and in English."""


def judge(facts: Facts) -> tuple[Finding, ...]:
    """All findings: the invariants in their order, then the promises, then what this scenario expects."""
    invariants = (
        _leak_closes_valve(facts),
        _no_leak_lost(facts),
        _one_of_each(facts),
        _never_opened(facts),
        _silence(facts),
        _nothing_ages(facts),
        _bad_input(facts),
        _recorded(facts),
        _simulated(facts),
    )
    return (*invariants, *promises(facts), *expectations(facts))


def _finding(key: str, number: int, faults: list[Fault], zh: str, en: str, *, seen: bool = True) -> Finding:
    """Broken with its faults named, else held with the evidence, or not observed."""
    if faults:
        shown, more = faults[:_SHOWN], len(faults) - _SHOWN
        said_zh, said_en = "；".join(f[0] for f in shown), "; ".join(f[1] for f in shown)
        if more > 0:
            said_zh, said_en = f"{said_zh}；另有 {more} 处", f"{said_en}; and {more} more"
        return Finding(key, number, "broken", said_zh, said_en)
    verdict: Verdict = "held" if seen else "not_observed"
    return Finding(key, number, verdict, zh, en)


def _leak_closes_valve(facts: Facts) -> Finding:
    faults: list[Fault] = []
    said: list[Fault] = []
    took_s: list[float] = []
    for leak in facts.record.leaks:
        home, meter = leak.home_id, facts.plans[leak.home_id].meter
        if meter is None or leak.alarmed_ms is None or leak.published_ms is None:
            continue
        closed = [m for m in facts.record.moves_to(home, "closed") if m.at_ms >= leak.started_ms]
        heard = [h for h in facts.record.closes_heard(home) if h.at_ms >= leak.started_ms]
        if not heard and facts.was_spared_the_close(leak):
            continue
        if not heard:
            faults.append((f"{home}：切断指令没有到达燃气表", f"{home}: no close command reached the meter"))
        elif (heard[0].account, heard[0].command.device_id) != (meter.account, meter.device_id):
            wrong = heard[0].account
            faults.append((f"{home}：切断指令发到了 {wrong}", f"{home}: the close went to {wrong}"))
        if not closed:
            faults.append((f"{home}：阀门始终没有关", f"{home}: the valve never closed"))
        elif heard:
            took_s.append((closed[0].at_ms - leak.alarmed_ms) / 1000)
            took, cause = f"{took_s[-1]:.1f}", closed[0].cause
            said.append(
                (
                    f"{home}：命令到达 {heard[0].account}，报警后 {took} 秒阀门已关（{_CAUSES_ZH.get(str(cause), cause)}）",
                    f"{home}: the command reached {heard[0].account}; the valve closed {took} s after the alarm ({cause})",
                )
            )
    zh, en = "没有发生泄漏", "nothing leaked"
    if said and len(said) <= _FEW:
        zh, en = "；".join(words[0] for words in said), "; ".join(words[1] for words in said)
    elif said and (closing := figure(took_s)) is not None:
        times = f"{closing.p50:.1f} / {closing.p99:.1f} / {closing.longest:.1f}"
        zh = f"{len(said)} 起泄漏命令均到达、阀门均关；报警后 {times} 秒（中位/99%/最长）"
        en = f"{len(said)} leaks: every command arrived, every valve closed, {times} s after the alarm (p50 / p99 / longest)"
    return _finding("leak_closes_valve", 1, faults, zh, en, seen=bool(said))


def _no_leak_lost(facts: Facts) -> Finding:
    told = [leak for leak in facts.record.leaks if leak.published_ms is not None]
    faults = []
    for leak in told:
        found = [i for i in facts.of_home(leak.home_id) if i.detail["kind"] == "leak"]
        if not any(incident.detail["last_leak_ms"] >= leak.started_ms for incident in found):
            faults.append((f"{leak.home_id} 的泄漏没有事件", f"the leak in {leak.home_id} has no incident"))
    zh, en = f"{len(told)} 起泄漏均有事件", f"every leak that was told has its incident ({len(told)})"
    return _finding("no_leak_lost", 2, faults, zh, en, seen=bool(told))


def _one_of_each(facts: Facts) -> Finding:
    faults: list[Fault] = []
    leaks = Counter(leak.home_id for leak in facts.record.leaks if leak.alarmed_ms is not None)
    for home in facts.plans:
        found = facts.of_home(home)
        open_ones = sum(incident.detail["state"] == "open" for incident in found)
        if open_ones > 1:
            faults.append((f"{home} 有 {open_ones} 个未结事件", f"{home} has {open_ones} open incidents"))
        leaked = sum(incident.detail["kind"] == "leak" for incident in found)
        expected_here = home == facts.story_home and facts.scenario.expected.kind != "leak"
        if found and not leaks[home] and not expected_here:
            faults.append((f"{home} 没有泄漏却有事件", f"{home} has an incident and never leaked"))
        elif leaked > leaks[home] > 0:
            faults.append(
                (f"{home} 泄漏 {leaks[home]} 次却有 {leaked} 个事件", f"{home} leaked {leaks[home]} time(s) and has {leaked} incidents")
            )
    for incident in facts.incidents:
        kind = incident.detail["kind"]
        if incident.home_id is None and incident.detail["account"] not in facts.strangers:
            faults.append((f"不明住户的事件 {kind}", f"an incident of no home: {kind}"))
        for order, count in Counter(order["kind"] for order in incident.detail["orders"]).items():
            if count > 1:
                faults.append((f"{_name(incident)} 有 {count} 张 {order} 抢修单", f"{_name(incident)} has {count} {order} orders"))
    orders, incidents = sum(len(i.detail["orders"]) for i in facts.incidents), len(facts.incidents)
    zh = f"{len(facts.plans)} 户：{incidents} 个事件、{orders} 张抢修单，未泄漏的住户没有事件"
    en = f"{len(facts.plans)} homes: {incidents} incident(s), {orders} order(s), none where nothing leaked"
    if facts.counts.aliases:
        zh, en = f"{zh}；别名 {facts.counts.aliases} 个", f"{en}; {facts.counts.aliases} alias(es)"
    return _finding("one_incident_one_order", 3, faults, zh, en)


def _never_opened(facts: Facts) -> Finding:
    faults: list[Fault] = []
    opened = [move for move in facts.record.moves if move.now == "open" and move.was != "fault"]
    for move in opened:
        home = move.home_id
        if not move.by_key:
            faults.append((f"{home} 的阀门无人按键而打开", f"the valve of {home} opened without a key at the meter"))
        if _leaked_before(facts, home, move.at_ms) and not _tested_before(facts, home, move.at_ms):
            faults.append((f"{home} 未经严密性试验阀门已打开", f"the valve of {home} opened without a passed test stored before"))
    for heard in facts.record.heard:
        if heard.command.command == "open_valve" and not _tested_before(facts, heard.home_id, heard.at_ms):
            home = heard.home_id
            faults.append((f"{home} 试验合格前收到开阀指令", f"{home} was told to open without a passed test stored before"))
    if opened:
        zh, en = f"开阀 {len(opened)} 次，均在试验合格后由现场按键", f"{len(opened)} open(s), each after a passed test and by a key on site"
    else:
        zh, en = "没有阀门被打开", "no valve was opened"
    return _finding("never_opens_by_itself", 4, faults, zh, en)


def _leaked_before(facts: Facts, home: str, at_ms: int) -> int:
    """When a detector showed the home's newest leak before that moment; 0 where none did: then what closed the valve was no leak."""
    shown = (leak.alarmed_ms for leak in facts.record.leaks if leak.home_id == home)
    return max((alarmed for alarmed in shown if alarmed is not None and alarmed <= at_ms), default=0)


def _tested_before(facts: Facts, home: str, at_ms: int) -> bool:
    """Whether a test had passed after the newest leak before that moment. A later leak voids it, and the timeline still tells of it."""
    leaked_ms = _leaked_before(facts, home, at_ms)
    passed = [incident.clocks["T13"] for incident in facts.of_home(home)]
    passed += [int(entry["at_ms"]) for i in facts.of_home(home) for entry in i.timeline if entry["kind"] == "pass_test"]
    return any(tested is not None and leaked_ms <= tested <= at_ms for tested in passed)


def _silence(facts: Facts) -> Finding:
    silenced = [step for step in facts.scenario.acts if step.do in _SILENCING]
    if not silenced:
        return Finding("silence_is_unknown", 5, "not_observed", "本场景没有设备失联", "no device fell silent in this scenario")
    faults: list[Fault] = []
    most = most_at_once(facts.conditions)
    for condition, count in facts.scenario.expected.conditions_seen.items():
        if most.get(condition, 0) < count:
            known = most.get(condition, 0)
            faults.append((f"{condition} 只计到 {known} 户，应有 {count} 户", f"{known} homes were counted {condition}, not {count}"))
    if not facts.scenario.expected.conditions_seen and not most:
        faults.append(("设备失联，平台一户也没有计入", "devices fell silent and no home was counted"))
    counted_zh = "、".join(f"{what} {count} 户" for what, count in most.items())
    counted_en = ", ".join(f"{count} {what}" for what, count in most.items())
    return _finding("silence_is_unknown", 5, faults, f"失联已计入：{counted_zh}", f"silence was counted: {counted_en}")


def _nothing_ages(facts: Facts) -> Finding:
    faults: list[Fault] = []
    waiting, promised = facts.unacknowledged, facts.record.promised
    if waiting:
        faults.append((f"结束时仍有 {waiting} 条报警未获平台确认", f"{waiting} alarm(s) were never acknowledged by the platform"))
    zh, en = f"{promised} 条报警均已确认", f"all {promised} alarms were acknowledged"
    if facts.canary.rounds:
        zh, en = f"{zh}；自检走完 {facts.canary.whole} 轮", f"{en}; {facts.canary.whole} canary round(s)"
    return _finding("nothing_ages", 6, faults, zh, en, seen=promised > 0 or facts.canary.whole > 0)


def _bad_input(facts: Facts) -> Finding:
    faults = [(f"{q.account}：{q.reason} ×{q.count}", f"{q.account}: {q.reason} x{q.count}") for q in facts.quarantined]
    faults += [(f"设备收到不属于它的消息 {topic}", f"a device got what is not its own: {topic}") for topic in facts.record.misdelivered]
    return _finding("bad_input", 7, faults, "没有合格消息被隔离", "nothing that is good was quarantined")


def _recorded(facts: Facts) -> Finding:
    faults: list[Fault] = []
    entries = 0
    for incident in facts.incidents:
        entries += len(incident.timeline)
        if not incident.timeline:
            faults.append((f"{_name(incident)} 没有记录", f"{_name(incident)} has no record"))
        elif not in_this_order(("opened",), (str(entry["kind"]) for entry in incident.timeline)):
            faults.append((f"{_name(incident)} 没有记录开始", f"the record of {_name(incident)} does not say how it opened"))
        nameless = [str(entry["kind"]) for entry in incident.timeline if not entry.get("actor")]
        if nameless:
            faults.append((f"{_name(incident)} 有无名操作 {nameless[0]}", f"{_name(incident)}: {nameless[0]} has no actor"))
    zh, en = f"{entries} 条记录，均有操作者", f"{entries} entries, each with its actor"
    return _finding("every_decision_recorded", 8, faults, zh, en, seen=entries > 0)


def _simulated(facts: Facts) -> Finding:
    faults: list[Fault] = []
    for incident in facts.incidents:
        if incident.home_id is not None and not incident.detail["simulated"]:
            faults.append((f"{_name(incident)} 未标为模拟", f"{_name(incident)} is not marked simulated"))
        faults += _real_things(facts, incident)
    ours = {phone.removeprefix("sip:").partition("@")[0] for plan in facts.plans.values() for phone in plan.phones}
    for number in sorted({report.number for report in facts.phones} - ours):
        faults += [(f"拨打了不是联系人的号码 {number}", f"a number that is nobody's contact was rung: {number}")]
    rung = len({report.call for report in facts.phones})
    zh, en = f"{rung} 次来电均为模拟电话，抢修队均为模拟", f"{rung} call(s), all to simulated phones, and simulated crews only"
    return _finding("simulated_stays_simulated", 9, faults, zh, en, seen=bool(facts.incidents))


def _real_things(facts: Facts, incident: Incident) -> list[Fault]:
    faults: list[Fault] = []
    for call in incident.detail["calls"]:
        address = str(call["address"])
        if not call["simulated"] or not address.endswith(SIMULATED_ADDRESS):
            faults += [(f"拨打了真实号码 {address}", f"a real number was dialled: {address}")]
    for order in incident.detail["orders"]:
        crew = order["crew_id"]
        if crew is not None and not facts.crews.get(crew, False):
            faults += [(f"派出了真实抢修队 {crew}", f"a real crew was sent: {crew}")]
    return faults


def _name(incident: Incident) -> str:
    return incident.home_id or str(incident.detail["incident_id"])
