# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `DocumentStore` promises, as a suite: a subclass named `Test…` has the fixture `documents`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from understudy.core.errors import VersionConflict

if TYPE_CHECKING:
    from understudy.alerts.ports import DocumentStore


class DocumentStoreContract:
    """The promises of `alerts.ports.DocumentStore`."""

    async def test_nothing_is_there_at_first(self, documents: DocumentStore) -> None:
        assert await documents.newest("rule") == []
        assert await documents.versions("rule", "slow") == []

    async def test_a_document_comes_back_as_it_was_kept(self, documents: DocumentStore) -> None:
        doc: dict[str, Any] = {"levels": [{"threshold": 2.5}], "é": None, "text": "✓ \x00 \ud83d '\"", "n": True}
        kept = await documents.put("rule", "slow é", doc, actor="ana é", comment="because ✓")
        assert (kept.kind, kept.name, kept.version, kept.actor, kept.comment) == (
            "rule", "slow é", 1, "ana é", "because ✓"
        )  # fmt: skip
        assert kept.doc == doc
        assert await documents.newest("rule") == [kept]
        assert await documents.versions("rule", "slow é") == [kept]

    async def test_every_version_is_kept_and_the_newest_counts(self, documents: DocumentStore) -> None:
        made = [await documents.put("rule", "slow", {"n": number}, actor="ana") for number in range(12)]
        assert [each.version for each in made] == list(range(1, 13))
        assert await documents.newest("rule") == [made[-1]]
        assert await documents.versions("rule", "slow") == made[::-1]

    async def test_saying_the_same_again_is_a_version_too(self, documents: DocumentStore) -> None:
        versions = [(await documents.put("rule", "slow", {"n": 1}, actor="ana")).version for _ in range(3)]
        assert versions == [1, 2, 3]

    async def test_documents_are_told_by_kind_and_in_the_order_of_their_names(self, documents: DocumentStore) -> None:
        for name in ("b", "a", "B", "é", "a b"):
            await documents.put("rule", name, {"name": name}, actor="ana")
        await documents.put("silence", "a", {}, actor="ana")
        names = [each.name for each in await documents.newest("rule")]
        assert names == sorted(names)
        assert set(names) == {"b", "a", "B", "é", "a b"}
        assert [each.doc for each in await documents.newest("silence")] == [{}]
        assert await documents.newest("mute") == []

    async def test_a_deleted_document_is_gone_and_its_history_is_not(self, documents: DocumentStore) -> None:
        first = await documents.put("rule", "slow", {"n": 1}, actor="ana")
        gone = await documents.put("rule", "slow", None, actor="bob", comment="not needed")
        assert (gone.version, gone.doc) == (2, None)
        assert await documents.newest("rule") == []
        assert await documents.versions("rule", "slow") == [gone, first]
        again = await documents.put("rule", "slow", {"n": 2}, actor="ana", expected=0)
        assert again.version == 3
        assert await documents.newest("rule") == [again]

    async def test_whoever_looked_at_an_older_version_is_refused(self, documents: DocumentStore) -> None:
        await documents.put("rule", "slow", {"n": 1}, actor="ana", expected=0)
        await documents.put("rule", "slow", {"n": 2}, actor="bob", expected=1)
        for expected in (0, 1, 3):
            with pytest.raises(VersionConflict) as refused:
                await documents.put("rule", "slow", {"n": 9}, actor="ana", expected=expected)
            assert refused.value.found == 2
        with pytest.raises(VersionConflict):
            await documents.put("rule", "other", {"n": 9}, actor="ana", expected=1)
        assert [each.doc for each in await documents.versions("rule", "slow")] == [{"n": 2}, {"n": 1}]
        assert await documents.versions("rule", "other") == []

    async def test_of_many_who_change_the_same_version_at_once_one_does(self, documents: DocumentStore) -> None:
        await documents.put("rule", "slow", {"n": 0}, actor="ana")
        done = await asyncio.gather(
            *(documents.put("rule", "slow", {"n": number}, actor="ana", expected=1) for number in range(20)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, VersionConflict) for each in done) == 19
        assert len(await documents.versions("rule", "slow")) == 2

    async def test_versions_that_are_made_at_once_all_have_their_own_number(self, documents: DocumentStore) -> None:
        made = await asyncio.gather(*(documents.put("rule", "slow", {"n": n}, actor="ana") for n in range(20)))
        assert sorted(each.version for each in made) == list(range(1, 21))

    async def test_what_cannot_be_kept_is_refused(self, documents: DocumentStore) -> None:
        with pytest.raises(TypeError):
            await documents.put("rule", "slow", {"n": object()}, actor="ana")
        assert await documents.versions("rule", "slow") == []
