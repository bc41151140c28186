"""Who asks, through which proxies: forwarded headers are believed from configured addresses only."""

from __future__ import annotations

import ipaddress

from understudy.web.http import Scope

from .exposure import Exposure

#: Longest header that is read, characters, and most proxies in a row.
_LONGEST, _MOST = 2000, 20


def seen_through(scope: Scope, exposure: Exposure) -> Scope:
    """The request as its sender made it: client and scheme from what our proxies say, where one of them brought it."""
    peer = scope["client"][0] if scope.get("client") else ""
    if not exposure.proxies or not exposure.trusts(peer):
        return scope
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    said = dict(scope)
    client = _first_stranger(headers.get(b"x-forwarded-for", ""), peer, exposure)
    said["client"] = (client, 0)
    scheme = headers.get(b"x-forwarded-proto", "")[:_LONGEST].rpartition(",")[2].strip().lower()
    if scheme in ("http", "https"):
        said["scheme"] = scheme
    return said


def _first_stranger(forwarded: str, peer: str, exposure: Exposure) -> str:
    """Read from the end, as each proxy adds what it saw: the first address that is none of our proxies."""
    last = peer
    for part in reversed(forwarded[-_LONGEST:].split(",")[-_MOST:]):
        text = part.strip().strip("[]")
        try:
            last = str(ipaddress.ip_address(text))
        except ValueError:
            return last
        if not exposure.trusts(last):
            return last
    return last
