"""Inhibition: while one alert fires, others that follow from it are not told.

A source inhibits whether or not it is told itself: silencing the cause does not let the consequences through. Two
alerts that would inhibit each other do not. Configured inhibitions that could go around in a circle, so that all
keep each other quiet and nobody is told, are refused when they are loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.matchers import Matcher, MatcherError, matches, parse_list
from understudy.core.options import Doc, Options, check

from .model import LABELS

#: Circles of more than so many inhibitions are not looked for.
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Inhibition(Options):
    """While an alert that matches `source` fires, those that match `target` and are `equal` to it are not told."""

    source: Annotated[tuple[str, ...], at.MinLen(1), at.MaxLen(50), Doc("the cause: event=api_down; all must hold")] = (
        'event=~".+"',
    )
    target: Annotated[tuple[str, ...], at.MinLen(1), at.MaxLen(50), Doc("the consequences; all must hold")] = (
        'kind!="event"',
    )
    equal: Annotated[tuple[str, ...], at.MaxLen(20), Doc("labels in which both agree: api, hub")] = ()
    linger: Annotated[float, at.Ge(0), at.Le(86400), Doc("goes on so long after the source has ended", "s")] = 0.0

    def __post_init__(self) -> None:
        check(self)
        for name in ("source", "target"):
            try:
                parse_list(getattr(self, name))
            except MatcherError as problem:
                raise OptionError("Inhibition", name, getattr(self, name), str(problem)) from None


_MEASURED = "success_rate|error_rate|response_time.*|requests_per_minute"
#: What holds without being configured, by name. The measured rules look back over minutes, so that they go on
#: for a while after what they follow from has ended: that is what `linger` is for.
BUILT_IN: Mapping[str, Inhibition] = {
    "network_down": Inhibition(("event=network_down", "kind=event", "subject=all"), ("subject!=all",), (), 60.0),
    "network_down_measured": Inhibition(
        ("event=network_down", "kind=event", "subject=all"), ("kind!=event", f"metric=~{_MEASURED}"), (), 300.0
    ),
    "hub_down": Inhibition(
        ("event=hub_down", "kind=event", "subject=hub"), ("event!=hub_down", "subject!=all"), ("hub",), 60.0
    ),
    # Its incident is made of alerts that look back over minutes, too.
    "hub_down_measured": Inhibition(
        ("event=hub_down", "kind=event", "subject=hub"),
        ("event=~(hub_incident)?", "subject!=all", f"metric=~({_MEASURED})?"), ("hub",), 300.0,
    ),
    "hub_incident": Inhibition(("event=hub_incident", "kind=event", "subject=hub"), ("subject=api",), ("hub",), 60.0),
    "api_down": Inhibition(
        # Only of the ladders that come with the program: whoever made a rule of their own wants to hear of it.
        ("event=api_down", "kind=event"),
        ("subject=api", "kind=threshold", "rule=~success_rate|error_rate|response_time"),
        ("api", "hub"), 300.0,
    ),
    # Every key of the API is refused: that one of them is follows from it.
    "keys_gone": Inhibition(("event=keys_gone", "kind=event"), ("event=key_quarantined", "kind=event"), ("api",)),
    # The two ladders are complements: one problem, one alert.
    "success_rate": Inhibition(
        ("rule=success_rate", "metric=success_rate", "kind=threshold"),
        ("rule=error_rate", "metric=error_rate", "kind=threshold"), ("subject", *LABELS),
    ),
}  # fmt: skip


class Inhibitor:
    """An inhibition, ready to be asked."""

    __slots__ = ("equal", "linger", "name", "source", "target")

    def __init__(self, name: str, options: Inhibition) -> None:
        self.name, self.linger = name, options.linger
        self.source, self.target = parse_list(options.source), parse_list(options.target)
        self.equal = tuple(dict.fromkeys(options.equal))

    def key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """What source and target must have in common."""
        return tuple(labels.get(name, "") for name in self.equal)


def inhibitors(configured: Mapping[str, Inhibition]) -> tuple[Inhibitor, ...]:
    """All inhibitions: those that are built in, and those of the configuration, which go before under the same name.

    Raises:
        OptionError: some of them go around in a circle; it says which.
    """
    for circle in _circles([Inhibitor(name, options) for name, options in configured.items()]):
        names = " → ".join(each.name for each in (*circle, circle[0]))
        raise OptionError(
            "Inhibition", "target", names,
            "inhibitions that cannot go around in a circle: in this one all alerts could keep each other quiet",
        )  # fmt: skip
    return tuple(Inhibitor(name, options) for name, options in {**BUILT_IN, **configured}.items())


class Sources:
    """The alerts that inhibit now, or did until a moment ago, at hand by what their targets must agree in."""

    __slots__ = ("_by_key", "_inhibitors", "_places")

    def __init__(self, inhibitors: Sequence[Inhibitor]) -> None:
        self._inhibitors = tuple(inhibitors)
        #: Of each inhibition, by key: the sources, each with its end and its labels.
        self._by_key: list[dict[tuple[str, ...], dict[str, tuple[float, Mapping[str, str]]]]]
        self._by_key = [{} for _ in self._inhibitors]
        self._places: dict[str, list[tuple[int, tuple[str, ...]]]] = {}

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._places

    def put(self, fingerprint: str, labels: Mapping[str, str], ended_at: float | None, now: float) -> bool:
        """Note an alert that fires, or has ended at a moment; whether it is or was a source of anything."""
        known = self.drop(fingerprint)
        places = []
        for number, each in enumerate(self._inhibitors):
            ends = inf if ended_at is None else ended_at + each.linger
            if ends > now and matches(each.source, labels):
                key = each.key(labels)
                self._by_key[number].setdefault(key, {})[fingerprint] = (ends, labels)
                places.append((number, key))
        if places:
            self._places[fingerprint] = places
        return known or bool(places)

    def drop(self, fingerprint: str) -> bool:
        """Forget an alert; whether it was a source."""
        places = self._places.pop(fingerprint, ())
        for number, key in places:
            sources = self._by_key[number][key]
            del sources[fingerprint]
            if not sources:
                del self._by_key[number][key]
        return bool(places)

    def inhibiting(
        self, fingerprint: str, labels: Mapping[str, str], now: float, besides: Collection[str], own: Sources
    ) -> tuple[str, str, float] | None:
        """What inhibits an alert: inhibition, source's fingerprint, until when.

        Sources in `besides` are not looked at. `own` is where the alert itself stands if it is a source.
        """
        for number, each in enumerate(self._inhibitors):
            by_key = self._by_key[number]
            if not by_key or not (sources := by_key.get(each.key(labels))):
                continue
            if (len(sources) == 1 and fingerprint in sources) or not matches(each.target, labels):
                continue
            for source, (ends, known) in sources.items():
                if ends <= now or source == fingerprint or source in besides:
                    continue
                # Of two that would keep each other quiet, both are told.
                if not own.reaches(fingerprint, known, now):
                    return each.name, source, ends
        return None

    def reaches(self, source: str, labels: Mapping[str, str], now: float) -> bool:
        """Whether an alert inhibits one with these labels."""
        return any(
            self._by_key[number][key][source][0] > now
            and key == self._inhibitors[number].key(labels)
            and matches(self._inhibitors[number].target, labels)
            for number, key in self._places.get(source, ())
        )


def _circles(found: Sequence[Inhibitor]) -> Iterator[list[Inhibitor]]:
    """Inhibitions that some alerts could go around in."""
    after = {
        number: [
            other for other in range(len(found)) if other != number and _possible([each, found[other]], closed=False)
        ]
        for number, each in enumerate(found)
    }
    paths = [[number] for number in reversed(range(len(found)))]
    while paths:
        path = paths.pop()
        chosen = [found[number] for number in path]
        if len(path) > 1 and _possible(chosen, closed=True):
            yield chosen
        # The first is the smallest number, so that each circle is met once.
        if len(path) < _LONGEST and (len(path) < 3 or _possible(chosen, closed=False)):
            paths.extend([*path, number] for number in after[path[-1]] if number > path[0] and number not in path)


def _possible(path: Sequence[Inhibitor], *, closed: bool) -> bool:
    """Whether there could be alerts of which the first inhibits the second, that the third, and so on.

    The alerts are those between the inhibitions: number i is a target of the one before and the source of
    path[i]. Labels that an inhibition wants to be equal tie two neighbours' values together.
    """
    count = len(path) if closed else len(path) + 1
    wanted: list[tuple[Matcher, ...]] = [() for _ in range(count)]
    for number, each in enumerate(path):
        wanted[number] += each.source
        wanted[(number + 1) % count] += each.target
    names = {matcher.name for matchers in wanted for matcher in matchers}
    return all(_some_value(name, path, wanted, count) for name in names)


def _some_value(name: str, path: Sequence[Inhibitor], wanted: Sequence[tuple[Matcher, ...]], count: int) -> bool:
    """Whether the label can have values that meet all conditions, equal where they are tied."""
    tie = list(range(count))
    for number, each in enumerate(path):
        if name in each.equal:
            one, other = tie[number], tie[(number + 1) % count]
            tie = [one if found == other else found for found in tie]
    for group in set(tie):
        matchers = [m for number in range(count) if tie[number] == group for m in wanted[number] if m.name == name]
        exact = {matcher.value for matcher in matchers if matcher.sign == "="}
        # Where nothing is exact, whether two patterns have a value in common is not known: they may.
        if any(not matcher.accepts(value) for value in exact for matcher in matchers):
            return False
    return True
