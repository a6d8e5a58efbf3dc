"""The telephone's pure decisions: which line, which cause, which sentence next; and the sound itself."""

from array import array
from dataclasses import dataclass
from math import pi, sin, sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.voice import causes
from dispatch.voice.causes import Cause
from dispatch.voice.protocol import REPORT, REQUEST, CallRequest, Ended
from dispatch.voice.recital import Recital, sentences
from dispatch.voice.route import Dial, Refused, is_loopback, route
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.speech.resample import resample
from dispatch.voice.speech.tone import alarm_tone


@dataclass(frozen=True)
class Given:
    sim_sip_proxy: str = "127.0.0.1:5070"
    sip_trunk: str = "sip.carrier.example"


BOTH = Given()


@pytest.mark.parametrize(
    ("address", "simulated", "lines", "expected"),
    [
        ("sip:13900001@sim.invalid", True, BOTH, Dial("sip:13900001@sim.invalid", "simulated")),
        ("sip:+8613900001@sim.invalid", True, Given(sip_trunk=""), Dial("sip:+8613900001@sim.invalid", "simulated")),
        ("sip:13900001@sim.invalid", True, Given(sim_sip_proxy=""), Refused("no_sim_proxy")),
        ("sip:13900001@sim.invalid", True, Given(sim_sip_proxy="10.0.0.7:5060"), Refused("simulated_mismatch")),
        ("sip:13900001@sim.invalid", True, Given(sim_sip_proxy="localhost:5060"), Refused("simulated_mismatch")),
        ("+8613812345678", True, BOTH, Refused("simulated_mismatch")),
        ("sip:13900001@carrier.example", True, BOTH, Refused("simulated_mismatch")),
        ("sip:1@sim.invalid.carrier.example", True, BOTH, Refused("bad_address")),
        ("sip:1@carrier.example;x=@sim.invalid", True, BOTH, Refused("bad_address")),
        ("sip:1@sim.invalid;maddr=10.0.0.7", True, BOTH, Refused("bad_address")),
        ("sip:1@sim.invalid\n", True, BOTH, Refused("bad_address")),
        ("sip:13900001@sim.invalid", False, BOTH, Refused("simulated_mismatch")),
        ("sip:13900001@SIM.INVALID", False, BOTH, Refused("simulated_mismatch")),
        ("+8613812345678", False, BOTH, Dial("sip:+8613812345678@sip.carrier.example", "trunk")),
        ("tel:+86-138-1234-5678", False, BOTH, Dial("sip:+8613812345678@sip.carrier.example", "trunk")),
        ("0731 8888 9999", False, BOTH, Dial("sip:073188889999@sip.carrier.example", "trunk")),
        ("１３８１２３４５６７８", False, BOTH, Dial("sip:13812345678@sip.carrier.example", "trunk")),
        ("+8613812345678", False, Given(sip_trunk=""), Refused("no_trunk")),
        ("sip:me@carrier.example", False, BOTH, Refused("bad_address")),
        ("110", False, BOTH, Refused("bad_address")),
        ("", False, BOTH, Refused("bad_address")),
    ],
)
def test_route(address: str, simulated: bool, lines: Given, expected: Dial | Refused) -> None:
    assert route(address, simulated, lines) == expected


@given(st.text(max_size=60), st.sampled_from(["", "127.0.0.1:5070", "10.0.0.7:5060", "localhost:5060"]))
def test_a_simulated_home_never_reaches_the_trunk_nor_another_machine(address: str, proxy: str) -> None:
    way = route(address, True, Given(sim_sip_proxy=proxy))
    assert isinstance(way, Refused) or (way.line == "simulated" and is_loopback(proxy) and way.uri.endswith("@sim.invalid"))


@given(st.text(max_size=60))
def test_a_real_home_never_reaches_the_simulator(address: str) -> None:
    way = route(address, False, BOTH)
    assert isinstance(way, Refused) or way.line == "trunk"


