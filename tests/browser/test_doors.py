"""Who gets in, and what he then sees: the first user's link, name and password, roles, districts."""

from collections.abc import Callable

from playwright.sync_api import expect

from console.access.secret import new_secret
from tests.browser.conftest import Person, Seat
from tests.console.stage import T0, Records, Served


def test_the_first_user_comes_in_by_the_link_and_later_by_name_and_password(
    start_console: Callable[..., Served], records: Records, person: Person
) -> None:
    link = new_secret()
    console = start_console(setup_link=link)
    page = person(language="en", expected=("/api/v1/session", "/api/v1/setup"))
    page.goto(f"{console.url}/setup#{link}")
    page.get_by_label("User name").fill("chen.wei")
    page.get_by_label("Full name").fill("陈伟")
    page.get_by_label("Password", exact=True).fill("a long and dry sentence")
    page.get_by_label("Password again").fill("a long and dry sentence")
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_role("heading", name="Incidents", level=1)).to_be_visible()

    page.goto(f"{console.url}/setup#{link}")
    expect(page.get_by_role("alert")).to_be_visible()  # it was good once

    later = person(language="en", expected=("/api/v1/session",))
    later.goto(f"{console.url}/desk")
    later.get_by_label("User name").fill("chen.wei")
    later.get_by_label("Password").fill("not the sentence")
    later.get_by_role("button", name="Sign in").click()
    expect(later.get_by_role("alert")).to_be_visible()
    later.get_by_label("Password").fill("a long and dry sentence")
    later.get_by_role("button", name="Sign in").click()
    expect(later.get_by_role("heading", name="Incidents", level=1)).to_be_visible()


def test_a_viewer_is_shown_no_act_and_an_operator_is(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    incident = records.incident(1)
    path = f"/desk/incidents/{incident}"
    may = seat("operator", path=path, language="en")
    expect(may.get_by_role("button", name="Close the valve")).to_be_visible()
    may_not = seat("viewer", path=path, language="en")
    expect(may_not.get_by_role("heading", level=1)).to_contain_text("Room 501")
    expect(may_not.get_by_text("Your role has no action here.")).to_be_visible()
    expect(may_not.get_by_role("button", name="Close the valve")).to_have_count(0)
    expect(may_not.get_by_text("周敏")).to_have_count(0)


def test_what_lies_in_another_district_is_on_no_page_now_or_later(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    records.home(2, district_code="430103", district="天心区")
    mine = {"home_id": "home-0001", "address_zh": "芙蓉区 云栖花园 3栋 2单元 501室", "address_en": "Room 501", "district_code": "430102"}
    other = {"home_id": "home-0002", "address_zh": "天心区 云栖花园 3栋 2单元 502室", "address_en": "Room 502", "district_code": "430103"}
    page = seat("operator", path="/desk", districts=["430102"], expected=("/api/v1/incidents/",))
    wall = seat("viewer", path="/wall", width="wall", districts=["430102"])
    for shown in (page, wall):
        expect(shown.locator(".live").first).to_have_attribute("data-state", "live")
    hidden = records.incident(2, at_ms=T0, home=other)
    records.incident(1, at_ms=T0 + 1, home=mine)
    for shown in (page, wall):
        expect(shown.get_by_text("501室").first).to_be_visible()
        expect(shown.get_by_text("502室")).to_have_count(0)
    page.goto(f"{console.url}/desk/incidents/{hidden}")
    expect(page.get_by_text("没有").first).to_be_visible()
    expect(page.get_by_text("502室")).to_have_count(0)
