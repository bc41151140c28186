"""`understudy silence add | list | expire | preview`: keeps alerts quiet on a running service."""

from __future__ import annotations

import getpass
from pathlib import Path

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient, part
from .exits import FAILED, OK, Stop
from .options import HELP, config_option, examples, json_option, service_url, url_option
from .screen import Screen, safe


def silence_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about silences, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP, help=_("Keep alerts quiet for a while, with a reason.")
    )
    for add in (_add, _list, _expire, _preview):
        add(app, _, kind)
    return app


def _matchers(_: Texts) -> list[str]:
    argument: list[str] = typer.Argument(
        ..., help=_('Which alerts: api=odds_prime, rule!=api_down, api=~"odds.*"; all of them must hold.')
    )
    return argument


def _add(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        'understudy silence add api=odds_prime --for 2h --reason "the provider maintains it"',
        "understudy silence add hub=rapidapi --rrule FREQ=WEEKLY;BYDAY=SU --duration 2h "
        '--zone America/Sao_Paulo --from 2026-12-06T02:00 --reason "weekly maintenance"',
    )

    @app.command("add", help=_("Keep matching alerts quiet; a reason is a must."), epilog=shown, cls=kind)
    def command(
        matchers: list[str] = _matchers(_),
        reason: str = typer.Option(..., "--reason", "-m", help=_("Why, for the others.")),
        span: str | None = typer.Option(None, "--for", help=_("For how long: 30m, 2h, 7d.")),
        start: str | None = typer.Option(None, "--from", help=_("From when on; now by default.")),
        until: str | None = typer.Option(None, "--until", help=_("Until when: 2026-12-01T08:00.")),
        rrule: str | None = typer.Option(None, "--rrule", help=_("Again and again, as RFC 5545 writes it.")),
        duration: str | None = typer.Option(None, "--duration", help=_("With --rrule: how long each time.")),
        zone: str | None = typer.Option(None, "--zone", help=_("With --rrule: the time zone; UTC by default.")),
        author: str | None = typer.Option(None, "--author", help=_("Who; you by default.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .alerts_shown import print_json

        wanted = {
            "matchers": matchers, "reason": reason, "for": span, "starts_at": start, "ends_at": until, "rrule": rrule,
            "duration": duration, "time_zone": zone, "author": author or _me(),
        }  # fmt: skip  # a body reads as a table
        content = {name: value for name, value in wanted.items() if value is not None}
        made = ServiceClient(service_url(url, config), _).send("POST", "/api/alerts/silences", content)
        screen = Screen(_)
        if as_json:
            print_json(screen, made)
            return
        screen.line(_("silence {id} is kept", id=safe(made["id"])), "good")
        screen.line(
            _.plural("{count} alert is quiet now", "{count} alerts are quiet now", len(made["matching"])), "quiet"
        )


def _list(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy silence list", "understudy silence list --json")

    @app.command("list", help=_("Silences that hold now or later."), epilog=shown, cls=kind)
    def command(
        url: str = url_option(_), config: Path | None = config_option(_), as_json: bool = json_option(_)
    ) -> None:
        from .alerts_shown import print_json

        found = ServiceClient(service_url(url, config), _).get("/api/alerts/silences")
        screen = Screen(_)
        if as_json:
            print_json(screen, found)
            return
        if not found["silences"]:
            screen.line(_("There is no silence."))
            return
        table = screen.table(
            _("Silence"), _("Alerts"), _("From"), _("Until"), _("Who"), _("Why"), _("Holds now"), whole=(0,)
        )
        for each in found["silences"]:
            until = safe(each["rrule"]) if each.get("rrule") else screen.moment(each.get("ends_at"))
            table.add_row(
                Text(safe(each["id"]), "name"),
                safe(", ".join(each["matchers"])),
                screen.moment(each.get("starts_at")),
                until,
                safe(each["author"], 60),
                safe(each["reason"]),
                _("yes") if each["active"] else _("no"),
            )
        screen.console.print(table)


def _expire(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy silence expire 01JDX3ZQ4M8W6T2N0V9K5H7B1C")

    @app.command("expire", help=_("End a silence now."), epilog=shown, cls=kind)
    def command(
        silence: str = typer.Argument(..., help=_("The silence's id, as the list shows it.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        ServiceClient(service_url(url, config), _).send("DELETE", f"/api/alerts/silences/{part(silence)}")
        Screen(_).line(_("the silence has ended"), "good")


def _preview(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, 'understudy silence preview api=~"odds.*"')

    @app.command("preview", help=_("Which alerts a silence would keep quiet now."), epilog=shown, cls=kind)
    def command(
        matchers: list[str] = _matchers(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from understudy.web.views.told import AlertsView

        from .alerts_shown import active_table, print_json

        content = {"matchers": matchers}
        found = ServiceClient(service_url(url, config), _).send("POST", "/api/alerts/silences/preview", content)
        screen = Screen(_)
        if as_json:
            print_json(screen, found)
            raise typer.Exit(OK)
        try:
            view = AlertsView.from_dict(found)
        except (KeyError, TypeError, AttributeError):
            raise Stop(FAILED, _("the answer is of another version of Understudy")) from None
        if view.alerts:
            active_table(screen, view)
        else:
            screen.line(_("No alert that fires now would be quiet."))


def _me() -> str:
    """Who runs this, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "command line"
