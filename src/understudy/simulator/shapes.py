"""How each API tells the same facts: seven shapes of JSON, and seven ways to say that it could not.

The shapes follow the manner of well-known football APIs, so that mappings made against them meet
nested names, parallel lists, encoded scores, milliseconds, percents in strings and thousandths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from .season import Match

Json = Any
Shape = Callable[[Sequence[Match]], Json]
Envelope = Callable[[str], Json]

LEAGUE = "Vale Premier"
SEASON = 2026
_SIDES = ("home", "draw", "away")


def iso(epoch: int, suffix: str) -> str:
    """A UTC instant in ISO form, ended by `Z` or `+00:00`."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S") + suffix


def fixtures_pro(matches: Sequence[Match]) -> Json:
    """Deeply nested, everything under `response`."""
    return {
        "get": "fixtures", "errors": [], "results": len(matches), "paging": {"current": 1, "total": 1},
        "response": [
            {
                "fixture": {
                    "id": 1_000_000 + m.number, "timezone": "UTC", "date": iso(m.kickoff, "+00:00"),
                    "timestamp": m.kickoff, "status": {"short": "FT" if m.goals else "NS"},
                },
                "league": {"name": LEAGUE, "season": SEASON, "round": f"Regular Season - {m.round}"},
                "teams": {
                    "home": {"id": m.home.number, "name": m.home.name},
                    "away": {"id": m.away.number, "name": m.away.name},
                },
                "goals": {"home": m.goals[0] if m.goals else None, "away": m.goals[1] if m.goals else None},
            }
            for m in matches
        ],
    }  # fmt: skip


def fixtures_lite(matches: Sequence[Match]) -> Json:
    """Flat matches, camel case."""
    return {
        "count": len(matches),
        "matches": [
            {
                "id": m.number, "utcDate": iso(m.kickoff, "Z"), "matchday": m.round,
                "status": "FINISHED" if m.goals else "TIMED",
                "homeTeam": {"name": m.home.name, "tla": m.home.code},
                "awayTeam": {"name": m.away.name, "tla": m.away.code},
                "score": {"fullTime": dict(zip(("home", "away"), m.goals or (None, None), strict=True))},
            }
            for m in matches
        ],
    }  # fmt: skip


def fixtures_world(matches: Sequence[Match]) -> Json:
    """Columns and rows; milliseconds; the score in one string."""
    return {
        "success": 1,
        "columns": ["event_key", "start_ms", "home", "away", "leg", "ft"],
        "rows": [
            [f"w{m.number:05d}", m.kickoff * 1000, m.home.name, m.away.name, m.round,
             f"{m.goals[0]}:{m.goals[1]}" if m.goals else ""]
            for m in matches
        ],
    }  # fmt: skip


def odds_prime(matches: Sequence[Match]) -> Json:
    """A bare list; bookmakers, markets, outcomes named by team."""
    return [
        {
            "id": f"e{m.number:08x}", "commence_time": iso(m.kickoff, "Z"),
            "home_team": m.home.name, "away_team": m.away.name,
            "bookmakers": [{"key": "prime", "markets": [{"key": "h2h", "outcomes": [
                {"name": name, "price": price}
                for name, price in zip((m.home.name, "Draw", m.away.name), m.odds, strict=True)
            ]}]}],
        }
        for m in matches
    ]  # fmt: skip


def odds_open(matches: Sequence[Match]) -> Json:
    """Prices in thousandths under 1, X and 2; both teams in one string."""
    return {
        "ok": True,
        "events": [
            {
                "match": f"{m.home.name} v {m.away.name}", "kickoff": m.kickoff,
                "prices": {sign: round(price * 1000) for sign, price in zip("1X2", m.odds, strict=True)},
            }
            for m in matches
        ],
    }  # fmt: skip


def predictions_ai(matches: Sequence[Match]) -> Json:
    """Probabilities as ratios, with the pick in words."""
    return {
        "predictions": [
            {
                "fixture_id": 1_000_000 + m.number, "home": m.home.name, "away": m.away.name,
                "kickoff": iso(m.kickoff, "Z"), "pick": _SIDES[m.pick],
                "probability": {side: chance / 100 for side, chance in zip(_SIDES, m.chances, strict=True)},
            }
            for m in matches
        ]
    }  # fmt: skip


def predictions_stats(matches: Sequence[Match]) -> Json:
    """Percents in strings, the pick as 1, X or 2."""
    return {
        "state": "ok",
        "forecasts": [
            {
                "game": {"no": m.number, "teams": [m.home.name, m.away.name], "at": m.kickoff},
                "win": f"{m.chances[0]}%", "tie": f"{m.chances[1]}%", "loss": f"{m.chances[2]}%",
                "advice": "1X2"[m.pick],
            }
            for m in matches
        ],
    }  # fmt: skip


def pro_error(text: str) -> Json:
    """An error among the usual keys, `response` empty."""
    return {"get": "fixtures", "errors": {"server": text}, "results": 0, "response": []}


def lite_error(text: str) -> Json:
    """A message with a code in place of the matches."""
    return {"message": text, "errorCode": 503}


def world_error(text: str) -> Json:
    """`success` turned to zero."""
    return {"success": 0, "error": text, "columns": [], "rows": []}


def prime_error(text: str) -> Json:
    """An object where a list is expected."""
    return {"message": text, "error_code": "UNAVAILABLE"}


def open_error(text: str) -> Json:
    """`ok` turned to false."""
    return {"ok": False, "error": text}


def ai_error(text: str) -> Json:
    """`error` in place of the predictions."""
    return {"error": {"type": "model_unavailable", "message": text}}


def stats_error(text: str) -> Json:
    """`state` that is not ok."""
    return {"state": "error", "reason": text, "forecasts": []}
