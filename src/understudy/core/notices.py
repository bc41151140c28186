"""What alerts and notifications speak of: a notice is one thing that somebody should be told.

Values only. A notice holds facts, not sentences: each channel renders it in its own language and format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self


class Severity(StrEnum):
    """How bad it is. Compare by `rank`."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


#: Empty values, which are left out.
_NOTHING: tuple[object, ...] = (None, "", (), {})
#: What `Notice.as_dict` writes also where it is empty.
_ALWAYS = frozenset(("event_id", "kind", "severity", "at", "title"))
_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class NoticeKind(StrEnum):
    """What happened to an alert; and the notices that are about no alert."""

    FIRED = "fired"
    ESCALATED = "escalated"
    DOWNGRADED = "downgraded"
    REMINDER = "reminder"
    #: An escalation step fell due: the same alert, for other people.
    STEP = "step"
    ACKED = "acked"
    UNACKED = "unacked"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    FLAPPING_STARTED = "flapping_started"
    FLAPPING_ENDED = "flapping_ended"
    #: Several notices in one message.
    DIGEST = "digest"
    TEST = "test"
    #: What a person or a program wanted to be sent, as it is.
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. Times are epoch seconds; `value` and `threshold` are in the metric's own unit.

    `event_id` is what makes it unique: the same event is never told twice on one channel. `fingerprint`
    names the alert across its episodes, `episode` one continuous firing (a ULID, `number` counts them).
    `title` and `content` are people's words (a rule's name and description, a message), untrusted and
    of any length. `facts` are further pairs to show, in order: name to text.
    """

    event_id: str
    kind: NoticeKind
    severity: Severity
    at: float
    title: str
    content: str = ""
    rule: str = ""
    fingerprint: str = ""
    episode: str = ""
    number: int = 0
    #: Which of its kind within the episode: the third reminder.
    nth: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    metric: str = ""
    operator: str = ""
    value: float | None = None
    threshold: float | None = None
    #: The value covers so many seconds.
    window: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    #: The severity before, of an escalation or a downgrade.
    previous: Severity | None = None
    #: Why it ended, or why it is told now.
    reason: str = ""
    #: Who acknowledged, snoozed or resolved it.
    actor: str = ""
    runbook: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    #: The notices that a digest or a group stands for: (severity, title) of the first ones.
    members: tuple[tuple[str, str], ...] = ()
    #: How many it stands for in all, by severity.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: Of an end: its beginning was never told by itself, so that this message tells of both.
    merged: bool = False

    @property
    def dedup_key(self) -> str:
        """What pagers know the alert by: the same for all its episodes, of one environment. At most 60 characters.

        That of production has no name in it, as a key stays what it is when people begin to name environments.
        """
        environment = self.labels.get("environment", "production")
        place = "" if environment == "production" else f"{environment[:16]}-"
        return f"understudy-{place}{self.fingerprint or self.event_id}"

    def as_dict(self) -> dict[str, Any]:
        """The notice as JSON-ready values; `from_dict` reads them."""
        values = {name: getattr(self, name) for name in _NAMES}
        for name in _MAPPINGS:
            values[name] = dict(values[name])
        return {
            name: value
            for name, value in values.items()
            if name in _ALWAYS or (value is not False and value not in _NOTHING)
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The notice that `as_dict` wrote; what a later version added is left out."""
        values = {name: value for name, value in found.items() if name in _NAMES}
        values["kind"], values["severity"] = NoticeKind(values["kind"]), Severity(values["severity"])
        if values.get("previous"):
            values["previous"] = Severity(values["previous"])
        values["members"] = tuple((str(severity), str(title)) for severity, title in values.get("members", ()))
        return cls(**values)


#: Of each notice, not looked up anew for each: many are written at once.
_NAMES = {each.name: None for each in fields(Notice)}
_MAPPINGS = ("labels", "facts", "counts")
