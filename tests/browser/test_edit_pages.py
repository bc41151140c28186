"""APIs and routes are edited in Chromium, by mouse and by keyboard: tried, refused, saved, compared, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.chromium import axe, expected
from browser.served import run_by_command
from keyed_api import keyed_api

KEY, WRONG = "k3y-of-the-odds-9f8e7d6c", "wr0ng-key-of-the-odds-1a2b"
PASSWORD = "a long enough passphrase"
HOSTILE = "<img src=x onerror=alert(1)>/../'\""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A service with an API and a route: its address, and its set-up token while nobody has used it."""
    folder = tmp_path_factory.mktemp("service")
    with keyed_api(KEY) as port:
        (folder / "understudy.toml").write_text(
            f'[service]\nallow_networks = ["127.0.0.0/8"]\n[apis.prime]\nbase_url = "http://127.0.0.1:{port}/v1"\n'
            '[apis.prime.health_check]\npath = "/status"\n[routes.odds]\napis = ["prime"]\n'
        )
        with run_by_command(folder) as found:
            yield list(found)


@pytest.fixture
def signed_page(started: list[str], open_page: Any) -> Page:
    """A page on which the first administrator is signed in; `page.base` is the service."""
    page: Page = open_page(f"{started[0]}/settings/apis")
    page.base = started[0]
    if len(started) > 1:
        page.get_by_role("link", name="Make the first administrator").click()
        page.get_by_label("Set-up token").fill(started.pop())
        page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    # whoever was sent to make an administrator, or to sign in, comes back to where it began
    expect(page).to_have_url(f"{page.base}/settings/apis")
    return page


def test_an_api_is_edited_tried_compared_and_taken_back(signed_page: Page) -> None:
    page = signed_page
    page.goto(f"{page.base}/apis/prime")
    page.get_by_role("link", name="Edit").click()
    fields = page.get_by_role("form", name="What is changed most")
    whole = page.get_by_role("form", name="The whole entry")
    assert axe(page) == []

    # by mouse: a key that is wrong, then the right one; neither ever comes back
    for key, found in ((WRONG, "It fails"), (KEY, "It works")):
        fields.get_by_label("How the key is sent").select_option("header")
        fields.get_by_label("Name of that header or parameter").fill("X-Api-Key")
        fields.get_by_label("Key", exact=True).fill(key)
        fields.get_by_role("button", name="Ask it now").click()
        expect(page.get_by_role("status").filter(has_text=found)).to_be_visible()
        assert key not in page.content()
    assert axe(page) == []
    fields.get_by_label("Why it is changed").fill("it has a key now")
    fields.get_by_label("Why it is changed").press("Enter")
    expect(page.get_by_role("status").filter(has_text="It is saved and in force.")).to_be_visible()
    expect(whole.get_by_role("textbox").first).to_have_value(re.compile(r"set \(sha256:\w{8}…\)"))

    # by keyboard: a mistake in the document, found with its line, and mended
    text = whole.get_by_label("As it stands in a file (TOML)")
    good = text.input_value()
    text.focus()
    page.keyboard.press("Control+Home")
    page.keyboard.type("priorty = 2\n")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(whole.get_by_role("button", name="Check it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("1 thing is wrong; nothing has changed.")
    expect(page.get_by_role("row").filter(has_text="priorty")).to_contain_text("1")
    expected(page, "422")
    assert axe(page) == []
    text.fill(text.input_value().replace("priorty", "priority"))

    # somebody else is quicker
    other = page.context.new_page()
    other.goto(f"{page.base}/settings/apis/entry?name=prime")
    other.get_by_role("form", name="What is changed most").get_by_label("Price of 1,000 calls").fill("0.5")
    other.get_by_role("form", name="What is changed most").get_by_role("button", name="Save").click()
    expect(other.get_by_role("status").filter(has_text="It is saved")).to_be_visible()
    other.close()
    whole.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Theirs and yours")).to_be_visible()
    expected(page, "409")
    assert axe(page) == []
    whole.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="It is saved")).to_be_visible()

    page.get_by_role("link", name="3", exact=True).click()
    assert "it has a key now" in page.inner_text("main")
    assert axe(page) == []
    page.get_by_role("button", name="Put in force again 1").press("Enter")
    expect(page.get_by_role("status").filter(has_text="The earlier version")).to_be_visible()
    expect(whole.get_by_label("As it stands in a file (TOML)")).to_have_value(good)
    page.get_by_role("link", name="Back to the configuration's…").click()
    assert axe(page) == []
    page.get_by_role("button", name="Put it in force again").click()
    expect(page.get_by_role("status").filter(has_text="What the configuration says")).to_be_visible()
    assert KEY not in page.content()


def test_a_name_full_of_markup_is_made_routed_and_deleted_without_scripts(signed_page: Page, open_page: Any) -> None:
    page = signed_page
    page.goto(f"{page.base}/settings/apis/new")
    fields = page.get_by_role("form", name="What is changed most")
    fields.get_by_label("Name", exact=True).fill(HOSTILE)
    fields.get_by_label("Base address").fill("https://api.example.com")
    fields.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    plain = open_page(f"{page.base}/login", javascript=False, storage_state=page.context.storage_state(), width=390)
    plain.goto(f"{page.base}/settings/routes")
    plain.get_by_role("link", name="Edit odds").click()
    fields = plain.get_by_role("form", name="What is changed most")
    fields.get_by_label("APIs, one in each line").fill(f"prime\n{HOSTILE}\n")
    fields.get_by_role("button", name="Save").click()
    expect(plain.get_by_role("status")).to_have_text("It is saved and in force.")
    page.goto(f"{page.base}/settings/apis")
    assert axe(page) == []
    page.get_by_role("link", name=HOSTILE, exact=True).click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("alert")).to_have_text("Something else needs it; nothing has changed.")
    expected(page, "422")
    page.goto(f"{page.base}/settings/channels/new?kind=email")
    assert axe(page) == []
    page.goto(f"{page.base}/settings/channels/new?kind=webhook")
    fields = page.get_by_role("form", name="What is changed most")
    fields.get_by_label("Name", exact=True).fill(HOSTILE)
    fields.get_by_label("URL that receives the requests").fill("https://hooks.example.com/k3y-of-the-hook")
    fields.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="It is saved")).to_be_visible()
    assert "k3y-of-the-hook" not in page.content()
    assert axe(page) == []
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    assert axe(page) == []
    page.go_back()
    page.get_by_role("link", name="Delete…").click()
    assert axe(page) == []
