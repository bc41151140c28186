"""`understudy db upgrade | check | backup | restore | sql`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import NotInstalled
from understudy.core.text import Texts
from understudy.storage import StorageOptions

from .exits import FAILED, OK
from .options import HELP, config_option, environment_option, examples, json_option, override_option
from .screen import Screen, safe


def db_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about the store, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP, help=_("Upgrade, check, back up and restore the store.")
    )
    for add in (_upgrade, _check, _backup, _restore, _sql):
        add(app, _, kind)
    return app


def _storage(config: Path | None, override: list[str], environment: str | None) -> StorageOptions:
    from understudy.config import load

    return load(config, overrides=override, environment=environment).settings.storage


def _admin() -> Any:
    try:
        from understudy.storage import admin
    except ImportError:
        raise NotInstalled("the store", "service") from None
    return admin


def _upgrade(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy db upgrade", "understudy db upgrade --config understudy.toml -e production")

    @app.command(
        "upgrade", help=_("Make the tables, or bring them to what this version needs."), epilog=shown, cls=kind
    )
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        options = _storage(config, override, environment)
        before, now = _admin().upgrade(options)
        if before == now:
            Screen(_).line(_("the tables are of revision {revision} already", revision=now))
            return
        _note(options, "db.upgraded", {"from": before, "to": now})
        if before:
            Screen(_).line(_("the tables went from revision {before} to {now}", before=before, now=now))
        else:
            Screen(_).line(_("the tables were made, revision {now}", now=now))


def _check(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy db check", "understudy db check --json")

    @app.command(
        "check",
        help=_("Look for damage in the store and in the chain of the audit log; changes nothing."),
        epilog=shown,
        cls=kind,
    )
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        options = _storage(config, override, environment)
        screen = Screen(_, plain=as_json)
        found = _busy(screen, _("checking"), lambda: _admin().check(options))
        if as_json:
            screen.console.print(json.dumps(found.as_dict(), indent=2), soft_wrap=True)
        else:
            _show(screen, found)
        raise typer.Exit(FAILED if found.faults else OK)


def _show(screen: Screen, found: Any) -> None:
    _ = screen.text
    words = {
        "series": _("APIs and routes"), "days": _("days of history"), "requests": _("requests in the log"),
        "state": _("values of state"), "acts": _("acts in the audit log"), "services": _("running services"),
        "parts": _("parts of tables"), "alerts": _("alerts that fired"), "waiting": _("messages that wait"),
        "dead": _("messages that were given up"),
    }  # fmt: skip
    screen.line(safe(found.where), "name")
    table = screen.table("", "", numbers=(1,))
    table.show_header = False
    table.add_row(_("revision"), safe(found.revision or "–"))
    table.add_row(_("size"), f"{screen.number(found.bytes / 1e6, 1)} MB")
    for name, count in found.counts.items():
        table.add_row(words.get(name, name), screen.number(count))
    screen.console.print(table)
    for fault in found.faults:
        screen.line(Text(safe(fault)), "bad")
    if not found.faults:
        screen.line(_("nothing is wrong with it"), "good")


def _backup(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy db backup", "understudy db backup /var/backups/understudy.db")

    @app.command("backup", help=_("Copy the store, also while a service is running."), epilog=shown, cls=kind)
    def command(
        file: Path | None = typer.Argument(None, help=_("The copy; by default beside the store.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        options = _storage(config, override, environment)
        screen = Screen(_)
        copy = _busy(screen, _("copying"), lambda: _admin().back_up_store(options, file, SYSTEM_CLOCK))
        size = screen.number(copy.stat().st_size / 1e6, 1)
        screen.line(_("{file} is a copy of the store: {size} MB", file=safe(copy), size=size))


def _restore(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy db restore understudy.db.backup-20261125T120000Z")

    @app.command(
        "restore", help=_("Put a copy in the place of the store; no service may be running."), epilog=shown, cls=kind
    )
    def command(
        file: Path = typer.Argument(help=_("The copy.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        options = _storage(config, override, environment)
        screen = Screen(_)
        aside = _busy(screen, _("restoring"), lambda: _admin().restore(options, file, SYSTEM_CLOCK))
        _note(options, "db.restored", {"file": file.name})
        screen.line(_("the store is what {file} holds", file=safe(file)))
        if aside is not None:
            screen.line(_("what it was before is in {file}", file=safe(aside)))


def _sql(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy db sql > upgrade.sql")

    @app.command("sql", help=_("Print what an upgrade would do, for people to run."), epilog=shown, cls=kind)
    def command(
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
    ) -> None:
        typer.echo(_admin().upgrade_sql(_storage(config, override, environment)), nl=False)


def _note(options: StorageOptions, action: str, detail: dict[str, Any]) -> None:
    asyncio.run(_admin().note(options, SYSTEM_CLOCK, action, detail))


def _busy(screen: Screen, word: str, work: Callable[[], Any]) -> Any:
    """Do something that may take long, with a sign of life where somebody looks."""
    if screen.plain:
        return work()
    with screen.console.status(word):
        return work()
