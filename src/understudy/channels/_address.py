"""Mail addresses (RFC 5321, 5322): those that any server takes, and nothing that could be more than one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from understudy.core.errors import OptionError

#: RFC 5321, 4.5.3.1: octets before and behind the @, and of both with the brackets of a path.
MAX_LOCAL, MAX_DOMAIN, MAX_ADDRESS = 64, 255, 254
#: RFC 5322, 3.2.3 (dot-atom). What would need quotes is refused: hardly a server takes it.
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>\s*")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox, its domain in the form that goes over the wire (IDNA); `name` is shown beside it."""

    mailbox: str
    name: str = ""

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.mailbox.rpartition("@")[2]

    @classmethod
    def read(cls, text: str, owner: str, field: str) -> Self:
        """The address in `ana@example.com` or `Ana Souza <ana@example.com>`.

        Raises:
            OptionError: it is none, or one that servers may take for something else.
        """
        named = _NAMED.fullmatch(text.strip())
        name, bare = (named["name"].strip().strip('"').strip(), named["address"]) if named else ("", text.strip())
        local, _, domain = bare.rpartition("@")
        wire = _wire(domain)
        mailbox = f"{local}@{wire}"
        fits = len(local) <= MAX_LOCAL and len(wire) <= MAX_DOMAIN and len(mailbox) <= MAX_ADDRESS
        if not wire or not fits or not _LOCAL.fullmatch(local) or not name.isprintable():
            raise OptionError(owner, field, text[:300], "a mail address such as ana@example.com")
        return cls(mailbox, name)


def _wire(domain: str) -> str:
    """A domain in ASCII; empty when it is none."""
    try:
        wire = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError:
        return ""
    return wire.lower() if all(_LABEL.fullmatch(label) for label in wire.split(".")) else ""
