"""The world in which `alert_kill` runs: APIs that fail and recover, and receivers that note what arrives, in order."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from understudy.core.notices import NoticeKind
from understudy.core.outbox import OutboxRow
from understudy.notifications import notes
from understudy.notifications.render import card
from understudy.testing.receivers import PagerDutyReceiver, SlackReceiver, SmtpReceiver, WebhookReceiver
from understudy.testing.receivers.base import Received
from understudy.testing.receivers.smtp import Mail

from .alert_kill_child import SIGNING

Channel = Literal["hook", "pager", "chat", "mail"]
CHANNELS: tuple[Channel, ...] = ("hook", "pager", "chat", "mail")
#: An API is well again at most that long after people were told that it fails, s.
LONGEST_OUTAGE = 4.0
#: By these a reader knows that a message may be a repeat.
_REPEATS = (notes.repeat("en"), notes.merged("en", unsure=True))


class Apis:
    """The APIs, as the services see them: in a file that is replaced whenever one fails or is well again."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self._path, self._rng = path, rng
        self._states: dict[str, str] = {}
        self._well_at: dict[str, float] = {}
        self.begun: list[str] = []
        self._write()

    def fail(self, count: int) -> None:
        """So many more fail from now on; about half of them matter much."""
        for _ in range(count):
            name = f"{self._rng.choice(('bad', 'poor'))}-{len(self.begun):04}"
            self.begun.append(name)
            self._states[name] = "failing"
        self._write()

    def told(self, api: str, *, ended: bool) -> None:
        """An alert about it has begun, or ended."""
        if ended:
            if self._states.pop(api, None) is not None:
                self._write()
        elif self._states.get(api) == "failing" and api not in self._well_at:
            self._well_at[api] = time.monotonic() + self._rng.random() * LONGEST_OUTAGE

    def tick(self) -> None:
        """Let those be well again whose time has come."""
        now = time.monotonic()
        for api in [api for api, at in self._well_at.items() if at <= now]:
            del self._well_at[api]
            self._states[api] = "well"
            self._write()

    @property
    def busy(self) -> int:
        """How many have an alert that has not begun yet, or not ended."""
        return len(self._states)

    def _write(self) -> None:
        made = self._path.with_suffix(".new")
        made.write_text(json.dumps(self._states))
        made.replace(self._path)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message at a receiver: when (monotonic), what it is known by there, whether it says it may be a repeat."""

    at: float
    channel: Channel
    key: str
    flagged: bool


class _Noted(list[Any]):
    """A list that tells of what is appended to it."""

    def __init__(self, note: Callable[[Any], None]) -> None:
        super().__init__()
        self._note = note

    def append(self, item: Any) -> None:
        super().append(item)
        self._note(item)


class Receivers:
    """A signed webhook, PagerDuty, Slack and a mail server; `on_arrival` is called before anything is answered."""

    def __init__(self) -> None:
        self.hook, self.pager = WebhookReceiver(SIGNING), PagerDutyReceiver()
        self.chat, self.mail = SlackReceiver(), SmtpReceiver()
        self.arrivals: list[Arrival] = []
        self.on_arrival: Callable[[], None] = lambda: None
        self.hook.requests = _Noted(lambda request: self._arrived("hook", *_at_hook(request)))
        self.pager.requests = _Noted(lambda request: self._arrived("pager", *_at_pager(request)))
        self.chat.requests = _Noted(lambda request: self._arrived("chat", *_at_chat(request)))
        self.mail.mails = _Noted(lambda mail: self._arrived("mail", *_at_mail(mail)))
        self._open = AsyncExitStack()

    def _arrived(self, channel: Channel, key: str, flagged: bool) -> None:
        self.arrivals.append(Arrival(time.monotonic(), channel, key, flagged))
        self.on_arrival()

    async def __aenter__(self) -> Self:
        for each in (self.hook, self.pager, self.chat, self.mail):
            await self._open.enter_async_context(each)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def addresses(self) -> str:
        """Where they are, as JSON for the services."""
        return json.dumps(
            {"hook": self.hook.url, "pager": self.pager.base, "chat": self.chat.url, "mail": self.mail.port}
        )

    @property
    def refusals(self) -> list[str]:
        """What they would not take, and why."""
        return [*self.hook.refusals, *self.pager.refusals, *self.chat.refusals, *self.mail.faults]


def key_of(row: OutboxRow) -> str:
    """What the message of a row is known by at its receiver."""
    ended = row.kind is NoticeKind.RESOLVED
    if row.channel == "hook":
        return row.id
    if row.channel == "mail":
        return row.event_id
    if row.channel == "pager":
        return f"{row.notice.dedup_key} {'resolve' if ended else 'trigger'}"
    if row.kind is NoticeKind.DIGEST:
        return _digest(f"• {severity}: {title}" for severity, title in row.notice.members)
    return card(row.notice, "en").title


def _digest(lines: Any) -> str:
    return "digest " + " ".join(sorted(lines))


def _is_flagged(text: str) -> bool:
    return any(each in text for each in _REPEATS)


def _at_hook(request: Received) -> tuple[str, bool]:
    return request.headers["webhook-id"], _is_flagged(request.json()["data"]["message"]["text"])


def _at_pager(request: Received) -> tuple[str, bool]:
    event = request.json()
    return f"{event['dedup_key']} {event['event_action']}", _is_flagged(str(event.get("payload")))


def _at_chat(request: Received) -> tuple[str, bool]:
    text = str(request.json()["text"])
    head, *lines = text.split("\n")
    flagged = _is_flagged(request.body.decode())
    members = [line for line in lines if line.startswith("•")]
    if members:
        return _digest(members), flagged
    # An end that is told for its beginning, too, says so.
    return head.partition(" ")[2].replace("Fired and resolved: ", "Resolved: "), flagged


def _at_mail(mail: Mail) -> tuple[str, bool]:
    return str(mail.message["X-Understudy-Event"]), _is_flagged(" ".join(mail.text().split()))
