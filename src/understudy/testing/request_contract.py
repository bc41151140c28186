# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `RequestStore` promises, as a suite: a subclass named `Test…` provides the fixtures.

`requests` is the store, which keeps `PER_API` entries of each API for `KEPT` seconds; its clock begins at
`NOON`, and `upkeep(seconds)` lets time pass and does what the store does by itself from time to time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from understudy.monitor.requests import Comparison, ErrorGroup, RequestEntry, RequestQuery

if TYPE_CHECKING:
    from understudy.monitor.ports import RequestStore

NOON = 1_800_000_000
PER_API, KEPT = 20, 3600


def entry(at: float, **changes: Any) -> RequestEntry:
    """A call at so many seconds after `NOON`."""
    made = RequestEntry(
        at=NOON + at, call_id=f"c{at}", route="matches", api="odds", outcome="success", latency=0.25, attempts=1,
        status=200, endpoint="GET /odds", instance="one", record={"attempts": [{"api": "odds"}]},
    )  # fmt: skip
    return replace(made, **changes)


FAILED: dict[str, Any] = {
    "outcome": "failed", "status": 503, "error_class": "provider", "error": "Service 100% Unavailable",
    "fingerprint": "f1",
}  # fmt: skip


async def times(requests: RequestStore, **query: Any) -> list[float]:
    """When the calls were that answer a query, in seconds after `NOON`."""
    return [each.at - NOON for each in await requests.search(RequestQuery(**query), 100)]


