"""The bench: one device, a link that plays the platform, and the findings. Decides how long is waited; what is tried is in ``trial``."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core import topics
from core.messages import Command, CommandName, DownAck
from core.mqtt.link import Link
from core.mqtt.port import Incoming, RetainHandling, Subscription
from gateway.conformance.points import POINTS, Finding
from gateway.conformance.record import Heard, Record, faults, model_of
from gateway.conformance.wire import Wire

Act = Literal["connect", "alarm", "hands_off", "key", "reboot"]
"""What a person at the device is asked for."""

_KEPT_EVIDENCE = 3
_FINAL = ("done", "rejected", "expired")


class Person(Protocol):
    """Whoever stands at the device."""

    def can(self, act: Act) -> bool:
        """Whether it is worth asking."""
        ...

    def ask(self, act: Act) -> None:
        """Say what is wanted now."""
        ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How long things may take, seconds. ``act_s`` is for what a person does, ``quiet_s`` to see that nothing happens."""

    connect_s: float = 120.0
    answer_s: float = 15.0
    travel_s: float = 30.0
    act_s: float = 30.0
    quiet_s: float = 3.0
    open_s: float = 10.0
    key_s: float = 60.0
    away_s: float = 3.0
    first_repeat_s: float = 5.0
    longest_repeat_s: float = 60.0
    repeats: int = 4
    clock_s: float = 60.0


