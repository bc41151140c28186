"""Endpoints about how people are told: policies and escalations, and what a channel's messages look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.core.errors import NotInstalled
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Gives, Param
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Choice
from understudy.web.schemas import OBJECT, TEXT, TEXTS, array, mapping, obj
from understudy.web.views.telling import ChannelPreview, TellingView

from .fields import answering

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
        gives=Gives(obj(policies=mapping(OBJECT), escalations=mapping(OBJECT), mute_timings=mapping(OBJECT),
                        channels=TEXTS)),
        tag="Notifications",
    ),
    ("GET", "/api/notifications/channels/{channel}/preview"): endpoint(
        preview, Permission.CHANNELS, query=(_LANGUAGE,),
        gives=Gives(obj(channel=TEXT, language=TEXT, messages=array(OBJECT), measures=array(OBJECT))),
        problems=(404, 501), tag="Notifications",
    ),
}  # fmt: skip  # a table reads by its lines
