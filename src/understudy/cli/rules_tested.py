"""Rules put to the test: files of tests run here, backtests asked of a running service."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.text import Text

from understudy.alerts.rule_test_files import BEGIN, RuleTestError, read
from understudy.alerts.rule_tests import run

from .alerts_shown import labels, print_json, severity
from .client import ServiceClient
from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, complain, safe

#: Largest file that is read, bytes; longest wait for a backtest, s.
MAX_FILE, PATIENCE = 8 * 1024 * 1024, 300.0


def run_tests(
    screen: Screen,
    files: list[Path],
    config: Path | None,
    override: list[str],
    environment: str | None,
    *,
    as_json: bool,
) -> int:
    """Run every test of the files; exit code 1 when one fails, 2 when a file cannot be used."""
    from understudy.config import load

    from .rules_shown import configured

    rules = [rule for rule, _ in configured(load(config, overrides=override, environment=environment).settings)]
    told, failed, count = [], 0, 0
    for file in files:
        try:
            suite = read(toml(screen, file), rules)
        except RuleTestError as error:
            for fault in error.faults:
                complain(f"{safe(file)}: {safe(fault, 500)}")
            raise Stop(USAGE, screen.text("the tests have faults, so none was run")) from None
        for outcome in run(suite, BEGIN):
            count += 1
            failed += not outcome.passed
            told.append({"file": str(file), "test": outcome.name, "differences": list(outcome.differences)})
            if not as_json:
                _tell(screen, file, outcome.name, outcome.differences)
    if as_json:
        print_json(screen, {"tests": told, "failed": failed})
    else:
        _ = screen.text
        good = _.plural("OK: {count} test", "OK: {count} tests", count)
        bad = _.plural("{count} of {total} tests failed", "{count} of {total} tests failed", failed, total=count)
        screen.line(bad if failed else good, "bad" if failed else "good")
    return FAILED if failed else OK


def _tell(screen: Screen, file: Path, name: str, differences: tuple[str, ...]) -> None:
    mark = ("✗ ", "bad") if differences else ("✓ ", "good")
    screen.line(Text.assemble(mark, (safe(name), "name"), (f"  {safe(file)}", "quiet")))
    for difference in differences:
        for line in difference.split("\n"):
            screen.line(f"    {safe(line, 500)}")


def toml(screen: Screen, file: Path) -> dict[str, Any]:
    """A file as TOML; a `Stop` that says why it is none."""
    _ = screen.text
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise Stop(USAGE, _("{path}: the file is too large", path=safe(file)))
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise Stop(USAGE, f"{safe(file)}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise Stop(USAGE, _("{path}: the file is no text in UTF-8", path=safe(file))) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Stop(USAGE, f"{safe(file)}: {safe(error)}") from None


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
    #: A recording that is judged here, in place of the history of the service.
    calls: Path | None = None
    config: Path | None = None


def show_backtest(screen: Screen, url: str, options: BacktestOptions, *, as_json: bool) -> int:
    """Ask for the backtest and show it; exit code 1 when a rule pages more often than it may."""
    content = _replayed(screen, options) if options.calls is not None else _asked(screen, url, options)
    return _shown(screen, content, options, as_json=as_json)


def _asked(screen: Screen, url: str, options: BacktestOptions) -> dict[str, Any]:
    _ = screen.text
    body: dict[str, Any] = {"rules": list(options.rules), "zone": options.zone, "proposals": options.proposals}
    span = {"last": options.last, "from": options.start, "api": options.api}
    body |= {name: value for name, value in span.items() if value is not None}
    if options.changed is not None:
        body["changed"] = _tables(screen, options.changed)
    content: dict[str, Any] = ServiceClient(url, _, PATIENCE).send("POST", "/api/alerts/rules/backtest", body)
    return content


def _tables(screen: Screen, file: Path) -> list[dict[str, Any]]:
    """The rules of a file, as documents."""
    tables = toml(screen, file).get("rules")
    if not isinstance(tables, Mapping) or not all(isinstance(each, Mapping) for each in tables.values()):
        raise Stop(USAGE, screen.text("{path}: expected tables such as [rules.NAME]", path=safe(file)))
    return [{**doc, "name": name} for name, doc in tables.items()]


def _replayed(screen: Screen, options: BacktestOptions) -> dict[str, Any]:
    """The same over a recording, judged here: with the rules of the configuration, and those that are tried."""
    from understudy.alerts.rules import rule_from
    from understudy.config import load
    from understudy.web.backtests import NUMERIC, told_of_rule

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
    mine = {rule.name for rule in changed}
    told = [told_of_rule(name, before, after if name in mine else None, zone) for name in tried]
    return {"start": before.start, "end": before.end, "resolution": 0, "pieces": [], "rules": told}


def _shown(screen: Screen, content: dict[str, Any], options: BacktestOptions, *, as_json: bool) -> int:
    _ = screen.text
    if as_json:
        print_json(screen, content)
    else:
        _render(screen, content)
    too_many = [each["rule"] for each in content["rules"] if _pages(each) > (options.most_pages or 0.0)]
    if options.most_pages is None or not too_many:
        return OK
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
