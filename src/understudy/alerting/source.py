"""The live numbers that rules are about: tracks, the monitor's durations, what other processes did, and gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from understudy.alerts.model import Labels, Subject
from understudy.alerts.ports import Sample
from understudy.core.clock import Clock
from understudy.monitor import PerformanceMonitor
from understudy.monitor.histogram import quantiles
from understudy.monitor.rollup import quantiles_of
from understudy.resilience import FallbackManager
from understudy.resilience.registry import Api

from .elsewhere import Elsewhere
from .gauges import Gauges
from .tally import Tallies

#: A key of the monitor's histogram loses so many bits on its way into a rollup.
_CUT = 3
#: Calls of an API that was taken out may still end that long after, s; what is recorded later is a new beginning.
_ENDING = 120.0
_COSTS = {"cost_per_hour": 3600.0, "cost_per_day": 86_400.0}
Counts = Counter[int]


class LiveSource:
    """A `MetricSource` over one running application. Asked on the loop that owns it.

    Windows are as of the last drain.
    """

    def __init__(
        self, clock: Clock, fallback: FallbackManager, monitor: PerformanceMonitor, tallies: Tallies,
        elsewhere: Elsewhere,
    ) -> None:  # fmt: skip
        self._now, self._wall = clock.monotonic, clock.time
        self._fallback = fallback
        self._monitor = monitor
        self._tallies = tallies
        self._elsewhere = elsewhere
        self.gauges = Gauges(fallback, tallies, clock.monotonic, clock.time)
        self._labels: dict[tuple[str, str], Labels] = {}
        self._registered: set[str] = set()
        #: APIs that were taken out: until when their calls may still end, and how far they had moved then.
        self._removed: dict[str, tuple[float, int]] = {}

    # -- who there is -----------------------------------------------------------------------------

    def subjects(self, subject: Subject) -> Iterable[Labels]:
        """As `MetricSource.subjects`."""
        roster = self._fallback.roster
        match subject:
            case "api":
                return [self.labels_of(name) for name in self._apis()]
            case "route":
                return [{"route": name} for name in roster.routes]
            case "hub":
                return [{"hub": name} for name in self._hubs()]
            case "key":
                return [
                    {"api": api.name, "key": key.alias}
                    for api in roster.apis.values()
                    for key in api.keys
                    if key.secret is not None
                ]
            case "all":
                return [{}]

    def labels_of(self, api: str) -> Labels:
        """What identifies an API in alerts: its name, and its hub where it shares one."""
        hub = self.hub_of(api)
        found = self._labels.get((api, hub))
        if found is None:
            found = self._labels[api, hub] = {"api": api, "hub": hub} if hub else {"api": api}
        return found

    def hub_of(self, api: str) -> str:
        """The hub of an API that is one of several there, or was put into it by name; else empty."""
        known = self._fallback.roster.apis.get(api)
        return known.hub.name if known is not None and _shares(known) else ""

    def _apis(self) -> Iterable[str]:
        found = dict.fromkeys((*self._known(), *self._tallies.names("api")))
        self._note_removed()
        if self._removed:
            return [name for name in found if name not in self._removed]
        return list(found)

    def _note_removed(self) -> None:
        """Take note of who was taken out of the configuration: the monitor remembers its past for ever."""
        present, now = self._fallback.roster.apis.keys(), self._now()
        if present != self._registered:
            for name in self._registered - present:
                self._removed[name] = (now + _ENDING, 0)
            for name in present & self._removed.keys():
                del self._removed[name]
            self._registered = set(present)
        for name, (until, moved) in list(self._removed.items()):
            latest = self._tallies.read("api", name).moved
            if now < until:
                self._removed[name] = (until, latest)
            elif latest > moved:
                del self._removed[name]  # somebody records under its name again

    def _known(self) -> Iterable[str]:
        return (*self._fallback.roster.apis, *self._elsewhere.names("api"), *self._monitor.names())

    def _hubs(self) -> Iterable[str]:
        return [
            name
            for name, hub in self._fallback.roster.hubs.items()
            if hub.apis and any(_shares(api) for api in hub.apis)
        ]

    def prune(self) -> None:
        """Forget the numbers of what is no more."""
        self._tallies.forget("api", set(self._known()))
        self._tallies.forget("route", {*self._fallback.roster.routes, *self._fallback.roster.apis})
        self._tallies.forget("hub", set(self._fallback.roster.hubs))

    # -- windows ----------------------------------------------------------------------------------

    def sample(self, subject: Subject, labels: Labels, window: float) -> Sample | None:
        """As `MetricSource.sample`."""
        if subject == "key":
            return None
        name = _name(subject, labels)
        now = self._now()
        with self._tallies.reading():
            mine = self._tallies.read(subject, name).sample(
                now, self._wall(), window, lambda share: self._quantile(subject, name, window, share)
            )
        return self._elsewhere.added(mine, subject, name, now, window)

    def last_calls(self, subject: Subject, labels: Labels, count: int) -> Sample | None:
        """As `MetricSource.last_calls`."""
        if subject == "key":
            return None
        name = _name(subject, labels)
        now = self._now()

        def quantile(window: float) -> Callable[[float], float | None]:
            return lambda share: self._quantile(subject, name, window, share)

        with self._tallies.reading():
            mine = self._tallies.read(subject, name).last(now, self._wall(), count, quantile)
        return self._elsewhere.added(mine, subject, name, now, mine.window)

    def moved(self, subject: Subject, labels: Labels) -> int:
        """As `MetricSource.moved`."""
        kind: Subject = "api" if subject == "key" else subject
        return self._tallies.read(kind, _name(kind, labels)).moved + self._elsewhere.moved

    def _quantile(self, subject: Subject, name: str, window: float, share: float) -> float | None:
        mine, others = self._durations(subject, name, window), self._elsewhere.durations(subject, name, window)
        if not others:
            return quantiles(mine, (share,))[0]
        for key, times in mine.items():
            others[key >> _CUT] += times
        return quantiles_of(others, (share,))[0]

    def _durations(self, subject: Subject, name: str, window: float) -> Counts:
        if subject == "route":
            return self._tallies.durations(name, window)
        if subject == "api":
            return self._monitor.durations(name, window).counts()
        members = self._monitor.names() if subject == "all" else self._members(name)
        whole: Counts = Counter()
        for member in members:
            whole.update(self._monitor.durations(member, window).counts())
        return whole

    def _members(self, hub: str) -> list[str]:
        known = self._fallback.roster.hubs.get(hub)
        return [] if known is None else [api.name for api in known.apis]

    # -- gauges -----------------------------------------------------------------------------------

    def gauge(self, metric: str, subject: Subject, labels: Labels) -> float | None:
        """As `MetricSource.gauge`."""
        if metric in _COSTS:
            return self._tallies.spent(subject, _name(subject, labels), _COSTS[metric])
        roster = self._fallback.roster
        if subject == "all":
            answer = self.gauges.of_all.get(metric)
            return None if answer is None else answer()
        if self.gauges.elsewhere(metric, labels):
            return 1.0
        if subject == "hub":
            return self.gauges.hub(metric, labels["hub"])
        if subject == "route":
            route = roster.routes.get(labels["route"])
            return None if route is None else self.gauges.route(metric, route)
        api = roster.apis.get(labels["api"])
        if api is None:
            return None
        return self.gauges.key(metric, api, labels["key"]) if subject == "key" else self.gauges.api(metric, api)


def _name(subject: Subject, labels: Labels) -> str:
    return "" if subject == "all" else labels[subject]


def _shares(api: Api) -> bool:
    """Whether its hub is more than the API itself."""
    return bool(api.options.hub) or len(api.hub.apis) > 1