class Bench:
    """One device under trial."""

    def __init__(self, account: str, device: str, person: Person, rhythm: Rhythm, wire: Wire | None) -> None:
        self.account, self.device, self.person, self.rhythm, self.wire = account, device, person, rhythm, wire
        self.record = Record(account, device)
        self.findings = {point.name: Finding(point) for point in POINTS}
        self.commands: dict[str, dict[str, Any]] = {}
        self.order_no = int(time.time() * 1000)
        self.link: Link | None = None
        self._changed = asyncio.Event()

    async def connect(self, host: str, port: int, username: str, password: str, tls: Any = None) -> None:
        """Take the platform's place at the broker. Raises LinkError where it is not let in."""
        heard = Subscription(f"gas/v1/{self.account}/up/#", 1, RetainHandling.ALWAYS, keep_retain_flag=True)
        name = f"conformance-{uuid.uuid4().hex[:8]}"
        link = Link(
            *(host, port, name, username, password),
            on_message=self._hear,
            subscriptions=[heard],
            clean_start=True,
            session_expiry_s=0,
            tls=tls,
        )
        self.link = link
        await link.start()
        await link.wait_connected(self.rhythm.answer_s)

    def asks(self, act: Act) -> bool:
        """Ask the person; returns whether it is worth waiting for."""
        if not self.person.can(act):
            return False
        self.person.ask(act)
        return True

    async def stop(self) -> None:
        """Leave the broker."""
        if self.link is not None:
            await self.link.stop()

    def _hear(self, message: Incoming) -> None:
        lane = message.topic.partition("/up/")[2]
        self.record.take(lane, message.payload, message.qos, message.retain, time.monotonic(), time.time_ns() // 1_000_000)
        message.ack()
        self._changed.set()

    # -- findings ------------------------------------------------------------------------------------------------------------

    def tell(self, name: str, held: bool, zh: str, en: str, *, heard: bool = True) -> None:
        """One finding. Broken stays broken, and then only what shows it is kept.

        ``heard``: the device was still heard behind what was tried. What a silent device did not do speaks neither for nor against it.
        """
        if held and not heard:
            return
        finding = self.findings[name]
        if not held and finding.verdict != "broken":
            finding.verdict = "broken"
            finding.zh.clear()
            finding.en.clear()
        elif held and finding.verdict == "broken":
            return
        elif held:
            finding.verdict = "held"
        if len(finding.zh) < _KEPT_EVIDENCE and zh not in finding.zh:
            finding.zh.append(zh)
            finding.en.append(en)

    # -- waiting -------------------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether ``condition`` came true within ``seconds``; it is asked again at every message."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                # The wire raises no event of its own: look at least now and then.
                await asyncio.wait_for(self._changed.wait(), min(left, 0.2))
        return True

    @property
    def answer_s(self) -> float:
        """The longest wait for an answer; a sleeping meter hears a command at its next uplink."""
        status = self.record.status()
        interval = status.get("report_interval_s")
        if status.get("connectivity") == "psm" and isinstance(interval, int):
            return self.rhythm.answer_s + 1.2 * interval
        return self.rhythm.answer_s

    # -- the platform speaks ---------------------------------------------------------------------------------------------------

    def command(
        self, name: CommandName, *, order_no: int | None = None, expires_in_s: float = 60.0, device: str | None = None
    ) -> dict[str, Any]:
        """A new command with the next order number, not sent yet."""
        if order_no is None:
            self.order_no += 1
        now = time.time_ns() // 1_000_000
        made = Command(
            device_id=device or self.device,
            command_id=uuid.uuid4(),
            order_no=self.order_no if order_no is None else order_no,
            command=name,
            incident_id=uuid.uuid4(),
            reason="conformance",
            issued_at=now,
            expires_at=now + int(expires_in_s * 1000),
        )
        return made.model_dump(mode="json")

    def send(self, command: dict[str, Any]) -> float:
        """Send it, an open with QoS 0; returns when, in monotonic seconds."""
        self.commands[command["command_id"]] = command
        self._publish(topics.down_command(self.account), _encoded(command), qos=0 if command["command"] == "open_valve" else 1)
        return time.monotonic()

    def promise(self, alarm: dict[str, Any], *, later_ms: int = 0) -> float:
        """``down/ack`` of an alarm, or of one that was never sent (``later_ms``); returns when."""
        said = DownAck(device_id=self.device, ts=alarm["ts"] + later_ms, boot=alarm["boot"], seq=alarm["seq"])
        self._publish(topics.down_ack(self.account), said.model_dump_json().encode(), qos=1)
        return time.monotonic()

    def _publish(self, topic: str, payload: bytes, qos: int) -> None:
        assert self.link is not None  # noqa: S101  the bench is connected before anything is tried
        if qos:
            self.link.publish(topic, payload, qos=1).add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        else:
            self.link.publish(topic, payload)

    async def answered(self, command: dict[str, Any], *, number: int = 1, seconds: float | None = None) -> list[Heard]:
        """Answers to a command once ``number`` of them are final, or when the time is over; each is held to the contract."""
        wait_s = self.answer_s if seconds is None else seconds

        def final() -> list[Heard]:
            return [each for each in self.record.answers(command["command_id"]) if each.body.get("result") in _FINAL]

        await self.until(lambda: len(final()) >= number, wait_s)
        answers = self.record.answers(command["command_id"])
        for each in answers:
            self._judge_answer(each, command)
        return answers

    async def settled(self) -> bool:
        """Give what must not come the time to come: a short wait, and a round trip behind it; returns whether that came back."""
        await asyncio.sleep(self.rhythm.quiet_s)
        probe = self.command("report")
        self.send(probe)
        return bool(await self.answered(probe))

    def _judge_answer(self, answer: Heard, command: dict[str, Any]) -> None:
        wrong = dict(faults(model_of("ack", None), answer.body))
        for name in ("order_no", "incident_id", "command"):
            if answer.body.get(name) != command[name]:
                wrong[name] = f"{answer.body.get(name)!r} ≠ {command[name]!r}"
        words = "; ".join(f"{name}: {why}" for name, why in sorted(wrong.items())) or str(answer.body.get("result"))
        self.tell("answer_fields", not wrong, words, words)


def _encoded(command: dict[str, Any]) -> bytes:
    return json.dumps(command).encode()


def shown(answers: Iterable[Heard]) -> str:
    """Answers as evidence: ``accepted(open) → done(closed)``."""
    words = []
    for each in answers:
        valve = each.body.get("valve")
        words.append(str(each.body.get("result")) + (f"({valve})" if valve else ""))
    return " → ".join(words) or "—"


def results(answers: Iterable[Heard]) -> list[object]:
    """The results alone."""
    return [each.body.get("result") for each in answers]
