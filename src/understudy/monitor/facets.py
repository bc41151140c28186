"""What the entries that answer a search have in common: how many of each API, route, outcome, status and error.

Only the newest of them are counted, so that a question about a year costs no more than one about an hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

#: Entries that are counted at most, values that are told of each facet, and slices of time.
COUNTED, MOST, SLICES = 10_000, 10, 48
#: Outcomes that nobody has to look after.
GOOD: Final = ("success", "fallback")
#: Widths of a slice that people can name, s.
_WIDTHS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


class Counted(NamedTuple):
    """What is counted of one entry; `apis` are those it was tried on."""

    ts_ms: int
    apis: Sequence[str]
    route: str
    outcome: str
    status: int | None
    fingerprint: str


class TimeSlice(NamedTuple):
    """A stretch of time: when it began (epoch seconds), and how many calls were served in it and how many not."""

    at: float
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class ErrorFacet:
    """One kind of error among what was found; `count` is how many of those entries."""

    fingerprint: str
    count: int
    api: str = ""
    error_class: str = ""
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The kind as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Facets:
    """How the entries of a search spread; pairs of a value and its count, most frequent first.

    `statuses` are classes, `5xx`; entries without a status are not among them. `complete` tells whether every entry
    that answers the search was counted. `width` is the length of a slice of `over_time`, s.
    """

    counted: int = 0
    complete: bool = True
    apis: tuple[tuple[str, int], ...] = ()
    routes: tuple[tuple[str, int], ...] = ()
    outcomes: tuple[tuple[str, int], ...] = ()
    statuses: tuple[tuple[str, int], ...] = ()
    errors: tuple[ErrorFacet, ...] = ()
    width: float = 0.0
    over_time: tuple[TimeSlice, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The facets as JSON-ready values."""
        pairs = {
            name: [list(pair) for pair in getattr(self, name)] for name in ("apis", "routes", "outcomes", "statuses")
        }
        return {
            "counted": self.counted,
            "complete": self.complete,
            **pairs,
            "errors": [each.as_dict() for each in self.errors],
            "width": self.width,
            "over_time": [each._asdict() for each in self.over_time],
        }


def counted(
    entries: Sequence[Counted],
    start: float | None,
    end: float | None,
    errors: Mapping[str, ErrorFacet] | None = None,
    most: int = COUNTED,
) -> Facets:
    """Count entries, newest first, of which one more than `most` may be given; the span is that of the search.

    `errors` has what is known of each kind of error; kinds that it lacks are told by their fingerprint alone.
    """
    apis: Counter[str] = Counter()
    routes: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    newest = entries[:most]
    for entry in newest:
        apis.update(entry.apis)
        routes[entry.route] += 1
        outcomes[entry.outcome] += 1
        if entry.status is not None:
            statuses[f"{entry.status // 100}xx"] += 1
        kinds[entry.fingerprint] += 1
    complete = len(entries) <= most
    times = [(entry.ts_ms, entry.outcome in GOOD) for entry in newest]
    width, slices = _over_time(times, start if complete else None, end)
    return Facets(
        len(times), complete, _common(apis), _common(routes), _common(outcomes), _common(statuses),
        tuple(_error(kind, count, errors or {}) for kind, count in _common(kinds)), width, slices,
    )  # fmt: skip


def _common(counter: Counter[str]) -> tuple[tuple[str, int], ...]:
    """The most frequent values; of equally frequent ones the first by name."""
    return tuple(
        sorted(((value, times) for value, times in counter.items() if value), key=lambda each: (-each[1], each[0]))
    )[:MOST]


def _error(kind: str, times: int, known: Mapping[str, ErrorFacet]) -> ErrorFacet:
    found = known.get(kind)
    if found is None:
        return ErrorFacet(kind, times)
    return ErrorFacet(kind, times, found.api, found.error_class, found.message)


def _over_time(
    times: Sequence[tuple[int, bool]], start: float | None, end: float | None
) -> tuple[float, tuple[TimeSlice, ...]]:
    """The entries by slices of time, empty ones included; over the span of the search where it has one."""
    if not times:
        return 0.0, ()
    first = times[-1][0] / 1000 if start is None else start
    last = times[0][0] / 1000 if end is None else min(end, max(times[0][0] / 1000, first))
    first, last = min(first, times[-1][0] / 1000), max(last, times[0][0] / 1000)
    wanted = (last - first) / SLICES
    width = next((each for each in _WIDTHS if each >= wanted), 86400 * (int(wanted // 86400) + 1))
    begin = int(first // width)
    good = [0] * (int(last // width) - begin + 1)
    bad = list(good)
    for ts_ms, served in times:
        (good if served else bad)[int(ts_ms / 1000 // width) - begin] += 1
    slices = zip(range(len(good)), good, bad, strict=True)
    return float(width), tuple(TimeSlice(float((begin + place) * width), g, b) for place, g, b in slices)