@pytest.mark.parametrize(
    ("text", "rang", "expected", "word"),
    [
        ("486 Busy Here", True, Cause(486, 17, "mapped"), "busy"),
        ('486 Busy Here,Q.850;cause=17;text="User busy"', True, Cause(486, 17, "header"), "busy"),
        ("480 Temporarily Unavailable,Q.850;cause=20", True, Cause(480, 20, "header"), "unreachable"),
        ("480 Temporarily Unavailable", False, Cause(480, 18, "mapped"), "no_answer"),
        ("480 Temporarily Unavailable", True, Cause(480, 19, "mapped"), "no_answer"),
        ("603 Decline", True, Cause(603, 21, "mapped"), "declined"),
        ("404 Not Found", False, Cause(404, 1, "mapped"), "wrong_number"),
        ("408 Request Timeout", False, Cause(408, 102, "mapped"), "unreachable"),
        ("487 Request Terminated", True, Cause(487, 19, "mapped"), "no_answer"),
        ("503 Service Unavailable", False, Cause(503, 41, "mapped"), "network_failed"),
        ("403 Forbidden", False, Cause(403, 21, "mapped"), "trunk_refused"),
        ("407 Proxy Authentication Required", False, Cause(407, 21, "mapped"), "trunk_refused"),
        ("403 Forbidden,Q.850;cause=21", False, Cause(403, 21, "header"), "declined"),
        ("599 Odd", False, Cause(599, 41, "mapped"), "network_failed"),
        ("302 Moved Temporarily", False, Cause(302, None, "none"), "unreachable"),
        ("Connection timed out [110]", False, Cause(None, 102, "mapped"), "unreachable"),
        ("Connection refused [111]", False, Cause(None, 41, "mapped"), "network_failed"),
        ("", False, Cause(None, 41, "mapped"), "network_failed"),
        ("486 Busy Here,Q.850;cause=999", True, Cause(486, 17, "mapped"), "busy"),
        ("486 Busy Here,SIP;cause=200", True, Cause(486, 17, "mapped"), "busy"),
    ],
)
def test_cause_of_a_refused_call(text: str, rang: bool, expected: Cause, word: str) -> None:
    cause = causes.unconnected(text, rang=rang)
    assert (cause, causes.word(cause)) == (expected, word)


def test_cause_of_a_call_that_we_ended_ourselves() -> None:
    assert causes.cancelled("no_answer") == Cause(487, 19, "mapped")
    assert causes.cancelled("no_ringing") == Cause(None, 102, "mapped")
    assert causes.cancelled("hangup_asked") == Cause(487, 16, "mapped")


def test_cause_of_an_answered_call() -> None:
    assert causes.connected("Connection reset by peer [104]") == Cause(200, 16, "mapped")
    assert causes.connected("Q.850;cause=31") == Cause(200, 31, "header")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("燃气泄漏，请立即离开！不要开关电器。", ("燃气泄漏，请立即离开！", "不要开关电器。")),
        ("Leave now. Room 3.5 is near! Press 1", ("Leave now.", "Room 3.5 is near!", "Press 1")),
        ("one\n\ntwo", ("one", "two")),
        ("  ", ()),
        ("啊" * 500, ("啊" * 240, "啊" * 240, "啊" * 20)),
    ],
)
def test_sentences(text: str, expected: tuple[str, ...]) -> None:
    assert sentences(text) == expected


def _pass(recital: Recital) -> list[str]:
    said = []
    while (sentence := recital.take()) is not None:
        said.append(sentence)
    return said


def test_the_message_repeats_pass_after_pass() -> None:
    recital = Recital("a. b. c.")
    assert [_pass(recital), _pass(recital)] == [["a.", "b.", "c."]] * 2


def test_new_words_are_said_from_the_next_sentence_on() -> None:
    recital = Recital("leave. the valve is open. press 1.")
    assert recital.take() == "leave."
    recital.reword("leave. the valve is closed. press 1.")
    assert recital.peek() == "the valve is closed."
    assert _pass(recital) == ["the valve is closed.", "press 1."]


