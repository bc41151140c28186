"""Tests of rules, and running them: series in, expected alerts and notices out. `rule_test_files` reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .model import Labels, Rule
from .past import PastSource
from .ports import Signal
from .replay import Replay

#: Epoch seconds are exact to a microsecond.
_EXACT: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires, or is expected to; an empty severity stands for any."""

    rule: str
    labels: Labels
    severity: str = ""

    def __str__(self) -> str:
        return f"{self.rule} {_written(self.labels)} {self.severity or 'of any severity'}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What fires at a time (seconds from the test's begin), all of it; of one rule only where `rule` says so."""

    at: float
    alerts: tuple[Alert, ...]
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that goes out, or is expected to; without labels those of any alert."""

    at: float
    rule: str
    kind: str
    labels: Labels | None = None

    def __str__(self) -> str:
        labels = f" {_written(self.labels)}" if self.labels is not None else ""
        return f"{_clock(self.at)} {self.rule}{labels} {self.kind}"


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test. Times are seconds from its begin."""

    name: str
    interval: float
    source: PastSource
    signals: tuple[Signal, ...]
    expectations: tuple[Expectation, ...]
    notices: tuple[Told, ...] | None
    #: When it is over.
    end: float


@dataclass(frozen=True, slots=True)
class Suite:
    """The rules under test, and the tests."""

    rules: tuple[Rule, ...]
    tests: tuple[RuleTest, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test went: what was expected and did not come, or came and was not expected; nothing when it passed."""

    name: str
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def run(suite: Suite, begin: float) -> Iterator[Outcome]:
    """Run one test after the other; `begin` is the moment, epoch seconds, that their series begin at."""
    for test in suite.tests:
        yield Outcome(test.name, tuple(_differences(test, suite.rules, begin)))


def _differences(test: RuleTest, rules: Sequence[Rule], begin: float) -> Iterator[str]:
    replay = Replay(rules, test.source, test.interval, test.signals)
    waiting = list(test.expectations)
    for step in range(1, round(test.end / test.interval) + 1):
        at = step * test.interval
        while waiting and waiting[0].at < at - _EXACT:
            yield from _compared(waiting.pop(0), replay)
        replay.tick(begin + at)
    for expectation in waiting:
        yield from _compared(expectation, replay)
    if test.notices is not None:
        yield from _notices(test.notices, replay, begin)


def _compared(expected: Expectation, replay: Replay) -> Iterator[str]:
    """What fires, against what should; each alert that is too many or missing in one line."""
    firing = [
        Alert(state.rule, state.labels, state.severity.value)
        for state in replay.standing.firing()
        if not expected.rule or state.rule == expected.rule
    ]
    when = f"at {_clock(expected.at)}"
    for alert in expected.alerts:
        same = [each for each in firing if each.rule == alert.rule and dict(each.labels) == dict(alert.labels)]
        if not same:
            yield f"{when}: - {alert}  (expected, does not fire)"
            continue
        firing.remove(same[0])
        if alert.severity and alert.severity != same[0].severity:
            yield f"{when}: - {alert}\n{when}: + {same[0]}"
    for alert in firing:
        yield f"{when}: + {alert}  (fires, not expected)"


def _notices(expected: Sequence[Told], replay: Replay, begin: float) -> Iterator[str]:
    """What was told, against what should have been, in order."""
    labels = {row.episode: row.labels for row in replay.record.episodes.values()}
    told = [
        Told(event.at - begin, event.rule, event.kind, labels.get(event.episode, {}))
        for event in replay.record.events
        if not event.suppressed_by
    ]
    for number in range(max(len(told), len(expected))):
        wanted = expected[number] if number < len(expected) else None
        found = told[number] if number < len(told) else None
        if wanted is None or found is None or not _same(wanted, found):
            yield f"notice {number + 1}: - {wanted or 'nothing'}\nnotice {number + 1}: + {found or 'nothing'}"


def _same(wanted: Told, found: Told) -> bool:
    return (
        wanted.rule == found.rule
        and wanted.kind == found.kind
        and abs(wanted.at - found.at) < _EXACT
        and (wanted.labels is None or dict(wanted.labels) == dict(found.labels or {}))
    )


def _written(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}"


def _clock(seconds: float) -> str:
    """`1m30s`, as tests write times."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{amount:g}{unit}" for amount, unit in parts if amount) or "0s"
