"""Which rules are in force, whose they are, and that no version of them is lost (edge case 17: a rule is changed)."""

from __future__ import annotations

import logging

import pytest

from understudy.alerts.model import Level, Rule
from understudy.alerts.rulebook import KIND, RuleBook
from understudy.alerts.rules import RuleError, rule_from, rule_to_doc
from understudy.core.errors import StoreUnavailable, UnknownName, VersionConflict
from understudy.core.notices import Severity
from understudy.storage.memory import MemoryDocuments
from understudy.testing import FakeClock


def slow(threshold: float, name: str = "slow") -> Rule:
    return Rule(name, metric="response_time", levels=(Level(Severity.WARNING, threshold),))


class Desk:
    """A rule book, and what it told about changes."""

    def __init__(self, *defaults: Rule, store=None) -> None:
        self.clock = FakeClock()
        self.store = store if store is not None else MemoryDocuments(self.clock)
        self.book = RuleBook(defaults, self.store)
        self.told: list[tuple[str, float | None, float | None]] = []
        self.book.on_change = lambda name, old, new: self.told.append((name, _threshold(old), _threshold(new)))

    async def restarted(self, *defaults: Rule) -> Desk:
        """Another one, later, on the same store."""
        other = Desk(*defaults, store=self.store)
        await other.book.load()
        return other

    def in_force(self, name: str = "slow") -> tuple[str, float | None]:
        return self.book.origin(name), _threshold(self.book.get(name))


def _threshold(rule: Rule | None) -> float | None:
    return rule.levels[0].threshold if rule is not None else None


async def test_the_later_origin_counts_and_what_is_below_comes_back():
    desk = Desk(slow(1))
    assert desk.in_force() == ("default", 1)
    desk.book.configured([slow(2)])
    assert desk.in_force() == ("file", 2)
    await desk.book.put(slow(3), actor="ana")
    assert desk.in_force() == ("api", 3)
    desk.book.configured([slow(4)])
    assert desk.in_force() == ("api", 3)
    assert _threshold(await desk.book.delete("slow", actor="ana")) == 4
    assert desk.in_force() == ("file", 4)
    desk.book.configured([])
    assert desk.in_force() == ("default", 1)


async def test_every_change_of_what_is_in_force_is_told_once():
    desk = Desk(slow(1))
    desk.book.configured([slow(2), slow(9, "other")])
    desk.book.configured([slow(2), slow(9, "other")])
    await desk.book.put(slow(3), actor="ana")
    desk.book.configured([slow(4)])
    await desk.book.delete("slow", actor="ana")
    assert desk.told == [
        ("slow", 1, 2), ("other", None, 9), ("slow", 2, 3), ("other", 9, None), ("slow", 3, 4),
    ]  # fmt: skip


async def test_versions_grow_and_none_is_overwritten():
    desk = Desk()
    for threshold in (1, 2, 3):
        rule = await desk.book.put(slow(threshold), actor="ana", comment=f"to {threshold}")
        assert rule.version == threshold
    await desk.book.delete("slow", actor="ben")
    found = await desk.book.versions("slow")
    assert [(each.version, each.actor, each.comment, each.doc is None) for each in found] == [
        (4, "ben", "", True), (3, "ana", "to 3", False), (2, "ana", "to 2", False), (1, "ana", "to 1", False),
    ]  # fmt: skip
    assert (await desk.book.put(rule_from(found[2].doc), actor="ana")).version == 5
    assert desk.in_force() == ("api", 2)


def test_a_rule_of_a_file_gets_a_new_number_when_it_is_edited_there():
    desk = Desk(slow(1))
    numbers = []
    for threshold in (1, 2, 2, 3):
        desk.book.configured([slow(threshold)])
        numbers.append(desk.book.get("slow").version)
    assert numbers == [1, 2, 2, 3]


async def test_an_edit_of_something_older_is_refused():
    desk = Desk()
    await desk.book.put(slow(1), actor="ana", expected=0)
    with pytest.raises(VersionConflict):
        await desk.book.put(slow(2), actor="ben", expected=0)
    assert desk.in_force() == ("api", 1)


async def test_a_rule_that_is_wrong_changes_nothing():
    desk = Desk(slow(1))
    with pytest.raises(RuleError, match="could never resolve"):
        await desk.book.put(
            Rule("slow", metric="response_time", levels=(Level(threshold=1),), hysteresis=5), actor="ana"
        )
    assert desk.in_force() == ("default", 1)
    assert desk.told == []
    assert await desk.store.newest(KIND) == []


