"""A finished command sent once more: carried out once, answered every time."""

from typing import Any

from gateway.conformance.bench import Bench, shown


async def again(bench: Bench, point: str, command: dict[str, Any]) -> None:
    """Send a finished command once more: its last answer must come again, as it was, and nothing else."""
    before = bench.record.answers(command["command_id"])
    if not before:
        return
    since = bench.send(command)
    await bench.until(lambda: len(bench.record.answers(command["command_id"])) > len(before), bench.answer_s)
    heard = await bench.settled()
    fresh = bench.record.answers(command["command_id"])[len(before) :]
    moved = [each for each in bench.record.heard if each.at >= since and each.body.get("valve") in ("opening", "closing")]
    same = [each.body for each in fresh] == [before[-1].body]
    zh = en = shown(fresh)
    if fresh and not same:
        one = len(fresh) == 1 and fresh[0].body.get("result") == before[-1].body.get("result")
        zh += "：同样的结果，但不是原来那条（ts、boot、seq 变了）" if one else "：又执行了一次"
        en += ": the same result, but not the same item (other ts, boot, seq)" if one else ": carried out again"
    elif not fresh:
        zh, en = "没有再答", "not answered again"
    bench.tell(point, same and not moved, zh, en, heard=heard)
