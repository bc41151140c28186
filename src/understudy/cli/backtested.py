"""Backtests on a terminal: asked of a running service, or judged here over a recording of calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from .alerts_shown import labels, print_json, severity
from .client import ServiceClient
from .exits import FAILED, OK, USAGE, Stop
from .rules_tested import toml
from .screen import Screen, complain, safe

#: Longest wait for a backtest, s.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """The command line of `rules backtest`; None means the service's default."""

    rules: tuple[str, ...] = ()
    changed: Path | None = None
    last: str | None = None
    start: str | None = None
    api: str | None = None
    zone: str = "UTC"
    most_pages: float | None = None
    proposals: bool = False
    #: When something was wrong: spans as FROM/TO, and files of them.
    incidents: tuple[str, ...] = ()
    #: A recording that is judged here, in place of the history of the service.
    calls: Path | None = None
    config: Path | None = None


def show_backtest(screen: Screen, url: str, options: BacktestOptions, *, as_json: bool) -> int:
    """Ask for the backtest and show it; exit code 1 when a rule pages more often than it may, or an
    incident was told by none."""
    content = _replayed(screen, options) if options.calls is not None else _asked(screen, url, options)
    return _shown(screen, content, options, as_json=as_json)


def _asked(screen: Screen, url: str, options: BacktestOptions) -> dict[str, Any]:
    _ = screen.text
    body: dict[str, Any] = {"rules": list(options.rules), "zone": options.zone, "proposals": options.proposals}
    span = {"last": options.last, "from": options.start, "api": options.api}
    body |= {name: value for name, value in span.items() if value is not None}
    if options.changed is not None:
        body["changed"] = _tables(screen, options.changed)
    if labelled := _incidents(screen, options):
        body["incidents"] = labelled
    content: dict[str, Any] = ServiceClient(url, _, PATIENCE).send("POST", "/api/alerts/rules/backtest", body)
    return content


def _tables(screen: Screen, file: Path) -> list[dict[str, Any]]:
    """The rules of a file, as documents."""
    tables = toml(screen, file).get("rules")
    if not isinstance(tables, Mapping) or not all(isinstance(each, Mapping) for each in tables.values()):
        raise Stop(USAGE, screen.text("{path}: expected tables such as [rules.NAME]", path=safe(file)))
    return [{**doc, "name": name} for name, doc in tables.items()]


def _incidents(screen: Screen, options: BacktestOptions) -> list[dict[str, Any]]:
    """The labelled incidents of the command line and of the file, as the service takes them."""
    _ = screen.text
    found: list[dict[str, Any]] = []
    for said in options.incidents:
        begin, slash, end = said.partition("/")
        if said.endswith(".toml"):
            tables = toml(screen, Path(said)).get("incidents")
            if not isinstance(tables, list) or not all(isinstance(each, Mapping) for each in tables):
                raise Stop(USAGE, _("{path}: expected tables such as [[incidents]]", path=safe(said)))
            found += [{name: _plain(value) for name, value in each.items()} for each in tables]
        elif begin and slash and end:
            found.append({"from": begin.strip(), "to": end.strip()})
        else:
            raise Stop(USAGE, _("{option} takes {values}", option="--incident", values="FROM/TO, FILE.toml"))
    return found


