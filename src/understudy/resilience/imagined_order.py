"""What if a route asked its APIs in another order: an estimate from what each of them did, minute by minute.

Pure: values in, values out. Each call of a minute goes down the order, and every API answers the share of calls that
it answered in that minute. So it knows nothing of why calls failed, of limits that more calls would have met, nor of
breakers; where an API was not asked in a minute, what it did over the whole span stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: What is assumed of an API that nobody has asked in the whole span: the share that it answers, and its seconds.
UNKNOWN_SUCCESS: Final = 0.95
UNKNOWN_LATENCY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Did:
    """What an API did in some time: its answered and its failed attempts, and the mean seconds of an answer."""

    ok: int
    err: int
    mean: float | None = None

    @property
    def share(self) -> float | None:
        """The share that it answered; None when nobody asked."""
        asked = self.ok + self.err
        return self.ok / asked if asked else None


@dataclass(frozen=True, slots=True)
class Minute:
    """The calls of a route in one point of time, and what each API did in it."""

    calls: int
    apis: Mapping[str, Did]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What would have come of it. `saved` are calls that a later API answered; `seconds` is the mean of a call.

    `served` is the number of calls that each API would have answered, `cost` what all attempts would have cost,
    `measured` the share of the calls whose API was measured in that very minute; `unknown` APIs were never asked.
    """

    order: tuple[str, ...]
    calls: int
    success_rate: float | None
    saved: float
    failed: float
    seconds: float | None
    cost: float
    served: Mapping[str, float]
    measured: float | None
    unknown: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values."""
        return {
            "order": list(self.order), "calls": self.calls, "success_rate": self.success_rate, "saved": self.saved,
            "failed": self.failed, "seconds": self.seconds, "cost": self.cost, "served": dict(self.served),
            "measured": self.measured, "unknown": list(self.unknown),
        }  # fmt: skip


@dataclass(slots=True)
class _Sums:
    """What the replay adds up."""

    left: float = 0.0
    failed: float = 0.0
    seconds: float = 0.0
    cost: float = 0.0
    asked: float = 0.0
    measured: float = 0.0
    served: dict[str, float] = field(default_factory=dict)


def replay(
    order: Sequence[str], minutes: Sequence[Minute], whole: Mapping[str, Did], prices: Mapping[str, float], most: int
) -> Estimate:
    """Send the calls of the minutes down an order, each to at most `most` APIs; `prices` are those of 1,000 calls."""
    sums = _Sums(served=dict.fromkeys(order, 0.0))
    for minute in minutes:
        sums.left = float(minute.calls)
        for name in order[:most]:
            _ask(name, minute, whole.get(name, Did(0, 0)), prices.get(name, 0.0), sums)
        sums.failed += sums.left
    calls = sum(minute.calls for minute in minutes)
    answered = calls - sums.failed
    return Estimate(
        order=tuple(order),
        calls=calls,
        success_rate=100.0 * answered / calls if calls else None,
        saved=answered - sums.served.get(order[0], 0.0) if order else 0.0,
        failed=sums.failed,
        seconds=sums.seconds / calls if calls else None,
        cost=sums.cost,
        served=sums.served,
        measured=sums.measured / sums.asked if sums.asked else None,
        unknown=tuple(name for name in order[:most] if whole.get(name, Did(0, 0)).share is None),
    )


def _ask(name: str, minute: Minute, whole: Did, price: float, sums: _Sums) -> None:
    """Let an API answer its share of the calls that are left."""
    did = minute.apis.get(name, Did(0, 0))
    share, mean = did.share, did.mean
    sums.asked += sums.left
    if share is not None:
        sums.measured += sums.left
    else:
        share = whole.share if whole.share is not None else UNKNOWN_SUCCESS
    seconds = mean or whole.mean or UNKNOWN_LATENCY
    answered = sums.left * share
    sums.served[name] += answered
    sums.seconds += sums.left * seconds
    sums.cost += sums.left * price / 1000.0
    sums.left -= answered
