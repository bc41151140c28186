"""What goes next: the order within an alert, urgency between alerts, age in the end; and never faster than allowed."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.outbox import OutboxRow
from understudy.notifications.backoff import backoff, delay
from understudy.notifications.bucket import Bucket
from understudy.notifications.lanes import Lanes
from understudy.notifications.ports import Rate, Traits
from understudy.notifications.queue import OVERTAKEN_AT_MOST

WALL = 1_800_000_000.0


def row(number: int, priority: int, alert: int, created: float) -> OutboxRow:
    notice = Notice(f"e{number}", NoticeKind.REMINDER, Severity.INFO, created, "x")
    return OutboxRow(
        id=f"{number:026d}",
        event_id=notice.event_id,
        channel="pager",
        destination="pager",
        kind=notice.kind,
        severity=notice.severity,
        priority=priority,
        created_at=created,
        detected_at=created,
        deadline_at=created + 1e6,
        notice=notice,
        fingerprint=f"a{alert}",
        pager=True,
    )


arrivals = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.floats(0.0, 40.0)), min_size=1, max_size=60)


@given(arrivals=arrivals, per_second=st.sampled_from([0.05, 0.3, 2.0]))
def test_order_urgency_and_age(arrivals, per_second):
    lanes = Lanes(random.Random(1))
    traits = Traits("memory", "pager", Rate(per_second), pager=True)
    lanes.set_channels({"pager": traits}, 0.0)
    coming, at = [], 0.0
    for number, (priority, alert, gap) in enumerate(arrivals):
        at += gap
        coming.append(row(number, priority, alert, WALL + at))
    now, waiting, sent = 0.0, {}, []
    while coming or waiting:
        while coming and coming[0].created_at <= WALL + now:
            each = coming.pop(0)
            waiting[each.id] = each
            assert lanes.add(each, now, WALL + now)
        for lane, item in lanes.due(now).sends:
            _is_the_right_one(item.row, waiting, WALL + now)
            del waiting[item.row.id]
            sent.append(now)
            lanes.ended(lane)
            lanes.remove(item, now)
        moments = [moment for moment in (lanes.next_at(now),) if moment is not None]
        moments += [coming[0].created_at - WALL] if coming else []
        assert moments or not waiting, "something waits and nothing will wake it"
        if moments:
            assert min(moments) > now or not waiting, "a turn that does nothing asks for another at once"
            now = max(now, min(moments))
    for early, late in pairwise(sent):
        assert late - early >= 1.0 / per_second - 1e-6


def _is_the_right_one(chosen: OutboxRow, waiting: dict[str, OutboxRow], wall: float) -> None:
    chains: dict[str, list[OutboxRow]] = {}
    for each in sorted(waiting.values(), key=lambda each: each.id):
        chains.setdefault(each.fingerprint, []).append(each)
    assert chains[chosen.fingerprint][0] is chosen, "an alert's events out of order"
    heads = {name: (min(each.priority for each in chain), chain[0]) for name, chain in chains.items()}

    def rank(name: str) -> tuple[int, str]:
        urgency, head = heads[name]
        return (0 if wall - head.created_at >= OVERTAKEN_AT_MOST - 1e-6 else urgency, head.id)

    best = min(heads, key=rank)
    just_aged = abs(wall - heads[best][1].created_at - OVERTAKEN_AT_MOST) < 1e-3
    assert rank(chosen.fingerprint) <= rank(best) or just_aged, f"{chosen.id} went before {heads[best][1].id}"


@given(
    rate=st.builds(Rate, st.floats(0.1, 20.0), st.integers(1, 10), st.one_of(st.none(), st.integers(1, 30))),
    waits=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=80),
)
def test_a_destination_never_gets_more_than_its_rate(rate, waits):
    bucket, now, taken = Bucket(rate, 0.0), 0.0, []
    for wait in waits:
        now = max(now + wait, bucket.ready_at(now + wait))
        bucket.take(now)
        taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            count, span = last - first + 1, taken[last] - start
            assert count <= rate.burst + rate.per_second * span + 1e-6
            if rate.per_minute is not None and span < 60.0 - 1e-6:
                assert count <= rate.per_minute


@given(failures=st.integers(1, 10_000), seed=st.integers(0, 2**32))
def test_the_backoff_is_between_half_and_all_of_its_full_length(failures, seed):
    full = min(300.0, 2.0 ** min(failures - 1, 20))
    assert full / 2 <= backoff(failures, random.Random(seed)) <= full


@given(failures=st.integers(1, 20), after=st.one_of(st.none(), st.floats()), seed=st.integers(0, 2**32))
def test_what_a_service_asks_for_is_never_undercut_nor_believed_without_end(failures, after, seed):
    own = backoff(failures, random.Random(seed))
    wait = delay(failures, after, random.Random(seed))
    assert wait >= own
    if after is not None and 0 <= after <= 86_400.0:
        assert wait == max(own, after)
    assert wait <= 86_400.0
