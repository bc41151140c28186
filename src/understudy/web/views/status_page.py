"""What the public may know: states of components under public names, ninety days of each, incidents, maintenance.

No name of an API, route, rule or person is in it, and no word of an alert: those are written for people inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from understudy.alerts.ports import EpisodeQuery, EpisodeRow
from understudy.alerts.silences import Silence
from understudy.config.status_page import ComponentOptions, NoticeOptions, StatusPageOptions
from understudy.core.errors import StoreUnavailable
from understudy.monitor.history import HistoryPoint
from understudy.monitor.rollup import SeriesName

if TYPE_CHECKING:
    from understudy.app import Understudy

DAYS: Final = 90
DAY: Final = 86_400
#: A route's state is that of its calls in this time, s.
_RECENT: Final = 600
#: Incidents that ended are shown for so long, s; maintenance that comes, as long before.
ANNOUNCED: Final = 14 * DAY
#: Most incidents that are shown.
_MOST: Final = 50
#: States, worst first. `maintenance` is not a fault; `unknown`: nothing was measured.
ORDER: Final = ("down", "degraded", "maintenance", "ok", "unknown")


@dataclass(frozen=True, slots=True)
class PublicDay:
    """One day of a component, UTC. `rate` is the success rate, percent; None: nothing was measured."""

    at: int
    state: str
    rate: float | None


@dataclass(frozen=True, slots=True)
class PublicComponent:
    """One line of the page."""

    key: str
    title: str
    group: str
    description: str
    state: str
    #: Over the ninety days, percent; None: nothing was measured.
    rate: float | None
    days: tuple[PublicDay, ...]


@dataclass(frozen=True, slots=True)
class PublicNotice:
    """An incident or a maintenance. `text` is the operator's own; empty for what alerts tell."""

    id: str
    kind: str
    title: str
    text: str
    state: str
    components: tuple[str, ...]
    starts_at: float | None
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class StatusPageView:
    """The whole page as of `at`. `complete` is False while history cannot be read."""

    title: str
    text: str
    home: str
    at: float
    state: str
    complete: bool
    components: tuple[PublicComponent, ...]
    notices: tuple[PublicNotice, ...]

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON-ready values; days as dates."""
        return asdict(self)

    def groups(self) -> list[tuple[str, list[PublicComponent]]]:
        """Components by their group, in the order of the configuration."""
        found: dict[str, list[PublicComponent]] = {}
        for each in self.components:
            found.setdefault(each.group, []).append(each)
        return list(found.items())


async def status_page(app: Understudy, options: StatusPageOptions, past: Past) -> StatusPageView:
    """Look at everything that the page shows; asks nobody outside."""
    now = app.clock.time()
    complete = True
    try:
        await past.refresh(app, options, now)
        rates = await _recent(app, options, now)
        episodes = await _episodes(app, options, now)
    except StoreUnavailable:
        complete, rates, episodes = False, {}, []
    planned = _planned(app, options, now)
    described = app.fallback.describe()
    components = tuple(
        _component(described, options, key, each, past.days(each, now, options), rates, planned, now)
        for key, each in options.components.items()
    )
    notices = [*_own(options, now), *_told(options, episodes), *planned]
    notices.sort(key=lambda each: (each.ends_at is not None and each.ends_at <= now, -(each.starts_at or now)))
    states = [each.state for each in components]
    return StatusPageView(
        options.title, options.text, options.home, now, _worst(states), complete, components, tuple(notices[:_MOST])
    )  # fmt: skip


def series_of(component: ComponentOptions) -> list[SeriesName]:
    """Whose numbers stand behind a component."""
    routes = [SeriesName("route", name) for name in component.routes]
    return routes + [SeriesName("api", name) for name in component.apis]


class Past:
    """Ninety days of every series that is shown; days that are over are read once."""

    def __init__(self) -> None:
        self._days: dict[SeriesName, dict[int, tuple[int, int]]] = {}
        self._read_at: dict[SeriesName, float] = {}

    async def refresh(self, app: Understudy, options: StatusPageOptions, now: float) -> None:
        """Read what is not known yet: everything at first, then today and yesterday once a minute.

        Raises:
            StoreUnavailable: it cannot be read now.
        """
        if app.keeping is None:
            return
        today = int(now // DAY) * DAY
        for name in {each for component in options.components.values() for each in series_of(component)}:
            before = self._read_at.get(name)
            if before is not None and now - before < 60:
                continue
            start = today - (DAYS - 1) * DAY if before is None else int(before // DAY) * DAY - DAY
            history = await app.keeping.history.series(name, start, today + DAY, (today + DAY - start) // DAY)
            known = self._days.setdefault(name, {})
            known.update(_by_day(history.points))
            for day in [day for day in known if day < today - DAYS * DAY]:
                del known[day]
            self._read_at[name] = now

    def days(self, component: ComponentOptions, now: float, options: StatusPageOptions) -> tuple[PublicDay, ...]:
        """The days of a component, the oldest first: on each, the worst of what stands behind it."""
        today = int(now // DAY) * DAY
        names = series_of(component)
        return tuple(
            _day(at, [self._days.get(name, {}).get(at, (0, 0)) for name in names], options)
            for at in range(today - (DAYS - 1) * DAY, today + DAY, DAY)
        )


def _by_day(points: Iterable[HistoryPoint]) -> dict[int, tuple[int, int]]:
    """Good and bad calls by the day on which a point begins."""
    found: dict[int, tuple[int, int]] = {}
    for point in points:
        day = int(point.at // DAY) * DAY
        ok, err = found.get(day, (0, 0))
        found[day] = (ok + point.ok, err + point.err)
    return found


def _day(at: int, counts: Sequence[tuple[int, int]], options: StatusPageOptions) -> PublicDay:
    rates = [100.0 * ok / (ok + err) for ok, err in counts if ok + err]
    rate = min(rates) if rates else None
    return PublicDay(at, _judged(rate, options), rate)


def _judged(rate: float | None, options: StatusPageOptions) -> str:
    if rate is None:
        return "unknown"
    return "ok" if rate >= options.good else "degraded" if rate >= options.bad else "down"


async def _recent(app: Understudy, options: StatusPageOptions, now: float) -> dict[SeriesName, float | None]:
    """How the calls of routes went in the last minutes."""
    names = [SeriesName("route", name) for each in options.components.values() for name in each.routes]
    if app.keeping is None or not names:
        return {}
    found = await app.keeping.history.wholes(list(dict.fromkeys(names)), now - _RECENT, now)
    return {name: each.whole.success_rate for name, each in found.items()}


def _component(
    described: Mapping[str, Any], options: StatusPageOptions, key: str, component: ComponentOptions,
    days: tuple[PublicDay, ...], rates: Mapping[SeriesName, float | None], planned: Sequence[PublicNotice], now: float,
) -> PublicComponent:  # fmt: skip
    measured = [day.rate for day in days if day.rate is not None]
    state = _now(described, component, rates, options)
    running = [each for each in planned if (each.starts_at or now) <= now and component.title in each.components]
    if running:
        state = "maintenance"
    return PublicComponent(
        key, component.title, component.group, component.description, state,
        sum(measured) / len(measured) if measured else None, days,
    )  # fmt: skip


def _now(
    described: Mapping[str, Any], component: ComponentOptions, rates: Mapping[SeriesName, float | None],
    options: StatusPageOptions,
) -> str:  # fmt: skip
    """What a visitor meets at this moment: a route whose standby serves works."""

    def of_api(name: str) -> str:
        return _API_STATES.get(str(described["apis"].get(name, {}).get("state", "")), "unknown")

    states = [of_api(name) for name in component.apis]
    for name in component.routes:
        route = described["routes"].get(name)
        if route is None or not route["apis"]:
            states.append("unknown")
        elif not route["lead"]:
            states.append("down")
        else:
            judged = _judged(rates.get(SeriesName("route", name)), options)
            states.append(of_api(route["lead"]) if judged == "unknown" else judged)
    return _worst(states)


_API_STATES: Final = {"healthy": "ok", "degraded": "degraded", "down": "down", "paused": "maintenance"}


def _worst(states: Sequence[str]) -> str:
    """The worst of them; what says nothing counts only where nothing else says anything."""
    return min(states, key=ORDER.index) if states else "unknown"


async def _episodes(app: Understudy, options: StatusPageOptions, now: float) -> list[EpisodeRow]:
    if app.keeping is None or not options.incidents:
        return []
    wanted = EpisodeQuery(severities=("critical",), start=now - ANNOUNCED, end=now)
    return list(await app.alerts.history(wanted, 200))


def _told(options: StatusPageOptions, episodes: Iterable[EpisodeRow]) -> list[PublicNotice]:
    """Incidents of components, from critical alerts; several alerts about one at one time are one incident."""
    merged: dict[str, list[tuple[float, float | None, str]]] = {}
    for row in sorted(episodes, key=lambda each: each.started_at):
        for key, component in options.components.items():
            if row.labels.get("api") in component.apis or row.labels.get("route") in component.routes:
                spans = merged.setdefault(key, [])
                last = spans[-1] if spans else None
                if last is not None and (last[1] is None or row.started_at <= last[1] + 600):
                    both = (last[1], row.resolved_at)
                    spans[-1] = (last[0], None if None in both else max(each for each in both if each), last[2])
                else:
                    spans.append((row.started_at, row.resolved_at, row.episode))
    return [
        PublicNotice(
            hashlib.sha256(f"{episode}/{key}".encode()).hexdigest()[:16], "incident", "", "", "down",
            (options.components[key].title,), start, end,
        )
        for key, spans in merged.items() for start, end, episode in spans
    ]  # fmt: skip


def _planned(app: Understudy, options: StatusPageOptions, now: float) -> list[PublicNotice]:
    """Maintenance windows that touch a component: the one that runs, or the next one."""
    if app.keeping is None or not options.maintenance:
        return []
    found = []
    for silence in app.alerts.silences():
        span = _window(silence, now) if silence.kind == "maintenance" else None
        touched = tuple(each.title for each in options.components.values() if _touches(silence, each))
        if span is not None and touched:
            made = hashlib.sha256(f"{silence.id}/{span[0]}".encode()).hexdigest()[:16]
            found.append(PublicNotice(made, "maintenance", "", "", "maintenance", touched, *span))
    return found


def _window(silence: Silence, now: float) -> tuple[float, float] | None:
    begins = silence.next_start(now, 14)
    coming = silence.window(begins + 1) if begins is not None and begins - now <= ANNOUNCED else None
    return silence.window(now) or coming


def _touches(silence: Silence, component: ComponentOptions) -> bool:
    return any(silence.covers({"api": name}) for name in component.apis) or any(
        silence.covers({"route": name}) for name in component.routes
    )


def _own(options: StatusPageOptions, now: float) -> list[PublicNotice]:
    """The operator's texts, until two weeks after their end."""
    return [
        _written(key, each, options)
        for key, each in options.notices.items()
        if each.ends_at is None or now - each.ends_at < ANNOUNCED
    ]


def _written(key: str, each: NoticeOptions, options: StatusPageOptions) -> PublicNotice:
    titles = tuple(options.components[name].title for name in each.components if name in options.components)
    state = "maintenance" if each.kind == "maintenance" else "degraded"
    return PublicNotice(f"own-{key}", each.kind, each.title, each.text, state, titles, each.starts_at, each.ends_at)
