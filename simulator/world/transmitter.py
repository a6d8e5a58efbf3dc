"""The radio of one simulated device: numbers what it says and repeats an alarm until the platform promises to keep it.

Decides boot, seq and ts of every item and when an alarm goes out again. Refuses to know the gas, the valve and the broker:
``send`` is given. A repeat keeps its ts, boot and seq.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.clock import Clock
from core.messages import Ack, Alarm, AlarmEvent, DetectorTelemetry, DownAck, MeterTelemetry, Status
from core.topics import up
from simulator.world.home import DevicePlace
from simulator.world.obedience import Answer

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
        self._boot = boot
        self._seq = 0
        self._clock = clock
        self._send = send
        self._unacknowledged: dict[tuple[int, int, int], _Unacknowledged] = {}

    @property
    def unacknowledged(self) -> int:
        """Alarms that the platform has not promised yet."""
        return len(self._unacknowledged)

    def _stamp(self, ts: int | None) -> dict[str, Any]:
        self._seq += 1
        stamp: dict[str, Any] = {"ts": self._clock.now_ms() if ts is None else ts, "boot": self._boot, "seq": self._seq}
        if self.place.account != self.place.device_id:
            stamp["device_id"] = self.place.device_id
        return stamp

    def detector_telemetry(self, **fields: Any) -> None:
        """A detector's reading, as the contract's fields."""
        item = DetectorTelemetry(**self._stamp(None), **fields)
        self._send(up(self.place.account, "telemetry"), item.model_dump_json(exclude_none=True).encode(), 1, False)

    def meter_telemetry(self, **fields: Any) -> None:
        """A meter's reading, as the contract's fields."""
        item = MeterTelemetry(**self._stamp(None), **fields)
        self._send(up(self.place.account, "telemetry"), item.model_dump_json(exclude_none=True).encode(), 1, False)

    def alarm(self, event: AlarmEvent, *, ts: int | None = None, **fields: Any) -> Alarm:
        """Send an alarm and go on sending it until it is acknowledged. ``ts``: when it was measured, if that is past."""
        item = Alarm(**self._stamp(ts), event=event, **fields)
        payload = item.model_dump_json(exclude_none=True).encode()
        due_s = self._clock.monotonic() + FIRST_REPEAT_S
        self._unacknowledged[(item.ts, item.boot, item.seq)] = _Unacknowledged(payload, due_s, FIRST_REPEAT_S)
        self._send(up(self.place.account, "alarm"), payload, 1, False)
        return item

    def acknowledged(self, ack: DownAck) -> bool:
        """The platform's promise arrived; returns whether an alarm waited for it."""
        return self._unacknowledged.pop((ack.ts, ack.boot, ack.seq), None) is not None

    def repeat_due(self) -> int:
        """Send again what is due: after 5 s, then after twice the pause before, at most 60 s. Returns how many went out."""
        now_s = self._clock.monotonic()
        due = [waiting for waiting in self._unacknowledged.values() if waiting.due_s <= now_s]
        for waiting in due:
            waiting.pause_s = min(LONGEST_REPEAT_S, waiting.pause_s * 2)
            waiting.due_s = now_s + waiting.pause_s
            self._send(up(self.place.account, "alarm"), waiting.payload, 1, False)
        return len(due)

    def status(self, online: bool, **fields: Any) -> None:
        """The retained status; ``online`` False is the last will, as the broker would send it."""
        item = Status(**self._stamp(None), online=online, **fields)
        self._send(up(self.place.account, "status"), item.model_dump_json(exclude_none=True).encode(), 1, True)

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
        self._send(up(self.place.account, "ack"), item.model_dump_json(exclude_none=True).encode(), 1, False)
