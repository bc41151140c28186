"""How SQLite finds what is asked of the history: by its keys, never by reading a table whole."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from understudy.monitor.rollup import TIERS, Bucket, SeriesName
from understudy.storage import StorageOptions, open_store
from understudy.testing import FakeClock

NOW = 1_795_629_600 + 1800


@pytest.fixture
async def store(tmp_path):
    made = open_store(StorageOptions(url=f"sqlite:///{tmp_path / 'a.db'}"), FakeClock(epoch=float(NOW)))
    bucket = Bucket()
    bucket.add_one(0.1)
    names = [SeriesName("api", f"a{number}") for number in range(3)]
    for tier in TIERS:
        starts = [NOW // tier * tier - back * tier for back in range(30)]
        await made.rollups.write({tier: [bucket.row(ts, name) for ts in starts for name in names]})
    await made.upkeep()
    yield made
    await made.close()


def plans(connection, work) -> list[tuple[str, list[str]]]:
    """Every statement that some work asks, with the steps by which it is answered."""
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        work(connection)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return [
        (words, [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values)])
        for words, values in asked
    ]


@pytest.mark.parametrize("chosen", [None, [1], [1, 2, 3]])
async def test_a_span_is_found_by_the_keys_of_its_tables(store, chosen):
    for tier in TIERS:
        wanted = (tier, chosen, NOW - 25 * tier, NOW + tier, None)
        told = await store.rollups._readers.read(
            lambda connection, wanted=wanted: plans(connection, lambda c: list(store.rollups.rows(c, wanted)))
        )
        assert any("SEARCH" in step for _, steps in told for step in steps)
        for words, steps in told:
            assert not [step for step in steps if "SCAN roll_" in step or "SCAN hot_" in step], (words, steps)
