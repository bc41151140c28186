"""Every error that Understudy raises, in one picture.

UnderstudyError
├── OptionError (ValueError)         an option outside its range
├── ConfigError (ValueError)         the configuration as a whole: carries all its faults
├── UnknownName (KeyError)           no API or route of that name
├── NotInstalled (ImportError)       an extra is missing; the text names the command
├── InvalidRequest (ValueError)      a request that cannot be sent as it is; nothing was sent, no API is to blame
├── CallError                        a call that ended without a result; has `.explain()`
│   ├── AllApisFailed                every API was tried or passed over; `.causes` says why, one by one
│   ├── DeadlineExceeded (TimeoutError)   time ran out after k attempts
│   └── NoEligibleApi                nothing could even be tried
├── Rejected                         one mechanism said no before anything was sent
│   ├── BreakerOpen · BulkheadFull · RateLimited · KeysUnavailable · QuotaExhausted · BudgetSpent
├── StoreUnavailable                 what is kept cannot be read or written now; calls go on
├── StoreUnusable                    the store cannot be opened as it is; nothing was touched
├── VersionConflict                  what was to be changed has been changed meanwhile; nothing was written
├── NotActive                        an alert that does not fire cannot be acknowledged, snoozed or resolved
├── LeaseLost                        another instance has taken the role over; nothing was written
└── TransportError                   an attempt that ended without a complete response
    ├── ConnectFailed                refused, DNS, TLS, connect time-out: the request was never sent
    ├── ConnectionLost               reset or closed before the response headers
    ├── AttemptTimeout (TimeoutError)     our own limit for one attempt, or for one idle gap
    ├── PoolTimeout                  no connection became free in time: ours, never the provider's
    ├── BodyBroken                   cut, stalled, badly framed, undecodable
    │   └── TruncatedResponse        the same after the caller had received bytes
    ├── BodyTooLarge                 over `max_body`
    └── BadResponse                  a complete response that the API's success conditions refuse
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .http import HttpResponse
    from .types import Explanation


class UnderstudyError(Exception):
    """Root of all errors of this package; each can be pickled, to reach the other side of a process pool."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self._state())

    def _state(self) -> dict[str, Any]:
        return dict(self.__dict__)


def _restored(kind: type[UnderstudyError], args: tuple[Any, ...], state: dict[str, Any]) -> UnderstudyError:
    """An unpickled error: as it was, without running its constructor, which wants other arguments."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class OptionError(UnderstudyError, ValueError):
    """An option lies outside its range."""

    def __init__(self, owner: str, field: str, found: object, expected: str) -> None:
        super().__init__(f"{owner}.{field}: expected {expected}, found {found!r}")
        self.owner, self.field, self.found, self.expected = owner, field, found, expected


class ConfigError(UnderstudyError, ValueError):
    """The configuration cannot be used; `faults` holds every reason at once."""

    def __init__(self, faults: tuple[Any, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class UnknownName(UnderstudyError, KeyError):
    """No API or route of that name is registered."""

    def __init__(self, kind: str, name: str, nearest: str = "") -> None:
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"no {kind} named {name!r}{hint}")
        self.kind, self.name, self.nearest = kind, name, nearest

    def __str__(self) -> str:
        return str(self.args[0])


class NotInstalled(UnderstudyError, ImportError):
    """A feature needs an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'understudy[{extra}]'")
        self.feature, self.extra = feature, extra


class InvalidRequest(UnderstudyError, ValueError):
    """The request cannot be sent as it was given: its path, a header, its body.

    Counted against no API and never tried on another. What the caller's own body iterator raised is
    its `__cause__`. The text quotes no header's value, which may be a key.
    """


class CallError(UnderstudyError):
    """A call ended without a result.

    `causes` maps each API, in the order of trying, to the exception it ended with; `explanation` is
    the decision record, rendered by `explain()`.
    """

    def __init__(
        self, message: str, causes: Mapping[str, BaseException] | None = None, explanation: Explanation | None = None
    ) -> None:
        super().__init__(message)
        self.causes: dict[str, BaseException] = dict(causes or {})
        self.explanation = explanation

    def explain(self) -> Explanation | None:
        """Why each API was chosen or passed over; None when the call never reached selection."""
        return self.explanation


