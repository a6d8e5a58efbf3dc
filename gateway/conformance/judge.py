"""What the record and the wire show without anything being asked of the device. Pure: a record in, findings out."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Final

from core import topics
from core.messages import MAX_ALARM_BYTES_DEVICE, MAX_ALARM_BYTES_HUB, MAX_ITEMS, MAX_TELEMETRY_BYTES
from gateway.conformance.connect import Connect
from gateway.conformance.record import Heard, Record, faults, fields_of, model_of
from gateway.conformance.wire import Seen

Tell = Callable[[str, bool, str, str], None]
"""Takes a point's name, whether it is held, and the evidence in Chinese and English."""

_SESSION_S: Final = 48 * 3600
_KEEP_ALIVE_S: Final = 120


def judge_connects(seen: Sequence[Seen], account: str, psm: bool, tell: Tell) -> None:
    """Every CONNECT that passed the wire."""
    for each in seen:
        said = each.connect
        if said is None:
            tell("client_id", False, f"CONNECT 读不懂：{each.problem}", f"CONNECT cannot be read: {each.problem}")
            continue
        names = f"client id {said.client_id!r}, user name {said.username!r}"
        tell("client_id", said.client_id == account == said.username, names, names)
        words = f"clean start {'on' if said.clean_start else 'off'}"
        tell("clean_start", not said.clean_start, words, words)
        _judge_expiry(said, tell)
        seconds = f"{said.keep_alive_s} s" + (" (psm)" if psm else "")
        tell("keep_alive", psm or 0 < said.keep_alive_s <= _KEEP_ALIVE_S, seconds, seconds)
        _judge_will(said, account, tell)


def _judge_expiry(said: Connect, tell: Tell) -> None:
    if said.version < 5:
        tell("session_expiry", not said.clean_start, "MQTT 3.1.1：不清除即保留", "MQTT 3.1.1: kept unless cleaned")
        return
    seconds = said.session_expiry_s or 0
    tell("session_expiry", seconds >= _SESSION_S, f"session expiry {seconds} s", f"session expiry {seconds} s")


def _judge_will(said: Connect, account: str, tell: Tell) -> None:
    will = said.will
    if will is None:
        tell("will", False, "没有遗嘱", "there is none")
        return
    wrong = []
    if will.topic != topics.up(account, "status"):
        wrong.append(f"topic {will.topic}")
    if will.qos != 1:
        wrong.append(f"QoS {will.qos}")
    if not will.retain:
        wrong.append("not retained")
    try:
        body = json.loads(will.payload)
    except ValueError:
        body = None
    if not isinstance(body, dict) or body.get("online") is not False:
        wrong.append("online is not false")
    elif bad := faults(model_of("status", None), body):
        wrong.append(_words(bad))
    evidence = "; ".join(wrong) or f"QoS {will.qos}, retained"
    tell("will", not wrong, evidence, evidence)


def judge_record(record: Record, offset_s: float, tell: Tell) -> None:
    """Everything that was heard. ``offset_s`` is how far a device's clock may be from ours."""
    _judge_messages(record, tell)
    _judge_statuses(record, tell)
    _judge_time(record, offset_s, tell)
    _judge_counters(record, tell)
    _judge_fields(record, tell)
    _judge_register(record, tell)


def _judge_messages(record: Record, tell: Tell) -> None:
    known = ("telemetry", "alarm", "ack", "status")
    for lane, qos, retained, size in record.messages:
        tell("topics", lane in known, f"up/{lane}", f"up/{lane}")
        if lane not in known:
            continue
        tell("qos", qos == 1 or (lane == "telemetry" and qos == 0), f"up/{lane} QoS {qos}", f"up/{lane} QoS {qos}")
        if lane == "status":
            tell("status_retained", retained, "RETAIN" if retained else "没有 RETAIN", "RETAIN" if retained else "no RETAIN")
        else:
            words = f"up/{lane}{' RETAIN' if retained else ''}"
            tell("retain", not retained, words, words)
        most = MAX_TELEMETRY_BYTES if lane != "alarm" else MAX_ALARM_BYTES_HUB if record.behind_hub else MAX_ALARM_BYTES_DEVICE
        tell("size", size <= most, f"up/{lane} {size} B", f"up/{lane} {size} bytes")
    for problem in record.unreadable:
        tell("json", False, problem, problem)
    if record.messages and not record.unreadable:
        tell("json", True, f"{len(record.messages)} 条消息", f"{len(record.messages)} messages")
    for array in record.arrays:
        tell("size", len(array) <= MAX_ITEMS, f"{len(array)} 条", f"{len(array)} items")
        times = [ts for body in array if isinstance(ts := body.get("ts"), int)]
        tell("array", times == sorted(times), f"{len(array)} 条", f"{len(array)} items")
    if record.behind_hub and record.heard:
        tell("device_id", not record.nameless, f"{record.nameless} 条没有", f"{record.nameless} without")


