"""From a request to a proposed API: where it is, how it is signed in to, what may be asked of it now and then."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from understudy.config.environ import is_placeholder
from understudy.core.secrets import Secret
from understudy.resilience import presets

from .request import Pasted, PasteError, Said

_ = Said
#: Headers whose value is a key, whatever the API.
_KEY_HEADER: Final = re.compile(
    r"^(?:x-)?(?:.*[-_])?(?:api[-_]?key|apikey|auth[-_]?token|access[-_]?token|private[-_]token|subscription-key|"
    r"token|secret|auth[-_]?key|app[-_]?key|key)$",
    re.IGNORECASE,
)
_KEY_PARAMETER: Final = re.compile(
    r"^(?:.*[-_.])?(?:api[-_]?key|apikey|access[-_]?key|access[-_]?token|auth[-_]?token|subscription-key|appid|"
    r"app[-_]?key|token|secret|key)$",
    re.IGNORECASE,
)
#: What a browser or curl sends by itself, and what belongs to one request only.
_PASSING: Final = re.compile(
    r"^(?:sec-.*|host|user-agent|accept-encoding|accept-language|connection|content-.*|origin|referer|priority|dnt|"
    r"cache-control|pragma|if-.*|te|upgrade-insecure-requests|x-rapidapi-host|x-requested-with|transfer-encoding)$",
    re.IGNORECASE,
)
_VERSION: Final = re.compile(r"^(?:v\d+(?:\.\d+)*|api|rest|\d+\.\d+)$", re.IGNORECASE)
#: `$NAME`, `${NAME}`, `%NAME%`, `$env:NAME`: where the key is kept already.
_VARIABLE: Final = re.compile(r"^(?:\$\{?(?:env:)?([A-Za-z_]\w*)\}?|%([A-Za-z_]\w*)%)$")
_UNREAL: Final = re.compile(
    r"^(?:sign[- ]?up[- ]?for[- ]?key|.*your[-_ ].*(?:key|token).*|undefined|\{\{.*\}\})$", re.IGNORECASE
)
#: Parts of a host's name that say nothing about the API.
_DULL: Final = frozenset({"www", "api", "apis", "rest", "com", "co", "org", "net", "gov", "edu", "io", "p", "rapidapi"})
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Proposal:
    """An API as it could be added; everything may be changed before it is."""

    name: str
    base_url: str
    #: Path of a request that shows whether it works; empty: none that is harmless was pasted.
    health_path: str = ""
    #: rapidapi, header, query, bearer, basic or none.
    auth: str = "none"
    auth_name: str = ""
    auth_prefix: str = ""
    username: str = ""
    key: Secret | None = None
    #: Whether the text asks without a key what is known to take one: it may work without.
    keyless: bool = False
    #: The variable that the pasted text took the key from, or one to keep it in.
    variable: str = ""
    hub: str = ""
    preset: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    #: What was left out or could not be told, for the reader.
    notes: tuple[Said, ...] = ()

    def table(self, key: str = "") -> dict[str, Any]:
        """What belongs under `[apis.NAME]`; `key` is the key itself, `env:NAME` or `file:PATH`."""
        found: dict[str, Any] = {"base_url": self.base_url}
        if self.preset:
            found["preset"] = self.preset
        if self.hub:
            found["hub"] = self.hub
        if self.headers:
            found["headers"] = dict(self.headers)
        if self.health_path:
            found["health_check"] = {"path": self.health_path}
        if self.auth != "none" and key:
            parts = {"kind": self.auth, "name": self.auth_name, "prefix": self.auth_prefix, "username": self.username}
            found["auth"] = {**{name: value for name, value in parts.items() if value}, "keys": [key]}
        return found


@dataclass(slots=True)
class _Auth:
    """How a request is signed in, as far as it was found."""

    kind: str = "none"
    name: str = ""
    prefix: str = ""
    username: str = ""
    key: str = ""
    notes: list[Said] = field(default_factory=list)


def proposed(request: Pasted) -> Proposal:
    """The API that a request asks.

    Raises:
        PasteError: its address is none of the web.
    """
    parts, notes = _address(request.url)
    notes = [*request.notes, *notes]
    query = [*parse_qsl(parts.query, keep_blank_values=True), *request.query]
    host = parts.hostname or ""
    auth = _auth(request, parts, query)
    query, seconds = _parameters(query, auth)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
    signed = auth.kind != "none"
    preset = _preset(origin, parts.path, auth)
    prefix, path = _divided(parts.path, preset)
    if query:
        path = f"{path or '/'}?{urlencode(query, quote_via=quote)}"
    if request.method not in ("GET", "HEAD"):
        path = ""
        notes.append(_("a {method} may change something, so it is not repeated to check health", method=request.method))
    key, variable, said = _key(auth, _name(host, parts.port))
    keyless = preset != "" and not (signed or auth.kind == "rapidapi")
    if keyless and auth.kind != "none":
        said = [_("the text asks without a key; this API takes one, and may want it")]
    kept, left = _headers(request.headers, auth)
    return Proposal(
        name=_name(host, parts.port),
        base_url=origin + prefix,
        health_path=path,
        auth=auth.kind,
        auth_name="" if auth.kind in ("rapidapi", "bearer", "basic", "none") else auth.name,
        auth_prefix=auth.prefix,
        username=auth.username,
        key=key,
        keyless=keyless,
        variable=variable,
        hub="rapidapi" if auth.kind == "rapidapi" else "",
        preset="" if auth.kind == "rapidapi" else preset,
        headers=kept,
        notes=(*notes, *auth.notes, *left, *seconds, *said),
    )


def _address(url: str) -> tuple[SplitResult, list[Said]]:
    notes = []
    if "://" not in url and re.match(r"[\w.-]+\.[\w.-]+(?::\d+)?(?:[/?]|$)", url):
        url = f"https://{url}"
        notes.append(_("the address names no scheme; https was taken"))
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise PasteError(_("the address cannot be read")) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise PasteError(_("the address must begin with http:// or https:// and name a host"))
    if not host.isprintable() or any(sign in host for sign in " {}<>$\\^`|\"'%"):
        raise PasteError(_("the host of the address is no name: put the real one in"))
    return parts._replace(scheme=parts.scheme.lower()), notes


def _auth(request: Pasted, parts: SplitResult, query: list[tuple[str, str]]) -> _Auth:
    """The first sign of a key: RapidAPI's, Authorization, a user, a header, a parameter."""
    headers: dict[str, tuple[str, str]] = {}
    for name, value in request.headers:
        headers.setdefault(name.lower(), (name, value))
    if "x-rapidapi-key" in headers or (parts.hostname or "").endswith(".p.rapidapi.com"):
        found = _Auth("rapidapi", key=headers.get("x-rapidapi-key", ("", ""))[1])
        host = headers.get("x-rapidapi-host", ("", ""))[1]
        if host and host.lower() != (parts.netloc.rpartition("@")[2]).lower():
            found.notes.append(_("X-RapidAPI-Host names another host than the address; the address counts"))
        return found
    if "authorization" in headers:
        return _authorization(headers["authorization"][1])
    user = request.user
    if user is None and parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if user is not None:
        name, _colon, password = user.partition(":")
        return _Auth("basic", username=name, key=password)
    for name, value in headers.values():
        if _KEY_HEADER.match(name):
            return _Auth("header", name=name, key=value)
    for name, value in query:
        if _KEY_PARAMETER.match(name):
            return _Auth("query", name=name, key=value)
    return _Auth()


