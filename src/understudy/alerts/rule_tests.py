"""Tests of rules, and running them: series in, expected alerts and notices out. `rule_test_files` reads them."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Labels, Rule
from .past import PastSource
from .ports import Signal


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


def _written(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}"


def _clock(seconds: float) -> str:
    """`1m30s`, as tests write times."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{amount:g}{unit}" for amount, unit in parts if amount) or "0s"
