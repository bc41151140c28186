"""Where an address leads: out into the public internet, or to this machine and what stands beside it."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Names that lead into the own network, whatever the resolver says.
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".localdomain")
#: A host that a resolver reads as a number: `2130706433`, `0x7f.1`.
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?")
#: Addresses of IPv4 within IPv6 (RFC 6052): what lies behind is what counts.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: All of IPv6 that is given out for the internet (RFC 4291). Outside of it lie the forms that nobody uses any more,
#: `::127.0.0.1` and `fec0::1`, and those of a network's own translator, `64:ff9b:1::10.0.0.1`.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
#: Of the rest, what older versions of Python take for public: services of clouds for their machines (192.0.0.192),
#: relays of 6to4, examples.
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
#: The middle of an address of ISATAP (RFC 5214), whose last half is one of IPv4.
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
#: The address and the names that mean this machine.
_LOOPBACK: Final = ipaddress.ip_address("127.0.0.1")


def is_private(host: str) -> bool:
    """Whether a host name or address leads to this machine or into a private network by the way it is written."""
    host = _bare(host)
    address = _address(host)
    if address is not None:
        return not _is_public(address)
    return "." not in host or host.endswith(_LOCAL_SUFFIXES) or _NUMERIC.fullmatch(host) is not None


class Reach:
    """What addresses that people enter may lead to: the public internet, and the networks that are allowed besides."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        """`networks` as CIDR, `127.0.0.0/8`.

        Raises:
            ValueError: one of them is none.
        """
        self._networks: tuple[_Network, ...] = ()
        self.allow(networks)

    def allow(self, networks: Sequence[str]) -> None:
        """Allow these networks from now on, in place of those before.

        Raises:
            ValueError: one of them is none.
        """
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in networks)

    def permits_address(self, text: str) -> bool:
        """Whether a connection to this numeric address may be opened; False for what is none."""
        address = _address(_bare(text))
        return address is not None and (_is_public(address) or self._allowed(address))

    def permits_host(self, host: str) -> bool:
        """Whether a host may be named; what a public name resolves to is looked at when it is connected to."""
        host = _bare(host)
        if not is_private(host):
            return True
        address = _LOOPBACK if host == "localhost" or host.endswith(".localhost") else _address(host)
        return address is not None and self._allowed(address)

    def _allowed(self, address: _Address) -> bool:
        inner = _inner(address)
        return any(each in network for each in (address, inner) if each is not None for network in self._networks)


#: Whether an address is a public one: what is permitted where no network is allowed besides.
PUBLIC: Final = Reach().permits_address


def _bare(host: str) -> str:
    """As a resolver reads it: it takes `①②⑦.⓪.⓪.①` and `127。0。0。1` for the address that they look like."""
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    return plain.strip("[]").rstrip(".").lower().partition("%")[0]


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inner(address: _Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for, where it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner


def _is_public(address: _Address) -> bool:
    address = _inner(address) or address
    if address.version == 6 and address not in _GIVEN_OUT:
        return False
    return address.is_global and not address.is_multicast and not any(address in each for each in _NOT_PUBLIC)
