"""A program that makes up a name for each call: every call is made, nothing grows without bound."""

from __future__ import annotations

import pytest

from understudy.app import Understudy
from understudy.resilience import roster
from understudy.testing import FakeClock


class Down(Exception):
    status = 503


@pytest.fixture
async def app(monkeypatch):
    monkeypatch.setattr(roster, "MAX_CALLED", 20)
    async with Understudy.build(clock=FakeClock(), seed=1) as app:
        yield app


async def answer():
    return "served"


async def fail():
    raise Down


async def test_calls_under_too_many_names_are_made_and_share_one_api(app):
    for number in range(200):
        assert await app.fallback.execute_with_fallback(f"name {number}", answer) == "served"
    assert len(app.fallback.roster.apis) <= 22
    assert len(app.fallback._plans) <= 21
    app.monitor.drain()
    assert app.monitor.snapshot(roster.OVERFLOW).total == 180


async def test_their_failures_do_not_keep_one_another_away(app):
    for number in range(100):
        with pytest.raises(Down):
            await app.fallback.execute_with_fallback(f"name {number}", fail)
    assert await app.fallback.execute_with_fallback("one more", answer) == "served"


async def test_their_fallbacks_serve(app):
    for number in range(60):
        assert await app.fallback.execute_with_fallback(f"name {number}", fail, answer) == "served"


async def test_it_is_told_once(app):
    for number in range(60):
        await app.fallback.execute_with_fallback(f"name {number}", answer)
    assert [event.kind for event in app.events.recent()].count("names.overflowed") == 1
