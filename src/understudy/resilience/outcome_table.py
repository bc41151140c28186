"""What the end of an attempt permits, and whose fault it is: the table of resilience rule R1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from understudy.core.errors import UnderstudyError
from understudy.core.types import Attribution, OutcomeClass, Verdict


class Again(StrEnum):
    """Whether the same API may be tried again, with the same key, as far as the outcome is concerned."""

    NO = "no"
    SAFE = "safe"  # only a request that is safe to repeat
    ANY = "any"  # any method: it was not executed
    ONCE_SAFE = "once_safe"  # as SAFE, and once only
    FRESH = "fresh"  # once, on a fresh connection; any method when `never_sent`, else as SAFE


class Next(StrEnum):
    """Whether another API may be tried, as far as the outcome is concerned."""

    NO = "no"
    SAFE = "safe"  # a request that is safe to repeat, or with `fallback_unsafe`
    ANY = "any"  # any method, at once: it was not executed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt, attributed.

    `retry_after` is in seconds, None when nothing was said. `hold` tells what must rest for that long.
    `executed` is False when the API certainly did nothing with the request, so any method may go on.
    `reason` is one short line, fit to be shown: no control characters, no secrets.
    """

    kind: OutcomeClass
    attribution: Attribution
    verdict: Verdict
    again: Again = Again.NO
    next: Next = Next.NO
    status: int | None = None
    reason: str = ""
    retry_after: float | None = None
    slow: bool = False
    hold: Literal["", "api", "key"] = ""
    never_sent: bool = False
    executed: bool = True

    @property
    def failed(self) -> bool:
        """Whether the breaker counts it as a failure."""
        return self.verdict is Verdict.FAILURE


class CredentialsFailed(UnderstudyError):
    """Signing in failed before the request was sent (a token could not be had); the key's fault."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


_C, _A, _V = OutcomeClass, Attribution, Verdict

#: The table of rule R1, one row each. Rows that differ by configuration or circumstance have their own
#: name; `executed=False` marks what any method may go on after.
TABLE: dict[str, Outcome] = {
    "success": Outcome(_C.SUCCESS, _A.NONE, _V.SUCCESS),
    "semantic": Outcome(_C.SEMANTIC, _A.PROVIDER, _V.FAILURE, Again.ONCE_SAFE, Next.SAFE),
    "connect": Outcome(_C.CONNECT, _A.PROVIDER, _V.FAILURE, Again.ANY, Next.ANY, never_sent=True, executed=False),
    "tls": Outcome(_C.TLS, _A.PROVIDER, _V.FAILURE, Again.ANY, Next.ANY, never_sent=True, executed=False),
    "local": Outcome(_C.LOCAL, _A.LOCAL, _V.NEUTRAL, Again.SAFE, Next.NO),
    "local_unsent": Outcome(_C.LOCAL, _A.LOCAL, _V.NEUTRAL, Again.ANY, Next.NO, never_sent=True, executed=False),
    "stale": Outcome(_C.LOST, _A.LOCAL, _V.NEUTRAL, Again.FRESH, Next.SAFE),
    "stale_unsent": Outcome(_C.LOST, _A.LOCAL, _V.NEUTRAL, Again.FRESH, Next.ANY, never_sent=True, executed=False),
    "lost": Outcome(_C.LOST, _A.PROVIDER, _V.FAILURE, Again.SAFE, Next.SAFE),
    "lost_unsent": Outcome(_C.LOST, _A.PROVIDER, _V.FAILURE, Again.ANY, Next.ANY, never_sent=True, executed=False),
    "timeout": Outcome(_C.TIMEOUT, _A.PROVIDER, _V.FAILURE, Again.NO, Next.SAFE, slow=True),
    "timeout_unsent": Outcome(
        _C.TIMEOUT, _A.PROVIDER, _V.FAILURE, Again.NO, Next.ANY, slow=True, never_sent=True, executed=False
    ),
    "cancelled": Outcome(_C.CANCELLED, _A.CALLER, _V.NEUTRAL),
    "provider": Outcome(_C.PROVIDER, _A.PROVIDER, _V.FAILURE, Again.SAFE, Next.SAFE, hold="api"),
    "hub": Outcome(_C.HUB, _A.HUB, _V.FAILURE, Again.NO, Next.SAFE, hold="api"),
    "rate": Outcome(_C.RATE, _A.KEY, _V.NEUTRAL, Again.ANY, Next.ANY, hold="key", executed=False),
    "rate_counted": Outcome(_C.RATE, _A.KEY, _V.FAILURE, Again.ANY, Next.ANY, hold="key", executed=False),
    "quota": Outcome(_C.QUOTA, _A.QUOTA, _V.NEUTRAL, Again.NO, Next.ANY, hold="key", executed=False),
    "key": Outcome(_C.KEY, _A.KEY, _V.NEUTRAL, Again.NO, Next.ANY, executed=False),
    "key_unsent": Outcome(_C.KEY, _A.KEY, _V.NEUTRAL, Again.NO, Next.ANY, never_sent=True, executed=False),
    "billing": Outcome(_C.BILLING, _A.KEY, _V.NEUTRAL, Again.NO, Next.ANY, executed=False),
    "not_found": Outcome(_C.CALLER, _A.CALLER, _V.NEUTRAL),
    "not_found_next": Outcome(_C.CALLER, _A.CALLER, _V.NEUTRAL, Again.NO, Next.SAFE),
    "caller": Outcome(_C.CALLER, _A.CALLER, _V.NEUTRAL),
    "body": Outcome(_C.BODY, _A.PROVIDER, _V.FAILURE, Again.SAFE, Next.SAFE),
    "body_delivered": Outcome(_C.BODY, _A.PROVIDER, _V.FAILURE),
    "superseded": Outcome(_C.CANCELLED, _A.NONE, _V.NEUTRAL),
    "rejected": Outcome(_C.REJECTED, _A.SELF, _V.NEUTRAL, Again.NO, Next.ANY, never_sent=True, executed=False),
}

SUCCESS: Outcome = TABLE["success"]
#: The end of a hedge that another attempt overtook.
SUPERSEDED: Outcome = TABLE["superseded"]

#: Rows by status where nothing more is known; everything else that is no success is the caller's.
STATUS_ROWS: dict[int, str] = {
    **dict.fromkeys((500, 502, 503, 504, *range(520, 525), 529, 408), "provider"),
    401: "key",
    403: "key",
    402: "billing",
    404: "not_found",
    429: "rate",
}


def local_network(outcome: Outcome, *, onward: bool = False) -> Outcome:
    """A failed connect seen as ours, once `LocalNetworkDetector` says that everything fails.

    `onward` says that there is a host of which that is not known yet.
    """
    local = TABLE["local_unsent"]
    return replace(local, reason=f"local network: {outcome.reason}", next=Next.ANY if onward else local.next)
