"""Which line a call leaves by, on real sockets: the simulated telephones and a trunk, side by side on loopback."""

import asyncio
import hashlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from dispatch.voice.client import VoiceClient
from dispatch.voice.protocol import CallRequest, Ended
from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport

PATIENCE_S = 60
USER, PASSWORD, REALM = "utility", "not-a-secret", "carrier"


class Trunk(asyncio.DatagramProtocol):
    """A carrier: asks for digest credentials, then answers by the number dialled; keeps everything it was sent."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.authorised: list[bool] = []
        self.transport: asyncio.DatagramTransport | None = None
        self.port = 0
        self.refusal: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode()
        self.received.append(text)
        refused = re.match(r"SIP/2\.0 ([2-6]\d\d)", text)
        if refused and _header(text, "CSeq") == "1 INVITE" and not self.refusal.done():
            self.refusal.set_result(int(refused[1]))
        if not text.startswith("INVITE"):
            return
        digest = _header(text, "Proxy-Authorization")
        if digest is None:
            self._answer(text, addr, "407 Proxy Authentication Required", f'Proxy-Authenticate: Digest realm="{REALM}", nonce="n1"\r\n')
            return
        self.authorised.append(_proves(digest))
        number = text.split()[1].removeprefix("sip:").partition("@")[0]
        if number.endswith("302"):
            self._answer(text, addr, "302 Moved Temporarily", f"Contact: <sip:+8613899999999@127.0.0.1:{self.port}>\r\n")
        else:
            self._answer(text, addr, "486 Busy Here", 'Reason: Q.850;cause=17;text="User busy"\r\n')

    def call_back(self, to: tuple[str, int]) -> None:
        """Ring the worker, which takes no calls."""
        assert self.transport is not None
        head = (
            f"INVITE sip:95158@{to[0]}:{to[1]} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bKback;rport\r\n"
            f"Max-Forwards: 70\r\nTo: <sip:95158@{to[0]}>\r\nFrom: <sip:stranger@127.0.0.1>;tag=s\r\nCall-ID: back\r\n"
            f"Contact: <sip:stranger@127.0.0.1:{self.port}>\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
        self.transport.sendto(head.encode(), to)

    def _answer(self, request: str, to: tuple[str, int], status: str, extra: str) -> None:
        assert self.transport is not None
        kept = "".join(f"{name}: {_header(request, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        answer = f"SIP/2.0 {status}\r\n{kept}To: {_header(request, 'To')};tag=t\r\n{extra}Content-Length: 0\r\n\r\n"
        self.transport.sendto(answer.encode(), to)


def _header(text: str, name: str) -> str | None:
    found = re.search(rf"(?im)^{name}:\s*(.*?)\r$", text)
    return found[1] if found else None


def _proves(digest: str) -> bool:
    given = dict(re.findall(r'(\w+)="([^"]*)"', digest))
    first = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()  # noqa: S324  what SIP digest asks for
    second = hashlib.md5(f"INVITE:{given['uri']}".encode()).hexdigest()  # noqa: S324  the same
    expected = hashlib.md5(f"{first}:{given['nonce']}:{second}".encode()).hexdigest()  # noqa: S324  the same
    return bool(given["username"] == USER and given["response"] == expected)


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Trunk, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


@pytest.fixture
async def exchange() -> AsyncIterator[PhoneExchange]:
    async with PhoneExchange(default="busy") as phones:
        yield phones


@pytest.fixture
async def client(tmp_path: Path, trunk: Trunk, exchange: PhoneExchange) -> AsyncIterator[VoiceClient]:
    path = tmp_path / "voice.sock"
    settings = {
        "VOICE_SOCKET": str(path),
        "SIM_SIP_PROXY": exchange.listen,
        "SIP_TRUNK": f"127.0.0.1:{trunk.port}",
        "SIP_TRUNK_USER": USER,
        "SIP_TRUNK_PASSWORD": PASSWORD,
        "LOG_LEVEL": "error",
    }
    env = os.environ | {f"GAS_SENTINEL_{name}": value for name, value in settings.items()}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice", env=env)
    async with VoiceClient(path) as connected:
        await asyncio.wait_for(connected.wait_connected(), PATIENCE_S)
        yield connected
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0


async def _end(client: VoiceClient, address: str, simulated: bool) -> Ended:
    call_id = f"{address} {simulated}"
    await client.place(CallRequest(call_id=call_id, address=address, simulated=simulated, language="zh", ring_s=5, text="漏气，请离开。"))
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.events():
            if isinstance(event, Ended) and event.call_id == call_id:
                return event
    raise AssertionError("the events ended")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sip:13900001@sim.invalid", "busy"),
        ("+8613812345678", "simulated_mismatch"),
        ("sip:+8613812345678@127.0.0.1", "simulated_mismatch"),
        ("sip:13900001@sim.invalid;maddr=127.0.0.1", "bad_address"),
    ],
)
async def test_a_simulated_row_beside_a_real_trunk_makes_zero_calls_there(
    client: VoiceClient, trunk: Trunk, exchange: PhoneExchange, address: str, reason: str
) -> None:
    end = await _end(client, address, simulated=True)
    assert end.reason == reason
    assert trunk.received == []
    # The trunk is there and would have heard: a home that is not simulated reaches it.
    assert (await _end(client, "+8613812345678", simulated=False)).reason == "busy"
    assert len(trunk.authorised) == 1


async def test_a_real_number_leaves_by_the_trunk_with_its_credentials(client: VoiceClient, trunk: Trunk) -> None:
    end = await _end(client, "+8613812345678", simulated=False)
    assert (end.reason, end.sip_code, end.q850_cause, end.cause_source) == ("busy", 486, 17, "header")
    assert trunk.authorised == [True]
    invite = next(text for text in trunk.received if text.startswith("INVITE"))
    assert invite.startswith("INVITE sip:+8613812345678@")
    assert "<sip:95158@" in (_header(invite, "From") or "")
    assert not any(text.startswith("REGISTER") for text in trunk.received)


async def test_a_real_home_never_reaches_the_simulated_phones(client: VoiceClient, trunk: Trunk) -> None:
    assert (await _end(client, "sip:13900001@sim.invalid", simulated=False)).reason == "simulated_mismatch"
    assert trunk.received == []


async def test_a_redirect_is_not_followed(client: VoiceClient, trunk: Trunk) -> None:
    assert (await _end(client, "+8613812345302", simulated=False)).answered is False
    assert not any("13899999999" in text.split("\r\n")[0] for text in trunk.received)


async def test_a_call_to_the_worker_is_refused(client: VoiceClient, trunk: Trunk) -> None:
    await _end(client, "+8613812345678", simulated=False)
    invite = next(text for text in trunk.received if text.startswith("INVITE"))
    contact = re.search(r"@([\d.]+):(\d+)", _header(invite, "Contact") or "")
    assert contact is not None
    trunk.call_back((contact[1], int(contact[2])))
    assert await asyncio.wait_for(trunk.refusal, PATIENCE_S) >= 400


async def test_simulated_phones_are_reached_beside_a_trunk_outside(tmp_path: Path, exchange: PhoneExchange) -> None:
    """The stack then speaks from the machine's outer address; nothing is sent to the trunk, as no real number is dialled."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no way out")
    await exchange.set_behaviour("1", "hangs_up_early", rings_s=0, listens_s=2)
    path = tmp_path / "voice.sock"
    settings = {"VOICE_SOCKET": str(path), "SIM_SIP_PROXY": exchange.listen, "SIP_TRUNK": "192.0.2.1:9", "LOG_LEVEL": "error"}
    env = os.environ | {f"GAS_SENTINEL_{name}": value for name, value in settings.items()}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice", env=env)
    async with VoiceClient(path) as client:
        await asyncio.wait_for(client.wait_connected(), PATIENCE_S)
        end = await _end(client, "sip:1@sim.invalid", simulated=True)
        assert (end.reason, end.ended_by) == ("far_hung_up", "far")
        assert end.spoken_s > 0
    async with asyncio.timeout(PATIENCE_S):
        heard = [report async for report in _until_hung_up(exchange) if report.event == "heard"]
    assert heard[0].heard_s > 0
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0


async def _until_hung_up(exchange: PhoneExchange) -> AsyncIterator[PhoneReport]:
    async for report in exchange.events():
        yield report
        if report.event == "hung_up":
            return


async def test_the_worker_does_not_start_with_simulated_phones_elsewhere(tmp_path: Path) -> None:
    env = os.environ | {"GAS_SENTINEL_VOICE_SOCKET": str(tmp_path / "v.sock"), "GAS_SENTINEL_SIM_SIP_PROXY": "192.0.2.9:5060"}
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatch.voice", env=env, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, said = await asyncio.wait_for(worker.communicate(), PATIENCE_S)
    assert worker.returncode == 2
    assert b"loopback" in said
    assert out == b""
    assert not (tmp_path / "v.sock").exists()
