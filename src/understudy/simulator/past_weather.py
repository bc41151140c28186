"""When simulated APIs are busy, and when they fail: rhythm of day and week, and episodes of trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi
from random import Random
from typing import Literal

DAY, WEEK = 86400, 7 * 86400

#: What an API can be in, apart from well.
Trouble = Literal["outage", "degraded", "throttled"]
State = Literal["well", "outage", "degraded", "throttled"]

#: Mean days between two troubles of one API, and between two that take down part of its group.
_EVERY, _GROUP_EVERY = 4.0, 12.0
_KINDS: dict[Trouble, int] = {"outage": 3, "degraded": 5, "throttled": 2}
_TOPICS = ("fixtures", "odds", "livescore", "standings", "players", "news", "weather", "geocoding", "fx", "mail")


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of trouble; epoch seconds."""

    start: int
    end: int
    kind: Trouble


@dataclass(frozen=True, slots=True)
class Nature:
    """What one API is like: attempts a minute at its usual load, seconds of an answer, shares of 1."""

    name: str
    per_minute: float
    median: float
    spread: float
    failing: float
    refused: float
    price: int
    peak_hour: float
    at_night: float
    at_weekends: float

    def load(self, at: float) -> float:
        """How busy it is at a time, beside its usual load."""
        hours = at / 3600 % 24
        day = self.at_night + (1 - self.at_night) * (1 + cos(2 * pi * (hours - self.peak_hour) / 24)) / 2
        # The epoch began on a Thursday: days 2 and 3 after it were a weekend.
        return day * (self.at_weekends if int(at // DAY) % 7 in (2, 3) else 1.0)


def nature(number: int, rng: Random) -> Nature:
    """The nature of the API of that number."""
    return Nature(
        name=f"sim_{_TOPICS[number % len(_TOPICS)]}_{number:04d}",
        per_minute=min(1500.0, max(2.0, rng.lognormvariate(4.4, 0.9))),
        median=min(2.0, max(0.02, rng.lognormvariate(-1.7, 0.7))),
        spread=rng.uniform(0.25, 0.6),
        failing=min(0.02, rng.lognormvariate(-6.5, 1.0)),
        refused=rng.uniform(0.0, 0.004),
        price=rng.choice((0, 0, 150, 500, 1000, 2500)),
        peak_hour=rng.gauss(17.0, 3.0) % 24,
        at_night=rng.uniform(0.1, 0.5),
        at_weekends=rng.uniform(0.5, 1.6),
    )


def troubles(start: int, end: int, rng: Random) -> list[Episode]:
    """The troubles of one API, in order of time, none within another."""
    found: list[Episode] = []
    at = start + rng.expovariate(1 / (_EVERY * DAY))
    while at < end:
        kind: Trouble = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
        length = min(8 * 3600.0, max(90.0, rng.lognormvariate(6.6, 1.2)))
        found.append(Episode(int(at), int(at + length), kind))
        at += length + rng.expovariate(1 / (_EVERY * DAY))
    return found


def group_outages(start: int, end: int, rng: Random) -> list[Episode]:
    """Outages of what several APIs of a group share."""
    found = []
    at = start + rng.expovariate(1 / (_GROUP_EVERY * DAY))
    while at < end:
        length = rng.uniform(120, 2400)
        found.append(Episode(int(at), int(at + length), "outage"))
        at += length + rng.expovariate(1 / (_GROUP_EVERY * DAY))
    return found


def merged(own: Sequence[Episode], shared: Sequence[Episode]) -> list[Episode]:
    """All troubles of an API; where two meet, the later one begins when the earlier one ends."""
    found: list[Episode] = []
    for each in sorted((*own, *shared), key=lambda episode: episode.start):
        start = max(each.start, found[-1].end) if found else each.start
        if start < each.end:
            found.append(Episode(start, each.end, each.kind))
    return found


def state_at(episodes: Sequence[Episode], at: int) -> State:
    """What an API is in at a time."""
    for episode in episodes:
        if episode.start <= at < episode.end:
            return episode.kind
    return "well"


def some(mean: float, rng: Random) -> int:
    """A number of events with that mean, as independent events come (Poisson)."""
    if mean > 40:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
