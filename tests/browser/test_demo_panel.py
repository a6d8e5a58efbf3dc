"""The demonstration's panel before a real console and a real district port; the stations' part is written by SQL, moment by moment."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dispatch.voice.tape import wav_header
from tests.browser.conftest import Person
from tests.console.stage import T0, Records, Served
from tests.console.test_demo import LINK, District, district  # noqa: F401  the same district, seen through a browser

WORDS = {
    "zh": {"role": "全部角色", "panel": "演示面板", "plain": "普通泄漏", "sticks": "阀门卡滞", "again": "另选一户"},
    "en": {
        "role": "Every role",
        "panel": "Demo panel",
        "plain": "A plain leak",
        "sticks": "The valve sticks",
        "again": "Choose another home",
    },
}


@pytest.fixture
def shown(
    start_console: Callable[..., Served],
    records: Records,
    district: District,  # noqa: F811
    person: Person,
    tmp_path: Path,
) -> Callable[[str], tuple[Page, Locator]]:
    """Opens the panel in a language, signed in by the demonstration's link."""
    for number in (1, 2):
        records.home(number)
    console = start_console(demo_link=LINK, demo_control_url=district.url, recordings_dir=str(tmp_path))

    def enter(language: str) -> tuple[Page, Locator]:
        page, words = person(language=language, expected=("/api/v1/session",)), WORDS[language]
        page.goto(f"{console.url}/demo#{LINK}")
        page.get_by_role("button", name=words["role"]).click()
        opener = page.get_by_role("banner").get_by_role("button", name=words["panel"])
        panel = page.get_by_role("complementary", name=words["panel"])
        expect(opener).to_be_visible()
        if not panel.is_visible():
            opener.click()
        expect(panel.get_by_role("radio").first).to_be_visible()
        return page, panel

    return enter


def step(panel: Locator, title: str) -> Locator:
    return panel.locator("ol > li").filter(has_text=title)


def test_a_leak_is_followed_as_it_happens_and_what_was_said_is_heard(
    shown: Callable[[str], tuple[Page, Locator]],
    records: Records,
    district: District,  # noqa: F811
    tmp_path: Path,
) -> None:
    page, panel = shown("en")
    panel.get_by_role("searchbox").fill("502室")
    expect(panel.get_by_role("radio")).to_have_count(1)
    panel.get_by_role("button", name="A plain leak").click()
    expect(panel).to_contain_text("Gas gathers in the room and nobody knows yet")
    assert district.leaking() == {"home-0002"}

    incident = records.incident(2, ch4_lel=23.0)
    expect(step(panel, "Close command sent")).to_contain_text("1 ms after it heard")
    expect(step(panel, "Valve closed")).to_have_attribute("data-state", "now")

    call = records.call(incident, home_id="home-0002", placed_ms=T0 + 60, ringing_ms=T0 + 100)
    expect(panel.locator(".phone")).to_have_attribute("data-state", "ringing")
    expect(panel.locator(".phone")).to_contain_text("周敏")
    records.change("calls", "call_id", call, answered_ms=T0 + 2000, said=["Gas is leaking. Leave now."])
    expect(panel.locator(".phone")).to_have_attribute("data-state", "speaking")
    expect(panel).to_contain_text("Gas is leaking. Leave now.")
    # Picking up is no confirmation.
    expect(step(panel, "Key pressed")).not_to_have_attribute("data-state", "done")
    sound = array("h", [4000, -4000] * 8000).tobytes()
    (tmp_path / f"{call}.wav").write_bytes(wav_header(len(sound)) + sound)
    records.change("calls", "call_id", call, key="1", key_ms=T0 + 9000, ended_ms=T0 + 12_000, outcome="confirmed")
    expect(step(panel, "Key pressed")).to_contain_text("周敏 presses 1: I am out.")
    expect(panel.locator(".keys .pressed")).to_have_text("1I am out")

    player = panel.locator("audio")
    player.evaluate("sound => { sound.preload = 'auto'; sound.load(); }")
    page.wait_for_function("() => document.querySelector('.demo audio').duration > 1.9")

    records.change("incidents", "incident_id", incident, valve="reported_closed", reported_closed_ms=T0 + 3000, proof="flows")
    expect(step(panel, "Valve seen to hold")).to_have_attribute("data-state", "trouble")
    records.change("incidents", "incident_id", incident, proof="holds", holds_ms=T0 + 15_000, clearing="clearing", clearing_ms=T0 + 20_000)
    expect(step(panel, "Valve seen to hold")).to_have_attribute("data-state", "done")
    expect(step(panel, "Room clears")).to_contain_text("the gas is really shut off")
    records.change("incidents", "incident_id", incident, state="closed", closed_ms=T0 + 60_000)
    expect(panel).to_contain_text("Dealt with")

    panel.get_by_role("button", name="Choose another home").click()
    expect(panel.get_by_role("radio").first).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_home_that_leaks_already_is_not_offered_again_and_a_refusal_is_said(
    shown: Callable[[str], tuple[Page, Locator]], records: Records, language: str
) -> None:
    _, panel = shown(language)
    words = WORDS[language]
    panel.get_by_role("button", name=words["sticks"]).click()
    panel.get_by_role("button", name=words["again"]).click()
    expect(panel.get_by_role("radio", disabled=True)).to_have_count(1)
    expect(panel).to_contain_text("正在泄漏" if language == "zh" else "leaks already")


def test_the_panel_goes_by_keyboard_and_what_is_watched_stays(shown: Callable[[str], tuple[Page, Locator]], records: Records) -> None:
    page, panel = shown("en")
    records.incident(1)
    panel.get_by_role("button", name="Watch this leak").press("Enter")
    expect(panel.locator("#demo-title")).to_be_focused()
    expect(step(panel, "Detector alarms")).to_contain_text("23 %LEL")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.get_by_role("banner").get_by_role("button", name="Demo panel").press("Enter")
    expect(step(panel, "Detector alarms")).to_have_attribute("data-state", "done")
