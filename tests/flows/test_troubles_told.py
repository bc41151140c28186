"""What is wrong with the service itself stands above every page, for whoever may read, in their language."""

from __future__ import annotations

import dataclasses

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.text import texts
from understudy.storage import StorageOptions
from understudy.storage.trouble import Trouble
from understudy.web.live.topics import KINDS
from understudy.web.pages.words import troubles
from understudy.web.views.trouble import OTHER, trouble_of


def test_every_trouble_of_a_store_has_a_sentence_in_both_languages():
    english, portuguese = troubles(texts("en")), troubles(texts("pt-BR"))
    assert set(english) == {str(each) for each in Trouble} | {OTHER}
    assert all(english[kind] != portuguese[kind] for kind in english)


async def test_the_kind_of_trouble_is_told_live_and_ends():
    settings = dataclasses.replace(Settings(), storage=StorageOptions(url="memory:"))
    async with Understudy.build(settings, seed=1, keep=True) as app:
        look = KINDS["troubles"].look
        assert look is not None
        assert await look(app, "") == {"kind": ""}
        app.keeping.scheduler.problems["monthly"] = "report monthly waits: no such folder"
        assert await look(app, "") == {"kind": OTHER} == {"kind": trouble_of(app)}
        app.keeping.scheduler.problems.clear()
        assert await look(app, "") == {"kind": ""}
