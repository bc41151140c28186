"""The past once more: rules are judged at moment after moment, and the same engine says what comes of it.

Backtests and tests of rules drive it. It has no clock: time is what it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from understudy.core.ids import written

from .context import Context
from .engine import evaluate
from .evaluate import Evaluator
from .identity import fingerprint
from .model import Finding, Labels, Rule, Subject, Verdict
from .ports import EpisodeRow, EventRow, MetricSource, Signal
from .standing import Standing
from .sweep import Memory, Plan, Sweeper
from .tick import Judged, Result


class PastMetrics(MetricSource, Protocol):
    """A source of metrics whose present is a moment of the past."""

    def advance(self, at: float) -> None:
        """Go to a moment, epoch seconds."""


@dataclass(slots=True)
class Record:
    """What came about: episodes as they stood at the end, by their ids, and every event in order."""

    episodes: dict[str, EpisodeRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    #: Rules of which anything was known at all.
    judged: set[str] = field(default_factory=set)

    def take(self, result: Result) -> None:
        """Add what one evaluation came to."""
        for row in result.episodes:
            self.episodes[row.episode] = row
        self.events += result.events


def ids_of(now: Callable[[], float]) -> Callable[[], str]:
    """ULIDs of the past, the same in each run: the time, then a count."""
    count = 0

    def make() -> str:
        nonlocal count
        count += 1
        return written(round(now() * 1000) << 80 | count)

    return make


class Replay:
    """Rules over a source of the past. `interval` is the time between two moments, s.

    `prepare` sets up what surrounds the alerts (silences, inhibitions, options) before the first moment.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        source: PastMetrics,
        interval: float,
        signals: Iterable[Signal] = (),
        prepare: Callable[[Context], None] = lambda context: None,
    ) -> None:
        self.at = 0.0
        self.record = Record()
        self._source = source
        self._evaluator = Evaluator(rules)
        self._sweeper = Sweeper(self._evaluator)
        self._rules = {rule.name: rule for rule in rules if rule.enabled}
        self._context = context = Context(ids=ids_of(lambda: self.at), interval=interval)
        prepare(context)
        context.set_rules(rules)
        self.standing = Standing(context)
        self._memories: dict[tuple[Subject, tuple[tuple[str, str], ...]], tuple[Plan, Memory]] = {}
        self._coming = deque(sorted(signals, key=lambda each: each.at))
        self._signals: dict[tuple[str, tuple[tuple[str, str], ...]], Signal] = {}

    def tick(self, at: float) -> Result:
        """Judge everything at a moment, which is later than the one before."""
        self.at = at
        self._source.advance(at)
        judged = self._swept(at)
        for name, labels, signal in self._signalled(at):
            verdict = self._evaluator.judge(name, self._source, labels, at, signal)
            judged[fingerprint(name, labels)] = self._note(self._rules[name], labels, verdict)
        for mark, state in self.standing.states.items():
            # Only these need a fresh value, and the passing of time.
            if state.watched and mark not in judged and state.rule in self._rules:
                rule = self._rules[state.rule]
                signal_of = self._signals.get((rule.event, _key(state.labels)))
                verdict = self._evaluator.judge(rule, self._source, state.labels, at, signal_of)
                judged[mark] = self._note(rule, state.labels, verdict)
        if not judged and self._nothing_due(at):
            return Result(at)
        result = evaluate(judged.values(), self.standing, at, self._context)
        self.standing.take(result)
        self.record.take(result)
        return result

    def _nothing_due(self, at: float) -> bool:
        """Whether an evaluation could change nothing: as at most moments of most pasts."""
        standing = self.standing
        return standing.seen == self._context.version and all(state.due_at > at for state in standing.states.values())

    def _swept(self, at: float) -> dict[str, Judged]:
        found: dict[str, Judged] = {}
        for subject in self._sweeper.subjects:
            for labels in self._source.subjects(subject):
                place = (subject, _key(labels))
                known = self._memories.get(place)
                if known is None:
                    known = self._memories[place] = (self._sweeper.plan(subject, labels), Memory())
                for rule, verdict in self._sweeper.sweep(self._source, subject, labels, at, *known):
                    found[fingerprint(rule.name, labels)] = self._note(rule, labels, verdict)
        return found

    def _signalled(self, at: float) -> list[tuple[str, Labels, Signal]]:
        """Rules with the signals that have come since the last moment."""
        found = []
        while self._coming and self._coming[0].at <= at:
            signal = self._coming.popleft()
            self._signals[signal.event, _key(signal.labels)] = signal
            found += [
                (rule.name, signal.labels, signal)
                for rule in self._rules.values()
                if rule.kind == "event" and rule.event == signal.event
            ]
        return found

    def _note(self, rule: Rule, labels: Labels, verdict: Verdict) -> Judged:
        if verdict.finding is not Finding.NO_DATA or verdict.reason != "unknown":
            self.record.judged.add(rule.name)
        return Judged(rule, labels, verdict)


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
