"""Which of our errors a fault of aiohttp is.

The texts name the method and the host only: paths, queries and headers may hold keys, and aiohttp's
own exceptions quote them, so that none of those is kept as cause or context.
"""

from __future__ import annotations

import errno
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from understudy.core.errors import BodyBroken, ConnectFailed, ConnectionLost, InvalidRequest, TransportError

_TLS = (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError, ssl.CertificateError)


def connect_fault(fault: BaseException, host: str) -> ConnectFailed:
    """A fault before there was a connection: nothing was sent."""
    stage, why = _connect_stage(fault)
    return ConnectFailed(f"cannot connect to {host}: {why}", stage=stage, host=host)


def _connect_stage(fault: BaseException) -> tuple[str, str]:
    if isinstance(fault, aiohttp.ClientConnectorDNSError | UnicodeError):
        return "dns", "the name does not resolve"  # a name that IDNA cannot write is a UnicodeError
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return "tls", "its certificate is not trusted or does not match"
    if isinstance(fault, _TLS):
        return "tls", "the TLS handshake failed"
    if isinstance(fault, aiohttp.ClientHttpProxyError):
        # Its text quotes where to; the status says enough: 407 wants credentials, 502 found nobody there.
        return "other", f"the proxy answered {fault.status}"
    if isinstance(fault, aiohttp.ClientProxyConnectionError):
        stage, why = _connect_stage(fault.os_error)
        return stage, f"the proxy: {why}"
    source = getattr(fault, "os_error", fault)
    number = getattr(source, "errno", None)
    # Several addresses that failed are reported as one error without a number of its own.
    if number == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(source):
        return "refused", "connection refused"
    if number == errno.ETIMEDOUT:
        return "timeout", "no answer from the network"
    if isinstance(source, ConnectionAbortedError):
        return "tls", "the TLS handshake did not end"
    if isinstance(number, int) and number in errno.errorcode:
        return "other", errno.errorcode[number]
    return "other", type(fault).__name__


def unsendable(fault: BaseException | None) -> InvalidRequest:
    """The caller's own fault: what the request is made of, or what its body's iterator raised."""
    if fault is None:
        return InvalidRequest("the request cannot be sent: its method, URL or a header is not valid HTTP")
    error = InvalidRequest(f"the body of the request could not be made: {type(fault).__name__}")
    error.__cause__ = fault
    return error


def headers_fault(fault: BaseException, host: str, *, sent: bool, reused: bool) -> TransportError:
    """A fault on a connection before the headers of the response were complete."""
    if isinstance(fault, TransportError):
        return fault
    if isinstance(fault, aiohttp.ClientResponseError | HttpProcessingError):
        # Bytes did arrive, so that the connection was alive: not the stale-connection case.
        return ConnectionLost(f"{host} sent a response head that is not valid HTTP or too large", sent=True)
    if isinstance(fault, aiohttp.ClientConnectionResetError):
        return ConnectionLost(f"the connection to {host} was already closing", sent=sent, reused=reused)
    if isinstance(fault, aiohttp.ServerDisconnectedError):
        # `message` is a text unless the beginning of a head had come.
        reused = reused and isinstance(fault.message, str)
        return ConnectionLost(f"{host} closed the connection before its response", sent=sent, reused=reused)
    return ConnectionLost(f"the connection to {host} was lost before its response", sent=sent, reused=reused)


def body_fault(fault: BaseException, host: str, received: int) -> TransportError:
    """A fault while the body was read, of which `received` bytes had come."""
    if isinstance(fault, TransportError):
        return fault
    return BodyBroken(f"the response of {host} was cut or badly framed after {received} bytes", received=received)
