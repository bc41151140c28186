"""A proxy that requests go through, as an address names it: `http://user:password@proxy.example:3128`."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from .errors import OptionError
from .redaction import REDACTOR
from .secrets import Secret

_EXPECTED = "an address like http://proxy.example:3128, if need be with user:password@ before the host"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy and who we are to it; its textual form shows no password."""

    host: str
    port: int
    user: str = ""
    password: Secret = Secret("")

    @classmethod
    def read(cls, address: str, owner: str = "channel") -> Self:
        """The proxy that an address names.

        Raises:
            OptionError: it is not the address of an HTTP proxy. A proxy that is itself spoken to by TLS is
                none: the tunnel through a plain one is encrypted from end to end all the same.
        """
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port or 8080
        except ValueError:
            host, port, parts = "", 0, urlsplit("")
        if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
            # The address is not quoted: it may hold a password in a place that we did not recognise.
            raise OptionError(owner, "proxy", "another kind of address", _EXPECTED)
        password = Secret(unquote(parts.password or ""), "proxy")
        REDACTOR.add(password)
        return cls(host, port, unquote(parts.username or ""), password)

    @property
    def address(self) -> str:
        """Where it is, without who we are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What tells it who we are; for its eyes only. Basic authentication (RFC 7617), in UTF-8."""
        if not self.user:
            return {}
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return {"Proxy-Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}
