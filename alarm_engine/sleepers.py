"""Meters in power-saving mode (PSM): a close waits for their next uplink and goes out again when they are heard.

Decides only when to wait and when to say it again; the broker keeps the message meanwhile.
"""

from alarm_engine.incident import CommandRecord
from alarm_engine.state import LineState
from core.items import Item, StatusItem

_GRACE_S = 60.0
_BETWEEN_SENDS_S = 2.0


class Sleepers:
    """Closes that wait for a sleeping meter, by meter."""

    def __init__(self, state: LineState) -> None:
        self._state = state
        self.waiting: dict[str, tuple[CommandRecord, float]] = {}

    def expected_ms(self, device_id: str) -> int | None:
        """When a sleeping meter is expected to speak next (Unix ms); None for a meter that always listens."""
        view = self._state.devices.views.get(device_id)
        if view is None or view.connectivity != "psm" or (self._state.settings.exercise_nobody_sleeps and self._simulated(device_id)):
            return None
        interval_ms = int((view.report_interval_s or self._state.settings.psm_report_interval_s) * 1000)
        now_ms = self._state.clock.now_ms()
        return view.heard_ms + interval_ms if now_ms - interval_ms < view.heard_ms <= now_ms else now_ms + interval_ms

    def sent(self, record: CommandRecord) -> float | None:
        """A close went out: seconds to wait for its meter's answer, or None when the meter always listens."""
        expected_ms = self.expected_ms(record.device_id)
        if expected_ms is None:
            self.waiting.pop(record.device_id, None)
            return None
        self.waiting[record.device_id] = (record, self._state.clock.monotonic())
        return (expected_ms - self._state.clock.now_ms()) / 1000 + _GRACE_S

    def wakes(self, item: Item) -> CommandRecord | None:
        """A meter was heard: the close to send to it again, if one waits and was not sent just now."""
        waiting = self.waiting.get(item.device_id)
        if waiting is None or item.retained or (isinstance(item, StatusItem) and not item.online):
            return None
        record, sent_at = waiting
        if record.state not in ("sent", "no_answer") or self._state.clock.monotonic() - sent_at < _BETWEEN_SENDS_S:
            return None
        return record

    def still_asleep(self, record: CommandRecord) -> bool:
        """Whether this close, not sent by this process yet, waits for a meter whose time has not come."""
        incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
        due_ms = None if incident is None else incident.answer_due_ms
        return (
            record.device_id not in self.waiting
            and due_ms is not None
            and due_ms > self._state.clock.now_ms()
            and self.expected_ms(record.device_id) is not None
        )

    def _simulated(self, device_id: str) -> bool:
        device = self._state.registry.devices.get(device_id)
        home = None if device is None or device.home_id is None else self._state.registry.homes.get(device.home_id)
        return home is not None and home.simulated

    def forget(self, record: CommandRecord) -> None:
        """It is answered or void."""
        waiting = self.waiting.get(record.device_id)
        if waiting is not None and waiting[0] is record:
            del self.waiting[record.device_id]
