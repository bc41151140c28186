"""What the request log would have kept of the troubles of a group: some calls of each, and all of them counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from understudy.core.types import AttemptRecord, Attribution, Candidate, Explanation, OutcomeClass
from understudy.monitor.requests import ErrorGroup, RequestEntry

from .past_weather import Episode, Nature

#: Calls of one trouble that are kept.
_KEPT = 5
_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class _Fault:
    """How one kind of failure looks."""

    outcome: OutcomeClass
    attribution: Attribution
    status: int | None
    error: str
    takes: float


_FAULTS: dict[str, tuple[_Fault, ...]] = {
    "outage": (
        _Fault(OutcomeClass.PROVIDER, Attribution.PROVIDER, 503, "ServerError: answered 503", 0.08),
        _Fault(OutcomeClass.CONNECT, Attribution.PROVIDER, None, "ConnectFailed: connection refused", 0.004),
    ),
    "degraded": (
        _Fault(OutcomeClass.TIMEOUT, Attribution.PROVIDER, None, "AttemptTimeout: no answer within 2 s", 2.0),
        _Fault(OutcomeClass.PROVIDER, Attribution.PROVIDER, 502, "ServerError: answered 502", 0.3),
    ),
    "throttled": (_Fault(OutcomeClass.RATE, Attribution.KEY, 429, "RateLimited: answered 429", 0.05),),
}


def requests(
    natures: Sequence[Nature], troubles: Sequence[Sequence[Episode]], route: str, since: int, until: int, seed: str
) -> tuple[list[RequestEntry], list[ErrorGroup]]:
    """Entries and groups of the troubles between two times (epoch seconds), in the service of `route`."""
    rng = Random(seed)
    entries: list[RequestEntry] = []
    groups: dict[str, ErrorGroup] = {}
    for place, (nature, episodes) in enumerate(zip(natures, troubles, strict=True)):
        others = [*natures[place + 1 :], *natures[:place]]
        for episode in episodes:
            start, end = max(episode.start, since), min(episode.end, until)
            if start >= end:
                continue
            fault = rng.choice(_FAULTS[episode.kind])
            fingerprint = hashlib.blake2b(f"{nature.name}/{fault.error}".encode(), digest_size=8).hexdigest()
            calls = max(1, round(nature.per_minute * (end - start) / 60))
            group = ErrorGroup(
                fingerprint, nature.name, fault.outcome.value, fault.error, float(start), float(end), calls
            )
            known = groups.get(fingerprint)
            groups[fingerprint] = group if known is None else _both(known, group)
            made = _calls(nature, others, fault, route, (start, end), rng)
            entries += [replace(each, fingerprint=fingerprint) for each in made]
    return sorted(entries, key=lambda entry: entry.at), list(groups.values())


def _both(known: ErrorGroup, more: ErrorGroup) -> ErrorGroup:
    last = max(known.last_at, more.last_at)
    return replace(known, first_at=min(known.first_at, more.first_at), last_at=last, count=known.count + more.count)


def _calls(
    lead: Nature, others: Sequence[Nature], fault: _Fault, route: str, span: tuple[int, int], rng: Random
) -> Iterator[RequestEntry]:
    for _ in range(_KEPT):
        at = rng.uniform(*span)
        standby = others[0] if others and rng.random() < 0.95 else None
        yield _entry(_record(lead, standby, fault, route, at, rng), fault)


def _record(lead: Nature, standby: Nature | None, fault: _Fault, route: str, at: float, rng: Random) -> Explanation:
    attempts = [
        AttemptRecord(lead.name, "main", 0.0, fault.takes, fault.outcome, fault.attribution, fault.status, fault.error)
    ]
    if standby is not None:
        took = standby.median * rng.uniform(0.7, 1.6)
        attempts.append(
            AttemptRecord(standby.name, "main", fault.takes, took, OutcomeClass.SUCCESS, Attribution.NONE, 200)
        )
    candidates = [Candidate(lead.name, cost=round(1000 * lead.median, 1))]
    if standby is not None:
        candidates.append(Candidate(standby.name, cost=round(1000 * standby.median, 1)))
    return Explanation(
        call_id=f"sim-{rng.getrandbits(40):010x}",
        route=route,
        at=at,
        duration=sum(attempt.duration for attempt in attempts),
        outcome="fallback" if standby is not None else "failed",
        chosen=standby.name if standby is not None else "",
        runner_up=lead.name,
        candidates=tuple(candidates),
        attempts=tuple(attempts),
        deadline=_DEADLINE,
        policy_version=1,
    )


def _entry(record: Explanation, fault: _Fault) -> RequestEntry:
    last = record.attempts[-1]
    return RequestEntry(
        at=record.at,
        call_id=record.call_id,
        route=record.route,
        api=record.chosen or last.api,
        outcome=record.outcome,
        latency=record.duration,
        attempts=len(record.attempts),
        status=last.status,
        endpoint="GET /v1/items",
        error_class=fault.outcome.value,
        error=fault.error,
        instance="simulated",
        record=record.as_dict(),
    )
