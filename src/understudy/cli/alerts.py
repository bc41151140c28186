"""`understudy alerts list | show | ack | unack | snooze | resolve | why`: asks and acts on a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient, part
from .exits import USAGE, Stop
from .options import HELP, config_option, examples, json_option, service_url, url_option
from .screen import Screen

#: What `--state` takes; `active` is what fires now, the others are episodes that are kept.
STATES = ("active", "open", "resolved", "all")


def alerts_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about alerts, in one language."""
    app = typer.Typer(
        cls=group,
        no_args_is_help=True,
        context_settings=HELP,
        help=_("What fires, what fired, and taking it in hand."),
    )
    for add in (_list, _show, _ack, _unack, _snooze, _resolve, _why):
        add(app, _, kind)
    return app


def _alert(_: Texts) -> str:
    argument: str = typer.Argument(..., help=_("The episode's id or the alert's fingerprint, as the list shows them."))
    return argument


def _comment(_: Texts) -> str:
    option: str = typer.Option("", "--comment", "-m", help=_("A word for the others."))
    return option


def _list(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy alerts list",
        "understudy alerts list --state all --last 7d --rule api_down",
        "understudy alerts list --severity critical --json",
    )

    @app.command("list", help=_("What fires now; with --state, episodes of the past."), epilog=shown, cls=kind)
    def command(
        state: str = typer.Option("active", "--state", help="active, open, resolved, all"),
        rule: str | None = typer.Option(None, "--rule", help=_("Only of this rule; several with commas.")),
        severity: str | None = typer.Option(None, "--severity", help="info, warning, critical"),
        api: str | None = typer.Option(None, "--api", help=_("Only about this API.")),
        route: str | None = typer.Option(None, "--route", help=_("Only about this route.")),
        last: str | None = typer.Option(None, "--last", help=_("The span until now: 24h, 7d; 30 days by default.")),
        limit: int = typer.Option(50, "--limit", min=1, max=500, help=_("How many at most.")),
        before: str | None = typer.Option(None, "--before", help=_("Go on behind this episode.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        if state not in STATES:
            raise Stop(USAGE, _("{option} takes {values}", option="--state", values=", ".join(STATES)))
        from .alerts_shown import show_active, show_episodes

        query: dict[str, Any] = {"state": state, "rule": rule, "severity": severity, "api": api, "route": route}
        if state != "active":
            query |= {"last": last, "limit": limit, "before": before}
        content = ServiceClient(service_url(url, config), _).get("/api/alerts", **query)
        show = show_active if state == "active" else show_episodes
        raise typer.Exit(show(Screen(_), content, as_json=as_json))


def _show(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy alerts show 01JDX3ZQ4M8W6T2N0V9K5H7B1C")

    @app.command("show", help=_("One episode with its timeline and who was told."), epilog=shown, cls=kind)
    def command(
        alert: str = _alert(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .alerts_shown import show_episode

        content = ServiceClient(service_url(url, config), _).get(f"/api/alerts/{part(alert)}")
        raise typer.Exit(show_episode(Screen(_), content, as_json=as_json))


def _ack(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, 'understudy alerts ack 01JDX3ZQ4M8W6T2N0V9K5H7B1C -m "called the provider"')

    @app.command(
        "ack", help=_("Take it in hand: no reminders, no escalation until it gets worse."), epilog=shown, cls=kind
    )
    def command(
        alert: str = _alert(_),
        comment: str = _comment(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        _act(_, service_url(url, config), alert, "acknowledge", {"comment": comment})
        Screen(_).line(_("acknowledged"), "good")


def _unack(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy alerts unack 01JDX3ZQ4M8W6T2N0V9K5H7B1C")

    @app.command("unack", help=_("Give it back: reminders and escalation go on."), epilog=shown, cls=kind)
    def command(
        alert: str = _alert(_),
        comment: str = _comment(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        _act(_, service_url(url, config), alert, "unacknowledge", {"comment": comment})
        Screen(_).line(_("not acknowledged any more"), "good")


def _snooze(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy alerts snooze 01JDX3ZQ4M8W6T2N0V9K5H7B1C --for 2h",
        "understudy alerts snooze 01JDX3ZQ4M8W6T2N0V9K5H7B1C --until 2026-12-01T08:00",
    )

    @app.command("snooze", help=_("Acknowledge it for a while; then a reminder comes."), epilog=shown, cls=kind)
    def command(
        alert: str = _alert(_),
        span: str | None = typer.Option(None, "--for", help=_("For how long: 30m, 2h, 7d.")),
        until: str | None = typer.Option(None, "--until", help=_("Until when: 2026-12-01T08:00.")),
        comment: str = _comment(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        if (span is None) == (until is None):
            raise Stop(USAGE, _("say until when: either --until or --for"))
        chosen = {"for": span} if span is not None else {"until": until}
        done = _act(_, service_url(url, config), alert, "snooze", {**chosen, "comment": comment})
        screen = Screen(_)
        screen.line(_("snoozed until {time}", time=screen.moment(done.get("until"))), "good")


def _resolve(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, 'understudy alerts resolve 01JDX3ZQ4M8W6T2N0V9K5H7B1C --reason "the plan was changed"')

    @app.command("resolve", help=_("End the episode by hand."), epilog=shown, cls=kind)
    def command(
        alert: str = _alert(_),
        reason: str = typer.Option("", "--reason", "-m", help=_("Why it is over.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        _act(_, service_url(url, config), alert, "resolve", {"reason": reason})
        Screen(_).line(_("resolved"), "good")


def _why(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy alerts why 9f86d081884c7d659a2feaa0c55ad015")

    @app.command("why", help=_("Why somebody was, or was not, told of an event."), epilog=shown, cls=kind)
    def command(
        event: str = typer.Argument(..., help=_("The event's id, as the timeline of an episode shows it.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .alerts_shown import show_why

        content = ServiceClient(service_url(url, config), _).get(f"/api/alerts/why/{part(event)}")
        raise typer.Exit(show_why(Screen(_), content, as_json=as_json))


def _act(_: Texts, url: str, alert: str, act: str, content: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = ServiceClient(url, _).send("POST", f"/api/alerts/{part(alert)}/{act}", content)
    return done
