"""How a device obeys commands, to the letter of the contract.

Decides for each command whether it is carried out, answered again, superseded, expired or waiting for a hand at the meter, and
what is answered. Refuses to know how a valve moves and how an answer travels. Pure: time is an argument.

- A close is carried out whatever the time says, unless a later order to the valve was carried out.
- A repeated ``command_id`` is answered again with the newest answer and not carried out again.
- An open is carried out only when a person presses the key at the meter before ``expires_at``; a later close voids it.
"""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from core.messages import AckResult, Command, ValveState

Act = Literal["close", "open", "self_test", "report"]
Kind = Literal["meter", "detector"]

_VALVE_COMMANDS = frozenset({"close_valve", "open_valve"})
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What is acknowledged of a command."""

    command: Command
    result: AckResult
    valve: ValveState | None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now (None: nothing) and what to answer. ``repeated``: this command was known."""

    act: Act | None
    answers: tuple[Answer, ...]
    repeated: bool = False


@dataclass(slots=True)
class Obedience:
    """What one device remembers of its orders."""

    kind: Kind
    last_order_no: int = -1
    answers: dict[UUID, Answer] = field(default_factory=dict)
    waiting_open: Command | None = None
    travelling: Command | None = None

    def receive(self, command: Command, now_ms: int, valve: ValveState) -> Verdict:
        """Judge a command as it arrives; ``valve`` is what the valve is now."""
        known = self.answers.get(command.command_id)
        if known is not None:
            return Verdict(None, (known,), repeated=True)
        if (command.command in _VALVE_COMMANDS) != (self.kind == "meter") and command.command != "report":
            return Verdict(None, (self._answer(command, "rejected", None, f"a {self.kind} has no {command.command}"),))
        if command.command in _VALVE_COMMANDS and command.order_no < self.last_order_no:
            return Verdict(None, (self._answer(command, "rejected", valve, "superseded by a later order"),))
        if command.command == "close_valve":
            return self._close(command, valve)
        if now_ms > command.expires_at:
            return Verdict(None, (self._answer(command, "expired", self._valve(valve)),))
        if command.command == "open_valve":
            return self._await_key(command, valve)
        return Verdict(command.command, (self._answer(command, "done", self._valve(valve)),))

    def _close(self, command: Command, valve: ValveState) -> Verdict:
        self.last_order_no = command.order_no
        voided = self._void_open(valve, "voided by a later close") if self._open_is_older(command) else ()
        if self.travelling is not None and self.travelling.command == "open_valve":
            voided = (*voided, self._answer(self.travelling, "rejected", valve, "voided by a later close"))
        if valve == "closed":
            self.travelling = None
            return Verdict("close", (*voided, self._answer(command, "done", "closed")))
        self.travelling = command
        return Verdict("close", (*voided, self._answer(command, "accepted", "closing")))

    def _open_is_older(self, command: Command) -> bool:
        return self.waiting_open is not None and self.waiting_open.order_no <= command.order_no

    def _await_key(self, command: Command, valve: ValveState) -> Verdict:
        voided = self._void_open(valve, "replaced by a later open")
        self.waiting_open = command
        return Verdict(None, (*voided, self._answer(command, "accepted", valve, "waiting for the key at the meter")))

    def _void_open(self, valve: ValveState, why: str) -> tuple[Answer, ...]:
        waiting, self.waiting_open = self.waiting_open, None
        return () if waiting is None else (self._answer(waiting, "rejected", valve, why),)

    def key_pressed(self, now_ms: int) -> Act | None:
        """A person pressed the key at the meter: ``open`` where an order to open waits and has not expired."""
        waiting = self.waiting_open
        if waiting is None or now_ms > waiting.expires_at:
            return None
        self.waiting_open = None
        self.last_order_no = waiting.order_no
        self.travelling = waiting
        return "open"

    def passed(self, now_ms: int, valve: ValveState) -> tuple[Answer, ...]:
        """Time went on: an open that nobody confirmed expires."""
        waiting = self.waiting_open
        if waiting is None or now_ms <= waiting.expires_at:
            return ()
        self.waiting_open = None
        return (self._answer(waiting, "expired", valve, "nobody confirmed at the meter"),)

    def arrived(self, valve: ValveState) -> tuple[Answer, ...]:
        """The valve came to rest: the order under way is done, or refused where the valve is not where it was sent."""
        command = self.travelling
        if command is None or valve not in ("open", "closed", "fault"):
            return ()
        self.travelling = None
        wanted: ValveState = "closed" if command.command == "close_valve" else "open"
        if valve == wanted:
            return (self._answer(command, "done", valve),)
        return (self._answer(command, "rejected", valve, "the valve did not arrive"),)

    def _valve(self, valve: ValveState) -> ValveState | None:
        return valve if self.kind == "meter" else None

    def _answer(self, command: Command, result: AckResult, valve: ValveState | None, detail: str | None = None) -> Answer:
        answer = Answer(command, result, valve, detail)
        self.answers.pop(command.command_id, None)
        self.answers[command.command_id] = answer
        while len(self.answers) > _REMEMBERED:
            del self.answers[next(iter(self.answers))]
        return answer
