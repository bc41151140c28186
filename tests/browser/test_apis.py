"""The pages of APIs in a real browser: read by everybody, kept live, and never run by what names hold."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.served import Served
from understudy.simulator.faults import Fault

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a/b c", "🎉 fiesta", "שלום עולם", "n" * 200]


@pytest.fixture(scope="module")
def known(service: Served) -> Served:
    """The service with a few APIs more, whose names want to harm the pages, and with failures."""

    async def prepare(app):
        async def served():
            return 1

        async def failing():
            raise RuntimeError("no <b>luck</b>")

        for name in HOSTILE:
            app.fallback.register_api(name, operation=served)
            for _ in range(5):
                await app.fallback.execute_with_fallback(name, served)
            for _ in range(2):
                with pytest.raises(Exception, match="luck"):
                    await app.fallback.execute_with_fallback(name, failing)

    service.do(prepare)
    return service


def test_hostile_names_are_only_read_and_lead_to_their_pages(known, open_page):
    page = open_page(known.url + "/apis?sort=name")
    for name in HOSTILE:
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.locator("h1")).to_have_text(name)
        expect(page.locator(".verdict")).to_be_visible()
        page.go_back()


def test_the_list_and_the_page_of_an_api_are_kept_live(known, open_page, simulator):
    page = open_page(known.url + "/apis?col=success_rate&col=last_error")
    row = page.locator("tr[data-api='fixtures_pro']")
    expect(row.locator("[data-field='state']")).to_contain_text("Healthy")
    other = open_page(known.url + "/apis/fixtures_pro")
    simulator.inject("fixtures_pro", Fault("status", status=503), 30)
    try:
        expect(row.locator("[data-field='state']")).to_contain_text("Down", timeout=15_000)
        expect(row.locator("[data-field='last_error']")).to_contain_text("503")
        expect(other.locator(".api-head [data-field='state']")).to_contain_text("Down", timeout=5_000)
        failed = other.get_by_role("link", name="503", exact=False).first
        for _ in range(20):  # the store is handed what failed each second
            other.reload()
            if failed.count():
                break
            other.wait_for_timeout(500)
        expect(other.locator(".verdict")).to_contain_text("It is them")
        expect(other.get_by_text("calls go to others until it is tried again")).to_be_visible()
        failed.click()
        other.wait_for_url("**/requests?q=*")
    finally:
        simulator.clear("fixtures_pro")


def test_views_are_kept_under_a_name_in_this_browser(known, open_page):
    page = open_page(known.url + "/apis?sort=-p95&col=p95")
    page.locator("u-views summary").click()
    page.get_by_label("Name of this view").fill("<b>slow</b>")
    page.get_by_role("button", name="Keep").click()
    page.goto(known.url + "/apis")
    page.locator("u-views summary").click()
    page.get_by_role("link", name="<b>slow</b>").click()
    assert page.url.endswith("/apis?sort=-p95&col=p95")
    page.locator("u-views summary").click()
    page.get_by_role("button", name="Forget <b>slow</b>").click()
    expect(page.get_by_role("link", name="<b>slow</b>")).to_have_count(0)


def test_everything_is_read_and_done_without_scripts(known, open_page):
    page = open_page(known.url + "/apis", javascript=False)
    page.get_by_label("Name, hub, route or tag:word").fill("odds")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tr[data-api]")).to_have_count(2)
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("p99").check()
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="p99").click()
    expect(page.locator("th[aria-sort='descending']")).to_have_text("p99")
    page.locator("input[name='pick.odds_open']").check()
    page.get_by_label("Reason").fill("works on the line")
    page.get_by_role("button", name="Silence alerts").click()
    expect(page.get_by_role("status")).to_contain_text("Silenced.")
    page.get_by_role("link", name="odds_prime").click()
    expect(page.locator("u-chart table").first).to_be_visible()
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_label("API 1")).to_have_value("odds_prime")
    page.get_by_label("API 2").fill("odds_open")
    page.get_by_role("button", name="Compare").click()
    # Whether that is enough to compare depends on how many calls there were by now; both stand in the table.
    expect(page.locator("main table").first).to_contain_text("odds_open")


def test_a_page_that_is_open_tells_of_an_outage_in_words_and_marks_without_a_reload(service, simulator, open_page):
    page = open_page(f"{service.url}/apis/predictions_ai")
    expect(page.locator("[data-fresh='verdict']")).to_contain_text("Nothing is wrong with it")
    simulator.inject("predictions_ai", Fault("status", status=503))
    try:
        expect(page.locator("[data-fresh='why']")).to_contain_text("Its breaker is open", timeout=15_000)
        expect(page.locator("[data-fresh='facts']")).to_contain_text("breaker open since")
        expect(page.locator("[data-fresh='verdict']")).not_to_contain_text("Nothing is wrong", timeout=15_000)
        notes = page.locator("u-chart .chart-notes").first
        expect(notes).to_have_text(re.compile("Breaker opened"), timeout=15_000)
        expect(notes).to_have_text(re.compile("Lead changed to predictions_stats"))
    finally:
        simulator.clear("predictions_ai")
