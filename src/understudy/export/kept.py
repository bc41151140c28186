"""The store's own numbers for `/metrics`: whether what is recorded is kept, and what was given up."""

from __future__ import annotations

from collections.abc import Mapping

from .prometheus_text import Family, Labels

Numbers = tuple[Family, list[tuple[Labels, float]]]

_P = "understudy_"
BYTES = Family(_P + "db_bytes", "gauge", "Size of the store's files in bytes; 0 where it has none.")
WRITABLE = Family(_P + "db_writable", "gauge", "1 while what is recorded reaches the store.")
STATISTICS = Family(_P + "db_statistics_written", "gauge", "1 while history is written; 0 when the disk is full.")
WAITING = Family(_P + "db_waiting_rows", "gauge", "Rows of history that wait in memory for the store.")
COMMITTED = Family(_P + "db_last_commit_timestamp_seconds", "gauge", "When the store last committed, epoch seconds.")
LEADER = Family(_P + "leader", "gauge", "1 while this instance holds the role.")
REPORTING = Family(_P + "reporting_instances", "gauge", "Processes that report their numbers here and are not away.")


def kept_numbers(
    state: Mapping[str, object], roles: tuple[str, ...]
) -> list[tuple[Family, list[tuple[Labels, float]]]]:
    """The families; `state` is what the status shows of the store, roles and instances."""
    store, held, instances = state["store"], state["roles"], state["instances"]
    if not isinstance(store, Mapping) or not isinstance(held, Mapping) or not isinstance(instances, list):
        return []
    numbers: list[Numbers] = [
        (BYTES, [((), float(store["bytes"]))]),
        (WRITABLE, [((), float(store["writable"]))]),
        (STATISTICS, [((), float(store["statistics"]))]),
        (WAITING, [((), float(store["waiting"]))]),
        (LEADER, [((("role", role),), float(role in held)) for role in roles]),
        (REPORTING, [((), float(sum(not each["away"] for each in instances)))]),
    ]
    if store["last_commit_at"] is not None:
        numbers.append((COMMITTED, [((), float(store["last_commit_at"]))]))
    return numbers


def kept_dropped(state: Mapping[str, object]) -> list[tuple[Labels, float]]:
    """What the store gave up to keep memory bounded: rows of `understudy_dropped_records_total`."""
    store = state["store"]
    if not isinstance(store, Mapping):
        return []
    return [
        ((("kind", "history"),), float(store["dropped"])),
        ((("kind", "request"),), _number(state["requests_dropped"])),
    ]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