async def test_what_was_put_is_there_after_a_restart():
    desk = Desk(slow(1))
    await desk.book.put(slow(3), actor="ana")
    await desk.book.put(slow(7, "mine"), actor="ana")
    after = await desk.restarted(slow(1))
    assert after.in_force() == ("api", 3)
    assert after.in_force("mine") == ("api", 7)
    assert after.book.get("slow").version == 1


async def test_another_instances_change_is_taken_in():
    one = Desk(slow(1))
    other = await one.restarted(slow(1))
    await one.book.put(slow(3), actor="ana")
    await other.book.load()
    await one.book.delete("slow", actor="ana")
    await other.book.load()
    assert other.told == [("slow", 1, 3), ("slow", 3, 1)]


@pytest.mark.parametrize("where", ["the program", "the configuration"])
async def test_what_nobody_put_cannot_be_deleted(where):
    desk = Desk(slow(1))
    if where == "the configuration":
        desk.book.configured([slow(2)])
    with pytest.raises(RuleError, match=where):
        await desk.book.delete("slow", actor="ana")


async def test_a_name_that_is_not_there_is_told_with_the_nearest():
    desk = Desk(slow(1))
    for wrong in (desk.book.get, desk.book.origin):
        with pytest.raises(UnknownName, match="did you mean 'slow'"):
            wrong("slw")
    with pytest.raises(UnknownName):
        await desk.book.delete("slw", actor="ana")
    with pytest.raises(UnknownName):
        await desk.book.versions("slw")
    assert await desk.book.versions("slow") == []


# -- rules of the program around it -------------------------------------------------------------------


async def test_code_that_says_the_same_at_each_start_makes_one_version():
    desk = Desk()
    for _ in range(3):
        desk = await desk.restarted()
        await desk.book.put(slow(3), actor="code", origin="code")
    assert desk.in_force() == ("code", 3)
    assert len(await desk.book.versions("slow")) == 1


async def test_what_people_made_of_it_stays_until_code_says_something_new():
    desk = Desk()
    await desk.book.put(slow(3), actor="code", origin="code")
    await desk.book.put(slow(4), actor="ana")
    after = await desk.restarted()
    assert _threshold(await after.book.put(slow(3), actor="code", origin="code")) == 4
    assert after.in_force() == ("api", 4)
    await after.book.put(slow(5), actor="code", origin="code")
    assert after.in_force() == ("code", 5)


async def test_what_people_deleted_comes_back_when_code_says_it_again():
    desk = Desk()
    await desk.book.put(slow(3), actor="code", origin="code")
    await desk.book.delete("slow", actor="ana")
    await desk.book.put(slow(3), actor="code", origin="code")
    assert desk.in_force() == ("code", 3)


class Away(MemoryDocuments):
    """A store that can be away."""

    away = True

    async def put(self, *given, **named):
        self._look()
        return await super().put(*given, **named)

    async def newest(self, kind):
        self._look()
        return await super().newest(kind)

    async def versions(self, kind, name):
        self._look()
        return await super().versions(kind, name)

    def _look(self) -> None:
        if self.away:
            raise StoreUnavailable("the store is away")


async def test_a_rule_of_code_is_in_force_while_the_store_is_away_and_kept_when_it_is_back(caplog):
    store = Away(FakeClock())
    desk = Desk(store=store)
    with caplog.at_level(logging.WARNING):
        assert _threshold(await desk.book.put(slow(3), actor="code", origin="code")) == 3
    assert "cannot be kept now" in caplog.text
    with pytest.raises(StoreUnavailable):
        await desk.book.load()
    assert desk.in_force() == ("code", 3)
    store.away = False
    await desk.book.load()
    assert desk.in_force() == ("code", 3)
    assert len(await desk.book.versions("slow")) == 1


async def test_people_are_told_when_their_edit_cannot_be_kept():
    desk = Desk(slow(1), store=Away(FakeClock()))
    with pytest.raises(StoreUnavailable):
        await desk.book.put(slow(3), actor="ana")
    assert desk.in_force() == ("default", 1)


# -- documents that are not what they should be ------------------------------------------------------


async def test_a_document_that_cannot_be_read_leaves_the_rule_below_in_force(caplog):
    desk = Desk(slow(1))
    await desk.store.put(KIND, "slow", {"metric": "of a later version", "origin": "api"}, actor="ana")
    await desk.store.put(KIND, "fine", rule_to_doc(slow(5, "fine")), actor="ana")
    await desk.book.load()
    await desk.book.load()
    assert desk.in_force() == ("default", 1)
    assert desk.in_force("fine") == ("api", 5)
    assert list(desk.book.problems) == ["slow"]
    assert len(caplog.records) == 1
