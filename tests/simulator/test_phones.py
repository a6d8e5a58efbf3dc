"""The simulated telephones' pure parts, and their process as far as it can be seen without a caller."""

import asyncio

import pytest

from simulator.phones import sip
from simulator.phones.behaviour import MANNERS, Behaviour, drawn
from simulator.phones.exchange import PhoneExchange, PhonesLostError

OWN = ("127.0.0.1", 5070)
INVITE = (
    b"INVITE sip:13900001@sim.invalid;transport=udp SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bKabc;rport\r\n"
    b"Max-Forwards: 70\r\nRoute: <sip:127.0.0.1:5070;lr>\r\n"
    b"To: <sip:13900001@sim.invalid>\r\nFrom: <sip:95158@sim.invalid>;tag=x\r\n"
    b"Call-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 2\r\n\r\nhi"
)


def _message(data: bytes) -> sip.Message:
    message = sip.decode(data)
    assert message is not None
    return message


def test_a_request_goes_on_and_its_answer_comes_back() -> None:
    invite = _message(INVITE)
    assert (invite.method, invite.number, invite.body) == ("INVITE", "13900001", b"hi")
    onward = _message(sip.onward(invite, ("127.0.0.1", 4001), OWN, (("X-Called-Number", "13900001"),)).encode())
    assert onward.value("route") is None
    assert onward.value("max-forwards") == "69"
    assert onward.value("x-called-number") == "13900001"
    assert (onward.value("via") or "").startswith("SIP/2.0/UDP 127.0.0.1:5070;branch=")
    back = sip.backward(sip.answer(onward, 180, "Ringing"))
    assert back is not None
    assert back[1] == ("127.0.0.1", 4001)
    assert (back[0].value("via") or "").startswith("SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bKabc")


def test_sound_is_sent_to_loopback_also_for_a_caller_outside() -> None:
    invite = _message(INVITE.replace(b"Length: 2\r\n\r\nhi", b"Length: 44\r\n\r\nv=0\r\nc=IN IP4 203.0.113.200\r\nm=audio 4 RTP/AVP 0\r\n"))
    changed = _message(sip.with_media_at(invite, "127.0.0.1").encode())
    assert changed.body == b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4 RTP/AVP 0\r\n"
    assert changed.value("content-length") == str(len(changed.body))


def test_cancel_and_ack_follow_the_same_branch_as_their_invite() -> None:
    invite = _message(INVITE)
    cancel = _message(INVITE.replace(b"INVITE", b"CANCEL"))
    branches = [sip.onward(message, ("127.0.0.1", 4001), OWN).value("via") for message in (invite, cancel)]
    assert branches[0] == branches[1]


def test_own_answer_carries_a_tag_and_a_cause() -> None:
    busy = _message(sip.answer(_message(INVITE), 404, "Not Found", 1).encode())
    assert busy.is_answer
    assert busy.value("reason") == "Q.850;cause=1"
    assert ";tag=" in (busy.value("to") or "")


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"INVITE\r\nVia: x", INVITE[:60]])
def test_what_is_no_sip_is_nothing(data: bytes) -> None:
    assert sip.decode(data) is None


def test_numbers_behave_by_seed() -> None:
    some = [drawn(str(number), 7) for number in range(400)]
    assert some == [drawn(str(number), 7) for number in range(400)]
    assert some != [drawn(str(number), 8) for number in range(400)]
    assert {behaviour.manner for behaviour in some} <= set(MANNERS)
    assert sum(behaviour.manner == "presses_1" for behaviour in some) > 200


def test_keys_and_answers_follow_from_the_manner() -> None:
    assert Behaviour(manner="presses_9").key == "9"
    assert Behaviour(manner="voicemail").answers
    assert not Behaviour(manner="never_answers").answers
    assert Behaviour(manner="busy").key is None


async def test_the_phones_start_take_orders_and_end() -> None:
    async with PhoneExchange() as exchange:
        assert exchange.listen.startswith("127.0.0.1:")
        assert not exchange.listen.endswith(":0")
        await asyncio.wait_for(exchange.set_behaviour("13900001", "busy", rings_s=0), 10)
        pid = exchange.pid
    assert pid is not None
    assert exchange.pid is None
    with pytest.raises(PhonesLostError):
        await exchange.set_behaviour("13900001", "busy")


async def test_phones_listen_on_loopback_only() -> None:
    exchange = PhoneExchange("0.0.0.0:0")
    with pytest.raises(PhonesLostError):
        await exchange.start()
    await exchange.stop()
