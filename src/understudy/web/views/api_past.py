"""What happened to one API over a span: alerts and changes beside its numbers, its errors, its slowest requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.ports import EpisodeQuery, EpisodeRow
from understudy.alerts.shown import episode_as_dict
from understudy.monitor.requests import Comparison, ErrorGroup, RequestEntry, RequestQuery

from .anatomy import Anatomy
from .happened import Mark, marks_of

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Error groups and slowest requests that are shown, and kept requests that are looked through for the slowest.
GROUPS: Final = 12
SLOWEST: Final = 10
_LOOKED: Final = 500


@dataclass(frozen=True, slots=True)
class ApiPast:
    """One API over a span; `anatomy` is None where nothing is kept or the store cannot be read."""

    start: float
    end: float
    anatomy: Anatomy | None
    episodes: tuple[EpisodeRow, ...] = ()
    marks: tuple[Mark, ...] = ()
    groups: tuple[ErrorGroup, ...] = ()
    slowest: tuple[RequestEntry, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values; the requests are in the form of `GET /api/requests`."""
        return {
            "start": self.start,
            "end": self.end,
            "history": None if self.anatomy is None else self.anatomy.as_dict(),
            "episodes": [episode_as_dict(each) for each in self.episodes],
            "marks": [each.as_dict() for each in self.marks],
            "errors": [each.as_dict() for each in self.groups],
            "slowest": [each.as_dict() for each in self.slowest],
        }

    @classmethod
    async def of(cls, app: Understudy, name: str, start: float, end: float) -> ApiPast:
        """The span; raises StoreUnavailable when alerts or requests cannot be read now."""
        found = await cls.drawn(app, name, start, end)
        if app.keeping is None:
            return found
        groups = tuple(await app.keeping.requests.groups(start, end, name, GROUPS))
        return replace(found, groups=groups, slowest=await _slowest(app, name, start, end, found.anatomy))

    @classmethod
    async def drawn(cls, app: Understudy, name: str, start: float, end: float) -> ApiPast:
        """What charts show of the span: its numbers, alerts and marks; raises StoreUnavailable as `of` does."""
        anatomy = await Anatomy.of(app, name, start, end)
        marks = await marks_of(app, start, end, api=name)
        if app.keeping is None:
            return cls(start, end, anatomy, marks=marks)
        wanted = EpisodeQuery(labels={"api": name}, start=start, end=end)
        episodes = tuple(await app.alerts.history(wanted, 50))
        return cls(start, end, anatomy, episodes, marks)


async def _slowest(
    app: Understudy, name: str, start: float, end: float, anatomy: Anatomy | None
) -> tuple[RequestEntry, ...]:
    """The slowest of the newest requests that are kept and slower than usual."""
    if app.keeping is None:
        return ()
    usual = anatomy.whole[0] if anatomy is not None else None
    above = (Comparison(">=", usual),) if usual is not None else ()
    query = RequestQuery(apis=(name,), latency=above, start=start, end=end)
    found = await app.keeping.requests.search(query, _LOOKED)
    return tuple(sorted(found, key=lambda entry: -entry.latency)[:SLOWEST])
