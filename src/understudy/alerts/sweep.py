"""All rules of a subject at once, answering only what changed: 1,000 APIs with 50 rules each, every second.

- The rules about one metric over one window form a group with the sorted values at which any verdict of theirs
  may change. While the metric stays between two of them, none of them is evaluated again. A condition that only
  compares metrics with numbers belongs to the group of each.
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
from collections.abc import Iterable, Iterator
from math import inf, nextafter
from typing import Any, Final

from .evaluate import Compiled, Evaluator, Look
from .evidence import unsound
from .ladder import impossible
from .metrics import Metric
from .model import Finding, Labels, Rule, Subject, Verdict
from .ports import MetricSource, Sample

#: Keys of a group's state that are no place between two values.
_IDLE: Final = -1
_NOTHING: Final = -2


class Group:
    """The rules that depend on one metric over one window, for one list of rules."""

    __slots__ = ("_at", "_counts", "_highest", "_ratio", "_reaches", "bounds", "metric", "plenty", "rules", "window")

    def __init__(self, metric: Metric, window: float) -> None:
        self.metric, self.window = metric, window
        self.rules: dict[str, Compiled] = {}
        #: The values at which a verdict may change, in order, and the rules whose verdicts may at each.
        self.bounds: list[float] = []
        self._at: dict[float, dict[str, Compiled]] = {}
        #: From so many calls on, no rule of the group judges with care.
        self.plenty = 0
        self._reaches: set[int] = set()
        self._counts, self._ratio = metric.kind in ("rate", "count"), metric.kind == "ratio"
        self._highest = metric.highest if metric.highest < inf or not impossible(metric, inf) else nextafter(inf, 0.0)

    def add(self, each: Compiled, bounds: Iterable[float]) -> None:
        """A rule of the group, with the values at which its verdict may change."""
        self.rules[each.rule.name] = each
        for bound in bounds:
            self._at.setdefault(bound, {})[each.rule.name] = each
        self.bounds = sorted(self._at)
        self.plenty = max(self.plenty, each.rule.min_samples)
        self._reaches.add(each.rule.min_samples)

    def between(self, old: Any, new: Any) -> dict[str, Compiled]:
        """The rules whose verdicts may differ from one key to another: those with a bound on the way."""
        if not (isinstance(old, int) and isinstance(new, int) and old >= 0 and new >= 0):
            return self.rules
        found: dict[str, Compiled] = {}
        for bound in self.bounds[min(old, new) // 2 : (max(old, new) + 1) // 2]:
            found |= self._at[bound]
        return found

    def key(self, look: Look, sample: Sample | None) -> Any:
        """What the verdicts of the group depend on: as long as it stays equal, none of them changes.

        `sample` is that of the group's window; a group of the present has none.
        """
        metric = self.metric
        if metric.read is None:
            value = look.gauge(metric.name)
            return _NOTHING if value is None else self._place(value)
        if sample is None:
            return _NOTHING
        if self._counts:
            value = metric.read(sample)
            if value is None:
                return _NOTHING
            # As long as the window has not been seen as a whole, too little is not known to be too little.
            return self._place(value) if sample.covered >= sample.window else (self._place(value), "young")
        known = sample.successes + sample.failures if self._ratio else sample.successes
        if known < self.plenty:
            return _IDLE if known == 0 and not unsound(sample) else self._few(look, sample)
        if metric.quantile is not None and (place := self._apart(sample)) is not None:
            return place
        value = metric.read(sample)
        return _NOTHING if value is None else self._place(value)

    def _place(self, value: float) -> Any:
        """Between which two values, or at which, it lies: 2n in between, 2n + 1 at one."""
        # As `impossible` says it, in one comparison: this is done for every API and metric in every second.
        if not self.metric.lowest <= value <= self._highest:
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
        reached = tuple(_numbers(look.last_calls(count)) for count in self._reaches)
        return _numbers(sample), reached


def _numbers(sample: Sample | None) -> Any:
    if sample is None:
        return None
    return sample.successes, sample.failures, sample.seconds, sample.fastest, sample.slowest


class Plan:
    """The rules that are about one subject: those in groups, and those that are evaluated each time."""

    __slots__ = ("gauges", "others", "windows")

    def __init__(self, rules: Iterable[Compiled]) -> None:
        self.others: dict[str, Compiled] = {}
        groups: dict[tuple[Metric, float], Group] = {}
        for each in rules:
            parts = list(_parts(each))
            for metric, window, bounds in parts:
                where = (metric, window if metric.sampled else 0.0)
                groups.setdefault(where, Group(*where)).add(each, bounds)
            if not parts:
                self.others[each.rule.name] = each
        sampled = [group for group in groups.values() if group.metric.sampled]
        self.windows = {group.window: [each for each in sampled if each.window == group.window] for group in sampled}
        self.gauges = [group for group in groups.values() if not group.metric.sampled]


def _parts(each: Compiled) -> Iterator[tuple[Metric, float, tuple[float, ...]]]:
    """What a rule depends on: metric, window and the values that matter; nothing where that is not all."""
    if each.rule.kind == "threshold" and each.metric is not None and each.ladder is not None:
        yield each.metric, each.rule.window, each.ladder.bounds()
    elif each.condition is not None:
        for metric, window, _, value in each.condition.thresholds or ():
            yield metric, window or each.rule.window, (value,)
    elif each.gauge is not None:
        yield each.gauge, 0.0, (0.0,)
        if each.metric is not None and each.ladder is not None and not each.metric.sampled:
            yield each.metric, 0.0, each.ladder.bounds()


class Memory:
    """What a subject was like when it was swept last. Starts empty: then everything is told."""

    __slots__ = ("_idle_until", "_keys", "_moved", "_plan", "_told", "_wrong")

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._keys: dict[Group, Any] = {}
        self._told: dict[str, tuple[Finding, int, int]] = {}
        self._moved: int | None = None
        self._idle_until = -inf
        #: Rules whose last verdict was an error: it is told each time.
        self._wrong: dict[str, Compiled] = {}

    def sweep(self, plan: Plan, look: Look) -> list[tuple[Rule, Verdict]]:
        """Every rule whose finding or level differs from the last time, with its verdict."""
        if plan is not self._plan:
            self._plan, self._idle_until = plan, -inf
            self._keys.clear()
            self._told.clear()
            self._wrong.clear()
        changed: list[tuple[Rule, Verdict]] = []
        due, self._wrong = self._wrong, {}
        moved = self._movement(look)
        if moved is None or look.at >= self._idle_until or moved != self._moved:
            for window, groups in plan.windows.items():
                self._due(groups, look, self._sample(look, window), due)
            self._idle_until, self._moved = look.idle_until(), moved
        self._due(plan.gauges, look, None, due)
        for each in {**due, **plan.others}.values():
            self._tell(each, look, changed)
        return changed

    @staticmethod
    def _movement(look: Look) -> int | None:
        try:
            return look.source.moved(look.subject, look.labels)
        except Exception:  # noqa: BLE001 - what it cannot say may have moved; what fails is told by the verdicts
            return None

    @staticmethod
    def _sample(look: Look, window: float) -> Sample | None:
        try:
            return look.sample(window)
        except Exception:  # noqa: BLE001 - the source failed: without a sample, each rule's own verdict says how
            return None

    def _due(self, groups: Iterable[Group], look: Look, sample: Sample | None, due: dict[str, Compiled]) -> None:
        """Add the rules of the groups that must be evaluated again."""
        keys = self._keys
        for group in groups:
            try:
                key = group.key(look, sample)
            except Exception:  # noqa: BLE001 - likewise
                key = None
            old = keys.get(group)
            if key is None or key != old:
                keys[group] = key
                due.update(group.between(old, key))

    def _tell(self, each: Compiled, look: Look, changed: list[tuple[Rule, Verdict]]) -> None:
        verdict = each.judge(look)
        now = (verdict.finding, verdict.level, verdict.held)
        if verdict.finding is Finding.ERROR or self._told.get(each.rule.name) != now:
            changed.append((each.rule, verdict))
            self._told[each.rule.name] = now
        if verdict.finding is Finding.ERROR:
            self._wrong[each.rule.name] = each


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
