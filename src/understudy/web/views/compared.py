"""Two to six APIs side by side: which is better in what; `GET /api/compare`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.monitor.history import MOST_COMPARED
from understudy.resilience.describe import state_of

from .anatomy import Anatomy
from .apis import registered

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Fewest and most that can be compared.
LEAST, MOST = 2, MOST_COMPARED
#: A value wins only if it is better than the next by this share: less is no difference for anybody.
_CLEAR: Final = 0.02
#: Below this many requests a value is shown, but neither wins nor loses.
ENOUGH: Final = 30


@dataclass(frozen=True, slots=True)
class Column:
    """One API over the span; `cost_per_thousand` is that of 1,000 good answers, None where nothing is paid."""

    name: str
    state: str
    hub: str
    requests: int
    success_rate: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    cost_per_thousand: float | None
    price: float
    quota_left: float | None
    last_success_at: float | None

    def as_dict(self) -> dict[str, Any]:
        """The column as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of all columns: the place of the winner, None when nobody wins clearly, and its lead as a share."""

    measure: str
    values: tuple[float | None, ...]
    winner: int | None
    lead: float

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class ComparedView:
    """The APIs over one span, and each measure with its winner. `best` is what the monitor's own test says.

    That test looks at the last hour and leaves out what chance can explain; it is empty where nothing speaks
    for one of them.
    """

    start: float
    end: float
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    best: str
    anatomies: tuple[Anatomy | None, ...]

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        return {
            "start": self.start,
            "end": self.end,
            "apis": [each.as_dict() for each in self.columns],
            "rows": [each.as_dict() for each in self.rows],
            "best": self.best,
            "history": [None if each is None else each.as_dict() for each in self.anatomies],
        }

    @classmethod
    async def of(cls, app: Understudy, names: Sequence[str], start: float, end: float) -> ComparedView:
        """The comparison. Raises UnknownName, and ValueError for less than two or more than six different names."""
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            registered(app, name)
        if not LEAST <= len(chosen) <= MOST:
            raise ValueError(f"compare {LEAST} to {MOST} different APIs; {len(chosen)} are named")
        anatomies = [await Anatomy.of(app, name, start, end) for name in chosen]
        columns = tuple(_column(app, name, past) for name, past in zip(chosen, anatomies, strict=True))
        best = app.monitor.compare(chosen, "1h").best
        return cls(start, end, columns, tuple(_rows(columns)), best, tuple(anatomies))


def _column(app: Understudy, name: str, past: Anatomy | None) -> Column:
    api = registered(app, name)
    now = app.clock.monotonic()
    known = [each for each in api.keys.quotas() if each["remaining"] is not None and each["limit"]]
    left = min((100.0 * each["remaining"] / each["limit"] for each in known), default=None)
    p50, p95, p99 = past.whole if past is not None else (None, None, None)
    good = past.total - past.failed - past.neutral if past is not None else 0
    at = api.score.last_success_at
    return Column(
        name=name, state=state_of(api, now), hub=api.hub.name, requests=0 if past is None else past.total,
        success_rate=None if past is None else past.rate, p50=p50, p95=p95, p99=p99,
        cost_per_thousand=1000.0 * past.cost / good if past is not None and good else None, price=api.options.price,
        quota_left=left, last_success_at=None if at is None else app.clock.time() - (now - at),
    )  # fmt: skip


def _rows(columns: Sequence[Column]) -> list[Row]:
    enough = [each.requests >= ENOUGH for each in columns]
    measures: Mapping[str, tuple[Callable[[Column], float | None], bool, bool]] = {
        "success_rate": (lambda each: each.success_rate, True, True),
        "p50": (lambda each: each.p50, False, True),
        "p95": (lambda each: each.p95, False, True),
        "p99": (lambda each: each.p99, False, True),
        "cost_per_thousand": (lambda each: each.cost_per_thousand, False, True),
        "quota_left": (lambda each: each.quota_left, True, False),
    }
    found = []
    for measure, (read, high, counted) in measures.items():
        values = tuple(read(each) for each in columns)
        fit = [value if ok or not counted else None for value, ok in zip(values, enough, strict=True)]
        found.append(Row(measure, values, *winner(measure, fit, high=high)))
    return found


def winner(measure: str, values: Sequence[float | None], *, high: bool) -> tuple[int | None, float]:
    """The place of the best value and how far it is ahead of the next, as a share; None when that is too little.

    Of success rates the failures are compared: 99.9 % beats 99 % by nine tenths.
    """
    told = [(100.0 - value if measure == "success_rate" else value, place)
            for place, value in enumerate(values) if value is not None]  # fmt: skip
    if len(told) < LEAST:
        return None, 0.0
    told.sort(reverse=high and measure != "success_rate")
    (first, place), (second, _) = told[0], told[1]
    lead = abs(second - first) / max(abs(first), abs(second)) if first != second else 0.0
    return (place, lead) if lead >= _CLEAR else (None, lead)
