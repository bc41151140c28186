"""A webhook for programs: Standard Webhooks 1.0, signed; or the body that Alertmanager sends to its webhooks.

Contract: standardwebhooks.com, "Standard Webhooks" 1.0.0; prometheus.io, "Alerting: configuration",
`webhook_config` (version 4 of its message).

The body of the first is `{"type": "alert.fired", "timestamp": …, "data": {…}}`. `data` holds the notice as it is
kept (times in epoch seconds, values in the metric's unit), and under `message` what a person would be shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.legible import iso, line
from understudy.core.notices import Notice, NoticeKind
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Message, Outcome, Receipt, Retry
from understudy.notifications.ports import Rate, Traits

from ._fit import fitted, written
from ._http import Answer, Wire, closed
from ._pager import description_of
from .options import ChannelDeps, ChannelOptions, refuse_address

#: "It's recommended to keep the payload small (less than 20kb)".
MAX_BODY = 20_000
#: "a random value between 24 bytes (192 bits) and 64 bytes (512 bits)".
MIN_KEY, MAX_KEY = 24, 64
PREFIX = "whsec_"
#: Signatures in one header: the present secret, and old ones until every receiver knows it.
MAX_SECRETS = 5
#: 429, 502 and 504: "the sender should throttle"; s, where the answer does not say for how long.
THROTTLED = frozenset((429, 502, 504))
PAUSE = 5.0
#: Requests a second and address; nothing is published, as the receiver is the user's own.
RATE = Rate(per_second=5.0, burst=10)
#: What Alertmanager writes for an end that has not come.
_NEVER = "0001-01-01T00:00:00Z"
#: A shorter part of an address is taken for a word, characters.
_KEY = 12


@dataclass(frozen=True, slots=True)
class WebhookOptions(ChannelOptions):
    """An address that takes what is sent by POST."""

    kind: Annotated[Literal["webhook"], Doc("a program of your own")] = "webhook"
    url: Annotated[Secret, Doc("where to; env:NAME or file:PATH")] = Secret("")
    secret: Annotated[
        Secret | None, Doc("signing secret, whsec_ and base64; none: receivers cannot tell whose message it is")
    ] = None
    secrets: Annotated[
        tuple[Secret, ...],
        at.MaxLen(MAX_SECRETS),
        Doc("several signing secrets, while one replaces another: each signs"),
    ] = ()
    format: Annotated[
        Literal["standard", "alertmanager"], Doc("body: Standard Webhooks, or as Alertmanager's webhooks get it")
    ] = "standard"
    authorization: Annotated[Secret | None, Doc("value of the header Authorization; env:NAME or file:PATH")] = None

    def __post_init__(self) -> None:
        ChannelOptions.__post_init__(self)
        owner = type(self).__name__
        refuse_address(owner, "url", self.url.reveal(), allow_private=self.allow_private)
        for field, secrets in (("secret", (self.secret,)), ("secrets", self.secrets)):
            for secret in secrets:
                if secret is not None:
                    key_of(secret, owner, field)
        value = self.authorization.reveal() if self.authorization else ""
        if not (value.isascii() and value.isprintable()) and value:
            raise OptionError(owner, "authorization", "a value that is not shown", "printable ASCII characters")

    @property
    def signing(self) -> tuple[Secret, ...]:
        """Every secret that signs; empty: messages go out unsigned."""
        return (*((self.secret,) if self.secret is not None else ()), *self.secrets)


def _key_parts(url: str) -> list[Secret]:
    """The parts of an address that may be the key to it: long ones that hold a digit, as no word does."""
    found = urlsplit(url)
    parts = [*found.path.split("/"), *(value for _, value in parse_qsl(found.query))]
    return [Secret(part) for part in parts if len(part) >= _KEY and any(map(str.isdigit, part))]


class WebhookChannel:
    """Posts each message once, signed by every secret; its id is the same for all attempts."""

    def __init__(self, name: str, options: WebhookOptions, deps: ChannelDeps) -> None:
        self.name = name
        self._options = options
        self._url = options.url.reveal()
        self._keys = tuple(key_of(secret, "WebhookOptions") for secret in options.signing)
        REDACTOR.add(
            options.url,
            *_key_parts(self._url),
            *options.signing,
            *((options.authorization,) if options.authorization else ()),
        )
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        self.traits: Traits = options.traits(f"webhook:{options.url.fingerprint()}", RATE, digests=False)

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`."""
        make = alertmanager if self._options.format == "alertmanager" else standard
        body = written(fitted(make(message, self.name), MAX_BODY))
        headers = {"Content-Type": "application/json", **signed(message, body, self._keys)}
        if self._options.authorization:
            headers["Authorization"] = self._options.authorization.reveal()
        answer = await self._wire.send("POST", self._url, body, headers)
        return understood(answer, message) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""


