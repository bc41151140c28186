"""The chain of the audit log: whatever is changed, taken out, added or moved is found."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from understudy.core.audit import AuditEntry, AuditRecord, canonical, first_fault, follow

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
entries = st.builds(
    AuditEntry, st.floats(0, 2e9), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), values, values,
    st.text(max_size=8),
)  # fmt: skip


def chain(some: list[AuditEntry]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for entry in some:
        records.append(follow((records[-1].seq, records[-1].hash) if records else None, entry))
    return records


@given(st.lists(entries, max_size=6))
def test_a_chain_as_it_was_made_has_no_fault(some):
    assert first_fault(chain(some)) == ""


@given(st.lists(entries, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_whatever_is_done_to_a_row_is_found(some, rng: random.Random):
    records = chain(some)
    place = rng.randrange(len(records))
    record = records[place]
    done = rng.choice(["actor", "action", "at", "after", "hash", "prev", "remove", "repeat", "swap"])
    if done in ("actor", "action"):
        records[place] = record._replace(entry=replace(record.entry, **{done: getattr(record.entry, done) + "x"}))
    elif done == "at":
        records[place] = record._replace(entry=replace(record.entry, at=record.entry.at + 0.001))
    elif done == "after":
        records[place] = record._replace(entry=replace(record.entry, after=[record.entry.after]))
    elif done == "hash":
        records[place] = record._replace(hash="0" * 64)
    elif done == "prev":
        records[place] = record._replace(prev_hash="1" * 64)
    elif done == "remove":
        place = rng.randrange(len(records) - 1)
        del records[place]
    elif done == "repeat":
        records.insert(place, record)
    else:
        other = (place + 1) % len(records)
        records[place], records[other] = records[other], records[place]
    fault = first_fault(records)
    assert fault.startswith("row ")


@given(values)
def test_the_text_of_a_value_is_always_the_same(value):
    import json

    again = json.loads(canonical(value))
    assert canonical(again) == canonical(value)
