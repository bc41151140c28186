"""Mail, by an SMTP server: encrypted, each recipient with an outcome of their own, an episode in one thread.

Contract: RFC 5321 and 8314 for the way, RFC 5322 and 2045–2047 for the mail; see `_smtp` and `_mail`.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.errors import NotInstalled, OptionError
from understudy.core.options import Doc
from understudy.core.proxy import Proxy
from understudy.core.reach import is_private
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.core.trust import trust
from understudy.notifications.message import Message, Outcome, Receipt, Rejected
from understudy.notifications.ports import Rate, Traits

from ._address import Address
from ._mail import compose, message_id
from ._recipients import each_of
from ._smtp import Server, deliver
from .options import ChannelDeps, ChannelOptions

#: RFC 5321, 4.5.3.1.8: a server must take at least so many recipients in one transaction.
MAX_RECIPIENTS = 100
#: RFC 8314, 3.3: encrypted from the first byte; RFC 6409, 3.1: by STARTTLS; RFC 5321: between servers.
PORTS = {"tls": 465, "starttls": 587, "none": 25}
#: Mails a second and server; none is published, and a server that wants fewer says so by 4xx.
RATE = Rate(per_second=5.0, burst=20)
CONNECTIONS = 2
#: What may stand in EHLO: a name, or an address in brackets (RFC 5321, 4.1.1.1).
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,60}\]")
#: RFC 2919: what may stand in a List-Id.
_LISTED = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class EmailOptions(ChannelOptions):
    """A mail server, who writes and to whom."""

    kind: Annotated[Literal["email"], Doc("mail")] = "email"
    host: Annotated[str, at.MinLen(1), at.MaxLen(253), Doc("mail server")] = ""
    port: Annotated[int, at.Ge(0), at.Le(65535), Doc("its port; 0: 465 for tls, 587 for starttls, 25 for none")] = 0
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Doc("starttls: encrypt before anything is said; tls: from the first byte; none: a relay of your own"),
    ] = "starttls"
    username: Annotated[str, at.MaxLen(500), Doc("who logs in; empty: nobody")] = ""
    password: Annotated[Secret, Doc("password, often one made for the application; env:NAME or file:PATH")] = Secret("")
    from_email: Annotated[str, at.MinLen(3), at.MaxLen(500), Doc("who writes; a name may stand before it")] = ""
    to_emails: Annotated[
        tuple[str, ...], at.MinLen(1), at.MaxLen(MAX_RECIPIENTS), Doc("recipients, who see each other")
    ] = ()
    hello: Annotated[str, at.MaxLen(255), Doc("name to introduce ourselves by (EHLO); empty: that of this machine")] = (
        ""
    )

    def __post_init__(self) -> None:
        ChannelOptions.__post_init__(self)
        owner = type(self).__name__
        for field, name in (("host", self.host), ("hello", self.hello)):
            if name and not _HOST.fullmatch(f"[{name}]" if ":" in name and field == "host" else name):
                raise OptionError(owner, field, name, "the name of a host, or its address")
        if not self.allow_private and is_private(self.host):
            raise OptionError(owner, "host", self.host, "a host outside this network, since allow_private is false")
        Address.read(self.from_email, owner, "from_email")
        read = [Address.read(each, owner, "to_emails").mailbox for each in self.to_emails]
        if len(set(read)) < len(read):
            raise OptionError(owner, "to_emails", "one address twice", "each recipient once")
        if self.security == "none":
            self._unencrypted(owner)

    def _unencrypted(self, owner: str) -> None:
        if self.username:
            raise OptionError(owner, "security", "none", "starttls or tls: a password is not sent unencrypted")
        if not self.allow_private:
            raise OptionError(owner, "security", "none", "starttls or tls, since allow_private is false")


class EmailChannel:
    """Sends one mail for each message, in a connection of its own."""

    def __init__(self, name: str, options: EmailOptions, deps: ChannelDeps) -> None:
        if find_spec("aiosmtplib") is None:
            raise NotInstalled("notifications by mail", "service")
        owner = type(options).__name__
        self.name = name
        self._clock = deps.clock
        self._sender = Address.read(options.from_email, owner, "from_email")
        self._recipients = tuple(Address.read(each, owner, "to_emails") for each in options.to_emails)
        self._listed = _LISTED.sub("-", name).strip("-").lower() or "understudy"
        REDACTOR.add(options.password)
        port = options.port or PORTS[options.security]
        self._server = Server(
            options.host, port, options.security, None if options.security == "none" else trust(options.ca_file, owner),
            options.username, options.password, options.hello or _own_name(),
            Proxy.read(options.proxy.reveal(), owner) if options.proxy else None, options.timeout,
            None if options.allow_private else deps.permits,
        )  # fmt: skip
        self.traits: Traits = options.traits(
            f"email:{options.host}:{port}", RATE, living="thread", concurrency=CONNECTIONS,
            recipients=tuple(each.mailbox for each in self._recipients),
        )  # fmt: skip

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`; where the server takes it for some recipients only, each has an outcome."""
        mail = compose(message, self._sender, self._recipients, self._listed)
        known = [each.mailbox for each in self._recipients]
        wanted = [each for each in known if each in message.recipients] if message.recipients else known
        if not wanted:
            # The others have it: sent to all, it would be a repeat for them.
            return Rejected("who was still to be reached is no recipient of this channel any more")
        receipt = Receipt(message_id(message, self._sender, self._recipients))
        outcome = await deliver(self._server, self._clock, self._sender.mailbox, wanted, mail, receipt)
        return outcome if len(wanted) == len(known) else each_of(wanted, outcome)

    async def close(self) -> None:
        """Nothing to give back: each mail has a connection of its own."""


def _own_name() -> str:
    """The name of this machine where it is one that others may know, else an address."""
    name = socket.gethostname()
    return name if "." in name and _HOST.fullmatch(name) else "[127.0.0.1]"
