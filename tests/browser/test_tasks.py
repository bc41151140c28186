"""What people come for, done once with a mouse and once with the keys alone, on one service and in one session.

Both hands find the service alike: what one has done, it takes back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from browser.chromium import watched
from browser.furnished import DEAF, FAILING, ROUTE, STANDBY, furnish, furnished, sign_in
from browser.hands import Hand, Keys, Mouse
from browser.served import Served, serving
from flows.signed import PASSWORD

Look = Callable[[str], Page]
HANDS = [pytest.param(Mouse(), id="mouse"), pytest.param(Keys(), id="keys")]


@pytest.fixture(scope="module")
def full(simulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service in which every page has something to show."""
    with serving(
        furnished(simulator, tmp_path_factory.mktemp("full")), prepare=lambda app: furnish(app, simulator), traffic=20.0
    ) as served:
        yield served


@pytest.fixture(scope="module")
def session(full: Served, browser: Any) -> Iterator[BrowserContext]:
    """The administrator's browser."""
    context = browser.new_context(storage_state=sign_in(browser, full.url), viewport={"width": 1440, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=full.url)
    yield context
    context.close()


@pytest.fixture
def look(full: Served, session: BrowserContext) -> Iterator[Look]:
    """Opens the tab of a test at a path, or takes it there."""
    page = watched(session.new_page())

    def opened(path: str) -> Page:
        page.goto(f"{full.url}{path}")
        return page

    yield opened
    page.close()
    assert not page.faults, page.faults


def told(page: Page, text: str) -> None:
    """The page says, where screen readers hear it, what was done."""
    expect(page.get_by_role("status").filter(has_text=text).first).to_be_visible()


def walk(row: Locator) -> None:
    """Go from row to row with `j` and `k` until the focus is within the one that is meant."""
    for step in ("j", "k"):
        for _ in range(40):
            if row.locator("a:focus").count():
                return
            row.page.keyboard.press(step)
    raise AssertionError(f"no key leads to {row}")


@pytest.mark.parametrize("hand", HANDS)
def test_from_the_first_page_over_the_alert_to_what_failed_and_its_curl_line(look: Look, hand: Hand) -> None:
    page = look("/")
    hand.press(page.locator(".problems a", has_text="onerror").first)
    expect(page.locator("h1")).to_contain_text(FAILING)
    hand.press(page.get_by_role("link", name="Failing requests of this window"))  # the one click
    rows = page.locator("table.requests tbody tr")
    expect(rows.first).to_contain_text("<script>alert(1)</script>")
    assert "from=" in page.url
    hand.press(rows.first.get_by_role("link"))
    expect(page.locator("table.waterfall tbody tr").first).to_contain_text(FAILING)
    page = look("/requests?q=api:closed")
    hand.press(page.locator("table.requests tbody tr").first.get_by_role("link"))
    hand.press(page.get_by_role("button", name="Copy"))
    told(page, "Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")


@pytest.mark.parametrize("hand", HANDS)
def test_a_route_is_switched_in_two_clicks_drained_and_reset(look: Look, hand: Hand) -> None:
    page = look("/routes/odds")
    hand.press(page.get_by_label("Act on odds_open"))
    hand.press(page.get_by_role("button", name="Pin as lead").locator("visible=true"))
    expect(page.locator(".flow > li").first).to_have_attribute("data-api", "odds_open")
    expect(page.locator(".verdict")).to_have_text("odds_open serves now: it is pinned.")
    hand.press(page.get_by_role("button", name="End the pin"))
    expect(page.locator(".flow > li").first).to_have_attribute("data-api", "odds_prime")
    hand.press(page.get_by_label("Act on odds_prime"))
    hand.press(page.locator("li[data-api='odds_prime']").get_by_role("link", name="Drain…"))
    expect(page.locator(".notice")).to_contain_text("odds_open takes over")
    hand.write(page.get_by_label("Reason"), "<b>their</b> vendor asked")
    hand.press(page.get_by_role("button", name="Drain"))
    expect(page.locator("li[data-api='odds_prime']")).to_contain_text("<b>their</b> vendor asked")
    hand.press(page.get_by_label("Act on odds_prime"))
    hand.press(page.locator("li[data-api='odds_prime']").get_by_role("link", name="End the drain"))
    hand.press(page.get_by_role("button", name="End the drain"))
    expect(page.locator(".flow > li").first).to_have_attribute("data-api", "odds_prime")
    page = look(f"/routes/{quote(ROUTE, safe='')}")
    hand.press(page.locator(".route-head .button").last)
    hand.write(page.get_by_label("Reason"), "mended")
    hand.press(page.locator("main form button").first)
    told(page, "")
    page = look("/settings/audit")
    expect(page.locator("main")).to_contain_text("<b>their</b> vendor asked")
    expect(page.locator("main")).to_contain_text("mended")


@pytest.mark.parametrize("hand", HANDS)
def test_an_api_is_held_let_go_cleared_and_checked(look: Look, hand: Hand) -> None:
    page = look("/apis/odds_prime")
    for act, done in (
        ("Pause health checks", "Its health checks are paused."), ("Resume health checks", "Its health checks go on."),
        ("Hold the breaker open", ""), ("Let the breaker judge again", ""), ("Reset breaker and holds", ""),
        ("Clear its statistics", ""),
    ):  # fmt: skip
        hand.press(page.locator("summary", has_text="Act"))
        hand.press(page.locator(".acts").get_by_role("link", name=act))
        page.wait_for_url("**/act/*")
        if page.locator("#reason").count():
            hand.write(page.locator("#reason"), "to see it")
        hand.press(page.locator("main form button"))
        page.wait_for_url("**/apis/odds_prime?done=*")
        told(page, done)
    hand.press(page.locator("summary", has_text="Act"))
    hand.press(page.get_by_role("button", name="Run a health check"))
    page.wait_for_url("**/apis/odds_prime?*done=*")


@pytest.mark.parametrize("hand", HANDS)
def test_an_alert_is_taken_in_hand_silenced_and_written_about(full: Served, look: Look, hand: Hand) -> None:
    page = look("/alerts")
    row = page.locator("tr[data-alert]", has_text="onerror").first
    keys = isinstance(hand, Keys)
    if keys:  # the keys that the page itself offers
        walk(row)
        page.keyboard.press("e")
    else:
        hand.press(row.get_by_role("button", name="Acknowledge"))
    expect(row.locator("[data-part='handled']")).to_contain_text("ada")
    hand.press(row.get_by_role("button", name="Take back"))
    expect(row.locator("[data-part='handled']")).not_to_contain_text("ada")
    if keys:
        walk(row)
        page.keyboard.press("s")
    else:
        hand.press(row.get_by_role("link", name="Silence it"))
    hand.write(page.get_by_label("Reason"), f"planned <i>work</i> {keys}")
    hand.press(page.get_by_role("button", name="What would it keep quiet?"))
    expect(page.get_by_text("It would keep 1 alert quiet now.")).to_be_visible()
    hand.press(page.get_by_role("button", name="Silence them"))
    made = page.locator("tr", has_text=f"planned <i>work</i> {keys}")
    hand.press(made.get_by_role("button", name="End it now"))
    expect(made).to_contain_text("Over")
    page = look("/alerts/history")
    expect(page.locator("tbody a").nth(1)).to_be_visible()
    hand.press(page.locator("tbody a").first)
    first = page.locator("h1").inner_text()
    for rel, key in (("prev", "["), ("next", "]")):
        before = page.url
        if keys:
            page.keyboard.press(key)
        else:
            hand.press(page.locator(f"main a[rel={rel}]"))
        expect(page).not_to_have_url(before)
    expect(page.locator("h1")).to_have_text(first)
    hand.write(page.get_by_label("Add a note"), f"looked at it {keys}")
    hand.press(page.get_by_role("button", name="Keep the note"))
    expect(page.locator(".written .said", has_text=f"looked at it {keys}")).to_be_visible()
    hand.press(page.get_by_role("link", name="Post-mortem draft"))
    expect(page.locator("article.document")).to_contain_text(f"looked at it {keys}")


@pytest.mark.parametrize("hand", HANDS)
def test_a_rule_is_tried_on_the_past_kept_and_put_back(look: Look, hand: Hand) -> None:
    name = f"slow {type(hand).__name__}"
    page = look("/alerts/rules")
    hand.press(page.locator(".bulk a").first)
    hand.write(page.get_by_label("Name", exact=True), name)
    hand.choose(page.get_by_label("Metric", exact=True), page.locator("#f-metric option").nth(1).inner_text())
    field = page.get_by_label("Threshold of level 1")
    hand.write(field, "many")
    expect(page.locator("[data-fault='level0.threshold']")).to_have_text("Expected a number.")
    hand.write(field, "20")
    expect(page.locator("[data-part='sentence']")).to_contain_text(re.compile(r"fired|past|kept"))
    hand.press(page.get_by_role("button", name="Keep the rule"))
    expect(page.locator("h1")).to_have_text(name)
    hand.write(page.get_by_label("Threshold of level 1"), "30")
    hand.press(page.get_by_role("button", name="Keep the rule"))
    told(page, "kept")
    hand.press(page.get_by_role("link", name="2 versions"))
    hand.press(page.get_by_role("button", name="Put in force again"))
    expect(page.get_by_label("Threshold of level 1")).to_have_value("20")
    hand.press(page.get_by_role("button", name="Switch it off"))
    expect(page.get_by_role("button", name="Switch it on")).to_be_visible()
    hand.press(page.get_by_text("Delete what was changed here"))
    hand.press(page.get_by_role("button", name="Delete it"))
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


@pytest.mark.parametrize("hand", HANDS)
def test_a_channel_is_tested_and_what_was_given_up_is_sent_again(look: Look, hand: Hand) -> None:
    page = look("/notifications")
    hand.press(page.locator("tr[data-channel='people']").get_by_role("button", name="Send a test"))
    told(page, "The test: delivered")
    page = look("/notifications/dead")
    rows = page.locator("tbody tr")
    count = rows.count()
    assert count
    hand.press(rows.first.get_by_role("checkbox"))
    hand.press(page.get_by_role("button", name="Send again").first)
    told(page, "Sent again")
    page = look("/notifications/log")
    hand.press(page.get_by_role("link", name=DEAF).first)


@pytest.mark.parametrize("hand", HANDS)
def test_requests_are_searched_narrowed_followed_and_taken_away(look: Look, hand: Hand) -> None:
    page = look("/requests")
    if isinstance(hand, Keys):
        page.keyboard.press("/")
        expect(page.locator("#requests-q")).to_be_focused()
    hand.write(page.locator("#requests-q"), "outcome:fallback")
    page.keyboard.press("Enter")
    rows = page.locator("table.requests tbody tr")
    expect(page.locator(".facet a", has_text=ROUTE)).to_be_visible()
    hand.press(page.locator(".facet a", has_text=ROUTE))
    expect(page.locator("#requests-q")).to_have_value(re.compile(r"route:"))
    expect(rows.first).to_contain_text(STANDBY)
    for label, end in (("CSV", ".csv"), ("JSON", ".json")):
        with page.expect_download() as taken:
            hand.press(page.locator("u-tail").get_by_role("link", name=label))
        assert taken.value.suggested_filename.endswith(end)
    assert json.loads(taken.value.path().read_text())["requests"]
    page = look("/requests")
    button = page.locator("[data-part='tail']")
    hand.press(button)
    expect(button).to_have_attribute("aria-pressed", "true")
    first = page.locator("table.requests tbody tr").first.get_attribute("data-call")
    expect(page.locator("table.requests tbody tr").first).not_to_have_attribute("data-call", first or "")
    hand.press(button)
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("hand", HANDS)
def test_two_apis_are_compared_and_the_span_is_changed(look: Look, hand: Hand) -> None:
    page = look("/apis")
    if isinstance(hand, Keys):
        for name in ("odds_prime", "odds_open"):
            walk(page.locator(f"tr[data-api='{name}']"))
            page.keyboard.press("c")
        hand.press(page.locator(".tray a"))
    else:
        hand.press(page.get_by_role("link", name="odds_prime", exact=True))
        hand.press(page.get_by_role("link", name="Compare", exact=True))
        hand.write(page.get_by_label("API 2"), "odds_open")
        hand.press(page.get_by_role("button", name="Compare"))
    expect(page.locator("main thead th a")).to_have_text(["odds_prime", "odds_open"])
    if isinstance(hand, Keys):
        page.keyboard.press("t")
        expect(page.locator("[data-menu=range] a").first).to_be_focused()
    else:
        hand.press(page.locator("[data-menu=range] summary"))
    hand.press(page.locator("[data-menu=range] a", has_text="6 h"))
    expect(page).to_have_url(re.compile("last=6h"))
    expect(page.locator("main thead th a")).to_have_count(2)
    page.evaluate("localStorage.removeItem('us-compare')")


@pytest.mark.parametrize("hand", HANDS)
def test_the_palette_and_the_sheet_of_keys_are_opened_and_used(look: Look, hand: Hand) -> None:
    page = look("/routes")
    if isinstance(hand, Keys):
        page.keyboard.press("?")
        page.locator("dialog .keys").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
    else:
        hand.press(page.locator("button[data-command='palette']"))
    page.keyboard.type("fixtures_li")
    found = page.locator(".palette [role=option]", has_text="fixtures_lite").first
    expect(found).to_be_visible()
    if isinstance(hand, Keys):
        page.keyboard.press("Enter")
    else:
        hand.press(found)
    expect(page.locator("h1")).to_have_text("fixtures_lite")


@pytest.mark.parametrize("hand", HANDS)
def test_look_and_language_are_changed_and_changed_back(look: Look, hand: Hand) -> None:
    page = look("/routes")
    for menu, choices, html in (
        ("Appearance and language", ("Dark", "Dense", "UTC", "Português (Brasil)"), ("dark", "dense", "utc", "pt-BR")),
        (
            "Aparência e idioma",
            ("Como no sistema", "Confortáveis", "No meu fuso horário", "English"),
            ("", "", "", "en"),
        ),
    ):
        hand.press(page.get_by_label(menu))
        for each in choices:
            page.get_by_label(each, exact=True).wait_for()
            if isinstance(hand, Keys):  # within a group of choices, arrows go on
                page.get_by_label(each, exact=True).focus()
                page.keyboard.press("Space")
            else:
                hand.press(page.get_by_label(each, exact=True))
        hand.press(page.locator("form[action='/appearance'] button"))
        expect(page.locator("html")).to_have_attribute("lang", html[3])
        for name, value in zip(("theme", "density", "zone"), html, strict=False):
            assert (page.locator("html").get_attribute(f"data-{name}") or "") == value


@pytest.mark.parametrize("hand", HANDS)
def test_a_token_is_made_and_revoked_and_a_copy_of_the_store_is_taken(look: Look, hand: Hand) -> None:
    name = f"ci <b>{type(hand).__name__}</b>"
    page = look("/settings/tokens")
    hand.write(page.locator("input#name"), name)
    hand.press(page.get_by_role("button", name="Make the token"))
    secret = page.locator("code.secret").inner_text()
    program = page.context.browser.new_context(extra_http_headers={"Authorization": f"Bearer {secret}"})
    assert program.request.get(page.url.replace("/settings/tokens", "/api/status")).status == 200
    page = look("/settings/tokens")
    assert secret not in page.content()
    row = page.locator("tr", has_text=name)
    hand.press(row.get_by_role("button", name="Revoke"))
    told(page, "The token is revoked.")
    assert program.request.get(page.url.partition("/settings")[0] + "/api/status").status == 401
    program.close()
    page = look("/settings/upkeep")
    with page.expect_download() as taken:
        hand.press(page.get_by_role("button", name="Download a copy"))
    assert taken.value.path().read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("hand", HANDS)
def test_one_signs_out_and_in_again_to_where_one_was(full: Served, browser: Any, hand: Hand) -> None:
    context = browser.new_context(storage_state=sign_in(browser, full.url, "oto"))
    page = watched(context.new_page())
    page.goto(f"{full.url}/routes")
    hand.press(page.get_by_label("Signed in as oto"))
    hand.press(page.get_by_role("button", name="Sign out"))
    page.wait_for_url("**/login?done=signed-out")
    page.goto(f"{full.url}/alerts/silences")
    hand.write(page.get_by_label("Name"), "oto")
    hand.write(page.get_by_label("Password"), PASSWORD)
    hand.press(page.locator("main button.primary"))
    page.wait_for_url("**/alerts/silences")
    context.close()
    assert not page.faults, page.faults
