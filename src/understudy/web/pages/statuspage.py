"""The public status page: made once in ten seconds for everybody, without a script, without asking anybody outside.

Where it is not switched on, all its addresses are like any other that does not exist.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from understudy.core.text import Texts, known_language, texts
from understudy.web.assets import assets
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Nowhere, Problem, Request
from understudy.web.manners import tag_of
from understudy.web.views.public import FRESH, kept_pages, options_of, view_of
from understudy.web.views.status_page import PublicComponent, StatusPageView

from .rendering import rendered
from .statuspage_feeds import atom, badge, badge_word, minute, rss, told
from .statuspage_strips import date, strip

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest text that is searched for, characters.
_LONGEST: Final = 100
#: No script, nothing of others, no form but the search of the page itself.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SANDBOX: Final = "default-src 'none'; sandbox"


async def show(app: Understudy, request: Request) -> Answer:
    """The page, or what of it a search finds."""
    options_of(app)
    query = request.query("q", "lang")
    wanted = query.get("q", "").strip()[:_LONGEST]
    view, _ = await view_of(app), _language(request, query)
    pages = kept_pages(app) if not wanted else {}
    body = pages.get(_.language)
    if body is None:
        body = pages[_.language] = _page(view, _, wanted).encode("utf-8", "replace")
    headers = {"Content-Security-Policy": POLICY, "Vary": "Accept-Encoding, Accept-Language", "Content-Language": _.tag}
    return _public(request, body, "text/html; charset=utf-8", headers, pack=True)


async def feed(app: Understudy, request: Request) -> Answer:
    """Incidents and maintenance as Atom or RSS."""
    options_of(app)
    query = request.query("lang")
    kinds = {"atom.xml": ("application/atom+xml", atom), "rss.xml": ("application/rss+xml", rss)}
    found = kinds.get(request.parts["file"])
    if found is None:
        raise Problem(404, "there are atom.xml, rss.xml and badges/COMPONENT.svg")
    view, _ = await view_of(app), _language(request, query)
    content_type, write = found
    body = write(view, _, _address(app, request)).encode("utf-8", "replace")
    headers = {"Content-Security-Policy": _SANDBOX, "Vary": "Accept-Encoding, Accept-Language"}
    return _public(request, body, f"{content_type}; charset=utf-8", headers, pack=True)


async def component_badge(app: Understudy, request: Request) -> Answer:
    """A small picture with the state of one component, or of all: `all.svg`."""
    options_of(app)
    query = request.query("lang")
    view, _ = await view_of(app), _language(request, query)
    name = request.parts["badge"].removesuffix(".svg")
    found = next((each for each in view.components if each.key == name), None)
    if not request.parts["badge"].endswith(".svg") or (found is None and name != "all"):
        raise Problem(404, "there is no such badge")
    title, state = (found.title, found.state) if found is not None else (view.title, view.state)
    body = badge(title, badge_word(_, state), state).encode("utf-8", "replace")
    headers = {
        "Content-Security-Policy": _SANDBOX,
        "Cross-Origin-Resource-Policy": "cross-origin",  # badges are made to stand in pages of others
        "Vary": "Accept-Language",
    }
    return _public(request, body, "image/svg+xml", headers)


def _page(view: StatusPageView, _: Texts, wanted: str) -> str:
    found = [(group, [each for each in components if _matches(each, wanted)]) for group, components in view.groups()]
    states = ("ok", "degraded", "down", "maintenance", "unknown")
    return rendered(
        _, "status_page.html", view=view, wanted=wanted, groups=[(name, rows) for name, rows in found if rows],
        strip=lambda each: strip(each, _), told=lambda each: told(_, each), date=date, minute=minute,
        style=assets().url("status-page.css"), words={state: badge_word(_, state) for state in states},
    )  # fmt: skip


def _matches(component: PublicComponent, wanted: str) -> bool:
    said = f"{component.title} {component.group} {component.description}".casefold()
    return all(word in said for word in wanted.casefold().split())


def _language(request: Request, query: Mapping[str, str]) -> Texts:
    """The language of the address, or the first of ours that the browser asks for."""
    if query.get("lang", "").lower() in ("en", "pt", "pt-br"):
        return texts(known_language(query["lang"]))
    for part in request.headers.get("accept-language", "")[:500].split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.startswith(("pt", "en")):
            return texts(known_language(tag))
    return texts("en")


def _address(app: Understudy, request: Request) -> str:
    """Where the page is, for feeds: the public address that is configured, or the one that was asked."""
    public = app.notifications.options.public_url.rstrip("/") if app.keeping is not None else ""
    asked = f"{request.scheme}://{request.headers.get('host', '')}"
    return f"{public or asked}/status"


def _public(request: Request, body: bytes, content_type: str, headers: dict[str, str], *, pack: bool = False) -> Answer:
    """An answer that anybody may keep for as long as the page is fresh."""
    found = {"Cache-Control": f"public, max-age={FRESH:.0f}", "ETag": tag_of(body), **headers}
    if request.headers.get("if-none-match", "")[:200] == found["ETag"]:
        return Answer(b"", 304, content_type, found)
    if pack and request.takes_gzip:
        return Answer(gzip.compress(body, 6, mtime=0), 200, content_type, {**found, "Content-Encoding": "gzip"})
    return Answer(body, 200, content_type, found)


def public_path(app: Understudy, request: Request) -> str:
    """The path that is meant: under the page's own host, home is the page, and of the rest there is only what it needs.

    Raises:
        Problem: 404 for everything else under that host.
    """
    found = app.settings.status_page if app.settings is not None else None
    host = request.headers.get("host", "").partition(":")[0].lower()
    if found is None or not found.enabled or not found.host or host != found.host:
        return request.path
    if request.path == "/":
        return "/status"
    if request.path in ("/status", "/api/status-page") or request.path.startswith(("/status/", "/static/")):
        return request.path
    raise Nowhere("")


ROUTES: Table = {
    ("GET", "/status"): Endpoint(show, Permission.PUBLIC),
    ("GET", "/status/{file}"): Endpoint(feed, Permission.PUBLIC),
    ("GET", "/status/badges/{badge}"): Endpoint(component_badge, Permission.PUBLIC),
}
