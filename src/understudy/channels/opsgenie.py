"""Opsgenie and Jira Service Management: one alert for each of ours, by its alias.

Contract: docs.opsgenie.com, "Alert API"; developer.atlassian.com, "Integration Events API" of JSM. Both take
requests and carry them out later. Opsgenie tells how that went, and is asked; JSM tells nobody who has only an
integration's key, so that its acceptance is the last word there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

import annotated_types as at

from understudy.core.clock import Clock
from understudy.core.errors import OptionError
from understudy.core.legible import cut, line, utf16
from understudy.core.notices import NoticeKind, Severity
from understudy.core.options import Doc
from understudy.core.redaction import REDACTOR
from understudy.core.secrets import Secret
from understudy.notifications.message import Delivered, Message, Outcome, Receipt, Retry
from understudy.notifications.ports import Rate, Traits

from ._http import Answer, Overdue, Wire, closed, refused, seconds, shown, unanswered, unexpected, within
from ._pager import Action, PagerOptions, action_of, description_of, details_of, fitted, source_of, summary_of
from .options import ChannelDeps, refuse_address

#: Where requests go to. A key of Opsgenie works in its own region only.
BASES = {
    ("opsgenie", "us"): "https://api.opsgenie.com",
    ("opsgenie", "eu"): "https://api.eu.opsgenie.com",
    ("jsm", "us"): "https://api.atlassian.com/jsm/ops/integration",
    ("jsm", "eu"): "https://api.atlassian.com/jsm/ops/integration",
}
#: "Create Alert", fields and their lengths in characters; `details` counts names and values together.
MAX_MESSAGE = 130
MAX_ALIAS = 512
MAX_DESCRIPTION = 15_000
MAX_TAGS = 20
MAX_TAG = 50
MAX_RESPONDERS = 50
MAX_DETAILS = 8_000
MAX_ENTITY = 512
MAX_SOURCE = 100
MAX_USER = 100
MAX_NOTE = 25_000
PRIORITIES = {Severity.CRITICAL: "P1", Severity.WARNING: "P3", Severity.INFO: "P5"}
#: How long to wait before each look at what became of a request, s. After the last one it counts as
#: not processed yet, and the whole is said again: the alias keeps that from making a second alert.
POLLS = (0.1, 0.3, 0.6, 1.0, 2.0)
#: Requests a second; a look at a request's fate counts too.
RATE = Rate(per_second=1.0, burst=3)
_RESPONDER = re.compile(r"(?:team|user|schedule|escalation):\S.{0,254}")
#: What a request may fail with though there is nothing left to do.
_NOTHING_TO_DO = ("alert does not exist", "already closed", "already acknowledged", "not acknowledged")


@dataclass(frozen=True, slots=True)
class OpsgenieOptions(PagerOptions):
    """An API integration of Opsgenie or of Jira Service Management."""

    kind: Annotated[Literal["opsgenie"], Doc("Opsgenie or Jira Service Management")] = "opsgenie"
    api_key: Annotated[Secret, Doc("key of the API integration; env:NAME or file:PATH")] = Secret("")
    service: Annotated[Literal["opsgenie", "jsm"], Doc("which of the two it is")] = "opsgenie"
    region: Annotated[Literal["us", "eu"], Doc("region of an Opsgenie account")] = "us"
    api_base: Annotated[str, at.MaxLen(2000), Doc("address in place of the region's own")] = ""
    responders: Annotated[
        tuple[str, ...],
        at.MaxLen(MAX_RESPONDERS),
        Doc("who is called, as team:NAME, user:NAME, schedule:NAME or escalation:NAME; with jsm by their ids"),
    ] = ()
    tags: Annotated[tuple[str, ...], at.MaxLen(MAX_TAGS), Doc("tags of every alert, each at most 50 characters")] = ()

    def __post_init__(self) -> None:
        PagerOptions.__post_init__(self)
        owner, key = type(self).__name__, self.api_key.reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise OptionError(owner, "api_key", "a value that is not shown", "the key of an API integration")
        for tag in self.tags:
            if not 0 < len(tag) <= MAX_TAG:
                raise OptionError(owner, "tags", tag, f"texts of 1 to {MAX_TAG} characters")
        for each in self.responders:
            if not _RESPONDER.fullmatch(each):
                raise OptionError(owner, "responders", each, "team:, user:, schedule: or escalation: and a name")
        if self.api_base:
            refuse_address(owner, "api_base", self.api_base, allow_private=self.allow_private)


class OpsgenieChannel:
    """Creates, acknowledges and closes alerts, and looks whether that was done."""

    def __init__(self, name: str, options: OpsgenieOptions, deps: ChannelDeps) -> None:
        self.name = name
        self._options = options
        REDACTOR.add(options.api_key)
        self._clock: Clock = deps.clock
        self._wire = Wire(deps.client(options), deps.clock, options.timeout)
        base = options.api_base or BASES[options.service, options.region]
        self._url = base.rstrip("/") + "/v2/alerts"
        self._headers = {"Authorization": f"GenieKey {options.api_key.reveal()}"}
        self.traits: Traits = options.traits(
            f"opsgenie:{options.api_key.fingerprint()}", RATE, pager=True, always_page=options.always_page
        )

    async def send(self, message: Message) -> Outcome:
        """As `Channel.send`."""
        try:
            return await within(self._options.timeout, self._send(message), self._clock)
        except Overdue as error:
            return Retry(str(error), ambiguous=True)

    async def close(self) -> None:
        """Nothing to give back: the HTTP client is shared."""

    async def _send(self, message: Message) -> Outcome:
        outcome: Outcome = Retry("nothing was asked for")
        for method, path, document in self._requests(message):
            outcome = await self._request(method, self._url + path, document, message)
            if not isinstance(outcome, Delivered):
                break
        return outcome

    def _requests(self, message: Message) -> list[tuple[str, str, dict[str, Any]]]:
        """Method, path and body of what must be asked for, in order."""
        notice = message.notice
        alias = f"/{quote(notice.dedup_key[:MAX_ALIAS], safe='')}"
        why = told(message)
        match action_of(notice):
            case Action.CLOSE:
                return [("POST", f"{alias}/close?identifierType=alias", why)]
            case Action.ACKNOWLEDGE:
                return [("POST", f"{alias}/acknowledge?identifierType=alias", why)]
        asked = [("POST", "", alert(message, self._options))]
        if self._options.service == "opsgenie":  # JSM has these for people only
            if notice.kind in (NoticeKind.ESCALATED, NoticeKind.DOWNGRADED):
                # An alert that is open keeps the priority that it was created with.
                priority = {"priority": PRIORITIES[notice.severity]}
                asked.append(("PUT", f"{alias}/priority?identifierType=alias", priority))
            elif notice.kind is NoticeKind.UNACKED:
                asked.append(("POST", f"{alias}/unacknowledge?identifierType=alias", why))
        return asked

    async def _request(self, method: str, url: str, document: dict[str, Any], message: Message) -> Outcome:
        answer = await self._wire.json(method, url, document, self._headers)
        if not isinstance(answer, Answer):
            return answer
        if (fault := faulty(answer, message)) is not None:
            return fault
        request = answer.json().get("requestId")
        if not isinstance(request, str) or not request:
            return unexpected(answer, "the number of the request")
        if self._options.service == "jsm":
            return Delivered(Receipt(request[:200]), answer.status, answer.response, answer.sent_bytes)
        return await self._verdict(request, answer, message)

    async def _verdict(self, request: str, accepted: Answer, message: Message) -> Outcome:
        """What became of a request: Opsgenie says so under the request's own address, some time later."""
        last = accepted
        for wait in POLLS:
            await self._clock.sleep(wait)
            found = await self._wire.send("GET", f"{self._url}/requests/{quote(request, safe='')}", None, self._headers)
            if not isinstance(found, Answer) or found.status == 404:
                continue  # not processed yet, or not told: the request itself was accepted
            last = found
            if found.status == 429:
                break
            said = found.json().get("data")
            if found.status == 200 and isinstance(said, Mapping) and "isSuccess" in said:
                return settled(said, request, found, accepted, message)
        waits = throttle(last) if last.status == 429 else None
        return Retry("accepted, but not processed yet", waits, last.status, last.response, ambiguous=True)


