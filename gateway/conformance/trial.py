"""What is tried with every device: its connection, its alarms, its answers, a reboot. Valves are tried in ``valve_trial``."""

import asyncio
import itertools
import time
from collections.abc import Callable

from gateway.conformance.bench import Bench, results, shown
from gateway.conformance.judge import judge_connects, judge_record
from gateway.conformance.record import Heard
from gateway.conformance.repeats import again
from gateway.conformance.valve_trial import try_detector, try_meter, try_valve_after_reboot


async def try_device(bench: Bench) -> bool:
    """Everything, in an order that disturbs least. False when the device never came."""
    rhythm = bench.rhythm
    bench.asks("connect")
    record = bench.record
    if not await bench.until(lambda: record.heard, rhythm.connect_s):
        return False
    await bench.until(lambda: record.status(), bench.answer_s)
    await _try_report(bench)
    await _try_other_commands(bench)
    promised = await _try_alarm(bench)
    if bench.record.kind == "meter":
        await try_meter(bench)
    else:
        await try_detector(bench)
    await _try_cut(bench)
    await _try_reboot(bench)
    await _judge_silence(bench, promised)
    _judge_online(bench)
    if bench.wire is not None:
        judge_connects(bench.wire.seen, bench.account, record.status().get("connectivity") == "psm", bench.tell)
    judge_record(record, rhythm.clock_s, bench.tell)
    return True


async def _try_report(bench: Bench) -> None:
    command = bench.command("report")
    since = bench.send(command)
    answers = await bench.answered(command)
    telemetry = bench.record.of("telemetry", since)
    first_done = next((each.at for each in answers if each.body.get("result") == "done"), None)
    before = first_done is not None and any(each.at <= first_done for each in telemetry)
    words = f"{shown(answers)}, {len(telemetry)} × telemetry"
    bench.tell("report", before, words, words)
    expired = bench.command("report", expires_in_s=-60)
    bench.send(expired)
    answers = await bench.answered(expired)
    bench.tell("report_expired", results(answers) == ["expired"], shown(answers), shown(answers))
    await again(bench, "repeat", command)


async def _try_other_commands(bench: Bench) -> None:
    test = bench.command("self_test")
    bench.send(test)
    answers = await bench.answered(test)
    bench.tell("self_test", bool(answers) and results(answers)[-1] in ("done", "rejected"), shown(answers), shown(answers))
    valve = bench.record.valve()
    unknown = {**bench.command("report"), "command": "not_of_this_version"}
    bench.send(unknown)
    foreign = bench.command("close_valve", device="somebody-else")
    bench.send(foreign)
    heard = await bench.settled()
    for point, command in (("unknown_command", unknown), ("foreign_command", foreign)):
        found = bench.record.answers(command["command_id"])
        # A word of a later version cannot be answered in this one; who refuses it is right too.
        fine = not found or (point == "unknown_command" and set(results(found)) == {"rejected"})
        still = bench.record.valve() in (valve, None)
        words = f"{shown(found)}, valve {bench.record.valve() or '—'}"
        bench.tell(point, fine and still, words, words, heard=heard)


# -- alarms --------------------------------------------------------------------------------------------------------------------------


async def _try_alarm(bench: Bench) -> tuple[Heard, float] | None:
    """An alarm that is not acknowledged for a while; returns it, and when its promise had arrived; None where that cannot be known."""
    rhythm = bench.rhythm
    alarms = bench.record.of("alarm")
    if not alarms and bench.asks("alarm"):
        await bench.until(lambda: bench.record.of("alarm"), rhythm.act_s)
        alarms = bench.record.of("alarm")
    if not alarms:
        return None
    alarm = alarms[0]
    if not all(isinstance(alarm.body.get(name), int) for name in ("ts", "boot", "seq")):
        bench.tell("alarm_repeat", False, "没有可确认的标识", "it has no identity that could be acknowledged")
        return None

    def copies() -> list[Heard]:
        return [each for each in bench.record.of("alarm") if _counters(each) == _counters(alarm)]

    def sent(times: int) -> Callable[[], bool]:
        return lambda: len(copies()) >= times

    other = bench.promise(alarm.body, later_ms=1)
    # As many sendings as show the rhythm; each wait may be twice the one before it.
    for number in range(2, rhythm.repeats + 1):
        wait_s = min(rhythm.longest_repeat_s, rhythm.first_repeat_s * 2 ** (number - 2))
        if not await bench.until(sent(number), 1.6 * wait_s + rhythm.quiet_s):
            break
    found = copies()
    changed = [each for each in found if each.body != alarm.body]
    bench.tell("alarm_repeat", len(found) > 1 and not changed, *_repeats(len(found), len(changed)))
    if len(found) > 1:
        bench.tell("alarm_other_ack", any(each.at > other for each in found[1:]), *_repeats(len(found), 0))
        _judge_rhythm(bench, [each.at for each in found])
    if bench.wire is not None and len(found) > 1:
        cut = time.monotonic()
        bench.wire.cut()
        back = await bench.until(lambda: copies()[-1].at > cut, rhythm.connect_s + 1.6 * rhythm.longest_repeat_s)
        bench.tell("alarm_after_cut", back and copies()[-1].body == alarm.body, *_repeats(len(copies()), 0))
    bench.promise(alarm.body)
    # What answers a command that went out behind the promise has heard the promise too.
    return (alarm, time.monotonic()) if await bench.settled() else None


