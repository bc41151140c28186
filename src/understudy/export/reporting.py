"""Reports the numbers of this process to a service, each second: what a library does that keeps nothing itself.

What cannot be sent waits, in order, and is sent again with the same number, so the service counts each
report once. While the service is away the waiting reports are added up, so that their number, and with
it memory, stays bounded; nothing but the second in which something happened is lost by that.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from understudy.core.clock import Clock, pause
from understudy.core.errors import TransportError
from understudy.core.http import HttpClient, HttpRequest
from understudy.core.secrets import Secret
from understudy.core.turn import Slices
from understudy.monitor.collector import Collector
from understudy.monitor.delta import MAX_ROWS, merged, row_to_wire
from understudy.monitor.rollup import TIERS, Row

_log = logging.getLogger("understudy.reporting")

#: How often a report is made, s, and the longest wait after the service did not take one.
EVERY, LONGEST_WAIT = 1.0, 15.0
#: Reports that wait one by one; beyond that the newest ones are added up.
MOST_WAITING = 120
#: Rows that wait altogether; beyond that the oldest are given up, and counted.
MOST_ROWS = 200_000
#: Reports in one request.
_TOGETHER = 20
_TIMEOUT = 5.0
_REFUSED = "the service refused reports as faulty"


@dataclass(frozen=True, slots=True)
class ReportingState:
    """Where the reporting stands, for people: seconds since the last success, what waits, what was given up."""

    to: str
    taken_at: float | None
    waiting: int
    lost_rows: int
    problem: str


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
        self._waiting: deque[tuple[int, list[Row]]] = deque()
        self._failures = 0
        #: Reports up to this number may have reached the service: they must not change any more.
        self._offered = 0
        self._taken_at: float | None = None
        self._lost = 0
        self._problem = ""

    @property
    def state(self) -> ReportingState:
        """Where it stands."""
        return ReportingState(self._url, self._taken_at, len(self._waiting), self._lost, self._problem)

    async def run(self) -> None:
        """Report each second until cancelled; slower while the service does not answer."""
        while True:
            await pause(self._clock, min(LONGEST_WAIT, EVERY * 2.0 ** min(self._failures, 10)))
            await self.report()

    async def stop(self) -> None:
        """Send what is there, once."""
        await self.report()
        if self._waiting:
            _log.warning("%d reports were not taken by %s", len(self._waiting), self._url)

    async def report(self) -> None:
        """Take what was gathered, and send what waits."""
        await self._gather()
        while self._waiting:
            batch = self._batch()
            self._offered = max(self._offered, batch[-1][0])
            problem = await self._send(batch)
            if problem is _REFUSED:
                # The same again would be refused again, and everything behind it would wait for ever.
                self._lost += sum(len(rows) for _, rows in batch)
                self._failed(problem)
            elif problem:
                self._failed(problem)
                return
            for _ in batch:
                self._waiting.popleft()
            if not problem:
                self._failures, self._problem = 0, ""
                self._taken_at = self._clock.time()

    async def _gather(self) -> None:
        await self._drain()
        at = int(self._clock.time() // TIERS[0]) * TIERS[0]
        slices = Slices(self._clock.monotonic)
        rows = []
        for name, bucket in self._collector.take().items():
            rows.append(bucket.row(at, name))
            await slices.breath()
        for begin in range(0, len(rows), MAX_ROWS):
            self._queue(rows[begin : begin + MAX_ROWS])

    def _queue(self, rows: list[Row]) -> None:
        if len(self._waiting) >= MOST_WAITING and self._waiting[-1][0] > self._offered:
            number, last = self._waiting[-1]
            together = merged(last, rows)
            if len(together) <= MAX_ROWS:
                self._waiting[-1] = (number, together)
                return
        self._seq += 1
        self._waiting.append((self._seq, rows))
        while sum(len(each) for _, each in self._waiting) > MOST_ROWS and len(self._waiting) > 1:
            self._lost += len(self._waiting.popleft()[1])

    def _batch(self) -> list[tuple[int, list[Row]]]:
        batch: list[tuple[int, list[Row]]] = []
        rows = 0
        for number, each in self._waiting:
            if batch and (len(batch) >= _TOGETHER or rows + len(each) > MAX_ROWS):
                break
            batch.append((number, each))
            rows += len(each)
        return batch

    async def _send(self, batch: Sequence[tuple[int, list[Row]]]) -> str:
        """Send reports; why they were not taken, empty when they were."""
        reports = [{"seq": number, "rows": [row_to_wire(row) for row in rows]} for number, rows in batch]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        body = json.dumps({**self._who, "reports": reports}, ensure_ascii=False).encode("utf-8", "replace")
        request = HttpRequest(
            "POST", self._url, headers, body, connect_timeout=_TIMEOUT, idle_timeout=_TIMEOUT, max_body=64 * 1024
        )
        try:
            response = await self._http.send(request)
        except TransportError as error:
            return f"{type(error).__name__}: {error}"
        await response.close()
        if response.status == 200:
            return ""
        if response.status in (400, 422):
            return _REFUSED
        return f"the service answered {response.status}"

    def _failed(self, problem: str) -> None:
        self._failures += 1
        if problem != self._problem:  # said once, not each second
            _log.warning("numbers are not taken by %s (%s); they wait", self._url, problem)
        self._problem = problem
