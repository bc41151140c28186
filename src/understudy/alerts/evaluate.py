"""Rules against numbers: each rule is compiled once, and its verdict is what the state machine feeds on.

`Evaluator.judge` evaluates one rule for one subject. A look at a subject asks for each number once, however
many rules want it. An evaluation never raises: what goes wrong in it is an error verdict. For evaluating many
rules of many subjects each second, see `sweep`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import inf
from typing import Final

from understudy.core.errors import UnderstudyError
from understudy.core.matchers import Matcher, matches, parse_list
from understudy.core.redaction import REDACTOR

from . import evidence, slo
from .expression import Expression, parse
from .ladder import COMPARE, Ladder, impossible
from .metrics import DERIVED, EVENTS, METRICS, Metric
from .model import Finding, Labels, Level, Operator, Rule, Subject, Verdict
from .ports import MetricSource, Sample, Signal

_UNKNOWN: Final = Verdict(Finding.NO_DATA, reason="unknown")
#: How far back `no_traffic` looks for the traffic that is missing now, at least, s.
BEFORE: Final = 3600.0


class Look:
    """One subject at one moment: each number is asked for once."""

    __slots__ = ("_gauges", "_last", "_samples", "at", "labels", "source", "subject")

    def __init__(self, source: MetricSource, subject: Subject, labels: Labels, at: float) -> None:
        self.source, self.subject, self.labels, self.at = source, subject, labels, at
        self._samples: dict[float, Sample | None] = {}
        self._last: dict[int, Sample | None] = {}
        self._gauges: dict[str, float | None] = {}

    def sample(self, window: float) -> Sample | None:
        """The window that ends now."""
        try:
            return self._samples[window]
        except KeyError:
            found = self._samples[window] = self.source.sample(self.subject, self.labels, window)
            return found

    def last_calls(self, count: int) -> Sample | None:
        """The last calls, an hour back at most."""
        if count not in self._last:
            self._last[count] = self.source.last_calls(self.subject, self.labels, count)
        return self._last[count]

    def gauge(self, name: str) -> float | None:
        """A number of the present."""
        if name not in self._gauges:
            self._gauges[name] = self.source.gauge(name, self.subject, self.labels)
        return self._gauges[name]

    def idle_until(self) -> float:
        """Until when time alone changes nothing in the windows that were asked for, epoch s: no call is in them.

        A window that was not seen as a whole yet will have been then. In the past where a window holds a call.
        """
        until = inf
        for sample in self._samples.values():
            if sample is not None and sample.total:
                return -inf
            if sample is not None and sample.covered < sample.window:
                until = min(until, self.at + sample.window - sample.covered)
        return until


Judge = Callable[[Look, Signal | None], Verdict]


class Compiled:
    """A rule made ready. What is wrong with it is an error verdict each time, never an exception."""

    __slots__ = ("_judge", "condition", "gauge", "ladder", "matchers", "metric", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.metric: Metric | None = METRICS.get(rule.metric)
        #: What is not 0 while the event of an event rule lasts.
        self.gauge = METRICS.get(EVENTS.get(rule.event, ("", ""))[1]) if rule.kind == "event" else None
        self.ladder: Ladder | None = None
        self.condition: Expression | None = None
        self.matchers: tuple[Matcher, ...] = ()
        try:
            self.matchers = parse_list(rule.match)
            self._judge = self._compile()
        except UnderstudyError as error:
            broken = Verdict(Finding.ERROR, reason=str(error))
            self._judge = lambda look, signal: broken

    def applies(self, labels: Labels) -> bool:
        """Whether the rule is about this subject."""
        return matches(self.matchers, labels)

    def judge(self, look: Look, signal: Signal | None = None) -> Verdict:
        """The verdict now."""
        try:
            return self._judge(look, signal)
        except Exception as error:  # noqa: BLE001 - numbers come from elsewhere; an evaluation that fails changes nothing
            said = REDACTOR.redact(f"{type(error).__name__}: {error}", foreign=True)
            return Verdict(Finding.ERROR, reason=said[:300])

    def _compile(self) -> Judge:
        rule = self.rule
        if rule.kind == "expression":
            self.condition = parse(rule.when)
            return _expression(rule, self.condition)
        if rule.kind == "burn_rate":
            return lambda look, signal: slo.judge(rule, look.sample)
        if rule.kind == "no_traffic":
            return lambda look, signal: _no_traffic(rule, look)
        if self.metric is not None and rule.levels:
            self.ladder = Ladder(self.metric, rule.operator, rule.levels, rule.hysteresis)
        if rule.kind == "event":
            return self._event
        return self._threshold

    def _threshold(self, look: Look, signal: Signal | None) -> Verdict:
        metric, ladder, rule = self.metric, self.ladder, self.rule
        if metric is None or ladder is None:
            return Verdict(Finding.ERROR, reason=f"no metric named {rule.metric!r}, or no levels")
        if not metric.sampled:
            value = look.gauge(metric.name)
            if value is None:
                return _UNKNOWN
            wrong = impossible(metric, value)
            return Verdict(Finding.ERROR, reason=wrong) if wrong else ladder.verdict(value)
        sample = look.sample(rule.window)
        if sample is None:
            return _UNKNOWN
        return evidence.judge(metric, ladder, sample, rule.min_samples, look.last_calls)

    def _event(self, look: Look, signal: Signal | None) -> Verdict:
        """The first level holds while the event lasts, a further one if its metric also compares so."""
        active = signal.active if signal is not None else None
        if active is None:
            lasts = look.gauge(self.gauge.name) if self.gauge is not None else None
            if self.gauge is None or lasts is None:
                return _UNKNOWN
            if wrong := impossible(self.gauge, lasts):
                return Verdict(Finding.ERROR, reason=wrong)
            active = lasts > 0
        if not active:
            return Verdict(Finding.OK)
        worst = max(0, len(self.rule.levels) - 1)
        if not worst or self.metric is None or self.ladder is None:
            return Verdict(Finding.BREACH, 0, 0)
        value = look.gauge(self.metric.name)
        # What is not known to be covered is not covered.
        level = worst if value is None else max(0, self.ladder.breached(value))
        return Verdict(Finding.BREACH, level, level, value)


def _no_traffic(rule: Rule, look: Look) -> Verdict:
    """No call in the whole window, though there were `min_samples` of them before."""
    now = look.sample(rule.window)
    if now is None:
        return _UNKNOWN
    if now.total:
        return Verdict(Finding.OK, value=float(now.total), samples=now.total)
    before = look.sample(max(BEFORE, 2 * rule.window))
    if now.covered < now.window or before is None or before.total < rule.min_samples:
        return Verdict(Finding.NO_DATA, reason="insufficient")
    return Verdict(Finding.BREACH, 0, 0, 0.0, before.total, f"{before.total} calls in {before.window:g} s before")


def _expression(rule: Rule, condition: Expression) -> Judge:
    def judge(look: Look, signal: Signal | None) -> Verdict:
        values = _Values(rule, look)
        found = condition.evaluate(values)
        reason = ", ".join(f"{name} {'unknown' if v is None else f'{v:.6g}'}" for name, v in values.read.items())
        if values.wrong:
            return Verdict(Finding.ERROR, reason=values.wrong)
        if found is None:
            return Verdict(Finding.NO_DATA, reason=reason)
        shown = next(iter(values.read.values()), None)
        return Verdict(Finding.BREACH, 0, 0, shown, reason=reason) if found else Verdict(Finding.OK, reason=reason)

    return judge


@lru_cache(maxsize=4096)
def _one_level(metric: Metric, operator: Operator, threshold: float) -> Ladder:
    """A comparison inside a condition has no hysteresis: it is true or it is not."""
    return Ladder(metric, operator, (Level(threshold=threshold),), 0.0)


class _Values:
    """The `Scope` of an expression: the subject's numbers, and what was read of them for the reason."""

    __slots__ = ("_look", "_rule", "read", "wrong")

    def __init__(self, rule: Rule, look: Look) -> None:
        self._rule, self._look = rule, look
        self.read: dict[str, float | None] = {}
        self.wrong = ""

    def value(self, metric: Metric, window: float | None) -> float | None:
        if metric.read is None:
            found = self._look.gauge(metric.name)
        else:
            sample = self._look.sample(window or self._rule.window)
            enough = sample is not None and (
                metric.kind in ("rate", "count") or evidence.judged(metric, sample) >= evidence.FEWEST
            )
            found = metric.read(sample) if sample is not None and enough else None
        return self._noted(metric, window, found)

    def holds(self, metric: Metric, window: float | None, operator: Operator, threshold: float) -> bool | None:
        if metric.read is None:
            value = self.value(metric, window)
            return None if value is None else COMPARE[operator](value, threshold)
        sample = self._look.sample(window or self._rule.window)
        if sample is None:
            return None
        ladder = _one_level(metric, operator, threshold)
        verdict = evidence.judge(metric, ladder, sample, self._rule.min_samples, self._look.last_calls)
        self._noted(metric, window, verdict.value)
        if verdict.finding is Finding.ERROR:
            self.wrong = self.wrong or verdict.reason
        if verdict.finding in (Finding.ERROR, Finding.NO_DATA):
            return None
        return verdict.finding is Finding.BREACH

    def _noted(self, metric: Metric, window: float | None, value: float | None) -> float | None:
        self.read[metric.name if window is None else f"{metric.name}[{window:g}s]"] = value
        if value is not None and (wrong := impossible(metric, value)):
            self.wrong = self.wrong or wrong
            return None
        return value


class Evaluator:
    """The rules that are in force, compiled. Made anew when a rule changes.

    Those about events that the engine itself makes of alerts are not among them.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        found = (rule for rule in rules if rule.enabled and not (rule.kind == "event" and rule.event in DERIVED))
        self.compiled = {rule.name: Compiled(rule) for rule in found}

    def judge(
        self, rule: Rule | str, source: MetricSource, labels: Labels, at: float, signal: Signal | None = None
    ) -> Verdict:
        """The verdict of one rule about the subject with these labels, at `at` (epoch seconds).

        `signal` is the newest one of an event rule about this subject; without one its gauge is asked.
        A rule that is not in force, or not about this subject, is no data.
        """
        found = self.compiled.get(rule if isinstance(rule, str) else rule.name)
        if found is None or not found.applies(labels):
            return Verdict(Finding.NO_DATA, reason="not in force")
        return found.judge(Look(source, found.rule.subject, labels, at), signal)
