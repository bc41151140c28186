"""Every query that the pages about the request log show can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from understudy.monitor.search import _NAMES, parse

DOCS = Path(__file__).resolve().parents[2] / "docs"
_TERM = re.compile(rf"-?(?:{'|'.join(_NAMES)}):[^\s`]")


def queries(page: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    inline = [code for code in re.findall(r"`([^`\n]+)`", text) if _TERM.match(code)]
    return inline + re.findall(r"'q=([^']+)'", text)


@pytest.mark.parametrize("page", ["history.md", "pt-BR/history.md"])
def test_every_query_that_is_shown_can_be_read(page):
    found = queries(page)
    assert len(found) > 20
    for query in found:
        parse(query, 1.8e9)
    shown = {match for query in found for match in re.findall(r"([a-z]+):", query)}
    assert shown >= _NAMES.keys()
