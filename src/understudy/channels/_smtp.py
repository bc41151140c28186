"""One mail over one connection to an SMTP server (RFC 5321, 3207, 4954), and what became of it for each recipient.

aiosmtplib speaks the protocol. The order of commands and the meaning of answers are here, because a mail may be
taken for some recipients and not for others, and because it matters whether a connection ended before or after
the last byte of the mail had been handed over.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from understudy.core.clock import Clock
from understudy.core.proxy import Proxy
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Outcome, PerRecipient, Receipt, Rejected, Retry

from ._http import Overdue, shown, within
from ._reached import Permits, reached
from ._tunnel import tunnel

if TYPE_CHECKING:
    import aiosmtplib

Security = Literal["starttls", "tls", "none"]
#: What a server said no to. Who is at fault follows from it.
Step = Literal["greeting", "hello", "starttls", "login", "sender", "recipient", "data", "content"]
#: RFC 4954, 6; RFC 5321, 4.2.3: too much mail for the mailbox or the transaction.
TOO_LARGE = 552
#: RFC 5321, 3.8: the server is about to hang up.
CLOSING = 421
#: A line of the mail that begins with a full stop gets another: one by itself ends the mail (RFC 5321, 4.5.2).
_FULL_STOP = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and how to speak to it; `name` is how we introduce ourselves."""

    host: str
    port: int
    security: Security = "starttls"
    trust: ssl.SSLContext | None = None
    username: str = ""
    password: Secret = Secret("")
    name: str = ""
    proxy: Proxy | None = None
    timeout: float = 10.0
    #: Which of the addresses that its name stands for may be connected to; None: any.
    permits: Permits | None = None


async def deliver(
    server: Server, clock: Clock, sender: str, recipients: Sequence[str], mail: bytes, receipt: Receipt
) -> Outcome:
    """Hand `mail` to the server for `recipients`, within the server's time-out.

    Accepted recipients are `Delivered` with the receipt, and must not be sent it again, whatever became of the
    others.
    """
    transaction = _Transaction(server, sender, recipients, mail, receipt)
    try:
        await within(server.timeout, transaction.run(), clock)
    except Overdue as error:
        transaction.rest = Retry(str(error), ambiguous=transaction.handed_over)
    finally:
        transaction.hang_up()
    return transaction.outcome()


def meaning(step: Step, code: int, text: str) -> Retry | Rejected:
    """What an unwelcome answer means: for whom it is final, or that it is not.

    RFC 5321, 4.2.1: 4xx is for now, 5xx for good. What is final at a step before the recipients concerns every
    mail, and so the configuration; but a greeting of 5xx is how overloaded and listing servers turn us away.
    """
    said = shown(text)
    reason = f"{_ASKED[step]}: {code} {said}".rstrip() if code > 0 else f"{_ASKED[step]}: no answer of SMTP"
    if not 500 <= code < 600 or step in ("greeting", "hello"):
        return Retry(reason, None, code if code > 0 else None, said)
    if step == "recipient" and code == TOO_LARGE:
        return Retry(reason, None, code, said)  # RFC 5321, 4.5.3.1.10: to be taken as 452, too many at once
    if step in ("starttls", "login") or (step == "sender" and code != TOO_LARGE):
        return Rejected(reason, "endpoint", code, said)
    return Rejected(reason, "message", code, said)


_ASKED: dict[Step, str] = {
    "greeting": "the server turned us away",
    "hello": "the server did not answer our introduction",
    "starttls": "the server would not encrypt",
    "login": "the server refused the login",
    "sender": "the server refused the sender",
    "recipient": "the server refused the recipient",
    "data": "the server would not take the mail",
    "content": "the server refused the mail",
}


