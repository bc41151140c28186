"""What is left of a key's quota, learned from headers and configuration (resilience rule R7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.options import Doc, Options
from understudy.core.types import Mode

from .limits import WINDOWS, LimitInfo, parse_limits

#: A spent limit whose reset nobody told is asked again after this: a plan's quota, a rate; seconds.
RECHECK_PLAN: Final = 3600.0
RECHECK_RATE: Final = 60.0
#: A limit that is spent only by calls in flight is looked at again after this, seconds.
RECHECK_BUSY: Final = 1.0


@dataclass(frozen=True, slots=True)
class QuotaOptions(Options):
    """The plan behind a key. What the API's own headers say overrides it."""

    mode: Annotated[Mode, Doc("off, observe or enforce")] = Mode.ENFORCE
    limit: Annotated[
        int | None, at.Ge(1), at.Le(10**15), Doc("calls in one window; none: learn it from headers", "calls")
    ] = None
    window: Annotated[Literal["second", "minute", "hour", "day", "month"], Doc("the window the limit is meant for")] = (
        "month"
    )
    reserve: Annotated[float, at.Ge(0), at.Le(1), Doc("share kept for critical calls")] = 0.05
    overage_price: Annotated[float | None, at.Ge(0), Doc("price of 1,000 calls beyond the limit")] = None
    allow_overage: Annotated[bool, Doc("go on when the quota is spent and the plan bills more")] = False
    header_limit: Annotated[str, Doc("header that tells the limit, where it has an unusual name")] = ""
    header_remaining: Annotated[str, Doc("header that tells what is left, likewise")] = ""
    header_reset: Annotated[str, Doc("header that tells the reset, likewise")] = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A quota that will be spent before its reset, at the rate of use so far; `at` is epoch seconds."""

    api: str
    group: str
    object: str
    remaining: float
    per_second: float
    at: float


class Bucket:
    """One limit of one account. `observed` is what the API last said minus what it was asked since.

    Times are monotonic. Inside a window `observed` only falls; after `reset_at` it is unknown (None),
    except for a limit from the configuration, which starts anew.
    """

    __slots__ = (
        "first", "first_at", "limit", "object", "observed", "observed_at", "plan", "reset_at", "source", "window",
    )  # fmt: skip

    def __init__(self, name: str, window: float | None, *, plan: bool, source: str) -> None:
        self.object = name
        self.window = window
        self.plan = plan
        self.source = source
        self.limit: float | None = None
        self.observed: float | None = None
        self.observed_at = 0.0
        self.reset_at: float | None = None
        self.first = 0.0
        self.first_at = 0.0

    def observe(self, info: LimitInfo, in_flight: int, now: float) -> None:
        """Take in what a response says; an older response that arrives late changes nothing for the better."""
        grown = info.limit is not None and self.limit is not None and info.limit > self.limit
        if info.limit is not None:
            self.limit = info.limit
        reset_at = now + info.reset_after if info.reset_after is not None else None
        if info.remaining is None:
            if reset_at is not None and self.observed is not None:
                self.reset_at = reset_at
            return
        if self.observed is None or grown or self._is_new_window(info, reset_at, in_flight):
            self.observed, self.first, self.first_at, self.reset_at = info.remaining, info.remaining, now, reset_at
        else:
            self.observed = min(self.observed, info.remaining)
            if reset_at is not None:
                self.reset_at = reset_at if self.reset_at is None else min(self.reset_at, reset_at)
        self.observed_at = now

    def _is_new_window(self, info: LimitInfo, reset_at: float | None, in_flight: int) -> bool:
        if reset_at is not None and self.reset_at is not None:
            return reset_at > self.reset_at + min(max(2.0, 0.01 * (info.reset_after or 0.0)), 60.0)
        if reset_at is not None or self.reset_at is not None:
            return False
        # Nobody tells resets: only a rise that no disorder of responses explains means a new window.
        rise = (info.remaining or 0.0) - (self.observed or 0.0)
        return rise > max(10.0, 0.05 * (self.limit or 0.0)) + in_flight

    def used(self, calls: int) -> None:
        """Executed calls whose responses told nothing."""
        if self.observed is not None:
            self.observed = max(0.0, self.observed - calls)

    def roll(self, now: float) -> None:
        """Forget what was known when the window has ended."""
        if self.reset_at is not None and now >= self.reset_at:
            self.observed = self.reset_at = None

    def recheck(self, now: float) -> float:
        """The time until which a spent limit is taken as spent."""
        if self.reset_at is None:
            self.reset_at = now + (RECHECK_PLAN if self.plan else RECHECK_RATE)
        return self.reset_at

    def use_per_second(self, now: float) -> float:
        """Mean use since the first look into this window."""
        elapsed = now - self.first_at
        return (self.first - self.observed) / elapsed if self.observed is not None and elapsed >= 1.0 else 0.0

    def pressure(self, in_flight: int, now: float) -> float:
        """Projected use until reset over what is left, 0 to 10; without a reset the share already used."""
        if self.observed is None:
            return 0.0
        left = self.observed - in_flight
        if left <= 0:
            return 10.0
        if self.reset_at is None:
            return 1.0 - min(1.0, left / self.limit) if self.limit else 0.0
        return min(10.0, self.use_per_second(now) * max(0.0, self.reset_at - now) / left)


class Account:
    """What several keys of one account share at one API: its buckets and its calls in flight."""

    __slots__ = ("_clock", "_config", "buckets", "id", "in_flight", "options", "spare", "unread")

    def __init__(self, ident: tuple[str, str, str], options: QuotaOptions, clock: Clock) -> None:
        self.id = ident
        self._clock = clock
        self.in_flight = 0
        #: Calls whose responses were not read since the last one that was: taken, and not told to the buckets.
        self.unread = 0
        #: Calls that may begin before anything here has to be looked at again.
        self.spare = 0
        self.buckets: dict[tuple[str, float], Bucket] = {}
        self.options = options
        self._config: Bucket | None = None
        self.configure(options)

    def configure(self, options: QuotaOptions) -> None:
        """Follow changed options; what headers told stays."""
        changed = (options.limit, options.window) != (self.options.limit, self.options.window)
        self.options = options
        self.spare = 0
        if self._config is not None and changed:
            self.buckets.pop(("configured", 0.0), None)
            self._config = None
        told = any(bucket.source == "header" for bucket in self.buckets.values())
        if options.limit is not None and self._config is None and not told:
            window = WINDOWS[options.window]
            self._config = Bucket("configured", window, plan=window > WINDOWS["hour"], source="config")
            self._config.limit = float(options.limit)
            self.buckets["configured", 0.0] = self._config

    def begin(self) -> None:
        """A call goes out: it counts against what is left until its response says more."""
        self.in_flight += 1
        if self.spare:
            self.spare -= 1
        config = self._config
        if config is not None:
            now = self._clock.monotonic()
            config.roll(now)
            if config.observed is None:
                config.observed = config.first = config.limit or 0.0
                config.first_at = config.observed_at = now
                config.reset_at = now + self._window_left()

    def end(self, executed: bool, limits: Iterable[LimitInfo] = ()) -> None:
        """The call is over; `executed` False gives its unit back, `limits` is what the response told."""
        if self.in_flight:
            self.in_flight -= 1
        if not self.buckets and not limits:
            return
        now = self._clock.monotonic()
        told = {id(self._observe(info, now)) for info in limits}
        used = 1 if executed else 0
        if told:
            used += self.unread
            self.unread = self.spare = 0
        if len(told) == len(self.buckets):
            return  # the response told of every limit, as most do
        for bucket in self.buckets.values():
            bucket.roll(now)
            if id(bucket) not in told:
                bucket.used(used)

    def ample(self, calls: int) -> bool:
        """Whether so many calls can come and go without any limit that is known having a say."""
        if self._config is not None:
            return False  # its window begins anew when a call begins
        taken = self.in_flight + self.unread + calls
        for bucket in self.buckets.values():
            kept = self.options.reserve * bucket.limit if bucket.plan and bucket.limit else 0.0
            if bucket.observed is None or bucket.observed - kept < taken:
                return False
        return True

    def spent_until(self, until: float) -> None:
        """Nothing is left until that monotonic time: inferred from a refusal that named no limit."""
        self.spare = 0
        bucket = self.buckets.get(("inferred", 0.0))
        if bucket is None:
            bucket = self.buckets["inferred", 0.0] = Bucket("inferred", None, plan=True, source="429")
        bucket.observed, bucket.observed_at, bucket.reset_at = 0.0, self._clock.monotonic(), until

    def _observe(self, info: LimitInfo, now: float) -> Bucket:
        key = (info.object, info.window or 0.0)
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = Bucket(info.object, info.window, plan=info.long, source="header")
        bucket.roll(now)
        bucket.plan = bucket.plan or info.long
        bucket.observe(info, self.in_flight, now)
        config = self._config
        if config is not None and config.plan == bucket.plan and bucket.observed is not None:
            del self.buckets["configured", 0.0]
            self._config = None
        return bucket

    def refusal(self, now: float, critical: bool = False) -> tuple[str, float]:
        """Why no call may go out, and until when (monotonic); ("", 0) when one may. The strictest decides.

        `quota` and `rate` are spent limits, `quota_reserve` what is left for critical calls only.
        """
        worst = ("", 0.0)
        for bucket in self.buckets.values():
            bucket.roll(now)
            if bucket.observed is None or (self.options.allow_overage and bucket.plan and bucket.source != "429"):
                continue
            left = bucket.observed - self.in_flight - self.unread
            if left < 1.0:
                until = bucket.recheck(now) if bucket.observed < 1.0 else now + RECHECK_BUSY
                found = ("quota" if bucket.plan else "rate", until)
            elif not critical and bucket.plan and bucket.limit and left <= int(self.options.reserve * bucket.limit):
                found = ("quota_reserve", bucket.reset_at if bucket.reset_at is not None else now + RECHECK_PLAN)
            else:
                continue
            worst = max(worst, found, key=lambda entry: entry[1])
        return worst

    def spent(self, now: float) -> bool | None:
        """Whether a plan refuses ordinary calls until its reset; None where nothing is known of a plan."""
        known: bool | None = None
        for bucket in self.buckets.values():
            bucket.roll(now)
            if not bucket.plan or (bucket.observed is None and bucket.source != "config"):
                continue
            if bucket.observed is not None and not (self.options.allow_overage and bucket.source != "429"):
                kept = int(self.options.reserve * bucket.limit) if bucket.limit else 0
                known = known or bucket.observed - self.in_flight - self.unread < max(1, kept + 1)
            else:
                known = known or False
        return known

    def remaining(self, now: float) -> int | None:
        """Calls left by the strictest known limit; None when nothing is known."""
        left = []
        for bucket in self.buckets.values():
            bucket.roll(now)
            if bucket.observed is not None:
                left.append(bucket.observed - self.in_flight - self.unread)
        return max(0, int(min(left))) if left else None

    def pressure(self, now: float) -> float:
        """The highest pressure of its limits, 0 to 10."""
        for bucket in self.buckets.values():
            bucket.roll(now)
        taken = self.in_flight + self.unread
        return max((bucket.pressure(taken, now) for bucket in self.buckets.values()), default=0.0)

    def forecast(self, now: float) -> list[Forecast]:
        """The limits that will be spent before their reset."""
        found = []
        for bucket in self.buckets.values():
            bucket.roll(now)
            rate = bucket.use_per_second(now)
            if bucket.observed is None or rate <= 0:
                continue
            spent_in = bucket.observed / rate
            if bucket.reset_at is None or now + spent_in < bucket.reset_at:
                at_wall = self._clock.time() + spent_in
                found.append(Forecast(self.id[1], self.id[2], bucket.object, bucket.observed, rate, at_wall))
        return found

    def restore(self, row: Mapping[str, Any], reset_at: float | None, now: float) -> None:
        """Take over one exported limit, unless more is known already."""
        self.spare = 0
        key = (row["object"], 0.0 if row["source"] == "config" else row["window"] or 0.0)
        bucket = self.buckets.get(key)
        if bucket is None:
            if row["source"] == "config":
                return  # the configuration no longer has that limit
            bucket = self.buckets[key] = Bucket(row["object"], row["window"], plan=row["plan"], source=row["source"])
        if bucket.observed is None:
            bucket.limit = bucket.limit if row["source"] == "config" else row["limit"]
            bucket.observed = bucket.first = float(row["remaining"])
            bucket.observed_at = bucket.first_at = now
            bucket.reset_at = reset_at

    def _window_left(self) -> float:
        """Seconds until a configured window ends: days and months end with those of UTC."""
        window = self.options.window
        if window not in ("day", "month"):
            return WINDOWS[window]
        wall = self._clock.time()
        if window == "day":
            return 86400.0 - wall % 86400.0
        today = datetime.fromtimestamp(wall, UTC)
        year, month = divmod(today.year * 12 + today.month, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC).timestamp() - wall


class QuotaLedger:
    """The quotas of an application: one account for each (hub, API, key or quota group)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.accounts: dict[tuple[str, str, str], Account] = {}

    def account(self, hub: str, api: str, group: str, options: QuotaOptions) -> Account:
        """The account, made when it does not exist; an existing one follows `options`."""
        ident = (hub, api, group)
        found = self.accounts.get(ident)
        if found is None:
            found = self.accounts[ident] = Account(ident, options, self._clock)
        else:
            found.configure(options)
        return found

    def forecast(self) -> list[Forecast]:
        """All limits that will be spent before their reset."""
        now = self._clock.monotonic()
        return [entry for account in self.accounts.values() for entry in account.forecast(now)]

    def export_state(self) -> list[dict[str, Any]]:
        """What is known, as plain values: times in epoch seconds, no secrets."""
        now, offset = self._clock.monotonic(), self._clock.time() - self._clock.monotonic()
        rows = []
        for (hub, api, group), account in self.accounts.items():
            for bucket in account.buckets.values():
                bucket.roll(now)
                if bucket.observed is None:
                    continue
                rows.append(
                    {
                        "hub": hub, "api": api, "group": group, "object": bucket.object, "window": bucket.window,
                        "plan": bucket.plan, "source": bucket.source, "limit": bucket.limit,
                        "remaining": max(0.0, bucket.observed - account.unread),
                        "observed_at": round(bucket.observed_at + offset, 3),
                        "reset_at": None if bucket.reset_at is None else round(bucket.reset_at + offset, 3),
                    }
                )  # fmt: skip
        return rows

    def import_state(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take over what `export_state` gave; rows of ended windows and of unknown accounts are passed over."""
        now, offset = self._clock.monotonic(), self._clock.time() - self._clock.monotonic()
        for row in rows:
            account = self.accounts.get((row["hub"], row["api"], row["group"]))
            reset_at = None if row["reset_at"] is None else row["reset_at"] - offset
            if account is None or (reset_at is not None and reset_at <= now):
                continue
            account.restore(row, reset_at, now)


__all__ = ["Account", "Bucket", "Forecast", "LimitInfo", "QuotaLedger", "QuotaOptions", "parse_limits"]
