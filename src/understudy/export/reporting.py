"""Reports the numbers of this process to a service, each second: what a library does that keeps nothing itself.

What cannot be sent waits, in order, and is sent again with the same number, so the service counts each
report once. While the service is away what happens is added up, so that memory stays bounded; only the exact
time at which something happened is lost by that.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from understudy.core.clock import Clock, pause
from understudy.core.errors import UnderstudyError
from understudy.core.http import HttpClient, HttpRequest
from understudy.core.secrets import Secret
from understudy.core.turn import Slices
from understudy.monitor.backlog import Backlog, Gathered
from understudy.monitor.collector import Collector
from understudy.monitor.delta import MAX_ROWS, row_to_wire
from understudy.monitor.rollup import TIERS, Row

_log = logging.getLogger("understudy.reporting")

#: How often a report is made, s, and the longest wait after the service did not take one.
EVERY, LONGEST_WAIT = 1.0, 15.0
#: Without anything to report, a sign of life is sent this often, s.
SIGN_OF_LIFE = 5.0
#: Reports, and rows in them, that wait one by one; what happens beyond that is added up.
MOST_WAITING, ROWS_WAITING = 120, 20_000
#: Buckets that are added up at most.
MOST_ADDED_UP = 10_000
#: Reports in one request, and about how many bytes there may be in a report and in a request.
_TOGETHER, _REPORT_BYTES, _REQUEST_BYTES = 20, 128 * 1024, 256 * 1024
_TIMEOUT = 5.0
_REFUSED = "the service refused a report as faulty"
#: What an answer means for whoever has set this up; others are told by their number.
_MEANINGS = {
    401: "the service wants another report_token",
    404: "nothing is kept there: the address is not that of a running understudy service",
    421: "the service is not known by the host name of report_to",
    503: "the service cannot write to its store now",
}


@dataclass(frozen=True, slots=True)
class ReportingState:
    """Where the reporting stands, for people: when the service last took a report, what waits, what was given up."""

    to: str
    taken_at: float | None
    waiting: int
    lost_rows: int
    problem: str


@dataclass(frozen=True, slots=True)
class _Report:
    """Never changed once it is made: the service may have it already."""

    seq: int
    rows: Sequence[Row]
    size: int


class Reporting:
    """Sends what `collector` gathers to `url`, on the loop that owns the application.

    `drain` settles everything that was recorded, so that a report holds all that happened before it.
    """

    def __init__(
        self,
        collector: Collector,
        drain: Callable[[], Awaitable[None]],
        http: HttpClient,
        clock: Clock,
        url: str,
        token: Secret | None,
        instance: str,
        boot: str,
        version: str,
    ) -> None:
        self._collector = collector
        self._drain = drain
        self._http = http
        self._clock = clock
        self._url = url.rstrip("/") + "/api/instances/report"
        self._token = token
        self._who = {"instance": instance, "boot": boot, "version": version}
        self._seq = 0
        #: What was gathered and is in no report yet; in reports; added up while the service is away.
        self._fresh: deque[Gathered] = deque()
        self._waiting: deque[_Report] = deque()
        self._backlog = Backlog(MOST_ADDED_UP, clock.monotonic)
        self._failures = 0
        self._reported_at = float("-inf")
        self._told_at = float("-inf")
        self._taken_at: float | None = None
        self._lost = 0
        self._problem = ""
        self._turn: tuple[asyncio.AbstractEventLoop | None, asyncio.Lock] = None, asyncio.Lock()

    @property
    def state(self) -> ReportingState:
        """Where it stands."""
        waiting = len(self._waiting) + bool(len(self._backlog) or self._fresh)
        lost = self._lost + self._backlog.lost
        return ReportingState(self._url, self._taken_at, waiting, lost, self._problem)

    async def run(self) -> None:
        """Report each second until cancelled; slower while the service does not answer."""
        while True:
            # Counted from the last one: a program whose loops live for less than a second reports as well.
            wait = min(LONGEST_WAIT, EVERY * 2.0 ** min(self._failures, 10))
            await pause(self._clock, self._reported_at + wait - self._clock.monotonic())
            await self.report()

    async def stop(self) -> None:
        """Send what is there, once."""
        await self.report()
        if waiting := self.state.waiting:
            _log.warning("%d reports were not taken by %s", waiting, self._url)

    async def report(self) -> None:
        """Take what was gathered, and send what waits. A cancellation in between loses nothing."""
        async with self._lock():
            self._reported_at = self._clock.monotonic()
            await self._gather()
            while await self._send_waiting() and len(self._backlog):
                self._fresh.extend(self._backlog.take())
                await self._make_reports()

    def _lock(self) -> asyncio.Lock:
        """One report at a time. The lock belongs to the running loop: the one before may have ended within a report."""
        loop = asyncio.get_running_loop()
        if self._turn[0] is not loop:
            self._turn = loop, asyncio.Lock()
        return self._turn[1]

    # -- making reports ---------------------------------------------------------------------------

    async def _gather(self) -> None:
        await self._drain()
        at = int(self._clock.time() // TIERS[0]) * TIERS[0]
        self._fresh.extend((at, name, bucket) for name, bucket in self._collector.take().items())
        crowded = len(self._waiting) >= MOST_WAITING or sum(len(each.rows) for each in self._waiting) >= ROWS_WAITING
        if not crowded and not len(self._backlog):
            await self._make_reports()
            return
        slices = Slices(self._clock.monotonic)
        while self._fresh:
            self._backlog.add(self._fresh.popleft())
            await slices.breath()
        await self._backlog.tighten()

    async def _make_reports(self) -> None:
        slices = Slices(self._clock.monotonic)
        while self._fresh:
            rows: list[Row] = []
            size = 0
            while len(rows) < min(len(self._fresh), MAX_ROWS) and size < _REPORT_BYTES:
                at, name, bucket = self._fresh[len(rows)]
                rows.append(bucket.row(at, name))
                size += _size(rows[-1])
                await slices.breath()
            self._seq += 1
            self._waiting.append(_Report(self._seq, rows, size))
            for _ in rows:
                self._fresh.popleft()

    def _batch(self, most: int) -> list[_Report]:
        batch: list[_Report] = []
        size = 0
        for each in self._waiting:
            if batch and (len(batch) >= most or size + each.size > _REQUEST_BYTES):
                break
            batch.append(each)
            size += each.size
        return batch

    # -- sending ----------------------------------------------------------------------------------

    async def _send_waiting(self) -> bool:
        """Send what waits, or a sign of life; whether everything was taken."""
        if not self._waiting and self._clock.monotonic() - self._told_at < SIGN_OF_LIFE:
            return True
        most = _TOGETHER
        while True:
            batch = self._batch(most)
            problem = await self._send(batch)
            if problem is _REFUSED and len(batch) > 1:
                most = 1  # one of them is at fault: the others must not be lost with it
                continue
            if problem:
                self._failed(problem)
                if problem is not _REFUSED:
                    return False
                # The same again would be refused again, and everything behind it would wait for ever.
                self._lost += sum(len(each.rows) for each in batch)
            else:
                self._failures, self._problem = 0, ""
                self._taken_at = self._clock.time()
            for _ in batch:
                self._waiting.popleft()
            if not self._waiting:
                return True

    async def _send(self, batch: Sequence[_Report]) -> str:
        """Send reports; why they were not taken, empty when they were."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        body = await self._body(batch)
        request = HttpRequest(
            "POST", self._url, headers, body, connect_timeout=_TIMEOUT, idle_timeout=_TIMEOUT, max_body=64 * 1024
        )
        self._told_at = self._clock.monotonic()
        try:
            response = await self._http.send(request)
        except UnderstudyError as error:
            return f"{type(error).__name__}: {error}"
        answer = response.body
        await response.close()
        if response.status == 200:
            self._lost += _left_out(answer)
            return ""
        if response.status in (400, 413, 422):
            return _REFUSED
        meaning = _MEANINGS.get(response.status)
        return f"the service answered {response.status}" + (f": {meaning}" if meaning else "")

    async def _body(self, batch: Sequence[_Report]) -> bytes:
        slices = Slices(self._clock.monotonic)
        reports = []
        for each in batch:
            rows = []
            for row in each.rows:
                rows.append(json.dumps(row_to_wire(row), ensure_ascii=False))
                await slices.breath()
            reports.append(f'{{"seq": {each.seq}, "rows": [{", ".join(rows)}]}}')
        who = json.dumps({**self._who, "now": self._clock.time()}, ensure_ascii=False)
        return f'{who[:-1]}, "reports": [{", ".join(reports)}]}}'.encode("utf-8", "replace")

    def _failed(self, problem: str) -> None:
        self._failures += 1
        if problem != self._problem:  # said once, not each second
            _log.warning("numbers are not taken by %s (%s); they wait", self._url, problem)
        self._problem = problem


def _size(row: Row) -> int:
    """About as many bytes as it takes on the wire, rather more."""
    return 120 + 4 * len(row.series.name) + 3 * (len(row.hist or b"") + len(row.classes or b"")) // 2


def _left_out(answer: bytes) -> int:
    """Rows that the service did not count, as they are too old for it."""
    try:
        told = json.loads(answer)["left_out"]
    except (ValueError, TypeError, KeyError):
        return 0
    return told if isinstance(told, int) else 0
