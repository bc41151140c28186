"""The presets are data; every one must compile, and the facts they hold must judge real answers right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from understudy.core.types import OutcomeClass as C
from understudy.resilience.api import ApiOptions
from understudy.resilience.auth import origin_of
from understudy.resilience.limits import parse_limits
from understudy.resilience.outcome import Classifier
from understudy.resilience.presets import load_preset, names, preset_for

NOW = 1_800_000_000.0


@pytest.mark.parametrize("name", names())
def test_every_preset_compiles_and_is_complete(name: str) -> None:
    preset = load_preset(name)
    assert preset is not None
    Classifier(ApiOptions(), preset)
    assert preset.title
    assert preset.docs.startswith("https://")
    assert not preset.base_url or origin_of(preset.base_url)[0] == "https"
    assert not preset.free_probe or preset.free_probe.startswith("/")
    assert preset.auth_kind not in ("header", "query") or preset.auth_name
    for limit in preset.limits:
        assert limit.remaining or limit.ratio


def test_there_are_about_thirty_and_names_are_unique() -> None:
    assert len(names()) >= 30
    assert load_preset("") is None
    assert load_preset("nobody") is None
    assert preset_for(ApiOptions(preset="github")) is load_preset("github")


JUDGED: list[tuple[str, int, dict[str, str], Any, C]] = [
    ("github", 403, {}, {"message": "API rate limit exceeded for 1.2.3.4."}, C.RATE),
    ("github", 403, {}, {"message": "Resource not accessible by integration"}, C.KEY),
    ("stripe", 402, {}, {"error": {"code": "card_declined"}}, C.CALLER),
    ("slack", 200, {}, {"ok": True}, C.SUCCESS),
    ("slack", 200, {}, {"ok": False, "error": "invalid_auth"}, C.KEY),
    ("slack", 200, {}, {"ok": False, "error": "channel_not_found"}, C.CALLER),
    ("slack", 429, {"Retry-After": "3"}, {"ok": False, "error": "ratelimited"}, C.RATE),
    ("openai", 429, {}, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}, C.BILLING),
    ("openai", 429, {}, {"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached"}}, C.RATE),
    ("anthropic", 529, {}, {"error": {"type": "overloaded_error"}}, C.PROVIDER),
    ("anthropic", 400, {}, {"error": {"message": "Your credit balance is too low to access the API"}}, C.BILLING),
    ("deepl", 456, {}, {"message": "Quota exceeded"}, C.QUOTA),
    ("api-football", 200, {}, {"errors": [], "response": [1]}, C.SUCCESS),
    ("api-football", 200, {}, {"errors": {"requests": "You have reached the request limit for the day"}}, C.QUOTA),
    ("api-football", 200, {}, {"errors": {"token": "Error/Missing application key"}}, C.KEY),
    ("the-odds-api", 401, {}, {"error_code": "OUT_OF_USAGE_CREDITS"}, C.QUOTA),
    ("weatherapi", 403, {}, {"error": {"code": 2007}}, C.QUOTA),
    ("weatherapi", 400, {}, {"error": {"code": 1006}}, C.CALLER),
    ("alphavantage", 200, {}, {"Information": "our standard API rate limit is 25 requests per day"}, C.QUOTA),
    ("alphavantage", 200, {}, {"Global Quote": {}}, C.SUCCESS),
    ("coinmarketcap", 429, {}, {"status": {"error_code": 1010}}, C.QUOTA),
    ("coinmarketcap", 429, {}, {"status": {"error_code": 1008}}, C.RATE),
    ("newsapi", 401, {}, {"code": "apiKeyInvalid"}, C.KEY),
    ("google-maps", 200, {}, {"status": "OVER_QUERY_LIMIT"}, C.RATE),
    ("google-maps", 200, {}, {"status": "ZERO_RESULTS"}, C.SUCCESS),
    ("google", 403, {}, {"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}, C.RATE),
    ("hubspot", 429, {}, {"policyName": "DAILY"}, C.QUOTA),
    ("linear", 400, {}, {"errors": [{"extensions": {"code": "RATELIMITED"}}]}, C.RATE),
]


@pytest.mark.parametrize(("name", "status", "headers", "body", "kind"), JUDGED)
def test_known_answers(name: str, status: int, headers: dict[str, str], body: Any, kind: C) -> None:
    judge = Classifier(ApiOptions(), load_preset(name))
    assert judge.response(status, headers, json.dumps(body).encode(), NOW).kind is kind


@pytest.mark.parametrize(
    ("name", "headers", "expected"),
    [
        ("shopify", {"X-Shopify-Shop-Api-Call-Limit": "32/40"}, {"": (40, 8, None)}),
        ("football-data", {"X-Requests-Available-Minute": "9", "X-RequestCounter-Reset": "42"}, {"": (None, 9, 42)}),
        ("the-odds-api", {"x-requests-remaining": "480", "x-requests-used": "20"}, {"requests": (None, 480, None)}),
        (
            "api-football",
            {"x-ratelimit-requests-limit": "100", "x-ratelimit-requests-remaining": "93", "X-RateLimit-Remaining": "9"},
            {"requests": (100, 93, None), "": (None, 9, None)},
        ),
        (
            "hubspot",
            {"X-HubSpot-RateLimit-Daily": "250000", "X-HubSpot-RateLimit-Daily-Remaining": "249000",
             "X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "99"},
            {"daily": (250000, 249000, None), "": (100, 99, None)},
        ),
    ],
)  # fmt: skip
def test_unusual_limit_headers(name: str, headers: dict[str, str], expected: dict[str, tuple[Any, ...]]) -> None:
    found = parse_limits(headers, None, NOW, load_preset(name))
    assert {info.object: (info.limit, info.remaining, info.reset_after) for info in found} == expected
