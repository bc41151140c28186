# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `StateStore`, `AuditLog` and `LeaseStore` promises, as suites: a subclass named `Test…` has the fixtures.

class TestMine(StateStoreContract):
    @pytest.fixture
    def state(self): return MyState()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from understudy.core.audit import GENESIS, AuditEntry, AuditLog, chain_hash, first_fault
from understudy.core.secrets import MASK, Secret

if TYPE_CHECKING:
    from understudy.cluster.ports import LeaseStore
    from understudy.resilience.ports import StateStore

#: Length of the leases in the suite, s: a store with a real server really waits for their end.
TTL = 0.5


class StateStoreContract:
    """The promises of `resilience.ports.StateStore`."""

    async def test_nothing_is_there_at_first(self, state: StateStore) -> None:
        assert await state.load() == {}
        assert await state.load("quota/") == {}

    async def test_values_come_back_as_they_were_kept(self, state: StateStore) -> None:
        values: dict[str, Any] = {
            "a": 1, "b": 1.5, "c": "text ✓ “'\\", "d": [1, [2, {"x": None}]], "e": {"y": True},
            "f": "", "g": 0, "h": False,
        }  # fmt: skip
        await state.save(values)
        assert await state.load() == values

    async def test_a_value_is_replaced_and_none_forgets_it(self, state: StateStore) -> None:
        await state.save({"a": 1, "b": 2, "c": 3})
        await state.save({"a": 10, "b": None, "never": None})
        assert await state.load() == {"a": 10, "c": 3}

    async def test_a_prefix_is_taken_to_the_letter(self, state: StateStore) -> None:
        keys = ["quota/a", "quota/b", "Quota/a", "quotas", "q%ota/a", "quota_a", "key/x"]
        await state.save({key: key for key in keys})
        assert set(await state.load("quota/")) == {"quota/a", "quota/b"}
        assert set(await state.load("q%")) == {"q%ota/a"}
        assert set(await state.load("quota_")) == {"quota_a"}

    async def test_what_cannot_be_kept_is_refused_and_nothing_of_it_is_kept(self, state: StateStore) -> None:
        await state.save({"a": 1})
        with pytest.raises(TypeError):
            await state.save({"a": 2, "b": object()})
        assert await state.load() == {"a": 1}

    async def test_many_at_once_are_all_kept(self, state: StateStore) -> None:
        await asyncio.gather(*(state.save({f"k{number}": number}) for number in range(200)))
        assert await state.load() == {f"k{number}": number for number in range(200)}

    async def test_saving_nothing_is_allowed(self, state: StateStore) -> None:
        await state.save({})
        assert await state.load() == {}


class AuditLogContract:
    """The promises of `core.audit.AuditLog`."""

    async def test_rows_form_a_chain(self, audit: AuditLog) -> None:
        records = [await audit.append(AuditEntry(10.0 + number, "ana", f"act.{number}")) for number in range(3)]
        assert [record.seq for record in records] == [1, 2, 3]
        assert records[0].prev_hash == GENESIS
        assert [record.prev_hash for record in records[1:]] == [record.hash for record in records[:2]]
        assert all(record.hash == chain_hash(record.seq, record.entry, record.prev_hash) for record in records)
        assert first_fault(records) == ""
        assert await audit.verify() == ""

    async def test_rows_are_read_newest_first_and_page_by_page(self, audit: AuditLog) -> None:
        records = [await audit.append(AuditEntry(float(number), "ana", "act")) for number in range(5)]
        assert await audit.read() == records[::-1]
        assert await audit.read(limit=2) == [records[4], records[3]]
        assert await audit.read(limit=2, before=4) == [records[2], records[1]]
        assert await audit.read(before=1) == []

    async def test_everything_of_an_act_is_kept_but_no_secret(self, audit: AuditLog) -> None:
        entry = AuditEntry(
            1_800_000_000.1234, "ação", "config.reload", "apis.odds ✓", {"key": Secret("hidden-value"), "n": [1, None]},
            {"b": {"z": 1, "a": 2.5}}, "127.0.0.1",
        )  # fmt: skip
        kept = await audit.append(entry)
        [found] = await audit.read()
        assert found == kept
        assert found.entry.at == 1_800_000_000.123
        assert found.entry.before == {"key": MASK, "n": [1, None]}
        assert found.entry.after == entry.after
        assert (found.entry.actor, found.entry.object, found.entry.ip) == ("ação", "apis.odds ✓", "127.0.0.1")

    async def test_acts_at_once_all_find_their_place(self, audit: AuditLog) -> None:
        await asyncio.gather(*(audit.append(AuditEntry(1.0, str(number), "act")) for number in range(50)))
        records = await audit.read(limit=100)
        assert [record.seq for record in records] == list(range(50, 0, -1))
        assert {record.entry.actor for record in records} == {str(number) for number in range(50)}
        assert await audit.verify() == ""

    async def test_what_cannot_be_kept_is_refused(self, audit: AuditLog) -> None:
        with pytest.raises(TypeError):
            await audit.append(AuditEntry(1.0, "ana", "act", before=object()))
        assert (await audit.append(AuditEntry(1.0, "ana", "act"))).seq == 1


