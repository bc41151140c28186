"""From a template and values to an answer: language, theme, who looks, and the frame around every page."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from understudy.core.text import Texts, known_language, texts
from understudy.web.assets import assets
from understudy.web.auth.permissions import Permission
from understudy.web.http import Answer, Request
from understudy.web.views.trouble import trouble_of

from . import shown
from .range import range_of
from .words import troubles, words

if TYPE_CHECKING:
    from understudy.app import Understudy

#: No inline script, no inline style, nothing of others; a text never becomes a script.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
#: What the browser remembers of the reader: language (en, pt-BR), theme (light, dark), density (dense), zone of
#: times (utc).
LANGUAGE, THEME, DENSITY, ZONE = "us-lang", "us-theme", "us-density", "us-zone"
_THEMES: Final = ("light", "dark")
#: Pages are packed quickly rather than tightly.
_LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the rail: its key is pressed after `g`."""

    name: str
    title: str
    path: str
    icon: str
    key: str
    needs: Permission = Permission.READ


def places(_: Texts) -> tuple[Place, ...]:
    """The rail."""
    return (
        Place("overview", _("Overview"), "/", "layout-dashboard", "o"),
        Place("apis", _("APIs"), "/apis", "plug", "a"),
        Place("routes", _("Routes"), "/routes", "route", "r"),
        Place("alerts", _("Alerts"), "/alerts", "bell", "l"),
        Place("notifications", _("Notifications"), "/notifications", "send", "n", Permission.CHANNELS),
        Place("requests", _("Requests"), "/requests", "list-filter", "q"),
        Place("reports", _("Reports"), "/reports", "file-text", "p"),
        Place("settings", _("Settings"), "/settings", "settings", "s"),
    )


def page(
    app: Understudy, request: Request, template: str, *, at: str = "", status: int = 200, policy: str = POLICY,
    **values: Any,
) -> Answer:  # fmt: skip
    """The page that a template makes; `at` is the place of the rail that it belongs to.

    In every template: `_` (texts), `who` (identity), `places`, `rail_counts`, `at`, `path`, `language`, `theme`,
    `density`, `zone`, `words`, `now` (epoch seconds), `readable` (whether others on the way can read along),
    `version`, `environment`, `environments` (addresses of others), `trouble` (a kind of `troubles`, which says it in
    a sentence), `range` (the span of the address), and `shown`'s filters.
    """
    _ = language_of(request)
    theme = request.cookies.get(THEME, "")
    html = _environment(_.language).get_template(template).render(
        {
            "who": request.who,
            "places": [each for each in places(_) if request.who.may(each.needs)],
            "at": at,
            "rail_counts": _counts(app) if request.who.may(Permission.READ) else {},
            "path": request.path,
            "language": _.tag,
            "theme": theme if theme in _THEMES else "",
            "density": "dense" if request.cookies.get(DENSITY) == "dense" else "",
            "zone": "utc" if request.cookies.get(ZONE) == "utc" else "",
            "words": words(_),
            "range": range_of(_, request.pairs, app.clock.time()),
            "now": app.clock.time(),
            "version": app.version,
            "environment": getattr(app.settings, "environment", ""),
            "environments": _others(app) if request.who.may(Permission.READ) else {},
            "Permission": Permission,
            "readable": request.readable,
            "troubles": troubles(_) if request.who.may(Permission.READ) else {},
            "trouble": trouble_of(app) if request.who.may(Permission.READ) else "",
            **values,
        }
    )  # fmt: skip
    body = html.encode("utf-8", "replace")
    # The page has a form whose own post must say where it comes from: with no-referrer its origin would be "null".
    headers = {
        "Content-Security-Policy": policy, "Referrer-Policy": "same-origin", "Vary": "Accept-Encoding, Cookie",
        "Content-Language": _.tag,
    }  # fmt: skip
    if request.takes_gzip:
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Answer(body, status, "text/html; charset=utf-8", headers)


def _others(app: Understudy) -> dict[str, str]:
    """The dashboards of other environments, as far as the configuration names any."""
    service = getattr(app.settings, "service", None)
    return dict(service.dashboards or {}) if service is not None else {}


def rendered(_: Texts, template: str, **values: Any) -> str:
    """The text of a template that has no frame of ours around it and depends on no reader."""
    return _environment(_.language).get_template(template).render({"language": _.tag, **values})


def _counts(app: Understudy) -> dict[str, int]:
    """What stands beside the places of the rail."""
    firing = sum(each.phase != "pending" for each in app.alerts.active()) if app.keeping is not None else 0
    return {"apis": len(app.fallback.roster.apis), "routes": len(app.fallback.roster.routes), "alerts": firing}


def language_of(request: Request) -> Texts:
    """The texts of the language that the reader chose, or else the first of ours that the browser asks for."""
    chosen = request.cookies.get(LANGUAGE, "")
    if chosen in ("en", "pt-BR"):
        return texts(chosen)
    for part in request.headers.get("accept-language", "")[:500].split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.startswith(("pt", "en")):
            return texts(known_language(tag))
    return texts("en")


def _source(name: str) -> str | None:
    """The text of a packaged template; names come from our code and other templates only."""
    path = files("understudy.web") / "templates" / name
    return path.read_text("utf-8") if path.is_file() else None


@cache
def _environment(language: str) -> Environment:
    """One for each language: the filters write numbers and times as it does."""
    _ = texts(language)
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, auto_reload=False,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(_=_, asset=assets().url, needed=assets().needed, icons=assets().url("icons.svg"))
    environment.filters.update(shown.filters(_))
    return environment
