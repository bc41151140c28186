"""A message as channels get it: what to say, without any format; and what their answers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from understudy.core.notices import Notice, NoticeKind, Severity


@dataclass(frozen=True, slots=True)
class CardField:
    """A named value; a short one may stand beside another."""

    name: str
    value: str
    short: bool = True


@dataclass(frozen=True, slots=True)
class CardAction:
    """A link that does something, or leads to where it can be done."""

    label: str
    url: str
    kind: Literal["acknowledge", "silence", "open", "runbook"] = "open"


@dataclass(frozen=True, slots=True)
class Card:
    """A notice in one language, as plain text of any length and content: formats and limits are the channel's.

    `title` is one line; `subject` is a title that stays the same through an episode, for mail threads.
    `notes` are what the reader must know about the message itself: that it is late, a repeat, a stand-in.
    """

    title: str
    subject: str
    severity: Severity
    kind: NoticeKind
    language: str
    at: float
    paragraphs: tuple[str, ...] = ()
    fields: tuple[CardField, ...] = ()
    actions: tuple[CardAction, ...] = ()
    notes: tuple[str, ...] = ()
    footer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a service gave to recognise a message by, so that it can be edited or answered later."""

    provider_id: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One send. `id` is the same for every attempt: the idempotency key.

    `root` names the episode for threads (empty: no episode). `living` is the receipt of what this channel
    was sent last in the episode, to be edited or answered; None for the first. `at` is the time of the
    attempt, epoch seconds; `recipients` those still to be reached, empty for all.
    """

    id: str
    notice: Notice
    card: Card
    at: float
    attempt: int = 1
    plain: bool = False
    repeat: bool = False
    recipients: tuple[str, ...] = ()
    root: str = ""
    living: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The service has it. `response` is what it said: clipped, without secrets.

    `pause`: nothing more is to be sent to its destination for so many seconds, as the service said.
    """

    receipt: Receipt = field(default_factory=Receipt)
    status: int | None = None
    response: str = ""
    sent_bytes: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after`: at least so many seconds, when the service said so, which then pauses its destination.

    `ambiguous`: it may have arrived all the same.
    """

    reason: str
    after: float | None = None
    status: int | None = None
    response: str = ""
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Degrade:
    """Not in this form: once more as plain text."""

    reason: str
    status: int | None = None
    response: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never: this message, or (`endpoint`) anything until the configuration changes or a test succeeds."""

    reason: str
    scope: Literal["message", "endpoint"] = "message"
    status: int | None = None
    response: str = ""


@dataclass(frozen=True, slots=True)
class PerRecipient:
    """Each recipient's own outcome, by address."""

    outcomes: Mapping[str, Delivered | Retry | Rejected]


Outcome = Delivered | Retry | Degrade | Rejected | PerRecipient


#: What a message may ask for in place of its severity's own lane.
MessagePriority = Literal["low", "normal", "high", "critical"]


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """What a person or a program wants to be told, as it is.

    `priority` replaces the lane that the severity leads to; `fields` are further pairs to show; `channels`
    names where it goes, in place of what the policies say.

    Raises:
        ValueError: severity or priority is none that there is, or the title is empty.
    """

    title: str
    content: str = ""
    severity: Severity | str = Severity.INFO
    priority: MessagePriority | str | None = None
    fields: Mapping[str, str] | None = None
    channels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name in ("title", "content"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name}: expected a text, found {getattr(self, name)!r:.80}")  # noqa: TRY004 - one kind of error for whoever fills in a form
        severities = [str(each) for each in Severity]
        if str(self.severity) not in severities:
            raise ValueError(f"severity: expected one of {', '.join(severities)}, found {self.severity!r}")
        if self.priority is not None and self.priority not in get_args(MessagePriority):
            known = ", ".join(get_args(MessagePriority))
            raise ValueError(f"priority: expected one of {known}, found {self.priority!r}")
        if not self.title.strip():
            raise ValueError("title: expected a text that says something")
        if isinstance(self.channels, str):
            raise ValueError(f"channels: expected a list of names, found the text {self.channels!r}")  # noqa: TRY004 - one kind of error for whoever fills in a form


@dataclass(frozen=True, slots=True)
class NotificationResult:
    """What became of a message on one channel, as far as it is known.

    `state` is where its row stands: `delivered`; `pending` when it will still be tried; `digested`, `dead`,
    `suppressed`. `reason` says why where it was not delivered; `seconds` how long it took until then.
    """

    channel: str
    success: bool
    state: str
    reason: str = ""
    row: str = ""
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.success

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {name: getattr(self, name) for name in ("channel", "success", "state", "reason", "row", "seconds")}