class RequestStoreContract:
    """The promises of `monitor.ports.RequestStore`."""

    async def test_an_entry_comes_back_as_it_was_kept_with_a_number(self, requests: RequestStore) -> None:
        full = entry(
            1.25, **FAILED, record={"attempts": [{"api": "odds", "n": 1.5}], "notes": ["é ✓"]},
            responses={"odds": {"status": 503, "headers": {"retry-after": "3"}}},
        )  # fmt: skip
        await requests.append([full], [])
        [found] = await requests.search(RequestQuery(), 10)
        assert found.id > 0
        assert replace(found, id=0) == full

    async def test_an_entry_without_api_status_or_record_can_be_kept(self, requests: RequestStore) -> None:
        bare = entry(1, api="", status=None, endpoint="", record={}, outcome="failed")
        await requests.append([bare], [])
        [found] = await requests.search(RequestQuery(), 10)
        assert replace(found, id=0) == bare

    async def test_entries_come_newest_first_and_page_by_page_without_gap_or_repeat(
        self, requests: RequestStore
    ) -> None:
        await requests.append([entry(number // 3) for number in range(10)], [])
        await requests.append([entry(number // 3) for number in range(10)], [])
        everything = await requests.search(RequestQuery(), 100)
        assert [each.cursor for each in everything] == sorted((each.cursor for each in everything), reverse=True)
        pages, before = [], None
        while page := await requests.search(RequestQuery(apis=("odds",)), 3, before):
            pages += page
            before = page[-1].cursor
        assert pages == everything
        assert len(pages) == 20

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [5, 4, 3, 2, 1]),
            ({"apis": ("odds",)}, [4, 3, 2, 1]),
            ({"apis": ("news",)}, [5, 3]),
            ({"apis": ("odds", "news")}, [5, 4, 3, 2, 1]),
            ({"apis": ("nobody",)}, []),
            ({"apis": ("nobody", "news")}, [5, 3]),
            ({"excluded_apis": ("news",)}, [4, 2, 1]),
            ({"excluded_apis": ("nobody",)}, [5, 4, 3, 2, 1]),
            ({"routes": ("matches",)}, [4, 3, 2, 1]),
            ({"excluded_routes": ("matches",)}, [5]),
            ({"routes": ("nobody",)}, []),
            ({"outcomes": ("failed", "fallback")}, [4, 3]),
            ({"excluded_outcomes": ("success",)}, [4, 3]),
            ({"error_classes": ("provider",)}, [4]),
            ({"endpoints": ("GET /news",)}, [5]),
            ({"status": (Comparison(">=", 500),)}, [4]),
            ({"status": (Comparison("!=", 200),)}, [4]),
            ({"status": (Comparison("=", 200), Comparison("<", 300))}, [5, 3, 2, 1]),
            ({"latency": (Comparison(">", 2.0),)}, [2]),
            ({"latency": (Comparison(">=", 2.0),)}, [3, 2]),
            ({"latency": (Comparison(">", 0.3), Comparison("<=", 2.0))}, [3]),
            ({"attempts": (Comparison(">", 1),)}, [3]),
            ({"text": ("service", "UNAVAIL")}, [4]),
            ({"text": ("100%",)}, [4]),
            ({"text": ("1%0",)}, []),
            ({"call_id": "c4"}, [4]),
            ({"fingerprint": "f1"}, [4]),
            ({"instance": "two"}, [5]),
            ({"start": NOON + 2.0, "end": NOON + 4.0}, [3, 2]),
            ({"apis": ("odds",), "start": NOON + 2.0, "end": NOON + 4.0, "outcomes": ("fallback",)}, [3]),
            ({"apis": ("news",), "routes": ("matches",), "status": (Comparison("=", 200),)}, [3]),
        ],
    )
    async def test_a_search_finds_what_was_asked_for(
        self, requests: RequestStore, query: dict[str, Any], found: list[float]
    ) -> None:
        away = {"attempts": [{"api": "odds"}, {"api": "news"}]}
        await requests.append(
            [
                entry(1),
                entry(2, latency=2.5),
                entry(3, outcome="fallback", api="news", attempts=2, latency=2.0, record=away),
                entry(4, **FAILED),
                entry(5, route="articles", api="news", endpoint="GET /news", instance="two", record={}),
            ],
            [],
        )
        assert await times(requests, **query) == found

    async def test_what_is_unknown_stands_no_comparison(self, requests: RequestStore) -> None:
        await requests.append([entry(1, status=None)], [])
        for operator in ("=", "!=", "<", ">="):
            assert await times(requests, status=(Comparison(operator, 500),)) == []

    async def test_facets_count_what_a_search_finds_and_say_when_there_is_more(self, requests: RequestStore) -> None:
        away = {"attempts": [{"api": "odds"}, {"api": "news"}]}
        group = ErrorGroup("f1", "odds", "provider", "Service ? Unavailable", NOON + 4.0, NOON + 9.0, 2)
        await requests.append(
            [
                entry(1),
                entry(3, outcome="fallback", api="news", attempts=2, record=away),
                entry(4, **FAILED),
                entry(9, **{**FAILED, "api": "", "status": None, "record": {}}),
            ],
            [group],
        )
        found = await requests.facets(RequestQuery(start=NOON, end=NOON + 10.0))
        assert (found.counted, found.complete) == (4, True)
        assert found.apis == (("odds", 3), ("news", 1))  # those that were tried, as a search for them finds
        assert found.routes == (("matches", 4),)
        assert found.outcomes == (("failed", 2), ("fallback", 1), ("success", 1))
        assert found.statuses == (("2xx", 2), ("5xx", 1))
        [error] = found.errors
        assert (error.fingerprint, error.count, error.message) == ("f1", 2, "Service ? Unavailable")
        assert (sum(each.good for each in found.over_time), sum(each.bad for each in found.over_time)) == (2, 2)
        assert found.over_time[0].at == NOON
        some = await requests.facets(RequestQuery(apis=("odds",)), 2)
        assert (some.counted, some.complete, some.outcomes) == (2, False, (("failed", 1), ("fallback", 1)))
        none = await requests.facets(RequestQuery(apis=("nobody",)))
        assert (none.counted, none.complete, none.over_time) == (0, True, ())

    async def test_counts_of_a_group_are_added(self, requests: RequestStore) -> None:
        first = ErrorGroup("f1", "odds", "provider", "down", NOON + 1.0, NOON + 2.0, 3)
        later = ErrorGroup("f1", "odds", "provider", "down again", NOON + 5.0, NOON + 6.0, 4)
        await requests.append([], [first, ErrorGroup("f2", "", "timeout", "late", NOON + 1.0, NOON + 1.0, 1)])
        await requests.append([], [later])
        both, other = await requests.groups(NOON, NOON + 10)
        assert (both.count, both.first_at, both.last_at, both.message) == (7, NOON + 1, NOON + 6, "down again")
        assert (other.fingerprint, other.api, other.count) == ("f2", "", 1)

    async def test_groups_are_those_of_the_span_and_api_most_frequent_first(self, requests: RequestStore) -> None:
        def group(name: str, api: str, first: float, last: float, count: int) -> ErrorGroup:
            return ErrorGroup(name, api, "provider", name, NOON + first, NOON + last, count)

        await requests.append(
            [], [group("a", "odds", 0, 10, 5), group("b", "news", 20, 30, 9), group("c", "odds", 5, 40, 7)]
        )
        assert [each.fingerprint for each in await requests.groups(NOON, NOON + 60)] == ["b", "c", "a"]
        assert [each.fingerprint for each in await requests.groups(NOON, NOON + 60, "odds")] == ["c", "a"]
        assert [each.fingerprint for each in await requests.groups(NOON, NOON + 60, limit=1)] == ["b"]
        assert [each.fingerprint for each in await requests.groups(NOON + 15, NOON + 20)] == ["c"]
        assert await requests.groups(NOON, NOON + 60, "nobody") == []

    async def test_what_is_too_old_goes(
        self, requests: RequestStore, upkeep: Callable[[float], Awaitable[None]]
    ) -> None:
        await requests.append([entry(0), entry(1800)], [ErrorGroup("a", "odds", "provider", "x", NOON, NOON + 9.0, 1)])
        await upkeep(KEPT + 60)
        assert await times(requests) == [1800]
        assert await times(requests, apis=("odds",)) == [1800]
        assert await requests.groups(NOON, NOON + KEPT) == []

    async def test_of_too_many_the_oldest_successes_go_first(
        self, requests: RequestStore, upkeep: Callable[[float], Awaitable[None]]
    ) -> None:
        await requests.append([entry(number, **FAILED) for number in range(5)], [])
        await requests.append([entry(10 + number) for number in range(PER_API)], [])
        await requests.append([entry(10 + number, api="news", record={}) for number in range(PER_API)], [])
        await upkeep(60)
        kept = await times(requests, apis=("odds",))
        assert len(kept) == PER_API
        assert kept[-5:] == [4, 3, 2, 1, 0], "the failures"
        assert kept[0] == 10 + PER_API - 1
        assert len(await times(requests, apis=("news",))) == PER_API
        await requests.append([entry(100 + number, **FAILED) for number in range(PER_API)], [])
        await upkeep(60)
        assert await times(requests, apis=("odds",)) == [100 + number for number in reversed(range(PER_API))]
