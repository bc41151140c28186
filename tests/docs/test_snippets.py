"""What the documentation shows is Python that parses, TOML that loads; the first things a reader tries also run."""

from __future__ import annotations

import ast
import base64
import re
import textwrap
from pathlib import Path

import pytest

import understudy
from understudy.config import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
#: Pages whose first Python block is what a reader tries first.
FIRST_STEPS = ["README.md", "README.pt-BR.md", "docs/getting-started.md", "docs/pt-BR/getting-started.md"]
#: What the variables hold that examples of channels refer to, where any text will not do.
FITTING = {
    r"URL$": "https://hooks.example.com/an-example",
    r"^(HOOK_SECRET|NEW|OLD|NOVO|VELHO)$": "whsec_" + base64.b64encode(bytes(32)).decode(),
    r"^TELEGRAM_BOT_TOKEN$": "123456:an-example",
    r"^PAGERDUTY_ROUTING_KEY$": "e" * 32,
    r"^APPRISE_": "ntfy://ntfy.example.com/an-example",
}
MIGRATION = "docs/pt-BR/vindo-do-sistema-rapidapi.md"


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def shown(language: str):
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT).as_posix()}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, language), 1)
    ]


@pytest.mark.parametrize("block", shown("python"))
def test_python_that_is_shown_parses(block):
    compile(block, "<documentation>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)


@pytest.mark.parametrize("block", shown("toml"))
def test_configuration_that_is_shown_loads(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"env:(\w+)", block):
        fitting = (value for pattern, value in FITTING.items() if re.search(pattern, name))
        monkeypatch.setenv(name, next(fitting, "an-example"))
    apis = set(re.findall(r"^\[apis\.(\w+)\]", block, re.MULTILINE))
    for name in set(re.findall(r'"(\w+_backup)"', block)) - apis:
        block += f'\n[apis.{name}]\nbase_url = "https://backup.example.net"\n'
    file = tmp_path / "understudy.toml"
    file.write_text(block, "utf-8")
    assert load(file).settings.routes or not re.search(r"^\[(apis|routes)", block, re.MULTILINE)


async def run(block: str) -> dict[str, object]:
    """Run a block as a reader would paste it, with operations of the names that it uses."""

    def answering(value: str):
        async def operation() -> str:
            return value

        return operation

    names = set(re.findall(r"\b((?:fetch|buscar)\w*)\b", block))
    space: dict[str, object] = {name: answering(name) for name in names}
    code = compile(block, "<documentation>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, space)  # the block is our own documentation
    if outcome is not None:
        await outcome
    return space


@pytest.fixture(autouse=True)
def _own_instance():
    yield
    understudy.reset()


@pytest.mark.parametrize("name", FIRST_STEPS)
async def test_the_first_example_runs(name):
    page = ROOT / name
    space = await run(blocks(page, "python")[0])
    served = space.get("odds") or space["result"].value
    assert served in {"fetch_from_main", "buscar_principal"}


async def test_the_example_of_the_original_documents_names_runs(capsys):
    space = await run(blocks(ROOT / MIGRATION, "python")[0])
    assert space["resultado"] == "buscar"
    assert capsys.readouterr().out.strip() == "Taxa de sucesso: 100.0%"
