"""What is left of each limit of an API, how fast it goes, and when it is spent; `GET /api/apis/{api}/quota`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable
from understudy.monitor.rollup import SeriesName
from understudy.resilience.quota import Account, Bucket

from .apis import registered

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.resilience.registry import Api

#: Points of a burn-down up to now, and longest stretch that it shows, s.
_POINTS: Final = 60
_LONGEST: Final = 7 * 86400.0
_SHORTEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of one account. `per_second` is the mean use since it was first seen; times are epoch seconds.

    `spent_at` is when it is spent at that pace; None when it is not known, or when the reset comes first.
    """

    key: str
    object: str
    window: float | None
    limit: float | None
    remaining: int | None
    per_second: float
    resets_at: float | None
    spent_at: float | None
    source: str

    @property
    def left(self) -> float | None:
        """The share that is left, percent; None where it is not known."""
        return None if self.remaining is None or not self.limit else 100.0 * self.remaining / self.limit

    def as_dict(self) -> dict[str, Any]:
        """The limit as JSON-ready values."""
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "left": self.left}


@dataclass(frozen=True, slots=True)
class BurnDown:
    """What was left of all limits of one kind over time, and what will be left at the present pace.

    The past is worked out backwards from what is left now and the requests that are kept; `projected` begins
    where `past` ends. Both have one value for each of `at`, epoch seconds.
    """

    at: tuple[float, ...]
    past: tuple[float | None, ...]
    projected: tuple[float | None, ...]
    limit: float | None
    resets_at: float | None
    spent_at: float | None

    def as_dict(self) -> dict[str, Any]:
        """The burn-down as JSON-ready values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class QuotaView:
    """The limits of an API, and the burn-down of the scarcest; None without a limit that is known."""

    api: str
    limits: tuple[Limit, ...]
    burn_down: BurnDown | None

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values."""
        burn = None if self.burn_down is None else self.burn_down.as_dict()
        return {"api": self.api, "limits": [each.as_dict() for each in self.limits], "burn_down": burn}

    @classmethod
    async def of(cls, app: Understudy, name: str) -> QuotaView:
        """The limits as they stand. Raises UnknownName."""
        limits = limits_of(app, registered(app, name))
        return cls(name, limits, await _burn_down(app, name, limits))


def limits_of(app: Understudy, api: Api) -> tuple[Limit, ...]:
    """The limits of all accounts of an API, as they stand."""
    wall, now = app.clock.time(), app.clock.monotonic()
    accounts = {id(key.account): key.account for key in api.keys}.values()
    return tuple(_limit(account, bucket, wall, now) for account in accounts for bucket in account.buckets.values())


def _limit(account: Account, bucket: Bucket, wall: float, now: float) -> Limit:
    bucket.roll(now)
    taken = account.in_flight + account.unread
    left = None if bucket.observed is None else max(0, int(bucket.observed - taken))
    resets_at = None if bucket.reset_at is None else wall + bucket.reset_at - now
    pace = bucket.use_per_second(now)
    spent_at = wall + left / pace if left is not None and pace > 0 else None
    if spent_at is not None and resets_at is not None and spent_at >= resets_at:
        spent_at = None
    return Limit(
        account.id[2].removeprefix("@"), bucket.object, bucket.window, bucket.limit, left, pace, resets_at, spent_at,
        bucket.source,
    )  # fmt: skip


async def _burn_down(app: Understudy, name: str, limits: Sequence[Limit]) -> BurnDown | None:
    """All accounts of the scarcest kind of limit together: which key a kept request used is not kept."""
    known = [each for each in limits if each.remaining is not None and each.limit]
    if not known or app.keeping is None:
        return None
    scarcest = min(known, key=lambda each: each.left or 0.0)
    same = [each for each in known if (each.object, each.window) == (scarcest.object, scarcest.window)]
    left = float(sum(each.remaining or 0 for each in same))
    limit = sum(each.limit or 0.0 for each in same)
    pace = sum(each.per_second for each in same)
    now = app.clock.time()
    reset = min((each.resets_at for each in same if each.resets_at is not None), default=None)
    shown = min(_LONGEST, max(_SHORTEST, scarcest.window or _LONGEST))
    begun = reset - scarcest.window if reset is not None and scarcest.window else now - shown
    start = max(now - shown, min(begun, now - 60.0))
    try:
        kept = await app.keeping.history.series(SeriesName("api", name), start, now, _POINTS)
    except StoreUnavailable:
        return None
    at, past = [now], [left]
    for point in reversed(kept.points):
        at.append(float(point.at))
        past.append(min(past[-1] + point.n, limit))
    at.reverse()
    past.reverse()
    spent = now + left / pace if pace > 0 else None
    until = min(reset or now + shown, now + shown)
    ends = until if spent is None else min(until, spent)
    after = max(0.0, left - pace * (ends - now))
    return BurnDown(
        (*at, ends), (*past, None), (*[None] * (len(at) - 1), left, after), limit, reset,
        spent if spent is not None and (reset is None or spent < reset) else None,
    )  # fmt: skip
