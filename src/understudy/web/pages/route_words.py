"""Routes in words: how the API of a call is chosen, who serves now and why, what changed when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.core.events import Event
from understudy.core.text import Texts
from understudy.resilience.words import moved
from understudy.web.views.routes import RouteView


def modes(_: Texts) -> dict[str, tuple[str, str]]:
    """Each mode by name: its word, and what it does."""
    return {
        "priority": (_("By priority"), _("The first in priority that may serve is asked.")),
        "balanced": (_("Balanced"), _("Whoever is expected to cost least is asked: time, failures, priority, price.")),
        "fastest": (_("Fastest"), _("Whoever is expected to answer first is asked; priority does not count.")),
        "cheapest": (_("Cheapest"), _("The cheapest that may serve is asked; price beats everything but failure.")),
    }


def sentence(_: Texts, view: RouteView) -> str:
    """Who serves a route, and why that one."""
    if not view.candidates:
        return _("No API serves this route yet.")
    if not view.lead:
        return _("Nobody can serve this route now.")
    lead = view.candidates[0]
    if lead.pinned:
        return _("{api} serves now: it is pinned.", api=lead.api)
    closed = [each for each in view.candidates if each.role == "closed" and each.priority < lead.priority]
    if closed:
        return _("{api} serves now, in place of {others}.", api=lead.api, others=", ".join(c.api for c in closed[:3]))
    if view.mode == "priority":
        return _("{api} serves now: the first in priority.", api=lead.api)
    return _("{api} serves now: the least expected cost.", api=lead.api)


def pin_words(_: Texts, view: RouteView) -> str:
    """Who pinned which API, why, and whether it ends by itself; empty where nothing is pinned."""
    if view.pin is None:
        return ""
    pin = view.pin
    said = [_("{api} is pinned by {actor}: {reason}", api=pin["api"], actor=pin["actor"], reason=pin["reason"])]
    if pin["only"]:
        said.append(_("Nobody stands in for it."))
    if not pin["until"]:
        said.append(_("It holds until somebody ends it."))
    return " ".join(said)


def _held(_: Texts, api: str, detail: Mapping[str, Any]) -> str:
    """In which state somebody holds the breakers of an API."""
    after = detail.get("after")
    state = after.get("state") if isinstance(after, Mapping) else ""
    if state == "observe":
        return _("The breaker of {api} only observes.", api=api)
    if state == "forced_closed":
        return _("The breaker of {api} is held closed.", api=api)
    return _("The breaker of {api} is held open.", api=api)


def switch_words(_: Texts, event: Event) -> str:
    """One change in a sentence."""
    detail = event.detail
    api, actor, reason = event.api, str(detail.get("actor", "")), str(detail.get("reason", ""))
    why = f" {reason} ({actor})" if reason and actor else f" ({actor})" if actor else ""
    if detail.get("expired"):
        why = f" {_('Its time is over.')}"
    match event.kind:
        case "selection.changed":
            return _("{api} took over from {other}.", api=api, other=str(detail.get("previous", "")))
        case "route.pinned":
            return _("{api} was pinned.", api=api) + why
        case "route.unpinned":
            return _("The pin on {api} ended.", api=api) + why
        case "api.drained":
            return _("{api} was drained.", api=api) + why
        case "api.undrained":
            return _("The drain of {api} ended.", api=api) + why
        case "breaker.opened":
            return _("The breaker of {api} opened: {cause}", api=api, cause=moved(_, str(detail.get("cause", ""))))
        case "breaker.closed":
            return _("The breaker of {api} closed: {cause}", api=api, cause=moved(_, str(detail.get("cause", ""))))
        case "breaker.half_opened":
            return _("The breaker of {api} lets trials through.", api=api)
        case "api.forced":
            return _held(_, api, detail) + why
        case "api.unforced":
            return _("The breaker of {api} judges again.", api=api) + why
        case "fallback.reset":
            return _("Breakers and holds were reset.") + why
        case _:
            return event.kind