def _authorization(value: str) -> _Auth:
    scheme, _space, rest = value.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer" and rest:
        return _Auth("bearer", key=rest)
    if scheme.lower() == "basic" and rest:
        try:
            user, colon, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return _Auth("header", name="Authorization", prefix="Basic ", key=rest)
        return _Auth("basic", username=user, key=password) if colon else _Auth("basic", username=user)
    if scheme.lower() in ("digest", "aws4-hmac-sha256", "oauth", "negotiate"):
        return _Auth(notes=[_("signing in by {scheme} cannot be taken over: write a signing hook", scheme=scheme)])
    if rest:
        return _Auth("header", name="Authorization", prefix=f"{scheme} ", key=rest)
    return _Auth("header", name="Authorization", key=value)


def _preset(origin: str, path: str, auth: _Auth) -> str:
    """The preset of a well-known API; its own way of signing in decides how the key is sent."""
    for name in presets.names():
        preset = presets.load_preset(name)
        if preset is not None and preset.base_url and f"{origin}{path}/".startswith(preset.base_url.rstrip("/") + "/"):
            if auth.kind == "none" and preset.auth_kind:
                auth.kind, auth.name, auth.prefix = preset.auth_kind, preset.auth_name, preset.auth_prefix
            return name
    return ""


def _divided(path: str, preset: str) -> tuple[str, str]:
    """What every call of the API has in common, and the rest: `/v3` and `/timezone`."""
    known = presets.load_preset(preset) if preset else None
    if known is not None:
        shared = urlsplit(known.base_url).path.rstrip("/")
        return shared, path[len(shared) :]
    parts = path.split("/")
    versions = [place for place, part in enumerate(parts[:5]) if _VERSION.match(part)]
    cut = versions[-1] + 1 if versions else 1
    shared, rest = "/".join(parts[:cut]), "/".join(parts[cut:])
    return shared, f"/{rest}" if rest else ""


