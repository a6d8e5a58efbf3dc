"""What is tried with a valve: closing, orders that are history, opens that nobody, somebody or nothing confirms."""

import asyncio
import time
from typing import Any

from core.messages import CommandName
from gateway.conformance.bench import Bench, results, shown
from gateway.conformance.record import Heard
from gateway.conformance.repeats import again


async def try_detector(bench: Bench) -> None:
    """A valve command to what has no valve."""
    if bench.record.kind != "detector":
        return
    close = bench.command("close_valve")
    bench.send(close)
    answers = await bench.answered(close)
    bench.tell("no_valve", results(answers)[-1:] == ["rejected"], shown(answers), shown(answers))


async def try_meter(bench: Bench) -> None:
    """The valve, from open to closed and, where a person presses the key, to open again."""
    bench.asks("hands_off")
    close = await _try_close(bench)
    await again(bench, "close_repeat", close)
    await _try_superseded(bench, close)
    await _try_expired_open(bench)
    await _try_unconfirmed_open(bench)
    await _try_overtaken_open(bench)
    await _try_confirmed_open(bench)


async def _try_close(bench: Bench) -> dict[str, Any]:
    before = bench.record.valve()
    # Made an hour ago by its words: a close does not age.
    close = bench.command("close_valve", expires_in_s=-3_600)
    since = bench.send(close)
    answers = await bench.answered(close, seconds=bench.answer_s + bench.rhythm.travel_s)
    words = f"{before} → {shown(answers)}"
    closed = bool(answers) and (answers[-1].body.get("result"), answers[-1].body.get("valve")) == ("done", "closed")
    begun = results(answers)[:1] == ["accepted"] or before == "closed"
    early = any(each.body.get("result") == "done" and each.body.get("valve") != "closed" for each in answers)
    bench.tell("close", closed and begun and not early, words, words)
    bench.tell("close_aged", bool(answers) and "expired" not in results(answers), words, words)
    await bench.settled()
    told = [each.body.get("valve") for each in bench.record.of("telemetry", since) if each.at >= (answers[-1].at if answers else since)]
    bench.tell("closed_told", told[-1:] == ["closed"], f"valve {told[-1] if told else '—'}", f"valve {told[-1] if told else '—'}")
    return close


async def _try_superseded(bench: Bench, close: dict[str, Any]) -> None:
    names: tuple[CommandName, ...] = ("close_valve", "open_valve")
    for name in names:
        old = bench.command(name, order_no=close["order_no"] - 1)
        bench.send(old)
        answers = await bench.answered(old)
        refused = results(answers) == ["rejected"] and bool(answers[-1].body.get("detail"))
        words = f"{name}: {shown(answers)}"
        bench.tell("superseded", refused and bench.record.valve() == "closed", words, words)


async def _try_expired_open(bench: Bench) -> None:
    late = bench.command("open_valve", expires_in_s=-1)
    bench.send(late)
    answers = await bench.answered(late)
    heard = await bench.settled()
    words = f"{shown(answers)}, valve {bench.record.valve()}"
    bench.tell("open_expired", results(answers) == ["expired"] and bench.record.valve() == "closed", words, words, heard=heard)


async def _try_unconfirmed_open(bench: Bench) -> None:
    """Nobody presses the key."""
    lone = bench.command("open_valve", expires_in_s=bench.rhythm.open_s)
    sent = bench.send(lone)
    answers = await bench.answered(lone, seconds=bench.answer_s + bench.rhythm.open_s)
    heard = await bench.settled()
    stayed = not _moved(bench, sent)
    begun = results(answers)[:1] == ["accepted"]
    words = f"{shown(answers)}, valve {bench.record.valve()}"
    bench.tell("open_unconfirmed", begun and results(answers)[-1:] == ["expired"] and stayed, words, words, heard=heard)


async def _try_overtaken_open(bench: Bench) -> None:
    lone = bench.command("open_valve", expires_in_s=bench.rhythm.open_s)
    sent = bench.send(lone)
    await bench.until(lambda: bench.record.answers(lone["command_id"]), bench.answer_s)
    close = bench.command("close_valve")
    bench.send(close)
    closed = await bench.answered(close, seconds=bench.answer_s + bench.rhythm.travel_s)
    answers = await bench.answered(lone, seconds=bench.answer_s + bench.rhythm.open_s)
    words = f"open {shown(answers)}; close {shown(closed)}"
    fine = results(answers)[-1:] == ["rejected"] and results(closed)[-1:] == ["done"] and not _moved(bench, sent)
    bench.tell("open_overtaken", fine, words, words)


async def _try_confirmed_open(bench: Bench) -> None:
    if not bench.asks("key"):
        return
    wanted = bench.command("open_valve", expires_in_s=bench.rhythm.key_s)
    bench.send(wanted)
    answers = await bench.answered(wanted, seconds=bench.rhythm.key_s + bench.answer_s)
    last = answers[-1] if answers else None
    if last is None or last.body.get("result") == "expired":
        return  # nobody pressed it
    opened = (last.body.get("result"), last.body.get("valve")) == ("done", "open")
    in_time = isinstance(last.body.get("ts"), int) and last.received_ms <= wanted["expires_at"] + 1_000
    bench.tell("open_confirmed", opened and in_time, shown(answers), shown(answers))
    bench.asks("hands_off")
    close = bench.command("close_valve")
    bench.send(close)
    closed = await bench.answered(close, seconds=bench.answer_s + bench.rhythm.travel_s)
    words = f"open → {shown(closed)}"
    bench.tell("close", bool(closed) and closed[-1].body.get("valve") == "closed" and results(closed)[0] == "accepted", words, words)


async def try_valve_after_reboot(bench: Bench, opened: dict[str, Any]) -> None:
    """An order that is history; then the open that waited when the power went."""
    followed = [
        command["order_no"]
        for command in bench.commands.values()
        if results(bench.record.answers(command["command_id"]))[:1] == ["accepted"]
    ]
    old = bench.command("close_valve", order_no=max(followed, default=opened["order_no"]) - 1)
    bench.send(old)
    answers = await bench.answered(old)
    bench.tell("reboot_order", results(answers) == ["rejected"], shown(answers), shown(answers))
    left_s = opened["expires_at"] / 1000 - time.time()
    await asyncio.sleep(max(0.0, min(left_s, bench.rhythm.open_s)))
    heard = await bench.settled()
    answers = bench.record.answers(opened["command_id"])
    words = f"{shown(answers)}, valve {bench.record.valve()}"
    # An open is sent once: one that was not taken before the power went was never there to be forgotten.
    heard = heard and results(answers)[:1] == ["accepted"]
    bench.tell("open_after_reboot", "done" not in results(answers) and bench.record.valve() == "closed", words, words, heard=heard)


def _moved(bench: Bench, since: float) -> bool:
    def says_open(each: Heard) -> bool:
        return each.at >= since and each.body.get("valve") in ("open", "opening")

    return any(says_open(each) for each in bench.record.heard)
