"""What `status` and `explain` show: readable at every width, in both languages, whatever the names and errors hold."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from understudy import Understudy
from understudy.cli.explain import _list
from understudy.cli.screen import Screen, complain
from understudy.cli.status import render
from understudy.core.text import texts
from understudy.testing import FakeClock
from understudy.web.views.status import DecisionsView, StatusView

HOSTILE = "evil\x1b[31m\x1b]0;title\x07\u202e\r\n<b>"


async def application() -> Understudy:
    app = Understudy.build(clock=FakeClock(), seed=1)

    async def works():
        return 1

    async def breaks():
        raise ConnectionResetError(HOSTILE)

    app.fallback.register_api("fixtures_provider", priority=1, route="fixtures", operation=breaks)
    app.fallback.register_api("fixtures_standby", priority=2, route="fixtures", operation=works)
    app.fallback.register_api("<b>[red]x[/red]</b> ☃", priority=3, route="fixtures", operation=works)
    for _ in range(6):
        await app.fallback.call("fixtures_provider", breaks)
    app.monitor.drain()
    return app


def screen(language: str, width: int) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(texts(language), out=out, width=width), out


@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("width", [160, 120, 80, 60, 40])
async def test_a_narrow_terminal_gets_fewer_columns_and_no_broken_names(language, width):
    async with await application() as app:
        shown, out = screen(language, width)
        render(shown, StatusView.of(app), "http://127.0.0.1:8080")
        _list(shown, DecisionsView.of(app).decisions)
    tables = [line for line in out.getvalue().splitlines() if line.startswith(" ")]
    assert max(map(len, tables)) <= width
    assert sum("fixtures_provider" in line for line in tables) >= 1
    assert sum("fixtures_standby" in line for line in tables) >= 2


@pytest.mark.parametrize("width", [120, 40])
async def test_no_text_of_strangers_moves_the_cursor(width):
    async with await application() as app:
        shown, out = screen("en", width)
        render(shown, StatusView.of(app), f"http://{HOSTILE}")
        _list(shown, DecisionsView.of(app).decisions)
    assert all(sign.isprintable() or sign == "\n" for sign in out.getvalue().replace(HOSTILE, ""))


async def test_a_route_that_passes_over_its_lead_says_why_in_words():
    async with await application() as app:
        view = StatusView.of(app)
    closed = {"fixtures_provider": "breaker_open 4.2 s", "fixtures_standby": "something_newer"}
    view = replace(view, routes=(replace(view.routes[0], closed=closed),))
    shown, out = screen("en", 120)
    render(shown, view, "http://127.0.0.1:8080")
    assert "fixtures passes over fixtures_provider: its breaker is open (4.2 s)" in out.getvalue()
    assert "fixtures passes over fixtures_standby: something_newer" in out.getvalue()
    shown, out = screen("pt", 120)
    render(shown, view, "http://127.0.0.1:8080")
    assert "fixtures pretere fixtures_provider: seu disjuntor está aberto (4.2 s)" in out.getvalue()


def test_a_complaint_is_one_line_whatever_it_holds(capsys):
    complain(HOSTILE)
    line = capsys.readouterr().err
    assert line.startswith("understudy: evil")
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
