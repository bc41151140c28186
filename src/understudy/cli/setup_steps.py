"""The questions of `understudy setup` but for those about APIs and channels, which have modules of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.config import Loaded
from understudy.config.settings import Settings
from understudy.core.errors import ConfigError, OptionError
from understudy.storage.options import parse_url
from understudy.web.auth.exposure import is_loopback

from .faults import told
from .screen import Screen, complain, safe
from .setup_ask import Ask
from .setup_draft import Draft
from .setup_files import Target


@dataclass(frozen=True, slots=True)
class Admin:
    """The account that is made at the end."""

    name: str
    password: str = field(repr=False)


@dataclass(slots=True)
class Session:
    """One run of the questions: what is asked with, what was answered, where it will go."""

    screen: Screen
    ask: Ask
    target: Target
    draft: Draft = field(default_factory=Draft)
    admin: Admin | None = None

    @property
    def text(self) -> Any:
        """The reader's language."""
        return self.screen.text

    def loaded(self) -> Loaded | None:
        """The configuration as it would be; None, with its faults told, when it has some."""
        try:
            return self.target.loaded(self.draft)
        except ConfigError as error:
            for fault in error.faults:
                complain(told(fault, self.text))
            return None

    def settings(self) -> Settings:
        """The same; the defaults where it has faults."""
        found = self.loaded()
        return found.settings if found is not None else Settings()

    def need(self, name: str, message: str) -> None:
        """Ask for a secret unless it is known, and keep it for `.env`."""
        if not self.target.environment(self.draft).get(name):
            given = self.ask.secret(message)
            if given:
                self.draft.variables[name] = given
        if name in self.draft.missing:
            self.draft.missing.remove(name)


def environment(session: Session) -> None:
    """Which environment this is, and where the service listens."""
    _, ask, settings = session.text, session.ask, session.settings()
    words = {
        "development": _("development: on your own machine"),
        "staging": _("staging: as in production, for trying"),
        "production": _("production"),
    }
    chosen = ask.one(_("Which environment is this?"), list(words.items()), settings.environment)
    session.draft.settings["environment",] = chosen
    host = ask.text(
        _("Address to listen on"), settings.service.host, note=_("(127.0.0.1: reached from this machine only)")
    )
    port = ask.text(_("Port"), str(settings.service.port), _number(session, 0, 65535, whole=True))
    session.draft.settings["service", "host"] = host or settings.service.host
    session.draft.settings["service", "port"] = int(port)
    if not is_loopback(host):
        session.screen.line(
            _("Others can reach {host}, so the service starts only with an administrator: entry 8.", host=safe(host)),
            "degraded",
        )


def storage(session: Session) -> None:
    """What keeps history, alerts and what must still be sent."""
    _, ask, options = session.text, session.ask, session.settings().storage
    kinds = [
        ("sqlite", _("SQLite: one file, nothing to install")),
        ("postgresql", _("PostgreSQL: shared by several services")),
        ("memory", _("nothing: all is forgotten when the service ends")),
    ]
    kind = ask.one(_("Where is history kept?"), kinds, options.kind)
    if kind == "memory":
        url = "memory:"
    elif kind == "sqlite":
        now = str(options.path) if options.kind == "sqlite" else "understudy.db"
        url = f"sqlite:///{ask.text(_('File'), now) or now}"
    else:
        now = options.url if options.kind == "postgresql" else "postgresql://understudy@localhost/understudy"

        def good(given: str) -> str:
            try:
                return "" if parse_url(given)[0] == "postgresql" else _("a URL such as {url}", url=now)
            except OptionError as error:
                return str(error.expected)

        url = ask.text(_("URL, without the password"), now, good)
        session.draft.settings["storage", "password"] = "env:DATABASE_PASSWORD"
        session.need("DATABASE_PASSWORD", _("Its password (kept in .env)"))
    session.draft.settings["storage", "url"] = url


def routes(session: Session) -> None:
    """Which APIs can stand in for one another, and in which order."""
    _, ask, settings = session.text, session.ask, session.settings()
    names = list(settings.apis)
    if not names:
        session.screen.line(_("There is no API yet; entry 3 adds one."), "degraded")
        return
    for name, route in settings.routes.items():
        session.screen.line(f"  {safe(name)}: {' → '.join(map(safe, route.apis))}")
    if settings.routes and not ask.yes(_("Add or change a route?")):
        return
    known = next(iter(settings.routes), "main")
    route_name = ask.text(_("Name of the route: what your programs ask for"), known, _name(session))
    chosen = names
    if len(names) > 1:
        chosen = ask.some(_("Which APIs can give the same answer?"), [(each, each) for each in names]) or names
    order = _ordered(session, chosen)
    modes = [
        ("priority", _("priority: the first that works")),
        ("balanced", _("balanced: by success, speed and price together")),
        ("fastest", _("fastest: whoever answers soonest")),
        ("cheapest", _("cheapest: whoever costs least")),
    ]
    mode = ask.one(_("How is the API of a call chosen?"), modes, "priority") if len(order) > 1 else "priority"
    session.draft.tables["routes", route_name] = {"apis": order, "mode": mode}


def _ordered(session: Session, names: list[str]) -> list[str]:
    """The APIs in the order in which they serve."""
    _, left, order = session.text, list(names), list[str]()
    while len(left) > 1:
        message = _("Which API leads?") if not order else _("Which one stands in next?")
        chosen = session.ask.one(message, [(each, each) for each in left], left[0])
        order.append(chosen)
        left.remove(chosen)
    return order + left


def thresholds(session: Session) -> None:
    """From where on the three default rules warn."""
    _, ask, alerts = session.text, session.ask, session.settings().alerts
    asked = (
        ("success_rate", _("Warn when the success rate falls below (%)"), alerts.success_rate, 100.0),
        ("response_time", _("Warn when answers take longer than (s)"), alerts.response_time, 3600.0),
        ("error_rate", _("Warn when the error rate rises above (%)"), alerts.error_rate, 100.0),
    )
    for name, message, now, most in asked:
        given = ask.text(message, f"{now:g}", _number(session, 0, most))
        session.draft.settings["alerts", name] = float(given.replace(",", "."))


def unit(session: Session) -> None:
    """Whether and as what it runs in the background."""
    _ = session.text
    kinds = [
        ("", _("no: I start it myself with understudy run")),
        ("user", _("as my own service (systemd --user)")),
        ("system", _("as a service of this machine (systemd; needs root)")),
    ]
    session.draft.unit = session.ask.one(_("Shall it run in the background?"), kinds, session.draft.unit)


def _name(session: Session) -> Callable[[str], str]:
    def good(given: str) -> str:
        if given and given.isprintable() and len(given) <= 100:
            return ""
        _ = session.text
        return str(_("a printable name of at most {most} characters", most=100))

    return good


def _number(session: Session, least: float, most: float, *, whole: bool = False) -> Callable[[str], str]:
    def good(given: str) -> str:
        _ = session.text
        try:
            value = int(given) if whole else float(given.replace(",", "."))
        except ValueError:
            value = least - 1
        return (
            ""
            if least <= value <= most
            else str(_("a number from {low} to {high}", low=f"{least:g}", high=f"{most:g}"))
        )

    return good


def where(path: Path) -> str:
    """A path as people write it: from here, where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
