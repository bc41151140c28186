"""How SQLite finds what is asked of the history: by its keys, never by reading a table whole."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

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


async def test_a_span_is_found_by_the_keys_of_its_table(store):
    def plan(connection, tier, chosen):
        rows = store.rollups.source(connection, (tier, chosen, NOW - 25 * tier, NOW + tier, None))
        words = str(rows.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")]

    for tier in TIERS:
        for chosen in (None, [1], [1, 2, 3]):
            steps = await store.rollups._readers.read(lambda connection, t=tier, c=chosen: plan(connection, t, c))
            assert any(step.startswith("SEARCH") for step in steps), (tier, chosen, steps)
            assert not [step for step in steps if "SCAN roll_" in step or "SCAN hot_" in step], (tier, chosen, steps)
