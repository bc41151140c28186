"""PagerDuty, by its Events API v2: one incident for each alert, opened, acknowledged and resolved by its key.

Contract: developer.pagerduty.com, "Send an Alert Event" and "Events API v2 overview".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.legible import cut, iso, line, utf16
from understudy.core.notices import Severity
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Message, Outcome, Receipt
from understudy.notifications.ports import Rate, Traits

from ._http import Answer, Wire, closed, refused, shown, unanswered, unexpected
from ._pager import Action, PagerOptions, action_of, description_of, details_of, fitted, source_of, summary_of
from .options import ChannelDeps, refuse_address

#: Where events go to, by service region ("Service Regions" in PagerDuty's support pages).
BASES = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
#: "A GUID": 32 characters (Events API v2, `routing_key`).
ROUTING_KEY = re.compile(r"[0-9A-Za-z]{32}")
#: `payload.summary`: "The maximum permitted length of this property is 1024 characters."
MAX_SUMMARY = 1024
#: `dedup_key`: "The maximum permitted length of this property is 255 characters."
MAX_DEDUP_KEY = 255
#: "The event size limit is 512 KB"; like Alertmanager, we take the smaller reading of KB.
MAX_EVENT = 512_000
#: No limit is published for these. They keep an event readable, and far below its limit.
MAX_DETAIL = 8_000
MAX_DETAILS = 100_000
MAX_FIELD = 255
MAX_LINKS = 20
MAX_LINK_TEXT = 255
MAX_HREF = 2_000
#: Events a second and routing key; PagerDuty publishes no number, and answers 429 above it.
RATE = Rate(per_second=2.0, burst=4)

_ACTIONS = {Action.OPEN: "trigger", Action.ACKNOWLEDGE: "acknowledge", Action.CLOSE: "resolve"}
_SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
#: How the service says that the key is at fault, and not the event: no event will ever pass.
_KEY_FAULT = re.compile(r"routing[_ ]key|invalid key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PagerDutyOptions(PagerOptions):
    """A service of PagerDuty with an "Events API v2" integration."""

    kind: Annotated[Literal["pagerduty"], Doc("PagerDuty")] = "pagerduty"
    routing_key: Annotated[Secret, Doc("integration key of the service, 32 characters; env:NAME or file:PATH")] = (
        Secret("")
    )
    region: Annotated[Literal["us", "eu"], Doc("service region of the account")] = "us"
    api_base: Annotated[str, at.MaxLen(2000), Doc("address in place of the region's own")] = ""

    def __post_init__(self) -> None:
        PagerOptions.__post_init__(self)
        if not ROUTING_KEY.fullmatch(self.routing_key.reveal()):
            raise OptionError(
                type(self).__name__, "routing_key", "a value that is not shown", "32 letters and digits, as shown for "
                "the integration",
            )  # fmt: skip
        if self.api_base:
            refuse_address(type(self).__name__, "api_base", self.api_base, allow_private=self.allow_private)


class PagerDutyChannel:
    """Sends events. A repeat carries the same key, so that it never makes a second incident."""

    def __init__(self, name: str, options: PagerDutyOptions, deps: ChannelDeps) -> None:
        self.name = name
        self._options = options
        REDACTOR.add(options.routing_key)
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        self._url = (options.api_base or BASES[options.region]).rstrip("/") + "/v2/enqueue"
        self.traits: Traits = options.traits(
            f"pagerduty:{options.routing_key.fingerprint()}", RATE, pager=True, always_page=options.always_page
        )

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`."""
        return await self._post(event(message, self._options.routing_key), message)

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""

    async def _post(self, document: dict[str, Any], message: Message) -> Outcome:
        answer = await self._wire.json("POST", self._url, document)
        return understood(answer, message) if isinstance(answer, Answer) else answer


def understood(answer: Answer, message: Message) -> Outcome:
    """What PagerDuty's answer means."""
    if (later := unanswered(answer)) is not None:
        return later
    said = answer.json()
    if answer.status == 202 and said.get("status") == "success":
        key = str(said.get("dedup_key") or message.notice.dedup_key)[:MAX_DEDUP_KEY]
        return Delivered(Receipt(key), answer.status, answer.response, answer.sent_bytes)
    if answer.status < 400:
        # Somebody else answers there (a portal, another proxy). What was sent may have gone through.
        return unexpected(answer, "PagerDuty's own words")
    if answer.status in (401, 403, 404, 410):
        return closed(answer, f"status {answer.status}: the address or the routing key is not PagerDuty's")
    if answer.status == 400 and _KEY_FAULT.search(answer.text):
        return closed(answer, "the routing key is not valid")
    errors = said.get("errors")
    reasons = "; ".join(str(each) for each in errors[:3]) if isinstance(errors, list) else ""
    return refused(answer, message, shown(f"status {answer.status}: {reasons or 'the event is not accepted'}"))


def event(message: Message, routing_key: Secret) -> dict[str, Any]:
    """The event for a message, within the limits for any content; without `custom_details` where it is plain."""
    notice, card = message.notice, message.card
    action = _ACTIONS[action_of(notice)]
    document = brief(message, action, routing_key)
    if action != "trigger":
        return document
    payload: dict[str, Any] = {
        "summary": summary_of(card, MAX_SUMMARY),
        "source": cut(source_of(notice), MAX_FIELD, utf16),
        "severity": _SEVERITIES[notice.severity],
        "timestamp": iso(notice.at, "milliseconds"),
    }
    places = {"component": notice.labels.get("route"), "group": notice.labels.get("hub"), "class": notice.metric}
    payload |= {name: cut(line(value), MAX_FIELD, utf16) for name, value in places.items() if value and line(value)}
    document["payload"] = payload
    document["client"] = "Understudy"
    links = [action for action in card.actions if 0 < len(action.url) <= MAX_HREF][:MAX_LINKS]
    if links:
        document["links"] = [{"href": each.url, "text": cut(line(each.label), MAX_LINK_TEXT, utf16)} for each in links]
    if not message.plain:
        said = description_of(card, MAX_DETAIL)
        details = {"description": said} if said else {}
        payload["custom_details"] = fitted({**details, **details_of(card, notice)}, MAX_DETAILS, MAX_DETAIL)
        if _size(document) > MAX_EVENT:
            del payload["custom_details"]
    return document


def brief(message: Message, action: str, routing_key: Secret) -> dict[str, Any]:
    """What every event has, and all that an acknowledgement or resolution needs."""
    return {
        "routing_key": routing_key.reveal(),
        "event_action": action,
        "dedup_key": message.notice.dedup_key[:MAX_DEDUP_KEY],
    }


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
