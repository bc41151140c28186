"""The pages about alerts in Chromium: by mouse and by keyboard, live, with hostile names, in both themes."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.chromium import axe, expected
from understudy.config.settings import Settings
from understudy.notifications.policy import PolicyOptions
from understudy.testing import MemoryChannel

HOSTILE = '<img src=x onerror=alert(1)>/" \u05e9'


async def broken() -> str:
    """An API that is out of order, and says so in markup."""
    raise RuntimeError("<script>alert(1)</script>")


async def failing(app: Any) -> None:
    """Two APIs, one of them behind a hostile name, which fails."""
    app.add_channel("people", MemoryChannel())
    app.fallback.register_api(HOSTILE, route="odds", operation=broken)
    app.fallback.register_api("plain", route="scores", operation=broken)
    await fail(app, HOSTILE)


async def fail(app: Any, name: str) -> None:
    """So many failures that its breaker opens."""
    for _ in range(30):
        with suppress(Exception):
            await app.fallback.execute_with_fallback(name, broken)
    await app.alerts.evaluate_now()


@pytest.fixture
def served(serve: Any) -> Any:
    policies = {"all": PolicyOptions(channels=("people",))}
    return serve(dataclasses.replace(Settings(), policies=policies), prepare=failing)


def test_alerts_are_handled_by_mouse_and_by_keyboard_while_others_come_in(served: Any, open_page: Any) -> None:
    page: Page = open_page(f"{served.url}/alerts")
    row = page.locator("tr[data-alert]", has_text="onerror")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("odds")
    # Another API breaks: its row comes by itself.
    served.do(lambda app: fail(app, "plain"))
    other = page.locator("tr[data-alert]", has_text="plain")
    expect(other).to_have_count(1)
    assert axe(page) == []
    # j leads to the first row, e acknowledges it.
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.locator("tr[data-alert] [data-part='handled']", has_text="http")).to_have_count(1)
    # Both are picked, and silenced with a reason, without a page of their own.
    for box in page.locator("tr[data-alert] input[type='checkbox']").all():
        box.check()
    page.get_by_label("Comment or reason").fill("planned work")
    page.locator(".bulk button[value='silence']").click()
    page.goto(f"{served.url}/alerts/silences")
    expect(page.locator("td", has_text="planned work")).to_have_count(2)
    assert axe(page) == []
    page.get_by_role("button", name="End it now").first.click()
    expect(page.locator("td", has_text="Holds")).to_have_count(1)


def test_an_incident_leads_to_its_failing_requests_in_one_click_and_keeps_notes(served: Any, open_page: Any) -> None:
    page: Page = open_page(f"{served.url}/alerts", scheme="dark")
    page.locator("tr[data-alert] a[data-part='rule']").first.click()
    expect(page.locator("h1")).to_contain_text("onerror")
    expect(page.locator("#timeline li").first).to_be_visible()
    page.get_by_label("Add a note").fill("looked at it\n<b>bold</b>")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".written .said")).to_have_text("looked at it\n<b>bold</b>")
    page.get_by_role("link", name="Why was I told, or not?").first.click()
    expect(page.locator("#why")).to_contain_text("Delivery on people")
    assert axe(page) == []
    page.get_by_role("link", name="Post-mortem draft").click()
    expect(page.locator("article.document")).to_contain_text("<b>bold</b>")
    assert axe(page) == []
    page.go_back()
    page.get_by_role("link", name="Failing requests of this window").click()
    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")


def test_a_rule_is_written_with_its_preview_changed_by_two_and_put_back(served: Any, open_page: Any) -> None:
    page: Page = open_page(f"{served.url}/alerts/new-rule?kind=threshold")
    expect(page.get_by_label("Condition", exact=True)).to_be_hidden()
    # Nobody is told what is wrong with fields that they have not come to yet.
    expect(page.locator("[data-part='sentence']")).to_contain_text("as soon as it is complete")
    expect(page.locator("[data-fault='name']")).to_have_text("")
    page.get_by_label("Metric", exact=True).select_option("error_rate")
    page.get_by_label("Threshold of level 1").fill("none")
    # What is wrong is said while it is written, beside its field.
    expect(page.locator("[data-fault='level0.threshold']")).to_have_text("Expected a number.")
    page.get_by_label("Threshold of level 1").fill("20")
    expect(page.locator("[data-fault='level0.threshold']")).to_have_text("")
    expect(page.locator("[data-part='sentence']")).not_to_have_text("Looking at the past…")
    assert axe(page) == []
    page.get_by_label("Name", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Keep the rule").click()
    expect(page.locator("h1")).to_have_text(HOSTILE)
    other: Page = open_page(page.url)
    page.get_by_label("Window", exact=True).fill("10m")
    page.get_by_role("button", name="Keep the rule").click()
    expect(page.get_by_text("The rule was kept")).to_be_visible()
    # The other one built on the version before: both are shown.
    other.get_by_label("Window", exact=True).fill("20m")
    with other.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 409):
        other.get_by_role("button", name="Keep the rule").click()
    expect(other.locator("tr[data-change='new']")).to_contain_text("1200")
    expected(other, "409")
    page.get_by_role("link", name="2 versions").click()
    page.get_by_role("button", name="Put in force again").click()
    expect(page.get_by_label("Window", exact=True)).to_have_value("5m")
    page.get_by_text("Delete what was changed here").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(f"{served.url}/alerts/rules?done=deleted")
    assert axe(page) == []


@pytest.mark.parametrize("width,scheme,language", [(390, "light", "pt-BR"), (1440, "dark", "pt-BR")])
def test_pages_about_alerts_are_whole_without_scripts(
    served: Any, open_page: Any, width: int, scheme: str, language: str
) -> None:
    more = {"width": width, "scheme": scheme, "language": language, "javascript": False}
    page: Page = open_page(f"{served.url}/alerts", **more)
    expect(page.locator("tr[data-alert]")).to_have_count(1)
    page.locator("tr[data-alert] button[name='acknowledge_one']").click()
    expect(page.locator("p.notice[data-state='ok']")).to_contain_text("Assumido")
    page.goto(f"{served.url}/alerts/new-rule?kind=expression")
    page.locator("[name='name']").fill("mine")
    page.locator("[name='when']").fill("error_rate > 20 and")
    page.locator("button[value='preview']").click()
    expect(page.locator("[data-fault='when']")).not_to_be_empty()
    expected(page, "422")  # the console tells of the fault that was provoked
    page.locator("[name='when']").fill("error_rate > 20")
    page.locator("button[value='preview']").click()
    expect(page.locator("[data-part='sentence']")).to_contain_text("passado")
    for path in ("/alerts/history", "/alerts/rules", "/alerts/silences"):
        page.goto(f"{served.url}{path}")
        expect(page.locator("h1")).to_have_count(1)
