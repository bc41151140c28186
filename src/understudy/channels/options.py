"""What all channels have in common: options, what they are made with, and where they may send to."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.errors import OptionError
from understudy.core.http import Guarded, HttpClient
from understudy.core.notices import Severity
from understudy.core.options import Doc, Options
from understudy.core.reach import PUBLIC, is_private
from understudy.core.secrets import Secret
from understudy.notifications.ports import Rate, Traits

#: Longest sensible time-out, s: a row is leased for 30 s, and another process takes it over then.
LONGEST_TIMEOUT = 25.0


@dataclass(frozen=True, slots=True)
class ChannelOptions(Options):
    """What every channel takes. Each kind derives from it, and sets `kind` to its own name."""

    kind: Annotated[str, Doc("which service it is")] = ""
    language: Annotated[Literal["en", "pt-BR"], Doc("language of its messages")] = "en"
    time_zone: Annotated[str, at.MaxLen(100), Doc("show times in this zone besides UTC, as America/Sao_Paulo")] = ""
    min_severity: Annotated[Severity, Doc("alerts below this are not sent here")] = Severity.INFO
    send_resolved: Annotated[bool, Doc("whether the end of an alert is told")] = True
    fallback: Annotated[str, at.MaxLen(200), Doc("channel that takes over when this one fails; empty: none")] = ""
    template: Annotated[str, at.MaxLen(16000), Doc("own wording in place of the standard one; empty: none")] = ""
    timeout: Annotated[float, at.Gt(0), at.Le(LONGEST_TIMEOUT), Doc("for one send in all", "s")] = 10.0
    ca_file: Annotated[str, at.MaxLen(4000), Doc("PEM file of the authority to trust in place of the system's")] = ""
    proxy: Annotated[Secret | None, Doc("URL of an HTTP proxy to send through; env:NAME or file:PATH")] = None
    # What stands in the configuration is the operator's word; what a stranger may enter is made with False.
    allow_private: Annotated[
        bool, Doc("false: never to this machine or to private addresses, whatever the address says")
    ] = True

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        if self.time_zone:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                expected = "a time zone such as America/Sao_Paulo"
                raise OptionError(type(self).__name__, "time_zone", self.time_zone, expected) from None

    def traits(self, destination: str, rate: Rate, **more: Any) -> Traits:
        """The traits of a channel with these options; `more` are those that its kind decides."""
        return Traits(
            kind=self.kind,
            destination=destination,
            rate=rate,
            timeout=self.timeout,
            language=self.language,
            time_zone=self.time_zone,
            min_severity=str(self.min_severity),
            fallback=self.fallback,
            resolves=self.send_resolved,
            template=self.template,
            revision=_revision(self),
            **more,
        )


def _revision(options: ChannelOptions) -> str:
    """Differs when any option does; tells none of them."""
    said = json.dumps([(each.name, _fingerprint(getattr(options, each.name))) for each in fields(options)], default=str)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _fingerprint(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.fingerprint()
    if isinstance(value, tuple | list):
        return [_fingerprint(each) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class ChannelDeps:
    """What channels are made with.

    `http` answers the client for a CA file and a proxy, each empty for none; `permits` whether a channel without
    `allow_private` may connect to a numeric address.
    """

    clock: Clock
    rng: random.Random
    http: Callable[[str, str], HttpClient]
    permits: Callable[[str], bool] = PUBLIC

    def client(self, options: ChannelOptions) -> HttpClient:
        """The HTTP client that a channel's options ask for; it is shared, so a channel never closes it."""
        client = self.http(options.ca_file, options.proxy.reveal() if options.proxy else "")
        # Behind a proxy it is the proxy that resolves names, and that stands where the operator put it.
        return client if options.allow_private or options.proxy else Guarded(client)


def refuse_address(owner: str, field: str, url: str, *, allow_private: bool) -> None:
    """Refuse a URL that notifications must not be sent to.

    Without `allow_private` only https to a public host passes: whoever may edit channels shall not reach
    what stands behind our firewall. What a public name resolves to is looked at when it is connected to.

    Raises:
        OptionError: it is refused. The text does not hold the URL, which is a secret with most services.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise _refused(owner, field, "an address such as https://example.com/path")
    if "@" in parts.netloc:
        raise _refused(owner, field, "an address without user name and password")
    if parts.scheme != "https" and not is_private(host):
        raise _refused(owner, field, "an https address: what is sent there is secret")
    if allow_private:
        return
    if parts.scheme != "https":
        raise _refused(owner, field, "an https address, since allow_private is false")
    if is_private(host):
        raise _refused(owner, field, "an address outside this machine and its network, since allow_private is false")


def _refused(owner: str, field: str, expected: str) -> OptionError:
    return OptionError(owner, field, "a value that is not shown", expected)
