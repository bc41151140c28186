"""`understudy route …` and `understudy api …`: what an operator may say of routes and APIs of a running service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient, part
from .exits import FAILED
from .options import HELP, config_option, examples, json_option, service_url, url_option
from .screen import Screen, safe

#: States in which a breaker may be held, as the command line says them.
_STATES = {"open": "forced_open", "closed": "forced_closed", "observe": "observe"}


def route_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about routes, in one language."""
    app = typer.Typer(
        cls=group,
        no_args_is_help=True,
        context_settings=HELP,
        help=_("Say which API leads a route; reset its breakers."),
    )
    _pin(app, _, kind)
    _simple(
        app, _, kind, "unpin", _("Let selection choose the lead again."), "route", _("the route chooses its lead again")
    )
    _simple(
        app, _, kind, "reset", _("Close the breakers, and end the holds, of all APIs of a route."), "route",
        _("breakers are closed, holds and quarantines ended"),
    )  # fmt: skip
    return app


def api_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about APIs, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP,
        help=_("Drain an API, hold its breakers, reset it, check it now, pause its health checks."),
    )  # fmt: skip
    _for_a_while(
        app, _, kind, "drain", _("Send no new calls to an API; those that run end as they would have."),
        _("no new calls go to it"),
    )  # fmt: skip
    _simple(app, _, kind, "undrain", _("Let calls go to a drained API again."), "api", _("calls go to it again"))
    _force(app, _, kind)
    _simple(app, _, kind, "unforce", _("Let the breakers of an API judge again."), "api", _("its breakers judge again"))
    _simple(
        app, _, kind, "reset", _("Close the breakers of an API, and end its holds and quarantines."), "api",
        _("breakers are closed, holds and quarantines ended"),
    )  # fmt: skip
    _check(app, _, kind)
    _for_a_while(
        app, _, kind, "pause-checks", _("Start no planned health check of an API."), _("its health checks are paused")
    )
    _simple(
        app, _, kind, "resume-checks", _("Go on with the planned health checks of an API."), "api",
        _("its health checks go on"),
    )  # fmt: skip
    _simple(
        app, _, kind, "clear", _("Begin the statistics of an API anew; its history stays."), "api",
        _("its statistics begin anew"),
    )  # fmt: skip
    return app


def _reason(_: Texts) -> str:
    option: str = typer.Option(..., "--reason", "-m", help=_("Why, for the others."))
    return option


def _span(_: Texts) -> str | None:
    option: str | None = typer.Option(None, "--for", help=_("For how long: 30m, 2h, 7d. Without it until taken back."))
    return option


def _pin(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, 'understudy route pin fixtures odds_prime --for 2h --reason "the other one is being moved"')

    @app.command("pin", help=_("Let an API lead a route; the others stand in when it fails."), epilog=shown, cls=kind)
    def command(
        route: str = typer.Argument(..., help=_("The route.")),
        api: str = typer.Argument(..., help=_("The API that is to lead it.")),
        reason: str = _reason(_),
        span: str | None = _span(_),
        only: bool = typer.Option(False, "--only", help=_("Nobody stands in: calls fail when it does.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        content = {"api": api, "reason": reason, "expires_in": span, "only": only}
        said = _sent(_, url, config, f"/api/routes/{part(route)}/pin", content)
        _told(_, said, as_json, _("{api} leads {route}", api=safe(api), route=safe(route)))


def _force(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, 'understudy api force odds_prime open --for 1h --reason "it answers nonsense"')

    @app.command("force", help=_("Hold the breakers of an API in a state, in every route."), epilog=shown, cls=kind)
    def command(
        api: str = typer.Argument(..., help=_("The API.")),
        state: str = typer.Argument(..., help=_("open: no calls. closed: all calls. observe: all, told of openings.")),
        reason: str = _reason(_),
        span: str | None = _span(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        if state not in _STATES:
            raise typer.BadParameter(_("expected one of {values}", values=", ".join(_STATES)))
        content = {"state": _STATES[state], "reason": reason, "expires_in": span}
        said = _sent(_, url, config, f"/api/apis/{part(api)}/force", content)
        _told(_, said, as_json, _("the breakers of {api} are held {state}", api=safe(api), state=state))


def _check(app: typer.Typer, _: Texts, kind: type[TyperCommand]) -> None:
    shown = examples(_, "understudy api check odds_prime")

    @app.command("check", help=_("Probe an API now, from the running service."), epilog=shown, cls=kind)
    def command(
        api: str = typer.Argument(..., help=_("The API.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        said = _sent(_, url, config, f"/api/apis/{part(api)}/check", {})
        ok = said.get("ok")
        style = "good" if ok is True else "bad" if ok is False else "degraded"
        screen = Screen(_)
        if as_json:
            _print(screen, said)
        else:
            screen.line(f"{safe(api)}: {safe(str(said.get('message', '')))}", style)
            if said.get("advice"):
                screen.line(f"  {safe(str(said['advice']))}", "quiet")
        if said.get("ok") is False:
            raise typer.Exit(FAILED)


def _for_a_while(app: typer.Typer, _: Texts, kind: type[TyperCommand], name: str, about: str, done: str) -> None:
    """A command with an API, a reason and a time."""
    shown = examples(_, f'understudy api {name} odds_prime --for 2h --reason "the provider maintains it"')

    @app.command(name, help=about, epilog=shown, cls=kind)
    def command(
        api: str = typer.Argument(..., help=_("The API.")),
        reason: str = _reason(_),
        span: str | None = _span(_),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        said = _sent(_, url, config, f"/api/apis/{part(api)}/{name}", {"reason": reason, "expires_in": span})
        _told(_, said, as_json, f"{safe(api)}: {done}")


def _simple(app: typer.Typer, _: Texts, kind: type[TyperCommand], name: str, about: str, of: str, done: str) -> None:
    """A command with a name and, if wanted, a reason."""
    which = _("The route.") if of == "route" else _("The API.")
    example = "fixtures" if of == "route" else "odds_prime"

    @app.command(name, help=about, epilog=examples(_, f"understudy {of} {name} {example}"), cls=kind)
    def command(
        about: str = typer.Argument(..., metavar=of.upper(), help=which),
        reason: str = typer.Option("", "--reason", "-m", help=_("Why, for the others.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
        as_json: bool = json_option(_),
    ) -> None:
        said = _sent(_, url, config, f"/api/{of}s/{part(about)}/{name}", {"reason": reason})
        _told(_, said, as_json, f"{safe(about)}: {done}")


def _sent(_: Texts, url: str, config: Path | None, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in content.items() if value not in (None, "")}
    answer = ServiceClient(service_url(url, config), _).send("POST", path, body)
    return answer if isinstance(answer, dict) else {}


def _told(_: Texts, said: dict[str, Any], as_json: bool, line: str) -> None:
    screen = Screen(_)
    if as_json:
        _print(screen, said)
        return
    screen.line(line, "good")
    if said.get("in_flight"):
        screen.line(
            _.plural("{count} call still runs on it", "{count} calls still run on it", said["in_flight"]), "quiet"
        )
    if said.get("kept") is False:
        screen.line(_("the store is away: it holds in this process, and is saved when the store is back"), "degraded")


def _print(screen: Screen, content: dict[str, Any]) -> None:
    from .alerts_shown import print_json

    print_json(screen, content)
