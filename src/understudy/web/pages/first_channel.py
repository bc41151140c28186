"""The step of the first run in which somebody is to be told: a channel with its few fields, tried at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import StoreUnavailable, UnknownName, VersionConflict
from understudy.core.text import Texts
from understudy.managing import Refused
from understudy.web.api.settings import managing_of
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, see
from understudy.web.http import Answer, Problem, Request

from .first_run import faults_of
from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.notifications.shown import TestResult

_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One field of a channel."""

    key: str
    label: str
    secret: bool = False
    default: str = ""
    several: bool = False


def kinds(_: Texts) -> dict[str, tuple[str, tuple[Wanted, ...]]]:
    """What each kind of channel needs at least."""
    return {
        "slack": ("Slack", (Wanted("url", _("URL of the incoming webhook"), secret=True),)),
        "discord": ("Discord", (Wanted("url", _("URL of the webhook"), secret=True),)),
        "telegram": ("Telegram", (
            Wanted("bot_token", _("Token of the bot, from @BotFather"), secret=True),
            Wanted("chat_id", _("Chats, comma separated"), several=True),
        )),
        "email": (_("e-mail"), (
            Wanted("host", _("Mail server"), default="smtp.gmail.com"),
            Wanted("username", _("User")),
            Wanted("password", _("Password (Gmail: an app password)"), secret=True),
            Wanted("from_email", _("Sender")),
            Wanted("to_emails", _("Recipients, comma separated"), several=True),
        )),
        "webhook": ("Webhook", (Wanted("url", _("URL that receives the requests"), secret=True),)),
    }  # fmt: skip


async def ask(app: Understudy, request: Request) -> Answer:
    """The kinds of channels; with `kind`, the fields of one."""
    query = request.query("api", "route", "kind")
    return _page(app, request, query, query.get("kind", ""))


async def keep(app: Understudy, request: Request) -> Answer:
    """Keep a channel and send a real test message through it; what came of it is shown."""
    request.query()
    _ = language_of(request)
    content = await form(
        request, "api", "route", "kind", *{each.key for _title, some in kinds(_).values() for each in some}
    )
    kind = content.get("kind", "")
    if kind not in kinds(_):
        raise Problem(422, "there is no such kind of channel")
    values: dict[str, Any] = {"kind": kind}
    for each in kinds(_)[kind][1]:
        given = content.get(each.key, "").strip()[:_LONGEST]
        if given:
            values[each.key] = [part.strip() for part in given.split(",") if part.strip()] if each.several else given
    name = _free(app, kind)
    try:
        await managing_of(app).put("channel", name, values, actor=request.who.name, comment="first run", expected=0)
        tried = await app.notifications.test(name, actor=request.who.name)
    except (Refused, VersionConflict, StoreUnavailable) as error:
        return _page(app, request, content, kind, faults=faults_of(_, error), status=422)
    except UnknownName:
        raise Problem(409, "the channel is kept, but not in force; see the settings") from None
    if tried.success:
        query = {key: content[key] for key in ("api", "route") if content.get(key)}
        return see("setup", "done", **query) if query.get("api") else see("notifications", name)
    await managing_of(app).remove("channel", name, actor=request.who.name, comment="its test failed")
    return _page(app, request, content, kind, tried=tried, status=422)


def _free(app: Understudy, kind: str) -> str:
    known = app.notifications.channels()
    return kind if kind not in known else next(each for n in range(2, 1000) if (each := f"{kind}-{n}") not in known)


def _page(
    app: Understudy, request: Request, query: dict[str, str], kind: str, *, faults: list[str] | None = None,
    tried: TestResult | None = None, status: int = 200,
) -> Answer:  # fmt: skip
    _ = language_of(request)
    known = kinds(_)
    fields = known[kind][1] if kind in known else ()
    return page(
        app, request, "first_channel.html", at="notifications", status=status, kinds=known, kind=kind, fields=fields,
        api=query.get("api", ""), route=query.get("route", ""), faults=faults or [], tried=tried,
        given={each.key: query.get(each.key, "") for each in fields if not each.secret},
    )  # fmt: skip


ROUTES: Table = {
    ("GET", "/setup/channel"): Endpoint(ask, Permission.READ),
    ("POST", "/setup/channel"): Endpoint(keep, Permission.ADMIN),
}
