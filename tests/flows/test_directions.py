"""What people say of routes and APIs: who leads, who runs empty, who is not probed; over restarts and instances."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.errors import AllApisFailed, NoEligibleApi, StoreUnavailable, UnknownName
from understudy.resilience.directions import DRAIN, FORCE, PIN, QUIET, Direction
from understudy.resilience.kept_directions import FOLLOWED_EVERY, KeptDirections
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.middleware import Limit

NAMES = ("first", "second", "third")


class Broken(Exception):
    """What an API that is down raises."""


class Apis:
    """Three APIs of one route, each up or down; notes whom calls reached."""

    def __init__(self, app: Understudy) -> None:
        self.app = app
        self.down: set[str] = set()
        self.asked: list[str] = []
        for priority, name in enumerate(NAMES, 1):
            app.fallback.register_api(
                name, priority, route="odds", operation=self._operation(name), retry={"mode": "off"}
            )
        app.fallback.register_route("odds", mode="priority")

    def _operation(self, name):
        async def served():
            self.asked.append(name)
            if name in self.down:
                raise Broken(name)
            return name

        return served

    async def call(self):
        return await self.app.fallback.call("odds")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def apis(clock):
    app = Understudy.build(clock=clock, seed=3)
    async with app:
        yield Apis(app)


async def test_a_pinned_api_leads_and_the_others_stand_in_when_it_fails(apis):
    assert (await apis.call()).value == "first"
    apis.app.fallback.pin("odds", "third", reason="the first is being moved", actor="ana")
    for _ in range(3):
        assert (await apis.call()).value == "third"
    apis.down.add("third")
    result = await apis.call()
    assert result.value == "first"
    assert result.explain().notes[0] == "third is pinned: the first is being moved (ana)"


async def test_calls_that_a_pinned_api_serves_are_no_fallbacks(apis):
    apis.app.fallback.pin("odds", "second", reason="cheaper today", actor="ana", only=True)
    records = [(await apis.call()).explain() for _ in range(3)]
    assert {record.outcome for record in records} == {"success"}
    assert apis.app.fallback.roster.routes["odds"].fallbacks == 0


async def test_with_only_nobody_stands_in(apis):
    apis.app.fallback.pin("odds", "second", reason="an audit", actor="ana", only=True)
    apis.down.add("second")
    with pytest.raises((Broken, AllApisFailed)):
        await apis.call()
    assert set(apis.asked) == {"second"}
    gates = {each["api"]: each["gate"] for each in apis.app.fallback.describe()["routes"]["odds"]["standbys"]}
    assert gates["first"] == gates["third"] == "not_pinned"


async def test_a_prepared_plan_gives_way_to_a_pin_at_once(apis):
    async def mine():
        return "mine"

    for _ in range(3):  # the plan of the name is made
        assert await apis.app.fallback.execute_with_fallback("first", mine) == "mine"
    apis.app.fallback.pin("odds", "second", reason="a test", actor="ana")
    assert await apis.app.fallback.execute_with_fallback("first", mine) == "second"
    apis.app.fallback.unpin("odds", actor="ana")
    assert await apis.app.fallback.execute_with_fallback("first", mine) == "mine"


async def test_a_pin_ends_with_its_time_and_says_so(apis, clock):
    heard = []
    apis.app.events.subscribe(lambda event: heard.append((event.kind, event.detail.get("actor"))))
    apis.app.fallback.pin("odds", "third", reason="for a while", actor="ana", expires_in=30)
    assert apis.app.fallback.describe()["routes"]["odds"]["pin"]["left"] == 30
    await clock.sleep(32)
    assert (await apis.call()).value == "first"
    assert [each for each in heard if "pinned" in each[0]] == [("route.pinned", "ana"), ("route.unpinned", "system")]


async def test_a_pin_on_an_api_that_has_gone_keeps_nobody_out(apis):
    apis.app.fallback.pin("odds", "third", reason="a test", actor="ana", only=True)
    apis.app.fallback.roster.remove("third")
    apis.app.fallback.forget_plans()
    assert (await apis.call()).value == "first"


async def test_a_drained_api_gets_no_new_calls_and_what_runs_ends(apis):
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return "late"

    apis.app.fallback.register_api("first", operation=slow)
    running = asyncio.ensure_future(apis.call())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    apis.app.fallback.drain("first", reason="the contract ends", actor="ana")
    described = apis.app.fallback.describe()["apis"]["first"]
    assert (described["in_flight"], described["state"]) == (1, "paused")
    assert (await apis.call()).value == "second"
    gate.set()
    assert (await running).value == "late"
    assert apis.app.fallback.describe()["apis"]["first"]["in_flight"] == 0
    for name in ("second", "third"):
        apis.app.fallback.drain(name, reason="the contract ends", actor="ana")
    with pytest.raises(NoEligibleApi, match=r"drained the contract ends \(ana\)"):
        await apis.call()
    apis.app.fallback.undrain("third", actor="ana")
    assert (await apis.call()).value == "third"


async def test_a_call_that_waits_for_a_repeat_goes_elsewhere_when_its_api_is_drained(apis, clock):
    apis.app.fallback.register_api("first", retry={"mode": "enforce", "base": 5.0, "max_attempts_per_api": 3})
    apis.down |= {"first"}
    for name in ("second", "third"):
        apis.app.fallback.drain(name, reason="alone", actor="ana")
    call = asyncio.ensure_future(apis.call())
    await clock.sleep(0.01)
    apis.app.fallback.undrain("second", actor="ana")
    apis.app.fallback.drain("first", reason="enough", actor="ana")
    assert (await call).value == "second"
    assert apis.asked.count("first") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pin("nowhere", "first", reason="x"),
        lambda f: f.pin("odds", "nobody", reason="x"),
        lambda f: f.drain("nobody", reason="x"),
        lambda f: f.undrain("nobody"),
        lambda f: f.unpin("first"),
        lambda f: f.pause_checks("nobody", reason="x"),
    ],
)
async def test_unknown_names_are_refused(apis, change):
    with pytest.raises(UnknownName):
        change(apis.app.fallback)


@pytest.mark.parametrize(
    "asked",
    [
        {"reason": " "}, {"reason": "a\nb"}, {"reason": "x" * 501}, {"reason": "x", "actor": ""},
        {"reason": "x", "expires_in": 0}, {"reason": "x", "expires_in": -1},
        {"reason": "x", "expires_in": float("nan")},
        {"reason": "x", "expires_in": 1e12},
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused_and_changes_nothing(apis, asked):
    with pytest.raises(ValueError, match="expected"):
        apis.app.fallback.drain("first", **asked)
    apis.app.fallback.register_api("stranger")
    with pytest.raises(ValueError, match="does not serve odds"):
        apis.app.fallback.pin("odds", "stranger", reason="x")
    assert all(standing is None for _, _, standing in apis.app.fallback.directions())


async def test_any_order_of_acts_failures_and_time_ends_as_a_plain_model_says(clock):
    """The one who serves is the first, in order of pin and priority, who is up, not drained, not shut out by `only`."""
    rng = random.Random(11)
    app = Understudy.build(clock=clock, seed=5)
    async with app:
        apis = Apis(app)
        for name in NAMES:
            app.fallback.register_api(name, breaker={"mode": "off"})
        pin, drained = None, {}
        for _ in range(400):
            act, name = rng.randrange(7), rng.choice(NAMES)
            length = rng.choice([None, 5.0, 20.0])
            until = None if length is None else clock.time() + length
            if act == 0:
                only = rng.random() < 0.5
                app.fallback.pin("odds", name, reason="r", actor="a", expires_in=length, only=only)
                pin = (name, only, until)
            elif act == 1:
                app.fallback.unpin("odds")
                pin = None
            elif act == 2:
                app.fallback.drain(name, reason="r", actor="a", expires_in=length)
                drained[name] = until
            elif act == 3:
                app.fallback.undrain(name)
                drained.pop(name, None)
            elif act == 4:
                apis.down.symmetric_difference_update({name})
            else:
                await clock.sleep(rng.choice([1.5, 7.5]))  # by then whatever is over has been ended by a tick
                now = clock.time()
                pin = pin if pin and (pin[2] is None or pin[2] > now) else None
                drained = {each: end for each, end in drained.items() if end is None or end > now}
            order = sorted(NAMES, key=lambda each: (pin is None or each != pin[0], NAMES.index(each)))
            allowed = [each for each in order if each not in drained and not (pin and pin[1] and each != pin[0])]
            expected = next((each for each in allowed if each not in apis.down), None)
            try:
                served = (await apis.call()).value
            except (Broken, AllApisFailed, NoEligibleApi):
                served = None
            assert served == expected, (pin, drained, apis.down)


# -- restarts and instances ---------------------------------------------------------------------------------------


class Store:
    """A `StateStore` in plain JSON texts that two instances share."""

    def __init__(self):
        self.kept, self.away = {}, False

    async def load(self, prefix=""):
        if self.away:
            raise StoreUnavailable("away")
        return {key: json.loads(text) for key, text in self.kept.items() if key.startswith(prefix)}

    async def save(self, values):
        if self.away:
            raise StoreUnavailable("away")
        for key, value in values.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = json.dumps(value, allow_nan=False)


def instance(clock, store, *, shared=True):
    app = Understudy.build(clock=clock, seed=1)
    Apis(app)
    return app, KeptDirections(app.fallback, store, clock, app.events, shared=shared)


def standing(app):
    return {kind: (name, each.reason) for kind, name, each in app.fallback.directions() if each is not None}


async def test_everything_holds_after_a_restart_until_its_time_is_over(clock):
    store = Store()
    app, kept = instance(clock, store)
    app.fallback.pin("odds", "third", reason="a move", actor="ana", expires_in=100)
    app.fallback.drain("first", reason="an end", actor="ana")
    app.fallback.pause_checks("second", reason="quiet", actor="ana", expires_in=10)
    await kept.stop()
    clock.tick(50)
    again, taken = instance(clock, store)
    await taken.take_up()
    assert standing(again) == {PIN: ("odds", "a move"), DRAIN: ("first", "an end")}
    assert again.fallback.describe()["routes"]["odds"]["pin"]["left"] == pytest.approx(50)


async def test_what_code_said_before_the_start_is_not_overruled_by_an_empty_store(clock):
    app = Understudy.build(clock=clock, seed=1)
    Apis(app)
    app.fallback.drain("second", reason="from code")
    store = Store()
    kept = KeptDirections(app.fallback, store, clock, app.events, shared=True)
    await kept.take_up()
    await kept.settle()
    assert standing(app) == {DRAIN: ("second", "from code")}
    assert list(store.kept) == ["direction/drain/second"]


async def test_another_instance_follows_within_seconds_and_tells_its_own_listeners(clock):
    store = Store()
    one, kept_one = instance(clock, store)
    two, kept_two = instance(clock, store)
    heard = []
    two.events.subscribe(lambda event: heard.append((event.kind, event.detail.get("elsewhere"))))
    working = [asyncio.ensure_future(kept.run()) for kept in (kept_one, kept_two)]
    one.fallback.pin("odds", "second", reason="a move", actor="ana")
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    assert standing(two) == {PIN: ("odds", "a move")}
    assert heard == [("route.pinned", True)]
    two.fallback.unpin("odds", actor="bea")
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    assert standing(one) == {}
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def test_breakers_that_are_held_are_so_in_every_instance_and_route_until_their_time_is_over(clock):
    store = Store()
    one, kept_one = instance(clock, store)
    two, kept_two = instance(clock, store)
    working = [asyncio.ensure_future(kept.run()) for kept in (kept_one, kept_two)]
    one.fallback.force("first", "forced_open", reason="a move", actor="ana", expires_in=60)
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    two.fallback.register_api("first", route="scores")
    two.fallback.register_route("scores", apis=["first"])
    roster = two.fallback.roster
    for route in ("odds", "scores"):
        view = roster.binding(roster.api("first"), roster.route(route)).breaker.view()
        assert (view.state, view.reason, view.actor) == ("forced_open", "a move", "ana")
        assert view.retry_after == pytest.approx(60 - FOLLOWED_EVERY - 0.1, abs=0.1)
    late, kept_late = instance(clock, store)
    await kept_late.take_up()
    assert late.fallback.describe()["apis"]["first"]["forced"]["state"] == "forced_open"
    two.fallback.unforce("first", actor="bea", reason="it works")
    two.fallback.force("second", "observe", reason="a look", actor="bea", expires_in=5)
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    assert standing(one) == {FORCE: ("second", "a look")}
    assert {each.breaker.state for each in one.fallback.roster.api("first").bindings.values()} == {"closed"}
    told = [each.kind for each in one.events.recent() if each.detail.get("elsewhere")]
    assert told == ["api.forced", "api.unforced"]
    # The time is over on one, which is a little ahead; a newer word must not be forgotten with the old one.
    await clock.sleep(5)
    one.fallback.end_directions()
    one.fallback.force("second", "forced_closed", reason="at once again", actor="ana")
    await clock.sleep(0.1)
    two.fallback.end_directions()
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    assert standing(one) == standing(two) == {FORCE: ("second", "at once again")}
    assert one.fallback.reset("second", actor="ana") == ["second"]
    await clock.sleep(FOLLOWED_EVERY + 0.1)
    assert standing(two) == {}
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def test_it_holds_while_the_store_is_away_and_is_saved_when_it_is_back(clock):
    store = Store()
    app, kept = instance(clock, store)
    store.away = True
    working = asyncio.ensure_future(kept.run())
    app.fallback.drain("first", reason="an end", actor="ana")
    await clock.sleep(5)
    assert (standing(app), store.kept) == ({DRAIN: ("first", "an end")}, {})
    store.away = False
    await clock.sleep(5)
    assert list(store.kept) == ["direction/drain/first"]
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize(
    "broken",
    [
        "7",
        "{}",
        '{"reason": "r", "actor": "a", "since": 0, "until": null, "api": "", "only": 0, "state": "ajar"}',
        '{"reason": 1, "actor": "", "since": 0, "until": null, "api": "", "only": 0}',
    ],
)
async def test_what_cannot_be_read_is_passed_over(clock, broken):
    store = Store()
    store.kept["direction/drain/first"] = broken
    store.kept["direction/quiet/first"] = json.dumps(Direction("r", "a", 1.0).as_dict())
    app, kept = instance(clock, store)
    await kept.take_up()
    assert standing(app) == {QUIET: ("first", "r")}


# -- over HTTP ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def service(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        Apis(app)
        yield app


async def post(app, path, **body):
    sent = []
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")], "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message):
        sent.append(message)

    await Service(app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(each.get("body", b"") for each in sent[1:]))


async def test_acts_over_http_are_kept_and_entered_with_what_was_before(service):
    status, said = await post(service, "/api/routes/odds/pin", api="third", reason="a move", expires_in="2h")
    assert (status, said["pin"]["api"], said["kept"]) == (200, "third", True)
    assert said["pin"]["until"] - said["pin"]["since"] == 7200
    assert (await post(service, "/api/routes/odds/unpin", reason="done"))[0] == 200
    assert (await post(service, "/api/routes/odds/unpin"))[0] == 409
    status, said = await post(service, "/api/apis/first/drain", reason="an end")
    assert (status, said["state"], said["in_flight"]) == (200, "paused", 0)
    assert (await post(service, "/api/apis/first/undrain"))[0] == 200
    status, said = await post(service, "/api/apis/first/force", state="forced_open", reason="no more")
    assert (status, {each["state"] for each in said["held"].values()}) == (200, {"forced_open"})
    assert (said["forced"]["actor"], said["forced"]["state"], said["kept"]) == ("http 127.0.0.1", "forced_open", True)
    assert (await post(service, "/api/apis/first/unforce", reason="again"))[1]["held"] == {}
    assert (await post(service, "/api/apis/first/clear"))[0] == 200
    entries = [record.entry for record in await service.keeping.audit.read()]
    acts = {each.action: each for each in entries}
    assert acts["route.pinned"].object == "odds"
    assert (acts["route.unpinned"].before["api"], acts["route.unpinned"].after) == ("third", {"reason": "done"})
    assert acts["api.drained"].actor == "http 127.0.0.1"
    assert {"api.undrained", "api.forced", "api.unforced", "performance.clear"} <= acts.keys()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/routes/odds/pin", {"api": "third"}, 422),
        ("/api/routes/odds/pin", {"api": "nobody", "reason": "x"}, 404),
        ("/api/routes/odds/pin", {"api": "third", "reason": "x", "only": "yes"}, 422),
        ("/api/routes/none/pin", {"api": "third", "reason": "x"}, 404),
        ("/api/routes/none/reset", {}, 404),
        ("/api/apis/first/drain", {"reason": "x", "expires_in": "never"}, 422),
        ("/api/apis/first/drain", {"reason": "x", "expires_in": 1e11}, 422),
        ("/api/apis/first/force", {"reason": "x", "state": "closed"}, 422),
        ("/api/apis/first/unforce", {}, 409),
        ("/api/apis/first/check", {}, 409),
        ("/api/apis/first/pause-checks", {"reason": "x"}, 409),
        ("/api/apis/first/resume-checks", {}, 409),
        ("/api/apis/nobody/clear", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_told(service, path, body, status):
    assert (await post(service, path, **body))[0] == status
