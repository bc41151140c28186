"""The request log in a real browser: found, narrowed, followed live, one call to its end; hostile texts stay texts."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from browser.chromium import axe, evaluate, expected
from understudy.core.errors import UnderstudyError

HOSTILE = "<img src=x onerror=\"document.title='executed'\">{{7*7}}\u202e'\"&amp;"


async def good():
    return 1


async def bad():
    raise RuntimeError(HOSTILE)


async def calls(app, count=3, route="checkout"):
    async def one():
        try:
            await app.fallback.call(route)
        except (UnderstudyError, RuntimeError):
            pass

    for _ in range(count):
        await one()


async def prepared(app):
    """A lead that fails with a hostile text, a standby that serves, and a route that nobody serves."""
    app.fallback.register_api("lead, <b>bold</b>", route="checkout", operation=bad, priority=1)
    app.fallback.register_api("spare", route="checkout", operation=good, priority=2)
    app.fallback.register_api("alone", route="lonely", operation=bad)
    await app.fallback.call("checkout")
    await calls(app, 2, "lonely")
    await asyncio.sleep(1.2)  # the log hands over each second


@pytest.fixture
def shop(serve):
    return serve(prepare=prepared)


def kept(shop, query=""):
    with urllib.request.urlopen(f"{shop.url}/api/requests?q={quote(query)}") as answer:
        return json.load(answer)["requests"]


def test_from_a_search_over_a_facet_to_one_call_and_its_commands(open_page, shop):
    page = open_page(f"{shop.url}/requests")
    rows = page.locator("table.requests tbody tr")
    expect(rows).to_have_count(3)
    assert page.title() == "Requests · Understudy"
    expect(page.locator("u-chart.ready")).to_be_visible()
    assert axe(page) == []
    page.locator(".facet a", has_text="not served").click()
    expect(rows).to_have_count(2)
    expect(page.locator("#requests-q")).to_have_value("outcome:failed")
    expect(page.locator(".facet a[aria-current]")).to_have_count(1)
    page.locator(".facet a[aria-current]").click()
    expect(rows).to_have_count(3)
    page.fill("#requests-q", 'apii:"lead, <b>bold</b>"')
    page.press("#requests-q", "Enter")
    expect(page.locator("[role=alert]")).to_contain_text("unknown name apii")
    expected(page, "400")
    page.locator("[role=alert] a").click()
    expect(rows).to_have_count(1)
    rows.first.locator("a").press("Enter")
    expect(page.locator("h1")).to_contain_text("served by a standby")
    steps = page.locator("table.waterfall tbody tr")
    expect(steps).to_have_count(2)
    expect(steps.first).to_contain_text("<b>bold</b>")
    expect(page.locator(".notice")).to_contain_text("<img src=x")
    expect(page.locator("table.candidates")).to_contain_text("served it")
    assert page.locator("main b, main img").count() == 0
    assert axe(page) == []
    page.goto(f"{shop.url}/requests/{quote('<script>alert(1)</script>', safe='')}")
    expect(page.locator("h1")).to_have_text("Request not found")
    expected(page, "404")


def test_the_tail_shows_calls_as_they_end_and_waits_while_somebody_reads(open_page, shop):
    page = open_page(f"{shop.url}/requests?q=route:checkout", height=420)
    rows = page.locator("table.requests tbody tr")
    button = page.locator("[data-part='tail']")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith("tail=yes")
    before = rows.count()
    evaluate(page, "new Promise(resolve => setTimeout(resolve, 500))")
    shop.do(lambda app: calls(app, 2))
    shop.do(lambda app: calls(app, 1, "lonely"))  # which the search leaves out
    expect(rows).to_have_count(before + 2)
    expect(rows.first).to_contain_text("spare")
    assert page.locator("main img").count() == 0
    rows.first.locator("a").focus()
    shop.do(lambda app: calls(app, 3))
    fresh = page.locator("[data-part='new']")
    expect(fresh).to_have_text("3 new: show them")
    assert rows.count() == before + 2
    fresh.click()
    expect(rows).to_have_count(before + 5)
    shop.do(lambda app: calls(app, 260))
    expect(page.locator("tr.skipped")).to_contain_text(re.compile(r"\d+ more came in this second"), timeout=15_000)
    rows.nth(3).locator("a").click()
    expect(page.locator("h1")).to_contain_text("checkout")


def test_the_tail_makes_up_for_calls_that_ended_before_it_listened(open_page, shop):
    page = open_page(f"{shop.url}/requests?q=route:lonely")
    rows = page.locator("table.requests tbody tr")
    expect(rows).to_have_count(2)
    shop.do(lambda app: calls(app, 1, "lonely"))
    page.locator("[data-part='tail']").click()
    expect(rows).to_have_count(3, timeout=15_000)


def test_everything_can_be_read_without_scripts_in_both_languages_and_on_phones(open_page, shop):
    page = open_page(f"{shop.url}/requests", 390, "dark", "pt-BR", javascript=False)
    expect(page.locator("h1")).to_have_text("Requisições")
    expect(page.locator("table.requests tbody tr")).to_have_count(3)
    page.locator("table.requests tbody a").first.click()
    expect(page.locator("table.waterfall")).to_be_visible()
    scripted = open_page(f"{shop.url}/requests?q=api:spare", 390, "dark", "pt-BR")
    assert axe(scripted) == []
    assert evaluate(scripted, "document.documentElement.scrollWidth <= innerWidth")
    scripted.goto(f"{shop.url}/requests?q=route:nothing")
    expect(scripted.locator(".empty")).to_contain_text("Nenhuma requisição é assim")


def test_pages_of_the_list_lead_on_and_a_store_that_is_away_is_told(open_page, serve):
    async def many(app):
        app.fallback.register_api("alone", route="lonely", operation=bad)
        app.fallback.register_api("other", route="lonely", operation=good)
        for number in range(6):
            app.fallback.register_api(f"api-{number}", route=f"r{number}", operation=bad)
            await calls(app, 20, f"r{number}")
        await asyncio.sleep(1.5)

    shop = serve(prepare=many)
    assert len(kept(shop)) == 100
    page = open_page(f"{shop.url}/requests?q=outcome:failed")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert page.locator("table.requests tbody tr").count() == 20
    assert page.locator("[data-part='tail']").is_hidden()
