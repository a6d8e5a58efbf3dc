"""The exchange's socket: who is called goes on to the phones, who cannot be reached is answered here.

Counts nothing and decides nothing but that; every call that comes in is told to ``on_call`` before the phones hear of it.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, cast

from core.clock import Clock
from simulator.phones import sip
from simulator.phones.behaviour import REFUSED_BY_EXCHANGE, Behaviour
from simulator.phones.brief import BriefPhones
from simulator.phones.lines import PhoneReport

CALLED: Final = "X-Called-Number"
_KEPT: Final = 10_000
_BUFFER_BYTES: Final = 4_000_000
"""A storm's INVITEs come in one burst; as much of this as the kernel allows."""

Address = tuple[str, int]


class Switch(asyncio.DatagramProtocol):
    """A stateless proxy for the phones, a user agent server for the rest."""

    def __init__(
        self,
        phones: Address,
        behaviour: Callable[[str], Behaviour],
        clock: Clock,
        on_refused: Callable[[str, str, int], None],
        report: Callable[[PhoneReport], None],
    ) -> None:
        """``behaviour`` gives a number's way; ``on_refused`` gets number, Call-ID and SIP code of what reached no phone; ``report``
        what happens at the phones without sound, which are served here.
        """
        self._phones = phones
        self._behaviour = behaviour
        self._clock = clock
        self._on_refused = on_refused
        self._transport: asyncio.DatagramTransport | None = None
        self._own: Address = ("", 0)
        self._answered: OrderedDict[str, sip.Message] = OrderedDict()
        self._refusals: dict[str, asyncio.Task[None]] = {}
        self._brief = BriefPhones(clock, self._send, report)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # the loop's own class does not derive from it
        self._own = self._brief.own = transport.get_extra_info("sockname")
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._brief.close()

    @property
    def listen(self) -> str:
        """Where the exchange listens."""
        return f"{self._own[0]}:{self._own[1]}"

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = sip.decode(data)
        if message is None:
            return
        if message.is_answer:
            back = sip.backward(message)
            if back is not None:
                self._send(back[0], back[1])
            return
        number = message.number
        if number is None:
            return
        if self._brief.take(message, number, self._behaviour(number), addr):
            return
        if self._behaviour(number).manner in REFUSED_BY_EXCHANGE or message.value("call-id") in self._answered:
            self._serve(message, number, addr)
            return
        if message.method == "INVITE":
            message = sip.with_media_at(message, self._own[0])
            self._send(sip.onward(message, addr, self._own, ((CALLED, number),)), self._phones)
        else:
            self._send(sip.onward(message, addr, self._own), self._phones)

    def _serve(self, request: sip.Message, number: str, source: Address) -> None:
        call = request.value("call-id") or ""
        if request.method == "INVITE":
            if call in self._answered:
                self._send(self._answered[call], source)
                return
            self._answer(call, sip.answer(request, 100, "Trying"), source)
            self._refusals[call] = asyncio.get_running_loop().create_task(self._refuse(request, number, call, source))
        elif request.method == "CANCEL":
            self._send(sip.answer(request, 200, "OK"), source)
            waiting = self._refusals.pop(call, None)
            if waiting is not None and waiting.cancel():
                invite = sip.answer(request, 487, "Request Terminated")
                headers = tuple((k, v.replace("CANCEL", "INVITE") if k.lower() == "cseq" else v) for k, v in invite.headers)
                self._answer(call, sip.Message(invite.start, headers, b""), source)

    async def _refuse(self, request: sip.Message, number: str, call: str, source: Address) -> None:
        way = self._behaviour(number)
        code, phrase, cause = REFUSED_BY_EXCHANGE[way.manner]
        if way.manner == "declines":
            self._answer(call, sip.answer(request, 180, "Ringing"), source)
            await self._clock.sleep(way.rings_s)
        self._answer(call, sip.answer(request, code, phrase, cause), source)
        self._on_refused(number, call, code)
        self._refusals.pop(call, None)

    def _answer(self, call: str, answer: sip.Message, to: Address) -> None:
        self._answered[call] = answer
        while len(self._answered) > _KEPT:
            self._answered.popitem(last=False)
        self._send(answer, to)

    def _send(self, message: sip.Message, to: Address) -> None:
        if self._transport is not None:
            self._transport.sendto(message.encode(), to)
