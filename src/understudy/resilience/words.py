"""The closed lists of decision records in words, for the command line and for pages."""

from __future__ import annotations

import re

from understudy.core.text import Texts


def gates(_: Texts) -> dict[str, str]:
    """Why an API was passed over."""
    return {
        "disabled": _("switched off"),
        "paused": _("paused"),
        "drained": _("drained: no new calls"),
        "not_pinned": _("another API is pinned, and serves alone"),
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
    }


def moved(_: Texts, told: str) -> str:
    """Why a breaker moved; what is not known here stays as it is told."""
    plain = {
        "trial failed": _("trial failed"), "trials succeeded": _("trials succeeded"),
        "probe_lost": _("trial without answer"), "wait elapsed": _("its wait is over"),
        "check succeeded": _("health check succeeded"), "reset": _("reset by hand"),
        "force lifted": _("no longer held"), "force expired": _("the time of the hold is over"),
        "panic": _("every breaker was open"), "trial failed in panic": _("trial failed, and every breaker was open"),
    }  # fmt: skip
    if told in plain:
        return plain[told]
    if found := re.fullmatch(r"(\d+) failures in a row", told):
        return _("{count} failures in a row", count=found[1])
    if found := re.fullmatch(r"(\d+) of (\d+) attempts failed", told):
        return _("{failed} of {count} attempts failed", failed=found[1], count=found[2])
    if found := re.fullmatch(r"(\d+) of (\d+) attempts took ([\d.e+-]+) s or more", told):
        return _("{slow} of {count} attempts took {seconds} s or more", slow=found[1], count=found[2], seconds=found[3])
    return told


def terms(_: Texts) -> dict[str, str]:
    """What a part of the expected cost stands for."""
    return {
        "latency": _("latency"),
        "failure": _("failure"),
        "priority": _("priority"),
        "price": _("price"),
        "pressure": _("quota pressure"),
        "domain": _("same hub"),
    }


def outcomes(_: Texts) -> dict[str, str]:
    """How a call ended."""
    return {
        "success": _("served"),
        "fallback": _("served by a standby"),
        "failed": _("not served"),
        "deadline": _("out of time"),
        "cancelled": _("cancelled by the caller"),
    }


def endings(_: Texts) -> dict[str, str]:
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
        "tls": _("TLS failed"),
        "timeout": _("timeout"),
        "lost": _("connection lost"),
        "body": _("broken answer"),
        "cancelled": _("cancelled"),
        "rejected": _("not sent"),
    }


def faults(_: Texts) -> dict[str, str]:
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
    }
