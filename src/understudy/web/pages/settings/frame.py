"""What all pages of the settings share: their tabs, their notices, and how a refused act is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from understudy.core.errors import StoreUnavailable
from understudy.core.text import Texts
from understudy.web.auth.acts import Refused
from understudy.web.auth.permissions import Identity, Permission
from understudy.web.endpoint import Handler
from understudy.web.forms import back_to
from understudy.web.http import Answer, Problem, Request
from understudy.web.pages.refusals import refusal
from understudy.web.pages.rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

Posted = Callable[["Understudy", Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of the settings."""

    name: str
    title: str
    path: str
    needs: Permission
    #: Only for people who are signed in: others have no password, sessions or tokens.
    person: bool = False


def tabs(_: Texts, who: Identity) -> list[Tab]:
    """The pages that whoever asks may see."""
    every = (
        Tab("profile", _("Profile"), "/settings/profile", Permission.READ),
        Tab("users", _("Users"), "/settings/users", Permission.ADMIN),
        Tab("tokens", _("API tokens"), "/settings/tokens", Permission.READ, person=True),
        Tab("sessions", _("Sessions"), "/settings/sessions", Permission.READ, person=True),
        Tab("apis", _("APIs"), "/settings/apis", Permission.READ),
        Tab("routes", _("Routes"), "/settings/routes", Permission.READ),
        Tab("channels", _("Channels"), "/settings/channels", Permission.CHANNELS),
        Tab("audit", _("Audit log"), "/settings/audit", Permission.INSPECT),
        Tab("configuration", _("Configuration"), "/settings/configuration", Permission.INSPECT),
        Tab("security", _("Security"), "/settings/security", Permission.INSPECT),
        Tab("system", _("System"), "/settings/system", Permission.INSPECT),
        Tab("upkeep", _("Backup and restart"), "/settings/upkeep", Permission.ADMIN),
    )
    return [each for each in every if who.may(each.needs) and (who.via == "session" or not each.person)]


def settings_page(
    app: Understudy, request: Request, tab: str, title: str, /, *, template: str = "", status: int = 200, **values: Any
) -> Answer:
    """One page of the settings; `fault` and `notice` stand above its content."""
    _ = language_of(request)
    shown = {"fault": "", "notice": "", "field": "", **values}
    return page(
        app, request, template or f"settings_{tab}.html", at="settings", status=status, tab=tab, title=title,
        tabs=tabs(_, request.who), proved=is_proved(app, request), **shown,
    )  # fmt: skip


def is_proved(app: Understudy, request: Request) -> bool:
    """Whether the password was given a moment ago."""
    return app.clock.time() < request.who.proved_until


def notice(request: Request, done: Mapping[str, str]) -> str:
    """What the address says was done, in words; nothing for what is not known."""
    return done.get(request.query("done", *_OTHERS).get("done", ""), "")


#: What addresses of these pages may say besides.
_OTHERS = ("before", "actor", "action", "q", "verify")


def posting(again: Callable[[Understudy, Request, str, Refused], Awaitable[Answer]]) -> Callable[[Posted], Handler]:
    """A handler of a form: what is refused is told on its own page again, with what was entered.

    Whoever has to give the password first is led there and back.
    """

    def of(handler: Posted) -> Handler:
        @wraps(handler)
        async def posted(app: Understudy, request: Request) -> Answer:
            request.query()
            try:
                return await handler(app, request)
            except Refused as error:
                if error.code == "prove":
                    return to_confirm(request.headers.get("referer", ""), request)
                made = await again(app, request, refusal(language_of(request), error), error)
                made.status = error.status
                if error.wait:
                    made.headers["Retry-After"] = str(error.wait)
                return made
            except StoreUnavailable as error:
                raise Problem(503, str(error), {"Retry-After": "5"}) from None

        return posted

    return of


def to_confirm(wanted: str, request: Request) -> Answer:
    """To the page that asks for the password, and from there back to a page of the settings."""
    path = wanted.partition("://")[2].partition("/")[2] if "://" in wanted else wanted.removeprefix("/")
    path = f"/{path}".partition("?")[0]
    if not path.startswith("/settings/"):
        path = f"{request.path}" if request.method == "GET" else "/settings/profile"
    return back_to(f"/settings/confirm?next={quote(path, safe='/')}")
