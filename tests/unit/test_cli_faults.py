"""Faults and warnings of a configuration are said in Portuguese too, with the same values."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from test_config_hostile import API, HOOK, MISTAKES, SLACK, VARIABLES, get

import understudy.alerts
import understudy.channels
from understudy.cli.faults import SENTENCES, said, told
from understudy.core.errors import ConfigError
from understudy.core.text import texts

EN, PT = texts("en"), texts("pt")


def faults(folder, text, env=None, overrides=()):
    with pytest.raises(ConfigError) as caught:
        get(folder, text, env, overrides)
    return caught.value.faults


def in_portuguese(fault):
    line = told(fault, PT)
    assert told(fault, EN) == str(fault)
    assert said(fault.expected, PT) != fault.expected
    for value in [*fault.path] if fault.path else []:
        assert str(value) in line or not str(value).isprintable() or len(str(value)) > 100
    return line


@pytest.mark.parametrize(("text", "_"), MISTAKES)
def test_every_mistake_in_a_file_is_said(tmp_path, text, _):
    for fault in faults(tmp_path, text, HOOK):
        in_portuguese(fault)


@pytest.mark.parametrize(("env", "overrides", "_"), VARIABLES)
def test_every_mistake_in_a_variable_is_said(tmp_path, env, overrides, _):
    for fault in faults(tmp_path, None, env, overrides):
        in_portuguese(fault)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (API + "prioritty = 1", "understudy.toml:3: apis.a.prioritty: chave desconhecida; quis dizer 'priority'?"),
        (API + "priority = 0", "understudy.toml:3: apis.a.priority: esperado no mínimo 1, encontrado 0"),
        (API + "retry = 1", "understudy.toml:3: apis.a.retry: esperado uma tabela, encontrado 1"),
        (API + 'retry = {mode = "of"}', "understudy.toml:3: apis.a.retry.mode: esperado 'off', 'observe' ou 'enforce', encontrado 'of'; quis dizer 'off'?"),  # noqa: E501 - one row, one mistake
        (API + 'auth = {kind = "bearer"}', "understudy.toml:3: apis.a.auth.keys: o tipo 'bearer' precisa de pelo menos uma chave; keys = [\"env:NAME\"]"),  # noqa: E501 - the same
        (API + 'auth = {kind = "bearer", keys = ["file:gone"]}', "understudy.toml:3: apis.a.auth.keys[0].value: o arquivo do segredo gone não pode ser lido: não há esse arquivo ou diretório"),  # noqa: E501 - the same
        (API + 'success = {json = "a["}', "understudy.toml:3: apis.a.success.json: esperado uma expressão JMESPath ("),
        ("a = ", "understudy.toml:1: sintaxe TOML: "),
        (SLACK + 'fallback = "y"', "understudy.toml:4: channels.x.fallback: nenhum canal com esse nome está configurado, encontrado 'y'"),  # noqa: E501 - the same
        ('[channels.x]\nkind = "slack"\nurl = "http://hooks.example/a"', "understudy.toml:3: channels.x.url: esperado um endereço https: o que se envia para lá é secreto"),  # noqa: E501 - the same
    ],
)  # fmt: skip
def test_a_fault_keeps_its_place_and_its_values(tmp_path, text, expected):
    (fault,) = faults(tmp_path, text, HOOK)
    assert told(fault, PT).startswith(expected)


def test_warnings_are_said_too(tmp_path):
    env = {"SMTP_SERVER": "x", "SMTP_PASSWORD": "sua_senha_app", "DASHBOARD_SECRET_KEY": "sua_chave", "K": "sua_chave"}
    text = '[apis.a]\nauth = {kind = "bearer", keys = ["in-the-file", "env:K"]}\n'
    warnings = get(tmp_path, text, env).warnings
    assert len(warnings) == 4
    assert all(said(each, PT) != each for each in warnings)
    assert (
        "o canal email não está configurado: SMTP_USERNAME não está definida, SMTP_PASSWORD é um valor de exemplo"
        in [said(each, PT) for each in warnings]
    )


def test_a_sentence_that_is_not_known_stays_as_it_is():
    assert said("something of a later version", PT) == "something of a later version"


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_sentence_is_taken_for_another(sentence):
    """With its own places as values, each is recognised as itself."""
    assert said(sentence, PT) == PT(sentence)


def test_what_channels_expect_is_said_too():
    """Their options are refused by the channels themselves, so their words are looked for where they stand."""
    found = set()
    for path in Path(understudy.channels.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("OptionError", "_refused"):
                last = node.args[-1] if node.args else None
                if isinstance(last, ast.Constant):
                    found.add(last.value)
    assert len(found) > 15
    assert found <= set(SENTENCES)


#: How rules say what is wrong with them.
_RAISED = ("RuleFault", "_error")


def test_what_rules_and_conditions_expect_is_said_too():
    found: set[str] = set()
    for module in ("rule_faults", "expression"):
        source = (Path(understudy.alerts.__file__).parent / f"{module}.py").read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _RAISED:
                texts = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
                found |= {text for text in texts if isinstance(text, str)}
    assert len(found) > 25
    assert [each for each in sorted(found) if said(each, PT) == each] == []
