"""The request log: takes finished calls at the moment they end, and has them kept a second later.

Every failure and every fallback is kept. Of the successes that left the prepared path (about one a
second on a busy route, all on a quiet one) a reservoir is kept: so many a minute and route, each as
likely as the other (Vitter's algorithm R). In a storm the first entries of each error are kept, the
rest is counted in its group, so that memory and disk stay bounded however much fails, and in however
many words: a megabyte a minute at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from understudy.core.clock import Clock, pause
from understudy.core.redaction import REDACTOR
from understudy.core.types import Explanation

from .ports import RequestStore
from .requests import ErrorGroup, RequestEntry
from .text import harmless, one_line

_log = logging.getLogger("understudy.monitor")

#: How often what was taken is handed over, s.
EVERY = 1.0
#: Entries that wait while the store is slow; what is beyond is counted, not kept.
MOST_WAITING = 3000
#: Failures and fallbacks that are kept in a minute, of one kind of error, of one API and altogether; the rest is
#: counted in its group. The first of each API is always kept, so that one storm hides no other trouble.
OF_ONE_ERROR, OF_ONE_API, OF_ALL = 20, 250, 1000
#: Successes of one route that are kept in a minute, and as many calls that their callers gave up; and of all routes.
RESERVOIR, SAMPLES = 5, 120
#: Kinds of errors that are told apart in a minute, of one API and altogether; what is new beyond that is counted in
#: one group of its API.
KINDS_OF_ONE_API, KINDS_OF_ALL = 50, 1000
#: Headers of a refused answer that are kept, and the longest value, characters.
MOST_HEADERS, LONGEST_HEADER = 40, 300

_MINUTE = 60.0
#: Outcomes that are nobody's failure: sampled, and no kind of error.
_HARMLESS = frozenset(("success", "cancelled"))
#: What differs from one occurrence of an error to the next: quoted and masked parts, identifiers, words with digits.
_VARIABLE = re.compile(
    r"'[^']{0,200}'|\"[^\"]{0,200}\""
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b[^\W\d]*+\d(?:\w|[.,:-](?=\w*\d))*"
    r"|\b[0-9a-f]{8,}\b|\*{8}",
    re.IGNORECASE,
)
#: Headers whose value is never kept.
_SECRET_HEADERS = frozenset(
    ("authorization", "cookie", "proxy-authorization", "set-cookie", "set-cookie2", "www-authenticate", "x-api-key")
)


class RequestLog:
    """Takes calls on the loop that serves them; `run` hands them to the store each second."""

    def __init__(self, store: RequestStore, clock: Clock, rng: random.Random, instance: str = "") -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._instance = instance
        self._waiting: list[RequestEntry] = []
        self._groups: dict[str, ErrorGroup] = {}
        self._minute = float("-inf")
        #: What this minute has brought: entries that were kept of each error and of each API, and kinds of errors.
        self._kept = 0
        self._kept_of_error: Counter[str] = Counter()
        self._kept_of_api: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._kinds_of_api: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._reservoirs: dict[tuple[str, str], list[tuple[Explanation, str]]] = {}
        self._followers: list[Callable[[RequestEntry], None]] = []
        #: Entries that were counted in a group but not kept, and those lost to a full waiting list.
        self.only_counted = 0
        self.dropped = 0

    # -- taking -----------------------------------------------------------------------------------

    def take(self, record: Explanation, endpoint: str, causes: Mapping[str, BaseException]) -> None:
        """Take a finished call; bounded work, no I/O. `causes` are the errors that APIs failed with."""
        now = self._clock.monotonic()
        if now - self._minute >= _MINUTE:
            self._next_minute(now)
        if record.outcome in _HARMLESS:
            self._sample(record, endpoint)
            if self._followers:
                self._tell(self._entry(record, endpoint))
            return
        culprit, error = _culprit(record, causes)
        fingerprint, told = self._kind(_fingerprint(culprit, record, error), culprit, error)
        self._count(fingerprint, culprit, record, told)
        kept = self._to_be_kept(fingerprint, culprit)
        room = len(self._waiting) < MOST_WAITING
        self.only_counted += not kept
        self.dropped += kept and not room
        if not self._followers and not (kept and room):
            return
        entry = replace(
            self._entry(record, endpoint),
            error=error,
            error_class=_class_of(record, culprit),
            fingerprint=fingerprint,
            responses=_responses(causes),
        )
        if kept and room:
            self._waiting.append(entry)
        self._tell(entry)

    def follow(self, follower: Callable[[RequestEntry], None]) -> Callable[[], None]:
        """Tell `follower` of every call that is taken, kept or not, from now on; returns what ends that.

        It is called where calls end, so it must be quick, and must not raise.
        """
        self._followers.append(follower)

        def end() -> None:
            if follower in self._followers:
                self._followers.remove(follower)

        return end

    def _tell(self, entry: RequestEntry) -> None:
        for follower in tuple(self._followers):
            follower(entry)

    def _to_be_kept(self, fingerprint: str, culprit: str) -> bool:
        """Whether an entry is kept by itself; counts those that are."""
        of_error, of_api = self._kept_of_error[fingerprint], self._kept_of_api[culprit]
        if of_api and (of_error >= OF_ONE_ERROR or of_api >= OF_ONE_API or self._kept >= OF_ALL):
            return False
        self._kept_of_error[fingerprint] = of_error + 1
        self._kept_of_api[culprit] = of_api + 1
        self._kept += 1
        return True

    def _kind(self, fingerprint: str, culprit: str, error: str) -> tuple[str, str]:
        """The group that an error is counted in, and its text: its own, or that of all kinds beyond counting."""
        if fingerprint in self._kinds:
            return fingerprint, error
        if self._kinds_of_api[culprit] < KINDS_OF_ONE_API and len(self._kinds) < KINDS_OF_ALL:
            self._kinds.add(fingerprint)
            self._kinds_of_api[culprit] += 1
            return fingerprint, error
        return _digest(f"{culprit}\nbeyond counting"), "errors of too many kinds to tell apart"

    def _next_minute(self, now: float) -> None:
        self._minute = now
        self._kept = 0
        for counted in (self._kept_of_error, self._kept_of_api, self._kinds, self._kinds_of_api):
            counted.clear()
        self._hand_over_samples()

    def _hand_over_samples(self) -> None:
        sampled = [each for reservoir in self._reservoirs.values() for each in reservoir]
        if len(sampled) > SAMPLES:
            sampled = self._rng.sample(sampled, SAMPLES)
        self._waiting += [self._entry(record, endpoint) for record, endpoint in sampled]
        self._reservoirs.clear()
        self._seen.clear()

    def _sample(self, record: Explanation, endpoint: str) -> None:
        """Algorithm R (Vitter 1985): each of n successes is kept with probability RESERVOIR / n."""
        kind = record.route, record.outcome
        self._seen[kind] += 1
        seen = self._seen[kind]
        reservoir = self._reservoirs.setdefault(kind, [])
        if len(reservoir) < RESERVOIR:
            reservoir.append((record, endpoint))
        elif (place := self._rng.randrange(seen)) < RESERVOIR:
            reservoir[place] = record, endpoint

    def _entry(self, record: Explanation, endpoint: str) -> RequestEntry:
        last = record.attempts[-1] if record.attempts else None
        return RequestEntry(
            at=record.at,
            call_id=record.call_id,
            route=record.route,
            api=record.chosen or (last.api if last is not None else ""),
            outcome=record.outcome,
            latency=record.duration,
            attempts=len(record.attempts),
            status=last.status if last is not None else None,
            endpoint=harmless(endpoint),
            instance=self._instance,
            record=record.as_dict(),
        )

    def _count(self, fingerprint: str, culprit: str, record: Explanation, error: str) -> None:
        at = record.at + record.duration
        known = self._groups.get(fingerprint)
        if known is None:
            self._groups[fingerprint] = ErrorGroup(fingerprint, culprit, _class_of(record, culprit), error, at, at, 1)
        else:
            self._groups[fingerprint] = replace(known, last_at=max(known.last_at, at), count=known.count + 1)

    # -- handing over -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Hand over each second until cancelled."""
        while True:
            await pause(self._clock, EVERY)
            if self._clock.monotonic() - self._minute >= _MINUTE:
                self._next_minute(self._clock.monotonic())
            # A cancellation must not fall between taking what waits and handing it over.
            await asyncio.shield(self._hand_over())

    async def stop(self) -> None:
        """Hand over everything, unfinished reservoirs included."""
        self._hand_over_samples()
        await self._hand_over()

    async def _hand_over(self) -> None:
        entries, self._waiting = self._waiting, []
        groups, self._groups = list(self._groups.values()), {}
        if entries or groups:
            await self._store.append(entries, groups)


