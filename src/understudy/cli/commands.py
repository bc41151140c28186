"""The commands and their options; what each does is in the module of its name."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from understudy import __version__
from understudy.config.sentences import said
from understudy.config.sources import real_environment
from understudy.core.errors import ConfigError, NotInstalled, UnderstudyError
from understudy.core.secrets import Secret
from understudy.core.text import Texts, known_language, texts

from .admin import admin_commands
from .alerts import alerts_commands
from .config import config_commands
from .controls import api_commands, route_commands
from .db import db_commands
from .exits import FAILED, INTERRUPTED, OK, UNAVAILABLE, USAGE, Stop
from .faults import told
from .notify import notify_commands
from .options import (
    ASKED,
    HELP,
    Asked,
    config_option,
    environment_option,
    examples,
    json_option,
    override_option,
    service_url,
    url_option,
)
from .rules import rules_commands
from .screen import Screen, complain, safe
from .setup import service_commands, setup_command
from .silence import silence_commands
from .status_page import status_page_commands
from .usage import explained, spoken

if TYPE_CHECKING:
    from understudy.config import Settings

#: Where the language is looked for when `--lang` does not say it, in the order of the C library.
_LANGUAGE_VARIABLES = ("UNDERSTUDY_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code. A user's mistake ends in one clear line, never in a traceback."""
    tag, rest = language(arguments, real_environment())
    text = texts(tag or "en")
    if tag is None:
        complain(text("{option} takes {values}", option="--lang", values="en, pt"))
        return USAGE
    try:
        code = _run(rest, text)
        if sys.stdout is not None:  # it is None in a process that was started without one
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()  # the reader of our output has gone: nobody to complain to
        return FAILED
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        if error.filename is not None:
            complain(f"{safe(error.filename)}: {reason}")
            return FAILED
        _forget_output()
        complain(text("standard output: {reason}", reason=reason))
        return FAILED
    return code


def _run(arguments: list[str], text: Texts) -> int:
    try:
        code = build(text)(args=arguments, prog_name="understudy", standalone_mode=False)
    except Stop as stop:
        if stop.message:
            complain(stop.message)
        return stop.code
    except ConfigError as error:
        for fault in error.faults:
            complain(told(fault, text))
        complain(text("the configuration has faults, so nothing was done"))
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except NotInstalled as error:
        complain(str(error))
        return UNAVAILABLE
    except UnderstudyError as error:
        complain(safe(said(str(error), text)))
        return FAILED
    except typer.Exit as end:
        return int(end.exit_code)
    except Exception as error:
        show = getattr(error, "show", None)  # a usage error of the command-line library
        if show is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            show()
        else:
            complain(explained(error, text))
        return USAGE
    return code if isinstance(code, int) else OK


def _forget_output() -> None:
    """What is still to be written goes nowhere, so that the interpreter does not complain at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def language(arguments: list[str], env: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The language that `--lang` asks for, else that of the environment, and the other arguments.

    The option may stand anywhere. None: it asks for a language that there is not.
    """
    given: str | None = next((env[name] for name in _LANGUAGE_VARIABLES if env.get(name)), "")
    rest: list[str] = []
    pending = False
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif pending or argument.startswith("--lang="):
            tag = argument.removeprefix("--lang=") if not pending else argument
            given = known_language(tag) if tag.lower().startswith(("en", "pt")) else None
            pending = False
        elif argument == "--lang":
            pending = True
        else:
            rest.append(argument)
    return None if pending else given, rest


