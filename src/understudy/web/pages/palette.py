"""`/palette?q=`: what the command palette finds; pages, actions, APIs and routes, in the reader's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import category, normalize

from understudy.core.text import Texts
from understudy.resilience.describe import state_of
from understudy.web.auth.permissions import Identity, Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import path_of
from understudy.web.http import Answer, Problem, Request, dumped

from .overview import api_state
from .rendering import language_of, places

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Things of one kind, and longest text that is looked for, characters.
MOST: Final = 8
_LONGEST: Final = 200
_FAILED: Final = "/requests?q=-outcome%3Asuccess+last%3A1h"


class Found(NamedTuple):
    """One thing to go to."""

    kind: str
    title: str
    hint: str
    href: str
    icon: str


async def find(app: Understudy, request: Request) -> Answer:
    """Everything whose name holds all words that were typed; without any, the pages."""
    query = request.query("q").get("q", "")
    if len(query) > _LONGEST:
        raise Problem(400, f"q is at most {_LONGEST} characters long")
    _ = language_of(request)
    words = _folded(query).split()
    found = [each for each in [*_pages(_, request.who), *_acts(_, request.who)] if _holds(words, each.title, each.hint)]
    if words:
        found = [*found[:MOST], *_apis(app, _, words), *_routes(app, _, words)]
    return Answer(dumped({"found": [each._asdict() for each in found]}))


def _pages(_: Texts, who: Identity) -> list[Found]:
    return [
        Found("page", each.title, f"g {each.key}", each.path, each.icon)
        for each in places(_)
        if who.may(each.needs)
    ]  # fmt: skip


def _acts(_: Texts, who: Identity) -> list[Found]:
    """What people come to do, and settings by their names."""
    acts = (
        (Permission.READ, _("Compare APIs"), _("Action"), "/apis/compare", "git-compare"),
        (Permission.READ, _("APIs that are down"), _("APIs"), "/apis?state=down", "plug"),
        (Permission.ALERTS_WRITE, _("New alert rule"), _("Action"), "/alerts/rules/new", "plus"),
        (Permission.ALERTS_WRITE, _("Silence alerts"), _("Action"), "/alerts/silences", "bell-off"),
        (Permission.READ, _("Past alerts"), _("Alerts"), "/alerts/history", "history"),
        (Permission.READ, _("Alert rules"), _("Alerts"), "/alerts/rules", "flag"),
        (Permission.READ, _("Failed requests of the last hour"), _("Requests"), _FAILED, "list-filter"),
        (Permission.ADMIN, _("Add an API"), _("Action"), "/setup/start", "plus"),
        (Permission.READ, _("REST API: every endpoint with examples"), _("Documentation"), "/api/docs", "terminal"),
    )  # fmt: skip  # one line for each
    return [Found("act", title, hint, href, icon) for needs, title, hint, href, icon in acts if who.may(needs)]


def _apis(app: Understudy, _: Texts, words: list[str]) -> list[Found]:
    found: list[Found] = []
    now = app.clock.monotonic()
    for name, api in app.fallback.roster.apis.items():
        if _holds(words, name, api.hub.name):
            state = api_state(_, state_of(api, now))
            found.append(Found("api", name, _("API, {state}", state=state), path_of("apis", name), "plug"))
            if len(found) == MOST:
                break
    return found


def _routes(app: Understudy, _: Texts, words: list[str]) -> list[Found]:
    names = [name for name in app.fallback.roster.routes if _holds(words, name)]
    return [Found("route", name, _("Route"), path_of("routes", name), "route") for name in names[:MOST]]


def _holds(words: list[str], *texts: str) -> bool:
    told = _folded(" ".join(texts))
    return all(word in told for word in words)


def _folded(text: str) -> str:
    """Without case and accents: nobody types them into a palette."""
    if text.isascii():
        return text.casefold()
    return "".join(sign for sign in normalize("NFD", text.casefold()) if category(sign) != "Mn")


ROUTES: Table = {("GET", "/palette"): Endpoint(find, Permission.READ)}
