"""The test button: one marked message through the whole pipeline of one channel, and what the service said to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from understudy.core.clock import Clock
from understudy.core.errors import UnknownName
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow, Priority, RowState

from .planning import TEST_DEADLINE, Plans
from .ports import OutboxStore
from .shown import TestResult
from .waiters import Waiters

#: The title of a test, the same in all languages: the rendering says that it is one.
TITLE = "Understudy"
#: An answer is waited for a little longer than a test can last, s.
_LONGER = 5.0


class Trials:
    """Sends tests."""

    def __init__(
        self,
        store: OutboxStore,
        clock: Clock,
        plans: Plans,
        put: Callable[[Sequence[OutboxRow]], Awaitable[list[OutboxRow]]],
        waiters: Waiters,
    ) -> None:
        self._store = store
        self._clock = clock
        self._plans = plans
        self._put = put
        self._waiters = waiters

    async def run(self, channel: str, actor: str) -> TestResult:
        """As `NotificationManager.test`."""
        if channel not in self._plans.channels:
            near = get_close_matches(channel, self._plans.channels, 1)
            raise UnknownName("channel", channel, near[0] if near else "")
        row = self._row(channel, actor, NoticeKind.TEST)
        result = await self._send(row)
        if not (result.success and self._plans.channels[channel].pager):
            return result
        ended = await self._send(self._row(channel, actor, NoticeKind.RESOLVED, row.fingerprint))
        return TestResult(
            channel, result.success, result.state, result.reason, result.status, result.response, result.seconds,
            result.row, resolved=ended.success,
        )  # fmt: skip

    def _row(self, channel: str, actor: str, kind: NoticeKind, fingerprint: str = "") -> OutboxRow:
        row_id, now = self._plans.make_id(), self._clock.time()
        notice = Notice(
            event_id=f"test-{row_id}",
            kind=kind,
            severity=Severity.INFO,
            at=now,
            title=TITLE,
            fingerprint=fingerprint or f"test{row_id}",
            actor=actor,
            started_at=now if kind is NoticeKind.RESOLVED else None,
            reason="test" if kind is NoticeKind.RESOLVED else "",
        )
        row = self._plans.row(notice, channel, priority=Priority.CRITICAL)
        return replace(row, state=RowState.PENDING, reason="")  # whatever the channel wants otherwise

    async def _send(self, row: OutboxRow) -> TestResult:
        with self._waiters.expect([row]) as waiting:
            await self._put([row])
            results = await waiting.results(TEST_DEADLINE + _LONGER)
        result = results[row.channel]
        attempts = await self._store.attempts(1, row=row.id)
        last = attempts[0][1] if attempts else None
        state = waiting.rows[row.id].state
        return TestResult(
            channel=row.channel,
            success=result.success,
            state="failed" if state is RowState.DISCARDED else result.state,
            reason=result.reason,
            status=last.status if last is not None else None,
            response=last.response if last is not None else "",
            seconds=last.seconds if last is not None else result.seconds,
            row=row.id,
        )
