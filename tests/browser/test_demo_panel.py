"""The demonstration's panel before a real console and a real district port; the stations' part is written by SQL, moment by moment."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dispatch.voice.tape import wav_header
from tests.browser.conftest import Person
from tests.browser.test_every_page import complaints
from tests.console.stage import T0, Records, Served
from tests.console.test_demo import CREW, LINK, District, district  # noqa: F401  the same district, seen through a browser

WORDS = {
    "zh": {
        "role": "全部角色",
        "operator": "值班员（工作台）",
        "panel": "演示面板",
        "close": "关闭演示面板",
        "plain": "普通泄漏",
        "sticks": "阀门卡滞",
        "again": "另选一户",
        "waits": "等待第一起泄漏",
        "start": "不等了，现在就让一户泄漏",
        "choose": "自己选一户",
        "gathers": "燃气正在室内积聚",
        "alarms": "探测器报警",
        "this": "看着这起泄漏",
        "phone": "在抢修人员手机上看",
        "yours": f"打开后由您扮演抢修队 {CREW}",
        "played": f"抢修队 {CREW} 由您扮演",
        "eyes": "您目前的角色不能填报抢修单",
        "go": "打开抢修人员页面",
        "crew": f"抢修队 {CREW}",
    },
    "en": {
        "role": "Every role",
        "panel": "Demo panel",
        "plain": "A plain leak",
        "sticks": "The valve sticks",
        "again": "Choose another home",
        "operator": "Operator (desk)",
        "close": "Close the demo panel",
        "waits": "Waiting for the first leak",
        "start": "Do not wait: let a home leak now",
        "choose": "Choose a home myself",
        "gathers": "Gas gathers in the room",
        "alarms": "Detector alarms",
        "this": "Watch this leak",
        "phone": "See it on the technician's phone",
        "yours": f"You then play crew {CREW}",
        "played": f"You play crew {CREW}",
        "eyes": "Your role may not take the steps of an order",
        "go": "Open the technician's page",
        "crew": f"Crew {CREW}",
    },
}


Come = Callable[..., tuple[Page, Locator]]


@pytest.fixture
def newcomer(
    start_console: Callable[..., Served],
    records: Records,
    district: District,
    person: Person,
    tmp_path: Path,
) -> Come:
    """``newcomer(language, role="role")``: his page and its panel once he has followed the demonstration's link."""
    for number in (1, 2):
        records.home(number)
    console = start_console(demo_link=LINK, demo_control_url=district.url, recordings_dir=str(tmp_path))

    def come(language: str, role: str = "role", page: Page | None = None) -> tuple[Page, Locator]:
        words = WORDS[language]
        page = page or person(language=language, expected=("/api/v1/session",))
        page.goto(f"{console.url}/demo#{LINK}")
        page.get_by_role("button", name=words[role]).click()
        expect(opener(page, language)).to_be_visible()
        return page, page.get_by_role("complementary", name=words["panel"])

    return come


@pytest.fixture
def shown(newcomer: Come) -> Callable[[str], tuple[Page, Locator]]:
    """Shows what can be chosen in the panel, in a language."""

    def enter(language: str) -> tuple[Page, Locator]:
        page, panel = newcomer(language)
        panel.get_by_role("button", name=WORDS[language]["choose"]).click()
        expect(panel.get_by_role("radio").first).to_be_visible()
        return page, panel

    return enter