def faulty(answer: Answer, message: Message) -> Outcome | None:
    """What an answer means that does not accept the request; None where it does."""
    if (later := unanswered(answer, after=throttle(answer))) is not None:
        return later
    said = answer.json()
    errors = said.get("errors")
    details = "; ".join(f"{name}: {text}" for name, text in errors.items()) if isinstance(errors, Mapping) else ""
    reason = shown(f"status {answer.status}: {details or said.get('message') or 'refused'}")
    if answer.status in (401, 402, 403, 404, 410):
        hint = " (a key works in its own region only)" if answer.status in (401, 403) else ""
        return closed(answer, reason + hint)
    return refused(answer, message, reason) if answer.status >= 400 else None


def throttle(answer: Answer) -> float | None:
    """Seconds until the bucket of the account is filled again, where the answer says that it is empty."""
    if answer.headers.get("X-RateLimit-State", "").upper() != "THROTTLED":
        return None
    period = answer.headers.get("X-RateLimit-Period-In-Sec", "")
    return seconds(int(period)) if period.isascii() and period.isdigit() and len(period) < 10 else None


def settled(said: Mapping[str, Any], request: str, found: Answer, accepted: Answer, message: Message) -> Outcome:
    """The outcome of a request that was carried out, or tried."""
    status = line(str(said.get("status") or ""))
    if said["isSuccess"] is True or any(text in status.lower() for text in _NOTHING_TO_DO):
        data = {"alert": str(said.get("alertId") or "")[:200]}
        return Delivered(Receipt(request[:200], data), accepted.status, found.response, accepted.sent_bytes)
    return refused(found, message, shown(f"accepted, but not done: {status or 'no reason given'}"))


