"""The page about the REST API in a real browser: read by axe, opened by keys."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.chromium import axe


def test_an_endpoint_is_opened_and_read(service, open_page):
    page = open_page(f"{service.url}/api/docs", 390, "dark", "pt-BR")
    one = page.locator("#post-api-alerts-silences")
    one.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(one.locator("pre").first).to_contain_text("curl -sS")
    expect(one.locator("pre").last).to_contain_text("from understudy.clients.api import Client")
    assert axe(page) == []
    assert page.locator("html").bounding_box()["width"] <= 390
