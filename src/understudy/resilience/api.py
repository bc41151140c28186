"""The registered things: an API, a route, and the options of both."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options

from .breaker import BreakerOptions
from .budget import BudgetOptions
from .bulkhead import BulkheadOptions
from .deadline import TimeoutOptions
from .healthcheck import HealthCheckOptions
from .keys import AuthOptions
from .limiter import RateLimitOptions
from .outcome import OutcomeRule, SuccessOptions
from .quota import QuotaOptions
from .retry import RetryOptions

#: A tag: a word without spaces or commas, so that a list of them and `tag:word` can be read.
TAG: Final = re.compile(r"[\w.:/@+-]{1,40}")
#: Longest name of a hub, characters; a host's is no longer.
MAX_HUB: Final = 255


@dataclass(frozen=True, slots=True)
class ApiOptions(Options):
    """Everything about one third-party API, as in `[apis.NAME]`."""

    base_url: Annotated[str, Doc("scheme, host and path prefix; empty for a wrapped operation")] = ""
    priority: Annotated[int, at.Ge(1), at.Le(1000), Doc("1 is preferred")] = 1
    hub: Annotated[str, Doc("failure domain; default the host")] = ""
    preset: Annotated[str, Doc("known API whose headers and outcome rules apply, e.g. rapidapi")] = ""
    tags: Annotated[tuple[str, ...], at.MaxLen(20), Doc("words to find and group it by, such as eu or payments")] = ()
    price: Annotated[float, at.Ge(0), Doc("price of 1,000 calls")] = 0.0
    latency: Annotated[
        float, at.Gt(0), at.Le(600), Doc("time that an answer is expected to take until one was seen", "s")
    ] = 0.5
    enabled: Annotated[bool, Doc("false: registered, never chosen")] = True
    safe: Annotated[bool, Doc("a wrapped operation may be repeated")] = True
    timeout: Annotated[TimeoutOptions, Doc("limits of one attempt; a plain number is `attempt`")] = TimeoutOptions()
    retry: Annotated[RetryOptions, Doc("repeating")] = RetryOptions()
    budget: Annotated[BudgetOptions, Doc("retry budget")] = BudgetOptions()
    breaker: Annotated[BreakerOptions, Doc("circuit breaker")] = BreakerOptions()
    bulkhead: Annotated[BulkheadOptions | None, Doc("concurrency; none: 100 for HTTP APIs, else unlimited")] = None
    rate_limit: Annotated[RateLimitOptions | None, Doc("token bucket of each key; none: unlimited")] = None
    quota: Annotated[QuotaOptions, Doc("plan of the keys")] = QuotaOptions()
    health_check: Annotated[HealthCheckOptions, Doc("active checks")] = HealthCheckOptions()
    success: Annotated[SuccessOptions, Doc("what a response must be")] = SuccessOptions()
    auth: Annotated[AuthOptions, Doc("how requests are signed in")] = AuthOptions()
    outcomes: Annotated[tuple[OutcomeRule, ...], Doc("own outcome rules, before those of the preset")] = ()
    max_body: Annotated[int, at.Ge(1), at.Le(1 << 34), Doc("largest body read", "bytes")] = 32 * 1024 * 1024
    not_found_next: Annotated[bool, Doc("a 404 goes on to the next API")] = False
    headers: Annotated[dict[str, str] | None, Doc("headers sent with each request")] = field(default=None, repr=False)
    # What stands in the configuration is the operator's word; what is entered in the dashboard is made with False.
    allow_private: Annotated[
        bool, Doc("false: never to this machine or to private addresses, whatever its name resolves to")
    ] = True

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        if not self.hub.isprintable() or self.hub != self.hub.strip() or len(self.hub) > MAX_HUB:
            expected = f"at most {MAX_HUB} printable characters, no space around"
            raise OptionError("ApiOptions", "hub", self.hub[:MAX_HUB], expected)
        for tag in self.tags:
            if type(tag) is not str or not TAG.fullmatch(tag):  # what lists hold is not looked at by `check`
                raise OptionError("ApiOptions", "tags", tag, "words of at most 40 letters, digits or . : / @ + - _")
        object.__setattr__(self, "tags", tuple(dict.fromkeys(self.tags)))


@dataclass(frozen=True, slots=True)
class RouteOptions(Options):
    """What the user wants, and which APIs can stand in for one another, as in `[routes.NAME]`."""

    apis: Annotated[tuple[str, ...], Doc("names of APIs; empty: registered later")] = ()
    mode: Annotated[Literal["priority", "balanced", "fastest", "cheapest"], Doc("how the API of a call is chosen")] = (
        "balanced"
    )
    deadline: Annotated[float, at.Gt(0), at.Le(3600), Doc("the whole call", "s")] = 30.0
    max_attempts: Annotated[int, at.Ge(1), at.Le(50), Doc("attempts of a call on all APIs", "attempts")] = 4
    max_apis: Annotated[int, at.Ge(1), at.Le(50), Doc("APIs tried in a call", "APIs")] = 3
    commit: Annotated[
        Literal["auto", "whole", "first_byte"],
        Doc("when an answer is final (R15); auto: a stream at its first byte, everything else when it is whole"),
    ] = "auto"
    hold_max: Annotated[
        int, at.Ge(0), at.Le(1 << 30), Doc("bytes of a held-back stream before it is committed", "bytes")
    ] = 1024 * 1024
    hold_for: Annotated[float, at.Gt(0), at.Le(3600), Doc("time the same", "s")] = 30.0
    wait_for_lead: Annotated[float, at.Ge(0), at.Le(600), Doc("wait that long for a lead that asked for it", "s")] = 0.0
    fallback_unsafe: Annotated[bool, Doc("an unsafe request may go to another API")] = False
    max_price: Annotated[float | None, at.Ge(0), Doc("an API whose 1,000 calls cost more is never chosen")] = None
