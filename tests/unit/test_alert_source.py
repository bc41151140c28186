"""What rules see of a running application: windows by subject, gauges of the present, what others did."""

from __future__ import annotations

from math import inf

import pytest

from understudy import Secret, Understudy
from understudy.alerting.elsewhere import Elsewhere
from understudy.alerting.signals import AGAIN, OVER, Posting, Remote, Touched
from understudy.alerting.source import LiveSource
from understudy.alerting.tally import Tallies
from understudy.alerts.metrics import METRICS
from understudy.alerts.ports import Signal
from understudy.core.types import OutcomeClass
from understudy.monitor.rollup import Bucket, SeriesName
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.quota import QuotaOptions
from understudy.storage.memory import MemoryRollups
from understudy.testing import FakeClock


class Watched:
    """An application whose calls are counted for rules."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.app = Understudy.build(clock=self.clock, seed=1)
        self.rollups = MemoryRollups()
        roster = self.app.fallback.roster
        self.tallies = Tallies(self.clock, self._hub_of, roster.price_of)
        self.elsewhere = Elsewhere(self.clock, self.rollups)
        self.source = LiveSource(self.clock, self.app.fallback, self.app.monitor, self.tallies, self.elsewhere)
        self.app.monitor.watch_with(self.tallies)

    def _hub_of(self, api: str) -> str:
        return self.source.hub_of(api)

    async def call(self, name: str, *, fails: bool = False, seconds: float = 0.1, standby: bool = False) -> None:
        """One call, which takes that long."""

        async def operation() -> str:
            self.clock.tick(seconds)
            if fails:
                raise ConnectionError("no")
            return "yes"

        async def stand_in() -> str:
            return "stood in"

        try:
            await self.app.fallback.execute_with_fallback(name, operation, stand_in if standby else None)
        except Exception as error:
            assert fails, error
        self.app.monitor.drain()


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_a_window_counts_attempts_of_an_api_and_calls_of_a_route(watched: Watched) -> None:
    async def good() -> int:
        watched.clock.tick(0.25)
        return 1

    async def bad() -> int:
        watched.clock.tick(0.25)
        raise ConnectionError("no")

    watched.app.fallback.register_api("one", route="fixtures", operation=bad)
    watched.app.fallback.register_api("two", priority=2, route="fixtures", operation=good)
    for _ in range(3):
        await watched.app.fallback.execute_with_fallback("one", bad)
    watched.app.monitor.drain()
    one, two = (watched.source.sample("api", {"api": name}, 300.0) for name in ("one", "two"))
    route = watched.source.sample("route", {"route": "fixtures"}, 300.0)
    assert one is not None
    assert two is not None
    assert route is not None
    assert one.successes == 0
    assert one.failures >= 1
    assert two.successes == 3
    assert (route.successes, route.failures) == (3, 0)
    assert route.slowest is not None
    assert route.slowest >= 0.5  # the caller waited for both
    assert watched.source.gauge("coverage", "route", {"route": "fixtures"}) == 100.0
    assert watched.source.gauge("coverage", "api", {"api": "one"}) == 100.0
    assert {"route": "fixtures"} in list(watched.source.subjects("route"))


async def test_quantiles_are_those_of_the_window(watched: Watched) -> None:
    for seconds in (0.1, 0.1, 0.1, 4.0):
        await watched.call("odds", seconds=seconds)
    sample = watched.source.sample("api", {"api": "odds"}, 60.0)
    assert sample is not None
    assert sample.slowest == pytest.approx(4.0)
    assert sample.quantile(0.5) == pytest.approx(0.1, rel=0.01)
    assert sample.quantile(0.99) == pytest.approx(4.0, rel=0.01)
    assert sample.seconds == pytest.approx(4.3)
    watched.clock.tick(100.0)
    later = watched.source.sample("api", {"api": "odds"}, 60.0)
    assert later is not None
    assert (later.total, later.slowest) == (0, None)


async def test_a_hub_and_the_whole_are_the_sums_of_their_apis_also_when_asked_for_late(watched: Watched) -> None:
    for name in ("a", "b"):
        watched.app.fallback.register_api(name, hub="hub.test")
    await watched.call("a")
    await watched.call("b", fails=True)
    watched.tallies.want({"hub", "all"}, 300.0)
    await watched.call("a")
    hub = watched.source.sample("hub", {"hub": "hub.test"}, 300.0)
    whole = watched.source.sample("all", {}, 300.0)
    attempts = watched.source.sample("api", {"api": "b"}, 300.0)
    assert hub is not None
    assert whole is not None
    assert attempts is not None
    assert (hub.successes, hub.failures) == (2, attempts.failures) == (whole.successes, whole.failures)
    assert hub.quantile(0.5) == pytest.approx(0.1, rel=0.01)
    assert list(watched.source.subjects("hub")) == [{"hub": "hub.test"}]
    assert {"api": "a", "hub": "hub.test"} in list(watched.source.subjects("api"))


async def test_an_open_breaker_and_its_standbys_show_at_once(watched: Watched) -> None:
    events: list[str] = []
    touched = Touched(watched.app.fallback, watched.source.labels_of)
    touched.wake = lambda: events.append("woken")
    watched.app.events.subscribe(touched.heard)
    for _ in range(6):
        await watched.call("odds", fails=True)
    assert watched.source.gauge("breaker_open", "api", {"api": "odds"}) == 1.0
    assert watched.source.gauge("standbys", "api", {"api": "odds"}) == 0.0
    assert events
    assert ("api", {"api": "odds"}) in touched.take()
    assert touched.take() == []
    await watched.call("odds", standby=True)
    watched.source.gauges.forget()
    assert watched.source.gauge("standbys", "api", {"api": "odds"}) == 1.0


def test_quota_gauges_speak_of_all_keys_that_can_be_used(watched: Watched) -> None:
    keys = tuple(KeyOptions(Secret(f"not-a-real-{name}"), alias=name) for name in ("first", "second"))
    api = watched.app.fallback.register_api(
        "paid", auth=AuthOptions(kind="bearer", keys=keys), quota=QuotaOptions(limit=100)
    )
    gauge, labels = watched.source.gauge, {"api": "paid"}
    assert gauge("keys_available", "api", labels) == 2.0
    assert gauge("quota_remaining", "api", labels) == 200.0
    first = next(iter(api.keys))
    for _ in range(60):
        first.account.begin()
        first.account.end(executed=True)
    assert gauge("quota_remaining", "api", labels) == 140.0
    assert gauge("quota_remaining_ratio", "api", labels) == 0.7
    assert gauge("quota_remaining", "key", {"api": "paid", "key": "first"}) == 40.0
    assert gauge("quota_exhausted", "api", labels) == 0.0
    api.keys.quarantine(first, "refused")
    assert gauge("key_quarantined", "key", {"api": "paid", "key": "first"}) == 1.0
    assert gauge("keys_available", "api", labels) == 1.0
    assert gauge("quota_remaining_ratio", "api", labels) == 1.0
    assert gauge("quota_exhausted_in", "api", labels) == inf
    assert list(watched.source.subjects("key")) == [{"api": "paid", "key": key.alias} for key in api.keys]


def test_every_gauge_has_an_answer_or_says_that_it_has_none(watched: Watched) -> None:
    watched.app.fallback.register_api("plain")
    watched.app.fallback.register_route("r", apis=("plain",))
    watched.source.gauges.of_all.update(dict.fromkeys(
        ("dead_letters", "oldest_critical", "rules_failing", "evaluation_lag"), lambda: 0.0
    ))  # fmt: skip
    labels = {"api": {"api": "plain"}, "route": {"route": "r"}, "hub": {"hub": "plain"}, "all": {}}
    unknown = [
        (metric.name, subject)
        for metric in METRICS.values()
        if not metric.sampled
        for subject in metric.subjects
        if subject in labels and watched.source.gauge(metric.name, subject, labels[subject]) is None
    ]
    # No key, no quota and no call: nothing is known of those.
    assert {name for name, _ in unknown} == {
        "quota_remaining", "quota_remaining_ratio", "quota_exhausted_in", "quota_exhausted", "keys_available",
        "keys_gone", "coverage",
    }  # fmt: skip


async def test_what_attempts_cost_is_known_by_the_hour(watched: Watched) -> None:
    watched.app.fallback.register_api("dear", price=2000.0)
    await watched.call("dear")
    assert watched.source.gauge("cost_per_hour", "api", {"api": "dear"}) == 2.0
    assert watched.source.gauge("cost_per_hour", "all", {}) == 2.0
    watched.clock.tick(3700.0)
    assert watched.source.gauge("cost_per_hour", "api", {"api": "dear"}) == 0.0
    assert watched.source.gauge("cost_per_day", "api", {"api": "dear"}) == 2.0


async def test_what_other_processes_did_counts_as_ours_once(watched: Watched) -> None:
    await watched.call("odds")
    bucket = Bucket()
    bucket.n, bucket.err, bucket.classes = 4, 4, {(False, OutcomeClass.PROVIDER.value): 4}
    bucket.add_one(7.0)
    ts = int(watched.clock.time()) // 10 * 10 - 10
    watched.rollups.put(10, [bucket.row(ts, SeriesName("api", "odds"))], 1)
    for _ in range(9):  # while the row is still open, and after it was settled
        await watched.elsewhere.refresh()
        sample = watched.source.sample("api", {"api": "odds"}, 300.0)
        assert sample is not None
        assert (sample.successes, sample.failures) == (2, 4)
        assert sample.slowest == 7.0
        assert sample.quantile(0.99) == pytest.approx(7.0, rel=0.04)
        watched.clock.tick(10.0)
    assert {"api": "odds"} in list(watched.source.subjects("api"))
    watched.clock.tick(300.0)
    await watched.elsewhere.refresh()
    gone = watched.source.sample("api", {"api": "odds"}, 300.0)
    assert gone is not None
    assert gone.total == 0


def test_a_signal_of_another_instance_lasts_until_it_ends_or_is_not_heard_again(watched: Watched) -> None:
    watched.app.fallback.register_api("odds")
    remote = Remote(watched.clock)
    watched.source.gauges.lasts = remote.lasts
    begun = Signal("api_down", {"api": "odds"}, True, watched.clock.time())
    assert remote.take("elsewhere", begun) == ("api", {"api": "odds"})
    assert remote.take("elsewhere", Signal("not an event", {}, True, 0.0)) is None
    assert watched.source.gauge("breaker_open", "api", {"api": "odds"}) == 1.0
    assert watched.source.gauge("breaker_open", "api", {"api": "other"}) is None
    remote.take("elsewhere", Signal("api_down", {"api": "odds"}, False, watched.clock.time()))
    assert watched.source.gauge("breaker_open", "api", {"api": "odds"}) == 0.0
    remote.take("elsewhere", begun)
    watched.clock.tick(OVER + 1)
    assert watched.source.gauge("breaker_open", "api", {"api": "odds"}) == 0.0


def test_an_instance_that_does_not_evaluate_tells_what_began_lasts_and_ended() -> None:
    clock, down = FakeClock(auto=False), {"odds": 1.0}
    posting = Posting(
        clock, lambda gauge, subject, labels: down.get(labels["api"]) if gauge == "breaker_open" else None
    )
    touched = [("api", {"api": "odds"})]

    def told(signals: list[Signal]) -> list[tuple[str, bool]]:
        return [(each.event, each.active) for each in signals]

    assert told(posting.changes(touched)) == [("api_down", True)]
    assert posting.changes(touched) == []
    clock.tick(AGAIN)
    assert told(posting.changes([])) == [("api_down", True)]
    down["odds"] = 0.0
    assert told(posting.changes(touched)) == [("api_down", False)]
    clock.tick(AGAIN)
    assert posting.changes([]) == []
