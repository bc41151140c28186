"""Faults on a schedule: what goes wrong with which API, when and for how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from .catalogue import CATALOGUE, HUB
from .faults import Fault


@dataclass(frozen=True, slots=True)
class Event:
    """One fault of a scenario: `at` and `duration` in seconds; `api` is a name, `hub` or `*`."""

    at: float
    duration: float
    api: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story of faults, in any order; `seconds` is when the last of them ends."""

    name: str
    says: str
    events: tuple[Event, ...]

    @property
    def seconds(self) -> float:
        """Length of the story."""
        return max((event.at + event.duration for event in self.events), default=0.0)


#: The order in which an API meets its faults; each turn takes the next one.
TURNS: tuple[Fault, ...] = (
    Fault("status", status=500),
    Fault("refuse"),
    Fault("hang"),
    Fault("reset"),
    Fault("rate_limit", after=2, form="seconds"),
    Fault("blackhole"),
    Fault("error_envelope"),
    Fault("truncated"),
    Fault("status", status=503, form="date", after=2),
    Fault("invalid_json"),
    Fault("close_idle"),
    Fault("half_close"),
    Fault("bad_chunk", segment="later"),
    Fault("latency", seconds=6),
    Fault("drip"),
)


def calm(_seconds: float = 60.0) -> Scenario:
    """Nothing fails, for however long."""
    return Scenario("calm", "nothing fails", ())


def each_api_in_turn(seconds: float = 60.0, apis: tuple[str, ...] = tuple(CATALOGUE), turn: float = 4.0) -> Scenario:
    """One API after another fails, each turn in another way; never two at once.

    Of each turn of `turn` seconds the last quarter is free of faults, so that an API can come back.
    """
    turns = max(1, int(seconds / turn))
    events = tuple(
        Event(number * turn, turn * 0.75, apis[number % len(apis)], TURNS[number % len(TURNS)])
        for number in range(turns)
    )
    return Scenario("each_api_in_turn", "one API after another fails, each time in another way", events)


def quota_end(seconds: float = 60.0) -> Scenario:
    """The first key of each leading API is spent, then all its keys."""
    third = seconds / 3
    leads = ("fixtures_pro", "odds_prime", "predictions_ai")
    first = tuple(Event(third, third, api, Fault("quota_end", key="key1")) for api in leads)
    rest = tuple(Event(2 * third, third, api, Fault("quota_end")) for api in leads)
    return Scenario("quota_end", "the leading APIs run out of quota, key by key", first + rest)


def hub_outage(seconds: float = 60.0) -> Scenario:
    """All APIs behind the hub fail together, for the middle third."""
    third = seconds / 3
    return Scenario("hub_outage", "the hub fails, and every API behind it", (
        Event(third, third, HUB, Fault("hub_failure")),
    ))  # fmt: skip


#: A storm's faults last this long, seconds, and come this often to each family, on average.
_LASTS, _EVERY = (1.0, 6.0), 5.0


def storm(seconds: float = 60.0, seed: int = 7) -> Scenario:
    """Faults of all kinds at any time, drawn from `seed`; of each family never two APIs at once.

    So there is always an API that can stand in for the one that fails.
    """
    rng = random.Random(f"storm:{seed}")
    events = []
    for family in dict.fromkeys(spec.family for spec in CATALOGUE.values()):
        apis = [spec.name for spec in CATALOGUE.values() if spec.family == family]
        at = rng.expovariate(1 / _EVERY)
        while at < seconds:
            duration = min(rng.uniform(*_LASTS), seconds - at)
            events.append(Event(at, duration, rng.choice(apis), rng.choice(TURNS)))
            at += duration + rng.expovariate(1 / _EVERY)
    events.sort(key=lambda event: event.at)
    return Scenario("storm", "faults of all kinds at any time, never two APIs of a family at once", tuple(events))


#: The ready scenarios by name; each is made for a length in seconds.
SCENARIOS: dict[str, Callable[..., Scenario]] = {
    "calm": calm,
    "each_api_in_turn": each_api_in_turn,
    "quota_end": quota_end,
    "hub_outage": hub_outage,
    "storm": storm,
}


def scenario(name: str, seconds: float = 60.0, seed: int = 7) -> Scenario:
    """The ready scenario of that name; one that is drawn is drawn from `seed`."""
    return storm(seconds, seed) if name == "storm" else SCENARIOS[name](seconds)
