"""One request to a notification service, and what its answer means where all services agree.

Nothing is repeated and no redirect is followed here: the dispatcher decides what comes next, by the `Outcome`.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from understudy.core.clock import Clock
from understudy.core.errors import BodyTooLarge, InvalidRequest, TransportError
from understudy.core.http import HttpClient, HttpRequest, is_unsent
from understudy.core.legible import cut, line
from understudy.core.redaction import REDACTOR
from understudy.notifications.message import Degrade, Message, Rejected, Retry
from understudy.resilience.retry_after import RATE_CAP, parse_retry_after

T = TypeVar("T")
#: Bytes of an answer that are read; every answer of these services is far shorter.
MAX_ANSWER = 64 * 1024
#: Characters of an answer that are kept for the delivery log.
MAX_RESPONSE = 500
#: For DNS, TCP and TLS, s, within the time-out of the whole send.
CONNECT_TIMEOUT = 5.0
#: Statuses after which the request may have been carried out all the same: a gateway lost the answer.
_GATEWAY = frozenset((502, 504))


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `after` is what its headers say about when to come back, s; None: nothing usable."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_bytes: int = 0
    after: float | None = None

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")

    @property
    def response(self) -> str:
        """The beginning of the body on one line, without secrets; for the delivery log."""
        return shown(self.text)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Wire:
    """Sends requests on a client that others share, each within `timeout` seconds in all."""

    def __init__(self, http: HttpClient, clock: Clock, timeout: float) -> None:
        self._http, self._clock, self._timeout = http, clock, timeout

    def deadline(self, most: float = math.inf) -> float:
        """When a send that begins now has to be over, on the monotonic clock: for one that takes several requests.

        `most` is the longest that it may take, s, where that is less than the time-out.
        """
        return self._clock.monotonic() + min(self._timeout, most)

    async def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        until: float | None = None,
    ) -> Answer | Retry | Rejected:
        """The service's answer, of any status; or why there is none. `until` is what `deadline` said.

        The `Retry` says whether the request may have arrived; its texts hold no secret.
        """
        left = self._timeout if until is None else until - self._clock.monotonic()
        if left <= 0:
            return Retry(f"no complete answer within {self._timeout:g} s")
        request = HttpRequest(method, url, dict(headers or {}), body, min(CONNECT_TIMEOUT, left), left, MAX_ANSWER)
        try:
            found = await within(left, self._http.send(request), self._clock)
        except Overdue as error:
            return Retry(f"no complete answer within {self._timeout:g} s", ambiguous=error.sent)
        except BodyTooLarge:
            return Retry(f"the answer is longer than {MAX_ANSWER} bytes", ambiguous=True)
        except TransportError as error:
            return Retry(shown(str(error)), ambiguous=error.sent)
        except InvalidRequest as error:
            return Rejected(shown(f"cannot be sent: {error}"))
        after = parse_retry_after(found.headers, self._clock.time())
        return Answer(found.status, found.headers, found.body, len(body or b""), after)

    async def json(
        self,
        method: str,
        url: str,
        document: Any,
        headers: Mapping[str, str] | None = None,
        *,
        until: float | None = None,
    ) -> Answer | Retry | Rejected:
        """`send` with a JSON document as body."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return await self.send(method, url, body, {"Content-Type": "application/json", **(headers or {})}, until=until)


class Overdue(Exception):
    """The time of the whole send is over; `sent` says whether a byte of the request may have left."""

    def __init__(self, seconds: float, sent: bool) -> None:
        super().__init__(f"no complete answer within {seconds:g} s")
        self.sent = sent


async def within(seconds: float, work: Coroutine[Any, Any, T], clock: Clock) -> T:
    """What `work` returns, if it does within `seconds` of the clock; it is cancelled then.

    A cancellation from outside wins over the time-out.

    Raises:
        Overdue: it did not.
    """
    task = asyncio.ensure_future(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = clock.call_later(seconds, expire)
    try:
        return await task
    except asyncio.CancelledError as cut_off:
        caller = asyncio.current_task()
        if not expired or (caller is not None and caller.cancelling()):
            raise
        raise Overdue(seconds, not is_unsent(cut_off)) from None
    finally:
        timer.cancel()


def unanswered(answer: Answer, *, after: float | None = None) -> Retry | None:
    """The outcome where every service means the same: try again. None when the status says something else.

    `after` is what the body said about when to come back, s; the longer of it and the header's counts.
    """
    status = answer.status
    waits = [wait for wait in (answer.after, after) if wait is not None]
    longest = max(waits) if waits else None
    if status in (408, 425, 429) or status >= 500:
        return Retry(f"status {status}", longest, status, answer.response, ambiguous=status in _GATEWAY)
    if 300 <= status < 400:
        return Retry(f"status {status}: a redirect, which is not followed", None, status, answer.response)
    return None


def unexpected(answer: Answer, expected: str) -> Retry:
    """A success by its status, but not the service's own words: a page of a proxy, or half an answer."""
    reason = f"status {answer.status} without {expected}"
    return Retry(reason, answer.after, answer.status, answer.response, ambiguous=True)


def refused(answer: Answer, message: Message, reason: str) -> Degrade | Rejected:
    """The service will not have this message: once more as plain text, and then never."""
    if message.plain:
        return Rejected(reason, "message", answer.status, answer.response)
    return Degrade(reason, answer.status, answer.response)


def closed(answer: Answer, reason: str) -> Rejected:
    """The service will have nothing from us until somebody changes the configuration."""
    return Rejected(reason, "endpoint", answer.status, answer.response)


def seconds(value: object) -> float | None:
    """A wait that a body told, s, at most a day; None when it is no sensible number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return min(float(value), RATE_CAP)


def shown(text: str) -> str:
    """The beginning of a foreign text on one line, without secrets."""
    # Masked before it is cut: half a secret has no shape that could be recognised.
    return cut(REDACTOR.redact(line(text[: 8 * MAX_RESPONSE]), foreign=True), MAX_RESPONSE)
