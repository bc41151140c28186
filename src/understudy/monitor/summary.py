"""What the monitor says about an API: frozen values, no behaviour but reading themselves.

Rates are percentages (0 to 100) and None without samples; durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from understudy.core.types import Attribution, OutcomeClass


@dataclass(frozen=True, slots=True)
class LastError:
    """The last failure that came with a text or a status; `message` is one clipped, masked line."""

    at: float
    outcome: str
    attribution: str
    message: str
    status: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One API over one window.

    `covered` is the stretch in seconds that `requests_per_minute` divides by: the slices of the window up
    to now, or the age of the API when that is less, but at least a minute. `total` counts neutral outcomes
    too, the rates do not. The response times are those of successes; `failed_seconds` is the sum of the
    failures'.
    """

    api: str
    window: str
    at: float
    covered: float
    total: int
    successes: int
    failures: int
    neutral: int
    seconds: float
    failed_seconds: float
    success_rate: float | None
    error_rate: float | None
    response_time: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    requests_per_minute: float
    errors_by_class: Mapping[str, int] = field(default_factory=dict)
    errors_by_attribution: Mapping[str, int] = field(default_factory=dict)
    neutral_by_class: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The snapshot as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Point:
    """One slice of a window, for charts; `at` is the epoch second at which it began, `length` in seconds."""

    at: float
    length: int
    total: int
    successes: int
    failures: int
    neutral: int
    response_time: float | None
    p50: float | None
    p95: float | None

    def as_dict(self) -> dict[str, Any]:
        """The point as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Cumulative:
    """Everything one API saw since the process began; never falls, not even at `clear`.

    `outcomes` counts by (outcome, attribution); failures that were appended without a class are in
    `failures` only. `buckets` holds the durations of successes by `histogram.BOUNDS`, each counted
    once (not yet summed up), the last one for what is longer. `version` changes whenever anything did.
    """

    api: str
    version: int
    successes: int
    failures: int
    neutral: int
    seconds: float
    failed_seconds: float
    timed: int
    buckets: tuple[int, ...]
    outcomes: Mapping[tuple[OutcomeClass, Attribution], int]


def filled(summary: dict[str, Any], missing: float | None) -> dict[str, Any]:
    """A summary with `missing` in the place of every NaN."""
    return {
        name: filled(value, missing) if isinstance(value, dict) else missing if value != value else value  # noqa: PLR0124 - NaN test
        for name, value in summary.items()
    }
