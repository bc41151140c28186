"""The scripts and style sheets of the dashboard: what they must not do, and what their serving relies on."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from understudy.web import bundle
from understudy.web.assets import BUNDLE, assets
from understudy.web.lean import lean_script, lean_style

STATIC = Path(__file__).parents[2] / "src" / "understudy" / "web" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
#: Ways by which a text becomes markup or a program.
BANNED = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", "DOMParser",
    "createContextualFragment", 'setAttribute("on', "setAttribute('on", "javascript:", ".cssText",
    'setAttribute("style',
)  # fmt: skip


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_typed_and_makes_no_markup_of_texts(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert "// @ts-check" in text
    assert not [each for each in BANNED if each in text]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_keeps_to_the_forms_that_serving_relies_on(path):
    text = path.read_text("utf-8")
    # Comments are taken away by lines and types by their form: no text of several lines, and none with a comment in it.
    code = lean_script(text)
    for line in code.splitlines():
        assert line.count("`") % 2 == 0, line
        assert "/*" not in line.replace("*/*", ""), line
        assert "*/" not in line.replace("*/*", ""), line
    # Imports and exports are found by their form.
    assert len(re.findall(r"^import[ {]", code, re.MULTILINE)) == len(bundle.imported(code))
    assert len(re.findall(r"^export\b", code, re.MULTILINE)) == len(bundle._EXPORT.findall(code))
    assert "export let" not in code


def test_comments_go_and_code_stays():
    code = lean_script(
        "// one\n/** two\n * three */\nconst a = /** @type {X<{y: 1}>} */ (b); // four\n"
        "  /** @param {z} c */\n  f('//x');\n"
    )
    assert code == "const a = (b); // four\nf('//x');\n"
    assert lean_style("/* a */\na {\n  b: c; /* d */\n}\n") == "a {\nb: c;\n}\n"


def test_what_the_bundle_loads_later_has_no_second_stream():
    kept = assets()
    assert "live.js" not in kept.later - set(bundle.in_order(BUNDLE, kept.text))


def test_a_module_of_the_bundle_gives_what_it_exports():
    files = {
        "a.js": "export const one = 1;\nexport async function two() { return one; }\n",
        "b.js": 'import { one, two as zwei } from "./a.js";\nimport "./c.js";\nexport class Three {}\nzwei(one);\n',
        "c.js": "const one = 'its own';\n",
    }
    names = bundle.in_order("b.js", files.__getitem__)
    assert names == ["a.js", "c.js", "b.js"]
    made = bundle.bundled(names, files.__getitem__)
    assert "const { one, two: zwei } = m_a;" in made
    assert "export const { Three } = m_b;" in made
    assert bundle.from_bundle('import { one } from "./a.js";\n', names, "b.js") == 'import { one } from "./b.js";\n'
    with pytest.raises(ValueError, match="both export one"):
        bundle.bundled(["a.js", "d.js"], {**files, "d.js": "export const one = 2;\n"}.__getitem__)


def test_the_first_page_is_light():
    kept = assets()
    names = ["style.css", "overview.css", BUNDLE, "overview.js"]
    urls = [kept.url(each) for each in names] + kept.needed("overview.js")
    packed = sum(len(kept.served(url.rpartition("/")[2]).packed) for url in urls)
    assert packed <= 40_000


def test_what_is_not_ours_is_what_it_says():
    folder = STATIC / "vendor"
    told = tomllib.loads((folder / "vendor.toml").read_text("utf-8"))["file"]
    for each in told:
        assert hashlib.sha256((folder / each["file"]).read_bytes()).hexdigest() == each["sha256"], each["file"]
        assert (folder / each["licence_text"]).is_file()
    files = {path.name for path in folder.iterdir() if path.is_file()} - {"vendor.toml"}
    assert files == {each["file"] for each in told}
