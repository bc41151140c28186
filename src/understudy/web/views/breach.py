"""A rule's number over time, beside its thresholds: what a preview of a rule and the page of an incident draw.

The numbers are those that the rule itself would have judged, read from what is kept; each point is the worst of its
stretch, so that no breach is lost between two points. What the past does not tell is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.backtest import Backtest, surrounded
from understudy.alerts.evaluate import Compiled, Look
from understudy.alerts.metrics import METRICS, Metric
from understudy.alerts.model import Labels, Rule
from understudy.alerts.ports import EpisodeRow
from understudy.alerts.records import measured
from understudy.alerts.remembered import Remembered
from understudy.alerts.slo import PAIRS, burn
from understudy.backtesting import WARM, Past, judged, run_over
from understudy.core.turn import Slices
from understudy.monitor.summary import Point

from .kept_past import past_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Most points of one line.
POINTS: Final = 240
#: Looks at one subject before everything else on the loop gets its turn.
_AT_ONCE: Final = 20
#: What is drawn where a rule has no number of its own: how the subject did.
_CONTEXT: Final = "success_rate"


def _share(part: int, point: Point) -> float | None:
    judged = point.successes + point.failures
    return 100.0 * part / judged if judged else None


#: What the monitor knows of the last minutes, by metric.
_LIVE: Final[Mapping[str, Callable[[Point], float | None]]] = {
    "success_rate": lambda point: _share(point.successes, point),
    "error_rate": lambda point: _share(point.failures, point),
    "response_time": lambda point: point.response_time,
    "response_time_p50": lambda point: point.p50,
    "response_time_p95": lambda point: point.p95,
    "requests_per_minute": lambda point: point.total * 60.0 / point.length,
}

Number = Callable[[Look], float | None]


@dataclass(frozen=True, slots=True)
class Breach:
    """The line of one subject. `values` in the metric's own unit, None where nothing is known.

    `thresholds` are (severity, value) of each level; empty where the rule compares nothing that is drawn.
    `spans` are (begin, end, severity, episode); the end is None while it lasts. Times are epoch seconds.
    """

    rule: str
    labels: Mapping[str, str]
    metric: str
    operator: str
    at: tuple[float, ...]
    values: tuple[float | None, ...]
    thresholds: tuple[tuple[str, float], ...] = ()
    spans: tuple[tuple[float, float | None, str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "rule": self.rule,
            "labels": dict(self.labels),
            "metric": self.metric,
            "operator": self.operator,
            "at": list(self.at),
            "values": list(self.values),
            "thresholds": [{"severity": severity, "value": value} for severity, value in self.thresholds],
            "spans": [
                {"from": begin, "to": end, "severity": severity, "episode": episode}
                for begin, end, severity, episode in self.spans
            ],
        }


@dataclass(frozen=True, slots=True)
class RulePreview:
    """What a rule would have done over a span, judged by itself: other rules' alerts hold nothing back here.

    `resolution` is the longest stored bucket, s: every event lies within one of the live one. `blind`: the past
    tells nothing of what the rule is about. `line` is that of the subject it would have told of longest.
    """

    start: float
    end: float
    resolution: float
    found: Backtest
    blind: bool
    line: Breach | None

    @property
    def fired(self) -> int:
        """How often it would have fired."""
        return len(self.found.episodes)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "start": self.start,
            "end": self.end,
            "resolution": self.resolution,
            "blind": self.blind,
            "fired": self.fired,
            "noise": self.found.noise().as_dict(),
            "episodes": [_episode(each) for each in self.found.episodes],
            "line": self.line.as_dict() if self.line is not None else None,
        }


async def preview(app: Understudy, rule: Rule, start: float, end: float) -> RulePreview:
    """A rule that need not be in force, tried on the past.

    Raises:
        Problem: 404 where nothing is kept, 422 for a span that is too much.
        StoreUnavailable: the past cannot be read now.
    """
    kept = await app.alerts.past(start - WARM, end)
    remembered = Remembered(app.alerts.rules.rules(), *kept)
    past = await past_of(app, "", start, end, [rule], remembered)
    slices = Slices(app.clock.monotonic)
    around = surrounded(app.alerts.options, app.alerts.silences())
    found = await judged(run_over(past, [rule], around), slices)
    line = await _line(past, rule, _longest(found.episodes, past, rule), found.episodes, slices)
    return RulePreview(past.start, past.end, past.resolution, found, bool(found.blind), line)


async def incident_line(app: Understudy, row: EpisodeRow, start: float, end: float) -> Breach | None:
    """The number that an episode is about, with some time before and after; None where nothing of it is kept.

    Raises:
        Problem: as `preview`.
        UnknownName: its rule is gone.
    """
    rule = app.alerts.rules.get(row.rule)
    if app.keeping is None:
        return None
    kept = await app.alerts.past(start, end)
    remembered = Remembered(app.alerts.rules.rules(), *kept)
    alone = row.labels.get("api", "") if row.labels.get("api", "") in app.fallback.roster.apis else ""
    past = await past_of(app, alone if rule.subject == "api" else "", start, end, [rule], remembered)
    line = await _line(past, rule, row.labels, [row], Slices(app.clock.monotonic))
    known = zip(line.at, line.values, strict=True) if line is not None else ()
    if all(at < row.started_at for at, value in known if value is not None):
        return _recent(app, rule, row) or line
    return line


def _recent(app: Understudy, rule: Rule, row: EpisodeRow) -> Breach | None:
    """The last five minutes from memory, each point 5 s by itself: of an incident so new that nothing is kept yet."""
    name, _ = _number(rule)
    api = row.labels.get("api", "")
    read = _LIVE.get(name)
    if rule.subject != "api" or read is None or api not in app.monitor.names():
        return None
    points = app.monitor.history(api, "5m")[:-1]
    spans = ((row.started_at, row.resolved_at, row.peak, row.episode),)
    return Breach(
        rule.name, {"api": api}, name, rule.operator, tuple(each.at + each.length for each in points),
        tuple(read(each) for each in points), _thresholds(rule, name), spans,
    )  # fmt: skip  # as the fields stand


def _longest(episodes: Sequence[EpisodeRow], past: Past, rule: Rule) -> Labels | None:
    """The subject that a rule would have told of longest; any one of its subjects where it would not have told."""
    lasted: dict[tuple[tuple[str, str], ...], float] = {}
    for each in episodes:
        key = tuple(sorted(each.labels.items()))
        end = past.end if each.resolved_at is None else each.resolved_at
        lasted[key] = lasted.get(key, 0.0) + max(0.0, end - max(each.started_at, past.start)) + 1e-6
    if lasted:
        return dict(max(lasted.items(), key=lambda each: each[1])[0])
    compiled = Compiled(rule)
    _last(past)
    return next((labels for labels in past.source.subjects(rule.subject) if compiled.applies(labels)), None)


def _last(past: Past) -> None:
    """Stand at the end of the past, where everybody who was ever heard of is known."""
    past.source.advance(past.moments[-1] if past.moments else past.end)


async def _line(
    past: Past, rule: Rule, labels: Labels | None, episodes: Iterable[EpisodeRow], slices: Slices
) -> Breach | None:
    moments = [at for at in past.moments if at >= past.start]
    if labels is None or not moments:
        return None
    labels = _known(past, rule, labels)
    name, read = _number(rule)
    metric = METRICS.get(name)
    lower = (
        rule.operator.startswith("<")
        if rule.kind in ("threshold", "event")
        else bool(metric is not None and metric.better == "higher")
    )
    size = -(-len(moments) // POINTS)
    at, values = [], []
    for begin in range(0, len(moments), size):
        stretch = moments[begin : begin + size]
        seen = []
        for number, moment in enumerate(stretch):
            past.source.advance(moment)
            value = read(Look(past.source, rule.subject, labels, moment))
            if value is not None and isfinite(value):
                seen.append(value)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await slices.breath()
        at.append(stretch[-1])
        values.append((min if lower else max)(seen) if seen else None)
        await slices.breath()
    mine = [each for each in episodes if all(each.labels.get(key) == value for key, value in labels.items())]
    spans = tuple((each.started_at, each.resolved_at, each.peak, each.episode) for each in mine)
    return Breach(
        rule.name, dict(labels), name, rule.operator, tuple(at), tuple(values), _thresholds(rule, name), spans
    )


def _known(past: Past, rule: Rule, labels: Labels) -> Labels:
    """The labels as the past has them: it may know the hub besides."""
    _last(past)
    for each in past.source.subjects(rule.subject):
        if all(labels.get(key) == value for key, value in each.items() if key == rule.subject):
            return each
    return labels


def _number(rule: Rule) -> tuple[str, Number]:
    """What is drawn of a rule, and how it is read."""
    if rule.kind == "burn_rate":
        return measured(rule), lambda look: _burn(rule, look)
    if rule.kind == "no_traffic":
        return "requests_per_minute", _read(METRICS["requests_per_minute"], 60.0)
    if rule.kind == "expression":
        condition = Compiled(rule).condition
        reads = condition.reads if condition is not None else ()
        sampled = next(((metric, window) for metric, window in reads if metric.sampled), None)
        about, window = sampled or next(iter(reads), (METRICS[_CONTEXT], None))
        return about.name, _read(about, window or rule.window)
    metric = METRICS.get(rule.metric)
    if rule.kind == "event" and (metric is None or not metric.sampled):
        return _CONTEXT, _read(METRICS[_CONTEXT], max(60.0, rule.window))
    if metric is None:
        return _CONTEXT, _read(METRICS[_CONTEXT], rule.window)
    return metric.name, _read(metric, rule.window)


def _read(metric: Metric, window: float) -> Number:
    def gauge(look: Look) -> float | None:
        return look.gauge(metric.name)

    def sampled(look: Look) -> float | None:
        sample = look.sample(window)
        return metric.read(sample) if sample is not None and sample.total and metric.read is not None else None

    return sampled if metric.sampled else gauge


def _burn(rule: Rule, look: Look) -> float | None:
    """The burn of the long window that belongs to the mildest level."""
    wanted = min((level.threshold for level in rule.levels), default=PAIRS[-1].burn)
    pair = next((each for each in PAIRS if each.burn <= wanted), PAIRS[-1])
    sample = look.sample(pair.long)
    return burn(sample, rule.objective) if sample is not None and sample.total else None


def _thresholds(rule: Rule, drawn: str) -> tuple[tuple[str, float], ...]:
    if rule.kind not in ("threshold", "burn_rate") or drawn != measured(rule):
        return ()
    return tuple((level.severity.value, level.threshold) for level in rule.levels)


def _episode(row: EpisodeRow) -> dict[str, Any]:
    return {
        "labels": dict(row.labels), "severity": row.peak, "started_at": row.started_at, "resolved_at": row.resolved_at,
        "value": row.value,
    }  # fmt: skip  # one line
