"""The canary's telephone on real sockets: it ends every call at once, it is the only one that the canary reaches (invariant 9), and a
killed worker leaves nothing behind."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.voice import stack_folder
from dispatch.voice.client import VoiceClient
from dispatch.voice.line import TelephoneNetwork
from dispatch.voice.protocol import CANARY_ADDRESS, CallRequest, Ended
from dispatch.voice.route import Dial, Refused, route
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.sink import Sink, answers
from simulator.phones.exchange import PhoneExchange
from tests.dispatch.test_voice_lines import PATIENCE_S, Trunk

INVITE = (
    "INVITE sip:canary@sim.invalid SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport\r\n"
    "v: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=x\r\nTo: <sip:canary@sim.invalid>\r\n"
    "Call-ID: one\r\nCSeq: 7 INVITE\r\nContent-Length: 4\r\n\r\nVia: not a header"
)


def test_it_rings_and_is_busy() -> None:
    ringing, busy = (answer.decode() for answer in answers(INVITE.encode()))
    assert ringing.startswith("SIP/2.0 180 Ringing\r\n")
    assert busy.split("\r\n") == [
        "SIP/2.0 486 Busy Here",
        "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport",
        "Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK2",
        "From: <sip:a@b>;tag=x",
        "Call-ID: one",
        "CSeq: 7 INVITE",
        "To: <sip:canary@sim.invalid>;tag=canary",
        "Content-Length: 0",
        "",
        "",
    ]
    bye = INVITE.replace("INVITE", "BYE").replace("To: <sip:canary@sim.invalid>", "To: <sip:canary@sim.invalid>;tag=canary")
    (done,) = answers(bye.encode())
    assert done.decode().startswith("SIP/2.0 200 OK")
    assert done.decode().count("tag=canary") == 1


@given(st.one_of(st.binary(max_size=200), st.sampled_from([INVITE.replace("INVITE", "ACK").encode(), b"SIP/2.0 200 OK\r\n\r\n"])))
def test_what_needs_no_answer_gets_none(data: bytes) -> None:
    assert answers(data) == []


async def test_it_listens_on_loopback_only() -> None:
    sink = Sink()
    listen = await sink.start()
    assert listen.startswith("127.0.0.1:")
    sink.stop()
    with pytest.raises(ValueError, match="loopback"):
        TelephoneNetwork(VoiceSettings(), lambda: None, "192.0.2.1:5060")


ADDRESSES = st.one_of(
    st.just(CANARY_ADDRESS),
    st.from_regex(r"sip:[0-9a-z]{1,6}@sim\.invalid", fullmatch=True),
    st.from_regex(r"\+?[0-9]{3,14}", fullmatch=True),
    st.from_regex(r"(sip:)?canary@(sim\.invalid|example\.com)(;maddr=192\.0\.2\.1)?", fullmatch=True),
    st.text(max_size=30),
)


@given(ADDRESSES, st.booleans(), st.sampled_from(["", "127.0.0.1:5060"]), st.sampled_from(["", "192.0.2.9"]))
def test_no_real_number_for_what_is_simulated_and_no_trunk_for_the_canary(address: str, simulated: bool, proxy: str, trunk: str) -> None:
    """Invariant 9, for every address: what is simulated never leaves by the trunk, what is real never by anything else."""
    way = route(address, simulated, VoiceSettings(sim_sip_proxy=proxy, sip_trunk=trunk))
    if isinstance(way, Refused):
        assert not (simulated and address == CANARY_ADDRESS)  # the canary's own telephone is always there
        return
    assert isinstance(way, Dial)
    assert (way.line == "trunk") is not simulated
    assert (way.line == "canary") is (address == CANARY_ADDRESS)
    assert simulated is way.uri.endswith("@sim.invalid")


async def _worker(folder: Path, **settings: str) -> asyncio.subprocess.Process:
    told = {"VOICE_SOCKET": str(folder / "voice.sock"), "LOG_LEVEL": "error", **settings}
    env = os.environ | {f"GAS_SENTINEL_{name}": value for name, value in told.items()}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice", env=env)


def _canary(call_id: str, *, simulated: bool = True) -> CallRequest:
    return CallRequest(call_id=call_id, address=CANARY_ADDRESS, simulated=simulated, language="zh", ring_s=5, max_s=5, text="自检。")


async def _ends(client: VoiceClient, *call_ids: str) -> dict[str, Ended]:
    found: dict[str, Ended] = {}
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.events():
            if isinstance(event, Ended):
                found[event.call_id] = event
            if set(call_ids) <= set(found):
                return found
    raise AssertionError("the events ended")


async def test_the_canary_reaches_its_own_telephone_and_no_other(tmp_path: Path) -> None:
    """Beside a trunk and the simulated telephones, with all lines busy: neither hears of it."""
    _, trunk = await asyncio.get_running_loop().create_datagram_endpoint(Trunk, local_addr=("127.0.0.1", 0))
    async with PhoneExchange(default="listens") as exchange:
        await exchange.set_behaviour("1", "listens", rings_s=0)
        worker = await _worker(tmp_path, SIM_SIP_PROXY=exchange.listen, SIP_TRUNK=f"127.0.0.1:{trunk.port}", MAX_CONCURRENT_CALLS="1")
        async with VoiceClient(tmp_path / "voice.sock") as client:
            await asyncio.wait_for(client.wait_connected(), PATIENCE_S)
            await client.place(_canary("a").model_copy(update={"call_id": "long", "address": "sip:1@sim.invalid", "max_s": 60}))
            await client.place(_canary("a"))
            await client.place(_canary("b"))
            await client.place(_canary("real", simulated=False))
            ends = await _ends(client, "a", "b", "real")
        for name in "ab":
            assert (ends[name].reason, ends[name].sip_code) == ("busy", 486)
        assert ends["real"].reason == "simulated_mismatch"
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0
    assert trunk.received == []
    assert trunk.transport is not None
    trunk.transport.close()


async def test_a_killed_worker_leaves_nothing_behind_for_long(tmp_path: Path) -> None:
    folder = tmp_path / "voice.sock.stack"
    for _ in range(2):
        worker = await _worker(tmp_path)
        async with VoiceClient(tmp_path / "voice.sock") as client:
            await asyncio.wait_for(client.wait_connected(), PATIENCE_S)
            await client.place(_canary("a"))
            await _ends(client, "a")
        assert len(list(folder.glob("baresip-*"))) == 1
        worker.kill()
        await worker.wait()
    worker = await _worker(tmp_path)
    async with VoiceClient(tmp_path / "voice.sock") as client:
        await asyncio.wait_for(client.wait_connected(), PATIENCE_S)
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), PATIENCE_S) == 0
    assert list(folder.glob("baresip-*")) == []


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    strange = tmp_path / "voice.sock.stack" / "baresip-theirs"
    strange.mkdir(parents=True)
    assert stack_folder.take(tmp_path / "voice.sock") is None
    assert strange.is_dir()
    assert tempfile.tempdir is None
