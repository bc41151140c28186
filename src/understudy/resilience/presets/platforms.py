"""Platforms: code hosting, messages, payments, shops, offices."""

from __future__ import annotations

from typing import Final

from understudy.resilience.outcome_options import OutcomeRule as Rule

from . import LimitHeaders, Preset

_DAY: Final = 86400.0

PLATFORMS: Final[tuple[Preset, ...]] = (
    Preset(
        "github", "GitHub", "https://api.github.com", "bearer",
        rules=(
            # Both limits answer 403 as well as 429; a plain 403 still means the key.
            Rule("rate", status="403,429", pattern="rate limit"),
            Rule("rate", status="403,429", header="x-ratelimit-remaining: ^0$"),
        ),
        free_probe="/rate_limit",
        docs="https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api",
    ),
    Preset(
        "gitlab", "GitLab", "https://gitlab.com/api/v4", "header", "PRIVATE-TOKEN",
        docs="https://docs.gitlab.com/security/rate_limits/",
    ),
    Preset(
        "slack", "Slack", "https://slack.com/api", "bearer",
        # Web API methods answer 200 and say `ok: false`.
        rules=(
            Rule("rate", status="200,429", json="error", pattern="^(ratelimited|rate_limited)$"),
            Rule(
                "key", status="200", json="error",
                pattern="^(invalid_auth|not_authed|account_inactive|token_revoked|token_expired)$",
            ),
            Rule("provider", status="200", json="error", pattern="^(internal_error|fatal_error|service_unavailable)$"),
            Rule("caller", status="200", json="ok == `false`"),
        ),
        free_probe="/api.test", docs="https://api.slack.com/web#errors",
    ),
    Preset(
        "discord", "Discord", "https://discord.com/api/v10", "header", "Authorization", "Bot ",
        free_probe="/gateway", docs="https://discord.com/developers/docs/topics/rate-limits",
    ),
    Preset(
        "stripe", "Stripe", "https://api.stripe.com", "bearer",
        # Here 402 means that the parameters were valid and the request failed, as with a declined card.
        rules=(Rule("caller", status="402"),),
        docs="https://docs.stripe.com/api/errors",
    ),
    Preset(
        "sendgrid", "SendGrid", "https://api.sendgrid.com/v3", "bearer",
        docs="https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits",
    ),
    Preset(
        "shopify", "Shopify Admin REST", "", "header", "X-Shopify-Access-Token",
        limits=(LimitHeaders("", ratio="X-Shopify-Shop-Api-Call-Limit", window=1.0),),
        docs="https://shopify.dev/docs/api/admin-rest/usage/rate-limits",
    ),
    Preset(
        "hubspot", "HubSpot", "https://api.hubapi.com", "bearer",
        limits=(
            LimitHeaders(
                "daily", "X-HubSpot-RateLimit-Daily", "X-HubSpot-RateLimit-Daily-Remaining", window=_DAY, plan=True
            ),
            LimitHeaders("", "X-HubSpot-RateLimit-Max", "X-HubSpot-RateLimit-Remaining", window=10.0),
        ),
        rules=(Rule("quota", status="429", json="policyName", pattern="DAILY"),),
        docs="https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines",
    ),
    Preset(
        "zendesk", "Zendesk", "", "basic",
        docs="https://developer.zendesk.com/api-reference/introduction/rate-limits/",
    ),
    Preset("x", "X", "https://api.x.com", "bearer", docs="https://docs.x.com/x-api/fundamentals/rate-limits"),
    Preset("reddit", "Reddit", "https://oauth.reddit.com", "bearer", docs="https://support.reddithelp.com/hc/en-us/articles/16160319875092"),
    Preset(
        "spotify", "Spotify", "https://api.spotify.com/v1", "bearer",
        docs="https://developer.spotify.com/documentation/web-api/concepts/rate-limits",
    ),
    Preset(
        "notion", "Notion", "https://api.notion.com/v1", "bearer",
        docs="https://developers.notion.com/reference/request-limits",
    ),
    Preset(
        "linear", "Linear", "https://api.linear.app", "header", "Authorization",
        rules=(Rule("rate", status="400", json="errors[].extensions.code", pattern="RATELIMITED"),),
        docs="https://linear.app/developers/rate-limiting",
    ),
    Preset(
        "pagerduty", "PagerDuty", "https://api.pagerduty.com", "header", "Authorization", "Token token=",
        docs="https://developer.pagerduty.com/docs/rest-api-rate-limits",
    ),
    Preset("okta", "Okta", "", "header", "Authorization", "SSWS ", docs="https://developer.okta.com/docs/reference/rate-limits/"),
    Preset(
        "heroku", "Heroku", "https://api.heroku.com", "bearer",
        free_probe="/account/rate-limits", docs="https://devcenter.heroku.com/articles/platform-api-reference#rate-limits",
    ),
    Preset(
        "digitalocean", "DigitalOcean", "https://api.digitalocean.com/v2", "bearer",
        docs="https://docs.digitalocean.com/reference/api/",
    ),
)  # fmt: skip
