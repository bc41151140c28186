"""Two people at one route: what one says, the other sees without a reload; and an order tried by hand and by keys."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from browser.conftest import Open
from browser.served import Served


def test_what_one_does_the_other_sees_and_what_expires_goes_from_the_screen(service: Served, open_page: Open) -> None:
    ana, bea = (open_page(f"{service.url}/routes/fixtures") for _ in range(2))
    notice, lite = bea.locator("[data-part='pin']"), bea.locator("li[data-api='fixtures_lite']")
    expect(bea.locator("u-live")).to_contain_text("Live")
    expect(notice).to_be_hidden()

    # -- two clicks: the menu, and the button
    ana.locator("li[data-api='fixtures_lite'] summary").click()
    ana.locator("li[data-api='fixtures_lite']").get_by_role("button", name="Pin as lead").click()
    expect(ana.locator("[data-part='pin']")).to_contain_text("fixtures_lite is pinned")
    expect(notice).to_contain_text("fixtures_lite is pinned by http 127.0.0.1: switched by hand It ends")
    expect(bea.locator("[data-field='sentence']")).to_have_text("fixtures_lite serves now: it is pinned.")
    expect(lite.locator("[data-when='pinned']")).to_be_visible()
    expect(bea.locator(".switches")).to_contain_text("fixtures_lite was pinned. switched by hand")
    lite.locator("summary").click()
    expect(lite.get_by_role("button", name="Pin as lead")).to_be_hidden()
    expect(lite.get_by_role("link", name="Drain")).to_be_visible()

    # -- the other takes it back, and forces: it is told here, and is over by itself
    notice.get_by_role("button").click()
    expect(ana.locator("[data-part='pin']")).to_be_hidden()
    said = {"state": "forced_open", "reason": "<b>late</b> data", "expires_in": 8}
    answer = bea.request.post(f"{service.url}/api/apis/fixtures_world/force", data=said)
    assert answer.status == 200, answer.text()
    world = ana.locator("li[data-api='fixtures_world']")
    expect(world.locator("[data-field='held']")).to_have_text("Held: <b>late</b> data (http 127.0.0.1)")
    expect(world.locator("[data-field='left']")).to_have_text(re.compile(r"^[1-8] s left$"))
    expect(ana.locator("[data-cost-of='fixtures_world'] strong")).to_have_text("its breaker is held open")
    expect(world.locator("[data-field='held']")).to_be_hidden(timeout=20_000)
    expect(world.locator("[data-field='breaker']")).to_have_text("Closed")
    expect(ana.locator(".switches")).to_contain_text(
        re.compile("closed: (the time of the hold is over|no longer held)")
    )
    expect(ana.locator(".switches")).to_contain_text("The breaker of fixtures_world judges again. Its time is over.")


def test_an_order_is_tried_by_drawing_by_keys_and_by_choosing(service: Served, open_page: Open) -> None:
    page = open_page(f"{service.url}/routes/fixtures")
    lists, grips = page.locator("u-order select"), page.locator("u-order .grip")
    expect(grips).to_have_count(3)

    def order() -> list[str]:
        return [lists.nth(place).input_value().removeprefix("fixtures_") for place in range(3)]

    first = order()
    lists.nth(0).press("Alt+ArrowRight")
    assert order() == [first[1], first[0], first[2]]
    expect(lists.nth(1)).to_be_focused()
    lists.nth(1).press("Alt+ArrowLeft")
    assert order() == first
    lists.nth(0).select_option(f"fixtures_{first[2]}")
    assert order() == [first[2], first[1], first[0]], "whoever stood there changes places"
    grips.nth(2).scroll_into_view_if_needed()
    grips.nth(2).drag_to(lists.nth(0))
    assert order() == [first[0], first[2], first[1]]
    page.get_by_role("button", name="Try it on the last hour").click()
    expect(page.locator("#what-if tbody th")).to_contain_text(["Measured", "Estimate: the order now", "your order"])
    assert order() == [first[0], first[2], first[1]]
