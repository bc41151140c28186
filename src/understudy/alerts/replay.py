"""The past once more: rules are judged at moment after moment, and the same engine says what comes of it.

Backtests and tests of rules drive it. It has no clock: time is what it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any, Final, Protocol, TypeVar

from understudy.core.ids import written

from .context import Context
from .engine import evaluate
from .evaluate import Evaluator
from .identity import fingerprint
from .model import Finding, Rule, Verdict
from .ports import EpisodeRow, EventRow, MetricSource, Signal
from .standing import Standing
from .tick import Judged, Result
from .timers import COUNTED_EACH, next_timer
from .watch import SETTLED, Watch

#: Rules that have found nothing are looked at each so many moments, about so many subjects: is anything known?
PROBED_EACH: Final = 100
PROBED: Final = 5
#: Moments that are nearer to each other are one, s.
_APART: Final = 1e-3
T = TypeVar("T")


class PastMetrics(MetricSource, Protocol):
    """A source of metrics whose present is a moment of the past."""

    def advance(self, at: float, *, whole: bool = True) -> None:
        """Go to a moment, epoch seconds. Not `whole`: only time has passed, and no more is known than before."""


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
        #: Rules of which nothing was known so far.
        self._blind = [rule for rule in rules if rule.enabled]
        self._ticks = 0
        self._context = context = Context(
            ids=ids_of(lambda: self.at), interval=interval, counted_each=min(interval, COUNTED_EACH)
        )
        prepare(context)
        context.set_rules(rules)
        self.standing = Standing(context)
        # Where moments are farther apart, a breach at the end of one has lasted already.
        self._watch = Watch(source, lambda: self.standing.states, settle=interval <= SETTLED)
        self._watch.use(rules)
        self._coming = deque(sorted(signals, key=lambda each: each.at))

    def until(self, at: float) -> None:
        """Go to the next moment that anything is known of.

        Between two of them what was found stays what it was, but timers go on: what runs out on the way is told
        at its own time, and signals are taken in at theirs.
        """
        while (due := self._next_due()) < at - _APART:
            self._pass(due)
        self.tick(at)

    def _next_due(self) -> float:
        after = self.at + _APART
        timers = (
            next_timer(state, rule, after)
            for state in self.standing.states.values()
            if (state.watched or state.due_at < inf) and (rule := self._context.rules.get(state.rule)) is not None
        )
        coming = max(self._coming[0].at, after) if self._coming else inf
        return min(coming, min(timers, default=inf))

    def _pass(self, at: float) -> None:
        """Time goes by, and nothing new is known but what signals say."""
        self.at = at
        self._source.advance(at, whole=False)
        self._evaluate(self._looked(at, self._signalled(at)), at, complete=False)

    def tick(self, at: float) -> Result:
        """Judge everything at a moment, which is later than the one before."""
        self.at = at
        self._source.advance(at)
        judged = self._signalled(at)
        finished(self._watch.everything(at, _no_breath))
        judged = self._looked(at, judged)
        if self._blind and self._ticks % PROBED_EACH == 0:
            self._probe(at)
        self._ticks += 1
        if not judged and self._nothing_due(at):
            return Result(at)
        return self._evaluate(judged, at, complete=True)

    def _signalled(self, at: float) -> list[Judged]:
        judged: list[Judged] = []
        while self._coming and self._coming[0].at <= at:
            judged += self._watch.signalled(self._coming.popleft(), at)
        return judged

    def _looked(self, at: float, judged: list[Judged]) -> list[Judged]:
        """These, and each alert that stands beside them."""
        known = {fingerprint(each.rule.name, each.labels) for each in judged}
        finished(self._watch.standing(at, _no_breath))
        beside = self._watch.gathered()
        return [*judged, *(each for each in beside if fingerprint(each.rule.name, each.labels) not in known)]

    def _evaluate(self, judged: list[Judged], at: float, *, complete: bool) -> Result:
        result = evaluate(judged, self.standing, at, self._context, complete=complete)
        self.standing.take(result)
        self.record.take(result)
        self.record.judged.update(each.rule.name for each in judged)
        return result

    def end(self) -> None:
        """See to rules of which something became known only after the last look."""
        if self._blind:
            self._probe(self.at)

    def _nothing_due(self, at: float) -> bool:
        """Whether an evaluation could change nothing: as at most moments of most pasts."""
        standing = self.standing
        return standing.seen == self._context.version and all(
            state.due_at > at and not state.watched for state in standing.states.values()
        )

    def _probe(self, at: float) -> None:
        """See whether anything is known of the rules that have found nothing so far."""
        still = []
        for rule in self._blind:
            subjects = islice(self._source.subjects(rule.subject), PROBED)
            verdicts = (self._evaluator.judge(rule, self._source, labels, at) for labels in subjects)
            if rule.name in self.record.judged or any(map(_known, verdicts)):
                self.record.judged.add(rule.name)
            else:
                still.append(rule)
        self._blind = still


def _known(verdict: Verdict) -> bool:
    return verdict.finding is not Finding.NO_DATA or verdict.reason not in ("unknown", "not in force")


async def _no_breath() -> None:
    """The past can wait for nobody."""


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine answers that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    work.close()
    raise RuntimeError("it waited for something")
