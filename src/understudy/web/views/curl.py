"""A request as a line of curl that people can try: with variables of the shell in the place of every secret."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from understudy.core.redaction import REDACTOR

if TYPE_CHECKING:
    from understudy.resilience.registry import Api

_ENDPOINT: Final = re.compile(r"([A-Z]{1,20}) (/\S*)")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Configured headers whose value may be a key.
_PRIVATE: Final = re.compile(r"auth|key|token|secret|cookie|session|pass", re.IGNORECASE)


def curl(api: Api, endpoint: str) -> str:
    """The line for `GET /path` on an API; empty where there is no such request.

    The query of a request and its body are not kept, so they are missing.
    """
    found = _ENDPOINT.fullmatch(endpoint)
    base = api.options.base_url
    if found is None or not base or found[1] not in _METHODS:
        return ""
    method, path = found.groups()
    variable = variable_of(api.name)
    url = shlex.quote(base.rstrip("/") + path)
    words = ["curl"]
    if method == "HEAD":
        words.append("--head")
    elif method != "GET":
        words += ["-X", method]
    for name, value in (api.options.headers or {}).items():
        hidden = bool(_PRIVATE.search(name)) or REDACTOR.redact(f"{name}: {value}") != f"{name}: {value}"
        words += ["-H", _header(name, "", variable) if hidden else shlex.quote(f"{name}: {value}")]
    signed, url = _signed(api, variable, url)
    return " ".join([*words, *signed, url])


def variable_of(name: str) -> str:
    """The variable that holds the key of an API: `odds-prime` -> `ODDS_PRIME_KEY`."""
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"{plain}_KEY" if plain and not plain[0].isdigit() else f"API_{plain}_KEY".replace("__", "_")


def _signed(api: Api, variable: str, url: str) -> tuple[list[str], str]:
    """What signs the request, and the address, which may carry the key."""
    auth = api.auth
    name = auth.name or "Authorization"
    match auth.kind:
        case "none":
            return [], url
        case "rapidapi":
            host = urlsplit(api.options.base_url).netloc.rpartition("@")[2]
            return ["-H", _header("X-RapidAPI-Key", "", variable), "-H", shlex.quote(f"X-RapidAPI-Host: {host}")], url
        case "query":
            return [], f"""{url}'?'{quote(name, safe="")}="${variable}\""""
        case "basic":
            return ["-u", f"""{shlex.quote(auth.username + ":")}"${variable}\""""], url
        case "bearer":
            return ["-H", _header(name, auth.prefix or "Bearer ", variable)], url
        case "header":
            return ["-H", _header(name, auth.prefix, variable)], url
        case _:  # a token that is fetched first
            return ["-H", _header(name, auth.prefix or ("Bearer " if name == "Authorization" else ""), "TOKEN")], url


def _header(name: str, before: str, variable: str) -> str:
    """A header whose value is a variable of the shell: only that stands where a shell would replace something."""
    return f'{shlex.quote(f"{name}: {before}")}"${variable}"'
