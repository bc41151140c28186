"""Both languages are complete: every message of the terminal, of reports and of channels, every placeholder."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from string import Formatter

import pytest
import typer
from rich.text import Text

import understudy.channels
import understudy.cli
import understudy.notifications
import understudy.reports
from understudy.alerts.defaults import default_rules
from understudy.alerts.suppression import ACKNOWLEDGED, COOLDOWN, FLAPPING, SNOOZED, UNTOLD
from understudy.channels import KINDS
from understudy.cli.commands import build, language
from understudy.cli.faults import SENTENCES
from understudy.cli.usage import LIBRARY
from understudy.cli.words import ending_word, event_word, fault_word, gate_word, suppressed_word, term_word
from understudy.connectivity import _ADVICE
from understudy.core.notices import NoticeKind
from understudy.core.options import describe
from understudy.core.text import known_language, parse, texts
from understudy.core.types import Attribution, OutcomeClass
from understudy.resilience.api import ApiOptions
from understudy.web.pages.settings.edited_reference import known_keys

CHANNELS = Path(understudy.channels.__file__).parent
CLI = Path(understudy.cli.__file__).parent
PASTED = CLI.parent / "config" / "pasted"
NOTIFICATIONS = Path(understudy.notifications.__file__).parent
REPORTS = Path(understudy.reports.__file__).parent
PO = CLI.parent / "locale" / "pt_BR.po"
RESILIENCE = CLI.parent / "resilience"
WEB = CLI.parent / "web"


def explained() -> set[str]:
    """What pages say of each key of an entry: the words that stand beside the option itself, and its unit."""
    kinds = [("api", ""), ("route", ""), *(("channel", each) for each in KINDS)]
    known = [each for kind, of in kinds for each in known_keys(kind, {"kind": of})]
    groups = {each.doc.text for each in describe(ApiOptions) if each.doc is not None}
    return {text for each in known for text in (each.about, each.unit)} - {""} | groups


def messages() -> dict[str, str | None]:
    """Every message in the source, with its plural."""
    ours = (text for rule in default_rules() for text in (rule.description, rule.runbook) if text)
    found: dict[str, str | None] = dict.fromkeys((*_ADVICE.values(), *LIBRARY, *SENTENCES, *ours, *explained()))
    for path in (*(REPORTS / "templates").glob("*.html"), *(WEB / "templates").glob("*.html")):
        source = path.read_text("utf-8")
        found |= dict.fromkeys(re.findall(r'\b_\(\s*"([^"]+)"', source))
        found |= dict.fromkeys(re.findall(r"\b_\(\s*'([^']+)'", source))  # inside attributes
        found |= dict(re.findall(r'\b_\.plural\(\s*"([^"]+)",\s*"([^"]+)"', source))
    rooms = (CLI, PASTED, REPORTS, CHANNELS, NOTIFICATIONS)
    single = (RESILIENCE / "words.py", CLI.parent / "config" / "sentences.py")
    for path in (*(path for room in rooms for path in room.glob("*.py")), *WEB.rglob("*.py"), *single):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "plural":
                found[node.args[0].value] = node.args[1].value
            elif name == "_" or (name == "text" and isinstance(node.args[0].value, str)):
                found[node.args[0].value] = None
    return found


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_message_is_translated_and_none_is_left_over():
    known = parse(PO.read_text("utf-8"))
    assert known.keys() == messages().keys()


def test_no_translation_is_empty_or_fuzzy():
    source = PO.read_text("utf-8")
    assert "fuzzy" not in source
    assert all(all(forms) for forms in parse(source).values())


@pytest.mark.parametrize("plural", [True, False])
def test_translations_have_the_places_of_their_messages(plural):
    known = parse(PO.read_text("utf-8"))
    for message, many in messages().items():
        if bool(many) is plural:
            allowed = places(message) | places(many or "")
            for form in known[message]:
                assert places(form) <= allowed, message
                if not many:
                    assert places(form) == places(message), message


@pytest.mark.parametrize(
    ("tag", "expected"), [("pt_BR.UTF-8", "pt_BR"), ("pt", "pt_BR"), ("C", "en"), ("", "en"), ("de_DE", "en")]
)
def test_the_language_follows_the_tag(tag, expected):
    assert known_language(tag) == expected


def test_no_message_is_translated_twice():
    # A second msgstr would win over the first without a word.
    lines = [line for line in PO.read_text("utf-8").splitlines() if line.startswith("msg")]
    twice = [line for before, line in pairwise(lines) if before.startswith("msgstr ") and line.startswith("msgstr ")]
    assert not twice


def test_one_and_many_have_their_own_forms():
    _ = texts("en")
    assert _.plural("{count} API", "{count} APIs", 1) == "1 API"
    assert _.plural("{count} API", "{count} APIs", 0) == "0 APIs"
    assert texts("pt_BR").plural("{count} route", "{count} routes", 0) == "0 rota"
    assert texts("pt_BR").plural("{count} route", "{count} routes", 2) == "2 rotas"
    assert _.plural("{count} API", "{count} APIs", 1000) == "1,000 APIs"
    assert texts("pt_BR").plural("{count} route", "{count} routes", 1000) == "1.000 rotas"


@pytest.mark.parametrize(
    ("arguments", "given", "rest"),
    [
        (["report", "cost", "--lang", "pt"], "pt_BR", ["report", "cost"]),
        (["--lang=pt", "report"], "pt_BR", ["report"]),
        (["report", "--lang"], None, ["report"]),
        (["report", "--lang", "de"], None, ["report"]),
        (["check", "--", "--lang", "pt"], "C", ["check", "--", "--lang", "pt"]),
        (["--lang", "en", "demo", "--lang", "pt"], "pt_BR", ["demo"]),
    ],
)
def test_the_language_may_be_said_before_or_behind_the_command(arguments, given, rest):
    assert language(arguments, {"LANG": "C"}) == (given, rest)


def gates() -> set[str]:
    """Every reason for which a candidate is passed over, as the source spells it."""
    source = "".join((RESILIENCE / f"{name}.py").read_text("utf-8") for name in ("standing", "next_step", "pipeline"))
    found = set(re.findall(r'return "([a-z_]+)", ', source) + re.findall(r'spent\[[^]]+\] = "([a-z_]+)"', source))
    return found | {"unsafe", "breaker_open", "hub_open", "no_operation", "no_base_url", "quota_exhausted"}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        (gate_word, sorted(gates())),
        (ending_word, [each.value for each in OutcomeClass]),
        (fault_word, [each.value for each in Attribution]),
        (term_word, ["latency", "failure", "priority", "price", "pressure", "domain"]),
        (event_word, [each.value for each in NoticeKind]),
        (suppressed_word, [
            "maintenance", "silence", "inhibition", "mute", ACKNOWLEDGED, SNOOZED, FLAPPING, COOLDOWN, UNTOLD,
        ]),
    ],
)  # fmt: skip
def test_every_word_of_a_decision_record_is_known_in_both_languages(word, values):
    assert len(values) > 5
    for value in values:
        assert "_" not in word(texts("en"), value)
        assert word(texts("pt"), value) != word(texts("en"), value), value


def test_numbers_are_written_as_the_language_writes_them():
    assert texts("en").number(1234567.891, 2) == "1,234,567.89"
    assert texts("pt").number(1234567.891, 2) == "1.234.567,89"


def help_texts(command, name=""):
    """(command, text) of every help text that the terminal takes for markup."""
    yield name, command.help or ""
    for parameter in command.params:
        yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
    for child, below in getattr(command, "commands", {}).items():
        yield from help_texts(below, f"{name} {child}".strip())


@pytest.mark.parametrize("code", ["en", "pt-BR"])
def test_no_word_of_a_help_text_is_taken_for_markup(code):
    root = typer.main.get_command(build(texts(code)))
    swallowed = [name for name, text in help_texts(root) if Text.from_markup(text).plain != text.replace("\\[", "[")]
    assert swallowed == []
