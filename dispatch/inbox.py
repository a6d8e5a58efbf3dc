"""Messages of the line: acted on once each, taken durably, and only then acknowledged.

The call starts when the message is read, in front of everything; its order, crew and record follow in one transaction with the inbox
row, the orders of a storm many at once and before the news of their valves. The same message by broker, outbox and again after a restart
is one message. Refuses to keep the broker waiting without end: when half of its window is outstanding the oldest are given back to it,
without the *taken* that the line waits for. The journal has every message until it is durable, so that a crash with the database away
loses none.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

import structlog

from core.clock import Clock
from core.station import STATION_MESSAGE, LeakAgainMessage, OrderMessage, TaskMessage, ValveMessage
from dispatch import call_records, metrics, order_making, orders, orders_sql, tasks
from dispatch.canary import CanaryCalls
from dispatch.database import Connection
from dispatch.journal import CallJournal
from dispatch.ledger import Ledger, Together, TooEarly, Work
from dispatch.live_ladder import LiveLadder
from dispatch.switchboard import Switchboard

Message = OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage
Way = Literal["broker", "outbox"]

_REMEMBERED: Final = 50_000


@dataclass(slots=True)
class _Pending:
    which: UUID
    since: float
    acks: list[Callable[[], None]] = field(default_factory=list)
    released: bool = False


class Inbox:
    """Everything that the line said and that is not durable yet, and the ids of what is."""

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        switchboard: Switchboard,
        canary: CanaryCalls,
        journal: CallJournal,
        taken: Callable[[UUID], None],
        window: int,
    ) -> None:
        """``taken`` tells the line that a message is durable; ``window`` is the broker's receive window."""
        self._clock = clock
        self._ledger = ledger
        self._switchboard = switchboard
        self._canary = canary
        self._journal = journal
        self._taken = taken
        self._most_held = max(1, window // 2)
        self._held = 0
        self._pending: OrderedDict[UUID, _Pending] = OrderedDict()
        self._holding: OrderedDict[UUID, _Pending] = OrderedDict()
        self._handled: OrderedDict[UUID, None] = OrderedDict()
        self._orders = Together("order", self._write_orders)
        self._outcomes: dict[UUID, order_making.Outcome] = {}
        """What the last try made of each order message that is not durable yet."""
        self._log = structlog.get_logger()

    def remember(self, message_ids: Iterable[UUID]) -> None:
        """These were handled by an earlier life of this process."""
        for message_id in message_ids:
            self._note(message_id)

    def restore(self) -> int:
        """Act on what the journal kept from an earlier life and queue it for the database; returns how many messages. Ladders come first:
        an order message whose ladder is there begins none.
        """
        kept = self._journal.read("message", STATION_MESSAGE.validate_json)
        for message in kept:
            if message.message_id in self._handled:
                self._journal.let_go("message", str(message.message_id))
            elif message.message_id not in self._pending:
                self._begin(message)
        return len(kept)

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
            self._journal.keep("message", str(which), message.model_dump_json())
            pending = self._begin(message)
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

    def _begin(self, message: Message) -> _Pending:
        which = message.message_id
        pending = self._pending[which] = _Pending(which, time.monotonic())
        self._act(message)
        if isinstance(message, OrderMessage):
            self._ledger.put_entry(self._orders, message, lambda done: self._order_finished(message, done), message.incident_id)
        else:
            self._ledger.put(message.type, self._work(message), lambda done: self._finished(which, done), message.incident_id)
        return pending

    # -- at once -------------------------------------------------------------------------------------------------------

    def _act(self, message: Message) -> None:
        """What must not wait for the database. An error here must not keep the message from being stored."""
        try:
            match message:
                case OrderMessage(order_kind="canary"):
                    self._canary.begin(message)
                case OrderMessage():
                    self._switchboard.begin(message)
                case ValveMessage():
                    self._switchboard.valve(message)
                case LeakAgainMessage():
                    self._switchboard.leak_again(message.incident_id, message.at_ms)
                case TaskMessage():
                    pass
        except Exception:  # noqa: BLE001  one failure must not stop the others
            self._log.exception("acting on a message failed", type=message.type, incident=str(message.incident_id))

    # -- durably -------------------------------------------------------------------------------------------------------

    async def _write_orders(self, connection: Connection, messages: Sequence[OrderMessage]) -> None:
        now_ms = self._clock.now_ms()
        fresh = await self._fresh(connection, messages, now_ms)
        wanted = [message for message in messages if message.message_id in fresh]
        made = await order_making.make(connection, wanted, now_ms)
        self._outcomes.update((message.message_id, outcome) for message, outcome in zip(wanted, made, strict=True))
        ladders = {row.incident_id: row for message in wanted if (row := self._switchboard.row(message.incident_id)) is not None}
        if ladders:
            async with connection.cursor() as cursor:
                # By id, as call_records has it: two who write many rows must not wait for one another.
                await cursor.executemany(
                    call_records.SAVE_LADDER, [call_records.ladder_row(ladders[incident]) for incident in sorted(ladders)]
                )

    async def _fresh(self, connection: Connection, messages: Sequence[Message], now_ms: int) -> set[UUID]:
        """Those that no earlier life of this process has taken."""
        row = {"message_ids": [message.message_id for message in messages], "now_ms": now_ms}
        return {row["message_id"] for row in await (await connection.execute(orders_sql.TAKE_MESSAGES, row)).fetchall()}

    def _order_finished(self, message: OrderMessage, done: bool) -> None:
        made = self._outcomes.pop(message.message_id, None)
        if done:
            self._follow(message, made)
        self._finished(message.message_id, done)

    def _follow(self, message: OrderMessage, made: order_making.Outcome) -> None:
        incident = str(message.incident_id)
        match made:
            case order_making.Made():
                if message.order_kind != "canary":
                    metrics.ORDER_MADE.observe(max(0, self._clock.now_ms() - message.received_ms) / 1000)
                self._log.info("order made", order_no=made.order_no, crew=made.crew_id, incident=incident, kind=message.order_kind)
            case order_making.Joined():
                self._switchboard.join(message.incident_id, made.incident_id)
                self._log.info("order joined", order_no=made.order_no, incident=incident, of=str(made.incident_id))
            case None:
                pass

    def _work(self, message: ValveMessage | LeakAgainMessage | TaskMessage) -> Work:
        tries = 0

        async def work(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            now_ms = self._clock.now_ms()
            if not await self._fresh(connection, [message], now_ms):
                return
            match message:
                case ValveMessage():
                    found = await orders.valve_known(connection, message, now_ms)
                    _wait_for_order(found, tries)
                case LeakAgainMessage():
                    found = await orders.leak_again(connection, message, now_ms)
                    _wait_for_order(found, tries)
                    await self._ladder_of_old(connection, message)
                case TaskMessage():
                    await tasks.add(connection, _desk_task(message), now_ms)

        return work

    async def _ladder_of_old(self, connection: Connection, message: LeakAgainMessage) -> None:
        """A ladder that memory has let go of begins anew from its row."""
        if self._switchboard.knows(message.incident_id):
            return
        row = await (await connection.execute(call_records.ONE_LADDER, {"incident_id": message.incident_id})).fetchone()
        if row is not None:
            live = LiveLadder.model_validate(row["state"])
            self._switchboard.resume([live], [])
            self._switchboard.leak_again(live.incident_id, message.at_ms)

    def _finished(self, which: UUID, done: bool) -> None:
        pending = self._pending.pop(which, None)
        self._journal.let_go("message", str(which))
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
        self._holding[pending.which] = pending
        self._held += 1
        if self._held > self._most_held:
            metrics.RELEASED.inc()
            self._release(next(iter(self._holding.values())))

    def _release(self, pending: _Pending) -> None:
        pending.released = True
        self._holding.pop(pending.which, None)
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
