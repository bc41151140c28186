"""The HTTP client of the call path: `core.http.HttpClient` on aiohttp's connector and parser.

`ClientSession.request` is not used: it repeats GET, PUT and DELETE silently after a lost connection,
follows redirects, keeps cookies and sets timers. We drive its parts ourselves (connector, request,
response), so that one `send` is one request on the wire and every fault is known by its stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiohttp
from aiohttp import hdrs
from yarl import URL

from understudy.core.clock import SYSTEM_CLOCK, Clock
from understudy.core.errors import ConnectFailed, ConnectionLost, TransportError, UnderstudyError
from understudy.core.http import BodyFactory, HttpRequest, mark_unsent
from understudy.core.proxy import Proxy
from understudy.core.reach import PUBLIC

from .aiohttp_addresses import CheckedResolver, Permits, checked_literal
from .aiohttp_faults import connect_fault, headers_fault, unsendable
from .aiohttp_response import AiohttpResponse, Flight
from .decode import OFFERED
from .wheel import Wheel

#: Seconds that an idle connection is kept for the next request.
KEEPALIVE = 15.0
#: Bodies over this are handed to the socket in pieces, so that a slow upload shows its progress.
_UPLOAD_PIECE = 256 * 1024
#: A line, a field and the number of fields of a response head.
_MAX_LINE = 16_384
#: Our mark on a connection that has served before; aiohttp does not tell.
_SERVED = "understudy_served"


class _Request(aiohttp.ClientRequest):
    """aiohttp's request, offering only the encodings that we decode with a bound."""

    DEFAULT_HEADERS = {hdrs.ACCEPT: "*/*", hdrs.ACCEPT_ENCODING: OFFERED}  # noqa: RUF012 - as the base class has it