def _judge_rhythm(bench: Bench, times: list[float]) -> None:
    """The waits: the first about five seconds, none much shorter than the one before, none over a minute, and growing."""
    rhythm = bench.rhythm
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    slack = rhythm.quiet_s / 3
    first = 0.6 * rhythm.first_repeat_s - slack <= waits[0] <= 1.6 * rhythm.first_repeat_s + slack
    steady = all(later >= 0.7 * earlier - slack for earlier, later in itertools.pairwise(waits))
    grows = len(waits) < 2 or waits[-1] > 1.2 * waits[0] or waits[0] >= 0.8 * rhythm.longest_repeat_s
    short = all(wait <= 1.2 * rhythm.longest_repeat_s + slack for wait in waits)
    words = ", ".join(f"{wait:.1f} s" for wait in waits)
    bench.tell("alarm_rhythm", first and steady and grows and short, words, words)


async def _judge_silence(bench: Bench, promised: tuple[Heard, float] | None) -> None:
    """Nothing of the alarm after its promise arrived, for longer than the next repeat would have waited."""
    if promised is None:
        return
    alarm, at = promised
    rhythm = bench.rhythm
    wait_s = min(rhythm.longest_repeat_s, rhythm.first_repeat_s * 2**rhythm.repeats) * 1.2
    await asyncio.sleep(max(0.0, at + wait_s - time.monotonic()))
    # One that was on its way already is none.
    late = [each for each in bench.record.of("alarm", at + rhythm.quiet_s) if _counters(each) == _counters(alarm)]
    bench.tell("alarm_stops", not late, f"之后 {len(late)} 次", f"{len(late)} after it")


def _counters(heard: Heard) -> tuple[object, object]:
    """What stays the same even in a repeat that wrongly has a new time."""
    return (heard.body.get("boot"), heard.body.get("seq"))


def _repeats(times: int, changed: int) -> tuple[str, str]:
    if changed:
        return f"{times} 次，其中 {changed} 次内容变了", f"{times} times, {changed} of them changed"
    return f"{times} 次", f"{times} times"


# -- connection and reboot -----------------------------------------------------------------------------------------------------------


async def _try_cut(bench: Bench) -> None:
    """Cut the wire without a word, keep the device out for a while, and send it something meanwhile."""
    wire, record, rhythm = bench.wire, bench.record, bench.rhythm
    if wire is None:
        return
    cut = time.monotonic()
    before = len(wire.seen)
    await wire.keep_out()
    said = await bench.until(lambda: any(each.will for each in record.of("status", cut)), rhythm.answer_s)
    bench.tell("will_sent", said, "online false" if said else "没有听到", "online false" if said else "not heard")
    command = bench.command("report")
    bench.send(command)
    await asyncio.sleep(rhythm.away_s)
    await wire.let_in()
    back = await bench.until(lambda: len(wire.seen) > before, rhythm.connect_s)
    seconds = time.monotonic() - cut
    bench.tell(
        "reconnect", back, f"{seconds:.0f} 秒后" if back else "没有回来", f"after {seconds:.0f} s" if back else "it did not come back"
    )
    if back:
        answers = await bench.answered(command)
        bench.tell("session_kept", bool(answers), shown(answers), shown(answers))


async def _try_reboot(bench: Bench) -> None:
    record, rhythm = bench.record, bench.rhythm
    boots = [each.body["boot"] for each in record.heard if isinstance(each.body.get("boot"), int) and not each.will]
    known = next((c for c in reversed(bench.commands.values()) if c["command"] == "report" and record.answers(c["command_id"])), None)
    if not bench.person.can("reboot"):
        return
    opened = bench.command("open_valve", expires_in_s=rhythm.key_s) if record.kind == "meter" else None
    if opened is not None:
        bench.send(opened)
        await bench.until(lambda: record.answers(opened["command_id"]), bench.answer_s)
    bench.person.ask("reboot")
    highest = max(boots, default=-1)
    since = time.monotonic()

    def booted() -> int | None:
        fresh = [each.body.get("boot") for each in record.heard if each.at > since and not each.will]
        return next((boot for boot in fresh if isinstance(boot, int) and boot != highest), None)

    if not await bench.until(lambda: booted() is not None, rhythm.act_s + rhythm.connect_s):
        words = f"boot {highest}"
        restarted = bench.wire is not None and any(each.at > since for each in bench.wire.seen)
        if restarted:
            bench.tell("reboot_boot", False, f"{words} 没有变", f"{words} stayed")
        return
    boot = booted()
    bench.tell("reboot_boot", boot is not None and boot > highest, f"boot {highest} → {boot}", f"boot {highest} → {boot}")
    if known is not None:
        await again(bench, "reboot_known", known)
    if opened is not None:
        await try_valve_after_reboot(bench, opened)


def _judge_online(bench: Bench) -> None:
    """After each connect, before the next."""
    statuses = [each for each in bench.record.of("status") if each.body.get("online") is True]
    if bench.wire is None:
        if bench.record.of("status"):
            bench.tell("status_online", bool(statuses), f"{len(statuses)} 次", f"{len(statuses)} times")
        return
    times = [each.at for each in bench.wire.seen]
    ends = [*times[1:], float("inf")]
    missing = sum(not any(start <= each.at < end for each in statuses) for start, end in zip(times, ends, strict=True))
    bench.tell("status_online", not missing, f"{len(times)} 次连接，缺 {missing} 次", f"{len(times)} connects, {missing} without")
