"""Rollup buckets: merging, storing and reading back, against the events themselves."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.types import OutcomeClass
from understudy.monitor.histogram import digest
from understudy.monitor.rollup import (
    Bucket,
    SeriesName,
    add_histogram,
    decode_classes,
    decode_histogram,
    encode_classes,
    encode_histogram,
    key_of,
    quantiles_of,
    value_of,
)

API = SeriesName("api", "odds")
durations = st.floats(1e-6, 10_000, allow_nan=False)


def bucket_of(batch, kinds=None, neutral=0) -> Bucket:
    bucket = Bucket()
    bucket.add(digest(batch), kinds, neutral, batch)
    return bucket


@given(durations)
def test_a_stored_duration_is_within_3_2_percent(seconds):
    assert value_of(key_of(seconds)) == pytest.approx(seconds, rel=0.032)


@given(st.lists(durations, min_size=1, max_size=300))
def test_quantiles_of_a_bucket_are_within_3_2_percent_of_the_nearest_rank(batch):
    ordered = sorted(batch)
    for share, found in zip((0.5, 0.95, 0.99), bucket_of(batch).quantiles((0.5, 0.95, 0.99)), strict=True):
        rank = max(1, -(-round(share * 100) * len(batch) // 100))
        assert found == pytest.approx(ordered[rank - 1], rel=0.032, abs=1e-6)


@given(st.lists(durations, max_size=100), st.lists(durations, max_size=100))
def test_merging_is_the_same_as_counting_together(first, second):
    merged = bucket_of(first)
    merged.merge(bucket_of(second))
    together = bucket_of([*first, *second])
    assert merged.hist == together.hist
    assert (merged.n, merged.ok, merged.lat_min_us, merged.lat_max_us) == (
        together.n,
        together.ok,
        together.lat_min_us,
        together.lat_max_us,
    )
    assert merged.lat_sum_us == pytest.approx(together.lat_sum_us, abs=2)


@given(st.dictionaries(st.integers(0, 8191), st.integers(1, 2**40), max_size=60))
def test_a_histogram_survives_storing(hist):
    blob = encode_histogram(hist)
    assert (decode_histogram(blob) if blob else Counter()) == Counter(hist)


@given(st.dictionaries(st.tuples(st.booleans(), st.sampled_from([c.value for c in OutcomeClass])), st.integers(1, 999)))
def test_a_breakdown_survives_storing(classes):
    blob = encode_classes(classes)
    assert (decode_classes(blob) if blob else {}) == classes


@given(st.lists(durations, max_size=50), st.integers(0, 5), st.integers(0, 5))
def test_a_row_taken_in_again_is_the_bucket(batch, failed, neutral):
    kinds = {}
    if failed:
        kinds[False, "timeout", "provider"] = failed
    if neutral:
        kinds[True, "caller", "caller"] = neutral
    before = bucket_of([*batch, *[-1.5] * failed], kinds or None, neutral)
    row = before.row(1_700_000_000, API)
    again = Bucket()
    again.take_in(row)
    assert again.row(1_700_000_000, API) == row
    assert row.n == len(batch) + failed + neutral
    assert row.err_lat_sum_us == failed * 1_500_000


def test_failures_never_enter_the_histogram():
    bucket = bucket_of([0.1, -9.0, 0.3, float("-inf")])
    assert sum(bucket.hist.values()) == 2
    assert (bucket.lat_min_us, bucket.lat_max_us) == (100_000, 300_000)
    assert (bucket.n, bucket.ok, bucket.err) == (4, 2, 2)


def test_merging_an_empty_bucket_does_not_lower_the_minimum():
    bucket = bucket_of([0.5])
    bucket.merge(bucket_of([-1.0]))
    assert bucket.lat_min_us == 500_000


@pytest.mark.parametrize(
    "blob", [b"", b"\x01\x01\x01", b"\x06\x00\x00\x01", b"\x02", b"\x02\x01\x00", b"\x03\x01\x00\x05"]
)
def test_a_histogram_of_another_layout_or_a_cut_one_is_refused(blob):
    with pytest.raises(ValueError, match=r"layout|cut"):
        decode_histogram(blob)


@pytest.mark.parametrize("blob", [b"", b"\x02\x01\x01", b"\x01\x80", b"\x01\x81\x80"])
def test_a_breakdown_of_another_layout_or_a_cut_one_is_refused(blob):
    with pytest.raises(ValueError, match=r"layout|cut"):
        decode_classes(blob)


@pytest.mark.parametrize(("most", "width"), [(255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32, 8)])
def test_counts_are_as_wide_as_the_largest_of_them(most, width):
    assert len(encode_histogram({1900: 1, 1901: most})) == 3 + 1 + 2 * width


@given(
    st.dictionaries(st.integers(0, 8191), st.integers(1, 300), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 8191), st.integers(1, 300), min_size=1, max_size=40),
)
def test_stored_histograms_add_up(one, other):
    into = Counter()
    told = [add_histogram(encode_histogram(each), into) for each in (one, other)]
    assert told == [sum(one.values()), sum(other.values())]
    assert into == Counter(one) + Counter(other)


@given(
    st.dictionaries(st.integers(0, 4000), st.integers(0, 50), max_size=40), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0])
)
def test_a_quantile_is_the_nearest_rank(hist, share):
    events = sorted(key for key, times in hist.items() for _ in range(times))
    (found,) = quantiles_of(hist, (share,))
    assert found == (value_of(events[max(1, math.ceil(share * len(events) - 1e-9)) - 1]) if events else None)


def test_no_samples_no_quantiles():
    assert Bucket().quantiles((0.5, 0.99)) == (None, None)
    assert quantiles_of({}, (0.5,)) == (None,)


def test_sixty_requests_take_some_seventy_bytes():
    rng = random.Random(1)
    sizes = [len(encode_histogram(bucket_of([rng.lognormvariate(-2, 0.5) for _ in range(60)]).hist)) for _ in range(50)]
    assert sum(sizes) / len(sizes) < 90
