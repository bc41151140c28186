"""What rules would have told: the past, judged by the evaluation and the engine that are at work now.

Over stored history nothing is known more finely than its buckets, so each event lies within one bucket of the
one that would have been; the result says how long they are. Over a recorded stream of calls the events are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, Final

from .context import Context
from .inhibition import inhibitors
from .metrics import METRICS
from .model import Level, Rule
from .noise import Difference, Noise, difference, noise
from .options import AlertOptions
from .ports import EpisodeRow, EventRow, Signal
from .replay import PastMetrics, Record, Replay
from .shown import episode_as_dict, event_as_dict
from .silences import Silence, Silences
from .timings import Timing

#: Moments that are judged before whoever drives it gets a turn.
STRETCH: Final = 50
#: Longest breach that a proposal asks for before a rule fires, s; each step is tried.
TRIED_FOR: Final = (60.0, 120.0, 300.0, 600.0)
#: Thresholds are tried that are by such a part milder.
TRIED_FURTHER: Final = (0.1, 0.25)
#: A rule is worth a proposal when at least so many of its episodes, in percent, were noise.
TOO_NOISY: Final = 20.0
#: A proposal may lose no episode that lasted longer, s.
MATTERS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of rules over a span. `resolution` is the longest bucket of it, s; 0 where every call is known.

    `blind` names rules of which the past tells nothing, such as those that wait for events.
    """

    rules: tuple[str, ...]
    start: float
    end: float
    resolution: float
    episodes: tuple[EpisodeRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    blind: tuple[str, ...] = ()

    def noise(self, zone: tzinfo = UTC) -> Noise:
        """What that would have cost people."""
        return noise(self.episodes, self.events, self.start, self.end, zone)

    def as_dict(self, zone: tzinfo = UTC) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "rules": list(self.rules),
            "start": self.start,
            "end": self.end,
            "resolution": self.resolution,
            "blind": list(self.blind),
            "noise": self.noise(zone).as_dict(),
            "episodes": [episode_as_dict(each) for each in self.episodes],
            "events": [_event(each) for each in self.events],
        }


def _event(event: EventRow) -> dict[str, Any]:
    whole = event_as_dict(event)
    return {name: whole[name] for name in ("episode", "rule", "kind", "at", "severity", "suppressed_by")}


def surrounded(options: AlertOptions, silences: Iterable[Silence] = ()) -> Callable[[Context], None]:
    """What surrounds the alerts of a backtest as it does live: inhibitions, muted hours, escalations, silences."""
    timings = tuple(Timing(name, each) for name, each in options.mute_timings.items())
    inhibiting = inhibitors(options.inhibitions)
    quiet = tuple(silences)

    def prepare(context: Context) -> None:
        context.options, context.timings, context.inhibitors = options.engine, timings, inhibiting
        context.escalations, context.silences = dict(options.escalations), Silences(quiet)

    return prepare


def alone(context: Context) -> None:
    """Nothing surrounds the alerts but what is built in."""


@dataclass(slots=True)
class Run:
    """One backtest while it runs: `steps` are to be gone through, then `result` is there."""

    rules: Sequence[Rule]
    source: PastMetrics
    moments: Sequence[float]
    #: Counted from here on; moments before only bring windows and alerts to where they were.
    start: float
    end: float
    resolution: float
    prepare: Callable[[Context], None] = alone
    #: Events that began and ended, as far as the past tells.
    signals: Sequence[Signal] = ()
    _replay: Replay | None = field(default=None, repr=False)

    def steps(self) -> Iterator[None]:
        """Judge moment after moment, with a chance to do something else in between."""
        interval = self.resolution or 1.0
        replay = self._replay = Replay(self.rules, self.source, interval, self.signals, self.prepare)
        # Where every call is known, everything is looked at each second, as it is live.
        go = replay.until if self.resolution else replay.tick
        for number, at in enumerate(self.moments):
            go(at)
            if number % STRETCH == STRETCH - 1:
                yield
        replay.end()

    @property
    def result(self) -> Backtest:
        """What came of it; nothing before the steps have been gone through."""
        record = self._replay.record if self._replay is not None else Record()
        episodes = filter(self._counts, record.episodes.values())
        enabled = [rule.name for rule in self.rules if rule.enabled]
        return Backtest(
            tuple(enabled), self.start, self.end, self.resolution,
            tuple(sorted(episodes, key=lambda each: (each.started_at, each.episode))),
            tuple(each for each in record.events if each.at >= self.start),
            tuple(name for name in enabled if name not in record.judged),
        )  # fmt: skip  # as the fields stand

    def _counts(self, row: EpisodeRow) -> bool:
        return row.resolved_at is None or row.resolved_at >= self.start


def backtest(run: Run) -> Backtest:
    """Go through a run in one piece."""
    for _ in run.steps():
        pass
    return run.result


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another version of a rule that would have told less; never taken in by itself."""

    change: Mapping[str, float]
    noise: Noise
    difference: Difference

    def as_dict(self) -> dict[str, Any]:
        """The proposal with its evidence, as JSON-ready values."""
        return {"change": dict(self.change), "noise": self.noise.as_dict(), "difference": self.difference.as_dict()}


def worth_a_proposal(found: Noise) -> bool:
    """Whether a rule is noisy enough that others should be tried."""
    return found.episodes >= 3 and (found.share_noise or 0.0) >= TOO_NOISY


def candidates(rule: Rule) -> Iterator[tuple[Mapping[str, float], Rule]]:
    """Versions of a rule that wait longer, and those that allow more, the most careful first of each."""
    for seconds in TRIED_FOR:
        if seconds > rule.for_:
            levels = tuple(
                replace(level, for_=None if level.for_ is None else max(level.for_, seconds)) for level in rule.levels
            )
            yield {"for": seconds}, replace(rule, for_=seconds, levels=levels)
    for further in TRIED_FURTHER:
        moved = _moved(rule, further)
        if moved is not None:
            change: dict[str, float] = {level.severity.value: level.threshold for level in moved}
            yield change, replace(rule, levels=moved)


def _moved(rule: Rule, further: float) -> tuple[Level, ...] | None:
    """The levels with thresholds that are so much milder; None where the metric has no such values."""
    metric = METRICS.get(rule.metric)
    if rule.kind != "threshold" or metric is None or rule.operator not in (">", ">=", "<", "<="):
        return None
    times = 1.0 + further if rule.operator.startswith(">") else 1.0 - further
    levels = tuple(replace(each, threshold=round(each.threshold * times, 6)) for each in rule.levels)
    fits = all(metric.lowest < each.threshold < metric.highest and each.threshold > 0 for each in levels)
    return levels if fits else None


def proposal(change: Mapping[str, float], before: Backtest, after: Backtest) -> Proposal | None:
    """The version as a proposal: it halves the noise and loses no episode that mattered. None where it does not."""
    old, new = before.noise(), after.noise()
    changed = difference(before.episodes, after.episodes, before.resolution)
    lost = [each for each in changed.gone if each.resolved_at is None or each.resolved_at - each.started_at > MATTERS]
    if lost or (new.share_noise or 0.0) * new.episodes > 0.5 * (old.share_noise or 0.0) * old.episodes:
        return None
    return Proposal(change, new, changed)
