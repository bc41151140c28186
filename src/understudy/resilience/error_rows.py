"""Reads exceptions: which row of the table one stands for, whoever raised it.

HTTP libraries are recognised by the names of their classes, so none of them is imported. The explicit
chain of causes decides, from its root outwards: a library that wraps an error changes nothing.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

from understudy.core import errors as our

from .outcome_table import CredentialsFailed

_MAX_LINKS: Final = 16
_MAX_LEAVES: Final = 32

#: Class names of httpx, httpcore, aiohttp, requests and urllib3 (looked up along the MRO).
NAMES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "ConnectError", "ConnectTimeout", "ConnectTimeoutError", "ConnectionTimeoutError", "NewConnectionError",
            "NameResolutionError", "ClientConnectorError", "ClientConnectorDNSError",
            "ClientProxyConnectionError", "ProxyError",
        ),
        "connect",
    ),
    **dict.fromkeys(
        ("ClientConnectorSSLError", "ClientConnectorCertificateError", "ServerFingerprintMismatch"),
        "tls",
    ),
    **dict.fromkeys(("PoolTimeout", "EmptyPoolError", "FullPoolError"), "local_unsent"),
    **dict.fromkeys(
        (
            "ReadTimeout", "WriteTimeout", "TimeoutException", "ReadTimeoutError", "ServerTimeoutError",
            "SocketTimeoutError", "Timeout",
        ),
        "timeout",
    ),
    **dict.fromkeys(
        (
            "ServerDisconnectedError", "ClientOSError", "ReadError", "WriteError", "RemoteProtocolError",
            "ProtocolError", "RemoteDisconnected", "BadStatusLine", "ClientConnectionError",
        ),
        "lost",
    ),
    **dict.fromkeys(
        (
            "ClientPayloadError", "ChunkedEncodingError", "ContentDecodingError", "IncompleteRead",
            "InvalidChunkLength", "DecodingError", "DecodeError", "TransferEncodingError", "ContentLengthError",
        ),
        "body",
    ),
    **dict.fromkeys(
        (
            "InvalidURL", "InvalidUrlClientError", "UnsupportedProtocol", "LocalProtocolError", "MissingSchema",
            "InvalidSchema", "InvalidHeader", "LocationParseError", "TooManyRedirects", "NonHttpUrlClientError",
        ),
        "caller",
    ),
    **dict.fromkeys(("ContentTypeError", "JSONDecodeError"), "semantic"),
}  # fmt: skip

#: Rows of what was certainly never sent.
_UNSENT: Final = ("cancelled", "connect", "tls", "local_unsent", "lost_unsent")
_LOCAL_ERRNOS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.ENOMEM})
_CONNECT_ERRNOS: Final = frozenset(
    {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
)
_LOST_ERRNOS: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN})


def row_of(error: BaseException, first_reuse_fault: bool = True) -> tuple[str, BaseException]:
    """The row of the table for `error`, and the exception that decided.

    An exception that matches no row is the provider's: the operation failed, whatever it was.
    """
    if not isinstance(error, Exception):
        return "cancelled", error  # CancelledError, KeyboardInterrupt, SystemExit: nobody's failure
    if isinstance(error, BaseExceptionGroup):
        return _row_of_group(error, first_reuse_fault)
    chain = list(causes(error))
    for judge in (lambda link: _ours(link, first_reuse_fault), _by_name, _built_in):
        for link in reversed(chain):
            row = judge(link)
            if row:
                return ("tls" if row == "connect" and any(map(_handshake, chain)) else row), link
    groups = [link for link in chain if isinstance(link, BaseExceptionGroup)]
    if groups:
        return _row_of_group(groups[-1], first_reuse_fault)
    timeout = next((link for link in chain if isinstance(link, TimeoutError)), None)
    return ("timeout", timeout) if timeout is not None else ("provider", error)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what explicitly caused it, outermost first, at most 16, each once.

    `requests` and urllib3 keep the cause in `reason` and in their first argument instead.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < _MAX_LINKS:
        seen.add(id(link))
        if isinstance(link, Exception):
            yield link
        inner: Any = link.__cause__
        if inner is None:
            inner = getattr(link, "reason", None)
        if not isinstance(inner, BaseException):
            first = link.args[:1]
            last = link.args[-1:]
            inner = next((part for part in (*first, *last) if isinstance(part, BaseException)), None)
        link = inner


def _row_of_group(group: BaseException, first_reuse_fault: bool) -> tuple[str, BaseException]:
    """The leaf that weighs most: one that may have been executed before one that was never sent."""
    found = [row_of(leaf, first_reuse_fault) for leaf in _leaves(group)]
    if not found:
        return "provider", group
    return max(found, key=lambda entry: entry[0] not in _UNSENT)


def _leaves(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    stack = [error]
    while stack and len(found) < _MAX_LEAVES:
        entry = stack.pop()
        if isinstance(entry, BaseExceptionGroup):
            stack.extend(reversed(entry.exceptions))
        else:
            found.append(entry)
    return found


def _ours(link: BaseException, first_reuse_fault: bool) -> str:  # one return for each row
    """Our own errors, whose meaning is certain."""
    if not isinstance(link, our.UnderstudyError):
        return ""
    unsent = "" if getattr(link, "sent", True) else "_unsent"
    match link:
        case CredentialsFailed():
            return "key_unsent"
        case our.ConnectFailed():
            return "tls" if link.stage == "tls" else "connect"
        case our.PoolTimeout():
            return "local_unsent"
        case our.ConnectionLost():
            return ("stale" if link.reused and first_reuse_fault else "lost") + unsent
        case our.AttemptTimeout():
            return "body" if link.stage in ("body", "idle") and link.sent else "timeout" + unsent
        case our.TruncatedResponse():
            return "body_delivered"
        case our.BodyBroken():
            return "body"
        case our.BodyTooLarge():
            return "semantic"
        case our.Rejected():
            return "rejected"
        case our.OptionError() | our.ConfigError() | our.UnknownName() | our.NotInstalled() | our.InvalidRequest():
            return "caller"
    return ""


def _handshake(link: BaseException) -> bool:
    """Whether TLS refused the peer, or the peer TLS: a library that could not connect for it says only the former."""
    return isinstance(link, ssl.SSLError)


def _by_name(link: BaseException) -> str:
    for cls in type(link).__mro__:
        row = NAMES.get(cls.__name__)
        if row:
            return row
    return ""


def _built_in(link: BaseException) -> str:
    if isinstance(link, socket.gaierror):
        return "connect"
    if isinstance(link, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, asyncio.IncompleteReadError)):
        return "lost"
    if isinstance(link, ssl.SSLError):
        return "lost" if isinstance(link, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) else "tls"
    if isinstance(link, OSError):
        if link.errno in _CONNECT_ERRNOS or isinstance(link, ConnectionRefusedError):
            return "connect"
        if link.errno in _LOCAL_ERRNOS:
            return "local_unsent"
        return "lost" if link.errno in _LOST_ERRNOS else ""
    return "semantic" if isinstance(link, (json.JSONDecodeError, UnicodeDecodeError)) else ""


def told_status(error: BaseException) -> tuple[int, Mapping[str, str], bytes] | None:
    """Status, headers and body that an exception carries, by the names that HTTP libraries give them."""
    if not isinstance(error, Exception):
        return None
    for link in reversed(list(causes(error))):
        if isinstance(link, our.BadResponse):
            return link.status, link.headers, link.body
        if isinstance(link, our.UnderstudyError):
            continue
        response = _attribute(link, "response")
        for owner in (response, link):
            status = _status(owner)
            if status is not None:
                return status, _headers(owner), _body(owner)
    return None


def _attribute(owner: object, name: str) -> Any:
    """An attribute that may be a property with a will of its own (an unread stream raises)."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a foreign property; without its value the error is judged by its class
        return None


def _status(owner: object) -> int | None:
    if owner is None:
        return None
    for name in ("status_code", "status", "http_status"):
        value = _attribute(owner, name)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return int(value)
    return None


def _headers(owner: object) -> Mapping[str, str]:
    headers = _attribute(owner, "headers")
    if headers is None or not hasattr(headers, "get"):
        return {}
    try:
        return {str(name): str(value) for name, value in list(headers.items())[:200]}
    except Exception:  # noqa: BLE001 - a foreign mapping; without headers the status still decides
        return {}


def _body(owner: object) -> bytes:
    for name in ("content", "body"):
        body = _attribute(owner, name)
        if isinstance(body, (bytes, bytearray)):
            return bytes(body)
        if isinstance(body, str):
            return body.encode("utf-8", "replace")
    return b""
