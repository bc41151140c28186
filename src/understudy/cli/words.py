"""The closed lists of decision records in words: gates, outcomes, whose fault, what a cost is made of.

A word that is not here is shown as it came: a service may be newer than this command.
"""

from __future__ import annotations

from understudy.core.text import Texts
from understudy.notifications import words

from .screen import safe


def gate_word(_: Texts, gate: str) -> str:
    """Why an API was passed over."""
    return {
        "disabled": _("switched off"),
        "paused": _("paused"),
        "no_operation": _("nothing to run is known for it"),
        "no_base_url": _("it has no address"),
        "tried": _("already tried"),
        "budget_spent": _("no retry left in its budget"),
        "max_apis": _("enough APIs were tried"),
        "price": _("too dear"),
        "forced_open": _("its breaker is held open"),
        "breaker_open": _("its breaker is open"),
        "hub_open": _("its hub's breaker is open"),
        "hold": _("on hold"),
        "rate_limited": _("its rate limit"),
        "keys": _("no usable key"),
        "keys_unavailable": _("no usable key"),
        "quota_exhausted": _("its quota is spent"),
        "bulkhead_full": _("too many calls at once"),
        "deadline": _("too little time is left"),
        "unsafe": _("the request may not be repeated elsewhere"),
        "rejected": _("refused"),
    }.get(gate, safe(gate))


def ending_word(_: Texts, outcome: str) -> str:
    """How an attempt ended."""
    return {
        "success": _("success"),
        "semantic": _("wrong content"),
        "provider": _("API error"),
        "hub": _("hub error"),
        "rate": _("rate limit"),
        "quota": _("quota spent"),
        "key": _("key refused"),
        "billing": _("billing"),
        "caller": _("request refused"),
        "local": _("local network"),
        "connect": _("no connection"),
        "timeout": _("timeout"),
        "lost": _("connection lost"),
        "body": _("broken answer"),
        "cancelled": _("cancelled"),
        "rejected": _("not sent"),
    }.get(outcome, safe(outcome))


def fault_word(_: Texts, attribution: str) -> str:
    """Whose fault it was."""
    return {
        "none": _("no one"),
        "provider": _("the API"),
        "hub": _("the hub"),
        "key": _("the key"),
        "quota": _("the quota"),
        "caller": _("the caller"),
        "local": _("this machine's network"),
        "self": _("Understudy"),
    }.get(attribution, safe(attribution))


def term_word(_: Texts, term: str) -> str:
    """What a part of the expected cost stands for."""
    return {
        "latency": _("latency"),
        "failure": _("failure"),
        "priority": _("priority"),
        "price": _("price"),
        "pressure": _("quota pressure"),
        "domain": _("same hub"),
    }.get(term, safe(term))


def severity_word(_: Texts, severity: str) -> str:
    """How bad it is."""
    return {"critical": _("critical"), "warning": _("warning"), "info": _("info")}.get(severity, safe(severity))


def phase_word(_: Texts, phase: str) -> str:
    """Where an alert is."""
    return safe(words.phase_word(_, phase))


def event_word(_: Texts, kind: str) -> str:
    """What happened to an alert."""
    return safe(words.event_word(_, kind))


def suppressed_word(_: Texts, reason: str) -> str:
    """What kept a notice back; who or what exactly stands behind the colon."""
    return safe(words.suppressed_word(_, reason), 120)


def result_word(_: Texts, result: str) -> str:
    """How an attempt to deliver ended."""
    return safe(words.result_word(_, result))
