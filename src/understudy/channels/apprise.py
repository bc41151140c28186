"""The hundred services that Apprise knows, each by its Apprise URL (extra `apprise`).

Apprise answers yes or no. A no is taken as "not now, and perhaps it arrived": it says nothing about why, and a
message too many is better than one too few. What it logged meanwhile is kept as the reason. Its calls block, so
they run in threads of their own; a call that outlasts the time-out goes on there, and its answer is lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import annotated_types as at

from understudy.core.errors import NotInstalled, OptionError
from understudy.core.legible import cut, line
from understudy.core.notices import NoticeKind, Severity
from understudy.core.options import Doc
from understudy.core.redaction import MIN_SECRET, REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Message, Outcome, PerRecipient, Rejected, Retry
from understudy.notifications.ports import Rate, Traits
from understudy.notifications.render import in_plain_words, legible

from ._http import Overdue, shown, within
from .options import ChannelDeps, ChannelOptions

MAX_URLS = 20
#: Apprise knows each service's limits and cuts by them; these keep what it is given within reason.
MAX_BODY = 20_000
MAX_TITLE = 200
#: Messages a second; Apprise itself waits where a service publishes a rate.
RATE = Rate(per_second=1.0, burst=5)
THREADS = 4
_TYPES = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}


@dataclass(frozen=True, slots=True)
class AppriseOptions(ChannelOptions):
    """Apprise URLs: github.com/caronc/apprise/wiki lists them."""

    kind: Annotated[Literal["apprise"], Doc("any service that Apprise knows (extra apprise)")] = "apprise"
    urls: Annotated[
        tuple[Secret, ...], at.MinLen(1), at.MaxLen(MAX_URLS), Doc("Apprise URLs; each env:NAME or file:PATH")
    ] = ()

    def __post_init__(self) -> None:
        ChannelOptions.__post_init__(self)
        if not self.urls:  # all defaults, which are not looked at one by one
            raise OptionError(type(self).__name__, "urls", "none", "at least one Apprise URL")
        for field, given in (("ca_file", self.ca_file), ("proxy", self.proxy)):
            if given:
                raise OptionError(type(self).__name__, field, "a value", "nothing: Apprise connects in its own way")


class AppriseChannel:
    """Each URL is a recipient with an outcome of its own: what one has got is not sent to it again."""

    def __init__(self, name: str, options: AppriseOptions, deps: ChannelDeps) -> None:
        self.name = name
        self._clock, self._timeout = deps.clock, options.timeout
        self._services = {_name_of(url): _service(url, options.allow_private) for url in options.urls}
        self._threads = ThreadPoolExecutor(min(THREADS, len(self._services)), f"apprise {name}")
        marks = "+".join(url.fingerprint() for url in options.urls)
        self.traits: Traits = options.traits(f"apprise:{marks}", RATE, recipients=tuple(self._services))

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`; with several URLs each has an outcome."""
        wanted = [each for each in self._services if not message.recipients or each in message.recipients]
        if not wanted:
            return Rejected("who was still to be reached is no recipient of this channel any more")
        outcomes = await asyncio.gather(*(self._tell(self._services[each], message) for each in wanted))
        return outcomes[0] if len(self._services) == 1 else PerRecipient(dict(zip(wanted, outcomes, strict=True)))

    async def close(self) -> None:
        """As `Channel.close`: what has not begun is dropped; running calls end by their own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _tell(self, service: Any, message: Message) -> Delivered | Retry:
        card = legible(message.card)
        title = cut(card.title, MAX_TITLE) or "Understudy"
        body = cut(in_plain_words(card).removeprefix(card.title).strip() or title, MAX_BODY)
        kind = "success" if card.kind is NoticeKind.RESOLVED else _TYPES[card.severity]
        call = self._call(service, body, title, kind)
        try:
            done, why = await within(self._timeout, call, self._clock)
        except Overdue as error:
            return Retry(str(error), ambiguous=True)
        if done:
            return Delivered(sent_bytes=len(body.encode("utf-8", "replace")))
        return Retry(f"Apprise says no: {why}" if why else "Apprise says no, and not why", ambiguous=True)

    async def _call(self, service: Any, body: str, title: str, kind: str) -> tuple[bool, str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _told, service, body, title, kind)


class _Overheard(logging.Handler):
    """Keeps what Apprise logs in this thread: the only place where it says why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self.lines) < 5:
            self.lines.append(line(record.getMessage()))


def _told(service: Any, body: str, title: str, kind: str) -> tuple[bool, str]:
    """Have the service send it, in this thread; whether it did, and what was logged meanwhile."""
    logger = logging.getLogger("apprise")
    overheard = _Overheard()
    logger.addHandler(overheard)
    try:
        done = service.notify(body=body, title=title, notify_type=kind, body_format="text")
    except Exception as error:  # noqa: BLE001 - a hundred plug-ins by a hundred authors: whatever it is, it is a no
        return False, shown(f"{type(error).__name__}: {error}")
    finally:
        logger.removeHandler(overheard)
    return done is True, shown("; ".join(overheard.lines))


def _service(url: Secret, allow_private: bool) -> Any:
    """Apprise's own object for a URL.

    Raises:
        NotInstalled: Apprise is missing.
        OptionError: Apprise cannot make sense of the URL, or it leads into our own network.
    """
    try:
        import apprise
    except ImportError:
        raise NotInstalled("notifications through Apprise", "apprise") from None
    value = url.reveal()
    REDACTOR.add(url, *_parts(value))
    service: Any = apprise.Apprise.instantiate(value)
    if service is None:
        raise OptionError("AppriseOptions", "urls", "a value that is not shown", "a URL that Apprise knows")
    # With most services there stands a token in the host's place; only where the service says so it is a host.
    # Apprise resolves it by itself, follows where it leads on, and takes other hosts from the query: we cannot look.
    hosted = any("{host}" in template for template in getattr(service, "templates", ()))
    if hosted and service.host and not allow_private:
        raise OptionError(
            "AppriseOptions",
            "urls",
            "a value that is not shown",
            "a service without a host of its own, since allow_private is false",
        )
    if "overflow" not in parse_qs(urlsplit(value).query):
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def _name_of(url: Secret) -> str:
    """What a URL is called in logs: its scheme, and which of several it is."""
    scheme = url.reveal().partition("://")[0].lower()
    return f"{scheme if scheme.isalnum() and len(scheme) <= 30 else 'apprise'}:{url.fingerprint()}"


def _parts(url: str) -> list[Secret]:
    """The pieces of a URL, any of which may be a token."""
    rest = url.partition("://")[2].replace("@", "/").replace(":", "/").partition("?")[0]
    return [Secret(unquote(piece)) for piece in rest.split("/") if len(piece) >= 2 * MIN_SECRET]
