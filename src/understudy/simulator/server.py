"""One simulated API on its two ports, plain and TLS: connections in, answers or faults out."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
from collections.abc import Sequence
from functools import cache

from understudy.core.clock import Clock

from .answers import Answerer
from .catalogue import ApiSpec
from .certificates import server_context
from .connection import Connection
from .connections import Connections
from .delivery import deliver
from .faults import ActiveFaults, Fault, Mark, Plan
from .journal import Journal, Seen
from .listener import Listener
from .meter import Meter
from .season import Season
from .wire import MAX_HEAD, BadRequest, Request, refusal

#: The TLS record "fatal alert: handshake failure", which a TLS port says to one who speaks plainly.
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
#: Nothing in these differs between APIs, and few runs need them.
_bad_context = cache(server_context)


class ApiServer:
    """Serves one API from `start` to `stop`; `inject` and `clear` change how well."""

    def __init__(
        self, spec: ApiSpec, season: Season, keys: Sequence[str], seed: int, clock: Clock, host: str, scale: float
    ) -> None:
        self.spec = spec
        self.keys = tuple(keys)
        self.journal = Journal()
        self._season = season
        self._clock = clock
        self._host = host
        self._scale = scale
        self._seed = seed
        self._rng = random.Random(f"latency:{seed}:{spec.name}")
        self._faults = ActiveFaults(random.Random(f"faults:{seed}:{spec.name}"))
        #: Plain and TLS, while they are open.
        self._ports: tuple[Listener, ...] = ()
        self._all: tuple[Connections, ...] = ()
        self.notes: list[str] = []

    def start(self, port: int = 0, tls_port: int = 0) -> None:
        """Open both ports (0: any free one). Raises OSError when one is taken."""
        loop = asyncio.get_running_loop()
        context = server_context("valid")
        context.sni_callback = self._choose_certificate
        self._all = (Connections(self._serve_plain, self._clock), Connections(self._serve, self._clock, context))
        ports = tuple(Listener(loop, self._host, each.accepted, self._clock) for each in self._all)
        try:
            for listener, number in zip(ports, (port, tls_port), strict=True):
                listener.open(number)
        except BaseException:
            for listener in ports:
                listener.close()
            raise
        self._ports = ports
        first_reset = random.Random(f"plan:{self._seed}:{self.spec.name}").uniform(0.1, 0.9) * self.spec.window
        meter = Meter(self.spec, self._clock, first_reset)
        hosts = [self._host, *(f"{self._host}:{each.port}" for each in ports)]
        self._answers = Answerer(self.spec, self._season, self.keys, meter, self._clock, hosts)
        self._settle()  # a fault may have been injected before

    async def stop(self) -> None:
        """Close ports and connections and end the faults; nothing is left when it returns."""
        self._faults.clear()
        for port in self._ports:
            port.close()
        for connections in self._all:
            await connections.stop()

    @property
    def base_url(self) -> str:
        """Address of the plain port, with the API's prefix. Raises RuntimeError before the start."""
        return f"http://{self._host}:{self._number(0)}{self.spec.prefix}"

    @property
    def tls_url(self) -> str:
        """Address of the TLS port; its certificate is signed by the test authority."""
        return f"https://{self._host}:{self._number(1)}{self.spec.prefix}"

    def _number(self, place: int) -> int:
        if not self._ports:
            raise RuntimeError("the simulator has not been started: use `async with`, or `await start()`")
        return self._ports[place].port

    def faults(self) -> tuple[Fault, ...]:
        """What is active now, oldest first."""
        return self._faults.all()

    def inject(self, fault: Fault) -> Mark:
        """Make a fault active; answers by what to `end` this injection."""
        mark = self._faults.add(fault)
        if fault.level == "connect":
            self._settle()
        return mark

    def end(self, mark: Mark) -> None:
        """End this very injection, unless it has been replaced or cleared."""
        if self._faults.remove(mark) and mark.fault.level == "connect":
            self._settle()

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()
        self._settle()

    def _settle(self) -> None:
        """Bring the ports into the state that the faults ask for."""
        self.notes.clear()
        fault = self._faults.connect()
        kind = fault.kind if fault is not None else ""
        for port in self._ports:
            if kind == "refuse":
                port.refuse()
            elif kind != "blackhole":
                port.serve()
            elif not port.swallow():
                self.notes.append("this platform lets clients connect to a full port; they are never served")
        if kind in ("refuse", "tls"):
            for connections in self._all:
                connections.reset_all()

    def _choose_certificate(
        self, sock: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        fault = self._faults.connect()
        if fault is None or fault.kind != "tls":
            return None
        if fault.text("mode") == "handshake":
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
        sock.context = _bad_context(fault.text("mode"))
        return None

    async def _serve_plain(self, conn: Connection) -> None:
        fault = self._faults.connect()
        if fault is not None and fault.kind == "tls":
            # A TLS stack reads what it takes for a greeting; closing on unread bytes would be a reset.
            await conn.reader.read(MAX_HEAD)
            await conn.send(_TLS_ALERT)
            return
        await self._serve(conn)

    async def _serve(self, conn: Connection) -> None:
        self.journal.connections += 1
        keep = True
        while keep:
            try:
                request = await conn.request()
            except BadRequest as error:
                await conn.refuse(refusal(error))
                return
            if request is None:
                return
            fault = self._faults.connect()
            if fault is not None and fault.kind == "blackhole":
                # The network swallowed it: the API never saw this request.
                await conn.until_gone()
                return
            keep = await self._handle(conn, request)

    async def _handle(self, conn: Connection, request: Request) -> bool:
        probe = self._answers.is_probe(request)
        key = self._answers.key_of(request)
        seen = Seen(request.method, self._answers.shown_path(request), key, probe, self._clock.time())
        self.journal.arrived(seen)
        self.journal.begin()
        try:
            plan = self._faults.plan(probe, key)
            return await self._answer(conn, request, seen, plan)
        finally:
            conn.served += 1
            self.journal.end()

    async def _answer(self, conn: Connection, request: Request, seen: Seen, plan: Plan) -> bool:
        await conn.wait(self._latency(seen.probe) + plan.delay)
        response = self._answers.answer(request, seen.key, plan.answer)
        conn.told = False
        try:
            return await deliver(
                conn,
                response,
                plan.wire,
                self._clock,
                keep=request.keep_alive,
                bodiless=request.method == "HEAD" or response.bodiless,
            )
        finally:
            if conn.told:
                seen.status = response.status

    def _latency(self, probe: bool) -> float:
        """A status path answers from memory: a tenth of the time of the facts."""
        drawn = self._rng.lognormvariate(math.log(self.spec.latency), self.spec.spread)
        return drawn * self._scale * (0.1 if probe else 1.0)