def test_a_sentence_that_became_untrue_is_said_again_in_this_pass() -> None:
    recital = Recital("leave. the valve is open. press 1.")
    assert [recital.take(), recital.take()] == ["leave.", "the valve is open."]
    recital.reword("leave. the valve is closed. press 1.")
    assert _pass(recital) == ["the valve is closed.", "press 1."]


def test_shorter_words_end_the_pass() -> None:
    recital = Recital("a. b. c.")
    assert [recital.take(), recital.take()] == ["a.", "b."]
    recital.reword("a.")
    assert (recital.take(), recital.take()) == (None, "a.")


def _tone(pitch_hz: float, rate_hz: int, seconds: float = 0.5) -> bytes:
    return array("h", (round(10_000 * sin(2 * pi * pitch_hz * n / rate_hz)) for n in range(int(rate_hz * seconds)))).tobytes()


def _level(pcm: bytes) -> float:
    sound = array("h", pcm)[200:-200]
    return sqrt(sum(sample * sample for sample in sound) / len(sound))


@pytest.mark.parametrize("pitch_hz", [200, 1000, 3000])
def test_what_a_telephone_carries_keeps_its_level(pitch_hz: int) -> None:
    sound = resample(_tone(pitch_hz, 22_050), 22_050, 8_000)
    assert len(sound) == 8_000
    assert _level(sound) == pytest.approx(10_000 / 2**0.5, rel=0.03)


@pytest.mark.parametrize("pitch_hz", [4600, 6000, 9000])
def test_what_lies_above_does_not_fold_back(pitch_hz: int) -> None:
    assert _level(resample(_tone(pitch_hz, 22_050), 22_050, 8_000)) < 100


def test_resampling_edges() -> None:
    assert resample(b"", 22_050, 8_000) == b""
    assert resample(b"\x01\x02", 8_000, 8_000) == b"\x01\x02"
    loudest = resample(array("h", [32767, -32768] * 2000).tobytes(), 22_050, 8_000)
    assert len(loudest) // 2 == 4000 * 8000 // 22050


def test_the_alarm_tone_can_be_heard() -> None:
    assert len(alarm_tone()) == 32_000
    assert _level(alarm_tone()) > 3_000


@pytest.mark.parametrize("proxy", ["10.0.0.7:5060", "localhost:5060", "127.0.0.1", "sim.invalid:5060", "127.0.0.1:99999"])
def test_the_worker_refuses_a_simulated_line_off_loopback(proxy: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        VoiceSettings(sim_sip_proxy=proxy)


@pytest.mark.parametrize("trunk", ["sim.invalid", "a;b", "<sip:x>", "a:b", "127.0.0.1:5070"])
def test_the_worker_refuses_a_trunk_that_is_none(trunk: str) -> None:
    with pytest.raises(ValidationError):
        VoiceSettings(sim_sip_proxy="127.0.0.1:5070", sip_trunk=trunk)


def test_a_socket_path_that_the_kernel_would_refuse_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="VOICE_SOCKET"):
        VoiceSettings(voice_socket=Path("/tmp/" + "x" * 120))


def test_a_password_is_not_shown() -> None:
    assert "hush" not in repr(VoiceSettings(sip_trunk="t.example", sip_trunk_password="hush"))


def test_protocol_round_trip() -> None:
    call = CallRequest(call_id="a", address="+8613812345678", simulated=False, language="zh", text="漏气")
    assert REQUEST.validate_json(call.line()) == call
    ended = Ended(call_id="a", at_ms=1, answered=False, ended_by="never_connected", reason="busy", sip_code=486)
    assert REPORT.validate_json(ended.line()) == ended


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"nonsense", b'{"type":"call","call_id":"a"}', b'{"type":"open_valve","call_id":"a"}', b"\xff\xfe"],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        REQUEST.validate_json(line)


def test_nobody_is_kept_on_the_phone_longer_than_ninety_seconds() -> None:
    with pytest.raises(ValidationError):
        CallRequest(call_id="a", address="1", simulated=True, language="en", text="x", max_s=91)