def _culprit(record: Explanation, causes: Mapping[str, BaseException]) -> tuple[str, str]:
    """The API whose failure the entry is about, and its error on one line: the lead's, else the last one's."""
    tried = [attempt.api for attempt in record.attempts if attempt.outcome.value != "success"]
    api = tried[0] if tried else next(iter(causes), "")
    error = causes.get(api)
    if error is not None:
        text = harmless(error)
        return api, f"{type(error).__name__}: {text}" if text else type(error).__name__
    for candidate in record.candidates:
        if candidate.gate and (not api or candidate.api == api):
            return candidate.api, f"{candidate.gate} {candidate.detail}".strip()
    return api, ""


def _class_of(record: Explanation, api: str) -> str:
    for attempt in record.attempts:
        if attempt.api == api:
            return attempt.outcome.value
    for candidate in record.candidates:
        if candidate.api == api and candidate.gate:
            return candidate.gate
    return ""


def _fingerprint(api: str, record: Explanation, error: str) -> str:
    """The same for errors that differ in numbers and quoted parts only."""
    status = next((a.status for a in record.attempts if a.api == api and a.status), None)
    kind = f"{api}\n{record.outcome}\n{_class_of(record, api)}\n{status}\n{_VARIABLE.sub('?', error)}"
    return _digest(kind)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _responses(causes: Mapping[str, BaseException]) -> dict[str, dict[str, Any]]:
    """Status and headers of the answers that were refused, secrets masked."""
    told: dict[str, dict[str, Any]] = {}
    for api, error in causes.items():
        status = getattr(error, "status", None)
        headers = getattr(error, "headers", None)
        if isinstance(status, int) and isinstance(headers, Mapping):
            told[api] = {"status": status, "headers": _masked(headers)}
    return told


def _masked(headers: Mapping[Any, Any]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in list(headers.items())[:MOST_HEADERS]:
        clean = one_line(str(name), LONGEST_HEADER)
        if clean.lower() in _SECRET_HEADERS:
            shown[clean] = "********"
        else:
            line = one_line(f"{clean}: {value}", len(clean) + 2 + LONGEST_HEADER)
            shown[clean] = REDACTOR.redact(line, foreign=True)[len(clean) + 2 :]
    return shown
