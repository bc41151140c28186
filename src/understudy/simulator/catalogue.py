"""What each of the seven APIs is like: address, key scheme, plan, quota headers, speed and shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import shapes

#: Name of the hub that four of the APIs are reached through; also a target of faults.
HUB = "hub"
AuthKind = Literal["rapidapi", "bearer", "query", "header"]
QuotaFamily = Literal["requests", "hard_limit", "ietf", "ietf_split", "plain_seconds", "plain_ms"]


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """One simulated API.

    `paths` are what it serves below `prefix`, the first being shared with the others of its family;
    `params` are its own names for round, date and match number, beside those shared ones.
    `latency` is the median in seconds, `spread` the sigma of the lognormal around it; `limit` counts
    calls of a key in `window` seconds; `success` is a JMESPath that is true of a good answer only.
    """

    name: str
    family: Literal["fixtures", "odds", "predictions"]
    prefix: str
    paths: tuple[str, ...]
    params: tuple[str, str, str]
    auth: AuthKind
    auth_name: str
    quota: QuotaFamily
    limit: int
    window: float
    latency: float
    spread: float
    price: float
    shape: shapes.Shape
    envelope: shapes.Envelope
    success: str
    hub: str = ""


_DAY = 86_400.0
_MONTH = 30 * _DAY

CATALOGUE: dict[str, ApiSpec] = {
    spec.name: spec
    for spec in (
        ApiSpec(
            "fixtures_pro", "fixtures", "/v3", ("/fixtures",), ("round", "date", "id"),
            "rapidapi", "X-RapidAPI-Key", "requests", 3_000_000, _MONTH, 0.035, 0.35, 1.20,
            shapes.fixtures_pro, shapes.pro_error, "length(errors) == `0`", HUB,
        ),
        ApiSpec(
            "fixtures_lite", "fixtures", "/v4", ("/fixtures", "/matches"), ("matchday", "date", "id"),
            "bearer", "Authorization", "plain_seconds", 2_000_000, _MONTH, 0.060, 0.40, 0.40,
            shapes.fixtures_lite, shapes.lite_error, "matches != null",
        ),
        ApiSpec(
            "fixtures_world", "fixtures", "/world/v1", ("/fixtures", "/events"), ("leg", "day", "event"),
            "rapidapi", "X-RapidAPI-Key", "hard_limit", 1_500_000, _MONTH, 0.090, 0.50, 0.25,
            shapes.fixtures_world, shapes.world_error, "success == `1`", HUB,
        ),
        ApiSpec(
            "odds_prime", "odds", "/v4/sports", ("/odds",), ("round", "date", "eventId"),
            "rapidapi", "X-RapidAPI-Key", "ietf", 2_500_000, _MONTH, 0.045, 0.35, 2.00,
            shapes.odds_prime, shapes.prime_error, "type(@) == 'array'", HUB,
        ),
        ApiSpec(
            "odds_open", "odds", "/open", ("/odds", "/prices"), ("week", "day", "match"),
            "query", "apiKey", "plain_ms", 1_000_000, _DAY, 0.110, 0.45, 0.30,
            shapes.odds_open, shapes.open_error, "ok",
        ),
        ApiSpec(
            "predictions_ai", "predictions", "/ai/v2", ("/predictions", "/predict"), ("round", "date", "fixture"),
            "rapidapi", "X-RapidAPI-Key", "requests", 1_000_000, _MONTH, 0.180, 0.45, 5.00,
            shapes.predictions_ai, shapes.ai_error, "predictions != null", HUB,
        ),
        ApiSpec(
            "predictions_stats", "predictions", "/stats", ("/predictions", "/forecasts"), ("round", "day", "game"),
            "header", "X-Auth-Token", "ietf_split", 2_000_000, _MONTH, 0.070, 0.35, 0.80,
            shapes.predictions_stats, shapes.stats_error, "state == 'ok'",
        ),
    )
}  # fmt: skip
