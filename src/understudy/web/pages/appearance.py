"""What the reader chooses for this browser: language, theme, density, zone. Kept in cookies; none is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import back_to, form
from understudy.web.http import Answer, Request

from .rendering import DENSITY, LANGUAGE, THEME, ZONE

if TYPE_CHECKING:
    from understudy.app import Understudy

_CHOICES: Final = {
    "language": (LANGUAGE, ("en", "pt-BR")),
    "theme": (THEME, ("", "light", "dark")),
    "density": (DENSITY, ("", "dense")),
    "zone": (ZONE, ("", "utc")),
}
_YEAR: Final = 365 * 86400


async def choose(app: Understudy, request: Request) -> Answer:
    """Keep the choices and go back to the page they were made on."""
    request.query()
    content = await form(request, *_CHOICES, "next")
    cookies = [
        f"{cookie}={content[name]}; Path=/; Max-Age={_YEAR}; SameSite=Lax"
        for name, (cookie, known) in _CHOICES.items()
        if content.get(name) in known
    ]
    return back_to(content.get("next", "/"), cookies=cookies)


ROUTES: Table = {("POST", "/appearance"): Endpoint(choose, Permission.PUBLIC)}
