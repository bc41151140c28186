"""Endpoints about how people are told: policies and escalations, and what a channel's messages look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.alerts.escalation import Escalation
from understudy.alerts.timings import MuteTiming
from understudy.channels.conformance import Preview
from understudy.core.errors import NotInstalled
from understudy.notifications.policy import PolicyOptions
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice
from understudy.web.schemas import FLAG, TEXT, TEXTS, array, mapping, obj, view
from understudy.web.views.telling import ChannelPreview, TellingView

from .fields import answering
from .shapes import MEASURED

if TYPE_CHECKING:
    from understudy.app import Understudy


@answering
async def routing(app: Understudy, request: Request) -> Answer:
    """Policies, escalations and mute timings as they are configured."""
    request.query()
    return Answer(dumped(TellingView.of(app).as_dict()))


@answering
async def preview(app: Understudy, request: Request) -> Answer:
    """The hardest alerts as a channel would send them, measured against its service's limits; nothing is sent."""
    language = _LANGUAGE.of(request.query())
    try:
        found = await ChannelPreview.of(app, request.parts["channel"], language)
    except NotInstalled as error:
        raise Problem(501, str(error)) from None
    return Answer(dumped(found.as_dict()))


_LANGUAGE = Param(
    "language", Choice(("", "en", "pt-BR")), "In this language; the channel's own by default.", default=""
)

ROUTES: Table = {
    ("GET", "/api/notifications/routing"): endpoint(
        routing, Permission.CHANNELS,
        gives=Gives(obj(policies=mapping(view(PolicyOptions, "Policy")), escalations=mapping(view(Escalation)),
                        mute_timings=mapping(view(MuteTiming, holds=FLAG)),
                        channels=TEXTS)),
        tag="Notifications",
    ),
    ("GET", "/api/notifications/channels/{channel}/preview"): endpoint(
        preview, Permission.CHANNELS, query=(_LANGUAGE,),
        gives=Gives(obj(channel=TEXT, language=TEXT, messages=array(view(Preview)), measures=array(MEASURED))),
        problems=(404, 501), tag="Notifications",
    ),
}  # fmt: skip  # a table reads by its lines
