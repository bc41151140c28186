"""The public status page in Chromium: readable by everybody, in both themes, at every width, without a script."""

from __future__ import annotations

import dataclasses

import pytest

from browser.chromium import axe, evaluate
from understudy.cli.simulated import load_sample
from understudy.config.status_page import ComponentOptions, NoticeOptions, StatusPageOptions

HOSTILE = "<img src=x onerror=alert(1)> \u202etxet"
PAGE = StatusPageOptions(
    enabled=True,
    title=f"Example {HOSTILE}",
    text=HOSTILE,
    components={
        "fixtures": ComponentOptions("Fixtures", routes=("fixtures",), group="Football", description=HOSTILE),
        "odds": ComponentOptions(f"Odds {HOSTILE}", apis=("odds_prime",), group=HOSTILE),
    },
    notices={
        "move": NoticeOptions(HOSTILE, HOSTILE, "maintenance", ("odds",), "2026-12-05T22:00", "2026-12-06T02:00"),
        "past": NoticeOptions("It was slow", "And is not any more.", starts="2026-11-28T22:00"),
    },
)


@pytest.mark.parametrize(("width", "scheme", "language"), [(390, "dark", "pt-BR"), (1440, "light", "en-US")])
def test_everybody_can_read_it(serve, simulator, open_page, width, scheme, language):
    settings = dataclasses.replace(load_sample(simulator, []).settings, status_page=PAGE)
    served = serve(settings, traffic=20.0)
    page = open_page(f"{served.url}/status", width=width, scheme=scheme, language=language)
    assert axe(page) == []
    assert evaluate(page, "document.scripts.length") == 0
    assert evaluate(page, "document.querySelectorAll('img').length") == 0
    assert evaluate(page, "document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_role("img").first.get_attribute("aria-label").startswith("90 ")
    page.keyboard.press("Tab")
    page.get_by_role("searchbox").fill("fixtures")
    page.keyboard.press("Enter")
    page.wait_for_url("**/status?q=fixtures")
    assert page.get_by_role("heading", level=3, name="Fixtures").count() == 1
    assert page.get_by_role("heading", level=3, name="Odds").count() == 0
    assert axe(page) == []
