"""What an attempt's end means, and whose fault it is (resilience rules R1 and R16).

The table itself is in `outcome_table`, exceptions are read in `error_rows`; here a response is judged
by what the API's configuration and its preset say.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from understudy.core.errors import BadResponse
from understudy.core.types import Attribution, OutcomeClass, Verdict

from . import conditions as on
from .error_rows import row_of, told_status
from .limits import LimitInfo, parse_limits
from .local_network import LocalNetworkDetector
from .outcome_options import OutcomeRule, SuccessOptions
from .outcome_table import (
    STATUS_ROWS,
    SUCCESS,
    SUPERSEDED,
    TABLE,
    Again,
    CredentialsFailed,
    Next,
    Outcome,
    local_network,
)
from .reason import message_of, safe_text
from .retry_after import QUOTA_CAP, RATE_CAP, date, header, parse_retry_after

if TYPE_CHECKING:
    from .api import ApiOptions
    from .presets import Preset

_QUOTA_TEXT: Final = on.pattern(
    r"(exceeded|reached|exhausted|over|out of).{0,60}\b(quota|daily|monthly|plan)\b"
    r"|\bquota\b.{0,40}(exceeded|reached|exhausted)",
    "outcome",
    "pattern",
)


#: Classes that a user's own judgement may give an exception; it cannot be a success.
_FOR_EXCEPTIONS: Final = frozenset(
    {"semantic", "provider", "hub", "rate", "quota", "key", "billing", "caller", "local"}
)


class _Rule:
    """An outcome rule, compiled."""

    __slots__ = ("_header", "_json", "_pattern", "next", "row", "statuses")

    def __init__(self, rule: OutcomeRule) -> None:
        self.statuses = on.statuses(rule.status, "outcomes")
        self._header = on.HeaderCondition(rule.header, "outcomes") if rule.header else None
        self._json = on.query(rule.json, "outcomes", "json") if rule.json else None
        self._pattern = on.pattern(rule.pattern, "outcomes", "pattern") if rule.pattern else None
        self.row = rule.class_
        self.next = rule.next

    def matches(self, response: _Response) -> bool:
        """Whether all its conditions hold."""
        if response.status not in self.statuses:
            return False
        if self._header is not None and not self._header.holds(response.headers):
            return False
        if self._json is not None:
            found = on.search(self._json, response.json())
            if self._pattern is None:
                return on.truth(found)
            return self._pattern.search(on.as_text(found)) is not None
        return self._pattern is None or self._pattern.search(response.text()) is not None


class _Response:
    """A response under judgement; its body is decoded and parsed at most once, when a condition asks."""

    __slots__ = ("_json", "_text", "body", "headers", "limits", "now_wall", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, now_wall: float) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.now_wall = now_wall
        self._json: Any = None
        self._text: str | None = None

    def json(self, limit: int = on.MAX_RULE_JSON) -> Any:
        if self._json is None:
            self._json = (on.parse_json(self.body, limit),)
        return self._json[0]

    def text(self) -> str:
        if self._text is None:
            self._text = self.body[: on.MAX_TEXT].decode("utf-8", "replace")
        return self._text


class Classifier:
    """Judges the attempts of one API; compiled from its options once, at registration.

    Raises:
        OptionError: a condition, pattern or JMESPath that cannot be used.
    """

    def __init__(self, options: ApiOptions, preset: Preset | None = None) -> None:
        success = options.success
        self._success = frozenset().union(*(on.statuses(spec, "success") for spec in success.status))
        self._success_header = on.HeaderCondition(success.header, "success") if success.header else None
        self._success_json = on.query(success.json, "success", "json") if success.json else None
        self._allow_empty = success.allow_empty
        presets = preset.rules if preset is not None else ()
        self._rules = tuple(_Rule(rule) for rule in (*options.outcomes, *presets))
        self._markers = tuple(on.HeaderCondition(text, "hub") for text in (preset.hub_markers if preset else ()))
        self._preset = preset
        self._quota = options.quota
        self._rows = dict(STATUS_ROWS)
        if options.not_found_next:
            self._rows[404] = "not_found_next"
        self._rate_row = "rate_counted" if options.breaker.rate_limit_counts else "rate"
        self._max_json = options.max_body
        self._slow_call = options.breaker.slow_call
        self._secrets = tuple(key.value.reveal() for key in options.auth.keys if key.value)
        #: Statuses that are a success without a look at anything else, for the fast path.
        self.quick_statuses: frozenset[int] = self._quick()

    @property
    def quick(self) -> bool:
        """Whether a plain 200 needs no look at its headers and body."""
        return 200 in self.quick_statuses

    def _quick(self) -> frozenset[int]:
        if self._success_header is not None or self._success_json is not None or not self._allow_empty:
            return frozenset()
        ruled: frozenset[int] = frozenset().union(*(rule.statuses for rule in self._rules))
        return self._success - ruled

    # -- responses ------------------------------------------------------------------------------

    def response(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        now_wall: float,
        method: str = "GET",
        *,
        partial: bool = False,
    ) -> Outcome:
        """What a response means.

        `now_wall` is the time of its arrival (epoch seconds); `body` may be anything, and is looked
        at only as far as a condition needs it. `partial` says that it is the beginning of a stream that
        is already committed: conditions of success on the body are then not asked. Never raises.
        """
        if status in self.quick_statuses:
            return SUCCESS
        response = _Response(status, headers, body, now_wall)
        for rule in self._rules:
            if rule.matches(response):
                return self._ruled(rule, response)
        if status in self._success:
            fault = self._unmet(response, method, partial)
            return SUCCESS if not fault else self._row("semantic", response, fault)
        return self._by_status(response)

    def _unmet(self, response: _Response, method: str, partial: bool) -> str:
        """The success condition that the response does not meet; empty when it meets all."""
        if self._success_header is not None and not self._success_header.holds(response.headers):
            return f"header {self._success_header.name} is not as a success has it"
        if method == "HEAD" or partial:
            return ""
        empty = not response.body[: on.MAX_TEXT].strip() and len(response.body) <= on.MAX_TEXT
        if empty and (response.status == 204 and method != "GET"):
            return ""
        if empty and not self._allow_empty:
            return "the body is empty"
        if self._success_json is None:
            return ""
        parsed = response.json(self._max_json)
        if parsed is on.NOT_JSON:
            return "the body is not JSON"
        return "" if on.truth(on.search(self._success_json, parsed)) else "the body says that it is no success"

    def _ruled(self, rule: _Rule, response: _Response) -> Outcome:
        if rule.row == "success":
            return SUCCESS
        row = self._rate_row if rule.row == "rate" else rule.row
        outcome = self._row(row, response)
        if rule.next is None:
            return outcome
        allowed = Next.SAFE if outcome.executed else Next.ANY
        return dataclasses.replace(outcome, next=allowed if rule.next else Next.NO)

    def _by_status(self, response: _Response) -> Outcome:
        row = self._rows.get(response.status, "caller")
        if row == "provider" and any(marker.holds(response.headers) for marker in self._markers):
            row = "hub"
        if row == "rate":
            row = "quota" if self._quota_spent(response) else self._rate_row
        return self._row(row, response)

    def _limits(self, response: _Response) -> list[LimitInfo]:
        return parse_limits(response.headers, self._quota, response.now_wall, self._preset)

    def _quota_spent(self, response: _Response) -> bool:
        """Whether a 429 means the plan's quota rather than its rate."""
        if any(limit.remaining == 0 and limit.long for limit in self._limits(response)):
            return True
        return _QUOTA_TEXT.search(response.text()) is not None

    def _row(self, row: str, response: _Response, fault: str = "") -> Outcome:
        """The row, with what this response adds: status, reason, how long to wait."""
        base = TABLE[row]
        said = fault or message_of(response.body)
        reason = safe_text(f"HTTP {response.status}" + (f": {said}" if said else ""), self._secrets)
        return dataclasses.replace(base, status=response.status, reason=reason, retry_after=self._wait(base, response))

    def _wait(self, base: Outcome, response: _Response) -> float | None:
        if base.kind is OutcomeClass.QUOTA or base.kind is OutcomeClass.BILLING:
            spent = [info.reset_after for info in self._limits(response) if info.remaining == 0 and info.reset_after]
            return max(spent) if spent else parse_retry_after(response.headers, response.now_wall, QUOTA_CAP)
        said = parse_retry_after(response.headers, response.now_wall, RATE_CAP)
        if said is None and base.kind is OutcomeClass.RATE:
            return self._rate_reset(response)
        return said

    def _rate_reset(self, response: _Response) -> float | None:
        """The strictest reset that a rate limit may mean: of spent windows first, never that of a plan."""
        known = [limit for limit in self._limits(response) if limit.reset_after is not None]
        spent = [limit.reset_after or 0.0 for limit in known if limit.remaining == 0]
        short = [limit.reset_after or 0.0 for limit in known if not limit.long]
        waits = spent or short
        return min(max(waits), RATE_CAP) if waits else None

    # -- errors ---------------------------------------------------------------------------------

    def error(self, error: BaseException, *, elapsed: float = 0.0, first_reuse_fault: bool = True) -> Outcome:
        """What an exception means: judged by its root cause, and by a status if it carries one.

        `first_reuse_fault` says that no reused connection has failed in this attempt before; the
        first such fault is the pool's, not the provider's. Never raises.
        """
        if isinstance(error, BadResponse):
            return self._refusal(error.status, error.headers, error.body)
        told = told_status(error)
        if told is not None:
            return self._refusal(*told)
        row, cause = row_of(error, first_reuse_fault)
        base = TABLE[row]
        text = safe_text(f"{type(cause).__name__}: {_text(cause)}".removesuffix(": "), self._secrets)
        after = getattr(cause, "retry_after", None) if row in ("rejected", "key_unsent") else None
        slow = base.slow or elapsed >= self._slow_call
        return dataclasses.replace(base, reason=text, retry_after=after, slow=slow)

    def overruled(self, row: str, outcome: Outcome, error: BaseException) -> Outcome:
        """The outcome of an exception, of the class that the user gives it instead.

        Raises:
            ValueError: there is no such class for an exception.
        """
        if row not in _FOR_EXCEPTIONS:
            raise ValueError(f"an exception may mean {', '.join(sorted(_FOR_EXCEPTIONS))}; found {row!r}")
        chosen = TABLE[self._rate_row if row == "rate" else row]
        wait = outcome.retry_after
        said = getattr(error, "retry_after", None)
        if wait is None and isinstance(said, (int, float)) and 0 <= said <= QUOTA_CAP:
            wait = float(said)
        return dataclasses.replace(
            chosen, status=outcome.status, reason=outcome.reason, retry_after=wait, slow=outcome.slow
        )

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """A response that came as an exception: never a success, whatever its status."""
        sent = header(headers, "date")
        arrived = date(sent) if sent else None
        # Without its Date nobody knows here when it came, and what is told as a date is not used (NaN).
        outcome = self.response(status, headers, body, math.nan if arrived is None else arrived)
        if outcome.verdict is not Verdict.SUCCESS:
            return outcome
        reason = f"HTTP {status}: refused by the caller's code"
        return dataclasses.replace(TABLE["semantic"], status=status, reason=reason)


def _text(error: BaseException) -> str:
    """The error's own words; an exception whose `__str__` fails has none."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's exception class; its text is a courtesy only
        return ""


__all__ = [
    "SUCCESS",
    "SUPERSEDED",
    "TABLE",
    "Again",
    "Attribution",
    "Classifier",
    "CredentialsFailed",
    "LocalNetworkDetector",
    "Next",
    "Outcome",
    "OutcomeClass",
    "OutcomeRule",
    "SuccessOptions",
    "Verdict",
    "local_network",
]
