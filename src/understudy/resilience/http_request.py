"""What a caller asks to be sent, checked and encoded once, before it is known which API gets it.

Whatever cannot be sent is refused here, in the caller's words: further on it would be counted against
an API, or be something else on the wire than what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from understudy.core.errors import InvalidRequest

from .keys import AuthOptions

Params = Mapping[str, Any] | Iterable[tuple[str, Any]]

#: A path that goes on the wire as it stands.
_PLAIN: Final = re.compile(r"/(?!/)[\w\-.~!$&'()*+,;=:@/?]*", re.ASCII).fullmatch
#: `.` and `..` between separators, plain or encoded: servers and clients resolve them before they look.
_DOTS: Final = re.compile(r"(?i)(?:^|/|%2f|%5c)(?:\.|%2e){1,2}(?=/|;|%2f|%5c|$)").search
#: A per cent sign that begins no escape stands for itself.
_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT: Final = "/%:@!$&'()*+,;=~-._"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII).fullmatch
_BREAKING: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search

#: What belongs to the connection, the API or the framing of the body: set for each API, never by a caller.
OWN_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "te", "upgrade"}
    | {"trailer", "expect", "proxy-authorization"}
)
#: Tells a nested Understudy that this request is already one of several tries: it does not retry.
ATTEMPT_HEADER: Final = "Understudy-Attempt"
#: Headers that carry credentials, by their names.
_CREDENTIALS: Final = re.compile(
    r"(?i)authorization|cookie|(?<!idempotency-)key|token|secret|passw|credential|signature|x-rapidapi-"
).search


# -- path and query -----------------------------------------------------------------------------------


def wire_path(path: str) -> str:
    """`path` as it goes on the wire, after the base URL of whichever API serves.

    Raises:
        InvalidRequest: it names another host, climbs out of the base URL, holds control characters or
            a fragment (write `#` as `%23`).
    """
    if _PLAIN(path) and "/." not in path:
        return path
    return _checked_path(path)


def _checked_path(path: str) -> str:
    shown = f"{path!r:.80}"
    parts = _split(path, shown)
    if parts.scheme or parts.netloc or path.startswith("//") or not path.isprintable() or "\\" in path:
        raise InvalidRequest(f"a path on the API is expected, found {shown}")
    if "#" in path:
        raise InvalidRequest(f"a path has no fragment, write # as %23: found {shown}")
    head, mark, query = path.partition("?")
    if _DOTS(head):
        raise InvalidRequest(f"a path must not hold . or .. as a part of its own, found {shown}")
    head = _encoded(head, _KEPT)
    return f"{'' if head.startswith('/') else '/'}{head}{mark}{_encoded(query, _KEPT + '?')}"


def _split(path: str, shown: str) -> Any:
    try:
        return urlsplit(path)
    except ValueError:
        raise InvalidRequest(f"a path on the API is expected, found {shown}") from None


def _encoded(text: str, kept: str) -> str:
    try:
        return quote(_STRAY.sub("%25", text), safe=kept)
    except UnicodeEncodeError:
        raise InvalidRequest("a path must not hold half of a character (a lone surrogate)") from None


def encode_params(params: Params | None) -> str:
    """A query string: None is left out, lists repeat their name, True and False are `true` and `false`.

    Raises:
        InvalidRequest: something that has no place in a query string.
    """
    if not params:
        return ""
    try:
        return urlencode(pairs(params, "params"))
    except UnicodeEncodeError:
        raise InvalidRequest("params must not hold half of a character (a lone surrogate)") from None


def pairs(given: Any, what: str) -> list[tuple[str, Any]]:
    """Names and values as a query string or a form holds them; raises `InvalidRequest`."""
    if isinstance(given, str | bytes):
        raise InvalidRequest(f"{what} must be a mapping or pairs, found text; a query string belongs into the path")
    found: list[tuple[str, Any]] = []
    for entry in given.items() if isinstance(given, Mapping) else given:
        if not isinstance(entry, tuple | list) or len(entry) != 2:
            raise InvalidRequest(f"{what} must be a mapping or pairs of name and value")
        name, value = entry
        for one in value if isinstance(value, list | tuple | set | frozenset) else (value,):
            if isinstance(one, Mapping):
                raise InvalidRequest(f"{what}: {name!r:.80} is a mapping, which no query string can hold")
            if one is not None:
                found.append((name, str(one).lower() if isinstance(one, bool) else one))
    return found


# -- headers ------------------------------------------------------------------------------------------


def checked_headers(headers: Any, extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers, each of which can be sent to any API, and what of `extra` they do not say themselves.

    Raises:
        InvalidRequest: no token for a name, no text for a value, line breaks, or one of `OWN_HEADERS`.
    """
    if not isinstance(headers, Mapping):
        raise InvalidRequest(f"headers must be a mapping of names to values, found {type(headers).__name__}")
    checked: dict[str, str] = {}
    said = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN(name):
            raise InvalidRequest(f"the name of a header is expected, found {name!r:.80}")
        lower = name.lower()
        if lower in OWN_HEADERS:
            raise InvalidRequest(f"header {name} is set for each API by itself, leave it out")
        checked_value(name, value)
        # Bodies are decoded here, within their limit, so that what is offered is what is understood.
        if lower == "accept-encoding" and value.strip().lower() != "identity":
            continue
        if lower == _ATTEMPT and not value.strip().isdecimal():
            continue  # counted by an Understudy before us, or not at all
        checked[name] = value
        said.add(lower)
    if extra:
        checked.update({name: value for name, value in extra.items() if name.lower() not in said})
    return checked


