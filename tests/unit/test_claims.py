"""Who sends a row: what is leased, how much of it is told as a possible repeat after a crash, and how seldom the
store is asked."""

from __future__ import annotations

import pytest

from pipeline import Bench, Outbox, alert
from understudy.core.clock import pause
from understudy.core.notices import NoticeKind
from understudy.core.outbox import RowState
from understudy.notifications.message import Retry
from understudy.notifications.ports import Rate
from understudy.testing.memory_channel import HANGS

FIRED, RESOLVED = NoticeKind.FIRED, NoticeKind.RESOLVED


def leased(rows) -> list[str]:
    return [row.notice.title.split()[0] for row in rows if row.owner]


@pytest.mark.parametrize(
    ("traits", "most"),
    [({}, 1), ({"concurrency": 3}, 3), ({"concurrency": 9, "rate": Rate(1.0, burst=4)}, 4),
     ({"concurrency": 9, "rate": Rate(9.0, burst=9, per_minute=2)}, 2)],
    ids=["one by one", "three at once", "four by its rate", "two by the minute"],
)  # fmt: skip
def test_of_many_that_are_kept_together_only_those_that_go_at_once_are_leased(traits, most):
    async def run(bench: Bench) -> None:
        rows = await bench.tell(*(alert(f"n{n:03}") for n in range(200)), leased=True)
        assert leased(rows) == [f"n{n:03}" for n in range(most)]

    Bench.run(run, ("chat", {"digests": False, **traits}))


def test_the_most_urgent_is_leased_and_of_one_alert_only_what_goes_first():
    async def run(bench: Bench) -> None:
        manager = bench.manager
        planned = [
            *manager.plan(alert("small", severity="info")),
            *manager.plan(alert("large")),
            *manager.plan(alert("large", RESOLVED)),
            *manager.plan(alert("other")),
        ]
        rows = manager.leased(planned)
        assert [(row.notice.title.split()[0], row.kind) for row in rows if row.owner] == [
            ("large", FIRED), ("other", FIRED),
        ]  # fmt: skip

    Bench.run(run, ("chat", {"concurrency": 2}))


def test_nothing_is_leased_that_has_to_wait():
    async def run(bench: Bench) -> None:
        bench.channels["busy"].script.append(HANGS)
        bench.channels["paused"].script.append(Retry("429", after=40.0))
        bench.channels["down"].script.extend([Retry("500", after=0.0)] * 5)
        await bench.tell(alert("before"))
        await bench.clock.advance(8.0)
        assert leased(await bench.tell(alert("next"), leased=True)) == ["next"]  # of the channel that is idle
        assert leased(await bench.tell(alert("before", RESOLVED), targets=["busy"], leased=True)) == []

    Bench.run(run, "busy", "paused", "down", "idle")


def test_what_was_never_tried_is_not_told_as_a_repeat_after_a_crash():
    """A lease means that it may have been sent: there are no more of them than sends at once."""

    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.extend([HANGS] * 2)
        rows = await bench.tell(*(alert(f"n{n:03}") for n in range(60)), leased=True)
        await bench.turn()
        assert len(bench.channels["chat"].sent) == 2
        await bench.stop()
        after = Bench(("chat", {"concurrency": 2, "digests": False}), store=bench.store, clock=bench.clock)
        await after.start()
        await after.clock.advance(5.0)
        assert len(after.channels["chat"].delivered) == 58, "nobody waits for the leases of others"
        await after.clock.advance(60.0)
        sent = after.channels["chat"].delivered
        assert [row.state for row in await bench.rows(rows)] == [RowState.DELIVERED] * 60
        repeats = {each.id for each in sent if each.repeat}
        assert repeats == {each.id for each in bench.channels["chat"].sent}
        await after.stop()

    Bench.run(run, ("chat", {"concurrency": 2, "digests": False}))


def test_a_clock_that_was_set_back_makes_nobody_wait_for_a_lease_of_the_dead():
    async def run(bench: Bench) -> None:
        bench.channels["chat"].script.append(HANGS)
        rows = await bench.tell(alert("a"), leased=True)
        await bench.turn()
        await bench.stop()
        bench.clock.jump_wall(-3000.0)
        after = Bench("chat", store=bench.store, clock=bench.clock)
        await after.start()
        await after.clock.advance(61.0)
        assert [row.state for row in await bench.rows(rows)] == [RowState.DELIVERED]
        assert [each.repeat for each in after.channels["chat"].delivered] == [True]
        await after.stop()

    Bench.run(run, "chat")


class SlowOutbox(Outbox):
    """An outbox whose every commit takes a second, as many at a time as there are."""

    async def claim(self, ids, owner, seconds):
        await pause(self.clock, 1.0)
        return await super().claim(ids, owner, seconds)

    async def settle(self, settlements):
        await pause(self.clock, 1.0)
        return await super().settle(settlements)

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.clock = clock


def test_what_was_sent_is_recorded_while_the_next_is_claimed():
    """The store commits together what it is given together: one commit for each message, and not two."""

    async def run(bench: Bench) -> None:
        rows = await bench.tell(*(alert(f"n{n}") for n in range(10)))
        await bench.clock.advance(12.0)
        assert {row.state for row in await bench.rows(rows)} == {RowState.DELIVERED}

    Bench.run(run, ("chat", {"digests": False}), store=SlowOutbox)


def test_what_is_ours_by_its_commit_waits_for_no_claim_of_others():
    async def run(bench: Bench) -> None:
        rows = [
            *bench.manager.plan(alert("kept"), targets=["slow"]),
            *bench.manager.leased(bench.manager.plan(alert("mine"), targets=["fast"])),
        ]
        await bench.store.add(rows)
        bench.manager.accept(rows)
        await bench.clock.advance(0.1)
        assert [len(each.sent) for each in bench.channels.values()] == [0, 1]
        await bench.clock.advance(5.0)
        assert [len(each.sent) for each in bench.channels.values()] == [1, 1]

    Bench.run(run, "slow", "fast", store=SlowOutbox)
