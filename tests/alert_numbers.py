"""A source of numbers for tests of rules: calls that were made, counted by going through them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from understudy.alerts.model import Labels, Subject
from understudy.alerts.ports import Sample


@dataclass
class Numbers:
    """Calls of one subject: when, whether it succeeded (None: neutral), how many seconds."""

    calls: list[tuple[float, bool | None, float]] = field(default_factory=list)
    gauges: dict[str, float] = field(default_factory=dict)
    since: float = float("-inf")
    now: float = 0.0
    asked: list[str] = field(default_factory=list)

    def call(self, at: float, good: bool | None = True, seconds: float = 0.1, times: int = 1) -> None:
        """That many calls at that moment."""
        self.calls += [(at, good, seconds)] * times

    def every(self, step: float, good: Sequence[bool | None], start: float = 0.0, seconds: float = 0.1) -> None:
        """One call each so many seconds."""
        for index, each in enumerate(good):
            self.call(start + index * step, each, seconds)

    # -- MetricSource ---------------------------------------------------------------------------------

    def subjects(self, subject: Subject) -> Iterable[Labels]:
        return [{}] if subject == "all" else [{subject: "odds"}]

    def sample(self, subject: Subject, labels: Labels, window: float) -> Sample | None:
        self.asked.append(f"sample {window:g}")
        if labels.get("api") == "unknown":
            return None
        return self._sample([c for c in self.calls if self.now - window < c[0] <= self.now], window)

    def last_calls(self, subject: Subject, labels: Labels, count: int) -> Sample | None:
        self.asked.append(f"last {count}")
        hour = sorted(c for c in self.calls if self.now - 3600 < c[0] <= self.now)
        return self._sample(hour[-count:], 3600.0)

    def gauge(self, metric: str, subject: Subject, labels: Labels) -> float | None:
        self.asked.append(f"gauge {metric}")
        return self.gauges.get(metric)

    def moved(self, subject: Subject, labels: Labels) -> int:
        return hash((len([c for c in self.calls if c[0] <= self.now]), tuple(self.gauges.items())))

    def _sample(self, calls: Sequence[tuple[float, bool | None, float]], window: float) -> Sample:
        good = sorted(seconds for _, ok, seconds in calls if ok)
        failed = sum(ok is False for _, ok, _ in calls)

        def quantile(share: float) -> float | None:
            self.asked.append(f"quantile {share:g}")
            return good[min(len(good) - 1, int(share * len(good)))] if good else None

        return Sample(
            self.now, window, min(window, self.now - self.since), len(calls), len(good), failed,
            len(calls) - len(good) - failed, sum(good), good[0] if good else None, good[-1] if good else None, quantile,
        )  # fmt: skip
