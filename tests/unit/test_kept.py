"""What survives a restart: breakers, holds, quarantines and quotas, taken up by a second application."""

from __future__ import annotations

import json

import pytest

from understudy.app import Understudy
from understudy.core.errors import StoreUnavailable
from understudy.core.events import Event
from understudy.core.secrets import Secret
from understudy.core.types import Verdict
from understudy.resilience.api import ApiOptions
from understudy.resilience.breaker_state import BreakerState
from understudy.resilience.kept import EVERY, Kept
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.quota import QuotaOptions
from understudy.testing import FakeClock


class Store:
    """A `StateStore` in plain JSON texts."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.saves = 0
        self.away = False

    async def load(self, prefix=""):
        return {key: json.loads(text) for key, text in self.kept.items() if key.startswith(prefix)}

    async def save(self, values):
        if self.away:
            raise StoreUnavailable("away")
        self.saves += 1
        for key, value in values.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = json.dumps(value, allow_nan=False)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store():
    return Store()


def build(clock, store, key="k1") -> tuple[Understudy, Kept]:
    app = Understudy.build(clock=clock, seed=1)
    options = ApiOptions(
        base_url="https://api.example/v1",
        auth=AuthOptions(kind="header", keys=(KeyOptions(Secret(key), alias="main"),)),
        quota=QuotaOptions(limit=1000),
    )
    app.fallback.register_api("odds", options=options)
    app.fallback.register_api("scores", route="live", operation=lambda: 1)
    app.fallback.register_api("more", route="live", operation=lambda: 2)
    return app, Kept(app.fallback.roster, store, clock, app.events)


def breaker(app, api="scores", route="live"):
    roster = app.fallback.roster
    return roster.binding(roster.api(api), roster.route(route)).breaker


def open_for(app, seconds, cause="down", times=1):
    """Open the breaker, as that of an earlier process was."""
    clock = app.fallback.gates._clock
    breaker(app).import_state(
        {
            "state": "open", "n": times, "cause": cause, "reason": "", "actor": "",
            "trial_at": clock.time() + seconds,
        }
    )  # fmt: skip  # the document as it is kept


async def restarted(clock, store, away=0.0, key="k1"):
    clock.tick(away)
    app, kept = build(clock, store, key)
    await kept.take_up()
    return app


async def test_an_open_breaker_is_open_after_a_restart_for_the_rest_of_its_wait(clock, store):
    app, kept = build(clock, store)
    open_for(app, 60, "maintenance")
    await kept.save()
    again = breaker(await restarted(clock, store, away=20))
    assert again.state is BreakerState.OPEN
    assert again.view().retry_after == pytest.approx(40, abs=0.01)
    assert again.view().last_cause == "maintenance"


async def test_a_wait_that_ended_meanwhile_is_due_for_its_trial(clock, store):
    app, kept = build(clock, store)
    open_for(app, 60, "maintenance")
    await kept.save()
    again = breaker(await restarted(clock, store, away=3600))
    assert again.blocked() == ""
    assert again.admit() is not None


async def test_of_a_breaker_that_is_held_only_the_state_beneath_is_kept_here(clock, store):
    app, kept = build(clock, store)
    app.fallback.force("more", "forced_open", reason="contract ended", actor="ana")
    open_for(app, 600)
    breaker(app).force(BreakerState.FORCED_CLOSED, reason="contract ended", actor="ana", expires_in=100)
    await kept.save()
    again = await restarted(clock, store, away=40)
    assert breaker(again).state is BreakerState.OPEN
    assert breaker(again).view().retry_after == pytest.approx(560, abs=0.01)
    assert "resilience/api/more" not in store.kept


async def test_how_often_a_breaker_opened_lately_is_remembered(clock, store):
    app, kept = build(clock, store)
    for times in (1, 2, 3):
        open_for(app, 1, times=times)
        await clock.advance(2)
        for _ in range(3):
            permit = breaker(app).admit()
            permit.release(Verdict.SUCCESS)
    assert breaker(app).state is BreakerState.CLOSED
    await kept.save()
    assert breaker(await restarted(clock, store)).view().opened_count == breaker(app).view().opened_count == 3


async def test_a_quarantined_key_rests_on_unless_it_was_exchanged(clock, store):
    app, kept = build(clock, store)
    pool = app.fallback.roster.api("odds").keys
    pool.quarantine(next(iter(pool)), "answered 401")
    await kept.save()
    same = (await restarted(clock, store)).fallback.roster.api("odds").keys
    other = (await restarted(clock, store, key="k2")).fallback.roster.api("odds").keys
    assert same.usable(clock.monotonic()) == "misconfigured"
    assert other.usable(clock.monotonic()) == ""


async def test_a_spent_month_is_spent_after_a_restart(clock, store):
    app, kept = build(clock, store)
    pool = app.fallback.roster.api("odds").keys
    for _ in range(300):
        pool.abandoned(pool.pick())
    await kept.save()
    again = (await restarted(clock, store, away=5)).fallback.roster.api("odds").keys
    assert again.remaining(next(iter(again))) == 700


async def test_a_hold_lasts_to_its_end(clock, store):
    app, kept = build(clock, store)
    app.fallback.roster.api("scores").hold(100, "Retry-After")
    await kept.save()
    api = (await restarted(clock, store, away=30)).fallback.roster.api("scores")
    assert api.hold_until - clock.monotonic() == pytest.approx(70, abs=0.01)
    assert api.hold_reason == "Retry-After"


async def test_what_keeps_calls_away_is_saved_at_once_and_the_rest_every_ten_seconds(clock, store):
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("scores", route="live", operation=lambda: 1)
        kept = Kept(app.fallback.roster, store, clock, app.events)
        app._lifecycle.background("kept", kept.run)
        await clock.advance(0.1)
        open_for(app, 60)
        await clock.advance(0.1)
        assert "resilience/api/scores" in store.kept
        app.fallback.roster.api("scores").hold(100, "no event")
        await clock.advance(1)
        assert "no event" not in store.kept["resilience/api/scores"]
        await clock.advance(EVERY)
        assert "no event" in store.kept["resilience/api/scores"]


async def test_what_could_not_be_saved_is_saved_when_the_store_is_back(clock, store):
    async with Understudy.build(clock=clock, seed=1) as app:
        app.fallback.register_api("scores", route="live", operation=lambda: 1)
        app._lifecycle.background("kept", Kept(app.fallback.roster, store, clock, app.events).run)
        store.away = True
        await clock.advance(0.1)
        open_for(app, 600)
        await clock.advance(1)
        store.away = False
        await clock.advance(EVERY + 1)
        assert "resilience/api/scores" in store.kept


async def test_nothing_is_written_while_nothing_changes(clock, store):
    app, kept = build(clock, store)
    open_for(app, 600)
    await kept.save()
    saves = store.saves
    for _ in range(5):
        clock.tick(1)
        await kept.save()
    assert store.saves == saves


async def test_what_is_over_is_forgotten(clock, store):
    app, kept = build(clock, store)
    app.fallback.roster.api("scores").hold(10, "short")
    await kept.save()
    clock.tick(11)
    await kept.save()
    assert "resilience/api/scores" not in store.kept


@pytest.mark.parametrize("document", ["7", "[]", '{"layout": 2}', '{"layout": 1}', '{"layout": 1, "keys": 3}'])
async def test_a_document_that_cannot_be_read_is_told_and_passed_over(clock, store, document):
    store.kept["resilience/api/scores"] = document
    app = await restarted(clock, store)
    assert breaker(app).state is BreakerState.CLOSED


async def test_what_an_operator_ends_after_a_restart_does_not_come_back_with_the_next(clock, store):
    app, kept = build(clock, store)
    open_for(app, 600)
    pool = app.fallback.roster.api("odds").keys
    pool.quarantine(next(iter(pool)), "answered 401")
    app.fallback.roster.api("more").hold(1000, "Retry-After")
    await kept.save()
    app, kept = build(clock, store)
    await kept.take_up()
    assert breaker(app).state is BreakerState.OPEN
    app.fallback.reset(actor="ana", reason="paid again")
    await kept.save()
    assert store.kept == {}
    app = await restarted(clock, store)
    assert breaker(app).state is BreakerState.CLOSED
    assert app.fallback.roster.api("odds").keys.usable(clock.monotonic()) == ""
    assert app.fallback.roster.api("more").hold_until < clock.monotonic()


async def test_a_reset_is_saved_at_once(clock, store):
    async with Understudy.build(clock=clock, seed=1) as app:
        api = app.fallback.register_api("scores", route="live", operation=lambda: 1)
        kept = Kept(app.fallback.roster, store, clock, app.events)
        api.hold(1000, "Retry-After")
        await kept.save()
        app._lifecycle.background("kept", kept.run)
        await clock.advance(0.1)
        app.fallback.reset("scores", actor="ana")
        await clock.advance(0.1)
        assert store.kept == {}


async def test_an_api_that_comes_back_with_a_reload_has_its_past(clock, store):
    app, kept = build(clock, store)
    app.fallback.roster.api("scores").hold(100, "Retry-After")
    await kept.save()
    async with Understudy.build(clock=clock, seed=1) as app:
        kept = Kept(app.fallback.roster, store, clock, app.events)
        await kept.take_up()
        app.fallback.register_api("scores", route="live", operation=lambda: 1)
        app.events.emit(Event("config.reloaded", clock.time()))
        assert app.fallback.roster.api("scores").hold_until - clock.monotonic() == pytest.approx(100, abs=0.01)
