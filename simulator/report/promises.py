"""The figures that the product promises, measured in this scenario. Pure."""

from simulator.report.facts import Facts, Finding, Verdict

PROMISED_MS = 1_000.0

_PROMISES = (
    ("close_within_a_second", "T3", "T2→T3 关阀命令", "T2→T3 close command sent"),
    ("call_within_a_second", "T6a", "T2→T6a 电话呼出", "T2→T6a call placed"),
    ("order_within_a_second", "T8", "T2→T8 建单", "T2→T8 work order created"),
)


def promises(facts: Facts) -> list[Finding]:
    """One finding a promise, in real time: a platform on a faster clock has proportionally less of its own."""
    found = [_promise(facts, key, clock, zh, en) for key, clock, zh, en in _PROMISES]
    return [*found, _seen_by_the_devices(facts)]


def _promise(facts: Facts, key: str, clock: str, zh: str, en: str) -> Finding:
    took: list[float] = []
    for incident in facts.incidents:
        received, done = incident.clocks["T2"], incident.clocks[clock]
        if incident.detail["kind"] != "leak" or received is None:
            continue
        if done is None:
            return Finding(key, None, "broken", f"{zh}：没有发生", f"{en}: never happened")
        took.append((done - received) / facts.clock_rate)
    return _judged(key, took, zh, en)


def _seen_by_the_devices(facts: Facts) -> Finding:
    key, zh, en = "close_at_the_meter", "报警发出→命令到达表具", "leak published -> close at the meter"
    took: list[float] = []
    for leak in facts.record.leaks:
        if leak.published_s is None or facts.plans[leak.home_id].meter is None:
            continue
        heard = [h for h in facts.record.closes_heard(leak.home_id) if h.at_ms >= leak.started_ms]
        if not heard:
            return Finding(key, None, "broken", f"{zh}：没有到达", f"{en}: never arrived")
        took.append((heard[0].at_s - leak.published_s) * 1000 / facts.clock_rate)
    return _judged(key, took, zh, en)


def _judged(key: str, took_ms: list[float], zh: str, en: str) -> Finding:
    if not took_ms:
        return Finding(key, None, "not_observed", f"{zh}：没有泄漏事件", f"{en}: no leak")
    worst = max(took_ms)
    verdict: Verdict = "held" if worst <= PROMISED_MS else "broken"
    return Finding(key, None, verdict, f"{zh}：{worst:.0f} 毫秒（承诺 1 秒）", f"{en}: {worst:.0f} ms (promised: 1 s)")
