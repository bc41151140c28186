"""How people are told: policies and escalations as they are configured, and what a channel's messages look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from understudy.alerts.escalation import Escalation
from understudy.alerts.imagined import Imagined
from understudy.alerts.timings import MuteTiming, Timing
from understudy.channels.conformance import Measure, Preview, previews
from understudy.core.errors import UnknownName
from understudy.core.notices import NoticeKind, Severity
from understudy.notifications.policy import PolicyOptions

if TYPE_CHECKING:
    from understudy.app import Understudy


@dataclass(frozen=True, slots=True)
class TellingView:
    """Which alerts go where, who is told next while nobody answers, and in which hours some are not told."""

    policies: Mapping[str, PolicyOptions]
    escalations: Mapping[str, Escalation]
    timings: Mapping[str, MuteTiming]
    #: The mute timings in whose hours it is now.
    muted: frozenset[str]
    channels: tuple[str, ...]

    @classmethod
    def of(cls, app: Understudy) -> TellingView:
        """As it is configured now."""
        options, now = app.alerts.options, app.clock.time()
        muted = {name for name, each in options.mute_timings.items() if Timing(name, each).until(now) is not None}
        policies = dict(app.settings.policies) if app.settings is not None else {}
        return cls(
            policies, dict(options.escalations), dict(options.mute_timings), frozenset(muted),
            tuple(app.notifications.channels()),
        )  # fmt: skip  # as the fields stand

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "policies": {name: asdict(each) for name, each in self.policies.items()},
            "escalations": {name: asdict(each) for name, each in self.escalations.items()},
            "mute_timings": {
                name: {**asdict(each), "holds": name in self.muted} for name, each in self.timings.items()
            },
            "channels": list(self.channels),
        }


@dataclass(frozen=True, slots=True)
class ChannelPreview:
    """The messages of one channel as they would be sent, measured against the limits of its service.

    `measures` holds of each part the one that comes nearest to its limit. Without `messages` the kind writes its
    form itself when it sends, or the channel was added by a program.
    """

    channel: str
    language: str
    messages: tuple[Preview, ...]

    @classmethod
    async def of(cls, app: Understudy, channel: str, language: str = "") -> ChannelPreview:
        """The hardest alerts there are, in the channel's own language or another of ours.

        Raises:
            UnknownName: there is no such channel.
            NotInstalled: the channel needs an extra that is not installed.
        """
        if channel not in app.notifications.channels():
            raise UnknownName("channel", channel)
        options = app.settings.channels.get(channel) if app.settings is not None else None
        if options is None:
            return cls(channel, language or "en", ())
        chosen = replace(options, language="pt-BR" if language.startswith("pt") else "en") if language else options
        return cls(channel, chosen.language, tuple(await previews(channel, chosen, app.clock)))

    @property
    def measures(self) -> list[Measure]:
        """The parts, each at its longest."""
        found: dict[str, Measure] = {}
        for measure in (each for message in self.messages for each in message.measures):
            known = found.get(measure.what)
            if known is None or measure.found > known.found:
                found[measure.what] = measure
        return list(found.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "channel": self.channel,
            "language": self.language,
            "messages": [asdict(each) for each in self.messages],
            "measures": [{**asdict(each), "fits": each.fits} for each in self.measures],
        }


def simulated(
    app: Understudy, rule: str, labels: Mapping[str, str], *, severity: str = "", kind: str = "fired",
    at: float | None = None, value: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Who would be told of an alert, how, and what would keep it from being told; nothing happens. JSON-ready.

    Raises:
        UnknownName: there is no such rule.
    """
    found: Imagined = app.alerts.imagine(
        rule, labels, severity=Severity(severity) if severity else None, kind=NoticeKind(kind), at=at, value=value
    )
    told = app.notifications.imagined(found.notice, found.labels)
    # The alert's own steps, not what the first policy would say where the rule itself says otherwise.
    return {**told, **found.as_dict()}
