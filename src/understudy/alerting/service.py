"""Puts alerts and notifications together for one application, and runs them."""

from __future__ import annotations

import atexit
import logging
import random
import secrets
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from understudy.alerts.context import Grouping, Handling
from understudy.alerts.defaults import default_rules
from understudy.alerts.manager import AlertManager
from understudy.alerts.options import AlertOptions
from understudy.cluster.roles import ALERTS, Roles
from understudy.core.clock import Clock, pause
from understudy.core.errors import StoreUnavailable
from understudy.core.events import EventBus
from understudy.core.http import HttpClient
from understudy.core.lease import Lease
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.reach import PUBLIC
from understudy.core.secrets import Secret
from understudy.core.turn import Slices
from understudy.lifecycle import Lifecycle
from understudy.monitor import PerformanceMonitor
from understudy.notifications.links import Signer, linker
from understudy.notifications.manager import NotificationManager
from understudy.notifications.planning import CALLBACK
from understudy.notifications.policy import Policies
from understudy.notifications.ports import Channel
from understudy.resilience import FallbackManager
from understudy.storage.memory import MemoryStore
from understudy.storage.options import StorageOptions

from .drills import Drilled, Drills
from .elsewhere import Elsewhere
from .facts import Facts
from .late import Late, LateHttp
from .past import take_up
from .pulse import Pulse
from .recorder import MonitorRecorder
from .signals import Touched
from .source import LiveSource
from .tally import Tallies

if TYPE_CHECKING:
    from understudy.app import Understudy
    from understudy.channels.options import ChannelOptions
    from understudy.config.settings import Settings
    from understudy.storage.store import Store

_log = logging.getLogger("understudy.alerting")

#: A program without a store remembers alerts that have ended, and what was sent, for that long, s.
_REMEMBERED = 86_400
#: How often it forgets what is older, s.
_FORGET_EVERY = 300.0
#: A channel that was replaced is closed after that long, s: by then every send with it has ended.
_CLOSED_AFTER = 60.0
#: What the key of links is kept under.
_LINK_KEY = "links:key"