def _key(auth: _Auth, name: str) -> tuple[Secret | None, str, list[Said]]:
    """The key, where it is kept or shall be, and what there is to say about it."""
    own = re.sub(r"\W+", "_", name).upper().strip("_") + "_KEY"
    own = f"API_{own}" if own[0].isdigit() else own
    own = "RAPIDAPI_KEY" if auth.kind == "rapidapi" else own
    if auth.kind == "none":
        return None, "", []
    variable = _VARIABLE.match(auth.key)
    if variable:
        return None, variable[1] or variable[2], []
    if not auth.key or is_placeholder(auth.key) or _UNREAL.match(auth.key):
        return None, own, [_("the text holds no real key; add it")]
    if not auth.key.isascii() or not auth.key.isprintable():
        raise PasteError(_("the key holds signs that no header can carry"))
    return Secret(auth.key, "pasted"), own, []


def _headers(given: Iterable[tuple[str, str]], auth: _Auth) -> tuple[dict[str, str], list[Said]]:
    """The headers that every call sends; cookies and further keys are left out, and that is said."""
    kept: dict[str, str] = {}
    left: list[Said] = []
    for name, value in given:
        if name.lower() in ("authorization", "x-rapidapi-key", auth.name.lower()) or _PASSING.match(name):
            continue
        if name.lower() == "cookie":
            left.append(_("the cookie is left out: it is a person's session, which ends"))
        elif _KEY_HEADER.match(name):
            left.append(_("the header {name} is left out: it looks like a second key", name=name[:60]))
        elif re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) and value.isprintable() and value != "*/*":
            kept[name] = value
    return kept, left


def _parameters(query: list[tuple[str, str]], auth: _Auth) -> tuple[list[tuple[str, str]], list[Said]]:
    """The parameters of the path that shows whether it works; further keys are left out, and that is said."""
    others = [(name, value) for name, value in query if not (auth.kind == "query" and name == auth.name)]
    kept = [(name, value) for name, value in others if not _KEY_PARAMETER.match(name)]
    names = dict.fromkeys(name for name, _value in others if _KEY_PARAMETER.match(name))
    return kept, [_("the parameter {name} is left out: it looks like a second key", name=name[:60]) for name in names]


def _name(host: str, port: int | None) -> str:
    """A short name from the host: `api_football_v1` for `api-football-v1.p.rapidapi.com`."""
    if re.fullmatch(r"[\d.]+|\[?[0-9a-f:]+\]?|localhost", host):
        return f"local_{port}" if port else "local"
    parts = host.lower().split(".")
    telling = [part for part in parts[:-1] if part not in _DULL] or parts[:1]
    chosen = telling[0] if "rapidapi" in parts else telling[-1]
    name = re.sub(r"[^a-z0-9]+", "_", chosen).strip("_")
    return name[:_LONGEST_NAME] or "api"
