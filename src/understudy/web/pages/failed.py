"""The page that a browser gets where a program gets a problem: what failed, what still works, what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from understudy.core.text import Texts
from understudy.web.http import Answer, Denied, Nowhere, Problem, Request

from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy


def failed(app: Understudy, request: Request, problem: Problem) -> Answer:
    """The problem as a page, in the reader's language but for the detail, which is in the words of the API."""
    _ = language_of(request)
    title, advice = _words(_, problem.status)
    # Of an address at which there is nothing the title says all; what else programs are told is not for people.
    detail = "" if isinstance(problem, Nowhere | Denied) else problem.detail
    first = isinstance(problem, Denied) and request.who.via == "loopback"
    if first:
        advice = _("It takes an account, and there is none yet.")
    elif isinstance(problem, Denied):
        advice = f"{_('It takes the permission {name}.', name=problem.needs)} {advice}"
    made = page(
        app, request, "error.html", status=problem.status, title=title, advice=advice, detail=detail,
        code=problem.status, request_id=request.id, first=first,
    )  # fmt: skip
    made.headers.update(problem.headers)
    return made


def _words(_: Texts, status: int) -> tuple[str, str]:
    """What happened, and what the reader can do about it."""
    known = {
        401: (_("Sign in to see this"), _("Your session may have ended. Sign in and come back.")),
        403: (_("This is not open to you"), _("Ask an administrator for a role that may do it.")),
        404: (_("There is nothing here"), _("The address may be mistyped, or what it named is gone.")),
        405: (_("This cannot be done here"), _("Go back to the page that you came from.")),
        409: (_("Somebody was quicker"), _("Load the page again, look at what changed, and decide anew.")),
        412: (_("Somebody was quicker"), _("Load the page again, look at what changed, and decide anew.")),
        429: (_("Too many requests"), _("Wait a moment, then load the page again.")),
        500: (_("The service made an error"), _("Its log says more under the id below. Calls to APIs go on.")),
        503: (_("Not now"), _("What is stored cannot be read. Calls to APIs go on. Try again in a few seconds.")),
    }
    if status in known:
        return known[status]
    if status >= 500:
        return known[500]
    return HTTPStatus(status).phrase if _.language == "en" else _("The request cannot be answered"), _(
        "Go back and check what was entered."
    )
