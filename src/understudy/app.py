"""The application: builds every room from the settings, hands each what it needs, starts and stops them.

The only module that knows every room. Adapters are imported inside the functions that build them, so
that `import understudy` loads no HTTP, web or validation library.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from . import __version__
from .connectivity import CheckResult, check_api
from .core.clock import SYSTEM_CLOCK, Clock
from .core.events import Event, EventBus
from .core.http import Guarded, HttpClient
from .core.ids import instance_name
from .core.reach import Reach
from .lifecycle import Lifecycle
from .monitor import PerformanceMonitor
from .monitor.system import SystemMetrics
from .probing import Prober
from .reloading import read_secret, reload
from .resilience import FallbackManager
from .resilience.auth import Authenticator
from .resilience.registry import Api
from .resilience.route_client import Response, RouteClient

if TYPE_CHECKING:
    from .alerting.service import Alerting
    from .alerts.manager import AlertManager
    from .channels.options import ChannelOptions
    from .config.settings import Settings
    from .export.reporting import Reporting
    from .keeping import Keeping
    from .managing import Managing
    from .notifications.manager import NotificationManager
    from .notifications.ports import Channel
    from .storage.options import StorageOptions
    from .storage.store import Store

#: How often the series are drained and breakers looked after, s.
TICK = 1.0
#: The loop gets a turn after this much draining, s: a thousand APIs take many times that.
SLICE = 0.001
#: A tick that is this late makes the instance not live, s.
STALLED = 15.0


class Understudy:
    """One application: its APIs, routes, monitor and everything that runs for them.

    Usable many times in one process. Library use needs no start: the first call binds the running
    loop. `async with app` (or `start` and `stop`) also ends everything cleanly.
    """

    def __init__(
        self,
        settings: Settings | None,
        clock: Clock,
        http: HttpClient | None,
        rng: random.Random,
        *,
        keep: bool = False,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.version = __version__
        self.started_at = clock.time()
        self.events = EventBus()
        self.monitor = PerformanceMonitor(clock)
        self.system = SystemMetrics(clock)
        self.fallback = FallbackManager(health=self.monitor, clock=clock, events=self.events, rng=rng)
        self.fallback.on_bind = self._bound
        self.fallback.roster.read_secret = read_secret
        self._rng = rng
        self._http = http
        self._own_http = http is None
        #: Where addresses that people enter may lead to.
        self.reach = Reach(settings.service.allow_networks if settings is not None else ())
        self._authenticators: dict[str, tuple[Any, Any, Authenticator]] = {}
        self._routes: dict[str, RouteClient] = {}
        self._lifecycle = Lifecycle(clock)
        self.prober = Prober(clock, rng, self.fallback, self.monitor, self._probe)
        self.fallback.on_register = self.prober.follow
        self._ticked_at: float | None = None
        self._stopping = False
        self._stop_at = 0.0
        self._keep = keep
        #: Tells this start of this process from every other, for people and for the store.
        self.instance = instance_name()
        #: What is kept, between `start` and `stop`; None where nothing is.
        self.keeping: Keeping | None = None
        #: Settings that people edit while it runs; None where the service did not begin that.
        self.managing: Managing | None = None
        #: What this process reports to a service; None where it reports nothing.
        self.reporting: Reporting | None = None
        self._alerting: Alerting | None = None
        self._alerting_runs = False
        self._pid = os.getpid()
        #: When and whether the configuration was last taken in, for `/metrics`.
        self.last_reload_at = clock.time()
        self.last_reload_ok = True
        if settings is not None:
            reload(self.fallback, None, settings, self.prober)
            if keep or settings.channels:
                self._alerting_of(settings)

    @classmethod
    def build(
        cls,
        settings: Settings | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        http: HttpClient | None = None,
        seed: int | None = None,
        keep: bool = False,
    ) -> Self:
        """An application from `settings` (see `understudy.config.load`), or an empty one to register in.

        With `keep`, history, request log and state are kept as the settings' `storage` says, from `start`
        on; the service does that. `http` replaces the HTTP client, `seed` makes jitter and ties
        repeatable; both are for tests.
        """
        return cls(settings, clock, http, random.Random(seed), keep=keep)  # noqa: S311 - jitter and ties, nothing secret

    # -- alerts and notifications -----------------------------------------------------------------

    @property
    def alerts(self) -> AlertManager:
        """Alerts: rules, what fires, what people do about it. Rules are evaluated from the first use on.

        The service evaluates them in any case, and so does a program that configures channels.
        """
        return self.alerting.manager

    @property
    def notifications(self) -> NotificationManager:
        """Notifications: channels, what was sent, what was given up."""
        return self.alerting.notifications

    @property
    def alerting(self) -> Alerting:
        """What runs alerts and notifications; made at first use."""
        made = self._alerting or self._alerting_of(self.settings)
        self._use()
        return made

    def add_channel(self, name: str, channel: ChannelOptions | Channel) -> None:
        """Send notifications to one more channel, from its options or as it is; a known name is replaced.

        Raises:
            OptionError, NotInstalled: the options cannot be used.
        """
        self.alerting.add_channel(name, channel)

    def _alerting_of(self, settings: Settings | None) -> Alerting:
        from .alerting.service import Alerting

        made = Alerting(
            self.clock, self._rng, self.fallback, self.monitor, self.events, instance=self.instance, keep=self._keep,
            http=None if self._own_http else self._http, permits=self.reach.permits_address, another=Understudy.build,
        )  # fmt: skip
        if settings is not None:
            made.configure(settings)
        made.manager.on_use = made.notifications.on_use = self.monitor.on_unattended = self._use
        self._alerting = made
        if not self._keep:
            made.watch()  # what is recorded before a loop runs counts, too
        return made

    def _use(self) -> None:
        """Alerts or notifications are used: a loop that runs here is bound, unless another is, and they run on it."""
        if self._keep or self._stopping:
            return  # the service binds when it starts; what has been stopped is only read
        try:
            self.fallback.bind()
        except RuntimeError:
            return  # no loop runs here
        self._run_alerting()

    def _run_alerting(self) -> None:
        """Run alerts and notifications if the running loop owns the application and they do not run yet."""
        if self._alerting is None or self._alerting_runs or self._ticked_at is None or self._keep:
            return
        try:
            if asyncio.get_running_loop() is not self.fallback.loop:
                return
        except RuntimeError:
            return
        self._alerting_runs = True
        self._alerting.start(self._lifecycle, lambda: self._time_left)

    # -- calls ----------------------------------------------------------------------------------

    def route(self, name: str) -> RouteClient:
        """The HTTP client of a route, or of one API by itself.

        Raises:
            UnknownName: neither a route nor an API of that name is registered.
        """
        client = self._routes.get(name)
        route = self.fallback.roster.route(name)
        if client is None or client.route is not route:
            client = RouteClient(route, self.fallback, self.http, self.authenticator, self.clock)
            self._routes[name] = client
        return client

    def guard(self, name: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorate a function so that its calls run under the API or route `name`; see `FallbackManager.guard`."""
        return self.fallback.guard(name, **options)

    @property
    def http(self) -> HttpClient:
        """The HTTP client of all routes; made at first use."""
        if self._http is None:
            from .clients.aiohttp import AiohttpClient

            self._http = AiohttpClient(self.clock, permits=self.reach.permits_address)
        return self._http

    def authenticator(self, api: Api) -> Authenticator:
        """What signs requests to `api`; made anew when what it depends on changes, with its tokens."""
        known = self._authenticators.get(api.name)
        if known is not None and known[0] is api.options and known[1] is api.sign:
            return known[2]
        if known is not None and known[2].serves(api.auth, api.options.base_url, api.sign):
            made = known[2]  # something else has changed: the tokens stay
        else:
            http = self.http if api.options.allow_private else Guarded(self.http)
            made = Authenticator(api.auth, api.options.base_url, http, self.clock, self._rng, api.sign)
        self._authenticators[api.name] = (api.options, api.sign, made)
        return made

    async def send(
        self,
        route: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes] | None,
        stream: bool,
        private: bool,
        extensions: Mapping[str, Any],
    ) -> tuple[Response, str]:
        """A request of the user's own httpx or requests client, served by the route; see `clients`."""
        parts = urlsplit(url)
        response = await self.route(route).request(
            method,
            f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
            headers=headers,
            data=content,
            stream=stream,
            deadline=extensions.get("understudy_deadline"),
            idempotent=bool(extensions.get("understudy_idempotent")),
            credentials_for=url if private else "",
        )
        api = self.fallback.roster.apis.get(response.api)
        return response, api.options.base_url if api is not None else ""

    # -- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the running loop and start what runs in the background: tick, health checks, what is kept.

        Raises:
            StoreUnusable, StoreUnavailable, NotInstalled: the store cannot be opened; nothing was started.
        """
        self._stopping = False
        store = await asyncio.to_thread(self._open_store) if self._keep and self.keeping is None else None
        if any(api.is_http for api in self.fallback.roster.apis.values()):
            _ = self.http  # importing it stops the loop for a fifth of a second: not while calls are in flight
        self.fallback.bind()
        if self._ticked_at is None:
            self._bound()
        if store is not None:
            from .alerting.reports_told import ReportTeller
            from .keeping import Keeping

            schedules = self.settings.reports if self.settings is not None else {}
            self.keeping = Keeping(
                store,
                self._storage(),
                self.clock,
                self._rng,
                self.monitor,
                self.fallback,
                self.instance,
                schedules,
            )
            await self.keeping.start(self._lifecycle)
            alerting = self.alerting
            await alerting.open(store, self.keeping.roles)
            alerting.manager.acted = self.keeping.acted
            self.keeping.scheduler.teller = ReportTeller(alerting.notifications)
            alerting.start(self._lifecycle, lambda: self._time_left)

    def _storage(self) -> StorageOptions:
        from .storage.options import StorageOptions

        return self.settings.storage if self.settings is not None else StorageOptions()

    def _open_store(self) -> Store:
        from .storage import open_store

        return open_store(self._storage(), self.clock)

    async def stop(self, timeout: float | None = None) -> None:
        """Wait for calls in flight, at most `timeout` seconds (from the settings by default); then end everything."""
        self._stopping = True
        longest = timeout if timeout is not None else self._shutdown_timeout()
        until = self._stop_at = self.clock.monotonic() + longest
        while self.in_flight and self.clock.monotonic() < until:
            await self.clock.sleep(0.05)
        await self._lifecycle.stop()
        if self._alerting is not None:
            self._alerting.closed()
        self._ticked_at, self._alerting_runs = None, False
        self.keeping = self.reporting = None
        self.monitor.drain()
        self.monitor.release()
        if self._own_http and self._http is not None:
            await self._http.close()
        self.fallback.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def in_flight(self) -> int:
        """Attempts that are running now."""
        return sum(api.in_flight for api in self.fallback.roster.apis.values())

    @property
    def _time_left(self) -> float:
        """How long what is on its way may still take while everything stops, s."""
        return max(0.0, self._stop_at - self.clock.monotonic())

    def _shutdown_timeout(self) -> float:
        service = getattr(self.settings, "service", None)
        return float(getattr(service, "shutdown_timeout", 30.0))

    def _bound(self) -> None:
        """A loop has become the owner: its tick and health checks run on it from now on."""
        self._lifecycle = Lifecycle(self.clock)
        self._ticked_at = self.clock.monotonic()
        self.monitor.drain()  # from now on this loop's thread owns the series
        loop = self.fallback.loop
        self.clock.call_later(TICK, lambda: self._tick(loop))
        self._lifecycle.background("health checks", self.prober.run)
        self._lifecycle.background("system metrics", self.system.run)
        self._alerting_runs = False
        self._run_alerting()
        if self._pid != os.getpid():
            # The child of a fork: what its parent reports is not the child's, nor is its name.
            self._pid, self.instance, self.reporting = os.getpid(), instance_name(), None
        if self.settings is not None and self.settings.report_to and not self._keep:
            self._report(self.settings)

    def _report(self, settings: Settings) -> None:
        """Report this process's numbers to the service that the settings name; go on with that on another loop."""
        from .export.reporting import Reporting
        from .monitor.collector import Collector

        if self.reporting is None:
            collector = Collector()
            collector.price_of = self.fallback.roster.price_of
            self.monitor.collect_into(collector)
            self.reporting = Reporting(
                collector, self.monitor.drain_in_turns, self.http, self.clock, settings.report_to,
                settings.report_token, self.instance, secrets.token_hex(8), __version__,
            )  # fmt: skip
        self._lifecycle.on_stop("reporting", self.reporting.stop)
        self._lifecycle.background("reporting", self.reporting.run)

    def _tick(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if loop is not self.fallback.loop or self._ticked_at is None:
            return  # another loop has taken over, or everything was stopped
        self._ticked_at = self.clock.monotonic()
        self.clock.call_later(TICK, lambda: self._tick(loop))
        self._drain(loop)
        self._look_after(loop, self.fallback.ticking())

    def _look_after(self, loop: asyncio.AbstractEventLoop | None, steps: Iterator[None]) -> None:
        """Go through the steps in slices, with turns of the loop in between."""
        if loop is not self.fallback.loop or self._ticked_at is None:
            return
        until = self.clock.monotonic() + SLICE
        for _ in steps:
            if self.clock.monotonic() >= until:
                self.clock.call_later(0.0, lambda: self._look_after(loop, steps))
                return

    def _drain(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Drain all series in slices, with turns of the loop in between."""
        if loop is not self.fallback.loop or self._ticked_at is None:
            return
        if not self.monitor.drain_some(SLICE):
            self.clock.call_later(0.0, lambda: self._drain(loop))

    # -- state ----------------------------------------------------------------------------------

    def live(self) -> list[str]:
        """Why this instance does not work any more; empty while it does."""
        if self._ticked_at is not None and self.clock.monotonic() - self._ticked_at > STALLED:
            return [f"the event loop has not turned for {self.clock.monotonic() - self._ticked_at:.0f} s"]
        return []

    def readiness(self) -> list[str]:
        """Why no calls should be sent here now; empty when they may."""
        reasons = self.live()
        if self._ticked_at is None:
            reasons.append("not started")
        if self._stopping:
            reasons.append("stopping")
        return reasons

    def problems(self) -> list[str]:
        """What is wrong while calls go on, for people; empty when nothing is."""
        kept = self.keeping.problems() if self.keeping is not None else []
        told = self._alerting.problems() if self._alerting is not None else []
        return [*kept, *told, *self._lifecycle.problems()]

    async def check(self, names: Sequence[str] | None = None) -> list[CheckResult]:
        """Test the connectivity of HTTP APIs, four at a time; all of them without `names`."""
        roster = self.fallback.roster
        apis = [roster.api(name) for name in names] if names else [api for api in roster.apis.values() if api.is_http]
        gate = asyncio.Semaphore(4)

        async def one(api: Api) -> CheckResult:
            async with gate:
                return await check_api(api, self.http, self.authenticator(api), self.clock)

        return list(await asyncio.gather(*(one(api) for api in apis)))

    async def _probe(self, api: Api) -> CheckResult:
        return await check_api(api, self.http, self.authenticator(api), self.clock)

    def health_checks(self) -> dict[str, Any]:
        """The last probe of each API that declares one, JSON-ready."""
        return self.prober.view()

    def reload(self, settings: Settings) -> dict[str, Any]:
        """Take in new settings at once, for calls that begin from now on; state survives. Answers what changed.

        Calls in flight end on the old settings. Breakers, holds, quotas and statistics stay.
        """
        # The only step that can fail comes first.
        if self._alerting is not None:
            self._alerting.configure(settings)
        elif settings.channels:
            self._alerting_of(settings)
            self._run_alerting()
        changes = reload(self.fallback, self.settings, settings, self.prober)
        self.settings = settings
        self.reach.allow(settings.service.allow_networks)
        if self.keeping is not None:
            self.keeping.scheduler.schedules = dict(settings.reports)
        self._routes.clear()
        self.last_reload_at, self.last_reload_ok = self.clock.time(), True
        self.events.emit(Event("config.reloaded", self.clock.time(), detail=changes))
        return changes

    def reload_failed(self, reason: str) -> None:
        """A new configuration was refused; the old one stays. For `/metrics` and the event log."""
        self.last_reload_ok = False
        self.events.emit(Event("config.refused", self.clock.time(), detail={"reason": reason}))

    # -- other people's clients -------------------------------------------------------------------

    def httpx_transport(self, route: str, *, forward_credentials: bool = False) -> Any:
        """A transport for `httpx.AsyncClient(transport=…)`, or that of httpx2: its requests are served by `route`.

        Headers of the client that carry credentials go to an API of the URL's own origin only, unless
        `forward_credentials` is set.
        """
        from .clients.httpx import AsyncUnderstudyTransport

        return AsyncUnderstudyTransport(self, route, forward_credentials=forward_credentials)
