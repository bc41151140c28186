"""`understudy config check | explain | schema | template`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from understudy.config.explain import rows
from understudy.config.faults import printable
from understudy.config.loader import Loaded, load
from understudy.config.schema import schema
from understudy.config.templates import env_template, toml_template
from understudy.core.errors import ConfigError

config_app = typer.Typer(help="Check and explain the configuration.", no_args_is_help=True)

FileOption = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override one value: apis.x.timeout=3")]
EnvironmentOption = Annotated[str | None, typer.Option("--environment", "-e", help="development, staging, production")]


def load_or_exit(file: Path | None, overrides: list[str] | None, environment: str | None = None) -> Loaded:
    """The configuration; its faults go to standard error, and the program ends with 2."""
    try:
        return load(file, overrides=overrides or (), environment=environment)
    except ConfigError as error:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(2) from None


@config_app.command("check")
def check_command(file: FileOption = None, override: SetOption = None, environment: EnvironmentOption = None) -> None:
    """Say every fault at once; exit code 2 if there is one."""
    loaded = load_or_exit(file, override, environment)
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    tree = loaded.settings
    typer.echo(f"OK: {len(tree.apis)} APIs, {len(tree.routes)} routes, environment {tree.environment}")


@config_app.command("explain")
def explain_command(
    path: Annotated[str, typer.Argument(help="Only what is at or below this, as in apis.x")] = "",
    file: FileOption = None,
    override: SetOption = None,
    environment: EnvironmentOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Show each effective value and where it came from."""
    found = rows(load_or_exit(file, override, environment), path)
    if not found:
        typer.echo(f"no value at {printable(path)}", err=True)
        raise typer.Exit(2)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("path", "value", "origin")
    for row in found:
        table.add_row(*(Text(printable(str(row[name]))) for name in ("path", "value", "origin")))
    Console().print(table)


@config_app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the file, for editors."""
    typer.echo(json.dumps(schema(), indent=2))


@config_app.command("template")
def template_command(env: Annotated[bool, typer.Option("--env", help="The .env file instead.")] = False) -> None:
    """Print a commented file to begin with."""
    typer.echo(env_template() if env else toml_template())
