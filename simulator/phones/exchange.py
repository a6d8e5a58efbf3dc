"""Starts the telephones' process and speaks with it: for scenarios, for ``make run`` and for tests."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

from core.errors import GasSentinelError
from simulator.phones.behaviour import Behaviour, Manner
from simulator.phones.lines import REPORT, BehaviourSet, PhoneReport, Ready, SetBehaviour

_START_S = 15.0


class PhonesLostError(GasSentinelError):
    """The telephones' process ended by itself or did not start."""


class PhoneExchange:
    """Real SIP phones at ``listen``. ``async with``, or ``start`` and ``stop``."""

    def __init__(
        self,
        listen: str = "127.0.0.1:0",
        *,
        seed: int = 1,
        default: Manner | None = None,
        record: Path | None = None,
        clock_rate: float = 1.0,
        clock_epoch_ms: int | None = None,
    ) -> None:
        self._arguments = ["--listen", listen, "--seed", str(seed), "--clock-rate", str(clock_rate)]
        if default is not None:
            self._arguments += ["--default", default]
        if record is not None:
            self._arguments += ["--record", str(record)]
        if clock_epoch_ms is not None:
            self._arguments += ["--clock-epoch-ms", str(clock_epoch_ms)]
        self.listen = listen
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[str] | None = None
        self._set: dict[str, list[asyncio.Future[None]]] = {}
        self._events: asyncio.Queue[PhoneReport | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process, while it lives."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> str:
        """Start the phones; returns (and keeps in ``listen``) the exchange's host:port. Raises PhonesLostError."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulator.phones", *self._arguments, stdin=PIPE, stdout=PIPE
        )
        self._reader = loop.create_task(self._read(self._process, self._ready))
        try:
            self.listen = await asyncio.wait_for(asyncio.shield(self._ready), _START_S)
        except TimeoutError as error:
            await self.stop()
            raise PhonesLostError("the simulated telephones did not start") from error
        return self.listen

    async def set_behaviour(self, number: str, manner: Manner, **options: Any) -> None:
        """From the next call on ``number`` (``*`` = all others) behaves so; options are those of ``Behaviour``.

        Returns when the phones know it. Raises PhonesLostError.
        """
        if self._process is None or self._process.stdin is None or self.pid is None:
            raise PhonesLostError("the simulated telephones are not running")
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._set.setdefault(number, []).append(known)
        self._process.stdin.write(SetBehaviour(number=number, behaviour=Behaviour(manner=manner, **options)).line())
        await known

    async def events(self) -> AsyncIterator[PhoneReport]:
        """What happens at the phones, until they stop. One reader."""
        while (report := await self._events.get()) is not None:
            yield report

    async def stop(self) -> None:
        """End the process. Harmless when it is gone."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader
        self._process = None

    async def _read(self, process: Process, ready: "asyncio.Future[str]") -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            report = REPORT.validate_json(line)
            match report:
                case Ready(listen=listen):
                    ready.set_result(listen)
                case BehaviourSet(number=number):
                    self._set[number].pop(0).set_result(None)
                case PhoneReport():
                    self._events.put_nowait(report)
        lost = PhonesLostError("the simulated telephones ended")
        if not ready.done():
            ready.set_exception(lost)
        for waiting in [future for futures in self._set.values() for future in futures]:
            waiting.set_exception(lost)
        self._events.put_nowait(None)