def build(text: Texts) -> typer.Typer:
    """The command line in one language."""
    _ = text
    command, group = spoken(text)
    app = typer.Typer(
        name="understudy",
        cls=group,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings=HELP,
    )

    def version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"understudy {__version__}")
            raise typer.Exit

    def root(
        show: bool = typer.Option(False, "--version", callback=version, is_eager=True, help=_("Say the version.")),
        lang: str = typer.Option("", "--lang", help=_("en or pt; by default as the environment says.")),
        url: str = typer.Option("", "--url", help=_("The running service to ask; by default as configured.")),
        token: str = typer.Option(
            "", "--token", help=_("An API token of it; UNDERSTUDY_TOKEN is not shown to others of this machine.")
        ),
    ) -> None:
        del show, lang  # both have done their work before
        ASKED.set(Asked(url, Secret(token.strip(), "--token") if token.strip() else None))

    app.callback(
        help=_("Calls to third-party APIs that keep succeeding while APIs fail: measured, explained, visible."),
        epilog=_(
            "Exit codes: 0 well · 1 something failed · 2 wrong arguments or configuration · "
            "69 port taken or service not there · 77 port not allowed · 78 refused for safety · 130 Ctrl-C"
        ),
    )(root)
    for add in (_serve, _status, _explain, _check, _report, _simulate_history, _demo, setup_command):
        add(app, text, command)
    app.add_typer(route_commands(text, command, group), name="route")
    app.add_typer(api_commands(text, command, group), name="api")
    app.add_typer(status_page_commands(text, command, group), name="status-page")
    app.add_typer(service_commands(text, command, group), name="service")
    app.add_typer(config_commands(text, command, group), name="config")
    app.add_typer(admin_commands(text, command, group), name="admin")
    app.add_typer(db_commands(text, command, group), name="db")
    app.add_typer(rules_commands(text, command, group), name="rules")
    app.add_typer(alerts_commands(text, command, group), name="alerts")
    app.add_typer(silence_commands(text, command, group), name="silence")
    app.add_typer(notify_commands(text, command, group), name="notify")
    return app


def _serve(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy run --config understudy.toml",
        "understudy run --simulator --traffic 5",
        "understudy run --port 9000 --set apis.fixtures.timeout=3",
    )

    @app.command("run", help=_("Run the service: health, metrics and JSON over HTTP."), epilog=shown, cls=kind)
    def command(
        config: Path | None = config_option(_),
        host: str | None = typer.Option(
            None, "--host", help=_("Address to listen on; others than this machine need accounts.")
        ),
        port: int | None = typer.Option(None, "--port", "-p", min=0, max=65535, help=_("Port; 0 takes a free one.")),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        simulator: bool = typer.Option(
            False, "--simulator", "--sample", help=_("With seven simulated APIs and the sample configuration.")
        ),
        seed: int = typer.Option(7, "--seed", help=_("What the simulator draws its facts from.")),
        traffic: float = typer.Option(
            0.0,
            "--traffic",
            min=0,
            max=1000,
            help=_("Call the routes that often a second, so that there is something to see."),
        ),
        watch: bool = typer.Option(True, "--watch/--no-watch", help=_("Take changed files in while running.")),
        insecure: bool = typer.Option(
            False, "--insecure-no-auth", help=_("Nobody has to sign in, accounts or not; on loopback only.")
        ),
        read_only: bool = typer.Option(
            False, "--read-only", help=_("Only show: nothing can be changed through it, by anybody.")
        ),
    ) -> None:
        from .run import RunOptions, run_service

        options = RunOptions(
            config, environment, host, port, tuple(override), simulator, seed, traffic, watch, insecure, read_only
        )  # fmt: skip
        raise typer.Exit(run_service(Screen(_), options))


