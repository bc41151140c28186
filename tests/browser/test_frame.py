"""The frame around every page, in a real browser: read by axe, walked by keys, and usable without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.chromium import axe


@pytest.mark.parametrize(("width", "scheme", "language"), [(768, "dark", "pt-BR"), (2560, "light", "en-US")])
def test_axe_finds_nothing_on_the_first_page_and_its_dialogs(service, open_page, width, scheme, language):
    page = open_page(service.url, width, scheme, language)
    page.locator("u-heat canvas").wait_for(state="attached")
    assert axe(page) == []
    # Nothing makes the page scroll sideways.
    assert page.locator("html").bounding_box()["width"] <= width
    page.keyboard.press("?")
    page.locator("dialog .keys").wait_for()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator(".palette [role=option]").first.wait_for()
    assert axe(page) == []


def test_everything_is_reached_by_keys(service, open_page):
    page = open_page(service.url)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for keys, path in (("ga", "/apis"), ("gl", "/alerts"), ("gq", "/requests"), ("go", "/")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(re.compile(rf"{path}(\?|$)"))
    page.keyboard.press("t")
    expect(page.locator("[data-menu=range] a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-menu=range]")).not_to_have_attribute("open", "")
    page.keyboard.press("j")
    expect(page.locator("main a:focus")).to_have_count(1)
    first = page.locator("main a:focus").text_content()
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("main a:focus").text_content() == first


def test_apis_are_kept_for_a_comparison_across_pages(service, open_page):
    page = open_page(service.url)
    for name in ("fixtures_pro", "odds_prime"):
        page.locator(f".multiple[data-api={name}] h3 a").focus()
        page.keyboard.press("c")
        expect(page.locator(".tray li")).to_have_count(1 if name == "fixtures_pro" else 2)
    page.goto(f"{service.url}/alerts")
    page.locator(".tray a").click()
    page.wait_for_url("**/apis/compare?api=fixtures_pro&api=odds_prime")


def test_without_scripts_a_page_is_read_and_its_menus_work(service, open_page):
    page = open_page(service.url, javascript=False)
    expect(page.locator(".truth")).to_be_visible()
    expect(page.locator(".kpi .spark").first).to_be_visible()
    expect(page.locator(".multiple svg.spark").first).to_be_visible()
    page.locator("[data-menu=range] summary").click()
    page.get_by_role("link", name="Last 5 min").click()
    page.wait_for_url("**/?last=5m")
    page.get_by_label("Keep the chart of odds_prime first").click()
    expect(page.locator(".multiple").first).to_have_attribute("data-api", "odds_prime")


def test_a_phone_has_a_bar_of_five_and_the_rest_under_more(service, open_page):
    page = open_page(service.url, 390)
    assert page.locator(".rail > ul > li:visible").count() == 6
    page.locator(".rail .more summary").click()
    page.locator(".rail .more").get_by_role("link", name="Settings").click()
    page.wait_for_url("**/settings**")
