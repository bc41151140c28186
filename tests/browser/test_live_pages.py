"""Pages that stay live in a real browser: one stream for all tabs, whoever leads; what happens when it breaks."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from browser.chromium import evaluate, expected, watched
from browser.served import serving
from understudy.config.settings import Settings
from understudy.core.events import Event
from understudy.storage import StorageOptions
from understudy.web.assets import assets
from understudy.web.live.hub import hub_of

STATE = "u-live"


def live(page):
    expect(page.locator(STATE)).to_have_attribute("data-state", "live", timeout=10_000)


def listen(page, topic, into="told"):
    """Collect what a page is told of a topic, in a variable of its own."""
    evaluate(
        page,
        f"import('{assets().url('app.js')}').then(({{live}}) => {{ globalThis.{into} = []; globalThis.live = live;"
        f"live.on({topic!r}, (data, about) => {into}.push([data, about])); return 1; }})",
    )


def streams(service):
    async def count(app):
        return len(hub_of(app).viewers)

    return service.do(count)


def emit(service, kind="breaker.opened", api="odds_prime"):
    async def tell(app):
        app.events.emit(Event(kind, app.clock.time(), api))

    service.do(tell)


def until(found, wanted=True, seconds=10.0):
    end = time.monotonic() + seconds
    while (seen := found()) != wanted:
        assert time.monotonic() < end, f"still {seen!r}, not {wanted!r}"
        time.sleep(0.05)


@pytest.mark.parametrize(("locks", "count"), [(True, 20), (False, 8)], ids=["locks", "no locks"])
def test_all_tabs_share_one_stream_and_another_leads_when_the_leader_closes(browser, service, locks, count):
    context = browser.new_context()
    if not locks:  # as on plain HTTP off this machine
        context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined})")
    before = streams(service)
    tabs = []
    for _ in range(count):
        tabs.append(watched(context.new_page()))
        tabs[-1].goto(f"{service.url}/requests/nothing")
    for tab in tabs:
        live(tab)
        listen(tab, "events")
    until(lambda: streams(service) - before, 1)
    emit(service, "breaker.opened", "marker-one")
    for tab in tabs:
        until(lambda tab=tab: evaluate(tab, "JSON.stringify(told).includes('marker-one')"))
    for _ in range(2):
        tabs[0].close()
        tabs = tabs[1:]
    emit(service, "breaker.opened", "marker-two")
    time.sleep(0.5)  # the tabs settle in real time who listens for all of them
    until(lambda: streams(service) - before, 1, 15.0)
    emit(service, "breaker.opened", "marker-three")
    for tab in tabs:
        until(lambda tab=tab: evaluate(tab, "JSON.stringify(told).includes('marker-three')"), seconds=15.0)
        live(tab)
    faults = [fault for tab in tabs for fault in tab.faults if "404" not in fault]
    context.close()
    assert not faults
    until(lambda: streams(service) - before, 0)


def test_what_is_shown_waits_while_it_is_paused_or_hidden_and_catches_up(open_page, service):
    page = open_page(f"{service.url}/")
    live(page)
    listen(page, "overview")
    until(lambda: evaluate(page, "told.length > 1"))
    button = page.locator(f"{STATE} button")
    button.click()
    expect(page.locator(STATE)).to_have_attribute("data-state", "paused")
    expect(button).to_have_attribute("aria-pressed", "true")
    count = evaluate(page, "told.length")
    listen(page, "events", "events")
    emit(service, api="while-paused")
    time.sleep(2.2)  # longer than two looks of the service: that nothing comes can only be waited for
    assert evaluate(page, "told.length") == count and not evaluate(page, "JSON.stringify(events)").count("while-paused")
    button.press("Enter")
    expect(page.locator(STATE)).to_have_attribute("data-state", "live")
    assert evaluate(page, "told.length") > count
    assert evaluate(page, "JSON.stringify(events)").count("while-paused") == 1
    evaluate(page, "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    count = evaluate(page, "told.length")
    time.sleep(2.2)  # as above
    assert evaluate(page, "told.length") == count
    evaluate(page, "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert evaluate(page, "told.length") == count + 1


def test_a_broken_stream_is_asked_for_instead_and_goes_on_where_it_was(open_page, service):
    page = open_page(f"{service.url}/")
    live(page)
    listen(page, "events", "events")
    page.route("**/live?*", lambda route: route.abort())

    async def cut(app):
        for viewer in tuple(hub_of(app).viewers.values()):
            viewer.close("test")

    service.do(cut)
    expect(page.locator(STATE)).to_have_attribute("data-state", "polling", timeout=30_000)
    emit(service, api="while-polling")
    until(lambda: evaluate(page, "JSON.stringify(events).split('while-polling').length - 1"), 1, 12.0)
    page.unroute("**/live?*")
    expect(page.locator(STATE)).to_have_attribute("data-state", "live", timeout=30_000)
    emit(service, api="live-again")
    until(lambda: evaluate(page, "JSON.stringify(events).split('live-again').length - 1"), 1)
    assert evaluate(page, "JSON.stringify(events).split('while-polling').length - 1") == 1
    expected(page, "net::ERR_FAILED")


def test_what_is_old_says_since_when_and_comes_alive_with_the_service(browser, tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    context = browser.new_context()
    page = watched(context.new_page())
    settings = Settings(storage=storage)
    with serving(settings) as service:
        port = int(service.url.rpartition(":")[2])
        page.goto(f"{service.url}/")
        live(page)
    expect(page.locator(STATE)).to_have_attribute("data-state", "reconnecting")
    expect(page.locator(f"{STATE} .word")).to_contain_text("Reconnecting in")
    expect(page.locator(STATE)).to_have_attribute("data-state", "stale", timeout=12_000)
    expect(page.locator(f"{STATE} [role=status]")).to_contain_text("Stale since")
    assert page.locator("html[data-stale]").count() == 1
    with serving(settings, port=port):
        expect(page.locator(STATE)).to_have_attribute("data-state", "live", timeout=30_000)
        assert page.locator("html[data-stale]").count() == 0
    assert all("ERR_CONNECTION_REFUSED" in fault or "ERR_INCOMPLETE" in fault for fault in page.faults), page.faults
    context.close()
