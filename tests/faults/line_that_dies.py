"""A whole line as a process of its own that dies by SIGKILL at one named step. The product knows nothing of it: its ports are wrapped here.

``python line_that_dies.py STEP``, configured by the environment as the line is; STEP is one of :data:`STEPS`, or ``none``.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from alarm_engine import ledger
from alarm_engine.ledger import Ledger
from alarm_engine.settings import LineSettings
from core import log
from core.journal import Disk, Journal
from core.mqtt.connection import Connection
from gateway.down import Downlink
from gateway.station import main

_closes: list[str] = []


def die(*_: Any) -> None:
    """As kill -9 does: nothing is flushed, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


def between_close_and_journal() -> None:
    """The close is on the socket; not a byte of it is on the disk."""
    _after_first_close(lambda: _replace(Journal, "append", die))


def between_journal_and_commit() -> None:
    """The journal has it; the database never hears of it."""

    _after_first_close(lambda: (_replace(Disk, "sync", _then_die_of_commits), _replace(Ledger, "_commit", _waits_for_the_journal)))


def between_commit_and_acknowledgement() -> None:
    """The database has it; neither broker nor device has been answered."""
    commit = Ledger._commit

    async def commits_and_dies(self: Ledger, entries: list[ledger.Entry]) -> None:
        await commit(self, entries)
        die()

    def never(self: Disk, descriptor: int) -> None:
        # The journal is slower than the database this time.
        signal.pause()

    _after_first_close(lambda: (_replace(Disk, "sync", never), _replace(Ledger, "_commit", commits_and_dies)))


def between_promise_and_puback() -> None:
    """The device has its promise; the broker has no acknowledgement and delivers again."""
    ack = Downlink.ack

    def promises(self: Downlink, *given: Any) -> None:
        ack(self, *given)
        _replace(Connection, "acknowledge", die)

    _replace(Downlink, "ack", promises)


STEPS: dict[str, Callable[[], None]] = {
    step.__name__: step
    for step in (between_close_and_journal, between_journal_and_commit, between_commit_and_acknowledgement, between_promise_and_puback)
}


def _then_die_of_commits(self: Disk, descriptor: int) -> None:
    os.fdatasync(descriptor)
    die()


async def _waits_for_the_journal(self: Ledger, entries: list[ledger.Entry]) -> None:
    await asyncio.Event().wait()


def _after_first_close(then: Callable[[], object]) -> None:
    """Wrap the way down: when the first close has been written to the socket, the step is armed."""
    command = Downlink.command

    def sends(self: Downlink, account: str, message: Any) -> None:
        command(self, account, message)
        if message.command == "close_valve" and not _closes:
            _closes.append(account)
            then()

    _replace(Downlink, "command", sends)


def _replace(owner: type, name: str, by: Callable[..., object]) -> object:
    setattr(owner, name, by)
    return by


if __name__ == "__main__":
    if sys.argv[1] != "none":
        STEPS[sys.argv[1]]()
    settings = LineSettings()
    log.configure("line", settings.log_level)
    uvloop.run(main(settings))
