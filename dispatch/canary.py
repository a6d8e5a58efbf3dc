"""The canary's call: once for each of its orders, to the telephone that the voice worker keeps for itself on loopback.

No ladder, no contact, no crew, no task: one address, tried again for as long as no telephone line is there, and its order is at its
end with the call. A call that never ends is left to the rounds. Refuses every other address, whatever the order message carries.
"""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from core.clock import Clock
from core.station import OrderMessage
from dispatch import metrics, orders, orders_sql
from dispatch.call_records import CallRecord, CallRecords
from dispatch.calls import Telephone, end_of
from dispatch.database import Connection
from dispatch.judgement.call_outcome import is_our_loss, outcome_of
from dispatch.judgement.ladder import call_id
from dispatch.ledger import Ledger, TooEarly
from dispatch.settings import DispatchSettings
from dispatch.voice.protocol import CANARY_ADDRESS, Answered, CallRequest, Ended, Placed, Ringing, VoiceEvent

WORDS: Final = "自检。"
"""What would be said if somebody picked up: the canary's telephone never does."""

_KEPT: Final = 100
_SINK_SAYS: Final = 486


class CanaryCalls:
    """The canary's calls under way."""

    def __init__(self, settings: DispatchSettings, clock: Clock, telephone: Telephone, records: CallRecords, ledger: Ledger) -> None:
        self._settings = settings
        self._clock = clock
        self._telephone = telephone
        self._records = records
        self._ledger = ledger
        self._calls: dict[UUID, CallRecord] = {}
        self._asked: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def begin(self, message: OrderMessage) -> None:
        """Ring the canary's own telephone for this order, once."""
        which = call_id(message.incident_id, 1)
        if which in self._calls:
            return
        while len(self._calls) >= _KEPT:
            del self._calls[next(iter(self._calls))]
        self._calls[which] = CallRecord(
            call_id=which,
            incident_id=message.incident_id,
            home_id=message.home.home_id if message.home else None,
            attempt=1,
            position=1,
            name="canary",
            role="canary",
            address=CANARY_ADDRESS,
            simulated=True,
            language="zh",
            requested_ms=self._clock.now_ms(),
        )
        self._place(self._calls[which])

    def heard(self, event: VoiceEvent) -> bool:
        """Take a report of the voice worker; False when it is not about a call of the canary."""
        record = self._calls.get(UUID(event.call_id))
        if record is None:
            return False
        match event:
            case Placed():
                record.placed_ms = event.at_ms
            case Ringing():
                record.ringing_ms = event.at_ms
            case Answered():
                record.answered_ms = event.at_ms
            case Ended():
                self._ended(record, event)
        return True

    def _ended(self, record: CallRecord, event: Ended) -> None:
        end = end_of(event)
        waited_ms = self._clock.now_ms() - record.requested_ms
        limit_ms = self._settings.canary_call_s * self._settings.clock_rate * 1000
        if is_our_loss(end) and waited_ms < limit_ms:
            asking = asyncio.get_running_loop().create_task(self._again(record))
            self._asked.add(asking)
            asking.add_done_callback(self._asked.discard)
            return
        del self._calls[record.call_id]
        record.ended_ms, record.sip_code, record.q850_cause = event.at_ms, event.sip_code, event.q850_cause
        record.cause_source, record.reason = event.cause_source, event.reason
        record.outcome = outcome_of(end, None, self._settings.call_heard_s)
        self._records.call(record)
        self._archive(record.incident_id, "called" if event.sip_code == _SINK_SAYS else "call_failed")

    def _archive(self, incident_id: UUID, outcome: str) -> None:
        now_ms = self._clock.now_ms()

        async def work(connection: Connection) -> None:
            order = await (await connection.execute(orders_sql.CANARY_OF_INCIDENT, {"incident_id": incident_id})).fetchone()
            if order is None:
                raise TooEarly("no canary order yet")
            await orders.archive_canary(connection, order, outcome, now_ms)

        metrics.CANARY_CALLS.labels(outcome).inc()
        self._ledger.put("canary", work)

    async def _again(self, record: CallRecord) -> None:
        await asyncio.sleep(self._settings.call_retry_s)
        if record.call_id in self._calls:
            self._place(record)

    def _place(self, record: CallRecord) -> None:
        request = CallRequest(
            call_id=str(record.call_id), address=CANARY_ADDRESS, simulated=True, language="zh", ring_s=5.0, max_s=5.0, text=WORDS
        )
        self._telephone.ask(request)
