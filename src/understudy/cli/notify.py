"""`understudy notify stats | log | dead | replay | discard | test | send | simulate | preview | drill`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient, part
from .exits import USAGE, Stop
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

#: Longest wait for a service that itself waits for a channel, s.
PATIENCE = 60.0


def notify_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about notifications, in one language."""
    app = typer.Typer(
        cls=group,
        no_args_is_help=True,
        context_settings=HELP,
        help=_("How people are told: channels, deliveries, tests and drills."),
    )
    for add in (_stats, _log, _dead, _replay, _discard, _test, _send, _simulate, _preview, _drill):
        add(app, _, kind)
    return app


def _stats(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy notify stats", "understudy notify stats --last 7d --json")

    @app.command("stats", help=_("How each channel does, and where everything ended."), epilog=shown, cls=kind)
    def command(
        last: str | None = typer.Option(None, "--last", help=_("The span until now: 24h, 7d; a day by default.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .notify_shown import show_statistics

        content = ServiceClient(service_url(url, config), _).get("/api/notifications", last=last)
        raise typer.Exit(show_statistics(Screen(_), content, as_json=as_json))


def _log(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy notify log --channel ops_slack", "understudy notify log --row 01JDX3ZQ4M --json")

    @app.command("log", help=_("Every attempt to deliver, newest first."), epilog=shown, cls=kind)
    def command(
        channel: str | None = typer.Option(None, "--channel", help=_("Only of this channel.")),
        row: str | None = typer.Option(None, "--row", help=_("Only of this row of the outbox.")),
        limit: int = typer.Option(50, "--limit", min=1, max=500, help=_("How many at most.")),
        before: str | None = typer.Option(None, "--before", help=_("Go on behind this place.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .notify_shown import show_log

        client = ServiceClient(service_url(url, config), _)
        content = client.get("/api/notifications/log", channel=channel, row=row, limit=limit, before=before)
        raise typer.Exit(show_log(Screen(_), content, as_json=as_json))


def _dead(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy notify dead", "understudy notify dead --channel ops_slack --json")

    @app.command("dead", help=_("What could not be delivered and waits for you."), epilog=shown, cls=kind)
    def command(
        channel: str | None = typer.Option(None, "--channel", help=_("Only of this channel.")),
        limit: int = typer.Option(50, "--limit", min=1, max=500, help=_("How many at most.")),
        before: str | None = typer.Option(None, "--before", help=_("Go on behind this place.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .notify_shown import show_dead

        client = ServiceClient(service_url(url, config), _)
        content = client.get("/api/notifications/dead", channel=channel, limit=limit, before=before)
        raise typer.Exit(show_dead(Screen(_), content, as_json=as_json))


def _row(_: Texts) -> str:
    argument: str = typer.Argument("", metavar="[ROW]", help=_("The row's id, as the list of dead letters shows it."))
    return argument


def _every(_: Texts) -> bool:
    option: bool = typer.Option(False, "--all", help=_("All that wait there now, instead of one row."))
    return option


def _decide(_: Texts, client: ServiceClient, decision: str, row: str, every: bool, channel: str) -> int:
    """Decide about one dead letter or about all; how many they were."""
    if bool(row) == every or (channel and not every):
        raise Stop(USAGE, _("say which row, or {option} for every one", option="--all [--channel NAME]"))
    if every:
        told = client.send("POST", "/api/notifications/dead", {"decision": decision, "channel": channel})
        return int(told["rows"])
    client.send("POST", f"/api/notifications/dead/{part(row)}/{decision}", {})
    return 1


def _replay(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    _deciding(
        app, _, kind, "replay", _("Try a dead letter once more."),
        lambda row, number: _("it will be tried again") if row else _("to be tried again: {count}", count=number),
    )  # fmt: skip


def _discard(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    _deciding(
        app, _, kind, "discard", _("Throw a dead letter away."),
        lambda row, number: _("thrown away") if row else _("thrown away: {count}", count=number),
    )  # fmt: skip


def _deciding(
    app: typer.Typer, _: Texts, kind: type[TyperCommand], decision: str, about: str, told: Callable[[str, int], str]
) -> None:
    """The command of one decision; `told` says what came of it, of one row or of how many."""
    shown = examples(
        _,
        f"understudy notify {decision} 01JDX3ZQ4M8W6T2N0V9K5H7B1C",
        f"understudy notify {decision} --all --channel ops_slack",
    )

    @app.command(decision, help=about, epilog=shown, cls=kind)
    def command(
        row: str = _row(_),
        every: bool = _every(_),
        channel: str = typer.Option("", "--channel", help=_("Only of this channel.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        number = _decide(_, ServiceClient(service_url(url, config), _), decision, row, every, channel)
        Screen(_).line(told(row, number), "good")


def _test(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy notify test ops_slack")

    @app.command(
        "test", help=_("Send a test message through one channel, and say what came of it."), epilog=shown, cls=kind
    )
    def command(
        channel: str = typer.Argument(..., help=_("The channel's name, as it is configured.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .notify_shown import show_test

        client = ServiceClient(service_url(url, config), _, PATIENCE)
        content = client.send("POST", "/api/notifications/test", {"channel": channel})
        raise typer.Exit(show_test(Screen(_), content, as_json=as_json))


def _send(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        'understudy notify send "Deploy begins" "Version 2.3, about ten minutes"',
        'understudy notify send "Odds are late" --severity warning --channel ops_slack',
    )

    @app.command("send", help=_("Send a message of yours to people."), epilog=shown, cls=kind)
    def command(
        title: str = typer.Argument(..., help=_("One line.")),
        content: str = typer.Argument("", help=_("The rest, if there is more to say.")),
        severity: str = typer.Option("info", "--severity", help="info, warning, critical"),
        channel: list[str] = typer.Option([], "--channel", help=_("Only through these channels.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .notify_shown import show_sent

        body: dict[str, Any] = {"title": title, "content": content, "severity": severity}
        if channel:
            body["channels"] = channel
        answered = ServiceClient(service_url(url, config), _, PATIENCE).send("POST", "/api/notifications/send", body)
        raise typer.Exit(show_sent(Screen(_), answered, as_json=as_json))


def _simulate(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy notify simulate api_down api=odds_prime",
        "understudy notify simulate success_rate api=odds_prime --severity critical --at 2026-12-24T23:30",
        "understudy notify simulate api_down api=odds_prime --kind resolved --json",
    )

    @app.command(
        "simulate",
        help=_("Who would be told of an alert at a time, and the message on each channel; sends nothing."),
        epilog=shown,
        cls=kind,
    )
    def command(
        rule: str = typer.Argument(..., help=_("The rule's name.")),
        label: list[str] = typer.Argument(None, help=_("What it is about, as in api=odds_prime.")),
        severity: str | None = typer.Option(None, "--severity", help="info, warning, critical"),
        event: str = typer.Option("fired", "--kind", help="fired, escalated, downgraded, reminder, resolved"),
        at: str | None = typer.Option(None, "--at", help=_("When: 2026-11-24T13:00; now by default.")),
        value: float | None = typer.Option(None, "--value", help=_("The measured value; the threshold by default.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from .imagined import pairs, simulate

        screen = Screen(_)
        body: dict[str, Any] = {"rule": rule, "labels": pairs(screen, label or ()), "kind": event}
        more: dict[str, Any] = {"severity": severity, "at": at, "value": value}
        body |= {name: each for name, each in more.items() if each is not None}
        client = ServiceClient(service_url(url, config), _)
        raise typer.Exit(simulate(screen, client, body, as_json=as_json))


def _preview(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy notify preview",
        "understudy notify preview slack telegram --lang pt",
        "understudy notify preview --channel ops_slack",
    )

    @app.command(
        "preview",
        help=_("Show an alert, and check the worst ones against every published limit; sends nothing."),
        epilog=shown,
        cls=kind,
    )
    def command(
        kinds: list[str] = typer.Argument(
            None, help="email, slack, discord, telegram, pagerduty, opsgenie, webhook", show_default=False
        ),
        channel: list[str] = typer.Option([], "--channel", help=_("As this configured channel would send it.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        if channel:
            from understudy.config import load

            from .preview_channel import preview_channels

            settings = load(config, overrides=override, environment=environment).settings
            raise typer.Exit(preview_channels(Screen(_), settings, channel, as_json=as_json))
        from .preview import preview

        raise typer.Exit(preview(Screen(_), list(kinds or ()), as_json=as_json))


def _drill(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(
        _,
        "understudy notify drill --local",
        "understudy notify drill",
        "understudy notify drill --channel ops_slack --json",
    )

    @app.command(
        "drill",
        help=_("Play an outage and measure how long it takes until each channel tells of it, and of its end."),
        epilog=shown,
        cls=kind,
    )
    def command(
        local: bool = typer.Option(False, "--local", help=_("With strict receivers on this machine: nobody is told.")),
        channel: list[str] = typer.Option([], "--channel", help=_("Only through these channels.")),
        pagers: bool = typer.Option(False, "--pagers", help=_("Pagers, too: they ring people's phones.")),
        patience: float = typer.Option(60.0, "--patience", min=5, max=3600, help=_("Longest wait for a message, s.")),
        config: Path | None = config_option(_),
        override: list[str] = override_option(_),
        environment: str | None = environment_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        from understudy.config import load

        from .drill import drill

        settings = None if local else load(config, overrides=override, environment=environment).settings
        raise typer.Exit(drill(Screen(_), settings, list(channel), patience=patience, pagers=pagers, as_json=as_json))
