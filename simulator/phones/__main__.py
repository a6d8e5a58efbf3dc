"""The telephones' process: ``python -m simulator.phones --listen 127.0.0.1:0``.

Orders on stdin, reports on stdout (JSON lines, see ``lines``); ends when stdin does or on SIGTERM. One baresip runtime serves all
phones.
"""

import argparse
import asyncio
import logging
import random
import signal
import sys
from pathlib import Path
from typing import Final

from baresip import Account, BaresipError, Call, Config, Runtime
from baresip.ua import UserAgent
from pydantic import BaseModel, ValidationError

from core.clock import SystemClock
from core.sound_ports import SOUND_PORTS
from simulator.phones.behaviour import MANNERS, Behaviour, drawn
from simulator.phones.lines import BehaviourSet, PhoneReport, Ready, SetBehaviour
from simulator.phones.phone import Phone
from simulator.phones.switch import CALLED, Switch

_PORTS: Final = range(20_000, 32_000, 2)
"""Below those that the kernel gives out, which others may hold for TCP alone."""

_PORT_ATTEMPTS: Final = 20


class Phones:
    """All phones of the process, and who behaves how."""

    def __init__(self, seed: int, default: Behaviour | None, clock: SystemClock, recordings: Path | None) -> None:
        self._seed = seed
        self._default = default
        self._clock = clock
        self._recordings = recordings
        self._behaviours: dict[str, Behaviour] = {}
        self._living: set[asyncio.Task[None]] = set()

    def behaviour(self, number: str) -> Behaviour:
        """How ``number`` behaves now."""
        return self._behaviours.get(number) or self._default or drawn(number, self._seed)

    def obey(self, line: bytes) -> None:
        """Take one order."""
        try:
            order = SetBehaviour.model_validate_json(line)
        except ValidationError as error:
            logging.getLogger(__name__).error("order refused: %s", error)
            return
        if order.number == "*":
            self._default = order.behaviour
        else:
            self._behaviours[order.number] = order.behaviour
        say(BehaviourSet(number=order.number, at_ms=self._clock.now_ms()))

    def ring(self, call: Call) -> None:
        """A call came in."""
        number = call.headers.get(CALLED, "")
        phone = Phone(call, number, self.behaviour(number), self._clock, say, self._recordings)
        task = asyncio.get_running_loop().create_task(phone.serve())
        self._living.add(task)
        task.add_done_callback(self._living.discard)

    def refused(self, number: str, call: str, code: int) -> None:
        """The exchange answered a call itself."""
        say(PhoneReport(event="refused", number=number, call=call, at_ms=self._clock.now_ms(), sip_code=code))


def say(report: BaseModel) -> None:
    """One line on stdout."""
    sys.stdout.write(report.model_dump_json() + "\n")
    sys.stdout.flush()


async def run(options: argparse.Namespace) -> None:
    """Serve until stdin ends or the process is told to stop."""
    clock = SystemClock(options.clock_rate, options.clock_epoch_ms)
    host, _, port = options.listen.rpartition(":")
    if not host.startswith("127."):
        raise SystemExit("simulated telephones listen on 127.0.0.0/8 only / 模拟电话只能监听本机回环地址")
    default = Behaviour(manner=options.default) if options.default else None
    if options.record is not None:
        options.record.mkdir(parents=True, exist_ok=True)
    phones = Phones(options.seed, default, clock, options.record)
    runtime, inner = await _start_stack(host)
    account = Account("phone", "sim.invalid", "", reg_interval=0, extra_params=("catchall=yes",))
    agent = await UserAgent.create(runtime, account, transfer_policy="reject")
    agent.on_incoming(phones.ring)
    loop = asyncio.get_running_loop()
    transport, switch = await loop.create_datagram_endpoint(
        lambda: Switch((host, inner), phones.behaviour, clock, phones.refused, say), local_addr=(host, int(port))
    )
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    say(Ready(listen=switch.listen, at_ms=clock.now_ms()))
    orders = loop.create_task(_orders(phones, stop))
    await stop.wait()
    orders.cancel()
    transport.close()
    await runtime.close()


async def _orders(phones: Phones, stop: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        phones.obey(line)
    stop.set()


async def _start_stack(host: str) -> tuple[Runtime, int]:
    """The running stack and its port. The stack takes a port for UDP and TCP and the next one for TLS, so a free one is tried for."""
    attempt = 0
    while True:
        attempt += 1
        port = random.choice(_PORTS)
        runtime = Runtime()
        try:
            await runtime.start(
                Config(
                    net_interface=host,
                    max_concurrent_calls=None,
                    expose_headers=(CALLED,),
                    native_log_level="error",
                    extra_config_text=f"sip_listen {host}:{port}\n{SOUND_PORTS}",
                )
            )
        except BaresipError:
            if attempt == _PORT_ATTEMPTS:
                raise
        else:
            return runtime, port


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.phones", description="simulated telephones / 模拟电话")
    parser.add_argument("--listen", default="127.0.0.1:0", help="host:port of the exchange, loopback only, port 0 = a free one")
    parser.add_argument("--seed", type=int, default=1, help="draws the behaviour of numbers that nobody set")
    parser.add_argument("--default", choices=MANNERS, help="behaviour of such numbers instead of a drawn one")
    parser.add_argument("--record", type=Path, help="folder for what each phone heard, as WAV")
    parser.add_argument("--clock-rate", type=float, default=1.0)
    parser.add_argument("--clock-epoch-ms", type=int, default=None)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
