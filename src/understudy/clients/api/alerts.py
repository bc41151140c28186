"""Alerts, rules and silences."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from understudy.alerts.ports import EpisodeRow
from understudy.alerts.shown import AlertView

from .asking import Asking, part
from .values import Json, Page, RuleShown, SilenceShown, all_built, built, page_of


class Alerts(Asking):
    """The part of the client about alerts."""

    async def alerts(
        self, rule: str | None = None, severity: str | None = None, **labels: str
    ) -> tuple[AlertView, ...]:
        """What is pending, fires or recovers, the worst first; only about these labels (`api`, `route`, …)."""
        answer = await self._get("/api/alerts", rule=rule, severity=severity, **labels)
        return all_built(AlertView, answer["alerts"])

    async def episodes(
        self,
        state: str = "all",
        *,
        last: str | None = None,
        limit: int = 100,
        before: str | None = None,
        **chosen: str,
    ) -> Page[EpisodeRow]:
        """Episodes that are kept, newest first; `state` is open, resolved or all."""
        answer = await self._get("/api/alerts", state=state, last=last, limit=limit, before=before, **chosen)
        return page_of(EpisodeRow, answer, "episodes")

    async def every_episode(self, state: str = "all", **chosen: Any) -> AsyncIterator[EpisodeRow]:
        """All of them, page by page."""
        before: str | None = None
        while True:
            page = await self.episodes(state, before=before, **chosen)
            for each in page.items:
                yield each
            if page.next is None:
                return
            before = page.next

    async def episode(self, alert: str) -> Json:
        """One episode with its timeline and who was told; a fingerprint means the newest of that alert."""
        answer: Json = await self._get(f"/api/alerts/{part(alert)}")
        return answer

    async def open_alerts(self) -> Sequence[Json]:
        """What is pending, fires or recovers, with the routes that each alert touches."""
        answer: Sequence[Json] = (await self._get("/api/alerts/open"))["alerts"]
        return answer

    async def breach(self, alert: str) -> Json | None:
        """The number that an incident is about, over its window and some time around, with the rule's thresholds."""
        answer: Json | None = (await self._get(f"/api/alerts/{part(alert)}/breach"))["line"]
        return answer

    async def why(self, event: str) -> Json:
        """Why somebody was, or was not, told of an event."""
        answer: Json = await self._get(f"/api/alerts/why/{part(event)}")
        return answer

    async def acknowledge(self, alert: str, comment: str = "") -> Json:
        """Take it in hand: no reminders and no escalation until it ends or gets worse."""
        answer: Json = await self._post(f"/api/alerts/{part(alert)}/acknowledge", comment=comment)
        return answer

    async def unacknowledge(self, alert: str, comment: str = "") -> Json:
        """Give it back."""
        answer: Json = await self._post(f"/api/alerts/{part(alert)}/unacknowledge", comment=comment)
        return answer

    async def snooze(
        self, alert: str, *, lasting: str | float | None = None, until: str | float | None = None, comment: str = ""
    ) -> Json:
        """Acknowledge it for a while (`lasting`, 2h) or until a time."""
        body = {"for": lasting, "until": until, "comment": comment}
        answer: Json = await self._post(f"/api/alerts/{part(alert)}/snooze", **body)
        return answer

    async def resolve(self, alert: str, reason: str = "") -> Json:
        """End the episode by hand."""
        answer: Json = await self._post(f"/api/alerts/{part(alert)}/resolve", reason=reason)
        return answer

    async def note(self, alert: str, text: str) -> Json:
        """Write something down about an incident."""
        answer: Json = await self._post(f"/api/alerts/{part(alert)}/notes", text=text)
        return answer

    async def noise(self, last: str = "30d", zone: str = "UTC") -> Sequence[Json]:
        """What the alerts of a span cost people, rule by rule."""
        answer: Sequence[Json] = (await self._get("/api/alerts/noise", last=last, zone=zone))["rules"]
        return answer

    async def rules(self) -> tuple[RuleShown, ...]:
        """Every rule as it is evaluated."""
        return all_built(RuleShown, (await self._get("/api/alerts/rules"))["rules"])

    async def rule(self, name: str) -> RuleShown:
        """One rule."""
        return built(RuleShown, await self._get(f"/api/alerts/rules/{part(name)}"))

    async def put_rule(
        self, name: str, rule: Mapping[str, Any], *, comment: str = "", expected: int | None = None
    ) -> RuleShown:
        """Make or change a rule; with `expected` only if that is its newest version (0: there is none yet).

        Raises:
            ApiError: 409 where somebody was quicker, 422 with `faults` for a rule that cannot be taken in.
        """
        body = {"rule": dict(rule), "comment": comment, "expected": expected}
        return built(RuleShown, await self.ask("PUT", f"/api/alerts/rules/{part(name)}", body=body))

    async def delete_rule(self, name: str, *, expected: int | None = None) -> Json:
        """Forget what was changed at the service: the rule of the file or the default counts again, or none."""
        headers = {} if expected is None else {"If-Match": f'"{expected}"'}
        answer: Json = await self.ask("DELETE", f"/api/alerts/rules/{part(name)}", headers=headers)
        return answer

    async def rule_versions(self, name: str) -> Sequence[Json]:
        """Every version that was kept, newest first."""
        answer: Sequence[Json] = (await self._get(f"/api/alerts/rules/{part(name)}/versions"))["versions"]
        return answer

    async def check_rule(self, rule: Mapping[str, Any]) -> Json:
        """The rule with its defaults; `ApiError` 422 with `faults` where it could not be taken in."""
        answer: Json = (await self._post("/api/alerts/rules/check", rule=dict(rule)))["rule"]
        return answer

    async def preview_rule(self, rule: Mapping[str, Any], **span: Any) -> Json:
        """How often a rule would have fired in a span that is over, with the line of the worst subject."""
        answer: Json = await self._post("/api/alerts/rules/preview", rule=dict(rule), **span)
        return answer

    async def backtest(self, **asked: Any) -> Json:
        """What `rules`, or `changed` versions of them, would have told in the past; the keys are the endpoint's."""
        answer: Json = await self._post("/api/alerts/rules/backtest", **asked)
        return answer

    async def silences(self) -> tuple[SilenceShown, ...]:
        """Silences that hold now or later."""
        return all_built(SilenceShown, (await self._get("/api/alerts/silences"))["silences"])

    async def silence(
        self, *matchers: str, reason: str, lasting: str | float | None = None, **more: Any
    ) -> SilenceShown:
        """Keep matching alerts quiet: `lasting` (2h), or `ends_at`, or `rrule` with `duration`."""
        body = {"matchers": list(matchers), "reason": reason, "for": lasting, **more}
        return built(SilenceShown, await self._post("/api/alerts/silences", **body))

    async def preview_silence(self, *matchers: str) -> tuple[AlertView, ...]:
        """Which alerts a silence would keep quiet now."""
        answer = await self._post("/api/alerts/silences/preview", matchers=list(matchers))
        return all_built(AlertView, answer["alerts"])

    async def expire_silence(self, silence: str) -> Json:
        """End a silence now."""
        answer: Json = await self.ask("DELETE", f"/api/alerts/silences/{part(silence)}")
        return answer
