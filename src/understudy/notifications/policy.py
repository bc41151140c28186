"""Which notices go where: policies, looked through in order, and what they decide. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import annotated_types as at

from understudy.core.errors import OptionError
from understudy.core.matchers import Matcher, MatcherError, parse_list
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.options import Doc, Options

#: The name of the policy that holds where none matches.
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class PolicyOptions(Options):
    """Which notices go to which channels, as in `[policies.NAME]`. The first policy that matches decides.

    Conditions may name the notice's labels, and `severity`, `rule` and `kind` besides.
    """

    match: Annotated[tuple[str, ...], at.MaxLen(50), Doc('only notices with these labels: api=~"odds.*"')] = ()
    min_severity: Annotated[Severity, Doc("only notices at least that severe")] = Severity.INFO
    channels: Annotated[tuple[str, ...], at.MaxLen(100), Doc("where they go; empty: every channel")] = ()
    proceed: Annotated[bool, Doc("go on to the policies behind this one, too")] = False
    escalation: Annotated[str, at.MaxLen(200), Doc("escalation policy of these alerts; empty: none")] = ""
    group_by: Annotated[
        tuple[str, ...], at.MaxLen(20), Doc("alerts with the same of these labels are told together")
    ] = ()
    group_wait: Annotated[float, at.Ge(0), at.Le(86400), Doc("the first of a group waits for others", "s")] = 30.0
    group_interval: Annotated[float, at.Ge(0), at.Le(86400), Doc("between two messages of a group", "s")] = 300.0


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a notice goes, and why. `channels` are in the order of the policies; `options` of the first that matched.

    `trace` says of each policy that was looked at whether it matched, or which condition failed.
    """

    channels: tuple[str, ...]
    policies: tuple[str, ...] = ()
    options: PolicyOptions = PolicyOptions()
    trace: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    options: PolicyOptions
    matchers: tuple[Matcher, ...] = field(default=())

    def refusal(self, notice: Notice, labels: Mapping[str, str]) -> str:
        """The condition that the notice does not meet; empty when it meets all."""
        if Severity(notice.severity).rank < Severity(self.options.min_severity).rank:
            return f"severity is below {self.options.min_severity}"
        return next((str(each) for each in self.matchers if not each.matches(labels)), "")


class Policies:
    """All policies.

    Raises:
        OptionError: a condition cannot be read; the text says which.
    """

    def __init__(self, options: Mapping[str, PolicyOptions] | None = None) -> None:
        self._policies = [_policy(name, each) for name, each in (options or {}).items()]

    @property
    def names(self) -> tuple[str, ...]:
        """Policies in the order in which they are looked at."""
        return tuple(each.name for each in self._policies)

    def unknown_channels(self, known: Collection[str]) -> list[tuple[str, str]]:
        """(policy, channel) where a policy names a channel that is not there."""
        return [(each.name, name) for each in self._policies for name in each.options.channels if name not in known]

    def route(self, notice: Notice, labels: Mapping[str, str] | None, everywhere: Sequence[str]) -> Routing:
        """Where a notice goes; `everywhere` are the channels of a policy that names none.

        `labels` are all labels to match with, where there are more than the notice's own.
        """
        seen = {
            **notice.labels, **(labels or {}), "severity": str(notice.severity), "rule": notice.rule,
            "kind": str(notice.kind),
        }  # fmt: skip
        matched: list[_Policy] = []
        trace: list[Mapping[str, Any]] = []
        for each in self._policies:
            refusal = each.refusal(notice, seen)
            trace.append({"policy": each.name, "matched": not refusal, "refused_by": refusal})
            if not refusal:
                matched.append(each)
                if not each.options.proceed:
                    break
        if not matched:
            trace.append({"policy": DEFAULT, "matched": True, "refused_by": ""})
            return Routing(tuple(everywhere), (DEFAULT,), trace=tuple(trace))
        channels = dict.fromkeys(name for each in matched for name in (each.options.channels or everywhere))
        return Routing(tuple(channels), tuple(each.name for each in matched), matched[0].options, tuple(trace))


def _policy(name: str, options: PolicyOptions) -> _Policy:
    try:
        return _Policy(name, options, parse_list(options.match))
    except MatcherError as problem:
        raise OptionError(f"policies.{name}", "match", options.match, f"conditions on labels ({problem})") from None


def is_alert(notice: Notice) -> bool:
    """Whether a notice tells of an alert, and is neither a message nor a test."""
    return notice.kind not in (NoticeKind.MESSAGE, NoticeKind.TEST, NoticeKind.DIGEST)
