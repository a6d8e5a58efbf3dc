"""Messages of the line: acted on once each, taken durably, and only then acknowledged.

The call starts when the message is read, in front of everything; its order, crew and record follow in one transaction with the inbox
row. The same message by broker, outbox and again after a restart is one message. Refuses to keep the broker waiting without end: when
half of its window is outstanding the oldest are given back to it, without the *taken* that the line waits for.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

import structlog

from core.clock import Clock
from core.station import LeakAgainMessage, OrderMessage, TaskMessage, ValveMessage
from dispatch import call_records, metrics, orders, orders_sql, tasks
from dispatch.database import Connection
from dispatch.ledger import Ledger, TooEarly, Work
from dispatch.live_ladder import LiveLadder
from dispatch.switchboard import Switchboard

Message = OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage
Way = Literal["broker", "outbox"]

_REMEMBERED: Final = 50_000


@dataclass(slots=True)
class _Pending:
    since: float
    acks: list[Callable[[], None]] = field(default_factory=list)
    released: bool = False


class Inbox:
    """Everything that the line said and that is not durable yet, and the ids of what is."""

    def __init__(self, clock: Clock, ledger: Ledger, switchboard: Switchboard, taken: Callable[[UUID], None], window: int) -> None:
        """``taken`` tells the line that a message is durable; ``window`` is the broker's receive window."""
        self._clock = clock
        self._ledger = ledger
        self._switchboard = switchboard
        self._taken = taken
        self._most_held = max(1, window // 2)
        self._held = 0
        self._pending: OrderedDict[UUID, _Pending] = OrderedDict()
        self._handled: OrderedDict[UUID, None] = OrderedDict()
        self._log = structlog.get_logger()

    def remember(self, message_ids: Iterable[UUID]) -> None:
        """These were handled by an earlier life of this process."""
        for message_id in message_ids:
            self._note(message_id)

    def take(self, message: Message, way: Way, ack: Callable[[], None] | None = None) -> None:
        """Act on a message, once. ``ack`` is called when it is durable (or given up, or given back)."""
        which = message.message_id
        if which in self._handled:
            metrics.MESSAGES.labels(message.type, way, "repeated").inc()
            self._taken(which)
            if ack is not None:
                ack()
            return
        pending = self._pending.get(which)
        if pending is None:
            metrics.MESSAGES.labels(message.type, way, "taken").inc()
            pending = self._pending[which] = _Pending(time.monotonic())
            self._act(message)
            self._ledger.put(message.type, self._work(message), lambda done: self._finished(which, done))
        else:
            metrics.MESSAGES.labels(message.type, way, "repeated").inc()
        if ack is not None:
            self._hold(pending, ack)

    def is_known(self, message_id: UUID) -> bool:
        """Whether this message is handled or being handled."""
        return message_id in self._handled or message_id in self._pending

    def oldest_s(self) -> float:
        """Age in real seconds of the oldest message that is not durable, 0 when there is none."""
        first = next(iter(self._pending.values()), None)
        return 0.0 if first is None else time.monotonic() - first.since

    # -- at once -------------------------------------------------------------------------------------------------------

    def _act(self, message: Message) -> None:
        """What must not wait for the database. An error here must not keep the message from being stored."""
        try:
            match message:
                case OrderMessage():
                    self._switchboard.begin(message)
                case ValveMessage():
                    self._switchboard.valve(message.incident_id, message.valve, message.at_ms)
                case LeakAgainMessage():
                    self._switchboard.leak_again(message.incident_id)
                case TaskMessage():
                    pass
        except Exception:  # noqa: BLE001 - one failure must not stop the others
            self._log.exception("acting on a message failed", type=message.type, incident=str(message.incident_id))

    # -- durably -------------------------------------------------------------------------------------------------------

    def _work(self, message: Message) -> Work:
        tries = 0

        async def work(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            now_ms = self._clock.now_ms()
            row = {"message_id": message.message_id, "now_ms": now_ms}
            fresh = await (await connection.execute(orders_sql.TAKE_MESSAGE, row)).fetchone()
            if fresh is None:
                return
            match message:
                case OrderMessage():
                    await self._order(connection, message, now_ms)
                case ValveMessage():
                    found = await orders.valve_known(connection, message.incident_id, message.valve, message.cause, message.at_ms, now_ms)
                    _wait_for_order(found, tries)
                case LeakAgainMessage():
                    found = await orders.leak_again(connection, message.incident_id, message.ch4_lel, message.at_ms, now_ms)
                    _wait_for_order(found, tries)
                    await self._ladder_of_old(connection, message.incident_id)
                case TaskMessage():
                    await tasks.add(connection, _desk_task(message), now_ms)

        return work

    async def _order(self, connection: Connection, message: OrderMessage, now_ms: int) -> None:
        made = await orders.make(connection, message, now_ms)
        ladder = self._switchboard.row(message.incident_id)
        if ladder is not None:
            await connection.execute(call_records.SAVE_LADDER, call_records.ladder_row(ladder))
        if made is not None:
            if message.order_kind != "canary":
                metrics.ORDER_MADE.observe(max(0, self._clock.now_ms() - message.received_ms) / 1000)
            self._log.info(
                "order made", order_no=made.order_no, crew=made.crew_id, incident=str(message.incident_id), kind=message.order_kind
            )

    async def _ladder_of_old(self, connection: Connection, incident_id: UUID) -> None:
        """A ladder that memory has let go of begins anew from its row."""
        if self._switchboard.knows(incident_id):
            return
        row = await (await connection.execute(call_records.ONE_LADDER, {"incident_id": incident_id})).fetchone()
        if row is not None:
            self._switchboard.resume([LiveLadder.model_validate(row["state"])], [])
            self._switchboard.leak_again(incident_id)

    def _finished(self, which: UUID, done: bool) -> None:
        pending = self._pending.pop(which, None)
        if done:
            self._note(which)
            self._taken(which)
        if pending is not None:
            self._release(pending)

    # -- the broker's window -------------------------------------------------------------------------------------------

    def _hold(self, pending: _Pending, ack: Callable[[], None]) -> None:
        if pending.released:
            ack()
            return
        pending.acks.append(ack)
        self._held += 1
        if self._held > self._most_held:
            oldest = next((p for p in self._pending.values() if p.acks), None)
            if oldest is not None:
                metrics.RELEASED.inc()
                self._release(oldest)

    def _release(self, pending: _Pending) -> None:
        pending.released = True
        self._held -= len(pending.acks)
        for ack in pending.acks:
            ack()
        pending.acks.clear()

    def _note(self, message_id: UUID) -> None:
        self._handled[message_id] = None
        while len(self._handled) > _REMEMBERED:
            self._handled.popitem(last=False)


_TRIES_WITHOUT_ORDER: Final = 4


def _wait_for_order(found: int, tries: int) -> None:
    """News of an incident whose order message is still under way is tried again; after that it stands for itself."""
    if found == 0 and tries < _TRIES_WITHOUT_ORDER:
        raise TooEarly("no order yet")


def _desk_task(message: TaskMessage) -> tasks.Task:
    return tasks.Task(
        incident_id=message.incident_id,
        home_id=message.home_id,
        kind=message.kind,
        simulated=message.simulated,
        subject=str(message.message_id),
        detail=message.detail,
    )
