"""What waits to be written of the history: the newest numbers of each bucket, up to a limit, none twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from understudy.monitor.rollup import TIERS, Bucket, Row, SeriesName
from understudy.storage.spool import Spool

SIZES = dict.fromkeys(TIERS, 3)


def row(ts: int, n: int = 1, name: str = "a") -> Row:
    bucket = Bucket()
    bucket.n = n
    return bucket.row(ts, SeriesName("api", name))


def everything(spool: Spool) -> list[tuple[int, int, int]]:
    """Tier, start and number of what comes out, in its order."""
    found = []
    while True:
        tier, rows = spool.peek(SIZES)
        if not rows:
            return found
        found += [(tier, each.ts, each.n) for each in rows]
        spool.done(tier, rows, 0.0)


def test_the_finest_goes_first_and_the_oldest_of_a_tier():
    spool = Spool(100)
    spool.put({60: [row(0), row(60)], 10: [row(0), row(10), row(20), row(30)]})
    assert everything(spool) == [(10, 0, 1), (10, 10, 1), (10, 20, 1), (10, 30, 1), (60, 0, 1), (60, 60, 1)]
    assert len(spool) == 0


def test_of_one_bucket_only_the_newest_numbers_wait():
    spool = Spool(100)
    spool.put({10: [row(0, 1), row(10, 1)]})
    spool.put({10: [row(0, 5), row(0, 5, "b")]})
    assert everything(spool) == [(10, 0, 5), (10, 10, 1), (10, 0, 5)]


def test_what_was_replaced_while_it_was_written_waits_on():
    spool = Spool(100)
    spool.put({10: [row(0, 1)]})
    tier, rows = spool.peek(SIZES)
    spool.put({10: [row(0, 2)]})
    spool.done(tier, rows, 0.0)
    assert everything(spool) == [(10, 0, 2)]


def test_beyond_the_limit_the_oldest_of_the_finest_tier_go():
    spool = Spool(6)
    spool.put({60: [row(60 * n) for n in range(4)], 10: [row(10 * n) for n in range(4)]})
    assert (len(spool), spool.dropped) == (6, 2)
    assert everything(spool)[:2] == [(10, 20, 1), (10, 30, 1)]
    spool.put({60: [row(60 * n) for n in range(9)]})
    assert (len(spool), spool.dropped) == (6, 5)
    assert [ts for _, ts, _ in everything(spool)] == [60 * n for n in range(3, 9)]


def test_what_waits_can_be_looked_at():
    spool = Spool(100)
    spool.put({10: [row(0), row(10), row(20)]})
    assert sorted(ts for ts, _ in spool.within(10, 5, 20)) == [10]
    assert (spool.last(10), spool.last(60)) == (20, None)


def test_what_was_written_in_the_last_seconds_can_be_written_again_with_its_newest_numbers():
    spool = Spool(100, remember=5.0)
    for at, n in ((0.0, 1), (7.0, 2), (8.0, 3)):
        spool.put({10: [row(0, n), row(10 * n, n)]})
        spool.done(*spool.peek(dict.fromkeys(TIERS, 100)), at)
    spool.put({10: [row(20, 9)]})
    spool.again(10.0)
    assert sorted(everything(spool)) == [(10, 0, 3), (10, 20, 9), (10, 30, 3)]
    spool.again(10.0)
    assert len(spool) == 0, "once is enough"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 5), st.integers(1, 1000)),
            st.tuples(st.just("write"), st.just(0), st.just(0)),
            st.tuples(st.just("fail"), st.just(0), st.just(0)),
        ),
        max_size=80,
    )
)
def test_at_the_end_the_newest_of_everything_was_written_last(steps):
    spool = Spool(1000, remember=1e9)
    newest: dict[int, int] = {}
    written: dict[int, int] = {}

    def write(rows: list[Row]) -> None:
        written.update({each.ts: each.n for each in rows})

    for what, key, n in steps:
        if what == "put":
            newest[10 * key] = n
            spool.put({10: [row(10 * key, n)]})
        elif what == "write":
            tier, rows = spool.peek(SIZES)
            write(rows)
            spool.done(tier, rows, 0.0)
        else:
            written.clear()  # the server has forgotten everything
            spool.again(0.0)
    while len(spool):
        tier, rows = spool.peek(SIZES)
        write(rows)
        spool.done(tier, rows, 0.0)
    assert written == newest
