"""The radio of one simulated device: numbers what it says and repeats an alarm until the platform promises to keep it.

Decides boot, seq and ts of every item, when an alarm goes out again, and what is lost while it is off the air: alarms are kept, also
across a reboot, everything else is gone. Refuses to know the gas, the valve and the broker: ``send`` is given. A repeat keeps its ts,
boot and seq.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from core.clock import Clock
from core.messages import Ack, Alarm, AlarmEvent, DetectorTelemetry, DownAck, MeterTelemetry, Status
from core.topics import Lane, up
from simulator.world.obedience import Answer
from simulator.world.plan import DevicePlace

Send = Callable[[str, bytes, int, bool], object]
"""(topic, payload, qos, retain): hands one message to the broker connection at once."""

FIRST_REPEAT_S = 5.0
LONGEST_REPEAT_S = 60.0


@dataclass(slots=True)
class _Unacknowledged:
    payload: bytes
    due_s: float
    pause_s: float


class Transmitter:
    """What one device says. ``boot`` must be higher than at any earlier start of the same device."""

    def __init__(self, place: DevicePlace, boot: int, clock: Clock, send: Send) -> None:
        self.place = place
        self.on_air = True
        self._boot = boot
        self._seq = 0
        self._clock = clock
        self._deliver = send
        self._unacknowledged: dict[tuple[int, int, int], _Unacknowledged] = {}

    @property
    def unacknowledged(self) -> int:
        """Alarms that the platform has not promised yet."""
        return len(self._unacknowledged)

    def _stamp(self, ts: int | None) -> dict[str, Any]:
        self._seq += 1
        return self._named(self._clock.now_ms() if ts is None else ts, self._boot, self._seq)

    def _named(self, ts: int, boot: int, seq: int) -> dict[str, Any]:
        named = {} if self.place.hub is None else {"device_id": self.place.device_id}
        return {"ts": ts, "boot": boot, "seq": seq, **named}

    def _send(self, lane: Lane, payload: bytes) -> None:
        if self.on_air:
            self._deliver(up(self.place.account, lane), payload, 1, False)

    def reboot(self) -> None:
        """Start anew: the next boot, counted from its first item. Alarms that nobody promised are still there."""
        self._boot += 1
        self._seq = 0

    def detector_telemetry(self, **fields: Any) -> None:
        """A detector's reading, as the contract's fields."""
        self._send("telemetry", _encoded(DetectorTelemetry(**self._stamp(None), **fields)))

    def meter_telemetry(self, **fields: Any) -> None:
        """A meter's reading, as the contract's fields."""
        self._send("telemetry", _encoded(MeterTelemetry(**self._stamp(None), **fields)))

    def alarm(self, event: AlarmEvent, *, ts: int | None = None, **fields: Any) -> Alarm:
        """Send an alarm and go on sending it until it is acknowledged. ``ts``: when it was measured, if that is past."""
        return self._raise(Alarm(**self._stamp(ts), event=event, **fields))

    def late_alarm(self, event: AlarmEvent, *, ts: int, **fields: Any) -> Alarm:
        """Deliver an alarm that the boot before this one measured at ``ts`` and never got rid of."""
        return self._raise(Alarm(**self._named(ts, self._boot - 1, 1), event=event, **fields))

    def _raise(self, item: Alarm) -> Alarm:
        payload = _encoded(item)
        due_s = self._clock.monotonic() + FIRST_REPEAT_S
        self._unacknowledged[(item.ts, item.boot, item.seq)] = _Unacknowledged(payload, due_s, FIRST_REPEAT_S)
        self._send("alarm", payload)
        return item

    def acknowledged(self, ack: DownAck) -> bool:
        """The platform's promise arrived; returns whether an alarm waited for it."""
        return self._unacknowledged.pop((ack.ts, ack.boot, ack.seq), None) is not None

    def repeat_due(self) -> int:
        """Send again what is due: after 5 s, then after twice the pause before, at most 60 s. Returns how many went out."""
        if not self._unacknowledged or not self.on_air:
            return 0
        now_s = self._clock.monotonic()
        due = [waiting for waiting in self._unacknowledged.values() if waiting.due_s <= now_s]
        for waiting in due:
            waiting.pause_s = min(LONGEST_REPEAT_S, waiting.pause_s * 2)
            waiting.due_s = now_s + waiting.pause_s
            self._send("alarm", waiting.payload)
        return len(due)

    def back_on_air(self) -> None:
        """The connection is there again: every alarm that was kept is due at once."""
        self.on_air = True
        for waiting in self._unacknowledged.values():
            waiting.due_s, waiting.pause_s = self._clock.monotonic(), FIRST_REPEAT_S

    def about(self, online: bool, **fields: Any) -> Status:
        """What the device says of itself, to be sent by whoever speaks for it."""
        return Status(**self._stamp(None), online=online, **fields)

    def status(self, online: bool, **fields: Any) -> None:
        """The retained status; ``online`` False is the last will, as the broker sends it when the device is gone."""
        will = not online
        payload = _encoded(self.about(online, **fields))
        if self.on_air or will:
            self._deliver(up(self.place.account, "status"), payload, 1, True)

    def answer(self, answer: Answer) -> None:
        """Acknowledge a command."""
        command = answer.command
        item = Ack(
            **self._stamp(None),
            command_id=command.command_id,
            order_no=command.order_no,
            incident_id=command.incident_id,
            command=command.command,
            result=answer.result,
            valve=answer.valve,
            detail=answer.detail,
        )
        self._send("ack", _encoded(item))


def _encoded(item: BaseModel) -> bytes:
    return item.model_dump_json(exclude_none=True).encode()
