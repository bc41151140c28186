"""`/act/{token}`: the signed links of messages. GET shows what would be done and asks; POST does it.

Mail scanners and chat previews open every link, so opening one changes nothing. The token is the permission:
no account, no session, and nothing of it is logged.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from understudy.alerts.shown import AlertView
from understudy.alerts.silences import Silence
from understudy.core.errors import NotActive, StoreUnavailable, UnknownName
from understudy.core.legible import line
from understudy.core.matchers import Matcher
from understudy.core.text import Texts, texts
from understudy.notifications.links import PATH, Link, LinkError
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request

if TYPE_CHECKING:
    from understudy.app import Understudy

#: How long a silence of one click may last, s; the first is what stands first on the page.
LASTING = (3600, 4 * 3600, 24 * 3600)
#: Longest body of the form, bytes.
_MOST = 1000
#: The page may post to itself. With `no-referrer` its own post would come from the origin "null".
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}


async def asked(app: Understudy, request: Request) -> Answer:
    """The page that asks; whatever opens it changes nothing."""
    request.query()
    _ = _language(request)
    try:
        link = _link(app, request)
    except LinkError as error:
        return _page(_, 410, _("This link cannot be used"), _reason(_, error))
    alert = _alert(app, link)
    if alert is None:
        return _page(_, 200, _("Nothing to do"), _("The alert does not fire any more."))
    if link.action == "silence":
        buttons = "".join(
            _button(_("Silence for {time}", time=_hours(_, seconds)), str(seconds)) for seconds in LASTING
        )
    else:
        buttons = _button(_("Acknowledge"), "")
    title = _("Silence this alert?") if link.action == "silence" else _("Take this alert in hand?")
    return _page(_, 200, title, _about(_, alert), form=f'<form method="post">{buttons}</form>')


async def acted(app: Understudy, request: Request) -> Answer:
    """Do what the link allows."""
    request.query()
    _ = _language(request)
    seconds = await _seconds(request)
    try:
        link = _link(app, request)
        await _act(app, link, seconds)
    except LinkError as error:
        return _page(_, 410, _("This link cannot be used"), _reason(_, error))
    except (NotActive, UnknownName):
        return _page(_, 200, _("Nothing to do"), _("The alert does not fire any more."))
    except StoreUnavailable:
        return _page(_, 503, _("Not now"), _("It could not be kept. Try again in a minute."))
    if link.action == "silence":
        return _page(
            _, 200, _("Silenced"), _("Nobody is told of it for {time}.", time=_hours(_, seconds or LASTING[0]))
        )
    return _page(_, 200, _("Acknowledged"), _("No reminders and no escalation, until it gets worse or is over."))


def _link(app: Understudy, request: Request) -> Link:
    signer = app.alerting.signer
    if signer is None:
        raise LinkError("links are switched off here")
    return signer.verify(request.parts["token"])


async def _act(app: Understudy, link: Link, seconds: int | None) -> None:
    who = f"link {link.channel}".strip()
    if link.action == "acknowledge":
        await app.alerts.acknowledge(link.alert, actor=who)
        return
    alert = _alert(app, link)
    if alert is None:
        raise NotActive("the alert does not fire")
    now = app.clock.time()
    about = {"rule": alert.rule, **alert.labels}
    silence = Silence(
        matchers=tuple(Matcher(name, "=", value) for name, value in about.items()),
        starts_at=now,
        ends_at=now + (seconds or LASTING[0]),
        reason="one click in a message",
        author=who,
    )
    await app.alerts.silence(silence, actor=who)


def _alert(app: Understudy, link: Link) -> AlertView | None:
    return next((each for each in app.alerts.active() if each.fingerprint == link.alert), None)


async def _seconds(request: Request) -> int | None:
    """The duration that was clicked, one of those offered."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if len(body) > _MOST or (body and kind != "application/x-www-form-urlencoded"):
        raise Problem(415, "this takes the form of its own page only")
    try:
        found = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=5, errors="strict"))
    except ValueError:
        raise Problem(400, "the form cannot be read") from None
    chosen = found.get("for", "")
    if not chosen:
        return None
    if chosen not in map(str, LASTING):
        raise Problem(422, "for is one of the durations that the page offers")
    return int(chosen)


def _about(_: Texts, alert: AlertView) -> str:
    labels = ", ".join(f"{name}={line(value)}" for name, value in alert.labels.items())
    return f"{line(alert.rule)} · {labels}" if labels else line(alert.rule)


def _hours(_: Texts, seconds: int) -> str:
    return _.plural("{count} hour", "{count} hours", seconds // 3600)


def _reason(_: Texts, error: LinkError) -> str:
    """Why a link is no good, in the reader's language."""
    return {
        "this link has expired": _("It has expired. Newer messages have newer links."),
        "links are switched off here": _("Links are switched off here."),
    }.get(str(error), _("It is damaged, or was made with another key."))


def _button(label: str, value: str) -> str:
    return f'<button name="for" value="{escape(value)}">{escape(label)}</button>'


def _language(request: Request) -> Texts:
    """The first of our languages that the reader asks for."""
    for part in request.headers.get("accept-language", "")[:500].split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.startswith(("pt", "en")):
            return texts(tag)
    return texts("en")


def _page(_: Texts, status: int, title: str, text: str, form: str = "") -> Answer:
    page = (
        f'<!doctype html><html lang="{_.tag}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{form}<footer>Understudy</footer></main></body></html>"
    )
    return Answer(page.encode("utf-8", "replace"), status, "text/html; charset=utf-8", dict(_HEADERS))


_STYLE = (
    ":root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;"
    "min-height:100vh}main{max-width:34rem;padding:1.5rem;overflow-wrap:anywhere}h1{font-size:1.4rem}"
    "button{font:inherit;padding:.7rem 1.2rem;margin:.3rem .6rem .3rem 0;border-radius:.5rem;border:1px solid;"
    "cursor:pointer}footer{margin-top:2rem;opacity:.6;font-size:.85rem}"
)

ROUTES: Table = {
    ("GET", PATH + "{token}"): Endpoint(asked, Permission.PUBLIC),
    ("POST", PATH + "{token}"): Endpoint(acted, Permission.PUBLIC),
}
