"""Every page, read by axe: in both languages, in both themes, on a phone and on a wide screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.chromium import audit, evaluate, expected, watched
from browser.furnished import NO_PAGES, furnish, furnished, places, sign_in
from browser.served import Served, serving
from understudy.web.table import ROUTES


@pytest.fixture(scope="module")
def full(simulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service in which every page has something to show."""
    settings = furnished(simulator, tmp_path_factory.mktemp("full"))
    with serving(settings, prepare=lambda app: furnish(app, simulator), traffic=5.0) as served:
        yield served


def read(page: Page, address: str, *, all_colours: bool) -> list[str]:
    """What is wrong with a page: light and wide, then dark and narrow; with `all_colours`, the other way round, too.

    Then only what has to do with colours is looked at, as the rest is the same in both themes.
    """
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto(address)
    expect(page.locator("h1")).to_have_count(1)
    wrong = [f"1440 light: {each}" for each in audit(page)]
    page.emulate_media(color_scheme="dark")
    if all_colours:
        wrong += [f"1440 dark: {each}" for each in audit(page, colours=True)]
    # As high as the page: what a phone's bar of places covers for now is no narrow target, as it can be scrolled up.
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_viewport_size({"width": 390, "height": min(evaluate(page, "document.documentElement.scrollHeight"), 9000)})
    wrong += [f"390 dark: {each}" for each in audit(page)]
    page.emulate_media(color_scheme="light")
    if all_colours:
        wrong += [f"390 light: {each}" for each in audit(page, colours=True)]
    page.set_viewport_size({"width": 360, "height": 844})
    if (wide := evaluate(page, "document.documentElement.scrollWidth")) > 360:
        wrong.append(f"360: it is {wide} wide")
    return [f"{address}: {each}" for each in wrong]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_axe_finds_nothing_on_any_page(full: Served, browser: Any, language: str) -> None:
    context = browser.new_context(storage_state=sign_in(browser, full.url), locale=language)
    page = watched(context.new_page())
    every = places(page, full)
    context.add_cookies([{"name": "us-lang", "value": language, "url": full.url}])
    served = {path for method, path in ROUTES if method == "GET" and not path.startswith("/api/")}
    assert served <= every.keys() | NO_PAGES | {"/setup"}, "a new page: tell `furnished.places` where it lies"
    wrong: list[str] = []
    for path in (path for paths in every.values() for path in paths):
        wrong += read(page, full.url + path, all_colours=language == "en")
        expect(page.locator("html")).to_have_attribute("lang", language)
    for path, status in (("/nothing/here", "404"), ("/requests/nothing", "404"), ("/alerts/rules/%00", "404")):
        wrong += read(page, full.url + path, all_colours=language == "en")
        expected(page, status)
    faults = page.faults
    context.close()
    assert not wrong + faults, "\n".join(wrong + faults)


def test_axe_finds_nothing_while_there_is_nothing(serve: Any, open_page: Any) -> None:
    served = serve()
    page = open_page(served.url)
    wrong: list[str] = []
    for path in ("", "apis", "routes", "alerts", "alerts/history", "requests", "reports", "notifications", "setup"):
        wrong += read(page, f"{served.url}/{path}", all_colours=False)
    assert not wrong, "\n".join(wrong)