def checked_value(name: str, value: Any) -> str:
    """The value of the header `name`; its text is in no error, as it may be a key. Raises `InvalidRequest`."""
    if not isinstance(value, str):
        raise InvalidRequest(f"header {name}: text is expected, found {type(value).__name__}")
    if _BREAKING(value) or not (value.isascii() or _encodes(value)):
        raise InvalidRequest(f"header {name}: its value holds a character that no header can, such as a line break")
    return value


_ATTEMPT: Final = ATTEMPT_HEADER.lower()


def is_repeat(headers: Mapping[str, str]) -> bool:
    """Whether an Understudy before us says that this request is already one of its repeats."""
    return any(name.lower() == _ATTEMPT and value.strip() not in ("0", "1") for name, value in headers.items())


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def lay_over(base: dict[str, str], headers: Mapping[str, str], auth: AuthOptions, *, foreign: bool) -> None:
    """Put the caller's headers over those of the API's configuration; names compare case-blind.

    The header that carries the API's key stays the API's. To a `foreign` API, one that the caller's
    credentials were not meant for, none of them goes.
    """
    taken = signed_headers(auth)
    known = {name.lower(): name for name in base}
    for name, value in headers.items():
        lower = name.lower()
        if lower in taken or (foreign and _CREDENTIALS(name)):
            continue
        former = known.get(lower)
        if former is not None:
            del base[former]
        known[lower] = name
        base[name] = value


def signed_headers(auth: AuthOptions) -> frozenset[str]:
    """The headers that signing in sets, in lower case."""
    match auth.kind:
        case "rapidapi":
            return _RAPIDAPI
        case "header":
            return frozenset((auth.name.lower(),))
        case "bearer" | "basic" | "oauth2_client_credentials" | "token_request":
            return frozenset(((auth.name or "Authorization").lower(),))
    return _NOTHING


_RAPIDAPI: Final = frozenset(("x-rapidapi-key", "x-rapidapi-host"))
_NOTHING: Final[frozenset[str]] = frozenset()


def checked_method(method: str) -> str:
    """The method in capitals.

    Raises:
        InvalidRequest: no token, or CONNECT, which asks a proxy and not an API.
    """
    upper = method.upper()
    if not _TOKEN(upper) or upper == "CONNECT":
        raise InvalidRequest(f"the method of a request is expected, found {method!r:.40}")
    return upper