class _Ended(Exception):
    """The transaction cannot go on; what is left of it has this outcome."""

    def __init__(self, outcome: Retry | Rejected) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class _Transaction:
    """One try: `settled` are the recipients whose outcome is known, `rest` is that of all others."""

    def __init__(self, server: Server, sender: str, recipients: Sequence[str], mail: bytes, receipt: Receipt) -> None:
        self._server, self._sender, self._recipients = server, sender, tuple(recipients)
        self._mail, self._receipt = mail, receipt
        self._smtp: aiosmtplib.SMTP | None = None
        self.settled: dict[str, Delivered | Retry | Rejected] = {}
        self.rest: Delivered | Retry | Rejected = Retry("nothing was tried")
        #: The mail was written to the connection whole: from now on the server may have it.
        self.handed_over = False

    async def run(self) -> None:
        """Go through the steps; whatever goes wrong becomes the outcome of those it concerns."""
        import aiosmtplib

        try:
            smtp = await self._connected()
            await self._introduced(smtp)
            if await self._addressed(smtp):
                self.rest = await self._handed_over(smtp)
        except _Ended as ended:
            self.rest = ended.outcome
        except aiosmtplib.SMTPResponseException as error:  # what came is no answer at all
            self.rest = Retry(f"no answer of SMTP: {shown(str(error.message))}", ambiguous=self.handed_over)
        except (aiosmtplib.SMTPException, OSError) as error:
            self.rest = self._lost(error)

    def hang_up(self) -> None:
        """Say good-bye where somebody listens, and close without waiting for an answer."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        if smtp.protocol is not None and smtp.is_connected:
            smtp.protocol.write(b"QUIT\r\n")
        smtp.close()

    def outcome(self) -> Outcome:
        """The outcome of the whole, or of each recipient where they differ."""
        if not self.settled:
            return self.rest
        return PerRecipient({address: self.settled.get(address, self.rest) for address in self._recipients})

    async def _connected(self) -> aiosmtplib.SMTP:
        import aiosmtplib

        server = self._server
        line = None
        if server.proxy:
            line = await tunnel(server.proxy, server.host, server.port)
        elif server.permits is not None:
            line = await reached(server.host, server.port, server.permits)
        smtp = self._smtp = aiosmtplib.SMTP(
            hostname=server.host, port=None if line else server.port, sock=line, use_tls=server.security == "tls",
            start_tls=False, tls_context=server.trust, timeout=None, local_hostname=server.name,
        )  # fmt: skip
        try:
            await smtp.connect()
        except aiosmtplib.SMTPConnectResponseError as error:
            raise _Ended(meaning("greeting", error.code, error.message)) from None
        finally:
            if line is not None and not smtp.is_connected:
                line.close()
        return smtp

    async def _introduced(self, smtp: aiosmtplib.SMTP) -> None:
        """Say who we are, encrypt, log in: what every mail needs."""
        await _asked("hello", smtp.ehlo())
        if self._server.security == "starttls":
            if not smtp.supports_extension("starttls"):
                # Either the server has none, or somebody between us takes the offer out (RFC 3207, 6).
                raise _Ended(Rejected("the server offers no STARTTLS: nothing is sent unencrypted", "endpoint"))
            await _asked("starttls", smtp.starttls(tls_context=self._server.trust))
            await _asked("hello", smtp.ehlo())
        if self._server.username:
            await self._logged_in(smtp)

    async def _logged_in(self, smtp: aiosmtplib.SMTP) -> None:
        user, password = self._server.username, self._server.password.reveal()
        if "plain" in smtp.server_auth_methods:
            await _asked("login", smtp.auth_plain(user, password))
        elif "login" in smtp.server_auth_methods:
            await _asked("login", smtp.auth_login(user, password))
        else:
            raise _Ended(Rejected("the server offers neither AUTH PLAIN nor AUTH LOGIN", "endpoint"))

    async def _addressed(self, smtp: aiosmtplib.SMTP) -> bool:
        """Name sender and recipients; whether the server takes the mail for any of them."""
        import aiosmtplib

        size = len(self._mail)
        most = smtp.esmtp_extensions.get("size")
        if most is not None and most.isascii() and most.isdigit() and 0 < int(most) < size:
            raise _Ended(Rejected(f"the mail has {size} bytes, and the server takes {most}"))
        await _asked("sender", smtp.mail(self._sender, options=[] if most is None else [f"SIZE={size}"]))
        for address in self._recipients:
            try:
                await smtp.rcpt(address)
            except aiosmtplib.SMTPRecipientRefused as error:
                refusal = meaning("recipient", error.code, error.message)
                if error.code == CLOSING:
                    raise _Ended(refusal) from None
                self.settled[address] = refusal
        return len(self.settled) < len(self._recipients)

    async def _handed_over(self, smtp: aiosmtplib.SMTP) -> Delivered | Retry | Rejected:
        ready = await smtp.execute_command(b"DATA")
        if not 300 <= ready.code < 400:
            return meaning("data", ready.code, ready.message)
        if (protocol := smtp.protocol) is None:
            raise ConnectionError("the connection was closed")
        self.handed_over = True
        protocol.write(_FULL_STOP.sub(b"..", self._mail) + b".\r\n")
        answer = await protocol.read_response()
        if not 200 <= answer.code < 300:
            return meaning("content", answer.code, answer.message)
        return Delivered(self._receipt, answer.code, shown(answer.message), len(self._mail))

    def _lost(self, error: Exception) -> Retry | Rejected:
        """The outcome of a connection that did not come about or broke."""
        # aiosmtplib wraps what the system says while it connects.
        fault = error.__cause__ if isinstance(error.__cause__, OSError) else error
        host = self._server.host
        if isinstance(fault, ssl.SSLCertVerificationError):
            return Rejected(shown(f"the certificate of {host} is not good: {fault.verify_message}"), "endpoint")
        if isinstance(fault, ssl.SSLError):
            return Retry(shown(f"TLS with {host} failed: {fault.reason or 'no common ground'}"))
        if isinstance(fault, socket.gaierror):
            return Retry(f"the name {host} does not resolve")
        why = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        return Retry(shown(f"the connection to {host} failed: {why}"), ambiguous=self.handed_over)


async def _asked(step: Step, answer: Awaitable[object]) -> None:
    """Await the answer of one step; an unwelcome one ends the transaction."""
    import aiosmtplib

    try:
        await answer
    except aiosmtplib.SMTPResponseException as error:
        raise _Ended(meaning(step, error.code, error.message)) from None
