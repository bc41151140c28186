"""Backtests over recorded calls: the real monitor and the real windows, on a clock that goes through the past.

A recording has one JSON object in each line: `{"at": 1767571200.5, "api": "odds", "ok": true, "seconds": 0.21}`, in
order of time (epoch seconds). What rules about numbers tell is then exactly what they told, or would have, live.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, floor
from pathlib import Path
from typing import Any, NamedTuple

from understudy.alerts.backtest import Backtest, Run, backtest, surrounded
from understudy.alerts.model import Labels, Rule, Subject
from understudy.alerts.options import AlertOptions
from understudy.alerts.ports import Sample
from understudy.app import Understudy
from understudy.core.clock import Timer
from understudy.core.text import Texts

from .exits import USAGE, Stop
from .screen import safe

#: Longest recording, calls; longest span, s.
MOST_CALLS, LONGEST = 5_000_000, 366 * 86400.0
#: Windows and alerts are looked at that often, s, as a service does.
INTERVAL = 1.0


class Call(NamedTuple):
    """One recorded call of an API."""

    at: float
    api: str
    ok: bool
    seconds: float


class ReplayClock:
    """A clock that stands still until it is told the time; nothing can wait for it."""

    def __init__(self, start: float, uptime: float) -> None:
        self._start, self._now = start - uptime, start

    def go(self, at: float) -> None:
        """It is that late now, epoch seconds."""
        self._now = at

    def time(self) -> float:
        """As `Clock.time`."""
        return self._now

    def monotonic(self) -> float:
        """As `Clock.monotonic`."""
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        """Nobody waits for the past."""
        raise NotImplementedError("a recording does not wait")

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Nobody waits for the past."""
        raise NotImplementedError("a recording does not wait")


class Recorded:
    """A source of metrics that plays calls into an application that makes none.

    `uptime` is what the monotonic clock shows at `start`: windows are cut where its seconds are.
    """

    def __init__(self, calls: Iterable[Call], start: float, rules: Sequence[Rule], uptime: float = 0.0) -> None:
        self._clock = ReplayClock(start, uptime)
        self._app = Understudy.build(clock=self._clock, seed=0)
        self._calls = deque(calls)
        self._source = self._app.alerting.source
        self._app.alerting.watch()
        longest = max((rule.window for rule in rules), default=300.0)
        self._app.alerting.tallies.want({rule.subject for rule in rules}, max(longest, 3600.0))

    def advance(self, at: float, *, whole: bool = True) -> None:
        """Play what was recorded until then, each call at its own time; then it is that late."""
        monitor = self._app.monitor
        while self._calls and self._calls[0].at <= at:
            call = self._calls.popleft()
            self._clock.go(call.at)
            if call.ok:
                monitor.record_request_success(call.api, call.seconds)
            else:
                monitor.record_request_failure(call.api, "recorded")
        self._clock.go(at)
        monitor.drain()

    def subjects(self, subject: Subject) -> Iterable[Labels]:
        """As `MetricSource.subjects`."""
        return self._source.subjects(subject)

    def sample(self, subject: Subject, labels: Labels, window: float) -> Sample | None:
        """As `MetricSource.sample`."""
        return self._source.sample(subject, labels, window)

    def last_calls(self, subject: Subject, labels: Labels, count: int) -> Sample | None:
        """As `MetricSource.last_calls`."""
        return self._source.last_calls(subject, labels, count)

    def gauge(self, metric: str, subject: Subject, labels: Labels) -> float | None:
        """Nothing but calls was recorded."""
        return None

    def moved(self, subject: Subject, labels: Labels) -> int:
        """As `MetricSource.moved`."""
        return self._source.moved(subject, labels)


def replayed(
    calls: Sequence[Call],
    rules: Sequence[Rule],
    start: float | None = None,
    end: float | None = None,
    uptime: float = 0.0,
    options: AlertOptions | None = None,
) -> Backtest:
    """What the rules tell of recorded calls, judged each second from `start` (by default just before the first).

    `options` are those of the configuration, for inhibitions, muted hours and planned silences.
    """
    start = floor(calls[0].at) if start is None else start
    end = ceil(calls[-1].at) + 1.0 if end is None else end
    moments = [start + step * INTERVAL for step in range(1, round((end - start) / INTERVAL) + 1)]
    chosen = options or AlertOptions()
    around = surrounded(chosen, [planned.silence(name) for name, planned in chosen.silences.items()])
    return backtest(Run(rules, Recorded(calls, start, rules, uptime), moments, start, end, 0.0, around))


def read_calls(text: Texts, file: Path) -> list[Call]:
    """The calls of a recording; a `Stop` that says which line is none."""
    try:
        with file.open(encoding="utf-8") as lines:
            return list(_calls(text, file, lines))
    except OSError as error:
        raise Stop(USAGE, f"{safe(file)}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise Stop(USAGE, text("{path}: the file is no text in UTF-8", path=safe(file))) from None


def _calls(text: Texts, file: Path, lines: Iterable[str]) -> Iterator[Call]:
    first = last = None
    number = 0
    for number, line in enumerate(lines, 1):
        call = _call(line)
        if call is None or (last is not None and call.at < last) or number > MOST_CALLS:
            raise Stop(
                USAGE,
                text(
                    "{path}, line {line}: expected a call that is not earlier than the one before",
                    path=safe(file),
                    line=number,
                ),
            )
        first = call.at if first is None else first
        if call.at - first > LONGEST:
            raise Stop(
                USAGE, text("{path}, line {line}: the recording is longer than a year", path=safe(file), line=number)
            )
        last = call.at
        yield call
    if not number:
        raise Stop(USAGE, text("{path}: there is no call in it", path=safe(file)))


def _call(line: str) -> Call | None:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found.keys() <= {"at", "api", "ok", "seconds"}:
        return None
    at, seconds = _number(found.get("at")), _number(found.get("seconds", 0.0))
    api, ok = found.get("api"), found.get("ok")
    if at is None or seconds is None or not isinstance(api, str) or not api or not isinstance(ok, bool):
        return None
    return Call(at, api[:200], ok, seconds)


def _number(value: object) -> float | None:
    """A time or a duration; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        return None  # nor is NaN
    return float(value)
