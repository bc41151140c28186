"""The bulkhead against a model of places and one line."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from understudy.resilience.bulkhead import Bulkhead, BulkheadOptions
from understudy.testing import FakeClock


class BulkheadMachine(RuleBasedStateMachine):
    """Callers come, wait, are cancelled and leave; the first in line is always the next."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bulkhead = Bulkhead(BulkheadOptions(limit=2), FakeClock())
        self.inside = 0
        self.limit = 2
        self.line: list[asyncio.Task[None]] = []

    def teardown(self) -> None:
        for task in self.line:
            task.cancel()
        self.run()
        for _ in range(self.inside):
            self.bulkhead.release()
        assert self.bulkhead.active == self.bulkhead.waiting == 0
        self.loop.close()

    def run(self) -> None:
        async def turns() -> None:
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def admit(self) -> None:
        self.run()
        while self.line and self.inside < self.limit:
            task = self.line.pop(0)
            assert task.done() and not task.cancelled()
            self.inside += 1

    @rule()
    def try_acquire(self) -> None:
        free = self.inside < self.limit and not self.line
        assert self.bulkhead.try_acquire() == free
        self.inside += free

    @rule()
    def acquire(self) -> None:
        self.line.append(self.loop.create_task(self.bulkhead.acquire()))
        self.admit()

    @precondition(lambda self: self.inside)
    @rule()
    def release(self) -> None:
        self.bulkhead.release()
        self.inside -= 1
        self.admit()

    @precondition(lambda self: self.line)
    @rule(which=st.integers(0, 1000), releasing=st.booleans())
    def cancel(self, which: int, releasing: bool) -> None:
        """Cancel one who waits; sometimes just when a place is handed over."""
        if releasing and self.inside:
            self.bulkhead.release()
            self.inside -= 1
        self.line.pop(which % len(self.line)).cancel()
        self.admit()

    @rule(limit=st.integers(1, 5))
    def change(self, limit: int) -> None:
        self.bulkhead.limit = self.limit = limit
        self.admit()

    @invariant()
    def they_agree(self) -> None:
        assert (self.bulkhead.active, self.bulkhead.waiting) == (self.inside, len(self.line))
        assert all(not task.done() for task in self.line)


BulkheadMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBulkheadMachine = BulkheadMachine.TestCase
