"""Everything that is remembered of one alert, from its first breach to long after its end.

Times are epoch seconds; `inf` means never. The document of `as_dict` is kept in the same transaction as what follows
from it, so that a restart goes on where the last one ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from math import inf
from typing import Any, Self

from understudy.core.notices import Severity

from .model import Phase


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody knows of the alert. It ends at `until`; a snooze has such an end, an acknowledgement may have one."""

    actor: str
    at: float
    until: float = inf
    comment: str = ""
    snooze: bool = False


@dataclass(slots=True)
class AlertState:
    """One alert. A value: `engine` changes only copies that it made itself.

    (It is not frozen because ten thousand of them may move in one tick, each by several fields.)
    """

    fingerprint: str
    rule: str
    labels: Mapping[str, str] = field(default_factory=dict)
    rule_version: int = 1
    #: What the rule asked when it was last judged; see `identity.question`.
    question: str = ""

    # -- the condition ------------------------------------------------------------------------------------
    phase: Phase = Phase.INACTIVE
    #: Index of the rule's level that fires, -1 for none, and its severity.
    level: int = -1
    severity: Severity = Severity.WARNING
    #: When it was last evaluated, when that last said something of the subject, and errors in a row.
    evaluated_at: float = 0.0
    judged_at: float = 0.0
    errors: int = 0
    #: When the breach began that led, or may lead, to an episode.
    active_at: float = inf
    #: Of each level: since when it is in breach, and since when its hysteresis has been left.
    since: tuple[float, ...] = ()
    left: tuple[float, ...] = ()
    #: Breaches in a row, and when the last one was counted.
    breaches: int = 0
    counted_at: float = -inf
    recovering_since: float = inf
    #: Since when nothing is known.
    blank_since: float = inf
    #: Does not fire before: after a restart the breach must be seen afresh.
    proven_at: float = 0.0
    #: Resolved by hand while in breach: no new episode before.
    held_until: float = 0.0
    #: Since when its subject is not judged any more.
    gone_since: float = inf
    value: float | None = None
    #: Calls that were judged last.
    samples: int = 0
    #: The worst value of the episode.
    extreme: float | None = None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    # -- the episode (the last one, while there is none) -----------------------------------------------------
    episode: str = ""
    number: int = 0
    started_at: float = inf
    resolved_at: float = inf
    peak: Severity = Severity.INFO
    #: It was resolved by hand and came again.
    reopened: bool = False
    #: How many events of each kind it has had.
    counts: Mapping[str, int] = field(default_factory=dict)

    # -- what people were told ---------------------------------------------------------------------------------
    #: Whether they know that it fires, at which severity, and the highest that they were told of in this episode.
    told: bool = False
    told_severity: Severity | None = None
    told_peak: Severity = Severity.INFO
    #: What keeps something from being told that must be told later: `silence:ID`, `cooldown`, …; empty: nothing.
    waiting: str = ""
    #: Kinds whose being suppressed is recorded already, so that it is recorded once.
    noted: tuple[str, ...] = ()
    #: Of the last notification; since then no reminder was due.
    notified_at: float = -inf
    #: Notifications of this episode that nobody has acknowledged.
    unanswered: int = 0
    reminders: int = 0
    remind_at: float = inf
    cooldown_until: float = -inf
    #: Severity of the last notification of firing, over all episodes: a higher one passes the cooldown.
    notified_severity: Severity | None = None
    #: The highest severity that people were told of while the end was not told, because it flaps; None: nothing.
    owed: Severity | None = None
    ack: Ack | None = None

    # -- flapping ---------------------------------------------------------------------------------------------
    flips: tuple[float, ...] = ()
    flapping_since: float = inf

    # -- escalation -------------------------------------------------------------------------------------------
    escalation: str = ""
    #: Index of the next step, when it is due, and how long it had left when it was paused.
    step: int = 0
    step_at: float = inf
    step_left: float | None = None
    #: When the last step is told again.
    repeat_at: float = inf
    #: Whom the steps have told so far, besides those whom the policies name.
    reached: tuple[str, ...] = ()

    #: The next moment at which time alone may change something.
    due_at: float = inf
    #: When the document was kept last.
    saved_at: float = 0.0

    @property
    def firing(self) -> bool:
        """Whether an episode is open."""
        return self.phase in (Phase.FIRING, Phase.RECOVERING)

    @property
    def watched(self) -> bool:
        """Whether it wants a verdict each time, also where nothing changed."""
        return self.phase is not Phase.INACTIVE or self.held_until > 0 or self.errors > 0

    @property
    def flapping(self) -> bool:
        """Whether it changes so often that its changes are not told."""
        return self.flapping_since < inf

    def same(self, other: AlertState) -> bool:
        """Whether nothing is different that would have to be kept at once."""
        return all(getattr(self, name) == getattr(other, name) for name in _LASTING)

    def copy(self) -> Self:
        """A state of its own, to be changed."""
        twin = object.__new__(type(self))
        for name in _NAMES:
            setattr(twin, name, getattr(self, name))
        return twin

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON-ready values, those that are not as at the beginning; `from_dict` reads them."""
        found: dict[str, Any] = {"fingerprint": self.fingerprint, "rule": self.rule}
        for name, initial in _INITIAL.items():
            value = getattr(self, name)
            if value is not initial and value != initial:
                found[name] = _plain(value)
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The state that `as_dict` wrote; what a later version added is left out.

        Raises:
            ValueError, TypeError: it is none.
        """
        return cls(**{name: _READERS[name](value) for name, value in found.items() if name in _READERS})


