"""The terminal story: two tellers, one thread of lines that a stranger can read."""

import json
from typing import Any

from deploy.story import Happening, Story, StoryTeller, server_sent_events

T0 = 1_775_000_000_000


def _platform(at_ms: int, text: str, incident: str = "i-1", **more: Any) -> Happening:
    said = {"at_ms": at_ms, "incident_id": incident, "home_id": "H-1", "zh": f"{text}（中）", "en": text, "address_en": "Room 501", **more}
    happening = Happening.read(json.dumps(said), outside=False)
    assert happening is not None
    return happening


def _outside(at_ms: int, text: str, incident: str | None = None) -> str:
    return json.dumps({"at_ms": at_ms, "incident_id": incident, "home_id": "H-1", "zh": f"{text}（中）", "en": text})


def test_an_incident_gets_a_heading_once_and_its_own_seconds() -> None:
    story = Story("en")
    first = story.tell(_platform(T0, "alarm received"))
    assert first[0] == ""
    assert "incident 1 · Room 501" in first[1]
    assert first[2].startswith("07:33:20 "), "what the clocks of the city show, wherever the machine stands"
    assert first[2].endswith("+0.0 s   1 ■ alarm received")
    [line] = story.tell(_platform(T0 + 12_340, "crew sent"))
    assert line.endswith("+12.3 s   1 ■ crew sent")
    second = story.tell(_platform(T0 + 20_000, "another home", incident="i-2"))
    assert "incident 2" in second[1]
    assert second[2].endswith("+0.0 s   2 ■ another home")


def test_what_happens_outside_joins_the_incident_of_its_home() -> None:
    story = Story("en")
    before = Happening.read(_outside(T0 - 5000, "gas escapes"), outside=True)
    after = Happening.read(_outside(T0 + 2000, "the phone is picked up"), outside=True)
    assert before is not None
    assert after is not None
    [line] = story.tell(before)
    assert line.endswith("· gas escapes")
    assert " s " not in line.removesuffix("gas escapes")
    story.tell(_platform(T0, "alarm received"))
    [line] = story.tell(after)
    assert line.endswith("+2.0 s   1 · the phone is picked up")


def test_a_sentence_that_the_stream_repeats_is_told_once() -> None:
    story = Story("zh")
    assert story.tell(_platform(T0, "alarm", entry_id="event:1"))[-1].endswith("■ alarm（中）")
    assert story.tell(_platform(T0, "alarm", entry_id="event:1")) == []
    assert len(story.tell(_platform(T0, "alarm", entry_id="event:2"))) == 1


def test_what_happened_within_a_millisecond_is_told_in_its_order() -> None:
    told: list[str] = []
    teller = StoryTeller("en", told.append)
    for nth, text in ((3, "order made"), (1, "alarm received"), (2, "close sent")):
        teller.hear(_platform(T0, text, entry_id=f"event:{nth}", nth=nth))
    teller.hear(_platform(T0 - 1, "before"))
    teller.tell()
    assert [line.partition("■ ")[2] for line in told if "■" in line] == ["before", "alarm received", "close sent", "order made"]


def test_lines_that_are_no_story_stay_out_of_it() -> None:
    told: list[str] = []
    teller = StoryTeller("en", told.append)
    for noise in ("", "not json", "[]", "{}", "null", '{"at_ms": "x", "zh": "", "en": ""}'):
        teller.hear_outside(noise)
    teller.tell()
    assert told == []
    teller.hear_outside(_outside(T0 + 1, "second"))
    teller.hear_outside(_outside(T0, "first"))
    teller.tell()
    assert [line.rpartition("· ")[2] for line in told] == ["first", "second"]


def test_server_sent_events_are_read_whole() -> None:
    stream = ["event: timeline", 'data: {"a":', "data: 1}", "", ": a comment", "data: plain", "", "event: clock", "", "data: cut off"]
    assert list(server_sent_events(stream)) == [("timeline", '{"a":\n1}'), ("message", "plain")]