def opener(page: Page, language: str) -> Locator:
    return page.get_by_role("banner").get_by_role("button", name=WORDS[language]["panel"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_newcomer_follows_the_first_leak_without_a_click(newcomer: Come, records: Records, language: str) -> None:
    words = WORDS[language]
    page, panel = newcomer(language)
    expect(panel).to_contain_text(words["waits"])
    assert complaints(page, language) == []
    records.incident(2, ch4_lel=23.0)
    expect(step(panel, words["alarms"])).to_contain_text("23 %LEL")
    expect(step(panel, words["alarms"])).to_have_attribute("data-state", "done")

    # Whoever closes it is left alone by it, also after a reload and after the link is followed again.
    panel.get_by_role("button", name=words["close"]).click()
    expect(panel).to_have_count(0)
    page.reload()
    expect(page.get_by_role("main").get_by_text("502").first).to_be_visible()
    expect(panel).to_have_count(0)
    newcomer(language, page=page)
    expect(page.get_by_role("main").get_by_text("502").first).to_be_visible()
    expect(panel).to_have_count(0)
    opener(page, language).click()
    expect(panel.get_by_role("radio").first).to_be_visible()


def test_a_leak_that_is_under_way_is_followed_at_once_and_by_another_page_load_too(newcomer: Come, records: Records) -> None:
    records.incident(1)
    page, panel = newcomer("en")
    expect(step(panel, "Detector alarms")).to_have_attribute("data-state", "done")
    page.reload()
    expect(step(panel, "Detector alarms")).to_have_attribute("data-state", "done")


def test_a_newcomer_need_not_wait_for_chance(newcomer: Come, district: District) -> None:
    _, panel = newcomer("zh")
    panel.get_by_role("button", name=WORDS["zh"]["start"]).click()
    expect(panel).to_contain_text(WORDS["zh"]["gathers"])
    assert len(district.leaking()) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_of_an_incident_opens_the_panel_at_it(newcomer: Come, records: Records, language: str) -> None:
    words, incident = WORDS[language], records.incident(1)
    other = records.incident(2, ch4_lel=31.0, at_ms=T0 + 60_000)
    page, panel = newcomer(language)
    expect(step(panel, words["alarms"])).to_contain_text("31 %LEL")
    page.goto(f"{page.url.partition('/desk')[0]}/desk/incidents/{incident}")
    page.get_by_role("main").get_by_role("button", name=words["this"]).click()
    expect(step(panel, words["alarms"])).to_contain_text("23 %LEL")
    panel.get_by_role("button", name=words["close"]).click()
    expect(panel).to_have_count(0)
    page.goto(f"{page.url.partition('/desk')[0]}/desk/incidents/{other}")
    page.get_by_role("main").get_by_role("button", name=words["this"]).press("Enter")
    expect(step(panel, words["alarms"])).to_contain_text("31 %LEL")


@pytest.fixture
def order(records: Records, newcomer: Come) -> str:
    """A leak's order at a simulated crew, when somebody comes; its number."""
    records.crew(CREW)
    records.order(records.incident(1), 1, state="assigned", assigned_ms=T0 + 300, crew_id=CREW, technician_id=f"{CREW}-A")
    return "QX-260402-0001"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_technicians_phone_is_a_link_away_and_the_desk_goes_on(
    order: str,
    newcomer: Come,
    district: District,
    language: str,
) -> None:
    words = WORDS[language]
    page, panel = newcomer(language)
    expect(panel).to_contain_text(words["yours"])
    assert complaints(page, language) == []
    with page.context.expect_page() as opened:
        panel.get_by_role("link", name=words["phone"]).click()
    phone = opened.value
    phone.wait_for_url(f"**/field/orders/{order}")
    expect(phone.get_by_role("banner")).to_contain_text(words["crew"])
    expect(phone.get_by_text(order).first).to_be_visible()
    assert CREW in district.taken
    # Behind it the story goes on, in the eyes that it began with.
    expect(panel).to_contain_text(words["played"])
    expect(step(panel, words["alarms"])).to_have_attribute("data-state", "done")


def test_who_looks_through_other_eyes_is_asked_before_he_becomes_the_technician(
    order: str,
    newcomer: Come,
    district: District,
) -> None:
    words = WORDS["zh"]
    page, panel = newcomer("zh", "operator")
    with page.context.expect_page() as opened:
        panel.get_by_role("link", name=words["phone"]).click()
    phone = opened.value
    expect(phone.get_by_role("main")).to_contain_text(words["eyes"])
    assert CREW not in district.taken
    assert complaints(phone, "zh") == []
    phone.get_by_role("button", name=words["go"]).click()
    phone.wait_for_url(f"**/field/orders/{order}")
    expect(phone.get_by_role("banner")).to_contain_text(words["crew"])
    assert CREW in district.taken


def step(panel: Locator, title: str) -> Locator:
    return panel.locator("ol > li").filter(has_text=title)


def test_a_leak_is_followed_as_it_happens_and_what_was_said_is_heard(
    shown: Callable[[str], tuple[Page, Locator]],
    records: Records,
    district: District,
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
