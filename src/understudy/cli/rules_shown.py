"""Rules on a terminal: the list, one with its versions, and what is wrong with a configuration's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from understudy.alerts.model import Rule
from understudy.alerts.rules import rule_to_doc

from .alerts_shown import outline, print_json, severity
from .exits import OK
from .screen import Screen, safe


def show_rules(screen: Screen, content: Any, *, as_json: bool) -> int:
    """Every rule in one line."""
    if as_json:
        print_json(screen, content)
    else:
        rules_table(screen, [(each["rule"], each["origin"], each["version"]) for each in content["rules"]])
    return OK


def rules_table(screen: Screen, rules: list[tuple[Mapping[str, Any], str, int]]) -> None:
    """Rules as documents, each with its origin and version."""
    _ = screen.text
    table = screen.table(_("Rule"), _("Of each"), _("When"), _("Severity"), _("Where from"), _("Version"), numbers=(5,))
    for doc, origin, version in rules:
        levels = doc.get("levels") or [{}]
        worst = levels[-1].get("severity", "warning")
        name = Text(safe(doc["name"]), "name" if doc.get("enabled", True) else "quiet")
        table.add_row(
            name, safe(doc.get("subject", "api")), condition(screen, doc), severity(screen, worst),
            origin_word(screen, origin), str(version),
        )  # fmt: skip  # the columns in their order
    screen.console.print(table)


def condition(screen: Screen, doc: Mapping[str, Any]) -> str:
    """When a rule fires, in one line."""
    _ = screen.text
    if not doc.get("enabled", True):
        return _("switched off")
    thresholds = "/".join(f"{level.get('threshold', 0):g}" for level in doc.get("levels", ()))
    match doc.get("kind", "threshold"):
        case "expression":
            return safe(doc.get("when", ""), 120)
        case "event":
            return _("it happens: {event}", event=safe(doc.get("event", "")))
        case "burn_rate":
            return _("the error budget of {objective} % burns", objective=f"{doc.get('objective', 99.9):g}")
        case "no_traffic":
            return _("no calls for {time}", time=screen.lasting(doc.get("window", 300.0)))
    lasting = f", {screen.lasting(doc['for'])}" if doc.get("for") else ""
    return f"{safe(doc.get('metric', ''))} {safe(doc.get('operator', '>'))} {thresholds}{lasting}"


def origin_word(screen: Screen, origin: str) -> str:
    """Where a rule comes from."""
    _ = screen.text
    words = {
        "default": _("the program"),
        "file": _("the configuration"),
        "api": _("somebody"),
        "code": _("the code"),
    }
    return words.get(origin, safe(origin))


def show_rule(screen: Screen, content: Any, *, as_json: bool) -> int:
    """One rule with its versions."""
    _ = screen.text
    if as_json:
        print_json(screen, content)
        return OK
    screen.line(Text.assemble((safe(content["rule"]["name"]), "name"), f"  {origin_word(screen, content['origin'])}"))
    for line in outline({name: value for name, value in content["rule"].items() if name != "name"}):
        screen.line(line)
    if content["versions"]:
        table = screen.table(_("Version"), _("When"), _("Who"), _("Comment"), numbers=(0,))
        for each in content["versions"]:
            said = safe(each["comment"], 120) if each["doc"] is not None else _("taken back")
            table.add_row(str(each["version"]), screen.moment(each["at"]), safe(each["actor"], 60), said)
        screen.console.print(table)
    return OK


def check_rules(
    screen: Screen, config: Path | None, override: list[str], environment: str | None, *, as_json: bool
) -> int:
    """The rules of a configuration as they would be in force; faults end in the list that every command gives."""
    from understudy.config import load

    found = configured(load(config, overrides=override, environment=environment).settings)
    if as_json:
        print_json(screen, {"rules": [{"rule": rule_to_doc(rule), "origin": origin} for rule, origin in found]})
        return OK
    rules_table(screen, [(rule_to_doc(rule), origin, rule.version) for rule, origin in found])
    _ = screen.text
    screen.line(_.plural("OK: {count} rule", "OK: {count} rules", len(found)), "good")
    return OK


def configured(settings: Any) -> list[tuple[Rule, str]]:
    """The rules that are in force with a configuration, each with where it comes from."""
    from understudy.alerts.defaults import default_rules

    named = dict(settings.alerts.rules)
    below = {rule.name: (rule, "default") for rule in default_rules(settings.alerts)}
    return list((below | {name: (rule, "file") for name, rule in named.items()}).values())
