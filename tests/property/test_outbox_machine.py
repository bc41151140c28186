"""The outbox in SQLite beside the one in memory, whatever several senders do, in any order, however late.

Both answer the same to everything. No row is held by two, none is lost, none comes back after it was
finished, and what was accepted adds up to what is there.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Receipt
from understudy.notifications.ports import Attempt, OutboxQuery, Settlement
from understudy.storage import StorageOptions, open_store
from understudy.storage.memory_outbox import MemoryOutbox
from understudy.storage.sqlite_schema import prepare
from understudy.testing import FakeClock
from understudy.testing.outbox_contract import NOON, row

LEASE = 30.0
OWNERS = ("one", "two", "three")
ENDS = tuple(RowState)


class OutboxMachine(RuleBasedStateMachine):
    """Senders that add, claim, send and settle, each when it likes."""

    template: Path

    #: Claims that somebody still believes in: (row, owner, token).
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "understudy.db"
        shutil.copy2(self.template, path)
        self._runner = asyncio.Runner()
        self.clock = FakeClock(epoch=NOON)
        self.store = open_store(StorageOptions(url=f"sqlite:///{path}", readers=1), self.clock)
        self.model = MemoryOutbox(self.clock)
        self.made = 0
        self.accepted: set[str] = set()
        #: Who holds what until when, as they were told.
        self.held: dict[str, tuple[str, float]] = {}

    def teardown(self) -> None:
        self._runner.run(self.store.close())
        self._runner.close()
        self._folder.cleanup()

    def both(self, name: str, *arguments: object) -> object:
        """What both answer, which is the same."""
        real = self._runner.run(getattr(self.store.outbox, name)(*arguments))
        model = self._runner.run(getattr(self.model, name)(*arguments))
        assert real == model, f"{name}{arguments}"
        return real

    def the_row(self, name: str) -> OutboxRow:
        """A row as it is now."""
        found = self._runner.run(self.model.rows(OutboxQuery(), 1000))
        return next((each for each in found if each.id == name), row(name))

    @rule(
        event=st.integers(0, 8), channels=st.lists(st.sampled_from(("chat", "mail", "pager")), min_size=1, max_size=4)
    )
    def add(self, event: int, channels: list[str]) -> None:
        rows = []
        for channel in channels:
            self.made += 1
            rows.append(row(f"R{self.made:04}", event_id=f"e{event}", channel=channel, created_at=self.clock.time()))
        self.accepted.update(self.both("add", rows))

    @rule(target=claims, owner=st.sampled_from(OWNERS), start=st.integers(0, 20), many=st.integers(1, 6))
    def claim(self, owner: str, start: int, many: int) -> object:
        tokens = self.both("claim", [f"R{number:04}" for number in range(start, start + many)], owner, LEASE)
        now = self.clock.time()
        for each in tokens:
            holder, until = self.held.get(each, ("", 0.0))
            assert holder in ("", owner) or now >= until, "it was given to somebody while another had it"
            self.held[each] = (owner, now + LEASE)
        return multiple(*((each, owner, token) for each, token in tokens.items()))

    @rule(claim=claims, state=st.sampled_from(ENDS), digest=st.booleans(), number=st.integers(1, 3))
    def settle(self, claim: tuple[str, str, int], state: RowState, digest: bool, number: int) -> None:
        """A claim comes to its end, however long ago it was made; the same end may come twice."""
        name, owner, token = claim
        before = self.the_row(name)
        end = replace(before, token=token, state=state, attempts=number, reason=owner)
        attempt = Attempt(name, before.channel, number, self.clock.time(), "delivered", provider_id=owner)
        added: tuple[OutboxRow, ...] = ()
        if digest:
            self.made += 1
            added = (row(f"R{self.made:04}", event_id=f"d{self.made}", created_at=self.clock.time()),)
        refused = self.both("settle", [Settlement(end, (attempt,), Receipt(f"{name} {number}"), added)])
        assert bool(refused) == (before.token != token)
        if not refused:
            self.held.pop(name, None)
            self.accepted.update(each.id for each in added)

    @rule(seconds=st.sampled_from((1.0, LEASE - 1, LEASE, 600.0)))
    def time_passes(self, seconds: float) -> None:
        self.clock.tick(seconds)

    @rule(age=st.sampled_from((60.0, 1200.0)))
    def forget(self, age: float) -> None:
        """All that is old enough: which of those of one moment would go first is nobody's business."""
        old = {each.id: each for each in self._runner.run(self.model.rows(OutboxQuery(), 1000))}
        self.both("forget", self.clock.time() - age, 1000)
        left = {each.id for each in self._runner.run(self.model.rows(OutboxQuery(), 1000))}
        gone = old.keys() - left
        assert all(old[each].state not in (RowState.PENDING, RowState.DEAD) for each in gone)
        self.accepted -= gone

    @invariant()
    def both_hold_the_same_and_it_adds_up(self) -> None:
        rows = self.both("rows", OutboxQuery(), 1000)
        assert {each.id for each in rows} == self.accepted
        waiting = self.both("pending", 1000)
        assert {each.id for each in waiting} == {each.id for each in rows if each.state is RowState.PENDING}
        counts = self.both("counts", 0.0, NOON * 2)
        assert sum(sum(each.states.values()) for each in counts.values()) == len(rows)
        logs = [self._runner.run(each.attempts(1000)) for each in (self.store.outbox, self.model)]
        assert logs[0] == sorted(logs[0], key=lambda each: (each[1].at, each[0]), reverse=True)
        # Their numbers may have gaps.
        assert [attempt for _, attempt in logs[0]] == [attempt for _, attempt in logs[1]]


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "understudy.db"
    prepare(path)
    return path


def test_the_outbox_in_sqlite_does_what_the_one_in_memory_does(template):
    OutboxMachine.template = template
    bounds = settings(max_examples=12, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(OutboxMachine, settings=bounds)
