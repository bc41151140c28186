"""Endpoints about notifications: how each channel does, what was sent, what was given up, and sending something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from understudy.core.audit import AuditEntry
from understudy.notifications.message import MessagePriority, NotificationMessage
from understudy.notifications.shown import attempt_as_dict
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.http import Answer, Problem, Request, dumped, listed
from understudy.web.views.told import NotificationsView, outbox_row

from .alerts import SEVERITIES, actor
from .fields import answering, text, texts
from .past import PAGE
from .span import SPAN, span, whole

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Longest title and content of a message, characters; most fields and channels of one.
MAX_TITLE, MAX_CONTENT, MOST_FIELDS, MOST_CHANNELS = 1000, 100_000, 50, 100
#: What a message may ask for in place of its severity's own lane.
PRIORITIES: tuple[str, ...] = get_args(MessagePriority)
#: The span of statistics when nobody says one, s.
_DAY = 86400.0
#: Longest name of a channel, longest id of a row.
_NAME, _ID = 200, 64
#: Longest number in the text that says where a page of the log begins.
_DIGITS = 18


@answering
async def overview(app: Understudy, request: Request) -> Answer:
    """Each channel with its numbers over a span, and where everything that was to be told has ended."""
    start, end = span(request.query(*SPAN), app.clock.time(), _DAY)
    return Answer(dumped((await NotificationsView.of(app, start, end)).as_dict()))


@answering
async def log(app: Understudy, request: Request) -> Answer:
    """Every attempt to deliver, newest first; `before` is the `next` of the page before."""
    query = request.query("channel", "row", "limit", "before")
    limit = whole(query, "limit", 100, PAGE)
    found = await app.notifications.log(
        limit, row=query.get("row", ""), channel=query.get("channel", ""), before=_place(query.get("before", ""))
    )
    last = found[-1] if len(found) == limit else None
    following = None if last is None else f"{last[1].at:.6f}-{last[0]}"
    return Answer(listed({"next": following}, "attempts", [attempt_as_dict(*each) for each in found]))


def _place(written: str) -> tuple[float, int] | None:
    if not written:
        return None
    at, _, number = written.rpartition("-")
    whole_part, _, rest = at.partition(".")
    pieces = (whole_part, rest or "0", number)
    if not all(each.isascii() and each.isdigit() and len(each) <= _DIGITS for each in pieces):
        raise Problem(400, "before is the text that the page before gave as next")
    return float(at), int(number)


@answering
async def dead(app: Understudy, request: Request) -> Answer:
    """What was given up and waits for a person, newest first."""
    query = request.query("channel", "limit", "before")
    limit = whole(query, "limit", 100, PAGE)
    rows = await app.notifications.dead_letters(limit, channel=query.get("channel", ""), before=query.get("before", ""))
    following = rows[-1].id if len(rows) == limit else None
    return Answer(listed({"next": following}, "rows", [outbox_row(each) for each in rows]))


@answering
async def replay(app: Understudy, request: Request) -> Answer:
    """Try a dead letter once more, under its own identity."""
    await _nothing_else(request)
    await app.notifications.replay(request.parts["row"], actor=actor(request))
    return Answer(dumped({"row": request.parts["row"], "state": "pending"}))


@answering
async def discard(app: Understudy, request: Request) -> Answer:
    """Throw a dead letter away."""
    await _nothing_else(request)
    await app.notifications.discard(request.parts["row"], actor=actor(request))
    return Answer(dumped({"row": request.parts["row"], "state": "discarded"}))


@answering
async def send(app: Understudy, request: Request) -> Answer:
    """Send a message to people; the answer tells what became of it, by channel."""
    request.query()
    content = await request.json_object("title", "content", "severity", "priority", "fields", "channels")
    message = _message(content, tuple(app.notifications.channels()))
    results = await app.notifications.send_notification(message)
    who = actor(request)
    await _audit(app, AuditEntry(app.clock.time(), who, "notification.sent", message.title[:_NAME]))
    return Answer(dumped({"results": {name: each.as_dict() for name, each in results.items()}}))


@answering
async def test(app: Understudy, request: Request) -> Answer:
    """Send a test message through one channel, past silences and digests."""
    request.query()
    content = await request.json_object("channel")
    name = text(content, "channel", _NAME, least=1)
    _known((name,), tuple(app.notifications.channels()))
    return Answer(dumped((await app.notifications.test(name, actor=actor(request))).as_dict()))


def _message(content: Mapping[str, Any], known: tuple[str, ...]) -> NotificationMessage:
    severity = text(content, "severity", 20, default="info")
    if severity not in SEVERITIES:
        raise Problem(422, f"severity is one of {', '.join(SEVERITIES)}")
    pairs = {} if content.get("fields") is None else content["fields"]
    if not isinstance(pairs, dict) or len(pairs) > MOST_FIELDS:
        raise Problem(422, f"fields is an object of at most {MOST_FIELDS} texts")
    named = {name: text({"fields": value}, "fields", MAX_TITLE, lines=True) for name, value in pairs.items()}
    channels = texts(content, "channels", MOST_CHANNELS, _NAME)
    _known(channels, known)
    priority = text(content, "priority", 20)
    if priority and priority not in PRIORITIES:
        raise Problem(422, f"priority is one of {', '.join(PRIORITIES)}")
    title = text(content, "title", MAX_TITLE, least=1)
    if not title.strip():
        raise Problem(422, "title is a text that says something")
    return NotificationMessage(
        title=title,
        content=text(content, "content", MAX_CONTENT, lines=True),
        severity=severity,
        priority=priority or None,
        fields=named or None,
        channels=channels or None,
    )


def _known(channels: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in channels:
        if name not in known:
            raise Problem(404, f"no channel named {name!r}; there are: {', '.join(known) or 'none'}"[:500])


async def _nothing_else(request: Request) -> None:
    request.query()
    if await request.json_object():
        raise Problem(422, "the body is empty or an empty object")


async def _audit(app: Understudy, entry: AuditEntry) -> None:
    if app.keeping is not None:
        await app.keeping.acted(entry)


ROUTES: Table = {
    ("GET", "/api/notifications"): Endpoint(overview, Permission.READ),
    ("GET", "/api/notifications/log"): Endpoint(log, Permission.CHANNELS),
    ("GET", "/api/notifications/dead"): Endpoint(dead, Permission.CHANNELS),
    ("POST", "/api/notifications/dead/{row}/replay"): Endpoint(replay, Permission.NOTIFY_SEND),
    ("POST", "/api/notifications/dead/{row}/discard"): Endpoint(discard, Permission.NOTIFY_SEND),
    ("POST", "/api/notifications/send"): Endpoint(send, Permission.NOTIFY_SEND),
    ("POST", "/api/notifications/test"): Endpoint(test, Permission.NOTIFY_SEND),
}
