"""The pages about alerts and notifications name everything that there is, and what they show runs and says so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import typer
from test_examples import environment
from test_snippets import blocks

from understudy.alerts.defaults import default_rules
from understudy.alerts.inhibition import BUILT_IN
from understudy.alerts.model import LABELS, NoData, Rule
from understudy.alerts.suppression import ACKNOWLEDGED, COOLDOWN, FLAPPING, SNOOZED, UNTOLD
from understudy.channels import KINDS, ChannelOptions
from understudy.cli.commands import build
from understudy.config.channels import _SEEDS
from understudy.core.notices import NoticeKind
from understudy.core.options import describe
from understudy.core.text import texts
from understudy.notifications.options import NotificationOptions
from understudy.notifications.policy import PolicyOptions
from understudy.notifications.template import KNOWN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANGUAGES = pytest.mark.parametrize("folder", [DOCS, DOCS / "pt-BR"], ids=["en", "pt-BR"])
PATIENCE = 60


def page(folder: Path, name: str) -> str:
    return (folder / f"{name}.md").read_text("utf-8")


def lacking(text: str, names) -> list[str]:
    """The names that do not stand in the page, as code or in a table of an example."""
    return sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(str(name))}(?![\w-])", text))


@LANGUAGES
def test_every_rule_kind_state_and_reason_is_explained(folder):
    kinds = get_args(next(spec for spec in describe(Rule) if spec.name == "kind").type)
    names = {
        *(rule.name for rule in default_rules()), *BUILT_IN, *kinds, *get_args(NoData), *LABELS,
        *(kind for kind in NoticeKind if kind not in (NoticeKind.DIGEST, NoticeKind.TEST, NoticeKind.MESSAGE)),
        "maintenance", "silence", "inhibition", "mute", ACKNOWLEDGED, SNOOZED, FLAPPING, COOLDOWN, UNTOLD,
    }  # fmt: skip  # by where they come from
    assert lacking(page(folder, "alerts"), names) == []


@LANGUAGES
def test_every_key_of_a_rule_that_changes_what_is_told_is_explained(folder):
    explained_elsewhere = {"name", "version", "labels", "levels", "enabled", "no_data_after"}
    names = {spec.name.rstrip("_") for spec in describe(Rule)} - explained_elsewhere
    names -= {"min_failures"}  # the reference explains burn rates
    assert lacking(page(folder, "alerts"), names) == []


@LANGUAGES
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_channel_is_set_up_with_all_its_keys(folder, kind):
    text = page(folder, "notifications")
    sections = [each for each in re.split(r"^### ", text, flags=re.MULTILINE) if f'kind = "{kind}"' in each]
    own = {spec.name for spec in describe(KINDS[kind].options)} - {spec.name for spec in describe(ChannelOptions)}
    assert sections, kind
    assert lacking(sections[0], own) == []
    assert lacking(sections[0], _SEEDS.get(kind, {})) == []
    assert lacking(text, {spec.name for spec in describe(ChannelOptions)}) == []


@LANGUAGES
def test_every_option_of_policies_and_notifications_and_every_place_of_a_template_is_named(folder):
    names = {spec.name for options in (PolicyOptions, NotificationOptions) for spec in describe(options)}
    places = KNOWN - {"hub", "key", "operation", "environment"}  # labels, as api and route
    assert lacking(page(folder, "notifications"), names | places) == []


# -- commands --------------------------------------------------------------------------------------

ROOTS = typer.main.get_command(build(texts("en")))
ABOUT_ALERTS = ("rules", "alerts", "silence", "notify")


def commands() -> dict[tuple[str, ...], object]:
    """Every command by its words."""
    found: dict[tuple[str, ...], object] = {}
    waiting = [((), ROOTS)]
    while waiting:
        words, command = waiting.pop()
        found[words] = command
        waiting += [((*words, name), child) for name, child in getattr(command, "commands", {}).items()]
    return found


COMMANDS = commands()


def lines_of(text: str) -> list[str]:
    """The command lines that a page shows, in blocks and within sentences."""
    fenced = [
        line
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    prose = re.findall(r"`(understudy [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    stripped = (re.sub(r"^(\.venv/bin/)", "", line.strip()) for line in (*fenced, *prose))
    return [line for line in stripped if re.match(r"understudy [a-z-]", line)]


def wrong_with(line: str) -> str:
    """Why a command line would be refused at once; empty when it would not."""
    line = re.sub(r" --lang \w+| --(url|token) \S+", "", line.removesuffix("\\"))  # may stand anywhere; goes on below
    words = shlex.split(re.split(r"[|>&;]|\s#|\s{2,}", line)[0].replace("…", "x"))[1:]
    depth = max(count for count in range(len(words) + 1) if tuple(words[:count]) in COMMANDS)
    command = COMMANDS[tuple(words[:depth])]
    if not depth or (getattr(command, "commands", None) and words[depth:]):
        return f"no command {' '.join(words[: depth + 1])}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words[depth:] if word.startswith("-") and word.split("=")[0] not in known | {"--help"}]
    return f"no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize(
    "name", sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
)
def test_every_command_that_is_shown_exists_with_its_options(name):
    if name.startswith("CHANGELOG"):
        return  # says `rules list|show|check`
    found = {line: wrong_with(line) for line in lines_of((ROOT / name).read_text("utf-8"))}
    assert {line: why for line, why in found.items() if why} == {}


@LANGUAGES
def test_every_command_about_alerts_and_notifications_is_shown(folder):
    text = page(folder, "alerts") + page(folder, "notifications")
    wanted = {" ".join(words) for words in COMMANDS if len(words) == 2 and words[0] in ABOUT_ALERTS}
    assert sorted(each for each in wanted if f"understudy {each}" not in text) == []


# -- what is shown runs ----------------------------------------------------------------------------


def promised(text: str, program: str) -> str:
    """What the sentence before a program says that it prints."""
    before = text[: text.index(program)]
    return re.findall(r"(?:prints|mostra) `([^`]+)`", before)[-1]


@LANGUAGES
@pytest.mark.parametrize(("name", "number"), [("alerts", 0), ("notifications", 1)])
def test_a_program_of_the_page_prints_what_the_page_says(folder, name, number, tmp_path):
    path = folder / f"{name}.md"
    program = blocks(path, "python")[number]
    (tmp_path / "program.py").write_text(program, "utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=tmp_path, env=environment(), capture_output=True, check=False, encoding="utf-8", timeout=PATIENCE,
    )  # fmt: skip  # the arrangement in one line
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == promised(path.read_text("utf-8"), program)


@LANGUAGES
def test_the_test_of_rules_that_is_shown_passes(folder, tmp_path):
    [(name, tests)] = re.findall(r'^```toml title="(\S+)"\n(.*?)^```', page(folder, "alerts"), re.DOTALL | re.MULTILINE)
    (tmp_path / name).write_text(tests, "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", "from understudy.cli import main; main()", "rules", "test", name],
        cwd=tmp_path, env=environment(), capture_output=True, check=False, encoding="utf-8", timeout=PATIENCE,
    )  # fmt: skip  # the arrangement in one line
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert "OK: 1 test" in run.stdout


@LANGUAGES
def test_the_lines_that_check_a_signature_take_ours_and_no_other(folder):
    import base64

    from understudy.channels.webhook import key_of, signed
    from understudy.core.notices import Notice, Severity
    from understudy.core.secrets import Secret
    from understudy.notifications.message import Message
    from understudy.notifications.render import card

    space: dict = {}
    exec(blocks(folder / "notifications.md", "python")[0], space)  # the block is our own documentation
    genuine = next(value for name, value in space.items() if name.startswith(("is_genuine", "e_genuina")))
    old, new = ("whsec_" + base64.b64encode(bytes([each] * 32)).decode() for each in (1, 2))
    notice = Notice("event", NoticeKind.FIRED, Severity.CRITICAL, 1.0, "odds")
    message = Message("01J", notice, card(notice, "en"), 1_800_000_000.0)
    headers = signed(message, b"{}", [key_of(Secret(each), "x") for each in (old, new)])
    assert genuine(old, headers, b"{}")
    assert genuine(new, headers, b"{}")
    assert not genuine(new, headers, b"{ }")
    assert not genuine("whsec_" + base64.b64encode(bytes(32)).decode(), headers, b"{}")