def _judge_statuses(record: Record, tell: Tell) -> None:
    for each in record.of("status"):
        bad = faults(model_of("status", None), each.body)
        tell("status_fields", not bad, _words(bad) or _named(each), _words(bad) or _named(each))


def _judge_time(record: Record, offset_s: float, tell: Tell) -> None:
    """By the freshest item: what was buffered is older, and a repeat keeps its time."""
    ages = [each.received_ms - each.body["ts"] for each in _first_times(record) if isinstance(each.body.get("ts"), int)]
    if not ages:
        return
    nearest = min(ages, key=abs) / 1000
    ahead = -min(ages) / 1000
    held = abs(nearest) <= offset_s and ahead <= offset_s
    shown = -nearest if abs(nearest) > offset_s else ahead
    tell("ts", held, f"设备时钟偏差 {shown:+.1f} 秒", f"the device's clock is off by {shown:+.1f} s")


def _judge_counters(record: Record, tell: Tell) -> None:
    seen: dict[tuple[int, int], Heard] = {}
    highest = (-1, -1)
    for each in _first_times(record):
        boot, seq = each.body.get("boot"), each.body.get("seq")
        if not isinstance(boot, int) or not isinstance(seq, int):
            tell("boot_seq", False, f"up/{each.lane} boot={boot!r} seq={seq!r}", f"up/{each.lane} boot={boot!r} seq={seq!r}")
            continue
        order = (boot, seq)
        if order in seen:
            words = f"up/{each.lane} and up/{seen[order].lane} both boot={boot} seq={seq}"
            tell("boot_seq", False, words, words)
        elif boot < highest[0]:
            tell("boot_seq", False, f"boot {highest[0]} → {boot}", f"boot {highest[0]} → {boot}")
        seen[order] = each
        highest = max(highest, order)
    if len(seen) > 1:
        orders = list(seen)
        rising = sum(later > earlier for earlier, later in itertools.pairwise(orders))
        # Two that cross each other on their way are no fault; counting down is.
        tell("boot_seq", rising * 2 > len(orders) - 1, f"{orders[0]} … {orders[-1]}", f"{orders[0]} … {orders[-1]}")


def _judge_fields(record: Record, tell: Tell) -> None:
    kind = record.kind
    for each in record.of("telemetry"):
        bad = faults(model_of("telemetry", kind), each.body)
        tell("telemetry_fields", not bad, _words(bad) or _named(each), _words(bad) or _named(each))
    for each in record.of("alarm"):
        bad = faults(model_of("alarm", None), each.body)
        tell("alarm_fields", not bad, _words(bad) or _named(each), _words(bad) or _named(each))


def _judge_register(record: Record, tell: Tell) -> None:
    step = record.status().get("register_step_m3")
    if not isinstance(step, int | float) or step <= 0:
        return
    for each in record.of("telemetry"):
        index = each.body.get("volume_m3")
        if isinstance(index, int | float):
            steps = index / step
            words = f"{index} m³ / {step} m³"
            tell("register", abs(steps - round(steps)) < 1e-3, words, words)


def field_lines(record: Record, lane: str) -> list[tuple[str, str, str]]:
    """(field, verdict, evidence) of every field of a topic's message, required ones marked by ``*``."""
    kind = record.kind
    if lane == "telemetry" and kind is None:
        return []
    model = model_of(lane, kind)
    bodies = [each.body for each in record.of(lane)]
    bad: dict[str, str] = {}
    for body in bodies:
        bad.update(faults(model, body))
    lines = []
    for name, required in fields_of(model):
        values = [body[name] for body in bodies if body.get(name) is not None]
        verdict = "broken" if name in bad else "held" if values else "not_seen"
        lines.append((name + ("*" if required else ""), verdict, bad.get(name, json.dumps(values[-1])[:60] if values else "")))
    return lines


def _first_times(record: Record) -> list[Heard]:
    """Each item once, in the order in which it was first heard; a will repeats the counters of its connect and is left out."""
    found: dict[object, Heard] = {}
    for each in record.heard:
        if not each.will and not (each.lane == "status" and record.behind_hub):
            found.setdefault((each.lane, *each.identity), each)
    return list(found.values())


def _words(bad: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in sorted(bad.items()))


def _named(heard: Heard) -> str:
    return ", ".join(name for name in heard.body if name not in ("ts", "boot", "seq", "device_id"))
