"""The past: history, the request log, errors, reports, the audit log; and notifications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.monitor.requests import ErrorGroup, RequestEntry
from understudy.notifications.shown import TestResult

from .asking import Asking, part
from .values import Json, Page, all_built, built, page_of


@dataclass(frozen=True, slots=True)
class AuditShown:
    """One administrative act in the chain of all of them; `at` is epoch seconds."""

    seq: int
    at: float
    actor: str
    action: str
    object: str = ""
    before: Any = None
    after: Any = None
    ip: str = ""
    prev_hash: str = ""
    hash: str = ""


class Past(Asking):
    """The part of the client about what happened. `span` is last=, or from= with to=, or month=."""

    async def history(self, name: str, *, kind: str = "api", points: int | None = None, **span: Any) -> Json:
        """One API or route over a span."""
        answer: Json = await self._get("/api/history", name=name, kind=kind, points=points, **span)
        return answer

    async def compare(self, *names: str, kind: str = "api", points: int | None = None, **span: Any) -> Sequence[Json]:
        """Two to six over the same span."""
        answer = await self._get("/api/history/compare", names=names, kind=kind, points=points, **span)
        series: Sequence[Json] = answer["series"]
        return series

    async def last_week(self, name: str, *, kind: str = "api", **span: Any) -> Sequence[Json]:
        """One API or route over a span beside the same span a week before, number by number."""
        answer: Sequence[Json] = (await self._get("/api/history/week", name=name, kind=kind, **span))["changes"]
        return answer

    async def sums(self, kind: str = "api", **span: Any) -> Mapping[str, Json]:
        """All APIs or routes over a span, added up, without percentiles."""
        answer: Mapping[str, Json] = (await self._get("/api/history/overview", kind=kind, **span))["series"]
        return answer

    async def requests(self, q: str = "", *, limit: int = 100, before: str | None = None) -> Page[RequestEntry]:
        """Calls that are on record, newest first: `api:odds status:>=500 lat:>2s err:"timeout" last:1h`."""
        return page_of(RequestEntry, await self._get("/api/requests", q=q, limit=limit, before=before), "requests")

    async def every_request(self, q: str = "") -> AsyncIterator[RequestEntry]:
        """All of them, page by page."""
        before: str | None = None
        while True:
            page = await self.requests(q, limit=500, before=before)
            for each in page.items:
                yield each
            if page.next is None:
                return
            before = page.next

    async def facets(self, q: str = "", **span: Any) -> Json:
        """How the requests that answer a search spread, by API, route, outcome, status, kind of error, and time."""
        answer: Json = await self._get("/api/requests/facets", q=q, **span)
        return answer

    async def request(self, call: str) -> Json:
        """One call in full: its decision record, attempts and waits, and alerts that fired meanwhile."""
        answer: Json = await self._get(f"/api/requests/{part(call)}")
        return answer

    async def errors(self, api: str | None = None, *, limit: int = 100, **span: Any) -> tuple[ErrorGroup, ...]:
        """Kinds of errors, most frequent first."""
        return all_built(ErrorGroup, (await self._get("/api/errors", api=api, limit=limit, **span))["groups"])

    async def report(
        self, kind: str, style: str = "json", *, api: str | None = None, target: float | None = None, **span: Any
    ) -> bytes:
        """A report as a document: summary, service-level, comparison, savings, cost, incidents, failures, incident."""
        return await self.fetch("/api/reports", kind=kind, format=style, api=api, target=target, **span)

    async def audit(self, *, limit: int = 100, before: str | None = None) -> Page[AuditShown]:
        """Administrative acts, newest first."""
        return page_of(AuditShown, await self._get("/api/audit", limit=limit, before=before), "entries")

    async def audit_fault(self) -> str:
        """What is wrong with the chain of the audit log; empty when nothing is."""
        return str((await self._get("/api/audit", limit=1, verify=True))["fault"])


class Notifications(Asking):
    """The part of the client about telling people."""

    async def notifications(self, **span: Any) -> Json:
        """Each channel with its numbers over a span, and where everything that was to be told has ended."""
        answer: Json = await self._get("/api/notifications", **span)
        return answer

    async def deliveries(self, *, channel: str | None = None, row: str | None = None, limit: int = 100,
                         before: str | None = None) -> Json:  # fmt: skip
        """Every attempt to deliver, newest first: `attempts` and `next`."""
        answer: Json = await self._get("/api/notifications/log", channel=channel, row=row, limit=limit, before=before)
        return answer

    async def dead_letters(self, *, channel: str | None = None, limit: int = 100, before: str | None = None) -> Json:
        """What was given up and waits for a person: `rows` and `next`."""
        answer: Json = await self._get("/api/notifications/dead", channel=channel, limit=limit, before=before)
        return answer

    async def routing(self) -> Json:
        """Policies, escalations and mute timings as they are configured."""
        answer: Json = await self._get("/api/notifications/routing")
        return answer

    async def preview_channel(self, channel: str, language: str = "") -> Json:
        """The hardest alerts as a channel would send them, measured against its service's limits."""
        place = f"/api/notifications/channels/{part(channel)}/preview"
        answer: Json = await self._get(place, language=language or None)
        return answer

    async def replay(self, row: str, reason: str = "") -> Json:
        """Try a dead letter once more."""
        answer: Json = await self._post(f"/api/notifications/dead/{part(row)}/replay", reason=reason)
        return answer

    async def discard(self, row: str, reason: str = "") -> Json:
        """Throw a dead letter away."""
        answer: Json = await self._post(f"/api/notifications/dead/{part(row)}/discard", reason=reason)
        return answer

    async def replay_all(self, *, channel: str = "", reason: str = "") -> Json:
        """Try every dead letter once more, or every one of a channel; `rows` says how many."""
        answer: Json = await self._post("/api/notifications/dead", decision="replay", channel=channel, reason=reason)
        return answer

    async def discard_all(self, *, channel: str = "", reason: str = "") -> Json:
        """Throw every dead letter away, or every one of a channel; `rows` says how many."""
        answer: Json = await self._post("/api/notifications/dead", decision="discard", channel=channel, reason=reason)
        return answer

    async def send(
        self,
        title: str,
        content: str = "",
        *,
        severity: str = "info",
        fields: Mapping[str, str] | None = None,
        channels: Sequence[str] | None = None,
    ) -> Mapping[str, Json]:
        """Send a message to people; what became of it, by channel."""
        told = dict(fields) if fields else None
        through = list(channels) if channels is not None else None
        answer = await self._post(
            "/api/notifications/send", title=title, content=content, severity=severity, fields=told, channels=through
        )
        results: Mapping[str, Json] = answer["results"]
        return results

    async def test_channel(self, channel: str) -> TestResult:
        """Send a test message through one channel."""
        return built(TestResult, await self._post("/api/notifications/test", channel=channel))

    async def simulate(self, rule: str, labels: Mapping[str, str] | None = None, **imagined: Any) -> Json:
        """Who would be told of an alert, and how; nothing is sent."""
        answer: Json = await self._post("/api/notifications/simulate", rule=rule, labels=dict(labels or {}), **imagined)
        return answer