class Alerting:
    """Alerts and notifications of one application.

    With `keep` they live in the store, from `open` on; without, in memory. `permits` says to which addresses
    channels without `allow_private` may connect; `another` makes the application that a drill is played in.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        fallback: FallbackManager,
        monitor: PerformanceMonitor,
        events: EventBus,
        *,
        instance: str,
        keep: bool,
        http: HttpClient | None = None,
        permits: Callable[[str], bool] = PUBLIC,
        another: Callable[..., Understudy] | None = None,
    ) -> None:
        self._clock = clock
        self._permits = permits
        self._rng = rng
        self._fallback = fallback
        self._monitor = monitor
        self._events = events
        self._given_http = http
        self._outward: Any = None
        self._memory = None if keep else MemoryStore(clock, _forgetful())
        self._alerts = Late(self._memory.alerts if self._memory is not None else None)
        self._outbox = Late(self._memory.outbox if self._memory is not None else None)
        self._documents = Late(self._memory.documents if self._memory is not None else None)
        self._state = Late(self._memory.state if self._memory is not None else None)
        self._roles: Roles | None = None
        self._configured: dict[str, tuple[Any, Channel]] = {}
        self._added: dict[str, Channel] = {}
        self._retired: list[tuple[float, Channel]] = []
        self._settings: Settings | None = None
        self._watching = False
        #: What makes and reads the signed links of messages; None where there is no secret yet.
        self.signer: Signer | None = None
        self.tallies = Tallies(clock, self._hub_of, fallback.roster.price_of)
        self.elsewhere = Elsewhere(clock, None)
        self.source = LiveSource(clock, fallback, monitor, self.tallies, self.elsewhere)
        #: How the services behind the channels do: apart from the APIs, which are what alerts are about.
        self.sending = PerformanceMonitor(clock)
        self.notifications = NotificationManager(
            cast(Any, self._outbox), clock, rng, instance=instance, state=cast(Any, self._state),
            http=LateHttp(lambda: self._http("", "")), recorder=MonitorRecorder(self.sending), active=self._is_active,
        )  # fmt: skip
        self.manager = AlertManager(
            self.source, clock, make_id=self.notifications.make_id, store=cast(Any, self._alerts),
            documents=cast(Any, self._documents), outlet=self.notifications, options=AlertOptions(),
            defaults=default_rules(), instance=instance, active=self._is_active, lease=self._lease,
            handling=self._handling,
        )  # fmt: skip
        self.manager.drain = monitor.drain_in_turns
        facts = Facts(fallback, self.source.gauges, self.source.gauges.coverage, lambda: self.manager.failing)
        self.manager.tell_beside(facts)
        touched = self._touched = Touched(fallback, self.source.labels_of)
        self.pulse = Pulse(
            clock, self.manager, self.source, self.tallies, self.elsewhere, touched, monitor.drain_in_turns, instance
        )
        self.drills = self._scheduled(another)
        self._gauge_ourselves()
        self._alone(not keep)

    def _alone(self, alone: bool) -> None:
        """Whether no other instance can have a hand in what is stored."""
        self.manager.alone = alone
        self.notifications.alone(alone)

    def _gauge_ourselves(self) -> None:
        """What the rules that watch Understudy itself are about."""
        self.notifications.made_by(self.pulse.stalled)
        self.source.gauges.of_all.update(
            dead_letters=lambda: float(self.notifications.dead),
            oldest_critical=lambda: self.notifications.oldest_critical,
            rules_failing=lambda: float(len(self.manager.failing)),
        )

    def _scheduled(self, another: Callable[..., Understudy] | None) -> Drills:
        return Drills(
            self._clock, cast(Any, self._state), lambda: self.notifications.options, self._channels, self._is_active,
            partial(self._drilled, another) if another is not None else None,
        )  # fmt: skip

    def _hub_of(self, api: str) -> str:
        return self.source.hub_of(api)

    def _is_active(self) -> bool:
        """Whether this instance evaluates and delivers.

        The one that did when the store went away goes on: told twice is better than not told.
        """
        return self._roles is None or self._roles.held(ALERTS) is not None or self._roles.adrift(ALERTS)

    def _lease(self) -> Lease | None:
        if self._roles is None:
            return None
        lease = self._roles.held(ALERTS)
        if lease is None:
            raise StoreUnavailable("the store is away, and so the role of evaluating alerts cannot be renewed")
        return lease

    def _handling(self, labels: Mapping[str, str]) -> Handling:
        """What the notification policy says that alerts with these labels fall under first."""
        severity = Severity(labels.get("severity", Severity.WARNING))
        rule = labels.get("rule", "")
        notice = Notice("", NoticeKind.FIRED, severity, self._clock.time(), rule, rule=rule, labels=labels)
        policy = self.notifications.route(notice, labels).options
        grouping = Grouping(policy.group_by, policy.group_wait, policy.group_interval) if policy.group_by else None
        return Handling(policy.escalation, grouping)

    # -- configuration ----------------------------------------------------------------------------

    def configure(self, settings: Settings) -> None:
        """Go on with these settings. Channels whose options stay the same stay, with what they are sending.

        Raises:
            OptionError, SilenceError, NotInstalled: something in them cannot be used; nothing has changed.
        """
        made = {name: self._made(name, options) for name, options in settings.channels.items()}
        Policies(settings.policies)  # refused before anything is changed
        self.manager.configure(settings.alerts, default_rules(settings.alerts), settings.environment)
        self.notifications.set_policies(settings.policies)
        self.notifications.options = settings.notifications
        kept = {id(channel) for _, channel in made.values()}
        until = self._clock.monotonic() + _CLOSED_AFTER
        self._retired += [(until, each) for _, each in self._configured.values() if id(each) not in kept]
        self._configured = made
        self._settings = settings
        self._apply()

    def _made(self, name: str, options: ChannelOptions) -> tuple[Any, Channel]:
        known = self._configured.get(name)
        if known is not None and known[0] == options:
            return known
        return options, self._build(name, options)

    def _build(self, name: str, options: ChannelOptions) -> Channel:
        from understudy.channels import build
        from understudy.channels.options import ChannelDeps

        return build(name, options, ChannelDeps(self._clock, self._rng, self._http, self._permits))

    def add_channel(self, name: str, channel: ChannelOptions | Channel) -> None:
        """Deliver to one more channel, from options or as it is; under a known name, in place of that one.

        Raises:
            OptionError, NotInstalled: the options cannot be used.
        """
        from understudy.channels.options import ChannelOptions

        made = self._build(name, channel) if isinstance(channel, ChannelOptions) else channel
        before = self._added.get(name)
        if before is not None and before is not made:
            self._retired.append((self._clock.monotonic() + _CLOSED_AFTER, before))
        self._added[name] = made
        self._apply()

    def _channels(self) -> dict[str, Channel]:
        configured = {name: channel for name, (_, channel) in self._configured.items()}
        return {**configured, **self._added}

    async def _drilled(
        self, another: Callable[..., Understudy], channels: Mapping[str, Channel], *, pagers: bool
    ) -> Drilled:
        from understudy.drilling import drilled  # few programs have drills

        return await drilled(another, self._clock, channels, pagers=pagers)

    def _apply(self) -> None:
        self.notifications.set_channels(self._channels())
        self._link()

    def _link(self) -> None:
        options = self.notifications.options
        self.notifications.set_links(linker(self.signer, options.public_url, lambda: options.link_valid))

    def _http(self, ca_file: str, proxy: str) -> HttpClient:
        if self._given_http is not None:
            return self._given_http
        if self._outward is None:
            from understudy.clients.outward import OutwardClients

            self._outward = OutwardClients(self._clock, self._permits)
        client: HttpClient = self._outward(ca_file, proxy)
        return client

    # -- life -------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Count what happens from now on, and note events; costs calls nothing."""
        if not self._watching:
            self._watching = True
            self._events.subscribe(self._touched.heard)
            if self._memory is not None:
                atexit.register(undelivered, weakref.ref(self.notifications))
        self._monitor.watch_with(self.tallies)

    async def open(self, store: Store, roles: Roles) -> None:
        """Live in the store from now on; of several services on it, the one with the role evaluates and delivers."""
        self._alerts.open(store.alerts)
        self._outbox.open(store.outbox)
        self._documents.open(store.documents)
        self._state.open(store.state)
        self._roles = roles
        self._alone(roles.alone)
        self.manager.on_lease_lost = roles.ask_again
        self.elsewhere.use(store.rollups)
        slices = Slices(self._clock.monotonic)
        await take_up(self.tallies, store.rollups, self._clock, self.manager.longest_window, slices.breath)
        await self._open_links()

    async def _open_links(self) -> None:
        """Sign links with the service's secret key, or with a key of our own that the store keeps."""
        settings = self._settings
        key = settings.service.secret_key if settings is not None else None
        if key is None or len(key.reveal()) < 16:
            try:
                kept = (await self._state.load(_LINK_KEY)).get(_LINK_KEY)
                if kept is None:
                    kept = secrets.token_urlsafe(32)
                    await self._state.save({_LINK_KEY: kept})
            except StoreUnavailable as problem:
                _log.warning("messages have no links to acknowledge with: %s", problem)
                return
            key = Secret(str(kept))
        self.signer = Signer(key, self._clock)
        self._link()

    def start(self, lifecycle: Lifecycle, drain: Callable[[], float]) -> None:
        """Run on the loop that runs now until the application stops; `drain` is how long sends may take then."""
        self.watch()
        lifecycle.on_stop("channels", self._close_channels)
        lifecycle.background("notifications", self.notifications.run)
        lifecycle.on_stop("deliveries", lambda: self.notifications.stop(drain()))
        lifecycle.background("forgetting", self._forget)
        lifecycle.background("alerts", self.pulse.run)
        lifecycle.background("drills", self.drills.run)

    async def _forget(self) -> None:
        while True:
            await pause(self._clock, _CLOSED_AFTER)
            await self._close_retired()
            if self._memory is not None:
                await self._memory.upkeep()

    async def _close_retired(self, *, all_of_them: bool = False) -> None:
        now = self._clock.monotonic()
        due = [channel for until, channel in self._retired if all_of_them or now >= until]
        self._retired = [each for each in self._retired if each[1] not in due]
        for channel in due:
            await channel.close()

    async def _close_channels(self) -> None:
        await self._close_retired(all_of_them=True)
        for channel in (*(channel for _, channel in self._configured.values()), *self._added.values()):
            await channel.close()
        if self._outward is not None:
            await self._outward.close()
        self._monitor.watch_with(None)

    def closed(self) -> None:
        """The application has stopped: what lived in the store is out of reach until `open`."""
        if self._memory is None:
            for part in (self._alerts, self._outbox, self._documents, self._state):
                part.close()

    def problems(self) -> list[str]:
        """What is wrong with alerts and notifications, for people; empty when nothing is."""
        return [*self.manager.problems(), *self.notifications.problems(), *self.drills.problems()]


def undelivered(of: weakref.ref[NotificationManager]) -> None:
    """Say what a program takes with it when it ends: without a store, what waits then is never sent."""
    notifications = of()
    views = notifications.channels() if notifications is not None else {}
    waiting = {name: view.waiting - view.in_flight for name, view in views.items() if view.waiting > view.in_flight}
    if waiting:
        told = ", ".join(f"{count} for {name}" for name, count in waiting.items())
        _log.warning("the program ends with messages that were not delivered, and are lost: %s", told)
    # A callback is the program's own: it knows how far that came.
    flying = {name: view.in_flight for name, view in views.items() if view.in_flight and view.kind != CALLBACK}
    if flying:
        told = ", ".join(f"{count} for {name}" for name, count in flying.items())
        _log.warning("the program ends while messages are being sent, which may not arrive: %s", told)


def _forgetful() -> StorageOptions:
    return StorageOptions(url="memory:", keep_alerts=_REMEMBERED, keep_deliveries=_REMEMBERED)