def alert(message: Message, options: OpsgenieOptions) -> dict[str, Any]:
    """The alert to create, within the limits for any content; without what may be too long where it is plain."""
    notice, card = message.notice, message.card
    document: dict[str, Any] = {
        "message": summary_of(card, MAX_MESSAGE),
        "alias": notice.dedup_key[:MAX_ALIAS],
        "priority": PRIORITIES[notice.severity],
        "source": "understudy",
    }
    if options.responders:
        document["responders"] = [_responder(each, options.service) for each in options.responders]
    if message.plain:
        return document
    links = [f"{line(each.label)}: {each.url}" for each in card.actions]
    if description := description_of(card, MAX_DESCRIPTION, "\n".join(links), line(card.footer)):
        document["description"] = description
    document["entity"] = cut(source_of(notice), MAX_ENTITY, utf16)
    if options.tags:
        document["tags"] = list(options.tags)
    if details := fitted(details_of(card, notice), MAX_DETAILS, MAX_DETAILS // 4):
        document["details"] = details
    return document


def _responder(named: str, service: str) -> dict[str, str]:
    """A responder as the service names it: Opsgenie by name, a user by that of the login; JSM by id."""
    kind, _, name = named.partition(":")
    key = "id" if service == "jsm" else "username" if kind == "user" else "name"
    return {"type": kind, key: name}


def told(message: Message) -> dict[str, Any]:
    """Who closes or acknowledges an alert, and why."""
    notice = message.notice
    said = {"source": "understudy", "user": cut(line(notice.actor), MAX_USER, utf16), "note": ""}
    said["note"] = description_of(replace(message.card, notes=(message.card.title, *message.card.notes)), MAX_NOTE)
    return {name: value for name, value in said.items() if value}