class LeaseStoreContract:
    """The promises of `cluster.ports.LeaseStore`; `pass_time(seconds)` lets the store's time pass."""

    @pytest.fixture
    def now(self) -> Callable[[], float]:
        """The caller's monotonic clock."""
        raise NotImplementedError

    async def test_a_role_has_one_holder(self, leases: LeaseStore) -> None:
        first = await leases.claim("upkeep", "a", TTL)
        assert first is not None
        assert (first.role, first.holder) == ("upkeep", "a")
        assert await leases.claim("upkeep", "b", TTL) is None
        assert await leases.leaders() == {"upkeep": ("a", first.token)}

    async def test_roles_do_not_know_each_other(self, leases: LeaseStore) -> None:
        assert await leases.claim("upkeep", "a", TTL)
        assert await leases.claim("alerts", "b", TTL)
        assert {role: holder for role, (holder, _) in (await leases.leaders()).items()} == {
            "upkeep": "a",
            "alerts": "b",
        }

    async def test_the_holder_renews_with_the_same_token_and_a_later_end(
        self, leases: LeaseStore, pass_time: Callable[[float], Awaitable[None]]
    ) -> None:
        first = await leases.claim("upkeep", "a", TTL)
        for _ in range(3):
            await pass_time(TTL / 2)
            again = await leases.claim("upkeep", "a", TTL)
            assert first is not None
            assert again is not None
            assert again.token == first.token
            assert again.until > first.until
            first = again
        assert await leases.claim("upkeep", "b", TTL) is None

    async def test_the_end_is_reckoned_on_the_callers_clock_from_before_it_asked(
        self, leases: LeaseStore, now: Callable[[], float]
    ) -> None:
        before = now()
        lease = await leases.claim("upkeep", "a", TTL)
        assert lease is not None
        assert before + TTL <= lease.until <= now() + TTL

    async def test_after_its_end_another_takes_the_role_with_a_greater_token(
        self, leases: LeaseStore, pass_time: Callable[[float], Awaitable[None]]
    ) -> None:
        first = await leases.claim("upkeep", "a", TTL)
        await pass_time(TTL + 0.1)
        assert await leases.leaders() == {}
        second = await leases.claim("upkeep", "b", TTL)
        assert first is not None
        assert second is not None
        assert second.token > first.token
        assert await leases.claim("upkeep", "a", TTL) is None
        await pass_time(TTL + 0.1)
        third = await leases.claim("upkeep", "a", TTL)
        assert third is not None
        assert third.token > second.token

    async def test_a_role_that_was_given_back_is_free_at_once(self, leases: LeaseStore) -> None:
        first = await leases.claim("upkeep", "a", TTL)
        assert first is not None
        await leases.release(first)
        assert await leases.leaders() == {}
        second = await leases.claim("upkeep", "b", TTL)
        assert second is not None
        assert second.token > first.token

    async def test_giving_back_what_another_has_by_now_changes_nothing(
        self, leases: LeaseStore, pass_time: Callable[[float], Awaitable[None]]
    ) -> None:
        first = await leases.claim("upkeep", "a", TTL)
        await pass_time(TTL + 0.1)
        second = await leases.claim("upkeep", "b", TTL)
        assert first is not None
        assert second is not None
        await leases.release(first)
        assert await leases.leaders() == {"upkeep": ("b", second.token)}

    async def test_of_many_who_ask_at_once_one_gets_it(self, leases: LeaseStore) -> None:
        got = await asyncio.gather(*(leases.claim("upkeep", f"holder {number}", 60.0) for number in range(20)))
        assert sum(lease is not None for lease in got) == 1
