"""The simulator: all its APIs, their faults on command and on schedule, and the control port."""

from __future__ import annotations

import asyncio
import difflib
import ipaddress
import json
import random
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from understudy.core.clock import SYSTEM_CLOCK, Clock, Timer
from understudy.core.errors import OptionError, UnknownName

from .catalogue import CATALOGUE, HUB, ApiSpec
from .control import ControlServer
from .faults import Fault
from .journal import Seen
from .scenarios import Scenario
from .season import Season
from .server import ApiServer


class Simulator:
    """Seven football-data APIs as real HTTP servers on loopback.

    `apis` names those wanted (all by default). `latency_scale` multiplies their natural latencies;
    0 answers at once. With `port_base`, API n (in the order of the catalogue) takes `port_base + n`,
    its TLS port `port_base + 10 + n` and the control port `port_base + 20`; otherwise ports are free
    ones. One `seed` gives the same facts, keys, latencies and chances again. Belongs to the loop that
    ran `start`; that loop must offer `add_reader` (on Windows: a selector loop, as `SimulatorThread` uses).

    Raises `OptionError` for a `host` that is not an IPv4 address of this machine's loopback, and for other
    arguments out of range, `UnknownName` for an unknown API.
    """

    def __init__(
        self,
        seed: int = 7,
        apis: Sequence[str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        host: str = "127.0.0.1",
        *,
        latency_scale: float = 1.0,
        port_base: int = 0,
    ) -> None:
        _check(host, latency_scale, port_base)
        self.seed = seed
        self._clock = clock
        self._port_base = port_base
        self._timers: dict[object, Timer] = {}
        self._started: list[ApiServer] = []
        self.scenario: Scenario | None = None
        season = Season.draw(seed)
        specs = [_spec(name) for name in (CATALOGUE if apis is None else apis)]
        keys = _keys(seed)
        self._servers = {
            spec.name: ApiServer(spec, season, keys[spec.hub or spec.name], seed, clock, host, latency_scale)
            for spec in specs
        }
        #: The keys of each API, aliases `key1` and `key2`; those of the hub serve all APIs behind it.
        self.keys: dict[str, tuple[str, ...]] = {name: server.keys for name, server in self._servers.items()}
        self._control = ControlServer(self, host, clock)

    async def start(self) -> None:
        """Open all ports. Raises OSError when one is taken; none is left open then.

        Raises RuntimeError when it has been started already.
        """
        if self._started:
            raise RuntimeError("the simulator has been started already")
        base = self._port_base
        names = list(CATALOGUE)
        try:
            for name, server in self._servers.items():
                index = names.index(name)
                server.start(base + index if base else 0, base + 10 + index if base else 0)
                self._started.append(server)
            self._control.start(base + 20 if base else 0)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything; no task, timer or socket is left when it returns."""
        self._cancel_timers()
        await self._control.stop()
        await asyncio.gather(*(server.stop() for server in self._started))
        self._started.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def base_urls(self) -> dict[str, str]:
        """Where each API is reached, with its prefix; `/status` below it is the free probe."""
        return {name: server.base_url for name, server in self._servers.items()}

    def overrides(self) -> list[str]:
        """What `understudy.config.load(overrides=…)` has to be told to find these APIs: addresses and keys."""
        told = [f"apis.{name}.base_url={url}" for name, url in self.base_urls.items()]
        return told + [f"apis.{name}.auth.keys={json.dumps(list(keys))}" for name, keys in self.keys.items()]

    @property
    def tls_urls(self) -> dict[str, str]:
        """The same over TLS, signed by `understudy.simulator.CA_FILE`."""
        return {name: server.tls_url for name, server in self._servers.items()}

    @property
    def control_url(self) -> str:
        """Where faults are injected over HTTP."""
        return self._control.url

    def inject(self, api: str, fault: Fault, for_seconds: float | None = None) -> None:
        """Make a fault active on an API, on all behind the `hub`, or on all (`*`).

        It ends after `for_seconds`, or with `clear`. Raises `UnknownName` for an unknown API and
        `OptionError` for a hub failure of an API that no hub stands before.
        """
        for server in self._struck(api, fault, for_seconds):
            mark = server.inject(fault)
            if for_seconds is not None:
                self._later(for_seconds, partial(server.end, mark))

    def clear(self, api: str = "*") -> None:
        """End the faults of an API, of the `hub`'s APIs, or of all; what is scheduled still comes."""
        for server in self._targets(api):
            server.clear()

    def play(self, scenario: Scenario) -> None:
        """Start a scenario now, in place of one that plays; faults it has begun are ended.

        Raises what `inject` would for one of its events, before anything has changed.
        """
        for event in scenario.events:  # told now, not in the middle of the story
            self._struck(event.api, event.fault, event.duration)
        self._cancel_timers()
        self.clear()
        self.scenario = scenario
        for event in scenario.events:
            begin = partial(self.inject, event.api, event.fault, event.duration)
            if event.at <= 0:
                begin()
            else:
                self._later(event.at, begin)

    def requests(self, api: str) -> int:
        """Requests that the API has read; probes of the status path are not among them."""
        return self._server(api).journal.requests

    def probes(self, api: str) -> int:
        """Requests for the free status path."""
        return self._server(api).journal.probes

    def log(self, api: str) -> tuple[Seen, ...]:
        """The last thousand requests, oldest first, probes among them."""
        return tuple(self._server(api).journal.last)

    def state(self) -> dict[str, Any]:
        """Everything as JSON-ready values; no key among them."""
        return {
            "seed": self.seed,
            "scenario": self.scenario.name if self.scenario else None,
            "apis": {
                name: {
                    "url": server.base_url, "tls_url": server.tls_url, "hub": server.spec.hub,
                    "faults": [fault.as_dict() for fault in server.faults()], "notes": list(server.notes),
                    **server.journal.as_dict(),
                }
                for name, server in self._servers.items()
            },
        }  # fmt: skip

    def _struck(self, api: str, fault: Fault, for_seconds: float | None) -> list[ApiServer]:
        if for_seconds is not None and not 0 < for_seconds <= 86_400:
            raise OptionError("inject", "for_seconds", for_seconds, "more than 0, at most 86400")
        servers = self._targets(api)
        if fault.kind == "hub_failure" and not all(server.spec.hub for server in servers):
            raise OptionError("inject", "api", api, f"an API behind the hub, or {HUB!r}")
        return servers

    def _server(self, api: str) -> ApiServer:
        return self._servers[_known(api, self._servers)]

    def _targets(self, api: str) -> list[ApiServer]:
        if api == "*":
            return list(self._servers.values())
        if api == HUB:
            return [server for server in self._servers.values() if server.spec.hub]
        return [self._server(api)]

    def _later(self, seconds: float, action: partial[None]) -> None:
        mark = object()

        def due() -> None:
            del self._timers[mark]
            action()

        self._timers[mark] = self._clock.call_later(seconds, due)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


def _check(host: str, latency_scale: float, port_base: int) -> None:
    try:
        here = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        here = False
    if not here:
        raise OptionError("Simulator", "host", host, "an IPv4 address of loopback, as 127.0.0.1")
    if not 0 <= latency_scale <= 1e6:
        raise OptionError("Simulator", "latency_scale", latency_scale, "a number from 0 to 1e6")
    if port_base and not 1024 <= port_base <= 65_500:
        raise OptionError("Simulator", "port_base", port_base, "0, or a port from 1024 to 65500")


def _spec(name: str) -> ApiSpec:
    return CATALOGUE[_known(name, CATALOGUE)]


def _known(name: str, names: dict[str, Any]) -> str:
    if name not in names:
        raise UnknownName("simulated API", name, next(iter(difflib.get_close_matches(name, names, 1)), ""))
    return name


def _keys(seed: int) -> dict[str, tuple[str, str]]:
    """Two keys of each account: one account at the hub, one at each API outside it."""
    accounts = dict.fromkeys(spec.hub or spec.name for spec in CATALOGUE.values())
    return {
        account: (f"sim-{account}-1-{rng.getrandbits(64):016x}", f"sim-{account}-2-{rng.getrandbits(64):016x}")
        for account in accounts
        for rng in [random.Random(f"keys:{seed}:{account}")]
    }