class _Session:
    """What belongs to one event loop: connections and the wheel."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, ssl: Any, permits: Permits) -> None:
        self.loop = loop
        self._permits = permits
        self.wheel = Wheel(clock)
        # The bulkhead limits and queues fairly; aiohttp's own queue starves callers.
        self.connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEPALIVE, **({} if ssl is None else {"ssl": ssl})
        )
        self._ssl = ssl
        #: Made at first use, by what is asked of them: whether they keep nothing, whether they look at addresses.
        self._others: dict[tuple[bool, bool], aiohttp.TCPConnector] = {}
        # A session only because responses ask for one; it sends nothing itself.
        self.session = aiohttp.ClientSession(
            connector=self.connector, connector_owner=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        self._guardian = _begun(self._guard())

    def connector_for(self, request: HttpRequest) -> aiohttp.TCPConnector:
        """The connections that `request` may use.

        A fresh one, for the one repeat after a stale connection, comes from a connector that keeps nothing. What is
        guarded never shares a connection with what is not: its address was not looked at.
        """
        if not (request.fresh or request.guarded):
            return self.connector
        made = self._others.get((request.fresh, request.guarded))
        if made is None:
            options: dict[str, Any] = {"force_close": True} if request.fresh else {"keepalive_timeout": KEEPALIVE}
            if self._ssl is not None:
                options["ssl"] = self._ssl
            if request.guarded:
                options["resolver"] = CheckedResolver(self._permits)
            made = self._others[request.fresh, request.guarded] = aiohttp.TCPConnector(limit=0, **options)
        return made

    async def _guard(self) -> AsyncGenerator[None, None]:
        """Suspended while the loop runs; a loop that shuts down ends its generators, and so our connections.

        Without it a program that ends its loop and not the application is told of unclosed connectors.
        """
        try:
            yield
        finally:
            await self._close()

    async def close(self) -> None:
        await self._guardian.aclose()

    async def _close(self) -> None:
        self.wheel.stop()
        await self.session.close()
        await self.connector.close()
        for connector in self._others.values():
            await connector.close()

    def forget(self) -> None:
        """Let go of what belonged to a loop that is closed and can do nothing any more."""
        self.session.detach()


def _begun(generator: AsyncGenerator[None, None]) -> AsyncGenerator[None, None]:
    """The generator at its first `yield`, before which it awaits nothing; from now on the running loop knows it."""
    try:
        generator.asend(None).send(None)
    except StopIteration:
        pass
    return generator


class AiohttpClient:
    """An `HttpClient` that sends each request exactly once.

    Follows no redirect, keeps no cookie, reads no proxy or credentials from the environment. Usable
    from several event loops: each gets its own connections at its first `send`. `ssl` is an
    `ssl.SSLContext` in place of the system's trust. `proxy` is where every request goes through: https
    in a tunnel (CONNECT), so that the proxy sees the host only; http as the proxy's own request. `permits` says
    to which numeric addresses a guarded request may be sent; by default to public ones.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        *,
        ssl: Any = None,
        proxy: Proxy | None = None,
        permits: Permits = PUBLIC,
    ) -> None:
        self._clock = clock
        self._permits = permits
        self._ssl = ssl
        self._proxy = proxy
        self._sessions: dict[asyncio.AbstractEventLoop, _Session] = {}
        self._current: _Session | None = None

    async def send(self, request: HttpRequest) -> AiohttpResponse:
        """Send `request` once; see `HttpClient.send`.

        Raises:
            TransportError: there is no complete response; the class and its flags say how far it came.
            InvalidRequest: the request cannot be put on the wire (a line break in a header), or its
                body's iterator raised.
        """
        loop = asyncio.get_running_loop()
        session = self._current
        if session is None or session.loop is not loop:
            session = self._session_of(loop)
        flight = Flight(session.wheel, request.idle_timeout)
        wire, host = self._wire(session, request, flight)
        connection, reused = await self._connect(session, wire, request, flight, host)
        answer = await _exchange(wire, connection, flight, host, reused)
        response = AiohttpResponse(answer, flight, host, request)
        if request.buffered:
            await response.read()
        return response

    async def close(self) -> None:
        """Close every connection; a later `send` opens new ones."""
        loop = asyncio.get_running_loop()
        sessions, self._sessions, self._current = self._sessions, {}, None
        for owner, session in sessions.items():
            if owner is loop:
                await session.close()
            elif owner.is_closed():
                session.forget()
            else:
                asyncio.run_coroutine_threadsafe(session.close(), owner)

    def _session_of(self, loop: asyncio.AbstractEventLoop) -> _Session:
        for owner in [known for known in self._sessions if known.is_closed()]:
            self._sessions.pop(owner).forget()
        session = self._sessions.get(loop)
        if session is None:
            session = self._sessions[loop] = _Session(loop, self._clock, self._ssl, self._permits)
        self._current = session
        return session

    def _wire(self, session: _Session, request: HttpRequest, flight: Flight) -> tuple[_Request, str]:
        """The request as aiohttp sends it, and the host for error texts."""
        text = request.url
        try:
            # What is fit for the wire goes there as it stands: a signature may have been made over it.
            url = URL(text, encoded=text.isascii() and text.isprintable() and " " not in text)
            host = url.raw_host or ""
        except ValueError:
            url, host = URL(), ""
        if not host or url.scheme not in ("http", "https"):
            # The URL itself is not quoted: it may hold a key.
            raise ConnectFailed("the URL of the request is not an absolute http or https URL")
        if request.guarded:
            checked_literal(host, self._permits)
        body = request.body
        headers: Any = request.headers
        by_way_of: dict[str, Any] = {}
        if (proxy := self._proxy) is not None:
            by_way_of = {"proxy": URL(proxy.address), "proxy_headers": dict(proxy.headers)}
            if url.scheme == "http":  # then it is the proxy itself that reads this request
                headers = {**headers, **proxy.headers}
        if isinstance(body, bytes):
            if len(body) > _UPLOAD_PIECE:
                headers = {**headers, hdrs.CONTENT_LENGTH: str(len(body))}
                body = _pieces(body)
            data: Any = body if isinstance(body, bytes) else flight.upload(body)
        else:
            data = None if body is None else flight.upload(body)
        try:
            wire = _Request(
                request.method, url, headers=headers, data=data, loop=session.loop, session=session.session,
                **by_way_of,
            )  # fmt: skip
        except (ValueError, TypeError):
            wire = None
        if wire is None:
            raise unsendable(None)
        return wire, host

    async def _connect(
        self, session: _Session, wire: _Request, request: HttpRequest, flight: Flight, host: str
    ) -> tuple[Any, bool]:
        """A connection for `wire`, and whether it has served before; the wheel still watches `flight` then."""
        fault: TransportError
        connection: Any = None
        flight.connecting(request.connect_timeout, asyncio.current_task(session.loop))
        try:
            connector = session.connector_for(request)
            connection = await connector.connect(wire, [], _NO_LIMITS)
            while getattr(connection.protocol, _SERVED, False) and connection.protocol.should_close:
                # Something came while nobody waited on it: a time-out told late, or one answer too many. Kept,
                # it would be taken for the answer to this request, and every one after it be one too late.
                connection.close()
                connection = None
                connection = await connector.connect(wire, [], _NO_LIMITS)
        except asyncio.CancelledError as cut:
            # Ours only when nobody else asked for it too: the caller's cancellation always wins.
            if not flight.withdraw_cancel():
                mark_unsent(cut)
                raise
            fault = ConnectFailed(
                f"no connection to {host} within {request.connect_timeout:g} s", stage="timeout", host=host
            )
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            fault = connect_fault(error, host)
        else:
            if flight.fired and not flight.withdraw_cancel():
                _drop(flight, None, connection)
                raise asyncio.CancelledError
            protocol = connection.protocol
            reused = getattr(protocol, _SERVED, False)
            if not reused:
                setattr(protocol, _SERVED, True)
            return connection, reused
        finally:
            if connection is None:
                flight.over()
        raise fault


async def _exchange(wire: _Request, connection: Any, flight: Flight, host: str, reused: bool) -> aiohttp.ClientResponse:
    """Write the request and read the head of its response."""
    protocol = connection.protocol
    answer: Any = None
    sent = False
    fault: UnderstudyError
    try:
        protocol.set_response_params(
            skip_payload=wire.method == hdrs.METH_HEAD,
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )
        flight.awaiting(protocol)
        sent = protocol.transport is not None and not protocol.transport.is_closing()
        answer = await wire.send(connection)
        await answer.start(connection)
    except (aiohttp.ClientError, OSError, TransportError) as error:
        fault = headers_fault(error, host, sent=sent, reused=reused)
        if flight.upload_fault is not None:
            fault = unsendable(flight.upload_fault)
    except (ValueError, TypeError):
        fault = unsendable(None)
    except BaseException:
        _drop(flight, answer, connection)
        raise
    else:
        if 200 <= answer.status <= 599:
            flight.answered()
            return answer  # type: ignore[no-any-return]  # aiohttp's `send` is untyped through the `Any` above
        fault = ConnectionLost(f"{host} answered with status {answer.status}, which is none of HTTP", sent=True)
    _drop(flight, answer, connection)
    raise fault


def _drop(flight: Flight, answer: Any, connection: Any) -> None:
    flight.over()
    if answer is not None:
        answer.close()
    connection.close()


def _pieces(body: bytes) -> BodyFactory:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), _UPLOAD_PIECE):
            yield body[start : start + _UPLOAD_PIECE]

    return pieces


#: aiohttp's own timers stay off: limits are the wheel's and the deadline's.
_NO_LIMITS = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
