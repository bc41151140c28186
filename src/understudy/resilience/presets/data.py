"""Data APIs: sports, weather, markets, news, maps, models."""

from __future__ import annotations

from typing import Final

from understudy.resilience.outcome_options import OutcomeRule as Rule

from . import LimitHeaders, Preset

_DAY: Final = 86400.0
_MINUTE: Final = 60.0

DATA: Final[tuple[Preset, ...]] = (
    Preset(
        "api-football", "API-Football (API-Sports)", "https://v3.football.api-sports.io", "header", "x-apisports-key",
        limits=(
            LimitHeaders(
                "requests", "x-ratelimit-requests-limit", "x-ratelimit-requests-remaining", window=_DAY, plan=True
            ),
            LimitHeaders("", "x-ratelimit-limit", "x-ratelimit-remaining", window=_MINUTE),
        ),
        rules=(
            Rule("quota", status="200,429", json="errors.requests", pattern="request limit"),
            Rule("rate", status="200,429", json="errors.rateLimit"),
            Rule("key", status="200,401,403", json="errors.token"),
            Rule("key", status="200,403", json="errors.access"),
            Rule("provider", status="499"),
        ),
        free_probe="/status", docs="https://www.api-football.com/documentation-v3",
    ),
    Preset(
        "football-data", "football-data.org", "https://api.football-data.org/v4", "header", "X-Auth-Token",
        limits=(
            LimitHeaders("", remaining="X-Requests-Available-Minute", reset="X-RequestCounter-Reset", window=_MINUTE),
        ),
        docs="https://docs.football-data.org/general/v4/lookup_tables.html",
    ),
    Preset(
        "the-odds-api", "The Odds API", "https://api.the-odds-api.com", "query", "apiKey",
        limits=(LimitHeaders("requests", remaining="x-requests-remaining", plan=True),),
        rules=(
            Rule("quota", status="401,429", json="error_code", pattern="OUT_OF_USAGE_CREDITS"),
            Rule("rate", status="429", json="error_code", pattern="EXCEEDED_FREQ_LIMIT"),
        ),
        free_probe="/v4/sports", docs="https://the-odds-api.com/liveapi/guides/v4/",
    ),
    Preset(
        "openweather", "OpenWeather", "https://api.openweathermap.org", "query", "appid",
        docs="https://openweathermap.org/faq",
    ),
    Preset(
        "weatherapi", "WeatherAPI.com", "https://api.weatherapi.com/v1", "query", "key",
        rules=(
            Rule("quota", status="403", json="to_string(error.code)", pattern="^2007$"),
            Rule("key", status="401,403", json="to_string(error.code)", pattern="^(1002|2006|2008|2009)$"),
            Rule("caller", status="400", json="to_string(error.code)", pattern="^(1003|1005|1006)$", next=False),
        ),
        docs="https://www.weatherapi.com/docs/",
    ),
    Preset(
        "alphavantage", "Alpha Vantage", "https://www.alphavantage.co", "query", "apikey",
        # It answers 200 to everything; a refusal is an object with one of these members.
        rules=(
            Rule("quota", status="200", json="Information", pattern="requests per day"),
            Rule("rate", status="200", json="Note", pattern="call frequency|calls per minute"),
            Rule("rate", status="200", json="Information", pattern="per second|per minute"),
            Rule("caller", status="200", json='"Error Message"'),
        ),
        docs="https://www.alphavantage.co/documentation/",
    ),
    Preset(
        "finnhub", "Finnhub", "https://finnhub.io/api/v1", "header", "X-Finnhub-Token",
        docs="https://finnhub.io/docs/api/rate-limit",
    ),
    Preset(
        "coingecko", "CoinGecko Pro", "https://pro-api.coingecko.com/api/v3", "header", "x-cg-pro-api-key",
        docs="https://docs.coingecko.com/",
    ),
    Preset(
        "coinmarketcap", "CoinMarketCap", "https://pro-api.coinmarketcap.com", "header", "X-CMC_PRO_API_KEY",
        rules=(
            Rule("rate", status="429", json="to_string(status.error_code)", pattern="^(1008|1011)$"),
            Rule("quota", status="429", json="to_string(status.error_code)", pattern="^(1009|1010)$"),
        ),
        free_probe="/v1/key/info", docs="https://coinmarketcap.com/api/documentation/v1/",
    ),
    Preset(
        "newsapi", "News API", "https://newsapi.org", "header", "X-Api-Key",
        rules=(
            Rule("quota", status="401,429", json="code", pattern="^apiKeyExhausted$"),
            Rule("rate", status="429", json="code", pattern="^rateLimited$"),
            Rule("key", status="401", json="code", pattern="^apiKey(Disabled|Invalid|Missing)$"),
        ),
        docs="https://newsapi.org/docs/errors",
    ),
    Preset(
        "nasa", "NASA Open APIs", "https://api.nasa.gov", "query", "api_key",
        rules=(
            Rule("rate", status="429", json="error.code", pattern="OVER_RATE_LIMIT"),
            Rule("key", status="403", json="error.code", pattern="API_KEY_"),
        ),
        docs="https://api.nasa.gov/",
    ),
    Preset(
        "tmdb", "The Movie Database", "https://api.themoviedb.org/3", "bearer",
        free_probe="/configuration", docs="https://developer.themoviedb.org/docs/rate-limiting",
    ),
    Preset(
        "google-maps", "Google Maps web services", "https://maps.googleapis.com", "query", "key",
        # These answer 200 and tell the outcome in `status`.
        rules=(
            Rule("quota", status="200", json="status", pattern="^OVER_DAILY_LIMIT$"),
            Rule("rate", status="200", json="status", pattern="^OVER_QUERY_LIMIT$"),
            Rule("key", status="200", json="status", pattern="^REQUEST_DENIED$"),
            Rule("provider", status="200", json="status", pattern="^UNKNOWN_ERROR$"),
            Rule("caller", status="200", json="status", pattern="^INVALID_REQUEST$"),
        ),
        docs="https://developers.google.com/maps/documentation/geocoding/requests-geocoding",
    ),
    Preset(
        "google", "Google APIs", "", "bearer",
        rules=(
            Rule("rate", status="403,429", json="error.errors[].reason", pattern="(user)?rateLimitExceeded"),
            Rule("quota", status="403,429", json="error.errors[].reason", pattern="quotaExceeded|dailyLimitExceeded"),
        ),
        docs="https://developers.google.com/workspace/drive/api/guides/handle-errors",
    ),
    Preset(
        "mapbox", "Mapbox", "https://api.mapbox.com", "query", "access_token",
        docs="https://docs.mapbox.com/api/guides/#rate-limits",
    ),
    Preset(
        "deepl", "DeepL", "https://api.deepl.com", "header", "Authorization", "DeepL-Auth-Key ",
        rules=(Rule("quota", status="456"),),
        free_probe="/v2/usage", docs="https://developers.deepl.com/docs/best-practices/error-handling",
    ),
    Preset(
        "openai", "OpenAI", "https://api.openai.com/v1", "bearer",
        rules=(Rule("billing", status="429", json="error.code", pattern="^insufficient_quota$"),),
        free_probe="/models", docs="https://platform.openai.com/docs/guides/error-codes",
    ),
    Preset(
        "groq", "Groq", "https://api.groq.com/openai/v1", "bearer",
        free_probe="/models", docs="https://console.groq.com/docs/rate-limits",
    ),
    Preset(
        "anthropic", "Anthropic", "https://api.anthropic.com", "header", "x-api-key",
        rules=(Rule("billing", status="400", json="error.message", pattern="credit balance is too low"),),
        free_probe="/v1/models", docs="https://docs.anthropic.com/en/api/rate-limits",
    ),
)  # fmt: skip
