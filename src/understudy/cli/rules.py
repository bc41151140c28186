"""`understudy rules list | show | check | test | backtest`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient, part
from .options import (
    HELP,
    config_option,
    environment_option,
    examples,
    json_option,
    override_option,
    service_url,
    url_option,
)
from .screen import Screen


def rules_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about rules, in one language."""
    app = typer.Typer(
        cls=group,
        no_args_is_help=True,
        context_settings=HELP,
        help=_("What alerts: show, check, test and try rules on the past."),
    )
    for add in (_list, _show, _check, _test, _backtest, _noise):
        add(app, _, kind)
    return app


def _list(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy rules list", "understudy rules list --json")

    @app.command("list", help=_("The rules of a running service, and where each comes from."), epilog=shown, cls=kind)
    def command(
        url: str = url_option(_), config: Path | None = config_option(_), as_json: bool = json_option(_)
    ) -> None:
        from .rules_shown import show_rules

        content = ServiceClient(service_url(url, config), _).get("/api/alerts/rules")
        raise typer.Exit(show_rules(Screen(_), content, as_json=as_json))


def _show(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy rules show success_rate")

    @app.command("show", help=_("One rule of a running service, with its versions."), epilog=shown, cls=kind)
    def command(
        rule: str = typer.Argument(..., help=_("The rule's name.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .rules_shown import show_rule

        client = ServiceClient(service_url(url, config), _)
        content = client.get(f"/api/alerts/rules/{part(rule)}")
        content |= client.get(f"/api/alerts/rules/{part(rule)}/versions")
        raise typer.Exit(show_rule(Screen(_), content, as_json=as_json))


def _check(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy rules check", "understudy rules check --config understudy.toml -e production")

    @app.command(
        "check", help=_("Say everything that is wrong with the rules of a configuration."), epilog=shown, cls=kind
    )
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .rules_shown import check_rules

        raise typer.Exit(check_rules(Screen(_), config, override, environment, as_json=as_json))


def _test(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _, "understudy rules test tests/rules.test.toml", "understudy rules test --config understudy.toml a.toml b.toml"
    )

    @app.command("test", help=_("Run tests of rules: series in, expected alerts out."), epilog=shown, cls=kind)
    def command(
        files: list[Path] = typer.Argument(..., help=_("Files of tests.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .rules_tested import run_tests

        raise typer.Exit(run_tests(Screen(_), list(files), config, override, environment, as_json=as_json))


def _backtest(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy rules backtest success_rate",
        "understudy rules backtest --last 7d --api odds_prime",
        "understudy rules backtest --rules new.toml --most-pages 2 --zone America/Sao_Paulo",
        "understudy rules backtest --incident 2026-11-24T13:00/2026-11-24T13:40",
        "understudy rules backtest --calls calls.jsonl --json",
    )

    @app.command("backtest", help=_("What rules would have told in the past that is kept."), epilog=shown, cls=kind)
    def command(  # noqa: PLR0913, PLR0917 - each is one option of the command line
        rules: list[str] = typer.Argument(None, help=_("Names of rules; all that watch numbers by default.")),
        changed: Path | None = typer.Option(
            None,
            "--rules",
            help=escape(_("A file with [rules.NAME] tables: try these, beside what is in force.")),
        ),
        last: str | None = typer.Option(None, "--last", help=_("The span until now: 24h, 7d; 30 days by default.")),
        start: str | None = typer.Option(None, "--from", help=_("Begin of the span: 2026-11-24 or 2026-11-24T13:00.")),
        api: str | None = typer.Option(None, "--api", help=_("Only about this API.")),
        zone: str = typer.Option("UTC", "--zone", help=_("Where night is: America/Sao_Paulo.")),
        most_pages: float | None = typer.Option(
            None, "--most-pages", min=0, help=_("Fail when a rule pages more often a week.")
        ),
        calls: Path | None = typer.Option(
            None,
            "--calls",
            help=_("A recording of calls, judged here: a JSON object with at, api, ok, seconds a line."),
        ),
        incident: list[str] = typer.Option(
            [],
            "--incident",
            help=escape(_("When something was wrong, FROM/TO, or a file of [[incidents]]: who missed it?")),
        ),
        propose: bool = typer.Option(False, "--propose", help=_("Try versions of noisy rules that tell less.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .backtested import BacktestOptions, show_backtest

        options = BacktestOptions(
            tuple(rules or ()), changed, last, start, api, zone, most_pages, propose, tuple(incident), calls, config
        )
        where = service_url(url, config) if calls is None else ""
        raise typer.Exit(show_backtest(Screen(_), where, options, as_json=as_json))


def _noise(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy rules noise", "understudy rules noise --last 7d --zone America/Sao_Paulo --json")

    @app.command("noise", help=_("What each rule has cost people, and which are noisy."), epilog=shown, cls=kind)
    def command(
        last: str | None = typer.Option(None, "--last", help=_("The span until now: 24h, 7d; 30 days by default.")),
        zone: str = typer.Option("UTC", "--zone", help=_("Where night is: America/Sao_Paulo.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .noise import show_noise

        content = ServiceClient(service_url(url, config), _).get("/api/alerts/noise", last=last, zone=zone)
        raise typer.Exit(show_noise(Screen(_), content, as_json=as_json))
