"""A chart as it is used: read, zoomed and led on from, by mouse and by keys; taken away as a picture and as numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.served import Served


@pytest.fixture
def chart(service: Served, open_page: Any) -> Locator:
    """A chart of an API with something that is marked on it."""

    async def held(app: Any) -> None:
        app.fallback.drain("odds_prime", reason="<b>their</b> works", actor="ana")
        app.fallback.undrain("odds_prime", actor="ana")

    service.do(held)
    page: Page = open_page(f"{service.url}/apis/odds_prime?last=1h")
    found: Locator = page.locator("u-chart.ready", has=page.get_by_text("Latency", exact=True)).first
    for _ in range(20):  # it stands there as soon as the first calls are in the history
        if (
            page.locator("u-chart strong", has_text="Latency").count()
            and "·" in found.locator(".chart-read").inner_text()
        ):
            break
        page.wait_for_timeout(500)
        page.reload()
    return found


def drag(chart: Locator, begin: float, end: float) -> None:
    """Pull the mouse from one share of the chart's width to another."""
    over, mouse = chart.locator(".u-over"), chart.page.mouse
    over.hover()  # which waits until it moves no more
    box = over.bounding_box()
    assert box
    across = box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * begin, across)
    mouse.down()
    mouse.move(box["x"] + box["width"] * end, across, steps=5)
    mouse.up()


def test_it_is_zoomed_by_a_drag_and_leads_to_the_requests_of_that_span(chart: Locator) -> None:
    page = chart.page
    back = chart.locator(".chart-tools button").first
    expect(back).to_be_hidden()
    drag(chart, 0.5, 0.9)
    link = chart.locator(".chart-tools a")
    expect(link).to_be_visible()
    # The charts of the page are zoomed together.
    expect(page.locator("u-chart.ready .chart-tools a:visible").nth(1)).to_be_attached()
    back.click()
    expect(link).to_be_hidden()
    drag(chart, 0.5, 0.99)
    link.click()
    page.wait_for_url(re.compile(r"/requests\?.*from=\d+&to=\d+"))
    expect(page.locator("#requests-q")).to_have_value('api:"odds_prime"')


def test_it_is_read_zoomed_and_left_by_keys(chart: Locator) -> None:
    page = chart.page
    chart.locator(".chart-plot").focus()
    read = chart.locator(".chart-read")
    page.keyboard.press("End")
    expect(read).to_have_attribute("role", "status")
    last = read.inner_text()
    page.keyboard.press("Home")
    expect(read).not_to_have_text(last)
    first = read.inner_text()
    page.keyboard.press("ArrowRight")
    expect(read).not_to_have_text(first)
    page.keyboard.press("End")
    page.keyboard.press("+")
    link = chart.locator(".chart-tools a")
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/requests\?.*from=\d+&to=\d+"))


def test_it_is_taken_away_and_says_in_words_what_is_marked_on_it(chart: Locator) -> None:
    page = chart.page
    with page.expect_download() as picture:
        chart.get_by_role("button", name="Download as a picture").click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.value.suggested_filename.endswith(".png")
    with page.expect_download() as numbers:
        chart.get_by_role("button", name="Download as CSV").press("Enter")
    head, *rows = numbers.value.path().read_text().splitlines()
    assert head.startswith("time,")
    assert len(rows) > 10
    table = chart.get_by_role("button", name="Show as a table")
    table.click()
    expect(table).to_have_attribute("aria-expanded", "true")
    expect(chart.locator(".chart-data table")).to_be_visible()
    chart.locator(".chart-notes summary").press("Enter")
    expect(chart.locator(".chart-notes li", has_text="Drained (<b>their</b> works)").first).to_be_visible()
    assert page.locator("main b").count() == 0
    line = chart.locator("[data-series='0']")
    line.click()
    expect(line).to_have_attribute("aria-pressed", "false")
