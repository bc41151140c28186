"""The frame around every page, in a real browser."""

from __future__ import annotations

import pytest

from browser.chromium import axe


@pytest.mark.parametrize("language", ["en-US", "pt-BR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440, 2560])
def test_axe_finds_nothing_on_the_frame(service, open_page, width, scheme, language):
    page = open_page(service.url, width, scheme, language)
    assert axe(page) == []
