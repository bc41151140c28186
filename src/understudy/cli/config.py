"""`understudy config check | explain | schema | template`."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from understudy.config.explain import rows
from understudy.config.faults import printable
from understudy.config.loader import load
from understudy.config.schema import schema
from understudy.config.templates import env_template, toml_template
from understudy.core.text import Texts

from .exits import USAGE, Stop
from .faults import said
from .options import HELP, config_option, environment_option, examples, json_option, override_option
from .screen import Screen, complain

#: Columns of a table that no person reads.
_UNFOLDED = 10_000


def config_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about the configuration, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP, help=_("Check and explain the configuration.")
    )
    for add in (_check, _explain, _schema, _template):
        add(app, _, kind)
    return app


def _check(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy config check", "understudy config check --config understudy.toml -e production")

    @app.command("check", help=_("Say every fault at once; exit code 2 if there is one."), epilog=shown, cls=kind)
    def command(
        file: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        loaded = load(file, overrides=override, environment=environment)
        if file is None and not loaded.files[0].exists():
            complain(_("there is no {file} here: only defaults and variables apply", file=loaded.files[0].name))
        for warning in loaded.warnings:
            complain(_("warning: {text}", text=said(warning, _)))
        tree = loaded.settings
        apis = _.plural("{count} API", "{count} APIs", len(tree.apis))
        routes = _.plural("{count} route", "{count} routes", len(tree.routes))
        Screen(_).line(f"OK: {apis}, {routes}, {tree.environment}")


def _explain(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy config explain apis.fixtures", "understudy config explain --json")

    @app.command("explain", help=_("Show each effective value and where it came from."), epilog=shown, cls=kind)
    def command(
        path: str = typer.Argument("", help=_("Only what is at or below this, as in apis.x")),
        file: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        found = rows(load(file, overrides=override, environment=environment), path)
        if not found:
            raise Stop(USAGE, _("there is no value at {path}", path=printable(path)))
        screen = Screen(_)
        if as_json:
            screen.console.print(json.dumps(found, indent=2), soft_wrap=True)
            return
        table = screen.table(_("Key"), _("Value"), _("Where from"))
        for row in found:
            table.add_row(*(Text(printable(str(row[name]))) for name in ("path", "value", "origin")))
        # For other programs a value stands in one line with its key, however long.
        screen.console.print(table, width=None if screen.console.is_terminal else _UNFOLDED, crop=False)


def _schema(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy config schema > understudy.schema.json")

    @app.command("schema", help=_("Print the JSON Schema of the file, for editors."), epilog=shown, cls=kind)
    def command() -> None:
        typer.echo(json.dumps(schema(), indent=2))


def _template(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy config template > understudy.toml", "understudy config template --env > .env")

    @app.command("template", help=_("Print a commented file to begin with."), epilog=shown, cls=kind)
    def command(env: bool = typer.Option(False, "--env", help=_("The .env file instead."))) -> None:
        typer.echo(env_template() if env else toml_template())
