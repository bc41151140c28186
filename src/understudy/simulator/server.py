"""One simulated API on its two ports, plain and TLS: connections in, answers or faults out."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
from collections.abc import Sequence

from understudy.core.clock import Clock

from .answers import Answerer
from .catalogue import ApiSpec
from .certificates import server_context
from .connection import Connection
from .connections import Connections
from .delivery import deliver
from .faults import ActiveFaults, Fault, Plan
from .journal import Journal, Seen
from .listener import Listener
from .meter import Meter
from .season import Season
from .wire import MAX_HEAD, BadRequest, Request, Response, read_request

#: The TLS record "fatal alert: handshake failure", which a TLS port says to one who speaks plainly.
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
_BAD_CERTIFICATES = ("expired", "self_signed", "wrong_host")


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
        self._plain = Connections(self._serve_plain)
        self._bad: dict[str, ssl.SSLContext] = {}
        self.notes: list[str] = []

    def start(self, port: int = 0, tls_port: int = 0) -> None:
        """Open both ports (0: any free one). Raises OSError when one is taken."""
        loop = asyncio.get_running_loop()
        self._bad = {name: server_context(name) for name in _BAD_CERTIFICATES}
        context = server_context("valid")
        context.sni_callback = self._choose_certificate
        self._secure = Connections(self._serve, context)
        self._port = Listener(loop, self._host, self._plain.accepted)
        self._tls_port = Listener(loop, self._host, self._secure.accepted)
        self._port.open(port)
        try:
            self._tls_port.open(tls_port)
        except OSError:
            self._port.close()
            raise
        first_reset = random.Random(f"plan:{self._seed}:{self.spec.name}").uniform(0.1, 0.9) * self.spec.window
        meter = Meter(self.spec, self._clock, first_reset)
        hosts = [self._host, *(f"{self._host}:{p.port}" for p in (self._port, self._tls_port))]
        self._answers = Answerer(self.spec, self._season, self.keys, meter, self._clock, hosts)

    async def stop(self) -> None:
        """Close ports and connections; nothing is left when it returns."""
        self._port.close()
        self._tls_port.close()
        await self._plain.stop()
        await self._secure.stop()

    @property
    def base_url(self) -> str:
        """Address of the plain port, with the API's prefix."""
        return f"http://{self._host}:{self._port.port}{self.spec.prefix}"

    @property
    def tls_url(self) -> str:
        """Address of the TLS port; its certificate is signed by the test authority."""
        return f"https://{self._host}:{self._tls_port.port}{self.spec.prefix}"

    def faults(self) -> tuple[Fault, ...]:
        """What is active now, oldest first."""
        return self._faults.all()

    def inject(self, fault: Fault) -> None:
        """Make a fault active."""
        self._faults.add(fault)
        if fault.level == "connect":
            self._settle()

    def end(self, fault: Fault) -> None:
        """End this very fault, unless it has been replaced or cleared."""
        self._faults.remove(fault)
        if fault.level == "connect":
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
        for port in (self._port, self._tls_port):
            if kind == "refuse":
                port.refuse()
            elif kind != "blackhole":
                port.serve()
            elif not port.swallow():
                self.notes.append("this platform lets clients connect to a full port; they are never served")
        if kind in ("refuse", "tls"):
            self._plain.reset_all()
            self._secure.reset_all()

    def _choose_certificate(
        self, sock: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        fault = self._faults.connect()
        if fault is None or fault.kind != "tls":
            return None
        if fault.text("mode") == "handshake":
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
        sock.context = self._bad[fault.text("mode")]
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
                request = await read_request(conn.reader)
            except BadRequest as error:
                await conn.send(Response(error.status, body=str(error).encode()).head(None, keep=False))
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
        await self._clock.sleep(self._latency(seen.probe) + plan.delay)
        response = self._answers.answer(request, seen.key, plan.answer)
        conn.told = False
        try:
            return await deliver(
                conn,
                response,
                plan.wire,
                self._clock,
                keep=request.keep_alive,
                bodiless=request.method == "HEAD",
            )
        finally:
            if conn.told:
                seen.status = response.status

    def _latency(self, probe: bool) -> float:
        """A status path answers from memory: a tenth of the time of the facts."""
        drawn = self._rng.lognormvariate(math.log(self.spec.latency), self.spec.spread)
        return drawn * self._scale * (0.1 if probe else 1.0)
