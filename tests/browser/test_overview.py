"""The first page in a real browser: live numbers, problems at once, the picture of all APIs, names that bite."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import expect

from browser.chromium import axe, evaluate
from understudy.core.errors import UnderstudyError
from understudy.core.types import Attribution, OutcomeClass
from understudy.simulator.faults import Fault

HOSTILE = [
    "<script>document.title='owned'</script>", "\"><img src=x onerror=document.title='owned'>", "a/b c?d#e%f",
    "{{7*7}}", "שלום", "💥" * 20, "' onmouseover='document.title=1", "x" * 200,
]  # fmt: skip


@pytest.fixture
def fleet(serve):
    """Sixty APIs of three hubs, one of them failing, and all the hostile names."""

    async def prepare(app):
        for number in range(60):
            app.fallback.register_api(
                f"api{number:02}",
                route=f"route{number // 3}",
                base_url=f"http://host{number}.test",
                hub=f"hub{number % 3}",
            )
        for name in HOSTILE:
            app.fallback.register_api(name, route="hostile", base_url="http://hostile.test", hub="<b>hub</b>")
        for name in [*HOSTILE, "api00", "api01"]:
            for _ in range(20):
                app.monitor.series(name).append(0.05)
        for _ in range(20):
            app.monitor.series("api01").failed(0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER, "<i>HTTP 500</i>", 500)

    return serve(prepare=prepare)


def test_numbers_come_alive_and_charts_take_the_running_minute(service, open_page):
    page = open_page(service.url)
    expect(page.locator("u-live")).to_have_attribute("data-state", "live")
    before = page.locator("[data-figure=rate] [data-part=value]").text_content()
    expect(page.locator("[data-figure=rate] [data-part=value]")).not_to_have_text(before, timeout=15_000)
    chart = page.locator("u-mini").first
    for _ in range(20):  # there is one as soon as the first calls are in the history
        page.reload()
        if page.locator("u-mini").count():
            break
        page.wait_for_timeout(500)
    chart.locator(".chart-plot").focus()
    page.keyboard.press("End")
    expect(chart.locator(".chart-read")).to_contain_text("p95")
    # Names of the chart, its time and its values are said where a screen reader hears them.
    expect(chart.locator(".chart-read")).to_have_attribute("role", "status")


def test_an_api_that_goes_down_stands_among_the_problems_at_once(serve, open_page):
    async def prepare(app):
        for name in ("lead", "standby"):
            app.fallback.register_api(name, route="odds", base_url=f"http://{name}.test")

    served = serve(prepare=prepare)
    page = open_page(served.url)
    expect(page.locator("[data-part=none]")).to_be_visible()
    expect(page.locator("u-live")).to_have_attribute("data-state", "live")

    served.do(lambda app: _open_breaker(app, "lead"))
    problem = page.locator(".problems li")
    expect(problem).to_contain_text("lead")
    expect(problem).to_contain_text("API down")
    expect(problem).to_contain_text("odds")
    expect(page.locator("[data-part=truth]")).to_contain_text("1 of 2 APIs degraded or down")
    expect(page.locator(".events li").first).to_contain_text("lead")
    problem.locator("a").click()
    page.wait_for_url("**/alerts/*")


async def _open_breaker(app, name):
    """Fail until the breaker opens."""

    async def fails():
        raise ConnectionError("refused")

    app.fallback.register_api(name, route="odds", operation=fails)
    for _ in range(30):
        with suppress(ConnectionError, UnderstudyError):  # every one of them fails; the last ones are not even tried
            await app.fallback.execute_with_fallback(name, fails)


def test_the_picture_of_all_apis_is_walked_by_keys_and_says_what_it_shows(fleet, open_page):
    page = open_page(fleet.url)
    view = page.locator(".heat-view")
    view.focus()
    read = page.locator(".heat-read")
    page.keyboard.press("End")
    # Hubs with trouble stand first and are open; those that are fine are folded, as there are so many APIs.
    expect(read).to_contain_text("hub")
    said = set()
    for _ in range(12):
        page.keyboard.press("ArrowDown")
        said.add(read.text_content())
    assert any("api01" in each and "many failures" in each for each in said), said
    assert axe(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/apis/*")


@pytest.mark.parametrize("path", ["/", "/?last=5m"])
def test_hostile_names_are_texts_everywhere(fleet, open_page, path):
    page = open_page(fleet.url + path)
    page.locator("u-heat canvas").wait_for(state="attached")
    expect(page.locator("u-live")).to_have_attribute("data-state", "live")
    shown = page.locator(".multiple h3").all_text_contents()
    assert {name for name in HOSTILE if name in shown} == set(HOSTILE)
    page.keyboard.press("Control+k")
    page.keyboard.type("script")
    expect(page.locator(".palette [role=option]").first).to_contain_text("<script>")
    assert evaluate(page, "document.title") == "Overview · Understudy"
    assert page.locator("main script:not([type='application/json']), main img").count() == 0


def test_an_empty_service_invites_to_the_first_api(serve, open_page):
    page = open_page(serve().url)
    expect(page.locator(".empty a")).to_have_attribute("href", "/setup/start")
    assert axe(page) == []


def test_a_small_chart_says_how_its_api_is_and_shades_what_fails_without_a_reload(service, simulator, open_page):
    page = open_page(service.url + "/")
    chart = page.locator('[data-api="odds_prime"]')
    expect(chart.locator("[data-part='state']")).to_contain_text("Healthy")
    simulator.inject("odds_prime", Fault("status", status=503))
    try:
        expect(chart.locator("[data-part='state']")).to_contain_text("Down", timeout=15_000)
        chart.locator(".chart-plot").focus()
        page.keyboard.press("End")
        expect(chart.locator(".chart-read")).to_contain_text("calls failed")
    finally:
        simulator.clear("odds_prime")
