"""How everything does: status, numbers, decisions; what people do to APIs and routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.core.status import Status, explanation_of
from understudy.core.types import Explanation

from .asking import ApiError, Asking, NotReached, Several, part
from .values import Json


class State(Asking):
    """The part of the client about APIs and routes."""

    async def health(self) -> Json:
        """Whether the service works and is ready; also where it is not."""
        try:
            answer: Json = await self._get("/health")
        except ApiError as error:
            if error.status == 503 and "ready" in error.problem:
                return error.problem
            raise
        return answer

    async def status(self) -> Status:
        """What serves what right now, and what is wrong."""
        values = await self._get("/api/status")
        try:
            return Status.from_dict(values)
        except (KeyError, TypeError, AttributeError):
            raise NotReached(f"{self.url} is not an Understudy service") from None

    async def performance(self, api: str | None = None, compare: Sequence[str] = (), window: str = "1h") -> Json:
        """The numbers of every API; with `api` its windows, trends and history, with `compare` some side by side."""
        answer: Json = await self._get("/api/performance", api=api, compare=compare or None, window=window)
        return answer

    async def fallback(self) -> Json:
        """Every mechanism's state, of every route and API."""
        answer: Json = await self._get("/api/fallback")
        return answer

    async def decisions(
        self, limit: int = 100, route: str | None = None, outcome: str | None = None
    ) -> tuple[Explanation, ...]:
        """Why calls were served by whom, newest first: failures, fallbacks and a sample of the rest."""
        answer = await self._get("/api/decisions", limit=limit, route=route, outcome=outcome)
        return tuple(explanation_of(each) for each in answer["decisions"])

    async def decision(self, call: str) -> Explanation:
        """The record of one call; `ApiError` 404 where none is kept."""
        return explanation_of((await self._get("/api/decisions", call=call))["decisions"][0])

    async def overview(self, window: str = "1h") -> Json:
        """Everything at one glance, as the first page shows it."""
        answer: Json = await self._get("/api/overview", window=window)
        return answer

    async def apis(self, q: str | None = None, state: str | None = None, hub: str | None = None) -> Sequence[Json]:
        """APIs in short, the worst first."""
        answer: Sequence[Json] = (await self._get("/api/apis", q=q, state=state, hub=hub))["apis"]
        return answer

    async def api(self, name: str) -> Json:
        """One API as it stands, with the verdict on its failures, its budget and what fires."""
        answer: Json = await self._get(f"/api/apis/{part(name)}")
        return answer

    async def anatomy(self, name: str, *, points: int | None = None, **span: Any) -> Json:
        """One API over a span: percentiles, failures by class, the heat-map of its latencies."""
        answer: Json = await self._get(f"/api/apis/{part(name)}/history", points=points, **span)
        return answer

    async def happened(self, name: str, **span: Any) -> Json:
        """What happened to one API in a span: alerts, switches, errors, slowest requests, and its history."""
        answer: Json = await self._get(f"/api/apis/{part(name)}/past", **span)
        return answer

    async def vendor_report(self, name: str, language: str = "en", **span: Any) -> Json:
        """What can be handed to the vendor of an API: times, rates and samples of its failures, nothing of ours."""
        answer: Json = await self._get(f"/api/apis/{part(name)}/report", lang=language, **span)
        return answer

    async def compare_apis(self, *names: str, **span: Any) -> Json:
        """Two to six APIs side by side, with the winner of each measure."""
        answer: Json = await self._get("/api/compare", api=Several(names), **span)
        return answer

    async def heat(self, window: str = "1h") -> Json:
        """Every API over the last 60 slices of a window, one sign for each, as the first page paints it."""
        answer: Json = await self._get("/api/overview/heat", window=window)
        return answer

    async def routes(self) -> Sequence[Json]:
        """Every route with its lead, its candidates and what fallback has saved in the last hour."""
        answer: Sequence[Json] = (await self._get("/api/routes"))["routes"]
        return answer

    async def route(self, name: str) -> Json:
        """One route: its candidates with the score explained, and its last switches."""
        answer: Json = await self._get(f"/api/routes/{part(name)}")
        return answer

    async def what_if(self, route: str, order: Sequence[str]) -> Json | None:
        """What another order of a route's APIs would have made of the last hour; None where nothing of it is kept."""
        answer: Json | None = (await self._post(f"/api/routes/{part(route)}/what-if", order=list(order)))["what_if"]
        return answer

    async def quota(self, name: str) -> Json:
        """What is left of each limit of an API, and when it is spent at this pace."""
        answer: Json = await self._get(f"/api/apis/{part(name)}/quota")
        return answer

    async def pin(
        self, route: str, api: str, *, reason: str, expires_in: str | float | None = None, only: bool = False
    ) -> Json:
        """Let an API lead a route until it is taken back or `expires_in` is over."""
        place = f"/api/routes/{part(route)}/pin"
        answer: Json = await self._post(place, api=api, reason=reason, expires_in=expires_in, only=only)
        return answer

    async def unpin(self, route: str, reason: str = "") -> Json:
        """Let selection choose the lead of a route again."""
        answer: Json = await self._post(f"/api/routes/{part(route)}/unpin", reason=reason)
        return answer

    async def drain(self, api: str, *, reason: str, expires_in: str | float | None = None) -> Json:
        """Send no new calls to an API; `in_flight` of the answer says when it is empty."""
        return await self._act(api, "drain", reason, expires_in)

    async def undrain(self, api: str, reason: str = "") -> Json:
        """Let calls go to a drained API again."""
        return await self._act(api, "undrain", reason)

    async def force(self, api: str, state: str, *, reason: str, expires_in: str | float | None = None) -> Json:
        """Hold the breakers of an API in `forced_open`, `forced_closed` or `observe`."""
        place = f"/api/apis/{part(api)}/force"
        answer: Json = await self._post(place, state=state, reason=reason, expires_in=expires_in)
        return answer

    async def unforce(self, api: str, reason: str = "") -> Json:
        """Let the breakers of an API judge again."""
        return await self._act(api, "unforce", reason)

    async def reset(self, api: str, reason: str = "") -> Json:
        """Close the breakers of an API, and end its holds and quarantines."""
        return await self._act(api, "reset", reason)

    async def pause_checks(self, api: str, *, reason: str, expires_in: str | float | None = None) -> Json:
        """Start no planned health check of an API."""
        return await self._act(api, "pause-checks", reason, expires_in)

    async def resume_checks(self, api: str, reason: str = "") -> Json:
        """Go on with the planned health checks of an API."""
        return await self._act(api, "resume-checks", reason)

    async def check_api(self, api: str) -> Json:
        """Probe an API now; the answer tells what it said."""
        answer: Json = await self._post(f"/api/apis/{part(api)}/check")
        return answer

    async def clear(self, api: str, reason: str = "") -> Json:
        """Begin the statistics of an API anew; history goes on."""
        return await self._act(api, "clear", reason)

    async def reset_route(self, route: str, reason: str = "") -> Json:
        """Close the breakers, and end the holds and quarantines, of all APIs of a route."""
        answer: Json = await self._post(f"/api/routes/{part(route)}/reset", reason=reason)
        return answer

    async def reset_all(self, reason: str = "") -> Sequence[str]:
        """Close every breaker, and end all holds and quarantines; the names of the APIs."""
        names: Sequence[str] = (await self._post("/api/fallback/reset", reason=reason))["reset"]
        return names

    async def clear_all(self) -> Sequence[str]:
        """Begin the statistics of every API anew; the names of the APIs."""
        names: Sequence[str] = (await self._post("/api/performance/clear"))["cleared"]
        return names

    async def _act(self, api: str, act: str, reason: str, expires_in: str | float | None = None) -> Json:
        answer: Json = await self._post(f"/api/apis/{part(api)}/{act}", reason=reason, expires_in=expires_in)
        return answer