def _plain(value: Any) -> Any:
    """A value of TOML as one of JSON: its times are written out."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _replayed(screen: Screen, options: BacktestOptions) -> dict[str, Any]:
    """The same over a recording, judged here: with the rules of the configuration, and those that are tried."""
    from understudy.alerts.rules import rule_from
    from understudy.config import load
    from understudy.web.api.backtests import NUMERIC, missed_by_all, told_of_rule
    from understudy.web.api.incidents import incidents_of
    from understudy.web.http import Problem

    from .recorded import read_calls, replayed
    from .rules_shown import configured

    _ = screen.text
    calls = read_calls(_, options.calls or Path())
    settings = load(options.config).settings
    known = [rule for rule, _origin in configured(settings) if rule.kind in NUMERIC]
    unknown = set(options.rules) - {rule.name for rule in known}
    if unknown:
        raise Stop(USAGE, _("no rule named {name} watches numbers", name=", ".join(sorted(map(safe, unknown)))))
    rules = [rule for rule in known if not options.rules or rule.name in options.rules]
    changed = [rule_from(doc, "file") for doc in _tables(screen, options.changed)] if options.changed else []
    before = replayed(calls, rules, options=settings.alerts)
    tried = {rule.name: rule for rule in rules} | {rule.name: rule for rule in changed}
    after = replayed(calls, list(tried.values()), options=settings.alerts) if changed else None
    try:
        zone = ZoneInfo(options.zone)
    except (ValueError, KeyError, OSError):
        raise Stop(USAGE, _("{option} takes {values}", option="--zone", values="America/Sao_Paulo")) from None
    try:
        incidents = incidents_of(_incidents(screen, options))
    except Problem as problem:
        raise Stop(USAGE, safe(problem.detail)) from None
    mine = {rule.name for rule in changed}
    told = [told_of_rule(name, before, after if name in mine else None, zone, incidents) for name in tried]
    missed = missed_by_all(incidents, told)
    return {"start": before.start, "end": before.end, "resolution": 0, "pieces": [], "rules": told, "missed": missed}


def _shown(screen: Screen, content: dict[str, Any], options: BacktestOptions, *, as_json: bool) -> int:
    _ = screen.text
    if as_json:
        print_json(screen, content)
    else:
        _render(screen, content)
    if content.get("missed"):
        complain(_.plural("{count} incident was told by no rule", "{count} incidents were told by no rule",
                          len(content["missed"])))  # fmt: skip  # one sentence
    too_many = [each["rule"] for each in content["rules"] if _pages(each) > (options.most_pages or 0.0)]
    if options.most_pages is None or not too_many:
        return FAILED if content.get("missed") else OK
    complain(_("too many pages a week: {rules}", rules=", ".join(map(safe, too_many))))
    return FAILED


def _pages(rule: Mapping[str, Any]) -> float:
    """Pages a week of the version that is being tried, else of what is in force."""
    return float((rule["changed"] or rule)["noise"]["pages_per_week"])


def _render(screen: Screen, content: Mapping[str, Any]) -> None:
    _ = screen.text
    start, end = screen.moment(content["start"]), screen.moment(content["end"])
    if content["resolution"]:
        length = screen.lasting(content["resolution"])
        said = _(
            "{start} to {end}, in buckets of {length}: each event lies within one bucket of the live one",
            start=start, end=end, length=length,
        )  # fmt: skip  # one line of values
    else:
        said = _("{start} to {end}, call by call: the events are those of the live path", start=start, end=end)
    screen.line(said, "quiet")
    columns = [_("Rule"), _("Episodes"), _("Told"), _("Pages a week"), _("At night"), _("Under 2 min"), _("Flapped")]
    table = screen.table(*columns, _("Firing"), numbers=(1, 2, 3, 4, 5, 6, 7))
    for each in content["rules"]:
        _row(screen, table, Text(safe(each["rule"]), "name"), each["noise"], blind=each["blind"])
        if each["changed"] is not None:
            _row(screen, table, "  → " + _("as changed"), each["changed"]["noise"], blind=False)
    screen.console.print(table)
    for each in content["rules"]:
        _incidents_told(screen, each)
        _recorded(screen, each)
        _changes(screen, each)
        _proposals(screen, each)


def _row(screen: Screen, table: Any, name: Text | str, noise: Mapping[str, Any], *, blind: bool) -> None:
    if blind:
        table.add_row(name, screen.text("the history tells nothing of it"), *["–"] * 6)
        return
    table.add_row(
        name, screen.number(noise["episodes"]), screen.number(noise["told"]), screen.number(noise["pages_per_week"], 1),
        screen.number(noise["night_pages"]), screen.number(noise["short"]), screen.number(noise["flapped"]),
        screen.percent(noise["share_firing"]),
    )  # fmt: skip  # the columns in their order


def _incidents_told(screen: Screen, rule: Mapping[str, Any]) -> None:
    """Which labelled incidents the rule told of, each version in a line, and those that it missed."""
    _ = screen.text
    versions = [(rule, safe(rule["rule"]))]
    if rule["changed"] is not None:
        versions.append((rule["changed"], f"{safe(rule['rule'])} {_('as changed')}"))
    for version, name in versions:
        found = version.get("incidents")
        if not found:
            continue
        told, missed = found["told"], found["missed"]
        after = sorted(max(0.0, each["after"]) for each in told)
        said = _("{told} of {total} incidents told", told=len(told), total=len(told) + len(missed))
        if after:
            said += ", " + _("{middle} after their begin in the middle", middle=screen.lasting(after[len(after) // 2]))
        screen.line(Text.assemble((f"{name}: ", "name"), said))
        for each in missed[:20]:
            about = " ".join(filter(None, (safe(each["name"], 100), labels(each["labels"]) if each["labels"] else "")))
            span = f"{screen.moment(each['from'])} – {screen.moment(each['to'])}"
            screen.line(Text.assemble((f"  {_('missed')}  ", "bad"), f"{span}  {about}"))
        if len(missed) > 20:
            screen.line(_("… and {count} more", count=len(missed) - 20), "quiet")


def _recorded(screen: Screen, rule: Mapping[str, Any]) -> None:
    """Of a rule that the history tells nothing of: what it really told."""
    found = rule.get("recorded")
    if not (rule["blind"] and found):
        return
    _ = screen.text
    said = _(
        "its own alerts of that time were {episodes}, with {pages} pages, {nights} of them at night",
        episodes=screen.number(found["episodes"]), pages=screen.number(found["pages"]),
        nights=screen.number(found["night_pages"]),
    )  # fmt: skip  # one line of values
    screen.line(Text.assemble((f"{safe(rule['rule'])}: ", "name"), said))


def _changes(screen: Screen, rule: Mapping[str, Any]) -> None:
    """What the version that is being tried does differently."""
    if rule["changed"] is None:
        return
    _ = screen.text
    for word, style, found in (
        (_("gone"), "degraded", rule["changed"]["difference"]["gone"]),
        (_("new"), "name", rule["changed"]["difference"]["new"]),
    ):
        for each in found[:20]:
            lasted = None if each["resolved_at"] is None else each["resolved_at"] - each["started_at"]
            line = (
                f"  {screen.moment(each['started_at'])}  {labels(each['labels'])}  "
                f"{_('still fires') if lasted is None else screen.lasting(lasted)}  "
            )
            screen.line(
                Text.assemble((f"{safe(rule['rule'])}  {word}", style), line, severity(screen, each["severity"]))
            )
        if len(found) > 20:
            screen.line(_("… and {count} more", count=len(found) - 20), "quiet")


def _proposals(screen: Screen, rule: Mapping[str, Any]) -> None:
    """What would have told less and lost nothing that mattered."""
    _ = screen.text
    for each in rule.get("proposals", ()):
        change = ", ".join(f"{safe(name)} = {screen.number(value)}" for name, value in each["change"].items())
        said = _(
            "with {change} {after} episodes instead of {before}, and none lost that lasted over ten minutes",
            change=change,
            after=screen.number(each["noise"]["episodes"]),
            before=screen.number(rule["noise"]["episodes"]),
        )
        screen.line(Text.assemble((f"{safe(rule['rule'])}: ", "name"), said))