class AllApisFailed(CallError):
    """Every API that could serve the call was tried or passed over."""


class DeadlineExceeded(CallError, TimeoutError):
    """The call's own time ran out, after `attempts` finished or started attempts."""

    def __init__(self, message: str, attempts: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.attempts = attempts


class NoEligibleApi(CallError):
    """Selection passed every API over, so nothing was sent."""


class Rejected(UnderstudyError):
    """One of our own mechanisms refused before anything was sent; never counted against an API."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        #: Seconds until a try may be admitted; None when that is not known.
        self.retry_after = retry_after


class BreakerOpen(Rejected):
    """The circuit breaker of the API admits no call now; has `state` and `last_cause`."""

    def __init__(
        self, message: str, retry_after: float | None = None, state: str = "open", last_cause: str = ""
    ) -> None:
        super().__init__(message, retry_after)
        self.state, self.last_cause = state, last_cause


class BulkheadFull(Rejected):
    """Too many calls are already running and waiting."""


class RateLimited(Rejected):
    """The rate limiter of the key or API has no token in time."""


class KeysUnavailable(Rejected):
    """All keys of the API are held or quarantined."""


class QuotaExhausted(Rejected):
    """The quota of every usable key is spent until its reset."""


class BudgetSpent(Rejected):
    """The retry budget of the API is spent."""


class TransportError(UnderstudyError):
    """An attempt ended without a complete, acceptable response.

    `sent` says whether any byte of the request may have left; `reused` whether the connection had
    served before. Both decide what may be repeated (resilience rule R1).
    """

    def __init__(self, message: str, *, sent: bool = True, reused: bool = False) -> None:
        super().__init__(message)
        self.sent, self.reused = sent, reused


class ConnectFailed(TransportError):
    """The connection was never made; `stage` is `dns`, `refused`, `timeout`, `tls` or `other`."""

    def __init__(self, message: str, *, stage: str = "other", host: str = "") -> None:
        super().__init__(message, sent=False)
        self.stage, self.host = stage, host


class ConnectionLost(TransportError):
    """The connection ended before the response headers were complete."""


class AttemptTimeout(TransportError, TimeoutError):
    """Our limit ended the attempt; `stage` is `headers`, `body` or `idle`."""

    def __init__(self, message: str, *, stage: str = "headers", sent: bool = True) -> None:
        super().__init__(message, sent=sent)
        self.stage = stage


class PoolTimeout(TransportError):
    """No connection became free in time; the fault is local."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class BodyBroken(TransportError):
    """The response body was cut, stalled, badly framed or cannot be decoded; `received` bytes had come."""

    def __init__(self, message: str, *, received: int = 0) -> None:
        super().__init__(message)
        self.received = received


class TruncatedResponse(BodyBroken):
    """The body broke after the caller had already received `received` bytes; never repeated."""


class BodyTooLarge(TransportError):
    """The (decoded) body grew over the API's `max_body`."""


class BadResponse(TransportError):
    """A complete response that is not a success: its status, or the API's own success conditions.

    Carries `status`, `headers` and the beginning of the `body`, so that callers can look; `response` is
    the whole answer where it was an HTTP client of ours that got it, else None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        response: HttpResponse | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        self.body = body
        self.response = response

    def _state(self) -> dict[str, Any]:
        # A response belongs to a connection and an event loop, and stays where they are.
        return {**self.__dict__, "headers": dict(self.headers), "response": None}


class StoreUnavailable(UnderstudyError):
    """What is kept cannot be read or written now; calls go on without it. The text says why and what to do."""


class StoreUnusable(UnderstudyError):
    """The store cannot be opened as it is, and waiting will not help. The text says why and what to do.

    Nothing was touched.
    """


class VersionConflict(UnderstudyError):
    """What was to be changed is not the version that was looked at any more; nothing was written."""

    def __init__(self, what: str, expected: int, found: int) -> None:
        super().__init__(f"{what} is version {found} by now, not {expected}: look at it again")
        self.expected, self.found = expected, found


class NotActive(UnderstudyError):
    """There is nothing to take back or act on: the alert does not fire, the API is not drained, nothing is pinned."""


class LeaseLost(UnderstudyError):
    """Another instance has taken over the role under which something should be written; nothing was written."""
