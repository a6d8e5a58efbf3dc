"""Phones without sound: one call of a storm, played message by message and once through the real exchange's process."""

import asyncio
import re

from core.clock import SystemClock
from simulator.phones import sip
from simulator.phones.behaviour import Behaviour
from simulator.phones.brief import BriefPhones
from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport

SOURCE = ("127.0.0.1", 4000)
AT_ONCE = Behaviour(manner="confirms_at_once", rings_s=0, listens_s=0)


def request(method: str, call: str = "c1", number: int = 1) -> sip.Message:
    text = (
        f"{method} sip:13900001@sim.invalid SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bK{call};rport\r\n"
        f"From: <sip:95158@sim.invalid>;tag=x\r\nTo: <sip:13900001@sim.invalid>\r\nCall-ID: {call}\r\nCSeq: {number} {method}\r\n"
        "Contact: <sip:95158@127.0.0.1:4000>\r\nContent-Length: 0\r\n\r\n"
    )
    message = sip.decode(text.encode())
    assert message is not None
    return message


class Caller:
    """What the platform's side hears, and what the phones report."""

    def __init__(self) -> None:
        self.heard: list[sip.Message] = []
        self.reports: list[PhoneReport] = []
        self.phones = BriefPhones(SystemClock(), lambda message, to: self.heard.append(message), self.reports.append)
        self.phones.own = ("127.0.0.1", 5070)

    async def until(self, start: str) -> sip.Message:
        async with asyncio.timeout(60):
            while True:
                found = [message for message in self.heard if message.start.startswith(start)]
                if found:
                    return found[-1]
                await asyncio.sleep(0.01)


async def test_it_rings_answers_presses_1_by_info_and_is_hung_up_by_the_caller() -> None:
    caller = Caller()
    assert caller.phones.take(request("INVITE"), "13900001", AT_ONCE, SOURCE)
    answer = await caller.until("SIP/2.0 200")
    assert re.search(rb"m=audio [1-9]\d* RTP/AVP 0\r\n", answer.body)
    assert caller.phones.take(request("ACK"), "13900001", AT_ONCE, SOURCE)
    info = await caller.until("INFO sip:95158@127.0.0.1:4000")
    assert b"Signal=1\r\n" in info.body
    assert info.value("from") == answer.value("to")
    assert caller.phones.take(request("BYE", number=2), "13900001", AT_ONCE, SOURCE)
    assert [report.event for report in caller.reports] == ["ringing", "answered", "pressed", "hung_up"]
    assert caller.reports[-1].by == "caller"
    assert caller.phones.take(request("BYE", number=3), "13900001", AT_ONCE, SOURCE) is False
    caller.phones.close()


async def test_the_answer_is_given_again_until_it_is_confirmed() -> None:
    caller = Caller()
    caller.phones.take(request("INVITE"), "13900001", AT_ONCE, SOURCE)
    async with asyncio.timeout(60):
        while sum(message.start.startswith("SIP/2.0 200") for message in caller.heard) < 2:
            await asyncio.sleep(0.02)
    caller.phones.close()


async def test_a_call_that_is_cancelled_while_it_rings_is_over() -> None:
    caller = Caller()
    slow = Behaviour(manner="confirms_at_once", rings_s=60)
    caller.phones.take(request("INVITE"), "13900001", slow, SOURCE)
    caller.phones.take(request("CANCEL"), "13900001", slow, SOURCE)
    assert [message.start.split(" ")[1] for message in caller.heard] == ["180", "200", "487"]
    assert caller.reports[-1].event == "hung_up"
    caller.phones.close()


def test_other_manners_are_left_to_the_phones_with_sound() -> None:
    caller = Caller()
    assert not caller.phones.take(request("INVITE"), "13900001", Behaviour(manner="presses_1"), SOURCE)
    assert not caller.phones.take(request("BYE"), "13900001", AT_ONCE, SOURCE)
    assert caller.heard == []


class _Line(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[sip.Message] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = sip.decode(data)
        if message is not None:
            self.heard.put_nowait(message)


async def test_the_exchange_serves_a_burst_of_them() -> None:
    calls = 60
    async with PhoneExchange(default="confirms_at_once") as exchange:
        await exchange.set_behaviour("*", "confirms_at_once", rings_s=0, listens_s=60)
        host, _, port = exchange.listen.rpartition(":")
        transport, line = await asyncio.get_running_loop().create_datagram_endpoint(_Line, remote_addr=(host, int(port)))
        for number in range(calls):
            transport.sendto(request("INVITE", f"burst-{number}").encode())
        answered: set[str] = set()
        async with asyncio.timeout(60):
            while len(answered) < calls:
                message = await line.heard.get()
                if message.start.startswith("SIP/2.0 200") and message.method == "INVITE":
                    answered.add(message.value("call-id") or "")
        transport.close()
    assert len(answered) == calls