def _status(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy status", "understudy status --url http://127.0.0.1:9000 --json")

    @app.command("status", help=_("What serves what right now, asked of a running service."), epilog=shown, cls=kind)
    def command(
        url: str = url_option(_), config: Path | None = config_option(_), as_json: bool = json_option(_)
    ) -> None:
        from .status import show_status

        raise typer.Exit(show_status(Screen(_), service_url(url, config), as_json=as_json))


def _explain(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy explain --last",
        "understudy explain --route fixtures --outcome fallback",
        "understudy explain 9f3c21ab-1f",
    )

    @app.command("explain", help=_("Why a call was served by whom: decision records."), epilog=shown, cls=kind)
    def command(
        call: str | None = typer.Argument(None, help=_("The call's id; without it, the last records.")),
        last: bool = typer.Option(False, "--last", help=_("The newest record in full.")),
        route: str | None = typer.Option(None, "--route", help=_("Only calls of this route.")),
        outcome: str | None = typer.Option(None, "--outcome", help="success, fallback, failed, deadline, cancelled"),
        limit: int = typer.Option(20, "--limit", min=1, max=1000, help=_("How many records.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .explain import show_decisions

        where = service_url(url, config)
        code = show_decisions(
            Screen(_), where, call_id=call, last=last, route=route, outcome=outcome, limit=limit, as_json=as_json
        )
        raise typer.Exit(code)


def _check(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy check",
        "understudy check fixtures_pro --config understudy.toml --json",
        "understudy check --simulator",
    )

    @app.command("check", help=_("Test the connectivity of every API of the configuration."), epilog=shown, cls=kind)
    def command(
        apis: list[str] = typer.Argument(None, help=_("Names of APIs; all by default.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        simulator: bool = typer.Option(
            False, "--simulator", "--sample", help=_("With seven simulated APIs and the sample configuration.")
        ),
        as_json: bool = json_option(_),
    ) -> None:
        from understudy.config import load

        from .check import check

        def checked(settings: Settings) -> int:
            return check(Screen(_), settings, list(apis or ()), as_json=as_json)

        if simulator:
            from understudy.simulator import SimulatorThread

            from .simulated import load_sample

            with SimulatorThread() as running:
                raise typer.Exit(checked(load_sample(running, override, environment).settings))
        raise typer.Exit(checked(load(config, overrides=override, environment=environment).settings))


def _report(app: typer.Typer, _: Texts, cls: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy report --month 2026-11 --output november.html",
        "understudy report cost --last 7d --format json",
        "understudy report incident --api odds_main --from 2026-11-24T13:00 --to 2026-11-24T15:00 -o incident.html",
    )

    @app.command(
        "report",
        help=_("Write down what happened: service levels, comparison, savings, cost, incidents, failures."),
        epilog=shown,
        cls=cls,
    )
    def command(
        kind: str = typer.Argument(
            "summary", help="summary, service-level, comparison, savings, cost, incidents, failures, incident"
        ),
        api: str | None = typer.Option(None, "--api", help=_("Only this API; an incident needs it.")),
        last: str | None = typer.Option(None, "--last", help=_("The span until now: 24h, 7d; 30 days by default.")),
        month: str | None = typer.Option(None, "--month", help=_("A calendar month: 2026-11.")),
        start: str | None = typer.Option(None, "--from", help=_("Begin of the span: 2026-11-24 or 2026-11-24T13:00.")),
        end: str | None = typer.Option(None, "--to", help=_("End of the span; now by default.")),
        target: float | None = typer.Option(None, "--target", help=_("The promise, percent; 99.9 by default.")),
        style: str = typer.Option("html", "--format", "-f", help="html, json, csv"),
        output: Path | None = typer.Option(None, "--output", "-o", help=_("The file; standard output by default.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        from .report import ReportOptions, write_report

        options = ReportOptions(kind, api, last, month, start, end, target, style, output)
        raise typer.Exit(write_report(Screen(_), service_url(url, config), options))


def _simulate_history(app: typer.Typer, _: Texts, cls: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy simulate-history --apis 20 --days 30",
        "understudy simulate-history --apis 1000 --days 30 --seed 3 --storage sqlite:////var/tmp/large.db",
    )

    @app.command(
        "simulate-history", help=_("Fill a store with a believable past of simulated APIs."), epilog=shown, cls=cls
    )
    def command(
        apis: int = typer.Option(20, "--apis", min=1, max=10_000, help=_("How many APIs.")),
        days: int = typer.Option(30, "--days", min=1, max=1500, help=_("How many days, until now.")),
        seed: int = typer.Option(7, "--seed", help=_("What the past is drawn from.")),
        storage: str = typer.Option(
            "sqlite:///understudy-simulated.db",
            "--storage",
            help=_("The store to fill: sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
        ),
        config: Path | None = typer.Option(
            None, "--config", "-c", help=_("Fill the store of this configuration file instead.")
        ),
        add: bool = typer.Option(False, "--add", help=_("Write into a store that holds something already.")),
        plain: bool = typer.Option(False, "--plain", help=_("Lines only, no colours and nothing that moves.")),
    ) -> None:
        from .simulate_history import HistoryOptions, simulate_history, storage_options

        options = HistoryOptions(apis, days, seed, storage_options(storage, config), add)
        raise typer.Exit(simulate_history(Screen(_, plain=plain), options))


def _demo(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy demo", "understudy demo --seconds 60 --seed 3 --lang pt")

    @app.command(
        "demo",
        help=_("Watch calls survive while simulated APIs fail, one fault after another."),
        epilog=shown,
        cls=kind,
    )
    def command(
        seconds: float = typer.Option(40.0, "--seconds", min=10, max=3600, help=_("How long the whole story takes.")),
        seed: int = typer.Option(7, "--seed", help=_("What the simulator draws its facts from.")),
        rate: float = typer.Option(25.0, "--rate", min=1, max=200, help=_("Calls a second.")),
        plain: bool = typer.Option(False, "--plain", help=_("Lines only, no colours and nothing that moves.")),
    ) -> None:
        from .demo import demo

        raise typer.Exit(demo(Screen(_, plain=plain), seconds=seconds, seed=seed, rate=rate))
