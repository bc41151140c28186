"""A local mail server: strict about the protocol and the mail (RFC 5321, 5322), and as unreliable as told.

async with SmtpReceiver(tls=context, users={"ana": "…"}) as server:
    server.then(says("recipient", "451 4.7.1 Greylisted"), drops("accepted"))
    ...
    assert [mail.subject for mail in server.mails] == ["…"]
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import email
import email.policy
import re
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, Self

#: RFC 5321, 4.5.3.1: octets of a command with its end; RFC 5322, 2.1.1: characters of a line.
MAX_COMMAND, MAX_LINE = 512, 998
MAX_SIZE = 10_240_000
#: `body` is in the middle of the mail, `content` behind its end and before it is kept, `accepted` after that.
Place = Literal["greeting", "hello", "starttls", "login", "sender", "recipient", "data", "body", "content", "accepted"]
_PATH = re.compile(r"(?:FROM|TO):<([^<>\s]*)>(?: (.*))?", re.IGNORECASE)
_ONCE = ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version", "Auto-Submitted")


@dataclass(frozen=True, slots=True)
class SmtpFault:
    """What happens at one place of one connection: an answer, or the connection ends, or nothing more comes."""

    at: Place
    do: Literal["say", "drop", "hang"]
    answer: str = ""


def says(at: Place, answer: str) -> SmtpFault:
    """The server answers so, and accepts nothing there."""
    return SmtpFault(at, "say", answer)


def drops(at: Place) -> SmtpFault:
    """The server ends the connection there without a word."""
    return SmtpFault(at, "drop")


def hangs(at: Place) -> SmtpFault:
    """The server says nothing more there."""
    return SmtpFault(at, "hang")


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail: its envelope and what was sent, without the doubled full stops."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    encrypted: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = email.message_from_bytes(self.data, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101 - for type checkers: that is what the policy makes
        return parsed

    @property
    def subject(self) -> str:
        """Its subject, decoded."""
        return str(self.message["Subject"])

    def text(self, kind: Literal["plain", "html"] = "plain") -> str:
        """The part of that kind, decoded; empty when there is none."""
        part = self.message.get_body((kind,))
        return "" if part is None else str(part.get_content())


class SmtpReceiver:
    """Takes mail. With `tls` it offers STARTTLS, or (`implicit`) speaks TLS from the first byte.

    `users` (name to password) are who may send; without any, everybody may. `refusals` maps a recipient to
    answers that are given in turn before it is accepted; `greylist` turns every recipient away once.
    Faults given by `then` belong to one connection each, in order; None is a connection without one.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        offer: bool = True,
        users: Mapping[str, str] | None = None,
        methods: tuple[str, ...] = ("PLAIN", "LOGIN"),
        refusals: Mapping[str, list[str]] | None = None,
        greylist: bool = False,
        max_size: int = MAX_SIZE,
    ) -> None:
        self.tls, self.implicit, self.offer = tls, implicit, offer
        self.users, self.methods = dict(users or {}), methods
        self.refusals = {name: deque(answers) for name, answers in (refusals or {}).items()}
        self.greylist, self.max_size = greylist, max_size
        self.mails: list[Mail] = []
        #: What came that no client may send, and what was wrong with mails.
        self.faults: list[str] = []
        #: Every command line of every connection.
        self.commands: list[str] = []
        self.connections = self.open = self.most_open = 0
        self.port = 0
        self.seen: set[str] = set()
        self._script: deque[SmtpFault | None] = deque()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.always: SmtpFault | None = None

    def then(self, *faults: SmtpFault | None) -> Self:
        """What happens in the next connections, one by one."""
        self._script.extend(faults)
        return self

    def copies(self, address: str) -> int:
        """How many mails somebody has got."""
        return sum(address in mail.recipients for mail in self.mails)

    async def __aenter__(self) -> Self:
        context = self.tls if self.implicit else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context, limit=2 * MAX_SIZE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        fault = self._script.popleft() if self._script else self.always
        try:
            await _Conversation(self, reader, writer, fault).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client went away, a fault ended it, or the test is over
        finally:
            self.open -= 1
            self._tasks -= {task}
            writer.transport.abort()


