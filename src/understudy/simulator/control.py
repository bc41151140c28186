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

from understudy.core.errors import UnderstudyError

from .connection import Connection
from .connections import Connections
from .faults import Fault
from .listener import Listener
from .wire import BadRequest, Request, Response, read_request


class Controlled(Protocol):
    """What the control port needs of the simulator."""

    def inject(self, api: str, fault: Fault, for_seconds: float | None = None) -> None: ...
    def clear(self, api: str = "*") -> None: ...
    def state(self) -> dict[str, Any]: ...


class ControlServer:
    """Serves the control port from `start` to `stop`."""

    def __init__(self, simulator: Controlled, host: str) -> None:
        self._simulator = simulator
        self._host = host
        self._connections = Connections(self._serve)
        self._port: Listener | None = None

    def start(self, port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        listener = Listener(asyncio.get_running_loop(), self._host, self._connections.accepted)
        listener.open(port)
        self._port = listener

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._port is not None:
            self._port.close()
        await self._connections.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._host}:{self._port.port if self._port else 0}"

    async def _serve(self, conn: Connection) -> None:
        keep = True
        while keep:
            try:
                request = await read_request(conn.reader)
                if request is None:
                    return
                keep = request.keep_alive
                status, answer = self._answer(request)
            except BadRequest as error:
                status, answer, keep = error.status, {"error": str(error)}, False
            response = Response(status, [("Content-Type", "application/json")], json.dumps(answer).encode())
            await conn.send(response.head(response.length(), keep) + response.body)

    def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        # A page in a browser reaches loopback too: a name that was rebound to it shows in Host.
        if request.headers.get("host", "") not in (self._host, self.url.removeprefix("http://")):
            return 403, {"error": "the Host header does not name this port"}
        try:
            return self._act(request)
        except (UnderstudyError, ValueError) as error:
            return 400, {"error": str(error)}

    def _act(self, request: Request) -> tuple[int, dict[str, Any]]:
        match request.method, request.path:
            case "GET", "/control/state":
                return 200, self._simulator.state()
            case "POST", "/control/faults":
                self._inject(request)
                return 201, self._simulator.state()
            case "DELETE", "/control/faults":
                self._simulator.clear(request.query.get("api", "*"))
                return 200, self._simulator.state()
        return 404, {"error": "GET /control/state, POST or DELETE /control/faults"}

    def _inject(self, request: Request) -> None:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise BadRequest(400, "send application/json")  # also keeps out forms of foreign pages
        wish = json.loads(request.body)
        if not isinstance(wish, dict) or not isinstance(wish.get("fault"), str):
            raise BadRequest(400, 'expected an object: "api", "fault", perhaps "params", "share", "probes", "for"')
        api, for_seconds, params = wish.get("api", "*"), wish.get("for"), wish.get("params", {})
        if not isinstance(api, str) or not isinstance(params, dict):
            raise BadRequest(400, '"api" is a name, "params" an object')
        if for_seconds is not None and (isinstance(for_seconds, bool) or not isinstance(for_seconds, int | float)):
            raise BadRequest(400, '"for" is a number of seconds')
        extra = {name: wish[name] for name in ("share", "probes") if name in wish}
        if extra.keys() & params.keys() or "kind" in params:
            raise BadRequest(400, '"share" and "probes" belong beside "params", "kind" nowhere')
        self._simulator.inject(api, Fault(wish["fault"], **extra, **params), for_seconds)
