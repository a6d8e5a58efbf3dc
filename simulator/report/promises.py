"""The figures that the product promises, measured in this scenario. Pure.

They are real time, whatever the platform's clock. Where many homes leak at once, more of them than there are telephone lines, calls
and orders come at the rate of what makes them: then they are measured and not judged; that the close leaves is judged always. While
parts of the platform are killed nothing is judged in time: a crash costs time, never the incident.
"""

from simulator.report.facts import Facts, Finding, Verdict
from simulator.report.figures import figure, took

PROMISED_MS = 1_000.0
LINES = "GAS_SENTINEL_MAX_CONCURRENT_CALLS"
_USUAL_LINES = 100

_PROMISES = (
    ("close_within_a_second", "T3", "T2→T3 切断指令", "T2→T3 close command sent"),
    ("call_within_a_second", "T6a", "T2→T6a 电话呼出", "T2→T6a call placed"),
    ("order_within_a_second", "T8", "T2→T8 建单", "T2→T8 work order created"),
)


def promises(facts: Facts) -> list[Finding]:
    """One finding a promise, in real time: a platform on a faster clock has proportionally less of its own."""
    found = [_promise(facts, key, clock, zh, en) for key, clock, zh, en in _PROMISES]
    return [*found, _seen_by_the_devices(facts)]


def lines(facts: Facts) -> int:
    """How many calls the platform can have under way at once."""
    return int(facts.scenario.platform.get(LINES, _USUAL_LINES))


def _promise(facts: Facts, key: str, clock: str, zh: str, en: str) -> Finding:
    due = [i for i in facts.incidents if i.detail["kind"] == "leak" and i.clocks["T2"] is not None]
    times = took(facts, clock)
    if len(times) < len(due):
        zh, en = f"{zh}：没有发生", f"{en}: never happened"
        if len(due) > 1:
            zh, en = f"{zh}（{len(due)} 起中 {len(due) - len(times)} 起）", f"{en} ({len(due) - len(times)} of {len(due)})"
        if facts.under_fire and clock != "T3":
            # Whether it happened is judged by what every home has; a crash may cost the note of when it did.
            return Finding(key, None, "not_observed", f"{zh}，或没有记下时刻", f"{en}, or its time was not kept")
        return Finding(key, None, "broken", zh, en)
    at_capacity = clock in ("T6a", "T8") and len(due) > lines(facts)
    return _judged(facts, key, times, zh, en, at_capacity=at_capacity)


def _seen_by_the_devices(facts: Facts) -> Finding:
    key, zh, en = "close_at_the_meter", "报警发出→命令到达燃气表", "leak published -> close at the meter"
    times: list[float] = []
    for leak in facts.record.leaks:
        # A sleeping meter hears it at its next uplink, whenever that is.
        if leak.published_s is None or facts.plans[leak.home_id].meter is None or leak.home_id in facts.sleeping:
            continue
        heard = [h for h in facts.record.closes_heard(leak.home_id) if h.at_ms >= leak.started_ms]
        if not heard and facts.was_spared_the_close(leak):
            continue
        if not heard:
            return Finding(key, None, "broken", f"{zh}：没有到达", f"{en}: never arrived")
        times.append((heard[0].at_s - leak.published_s) * 1000 / facts.clock_rate)
    # A thousand homes and their platform share one machine here: what the devices see then is measured, not promised.
    return _judged(facts, key, times, zh, en, at_capacity=len(times) > lines(facts))


def _judged(facts: Facts, key: str, took_ms: list[float], zh: str, en: str, *, at_capacity: bool = False) -> Finding:
    found = figure(took_ms)
    if found is None:
        return Finding(key, None, "not_observed", f"{zh}：没有泄漏事件", f"{en}: no leak")
    if found.count == 1:
        zh, en = f"{zh}：{found.longest:.0f} 毫秒", f"{en}: {found.longest:.0f} ms"
    else:
        times = f"{found.p50:.0f} / {found.p99:.0f} / {found.longest:.0f}"
        zh, en = f"{zh}：{times} 毫秒（中位/99%/最长）", f"{en}: {times} ms (p50 / p99 / longest)"
    if facts.under_fire:
        return Finding(
            key, None, "not_observed", f"{zh}；其间进程被杀，不计时", f"{en}; parts were killed meanwhile, so time is not judged"
        )
    if at_capacity:
        known = lines(facts)
        return Finding(
            key, None, "not_observed", f"{zh}；泄漏多于 {known} 条线路，不计时", f"{en}; more leaks than the {known} lines, not judged"
        )
    verdict: Verdict = "held" if found.longest <= PROMISED_MS else "late"
    return Finding(key, None, verdict, f"{zh}（承诺 1 秒）", f"{en} (promised: 1 s)")
