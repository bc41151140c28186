"""What pages say of APIs, in the reader's language: states and their causes, verdicts, roles, marks, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.core.text import Texts
from understudy.resilience.words import endings, gates, moved, outcomes
from understudy.web.views.api_detail import ApiDetail, Role
from understudy.web.views.verdict import Side, Verdict

from .shown import Shown


def why(_: Texts, detail: ApiDetail) -> str:
    """Why an API is in its state, with what its cause said; empty when it is well."""
    about = {"by": detail.actor, "hub": detail.line.hub}
    said = {
        "disabled": _("It is switched off in the configuration: nothing is sent to it."),
        "drained": _("Drained by {by}: no new calls go to it.", **about),
        "forced_open": _("Its breaker is held open by {by}: no calls go to it.", **about),
        "forced_closed": _(
            "Its breaker is held closed by {by}: every call goes through, whatever comes of it.", **about
        ),
        "observe": _("Its breaker only observes, as {by} said: every call goes through.", **about),
        "hub": _("The breaker of its hub {hub} is open: no calls go to any API there.", **about),
        "open": _("Its breaker is open: calls go to others until it is tried again."),
        "half_open": _("Its breaker is half-open: a few calls find out whether it works again."),
        "hold": _("It asked for a rest: nothing is sent until that is over."),
        "keys": _("None of its keys can be used."),
        "failures": _("Too many of its latest calls failed."),
        "unused": _("Nothing has been sent to it since the service started, so nothing is known."),
    }.get(detail.why, "")
    # A breaker tells its cause in words of the program; what people wrote stays as they wrote it.
    because = moved(_, detail.because) if detail.why in ("hub", "open", "half_open") else detail.because
    return f"{said} ({because})" if said and because else said


def verdict(_: Texts, found: Verdict) -> str:
    """Whose fault it is, in one honest sentence."""
    values: dict[str, object] = {
        "share": Shown(_).percent(found.share, 0), "failures": _.number(found.failures),
        "requests": _.number(found.requests), "failing": found.spread[0], "asked": found.spread[1],
    }  # fmt: skip
    said = {
        "idle": _("Nothing was asked of it in the last five minutes, so there is nothing to judge."),
        "fine": _("Nothing is wrong with it: {share} of {requests} requests succeeded.", **values),
        "provider": _("It is them: {share} of {failures} failures are the provider's own.", **values),
        "hub": _("It is the hub in front of it: {share} of {failures} failures come from there.", **values),
        "key": _("It is a key of ours: {share} of {failures} failures are refusals of a key.", **values),
        "quota": _("It is our plan: {share} of {failures} failures say that a limit is reached.", **values),
        "caller": _("It is what we ask: {share} of {failures} failures refuse the request itself.", **values),
        "local": _("It is us: our own network or machine is to blame, not the API."),
        "everywhere": _("It is probably us: {failing} of {asked} other hubs fail as well at this moment.", **values),
        "mixed": _("There is no single cause: the largest one has {share} of {failures} failures.", **values),
    }.get(found.kind, _("The cause of {failures} failures is not known.", **values))
    if found.kind not in ("idle", "fine") and not found.sure:
        return said + " " + _("So few failures may still be chance.")
    return said


def cause(_: Texts, name: str) -> str:
    """Whose fault an attribution means."""
    return {
        "none": _("nobody"), "provider": _("the provider"), "hub": _("the hub"), "key": _("a key"),
        "quota": _("a limit of the plan"), "caller": _("the request"), "local": _("our network or machine"),
        "self": _("Understudy itself"),
    }.get(name, name)  # fmt: skip


def side(_: Texts, each: Side) -> tuple[str, str]:
    """What is held against the API, and how it stands beside its numbers."""
    name = {
        "api": _("This API"), "key": _("Key {name}", name=each.name),
        "neighbours": _("Other APIs of {hub}", hub=each.name), "hub": _("Hub {hub}", hub=each.name),
        "network": _("Our network"), "process": _("Our process"),
    }.get(each.kind, each.name)  # fmt: skip
    state = {
        "usable": "", "closed": "", "": "", "ok": _("in order"), "down": _("reaches nobody"), "late": _("too busy"),
        "open": _("the hub's breaker is open"), "half_open": _("the hub's breaker is half-open"),
    }.get(each.state, key_state(_, each.state) if each.kind == "key" else each.state)  # fmt: skip
    return name, state


def key_state(_: Texts, state: str) -> str:
    """How a key stands."""
    return {
        "usable": _("usable"), "quarantined": _("taken out"), "held": _("resting"), "rate_limited": _("its rate limit"),
        "quota": _("its quota is spent"), "quota_exhausted": _("its quota is spent"), "billing": _("not paid"),
    }.get(state, state)  # fmt: skip


def role(_: Texts, each: Role) -> str:
    """What an API is in a route, in words."""
    if each.role == "lead":
        return _("leads {route}", route=each.route)
    if each.role == "closed":
        return _("cannot serve {route}: {why}", route=each.route, why=gates(_).get(each.gate, each.gate))
    return _("standby of {route}, number {place} of {of}", route=each.route, place=each.place, of=each.of)


def classes(_: Texts) -> dict[str, str]:
    """Failures as charts tell them apart, in the order in which they are stacked."""
    return {
        "timeout": _("Timeout"), "connect": _("Connection"), "tls": _("TLS, certificate"), "limit": _("Limit (429)"),
        "refused": _("Refused (4xx)"), "server": _("Server (5xx)"), "invalid": _("Invalid answer"), "other": _("Other"),
    }  # fmt: skip


def kinds(_: Texts) -> dict[str, str]:
    """How requests and attempts end, and why an API was passed over: whatever an error group can be of."""
    return {**gates(_), **endings(_), **outcomes(_)}


def mark(_: Texts, kind: str, route: str, detail: Mapping[str, Any]) -> str:
    """What happened, for the annotations of charts and the list of changes."""
    about = {"lead": detail.get("api") or _after(detail, "api")}
    said = {
        "breaker.opened": _("Breaker opened"), "breaker.closed": _("Breaker closed"),
        "breaker.half_opened": _("Breaker half-open"), "api.forced": _held(_, detail),
        "api.unforced": _("Breaker judges again"), "breaker.would_open": _("Breaker would have opened"),
        "selection.changed": _("Lead changed to {lead}", **about) if about["lead"] else _("Lead changed"),
        "fallback.reset": _("Reset"), "probe.failed": _("Health check failed"),
        "probe.succeeded": _("Health check succeeded"), "key.quarantined": _("Key taken out"),
        "key.all_refused": _("All keys refused"), "key.billing": _("Key not paid"), "key.held": _("Key rests"),
        "key.released": _("Key back in use"), "quota.exhausted": _("Quota spent"), "hold.placed": _("Asked for a rest"),
        "network.local": _("Our own network fails"),
        "names.overflowed": _("Too many names: the rest is counted together"),
        "config.reloaded": _("Configuration reloaded"), "config.refused": _("Configuration refused"),
        "service.started": _("Service started"), "service.stopped": _("Service stopped"),
        "api.drained": _("Drained"), "api.undrained": _("Drain ended"),
        "api.checks_paused": _("Health checks paused"), "api.checks_resumed": _("Health checks go on"),
        "route.pinned": _("Pinned to {lead}", **about) if about["lead"] else _("Pinned"),
        "route.unpinned": _("Pin ended"), "alert.fired": _("Alert fired"), "alert.resolved": _("Alert resolved"),
    }.get(kind, kind)  # fmt: skip
    why = moved(_, str(detail.get("cause") or "")) or str(detail.get("reason") or "")
    more = ", ".join(each for each in (route, why) if each)
    return f"{said} ({more[:160]})" if more else said


def _after(detail: Mapping[str, Any], key: str) -> str:
    """What a direction says: the API of a pin, the state of a force."""
    after = detail.get("after")
    return str(after.get(key) or "") if isinstance(after, Mapping) else ""


def _held(_: Texts, detail: Mapping[str, Any]) -> str:
    """In which state somebody holds the breakers of an API."""
    state = _after(detail, "state")
    if state == "observe":
        return _("Breaker only observes")
    return _("Held closed") if state == "forced_closed" else _("Held open")


def measures(_: Texts) -> dict[str, tuple[str, str]]:
    """The measures of a comparison: their name and unit."""
    return {
        "success_rate": (_("Success"), "%"), "p50": ("p50", "s"), "p95": ("p95", "s"), "p99": ("p99", "s"),
        "cost_per_thousand": (_("Cost of 1,000 good answers"), "money"), "quota_left": (_("Quota left"), "%"),
    }  # fmt: skip
