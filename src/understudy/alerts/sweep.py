"""All rules of a subject at once, answering only what changed: 1,000 APIs with 50 rules each, every second.

- The rules about one metric over one window form a group with the sorted values at which any verdict of theirs
  may change. While the metric stays between two of them, none of them is evaluated again.
- A subject's sample of a window is asked for once, whatever the number of groups that read it.
- A quantile is not computed where the fastest and the slowest call show already where it lies.
- A subject in whose windows there was no call, and of which nothing moved since (`MetricSource.moved`), is not
  sampled again: time alone changes nothing there but gauges and the rules that wait for traffic.

Whoever drives it keeps one `Memory` for each subject, and calls `sweep` each second for every subject. Alerts that
are not inactive are judged one by one besides (`Evaluator.judge`): only they need a fresh value and the passing of
time. A verdict that is an error is answered each time, so that errors in a row can be counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any, Final

from .evaluate import Compiled, Evaluator, Look
from .evidence import judged, unsound
from .ladder import impossible
from .metrics import Metric
from .model import Finding, Labels, Rule, Subject, Verdict
from .ports import MetricSource, Sample

#: Keys of a group's state that are no place between two values.
_IDLE: Final = -1
_NOTHING: Final = -2


class Group:
    """The rules about one metric over one window, for one list of rules."""

    __slots__ = ("bounds", "metric", "plenty", "rules", "window")

    def __init__(self, metric: Metric, window: float, rules: tuple[Compiled, ...]) -> None:
        self.metric, self.window, self.rules = metric, window, rules
        #: From so many calls on, no rule of the group judges with care.
        self.plenty = max(each.rule.min_samples for each in rules)
        found = {bound for each in rules if each.ladder is not None for bound in each.ladder.bounds()}
        self.bounds = sorted(found)

    def key(self, look: Look) -> Any:
        """What the verdicts of the group depend on: as long as it stays equal, none of them changes."""
        metric = self.metric
        if metric.read is None:
            value = look.gauge(metric.name)
            return _NOTHING if value is None else self._place(value)
        sample = look.sample(self.window)
        if sample is None:
            return _NOTHING
        if metric.kind in ("rate", "count"):
            value = metric.read(sample)
            return _NOTHING if value is None else (self._place(value), sample.covered < sample.window)
        known = judged(metric, sample)
        if known == 0 and not unsound(sample):
            return _IDLE
        if known < self.plenty:
            return self._few(look, sample)
        if metric.quantile is not None and (place := self._apart(sample)) is not None:
            return place
        value = metric.read(sample)
        return _NOTHING if value is None else self._place(value)

    def _place(self, value: float) -> Any:
        """Between which two values, or at which, it lies: 2n in between, 2n + 1 at one."""
        if impossible(self.metric, value):
            return None
        return bisect_left(self.bounds, value) + bisect_right(self.bounds, value)

    def _apart(self, sample: Sample) -> int | None:
        """The place of a quantile, where all calls lie in the same one."""
        if sample.fastest is None or sample.slowest is None:
            return None
        low, high = bisect_left(self.bounds, sample.fastest), bisect_right(self.bounds, sample.slowest)
        return low + high if low == high and 0 <= sample.fastest <= sample.slowest else None

    def _few(self, look: Look, sample: Sample) -> Any:
        """Few calls: their own numbers, and those of the last calls that each rule reaches back to."""
        reached = tuple(_numbers(look.last_calls(count)) for count in {each.rule.min_samples for each in self.rules})
        return _numbers(sample), reached


def _numbers(sample: Sample | None) -> Any:
    if sample is None:
        return None
    return sample.successes, sample.failures, sample.seconds, sample.fastest, sample.slowest


class Plan:
    """The rules that are about one subject: those in groups, and those that are evaluated each time."""

    __slots__ = ("gauges", "others", "windows")

    def __init__(self, rules: Iterable[Compiled]) -> None:
        grouped: dict[tuple[Metric, float], list[Compiled]] = {}
        self.others: list[Compiled] = []
        for each in rules:
            if each.rule.kind == "threshold" and each.metric is not None and each.ladder is not None:
                window = each.rule.window if each.metric.sampled else 0.0
                grouped.setdefault((each.metric, window), []).append(each)
            else:
                self.others.append(each)
        groups = [Group(metric, window, tuple(found)) for (metric, window), found in grouped.items()]
        self.windows = [group for group in groups if group.metric.sampled]
        self.gauges = [group for group in groups if not group.metric.sampled]


class Memory:
    """What a subject was like when it was swept last. Starts empty: then everything is told."""

    __slots__ = ("_idle", "_keys", "_moved", "_plan", "_told")

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._keys: dict[Group, Any] = {}
        self._told: dict[str, tuple[Finding, int, int]] = {}
        self._moved = -1
        self._idle = False

    def sweep(self, plan: Plan, look: Look) -> list[tuple[Rule, Verdict]]:
        """Every rule whose finding or level differs from the last time, with its verdict."""
        if plan is not self._plan:
            self._plan, self._idle = plan, False
            self._keys.clear()
            self._told.clear()
        changed: list[tuple[Rule, Verdict]] = []
        moved = look.source.moved(look.subject, look.labels)
        if not (self._idle and moved == self._moved):
            for group in plan.windows:
                self._group(group, look, changed)
            self._idle, self._moved = look.idle(), moved
        for group in plan.gauges:
            self._group(group, look, changed)
        for each in plan.others:
            self._tell(each, look, changed)
        return changed

    def _group(self, group: Group, look: Look, changed: list[tuple[Rule, Verdict]]) -> None:
        try:
            key = group.key(look)
        except Exception:  # noqa: BLE001 - the source failed: each rule's own verdict says how
            key = None
        # Without a key there is an error, which is told again and again.
        if key is not None and self._keys.get(group) == key:
            return
        self._keys[group] = key
        for each in group.rules:
            self._tell(each, look, changed)

    def _tell(self, each: Compiled, look: Look, changed: list[tuple[Rule, Verdict]]) -> None:
        verdict = each.judge(look)
        now = (verdict.finding, verdict.level, verdict.held)
        if verdict.finding is Finding.ERROR or self._told.get(each.rule.name) != now:
            changed.append((each.rule, verdict))
            self._told[each.rule.name] = now


class Sweeper:
    """Finds the plan of each subject; those that the same rules are about share one."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._rules: dict[Subject, list[Compiled]] = {}
        for each in evaluator.compiled.values():
            self._rules.setdefault(each.rule.subject, []).append(each)
        self._plans: dict[tuple[str, ...], Plan] = {}

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The kinds of subject that any rule is about."""
        return tuple(self._rules)

    def plan(self, subject: Subject, labels: Labels) -> Plan:
        """What to evaluate for a subject; keep it as long as the rules stay the same."""
        rules = [each for each in self._rules.get(subject, ()) if each.applies(labels)]
        names = (subject, *(each.rule.name for each in rules))
        found = self._plans.get(names)
        if found is None:
            found = self._plans[names] = Plan(rules)
        return found

    def sweep(
        self, source: MetricSource, subject: Subject, labels: Labels, at: float, plan: Plan, memory: Memory
    ) -> list[tuple[Rule, Verdict]]:
        """The verdicts about a subject that differ from the last time; all of them the first time."""
        return memory.sweep(plan, Look(source, subject, labels, at))
