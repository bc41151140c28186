"""The control port: faults over HTTP, for people and programs outside the process.

GET    /control/state                     everything the simulator knows
POST   /control/faults                    {"api": "odds_prime", "fault": "status",
                                           "params": {"status": 502}, "for": 30}
DELETE /control/faults[?api=odds_prime]   end them
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from understudy.core.clock import Clock
from understudy.core.errors import UnderstudyError

from .connection import Connection
from .connections import Connections
from .faults import Fault
from .listener import Listener
from .wire import BadRequest, Request, Response

#: Most bytes of a wish; what is longer is none.
MAX_WISH = 64 * 1024
_KNOWN = ("api", "fault", "params", "share", "probes", "for")


class Controlled(Protocol):
    """What the control port needs of the simulator."""

    def inject(self, api: str, fault: Fault, for_seconds: float | None = None) -> None: ...
    def clear(self, api: str = "*") -> None: ...
    def state(self) -> dict[str, Any]: ...


class ControlServer:
    """Serves the control port from `start` to `stop`."""

    def __init__(self, simulator: Controlled, host: str, clock: Clock) -> None:
        self._simulator = simulator
        self._host = host
        self._clock = clock
        self._connections = Connections(self._serve, clock)
        self._port: Listener | None = None

    def start(self, port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        listener = Listener(asyncio.get_running_loop(), self._host, self._connections.accepted, self._clock)
        listener.open(port)
        self._port = listener

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._port is not None:
            self._port.close()
        await self._connections.stop()

    @property
    def url(self) -> str:
        """Where it listens. Raises RuntimeError before the start."""
        if self._port is None:
            raise RuntimeError("the simulator has not been started: use `async with`, or `await start()`")
        return f"http://{self._host}:{self._port.port}"

    async def _serve(self, conn: Connection) -> None:
        keep = True
        while keep:
            try:
                request = await conn.request()
            except BadRequest as error:
                await conn.refuse(_whole(error.status, {"error": str(error)}, keep=False))
                return
            if request is None:
                return
            keep = request.keep_alive
            status, answer = self._answer(request)
            await conn.send(_whole(status, answer, keep=keep))

    def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        # A page in a browser reaches loopback too: a name that was rebound to it shows in Host.
        if request.headers.get("host", "") not in (self._host, self.url.removeprefix("http://")):
            return 403, {"error": "the Host header does not name this port"}
        try:
            return self._act(request)
        except BadRequest as error:
            return error.status, {"error": str(error)}
        except (UnderstudyError, ValueError) as error:
            return 400, {"error": str(error)[:500]}

    def _act(self, request: Request) -> tuple[int, dict[str, Any]]:
        match request.method, request.path:
            case "GET", "/control/state":
                return 200, self._simulator.state()
            case "POST", "/control/faults":
                self._inject(request)
                return 201, self._simulator.state()
            case "DELETE", "/control/faults":
                if request.query.keys() - {"api"}:  # a misspelt name must not end the faults of all
                    raise BadRequest(400, "the only parameter is api")
                self._simulator.clear(request.query.get("api", "*"))
                return 200, self._simulator.state()
        return 404, {"error": "GET /control/state, POST or DELETE /control/faults"}

    def _inject(self, request: Request) -> None:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise BadRequest(400, "send application/json")  # also keeps out forms of foreign pages
        if len(request.body) > MAX_WISH:
            raise BadRequest(413, f"a wish has at most {MAX_WISH} bytes")
        try:
            wish = json.loads(request.body)
        except RecursionError:
            raise BadRequest(400, "nested too deeply") from None
        except ValueError as error:
            raise BadRequest(400, f"no JSON: {error}") from None
        if not isinstance(wish, dict) or not isinstance(wish.get("fault"), str):
            raise BadRequest(400, 'expected an object: "api", "fault", perhaps "params", "share", "probes", "for"')
        if unknown := ", ".join(sorted(wish.keys() - set(_KNOWN))):
            raise BadRequest(400, f"unknown: {unknown[:100]}; known are {', '.join(_KNOWN)}")
        api, for_seconds, params = wish.get("api", "*"), wish.get("for"), wish.get("params", {})
        if not isinstance(api, str) or not isinstance(params, dict):
            raise BadRequest(400, '"api" is a name, "params" an object')
        if for_seconds is not None and (isinstance(for_seconds, bool) or not isinstance(for_seconds, int | float)):
            raise BadRequest(400, '"for" is a number of seconds')
        extra = {name: wish[name] for name in ("share", "probes") if name in wish}
        if params.keys() & {"share", "probes", "kind", "self"}:
            raise BadRequest(400, '"share" and "probes" belong beside "params", "kind" and "self" nowhere')
        self._simulator.inject(api, Fault(wish["fault"], **extra, **params), for_seconds)


def _whole(status: int, answer: dict[str, Any], *, keep: bool) -> bytes:
    response = Response(status, [("Content-Type", "application/json")], json.dumps(answer).encode())
    return response.head(response.length(), keep) + response.body