def understood(answer: Answer, message: Message) -> Outcome:
    """What the receiver's answer means: 2xx it has it, 410 never again, everything else later."""
    status = answer.status
    if 200 <= status < 300:
        return Delivered(Receipt(message.id), status, answer.response, answer.sent_bytes)
    if status == 410:
        return closed(answer, "status 410: the receiver wants no messages any more")
    after = answer.after
    if after is None and status in THROTTLED:
        after = PAUSE
    why = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return Retry(f"status {status}{why}", after, status, answer.response, ambiguous=status in (502, 504))


def key_of(secret: Secret, owner: str, field: str = "secrets") -> bytes:
    """The bytes that a signing secret stands for.

    Raises:
        OptionError: it is none.
    """
    value = secret.reveal()
    try:
        key = base64.b64decode(value.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith(PREFIX) or not MIN_KEY <= len(key) <= MAX_KEY:
        expected = f"{PREFIX} and {MIN_KEY} to {MAX_KEY} random bytes in base64"
        raise OptionError(owner, field, "a value that is not shown", expected)
    return key


def signed(message: Message, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers that prove from whom, what and when: over the very bytes that are sent."""
    stamp = str(int(message.at))
    content = b".".join((message.id.encode(), stamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    headers = {"webhook-id": message.id, "webhook-timestamp": stamp}
    if keys:
        headers["webhook-signature"] = " ".join(f"v1,{signature}" for signature in signatures)
    return headers


def standard(message: Message, name: str) -> dict[str, Any]:
    """The body of Standard Webhooks: "type", "timestamp" of the event, "data"."""
    notice, card = message.notice, message.card
    about = "alert" if notice.fingerprint else "notice"
    shown = {
        "title": line(card.title),
        "text": description_of(card, MAX_BODY),
        "fields": {each.name: each.value for each in card.fields},
        "links": {each.kind: each.url for each in card.actions},
        "language": card.language,
    }
    return {
        "type": f"{about}.{notice.kind.value}",
        "timestamp": _iso(notice.at),
        "data": {**notice.as_dict(), "dedup_key": notice.dedup_key, "channel": name, "message": shown},
    }


def alertmanager(message: Message, name: str) -> dict[str, Any]:
    """The body of Alertmanager's webhooks, version 4, with one alert."""
    notice, card = message.notice, message.card
    status = "resolved" if notice.kind is NoticeKind.RESOLVED else "firing"
    labels = {"alertname": notice.rule or notice.title, "severity": notice.severity.value, **notice.labels}
    annotations = {
        "summary": line(card.title),
        "description": description_of(card, MAX_BODY),
        "runbook_url": notice.runbook,
    }
    annotations = {key: value for key, value in annotations.items() if value}
    links = {each.kind: each.url for each in card.actions}
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{notice.dedup_key}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": name,
        "groupLabels": {"alertname": labels["alertname"]},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": links.get("open", ""),
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": annotations,
                "startsAt": _iso(_beginning(notice)),
                "endsAt": _iso(notice.ended_at or notice.at) if status == "resolved" else _NEVER,
                "generatorURL": links.get("open", ""),
                "fingerprint": notice.fingerprint or notice.event_id,
            }
        ],
    }


def _beginning(notice: Notice) -> float:
    return notice.at if notice.started_at is None else notice.started_at


def _iso(at: float) -> str:
    return iso(at, "milliseconds")