#: JSON has no infinity.
_NEVER, _ALWAYS = "never", "always"
_ENDLESS = {_NEVER: inf, _ALWAYS: -inf}


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return value if -inf < value < inf else _NEVER if value > 0 else _ALWAYS if value < 0 else None
    if kind is tuple:
        return [_plain(each) for each in value]
    if kind is Ack:
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return dict(value) if kind is dict else value


def _number(value: Any) -> Any:
    """A number, or never; whatever else stands in its place makes the document one that cannot be read."""
    found = _ENDLESS.get(value, value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return found


def _number_or_none(value: Any) -> Any:
    return None if value is None else _number(value)


def _ack(value: Any) -> Ack | None:
    if not value:
        return None
    at, until = _number(value["at"]), _number(value.get("until", inf))
    return Ack(str(value["actor"]), at, until, str(value.get("comment", "")), bool(value.get("snooze", False)))


def _severity(value: Any) -> Severity | None:
    return Severity(value) if value else None


def _numbers(value: Any) -> tuple[Any, ...]:
    return tuple(_number(each) for each in value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value)


#: What moves with every evaluation; it is kept now and then.
_FLEETING = (
    "evaluated_at", "judged_at", "saved_at", "due_at", "value", "samples", "extreme", "reason", "facts", "breaches",
    "counted_at", "gone_since", "errors",
)  # fmt: skip
_LASTING = tuple(each.name for each in fields(AlertState) if each.name not in _FLEETING)
_NAMES = tuple(each.name for each in fields(AlertState))
_INITIAL: dict[str, Any] = {
    each.name: each.default_factory() if each.default_factory is not MISSING else each.default
    for each in fields(AlertState)
    if each.name not in ("fingerprint", "rule")
}
_READERS: dict[str, Any] = {
    **{name: _number for name, initial in _INITIAL.items() if type(initial) in (int, float)},
    **dict.fromkeys(("value", "extreme", "step_left"), _number_or_none),
    **dict.fromkeys(("since", "left", "flips"), _numbers),
    **dict.fromkeys(("noted", "reached"), _texts),
    **dict.fromkeys(("told", "reopened"), bool),
    **dict.fromkeys(("rule", "fingerprint", "reason", "waiting", "escalation", "episode", "question"), str),
    **dict.fromkeys(("labels", "facts", "counts"), dict),
    **dict.fromkeys(("severity", "peak", "told_peak"), Severity),
    **dict.fromkeys(("told_severity", "notified_severity", "owed"), _severity),
    "phase": Phase,
    "ack": _ack,
}
