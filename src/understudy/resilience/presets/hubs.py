"""Hubs: many APIs behind one gateway, which answers in its own name when it refuses or fails."""

from __future__ import annotations

from typing import Final

from understudy.resilience.outcome_options import OutcomeRule

from . import Preset

RAPIDAPI: Final = Preset(
    name="rapidapi",
    title="RapidAPI",
    auth_kind="rapidapi",
    auth_name="X-RapidAPI-Key",
    named_limits_are_plans=True,
    # The gateway marks what it answers itself; the older names are still sent by some of its regions.
    hub_markers=(
        "X-RapidAPI-Proxy-Response: ^true$",
        "X-RapidAPI-Mock-Response: ^true$",
        "X-Mashape-Proxy-Response: ^true$",
    ),
    rules=(
        OutcomeRule("quota", status="429", pattern=r"exceeded the (daily|monthly|hourly|weekly|yearly)? ?quota"),
        OutcomeRule("rate", status="429", pattern=r"too many requests|rate limit per (second|minute|hour)"),
        OutcomeRule("key", status="401,403,404", pattern=r"not subscribed to this api"),
        OutcomeRule("key", status="401,403", pattern=r"invalid api key|missing rapidapi application key"),
    ),
    docs="https://docs.rapidapi.com/docs/response-headers",
)

HUBS: Final[tuple[Preset, ...]] = (RAPIDAPI,)
