"""Where the service can be reached from, as it was started: what the guards and the self-check go by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Names under which a loopback service may be asked for.
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Exposure:
    """The address, names and proxies of one start of the service."""

    #: The address that it listens on.
    host: str = "127.0.0.1"
    port: int = 8080
    #: Names besides the address under which people ask for it.
    names: tuple[str, ...] = ()
    #: Networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    proxies: tuple[Network, ...] = ()
    #: It speaks TLS itself.
    tls: bool = False
    #: Passwords may cross the network in the clear: the operator said so.
    plain_allowed: bool = False
    #: Nobody has to sign in: the operator said so, on loopback.
    open: bool = False

    @property
    def local(self) -> bool:
        """Whether it is reached from this machine only, and by no proxy that speaks for others."""
        return is_loopback(self.host) and not self.proxies and not self.names

    @property
    def hosts(self) -> frozenset[str]:
        """Every name that a `Host` header may have; behind a wildcard address the names that were given."""
        own = {self.host.strip("[]").lower()} - {"0.0.0.0", "::"}  # noqa: S104 - an address that is no name
        return LOOPBACK_NAMES | own | {each.lower() for each in self.names}

    def trusts(self, address: str) -> bool:
        """Whether an address is one of our proxies."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found.version == each.version and found in each for each in self.proxies)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as they are configured.

    Raises:
        ValueError: one is neither, or means everybody.
    """
    found = []
    for text in texts:
        network = ipaddress.ip_network(text, strict=False)
        if network.prefixlen == 0:
            raise ValueError(f"{text} means everybody")
        found.append(network)
    return tuple(found)


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
