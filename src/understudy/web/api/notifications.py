"""Endpoints about notifications: how each channel does, what was sent, what was given up, and sending something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from understudy.notifications.message import MessagePriority, NotificationMessage
from understudy.notifications.shown import Accounting, ChannelStatistics, ChannelView, TestResult, attempt_as_dict
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice, Listed, Named, Text
from understudy.web.letters import Decision, decided, decided_all, noted, tried
from understudy.web.schemas import (
    MAYBE_OBJECT,
    NUMBER,
    TEXT,
    TEXTS,
    TIME,
    WHOLE,
    mapping,
    merged,
    obj,
    paged,
    view,
)
from understudy.web.views.told import NotificationsView, outbox_row

from .alerts import SEVERITIES, actor
from .fields import answering
from .lists import CSV, PAGING, listing
from .shapes import ATTEMPT, DEAD_LETTER, MAYBE_TIME, RESULT
from .span import SPANNING, span
from .state import MAX_REASON

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
    """Each channel with its numbers over a span, and where everything that was to be told has ended.

    Where a channel leads (`destination`) is told to those who may see channels.
    """
    start, end = span(request.query(), app.clock.time(), _DAY)
    told = (await NotificationsView.of(app, start, end)).as_dict()
    if not request.who.may(Permission.CHANNELS):
        told["channels"] = {name: {**each, "destination": ""} for name, each in told["channels"].items()}
    return Answer(dumped(told))


@answering
async def log(app: Understudy, request: Request) -> Answer:
    """Every attempt to deliver, newest first."""
    query = request.query()
    return await listing(request, "attempts", partial(_attempts, app, query.get("row", ""), _CHANNEL.of(query)), _LOG)


async def _attempts(
    app: Understudy, row: str, channel: str, limit: int, before: str
) -> tuple[Sequence[dict[str, Any]], str | None]:
    found = await app.notifications.log(limit, row=row, channel=channel, before=place_of(before))
    last = found[-1] if len(found) == limit else None
    return [attempt_as_dict(*each) for each in found], None if last is None else f"{last[1].at:.6f}-{last[0]}"


def place_of(written: str) -> tuple[float, int] | None:
    """Where a page of the log begins; None for the first.

    Raises:
        Problem: 400 when that cannot be read.
    """
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
    return await listing(request, "rows", partial(_dead, app, _CHANNEL.of(request.query())), _ROW)


async def _dead(app: Understudy, channel: str, limit: int, before: str) -> tuple[Sequence[dict[str, Any]], str | None]:
    rows = await app.notifications.dead_letters(limit, channel=channel, before=before)
    return [outbox_row(each) for each in rows], rows[-1].id if len(rows) == limit else None


@answering
async def replay(app: Understudy, request: Request) -> Answer:
    """Try a dead letter once more, under its own identity."""
    reason = _REASON.of(await request.json_object())
    await decided(app, actor(request), "replay", request.parts["row"], reason)
    return Answer(dumped({"row": request.parts["row"], "state": "pending"}))


@answering
async def discard(app: Understudy, request: Request) -> Answer:
    """Throw a dead letter away."""
    reason = _REASON.of(await request.json_object())
    await decided(app, actor(request), "discard", request.parts["row"], reason)
    return Answer(dumped({"row": request.parts["row"], "state": "discarded"}))


@answering
async def dead_all(app: Understudy, request: Request) -> Answer:
    """Decide about every dead letter, or every one of a channel, that is there now; tells how many those were."""
    request.query()
    content = await request.json_object()
    decision: Decision = "replay" if _DECISION.of(content) == "replay" else "discard"
    channel = _OF_CHANNEL.of(content)
    rows = await decided_all(app, actor(request), decision, channel, _REASON.of(content))
    return Answer(dumped({"decision": decision, "channel": channel, "rows": rows}))


@answering
async def send(app: Understudy, request: Request) -> Answer:
    """Send a message to people; the answer tells what became of it, by channel."""
    request.query()
    content = await request.json_object()
    message = _message(content, tuple(app.notifications.channels()))
    results = await app.notifications.send_notification(message)
    await noted(app, actor(request), "notification.sent", message.title[:_NAME])
    return Answer(dumped({"results": {name: each.as_dict() for name, each in results.items()}}))


@answering
async def test(app: Understudy, request: Request) -> Answer:
    """Send a test message through one channel, past silences and digests."""
    request.query()
    content = await request.json_object()
    name = _TESTED.of(content)
    _known((name,), tuple(app.notifications.channels()))
    return Answer(dumped((await tried(app, actor(request), name)).as_dict()))


def _message(content: Mapping[str, Any], known: tuple[str, ...]) -> NotificationMessage:
    channels = _CHANNELS.of(content)
    _known(channels, known)
    title = _TITLE.of(content)
    if not title.strip():
        raise Problem(422, "title is a text that says something")
    return NotificationMessage(
        title=title,
        content=_CONTENT.of(content),
        severity=_SEVERITY.of(content),
        priority=_PRIORITY.of(content),
        fields=_FIELDS.of(content) or None,
        channels=channels or None,
    )


def _known(channels: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in channels:
        if name not in known:
            raise Problem(404, f"no channel named {name!r}; there are: {', '.join(known) or 'none'}"[:500])


_CHANNEL = Param("channel", Text(_NAME, name=True), "Only of this channel.", default="")
_OF_CHANNEL = Field("channel", Text(_NAME, name=True), "Only those of this channel.", default="", example="team")
_DECISION = Field("decision", Choice(("replay", "discard")), "What to do with them.", required=True, example="replay")
_REASON = Field("reason", Text(MAX_REASON), "Why, for the audit log.", default="", example="the channel is back")
_OF_ROW = Param("row", Text(_ID, name=True), "Only of this row of the outbox.", default="")
_TITLE = Field("title", Text(MAX_TITLE, least=1), "What it says first.", required=True, example="Maintenance at noon")
_CONTENT = Field("content", Text(MAX_CONTENT, lines=True), "What it says.", default="", example="Twenty minutes.")
_SEVERITY = Field("severity", Choice(SEVERITIES), "How grave it is.", default="info")
_PRIORITY = Field("priority", Choice(PRIORITIES), "In which lane it goes, in place of its severity's own.")
_FIELDS = Field("fields", Named(Text(MAX_TITLE, lines=True), MOST_FIELDS), "More, by name.")
_CHANNELS = Field(
    "channels", Listed(Text(_NAME, least=1, name=True), MOST_CHANNELS, called="texts"),
    "Through which channels, in place of what policies say.", default=(),
)  # fmt: skip
_TESTED = Field("channel", Text(_NAME, least=1, name=True), "Which channel.", required=True, example="ops")
_LOG = ("n", "at", "row", "channel", "result", "status", "error", "response", "recipient", "seconds")
_ROW = (
    "id", "event_id", "channel", "kind", "severity", "state", "created_at", "attempts", "reason", "title", "rule",
    "fingerprint", "episode",
)  # fmt: skip
#: A channel that was taken away has its name, kind, state and numbers only; one without numbers only its standing.
_SENDING = obj(total=WHOLE, success_rate=NUMBER, p50=NUMBER, p95=NUMBER)
_CHANNEL_SHOWN = merged("Channel", ChannelView, ChannelStatistics, needed=("name", "kind", "state"), sending=_SENDING)
_OVERVIEW = obj(
    start=TIME, end=TIME, channels=mapping(_CHANNEL_SHOWN), accounting=view(Accounting, missing=WHOLE),
    problems=TEXTS, drill=obj(schedule=TEXT, next_at=MAYBE_TIME, last=MAYBE_OBJECT),
)  # fmt: skip
_STATE = Gives(obj(row=TEXT, state=TEXT))
_DECIDED = Gives(obj(decision=TEXT, channel=TEXT, rows=WHOLE))

ROUTES: Table = {
    ("GET", "/api/notifications"): endpoint(
        overview, Permission.READ, query=SPANNING, gives=Gives(_OVERVIEW), problems=(503,), tag="Notifications"
    ),
    ("GET", "/api/notifications/log"): endpoint(
        log, Permission.CHANNELS, query=(_CHANNEL, _OF_ROW, *PAGING),
        gives=(Gives(paged("attempts", ATTEMPT)), CSV), problems=(503,), tag="Notifications",
    ),
    ("GET", "/api/notifications/dead"): endpoint(
        dead, Permission.CHANNELS, query=(_CHANNEL, *PAGING),
        gives=(Gives(paged("rows", DEAD_LETTER)), CSV), problems=(503,), tag="Notifications",
    ),
    ("POST", "/api/notifications/dead"): endpoint(
        dead_all, Permission.NOTIFY_SEND, body=(_DECISION, _OF_CHANNEL, _REASON), gives=_DECIDED, problems=(503,),
        tag="Notifications",
    ),
    ("POST", "/api/notifications/dead/{row}/replay"): endpoint(
        replay, Permission.NOTIFY_SEND, body=(_REASON,), gives=_STATE, problems=(404, 409, 503), tag="Notifications"
    ),
    ("POST", "/api/notifications/dead/{row}/discard"): endpoint(
        discard, Permission.NOTIFY_SEND, body=(_REASON,), gives=_STATE, problems=(404, 409, 503), tag="Notifications"
    ),
    ("POST", "/api/notifications/send"): endpoint(
        send, Permission.NOTIFY_SEND, body=(_TITLE, _CONTENT, _SEVERITY, _PRIORITY, _FIELDS, _CHANNELS),
        gives=Gives(obj(results=mapping(RESULT))), problems=(404, 503), tag="Notifications",
    ),
    ("POST", "/api/notifications/test"): endpoint(
        test, Permission.NOTIFY_SEND, body=(_TESTED,), gives=Gives(view(TestResult)), problems=(404, 503),
        tag="Notifications",
    ),
}  # fmt: skip
