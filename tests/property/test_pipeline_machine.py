"""The whole pipeline under everything that can happen to it: failing channels, crashes, an absent store, clocks.

Whatever the order of events: nothing that was accepted is lost or told twice without saying so, the events of an
alert keep their order, no destination is asked again before it said, and the account is exact.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from pipeline import Bench, FlakyOutbox, MemoryState, alert
from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow, RowState
from understudy.notifications.message import Degrade, Delivered, Message, Rejected, Retry
from understudy.notifications.ports import Rate
from understudy.testing import FakeClock
from understudy.testing.memory_channel import HANGS

CHANNELS = {
    "chat": {"rate": Rate(1.0, burst=3), "fallback": "mail"},
    "mail": {"destination": "smtp", "concurrency": 2, "living": "thread"},
    "copy": {"destination": "smtp", "rate": Rate(0.5, burst=2, per_minute=20), "resolves": False},
    "pager": {"pager": True, "rate": Rate(2.0)},
}
OUTCOMES = st.sampled_from(
    [
        Delivered(),
        Delivered(pause=7.0),
        Retry("500"),
        Retry("dropped", ambiguous=True),
        Retry("429", after=20.0),
        Retry("429", after=90.5),
        Degrade("400"),
        Rejected("no"),
        Rejected("gone", "endpoint"),
        HANGS,
        4.0,
        OSError("reset"),
    ]
)


class PipelineMachine(RuleBasedStateMachine):
    """A manager on a store that survives it, beside what was accepted and what channels saw."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = FakeClock(auto=False)
        self.store = FlakyOutbox(self.clock)
        self.state = MemoryState()
        self.accepted: dict[str, OutboxRow] = {}
        self.episodes: dict[str, tuple[int, bool]] = {}
        #: Per channel, every message it was given, with whether it took it.
        self.seen: dict[str, list[tuple[Message, bool]]] = {name: [] for name in CHANNELS}
        #: Per destination: when it said so, and not to be asked again before (monotonic).
        self.closed_until: dict[str, tuple[float, float]] = {}
        self.faults: list[str] = []
        self.revision = self.starts = 0
        #: By how much the clock was set back in all, s.
        self.set_back = 0.0
        self._begin()

    def _begin(self) -> None:
        channels = [(name, {**traits, "revision": str(self.revision)}) for name, traits in CHANNELS.items()]
        self.starts += 1
        self.bench = Bench(*channels, store=self.store, clock=self.clock, state=self.state, seed=self.starts)
        for name, channel in self.bench.channels.items():
            self._watch(name, channel)
        self.runner.run(self.bench.start())

    def _watch(self, name: str, channel) -> None:
        """Look at every send of a channel."""
        send, destination = channel.send, channel.traits.destination

        async def watched(message: Message):
            now = self.clock.monotonic()
            said_at, until = self.closed_until.get(destination, (now, 0.0))
            if said_at < now < until - 1e-6:  # what goes out in the very moment of the answer cannot know of it
                self.faults.append(f"{name} was asked {until - now:.3f} s too early")
            entry = len(self.seen[name])
            self.seen[name].append((message, False))
            outcome = await send(message)
            self.seen[name][entry] = (message, isinstance(outcome, Delivered))
            after = outcome.after if isinstance(outcome, Retry) else getattr(outcome, "pause", 0.0)
            until = self.clock.monotonic() + (after or 0.0)
            if until > self.closed_until.get(destination, (0.0, 0.0))[1]:
                self.closed_until[destination] = (self.clock.monotonic(), until)
            return outcome

        channel.send = watched

    # -- what happens -----------------------------------------------------------------------------

    @rule(which=st.integers(0, 3), severity=st.sampled_from(["critical", "warning", "info"]))
    def an_alert_moves(self, which: int, severity: str) -> None:
        """Fires, is remembered, resolves: whatever comes next."""
        if self.store.down:
            return
        name = f"a{which}"
        count, firing = self.episodes.get(name, (0, False))
        kind = NoticeKind.FIRED if not firing else [NoticeKind.REMINDER, NoticeKind.RESOLVED][count % 2]
        self.episodes[name] = (count + 1, kind is not NoticeKind.RESOLVED)
        self._tell(alert(name, kind, severity=severity, nth=count, at=self.clock.time()))

    @rule(severity=st.sampled_from(["critical", "warning"]))
    def a_flood(self, severity: str) -> None:
        if not self.store.down:
            base = len(self.accepted)
            notices = [alert(f"f{base}-{n}", severity=severity, at=self.clock.time()) for n in range(25)]
            self._tell(*notices)

    def _tell(self, *notices) -> None:
        rows = self.runner.run(self.bench.tell(*notices, leased=len(self.accepted) % 2 == 0))
        self.accepted.update((row.id, row) for row in rows)

    @rule(name=st.sampled_from(sorted(CHANNELS)), outcomes=st.lists(OUTCOMES, min_size=1, max_size=6))
    def a_channel_will_answer(self, name: str, outcomes) -> None:
        self.bench.channels[name].script.extend(outcomes)

    @rule(seconds=st.sampled_from([0.01, 0.7, 3.0, 15.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.runner.run(self.clock.advance(seconds))

    @rule(seconds=st.sampled_from([-3600.0, 3600.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        """Also while rows are leased: one of a clock that was set back counts as over."""
        self.clock.jump_wall(seconds)
        self.set_back += max(0.0, -seconds)
        self.closed_until.clear()  # a pause that a restart takes up again is in wall time

    @rule()
    def it_crashes(self) -> None:
        """Everything in memory is gone; sends that ran may have arrived."""
        self.runner.run(self.bench.stop())
        # What was answered in the very moment of the crash is known to nobody.
        now = self.clock.monotonic()
        self.closed_until = {name: said for name, said in self.closed_until.items() if said[0] < now}
        self._begin()

    @rule()
    def it_restarts(self) -> None:
        self.runner.run(self._end())
        self._begin()

    async def _end(self) -> None:
        await self.bench.answer(self.bench.manager.stop(3.0))
        await self.bench.stop()

    @precondition(lambda self: not self.store.down)
    @rule()
    def the_store_goes(self) -> None:
        self.store.down = True

    @precondition(lambda self: self.store.down)
    @rule()
    def the_store_returns(self) -> None:
        self.store.down = False

    @rule(pick=st.integers(0, 1000))
    def a_dead_letter_is_replayed(self, pick: int) -> None:
        dead = [row for row in self.store._rows.values() if row.state is RowState.DEAD]
        if dead and not self.store.down:
            self.runner.run(self.bench.manager.replay(dead[pick % len(dead)].id, actor="somebody"))

    # -- what always holds ------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_the_account_is_exact(self) -> None:
        if not hasattr(self, "store"):
            return
        kept = self.store._rows
        assert set(self.accepted) <= set(kept)
        for row in kept.values():
            if row.state is RowState.DIGESTED:
                assert row.told_in in kept, "told in a message that is not there"
            if row.state in (RowState.DEAD, RowState.SUPPRESSED):
                assert row.reason
        account, rows = self.runner.run(self._account())
        assert account.missing == 0
        assert account.rows == rows

    async def _account(self):
        return await self.bench.manager.accounting(0.0, 4e9), len(self.store._rows)

    @invariant()
    def no_destination_is_asked_too_early(self) -> None:
        assert not getattr(self, "faults", []), self.faults

    @invariant()
    def repeats_say_so_and_order_is_kept(self) -> None:
        places = {row_id: place for place, row_id in enumerate(getattr(self, "accepted", {}))}
        for name, seen in getattr(self, "seen", {}).items():
            arrived: set[str] = set()
            last: dict[str, int] = {}
            for message, taken in seen:
                if message.id in arrived:
                    assert message.repeat, f"{name} got {message.id} twice and was not told"
                if not taken:
                    continue
                fingerprint = message.notice.fingerprint
                place = places.get(message.id)
                if place is not None and message.id not in arrived and not self._replayed(message.id):
                    assert last.get(fingerprint, -1) < place, f"{name} got events of {fingerprint} out of order"
                    last[fingerprint] = place
                arrived.add(message.id)

    def _replayed(self, row_id: str) -> bool:
        return self.store._rows[row_id].reason.startswith("replayed") or row_id in self._ever_dead()

    def _ever_dead(self) -> set[str]:
        log = self.store._attempts.values()
        return {attempt.row for _, attempt in log if attempt.result in ("rejected", "degrade")}

    def _left(self) -> list[OutboxRow]:
        return [row for row in self.store._rows.values() if row.state is RowState.PENDING]

    def teardown(self) -> None:
        """When all works again, everything comes to an end by itself."""
        if not hasattr(self, "store"):
            return
        try:
            self.store.down = False
            self.runner.run(self._end())
            self.revision += 1
            self._begin()
            self.runner.run(self.clock.advance(700.0))
            if self._left():  # a pause told by a clock ahead, that outlived its process, is longer
                self.runner.run(self.clock.advance(self.set_back))
            assert not self._left(), self._left()
            self.nothing_is_lost_and_the_account_is_exact()
            self.repeats_say_so_and_order_is_kept()
            self.no_destination_is_asked_too_early()
            self.runner.run(self.bench.stop())
        finally:
            self.runner.close()


TestPipelineMachine = PipelineMachine.TestCase
TestPipelineMachine.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
