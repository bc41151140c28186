"""The pictures in the READMEs: there, small, asking nobody for anything, and of runs that went well."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from understudy.core.text import texts

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"README.md": "en", "README.pt-BR.md": "pt_BR"}


def picture(readme: str) -> Path:
    (found,) = re.findall(r"!\[[^]]+\]\((docs/assets/[^)]+\.svg)\)", (ROOT / readme).read_text("utf-8"))
    return ROOT / found


@pytest.mark.parametrize("readme", PICTURES)
def test_the_picture_is_small_and_loads_nothing(readme):
    source = picture(readme).read_text("utf-8")
    assert len(source) < 300_000
    tree = ET.fromstring(source)
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {
        "svg", "style", "defs", "clipPath", "rect", "g", "circle", "text", "path",
    }  # fmt: skip  # one line
    assert "url(http" not in source
    assert "@import" not in source
    assert "href" not in source


@pytest.mark.parametrize(("readme", "language"), PICTURES.items())
def test_the_picture_shows_a_run_that_went_well_in_the_reader_s_language(readme, language):
    tree = ET.fromstring(picture(readme).read_text("utf-8"))
    shown = " ".join("".join(tree.itertext()).replace("\xa0", " ").split())
    _ = texts(language)
    assert _("Every part did its job.") in shown
    assert _("The hub before four of them fails") in shown
    assert "✗" not in shown
