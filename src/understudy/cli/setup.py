"""`understudy setup` and `understudy service …` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .exits import USAGE, Stop
from .options import HELP, config_option, examples
from .screen import Screen

if TYPE_CHECKING:
    from .service import Unit

_KINDS = ("user", "system")


def setup_command(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    """`understudy setup`."""
    shown = examples(
        _,
        "understudy setup",
        "understudy setup --template",
        "understudy setup --non-interactive --api @odds.curl --api @spare.curl --route odds=odds,spare",
        "understudy setup --non-interactive --variable SLACK_WEBHOOK_URL --dry-run",
    )

    @app.command(
        "setup", help=_("Write a configuration by answering questions: APIs, routes, channels, accounts."),
        epilog=shown, cls=kind,
    )  # fmt: skip
    def command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        config: Path | None = config_option(_),
        non_interactive: bool = typer.Option(False, "--non-interactive", help=_("Ask nothing; the options say all.")),
        dry_run: bool = typer.Option(False, "--dry-run", help=_("Show what would be written, and write nothing.")),
        yes: bool = typer.Option(False, "--yes", "-y", help=_("Change files that are there; copies are kept.")),
        template: bool = typer.Option(False, "--template", help=_("Only write .env.template; no secret in it.")),
        fresh: bool = typer.Option(False, "--fresh", help=_("Do not go on with a setup that was stopped.")),
        test: bool = typer.Option(False, "--test", help=_("Try everything first; exit code 1 if it fails.")),
        environment: str | None = typer.Option(None, "--environment", "-e", help="development, staging, production"),
        host: str | None = typer.Option(None, "--host", help=_("Address to listen on.")),
        port: int | None = typer.Option(None, "--port", "-p", min=0, max=65535, help=_("Port; 0 takes a free one.")),
        storage: str | None = typer.Option(
            None, "--storage", help=_("sqlite:///PATH, postgresql://USER@HOST/DATABASE or memory:")
        ),
        api: list[str] = typer.Option(
            [], "--api", help=_("A curl line, snippet or address, or @FILE; NAME=… names the API. As often as wanted.")
        ),
        route: list[str] = typer.Option([], "--route", help=_("NAME=API,API with the lead first. As often as wanted.")),
        variable: list[str] = typer.Option(
            [], "--variable", help=_("NAME=VALUE for .env, or a NAME that the environment has, as SLACK_WEBHOOK_URL.")
        ),
        success_rate: float | None = typer.Option(None, "--success-rate", help=_("Warn below this success rate, %.")),
        response_time: float | None = typer.Option(None, "--response-time", help=_("Warn beyond this time, s.")),
        error_rate: float | None = typer.Option(None, "--error-rate", help=_("Warn above this error rate, %.")),
        service: str = typer.Option("", "--service", help=_("Install a systemd unit at the end: user or system.")),
    ) -> None:
        from .setup_run import SetupOptions, setup

        if service and service not in _KINDS:
            raise Stop(USAGE, _("{option} takes {values}", option="--service", values=", ".join(_KINDS)))
        options = SetupOptions(
            config, non_interactive, dry_run, yes, template, fresh, test, environment, host, port, storage,
            tuple(api), tuple(route), tuple(variable), success_rate, response_time, error_rate, service,
        )  # fmt: skip
        raise typer.Exit(setup(Screen(_), options))


def service_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about the systemd unit, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP, help=_("Run in the background: a systemd unit.")
    )
    for add in (_print, _install, _uninstall, _status):
        add(app, _, kind)
    return app


def _system_option(_: Texts) -> bool:
    option: bool = typer.Option(False, "--system/--user", help=_("Of the machine (needs root), or of this user."))
    return option


def _unit(_: Texts, system: bool, config: Path | None, *, load_it: bool = True) -> Unit:
    from understudy.config import load

    from .service import unit_for

    port = load(config).settings.service.port if load_it else 0
    return unit_for("system" if system else "user", config or Path("understudy.toml"), port, _)


def _print(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy service print", "understudy service print --system > understudy.service")

    @app.command("print", help=_("Print the unit that would be installed."), epilog=shown, cls=kind)
    def command(system: bool = _system_option(_), config: Path | None = config_option(_)) -> None:
        typer.echo(_unit(_, system, config).render(), nl=False)


def _install(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy service install", "sudo understudy service install --system -c /srv/odds.toml")

    @app.command("install", help=_("Install the unit and start it, now and with the machine."), epilog=shown, cls=kind)
    def command(
        system: bool = _system_option(_),
        config: Path | None = config_option(_),
        start: bool = typer.Option(True, "--start/--no-start", help=_("Start it at once.")),
        yes: bool = typer.Option(False, "--yes", "-y", help=_("Replace another unit of that name; a copy is kept.")),
    ) -> None:
        from .service import install

        raise typer.Exit(install(Screen(_), _unit(_, system, config), start=start, overwrite=yes))


def _uninstall(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy service uninstall")

    @app.command("uninstall", help=_("Stop the service and remove the unit; data stays."), epilog=shown, cls=kind)
    def command(system: bool = _system_option(_)) -> None:
        from .service import uninstall

        raise typer.Exit(uninstall(Screen(_), _unit(_, system, None, load_it=False)))


def _status(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy service status")

    @app.command("status", help=_("Whether it runs, as systemd tells it."), epilog=shown, cls=kind)
    def command(system: bool = _system_option(_)) -> None:
        from .service import status

        raise typer.Exit(status(Screen(_), _unit(_, system, None, load_it=False)))
