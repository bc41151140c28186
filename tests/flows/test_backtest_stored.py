"""Over stored history, an event of any kind lies within one bucket of the one that was told live.

The past of each test is a live run: an application on a store, whose rows of ten seconds are judged once more. What
lasts for less than a bucket cannot be seen in them, so rates here move one way: outages begin and end for good.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from alerted import Alerted, memory_store, settings_of

from understudy.alerts.backtest import backtest, surrounded
from understudy.alerts.context import EngineOptions
from understudy.alerts.defaults import default_rules
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import EpisodeQuery
from understudy.alerts.remembered import Remembered
from understudy.app import Understudy
from understudy.backtesting import Roster, read_past, run_over
from understudy.core.notices import Severity
from understudy.testing import FakeClock

#: Length of the rows, s.
BUCKET = 10.0
LADDERS = ("success_rate", "response_time", "error_rate")
WARNING, CRITICAL = Level(Severity.WARNING), Level(Severity.CRITICAL)

RULES = (
    *(dataclasses.replace(each, reminder=600.0) for each in default_rules() if each.name in LADDERS),
    Rule("patient", metric="error_rate", for_=33.0,
         levels=(Level(Severity.WARNING, 10.0), Level(Severity.CRITICAL, 60.0, for_=75.0)),
         keep_firing_for=47.0, count=5, cooldown=0.0, reminder=97.0, window=120.0),
    Rule("silent", kind="no_traffic", levels=(WARNING,), window=140.0, keep_firing_for=25.0, cooldown=0.0),
    Rule("burning", kind="burn_rate", levels=(Level(Severity.WARNING, 1.0), Level(Severity.CRITICAL, 6.0)),
         objective=99.0, keep_firing_for=60.0, cooldown=0.0, reminder=1800.0),
    Rule("both", kind="expression", when="error_rate > 30 and response_time[60s] > 1", levels=(CRITICAL,),
         window=60.0, keep_firing_for=12.0, for_=17.0, cooldown=0.0),
)  # fmt: skip  # a table


@dataclasses.dataclass(frozen=True)
class Weather:
    """How the calls of one API go: (until, share that fails, seconds, calls a second), one after the other."""

    pieces: tuple[tuple[float, float, float, int], ...]

    def at(self, second: float) -> tuple[float, float, int]:
        return next(piece[1:] for piece in self.pieces if second < piece[0])


def weather(rng: random.Random, length: float) -> Weather:
    """Outages, partial ones, slow times and silences of several minutes; then a time of rest."""
    pieces, until = [], rng.uniform(320.0, 420.0)
    pieces.append((until, 0.0, 0.3, 2))
    worse = [(1.0, 0.3, 2), (0.5, 0.3, 2), (1.0, 0.3, 2), (0.0, 3.0, 2), (0.0, 0.3, 0), (0.5, 9.0, 2), (1.0, 0.3, 2)]
    rng.shuffle(worse)
    for bad in worse:
        until += rng.uniform(170.0, 420.0)
        pieces.append((until, *bad))
        until += rng.uniform(380.0, 560.0)
        pieces.append((until, 0.0, 0.3, 2))
    return Weather((*pieces, (length + 1.0, 0.0, 0.3, 2)))


def calls(rng: random.Random, skies: dict[str, Weather], length: float) -> Iterator[tuple[float, list[tuple]]]:
    """(moment, [(api, whether it succeeds, how long it took)]); failures come evenly, so that rates move one way."""
    owed: Counter[str] = Counter()
    for second in range(int(length)):
        made = []
        for api, sky in skies.items():
            share, seconds, count = sky.at(second)
            for _ in range(count):
                owed[api] += round(share * 100)
                fails = owed[api] >= 100
                owed[api] -= 100 * fails
                made.append((api, not fails, seconds))
        yield second + rng.uniform(0.1, 0.9), made


async def lived(seed: int, length: float, store_of=memory_store):
    """What is told live, and what the backtest of the stored rows tells."""
    rng = random.Random(seed)
    clock = FakeClock()
    clock.tick(rng.uniform(0.0, 60.0))
    store = store_of(clock)
    off = {each.name: dataclasses.replace(each, enabled=False) for each in default_rules() if each.name not in LADDERS}
    options = AlertOptions(
        rules=off | {each.name: each for each in RULES}, engine=EngineOptions(flap_changes=3, flap_quiet=700.0)
    )
    app = Understudy.build(settings_of(alerts=options), clock=clock, seed=seed, keep=True)
    app._open_store = lambda: store
    async with app:
        begin = clock.time()
        skies = {name: weather(rng, length) for name in ("odds", "scores")}
        for at, made in calls(rng, skies, length):
            await clock.advance(begin + at - clock.time())
            for api, good, seconds in made:
                if good:
                    app.monitor.record_request_success(api, seconds)
                else:
                    app.monitor.record_request_failure(api, "recorded")
        await clock.advance(begin + length + 120.0 - clock.time())
        live = []
        for row in await app.alerts.history(EpisodeQuery(), 1000):
            live += [(each, row.labels["api"]) for each in (await app.alerts.episode(row.episode)).events]
        past = await read_past(
            store.rollups, Roster(dict.fromkeys(skies, "")), begin - 30.0, begin + length,
            now=clock.time(), retention=app.keeping.retention, lead=3 * 86400.0,
        )  # fmt: skip  # one line of arguments
        found = backtest(run_over(past, RULES, surrounded(options)))
    labels = {row.episode: row.labels["api"] for row in found.episodes}
    again = [(each, labels[each.episode]) for each in found.events]
    return told(live, begin), told(again, begin), past.end - begin, found


def told(events, begin: float):
    return sorted(
        (each.rule, api, str(each.kind), str(each.severity), each.suppressed_by, round(each.at - begin, 1))
        for each, api in events
    )


def paired(live, again, end: float):
    """Live events without their like in the backtest, those that only the backtest has, and how far others lie apart.

    What is told within the last bucket may be behind the end of the other.
    """
    rest, alone, apart = list(again), [], []
    for event in live:
        near = [each for each in rest if each[:-1] == event[:-1] and abs(each[-1] - event[-1]) <= BUCKET]
        if near:
            best = min(near, key=lambda each: abs(each[-1] - event[-1]))
            rest.remove(best)
            apart.append(best[-1] - event[-1])
        elif event[-1] < end - BUCKET:
            alone.append(event)
    return alone, [each for each in rest if each[-1] < end - BUCKET], apart


def crowded(event, live) -> bool:
    """Whether the same alert changed within a bucket of it: of two things in one bucket either may come first."""
    keeps = {rule.name: rule.keep_firing_for for rule in (*RULES, *default_rules())}
    mine = [each for each in live if each[:2] == event[:2] and each != event]
    turns = [each[-1] for each in mine]
    turns += [each[-1] - keeps[each[0]] for each in mine if each[2] in ("resolved", "downgraded")]
    return any(abs(turn - event[-1]) <= BUCKET for turn in turns)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_kind_of_event_lies_within_one_bucket_of_the_live_one(seed):
    live, again, end, found = await lived(seed, 5400.0)
    alone, rest, apart = paired(live, again, end)
    unlike = [each for each in (*alone, *rest) if not crowded(each, live)]
    assert unlike == []
    assert len(alone) + len(rest) <= 0.03 * len(live)
    assert {each[0] for each in live} == {each.name for each in RULES}
    kinds = {each[2] for each in live}
    assert kinds == {
        "fired", "resolved", "escalated", "downgraded", "reminder", "flapping_started", "flapping_ended"
    }  # fmt: skip  # a list
    assert {each[4].partition(":")[0] for each in live} >= {"", "inhibition", "flapping"}
    assert len(apart) > 60
    assert (found.resolution, found.as_dict()["resolution"]) == (BUCKET, BUCKET)


async def test_an_outage_that_a_breaker_saw_is_told_again_with_what_followed_from_it():
    clock = FakeClock()
    store = memory_store(clock)
    async with Alerted(clock, store) as world:
        begin = clock.time()
        await clock.advance(5)
        await world.calls("odds", 60, every=1.0)
        await world.calls("odds", 45, fails=True, every=1.0)
        await world.calls("odds", 240, every=1.0)
        await clock.advance(120)
        app = world.app
        kept = await app.alerts.past(begin, clock.time())
        labels = {row.episode: row.labels["api"] for row in kept[0]}
        live = told([(each, labels[each.episode]) for each in kept[1]], begin)
        rules = [each for each in app.alerts.rules.rules() if each.enabled]
        past = await read_past(
            store.rollups, Roster({"odds": ""}), begin - 30.0, clock.time(), now=clock.time(),
            retention=app.keeping.retention, remembered=Remembered(rules, *kept),
        )  # fmt: skip  # one line of arguments
        found = backtest(run_over(past, rules, surrounded(app.alerts.options)))
    labels = {row.episode: row.labels["api"] for row in found.episodes}
    again = told([(each, labels[each.episode]) for each in found.events], begin)
    alone, rest, _ = paired(live, again, past.end - begin)
    assert [each for each in (*alone, *rest) if not crowded(each, live)] == []
    down = [each for each in live if each[0] == "api_down"]
    assert [each[2] for each in down] == ["fired", "resolved"]
    # Alerts were kept to the moment, so what they tell of events is exact.
    assert [each for each in again if each[0] == "api_down"] == down
    assert {each[4].partition(":")[0] for each in again if each[0] in LADDERS} == {"inhibition"}