class _Conversation:
    """One connection: which commands may come now, and what they are answered."""

    def __init__(
        self, server: SmtpReceiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: SmtpFault | None
    ) -> None:
        self._server, self._reader, self._writer, self._fault = server, reader, writer, fault
        self._encrypted = server.implicit
        self._greeted = False
        self._user = ""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._binary = False

    async def run(self) -> None:
        """Talk until either side ends it."""
        if await self._happens("greeting"):
            return
        await self._say("220 receiver.test ESMTP")
        while True:
            line = await self._reader.readuntil(b"\n")
            if not line.endswith(b"\r\n") or len(line) > MAX_COMMAND or not line.isascii():
                self._server.faults.append(f"no command: {line[:100]!r}")
                await self._say("500 5.5.2 a line of ASCII with CR LF, please")
                continue
            command = line[:-2].decode("ascii")
            self._server.commands.append(command)
            verb, _, rest = command.partition(" ")
            handler = self._HANDLERS.get(verb.upper())
            if handler is None:
                await self._say("502 5.5.1 unknown command")
            elif await handler(self, rest):
                return

    # -- commands: each tells whether the connection is over --------------------------------------

    async def _ehlo(self, rest: str) -> bool:
        if not rest.strip():
            return await self._refuse("501 5.5.4 who?", "EHLO without a name")
        if await self._happens("hello"):
            return True
        self._greeted, self._sender, self._recipients = True, None, []
        offers = [f"SIZE {self._server.max_size}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self._server.tls is not None and self._server.offer and not self._encrypted:
            offers.append("STARTTLS")
        if self._server.users and self._encrypted:
            offers.append("AUTH " + " ".join(self._server.methods))
        lines = ["receiver.test", *offers]
        await self._say("\r\n".join(f"250{'-' if index < len(lines) else ' '}{each}" for index, each in
                                    enumerate(lines, 1)))  # fmt: skip
        return False

    async def _starttls(self, rest: str) -> bool:
        server = self._server
        if rest or self._encrypted or server.tls is None:
            return await self._refuse("503 5.5.1 not now", "STARTTLS where there is none")
        if await self._happens("starttls"):
            return True
        if self._answered:
            return False
        await self._say("220 2.0.0 go ahead")
        await self._writer.start_tls(server.tls)
        # RFC 3207, 4.2: what was said before the encryption is forgotten.
        self._encrypted, self._greeted, self._user = True, False, ""
        return False

    async def _auth(self, rest: str) -> bool:
        if not self._encrypted:
            return await self._refuse("538 5.7.11 encryption required", "AUTH without encryption")
        if await self._happens("login"):
            return True
        if self._answered:
            return False
        method, _, initial = rest.partition(" ")
        if method.upper() not in self._server.methods:
            return await self._refuse("504 5.5.4 unknown mechanism", f"AUTH {method}")
        try:
            user, password = await (self._plain(initial) if method.upper() == "PLAIN" else self._login(initial))
        except (binascii.Error, UnicodeError, ValueError):
            return await self._refuse("501 5.5.2 no base64", "AUTH without base64")
        if not user or self._server.users.get(user) != password:
            await self._say("535 5.7.8 authentication credentials invalid")
            return False
        self._user = user
        await self._say("235 2.7.0 welcome")
        return False

    async def _plain(self, initial: str) -> tuple[str, str]:
        _, user, password = _decoded(initial or await self._asked("")).split("\0")
        return user, password

    async def _login(self, initial: str) -> tuple[str, str]:
        user = _decoded(initial or await self._asked("Username:"))
        return user, _decoded(await self._asked("Password:"))

    async def _mail(self, rest: str) -> bool:
        found = _PATH.fullmatch(rest)
        if not self._greeted or self._sender is not None or found is None or not rest.upper().startswith("FROM:"):
            return await self._refuse("503 5.5.1 bad sequence or syntax", f"MAIL {rest}")
        if self._server.users and not self._user:
            return await self._refuse("530 5.7.0 authentication required", "MAIL without AUTH")
        if await self._happens("sender"):
            return True
        if self._answered:
            return False
        options = dict(each.upper().partition("=")[::2] for each in (found[2] or "").split())
        if int(options.get("SIZE") or 0) > self._server.max_size:
            await self._say("552 5.3.4 too large")
            return False
        self._sender, self._binary = found[1], options.get("BODY") == "8BITMIME"
        await self._say("250 2.1.0 ok")
        return False

    async def _rcpt(self, rest: str) -> bool:
        found = _PATH.fullmatch(rest)
        if self._sender is None or found is None or not rest.upper().startswith("TO:") or "@" not in found[1]:
            return await self._refuse("503 5.5.1 bad sequence or syntax", f"RCPT {rest}")
        if await self._happens("recipient"):
            return True
        if self._answered:
            return False
        address, server = found[1], self._server
        if server.refusals.get(address):
            answer = server.refusals[address].popleft()
        elif server.greylist and address not in server.seen:
            answer = "451 4.7.1 greylisted, come back later"
        else:
            answer = "250 2.1.5 ok"
            self._recipients.append(address)
        server.seen.add(address)
        await self._say(answer)
        return answer.startswith("421")

    async def _data(self, rest: str) -> bool:
        if rest or self._sender is None or not self._recipients:
            return await self._refuse("503 5.5.1 no valid recipients", "DATA out of turn")
        if await self._happens("data"):
            return True
        if self._answered:
            return False
        await self._say("354 end with a full stop by itself")
        if self._fault is not None and self._fault.at == "body":
            await self._reader.readuntil(b"\n")
            if await self._happens("body"):
                return True
        data = await self._content()
        if await self._happens("content"):
            return True
        if not self._answered:
            if wrong := _wrong(data, self._binary):
                self._server.faults += wrong
                await self._say("554 5.6.0 " + wrong[0])
            else:
                mail = Mail(self._sender, tuple(self._recipients), data, self._encrypted, self._user)
                self._server.mails.append(mail)
                if await self._happens("accepted"):
                    return True
                if not self._answered:
                    await self._say("250 2.0.0 queued")
        self._sender, self._recipients = None, []
        return False

    async def _content(self) -> bytes:
        lines = []
        while (line := await self._reader.readuntil(b"\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    async def _rset(self, rest: str) -> bool:
        self._sender, self._recipients = None, []
        await self._say("250 2.0.0 ok")
        return False

    async def _quit(self, rest: str) -> bool:
        await self._say("221 2.0.0 bye")
        return True

    # -- how it talks ---------------------------------------------------------------------------

    async def _happens(self, place: Place) -> bool:
        """The fault of this place, once; whether the connection is over. An answer is told by `_answered`."""
        self._answered = False
        fault = self._fault
        if fault is None or fault.at != place:
            return False
        if fault.do == "hang":
            await self._reader.read()  # until the client gives up
            return True
        if fault.do == "drop":
            return True
        self._fault, self._answered = None, True
        await self._say(fault.answer)
        return fault.answer.startswith("421") or place in ("greeting", "hello")

    async def _asked(self, prompt: str) -> str:
        await self._say("334 " + base64.b64encode(prompt.encode()).decode())
        return (await self._reader.readuntil(b"\r\n")).decode("ascii").strip()

    async def _refuse(self, answer: str, why: str) -> bool:
        self._server.faults.append(why)
        await self._say(answer)
        return False

    async def _say(self, answer: str) -> None:
        self._writer.write(answer.encode() + b"\r\n")
        await self._writer.drain()

    _HANDLERS = {  # noqa: RUF012 - a table of the class, never changed
        "EHLO": _ehlo, "STARTTLS": _starttls, "AUTH": _auth, "MAIL": _mail, "RCPT": _rcpt, "DATA": _data,
        "RSET": _rset, "QUIT": _quit,
    }  # fmt: skip


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("utf-8")


def _wrong(data: bytes, binary: bool) -> list[str]:
    """What is wrong with a mail; a server that delivered it would break somebody's reader."""
    lines = data.split(b"\r\n")
    found = []
    if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        found.append("a bare CR, LF or NUL")
    if any(len(line) > MAX_LINE for line in lines):
        found.append("a line of more than 998 characters")
    if not data.isascii() and not binary:
        found.append("8-bit text that was not announced")
    head = email.message_from_bytes(data, policy=email.policy.compat32)
    for name in _ONCE:
        if len(head.get_all(name, [])) != 1:
            found.append(f"{len(head.get_all(name, []))} headers {name}")
    if head.get("Bcc") is not None:
        found.append("a header Bcc")
    if not re.fullmatch(r"<[^<>\s@]+@[^<>\s@]+>", head.get("Message-ID", "")):
        found.append("no Message-ID")
    found += [f"defect {type(each).__name__}" for part in head.walk() for each in part.defects]
    return found
