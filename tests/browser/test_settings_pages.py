"""The settings in Chromium, as an administrator: tokens are made and revoked, all pages stand without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.chromium import axe
from understudy.web.auth.first import offer_first

PASSWORD = "violet ladder seventeen foxes"
HOSTILE = "<img src=x onerror=alert(1)>"
TABS = ["profile", "users", "tokens", "sessions", "audit", "configuration", "security", "system", "upkeep", "confirm"]


@pytest.fixture
def admin(serve: Any, open_page: Any) -> Any:
    """Opens pages on which the first administrator is signed in: made by the first, signed in by the others."""
    served = serve()
    token = served.do(offer_first)

    def opened(**more: Any) -> Page:
        nonlocal token
        page: Page = open_page(f"{served.url}/{'setup' if token else 'login'}", **more)
        if token:
            page.locator("[name='token']").fill(token)
            page.locator("[name='again']").fill(PASSWORD)
        page.locator("[name='name']").fill("ana")
        page.locator("[name='password']").fill(PASSWORD)
        page.locator("main button.primary").click()
        token = ""
        expect(page.locator("nav a[href^='/settings']").first).to_be_attached()
        page.base = served.url
        return page

    return opened


def make(page: Page, name: str) -> str:
    """Make a token; gives what is shown of it once."""
    page.locator("input#name").fill(name)
    page.locator("form[action='/settings/tokens'] button.primary").click()
    return page.locator("code.secret").inner_text()


def test_a_token_is_made_shown_once_works_and_is_revoked(admin: Any) -> None:
    page: Page = admin()
    page.goto(f"{page.base}/settings/tokens")
    secret = make(page, HOSTILE)
    assert secret.startswith("us_")
    assert axe(page) == []
    header = {"Authorization": f"Bearer {secret}"}
    ask = page.context.browser.new_context(extra_http_headers=header)
    assert ask.request.get(f"{page.base}/api/status").status == 200
    page.goto(f"{page.base}/settings/tokens")
    assert secret not in page.content()
    row = page.locator("tr", has_text=HOSTILE)
    row.get_by_role("button", name="Revoke").press("Enter")
    expect(page.get_by_role("status").filter(has_text="The token is revoked.")).to_be_visible()
    expect(row).to_have_count(0)
    assert ask.request.get(f"{page.base}/api/status").status == 401
    ask.close()
    page.goto(f"{page.base}/settings/audit")
    expect(page.locator("main")).to_contain_text("ana")
    page.goto(f"{page.base}/settings/system")
    uptime = page.locator("[data-live='uptime']")
    expect(uptime).not_to_have_text(uptime.inner_text())  # the numbers go on by themselves
    expect(page.locator("[data-live='memory_rss']")).to_contain_text("MiB")
    expect(page.get_by_text("More were logged meanwhile.")).to_be_hidden()


def test_everything_is_done_without_scripts(admin: Any) -> None:
    page: Page = admin(javascript=False)
    page.goto(f"{page.base}/settings/tokens")
    assert make(page, "ci").startswith("us_")
    page.locator("tr", has_text="ci").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_have_text("The token is revoked.")
    for tab in TABS:
        page.goto(f"{page.base}/settings/{tab}")
        expect(page.locator("main")).to_contain_text("Settings")
