"""What is wrong with the service itself stands above every page, for whoever may read, in their language."""

from __future__ import annotations

import dataclasses

from signed import signed

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


async def test_the_sentence_of_the_first_page_tells_paused_apis_from_unknown_ones():
    async with signed(accounts=False) as it:
        browser = it.browser()

        async def operation():
            return "answer"

        for name in ("one", "two"):
            it.app.fallback.register_api(name, route="r", operation=operation)
        said = []
        for name in ("one", "two"):
            said.append((await browser.page("/")).text)
            assert (await browser.send("POST", f"/api/apis/{name}/drain", {"reason": "maintenance"})).status == 200
        assert "Nothing is known of 2 APIs yet" in said[0]
        assert "All 2 APIs are paused" in (await browser.page("/")).text
