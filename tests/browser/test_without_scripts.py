"""Every page without JavaScript: read to its numbers, its forms at hand, and nothing there that would do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.chromium import watched
from browser.furnished import furnish, furnished, places, sign_in
from browser.served import serving


def missing(page: Page) -> list[str]:
    """What a page shows that needs a script, and what it does not show without one."""
    wrong = []
    expect(page.locator("h1")).to_have_count(1)
    for button in page.locator("button[type='button']:visible").all():
        wrong.append(f"the button {button.inner_text()!r} does nothing")
    charts, tables = page.locator("u-chart").count(), page.locator("u-chart").locator("table:visible").count()
    if charts > tables:
        wrong.append(f"{charts} charts, but only {tables} tables of their numbers")
    if (minis := page.locator("u-mini:not(:has(svg))").count()) > 0:
        wrong.append(f"{minis} small charts without a drawing")
    for form in page.locator("main form:visible").all():
        if not form.locator("button:visible, summary:visible").count():
            wrong.append(f"a form for {form.get_attribute('action')!r} that cannot be sent")
    return [f"{page.url}: {each}" for each in wrong]


@pytest.mark.timeout(300)
def test_every_page_is_whole_without_scripts(browser: Any, simulator: Any, tmp_path: Any) -> None:
    with serving(furnished(simulator, tmp_path), prepare=lambda app: furnish(app, simulator), traffic=5.0) as full:
        context = browser.new_context(storage_state=sign_in(browser, full.url), java_script_enabled=False)
        page = watched(context.new_page())
        wrong: list[str] = []
        for path in (path for paths in places(page, full).values() for path in paths):
            page.goto(full.url + path)
            wrong += missing(page)
        context.close()
    assert not wrong + page.faults, "\n".join(wrong + page.faults)
