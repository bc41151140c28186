"""A notice in words: the card that every channel writes in its own format.

Everything that comes from strangers (names, descriptions, reasons) is made legible here and is otherwise left as it
is: markup and limits belong to the channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Literal
from urllib.parse import urlsplit

from understudy.core.legible import clean, line, visible
from understudy.core.notices import Notice, NoticeKind, Severity
from understudy.core.text import Texts, texts

from .findings import causes
from .message import Card, CardAction, CardField
from .wording import (
    compared,
    covered,
    duration,
    fact_word,
    metric_word,
    moment,
    quantity,
    reason_word,
    rule_word,
    severity_word,
    weekday,
)

ActionKind = Literal["acknowledge", "silence", "open", "runbook"]
#: Kinds after which nothing is left to acknowledge or to silence.
_OVER = frozenset(
    (NoticeKind.RESOLVED, NoticeKind.FLAPPING_ENDED, NoticeKind.TEST, NoticeKind.MESSAGE, NoticeKind.DIGEST)
)
#: The order in which actions stand: what is wanted first.
_ACTIONS: tuple[ActionKind, ...] = ("acknowledge", "silence", "open", "runbook")
#: Members of a digest that are named one by one.
MOST_MEMBERS = 10


def card(
    notice: Notice,
    language: str,
    *,
    links: Mapping[str, str] | None = None,
    at: float | None = None,
    notes: Sequence[str] = (),
    zone: str = "",
    merged: bool = False,
) -> Card:
    """The notice in a language (`en`, `pt-BR`).

    `links` are URLs by what they do: acknowledge, silence, open, runbook. `at` is the time of sending, epoch
    seconds, by default the notice's own. `notes` are about the message itself (see `notes`). Times are in
    UTC, and in `zone` besides. `merged`: an end that stands for its beginning too, which was never sent.
    """
    return _Writer(notice, texts(language), zone, merged).card(links or {}, notice.at if at is None else at, notes)


class _Writer:
    """Writes one notice in one language."""

    def __init__(self, notice: Notice, text: Texts, zone: str, merged: bool) -> None:
        self._notice, self._text, self._zone, self._merged = notice, text, zone, merged

    def card(self, links: Mapping[str, str], at: float, notes: Sequence[str]) -> Card:
        notice = self._notice
        subject = self._subject()
        return Card(
            title=self._title(subject),
            subject=subject,
            severity=notice.severity,
            kind=notice.kind,
            language=self._text.tag,
            at=at,
            paragraphs=tuple(paragraph for paragraph in self._paragraphs() if visible(paragraph)),
            fields=tuple(self._fields()),
            actions=tuple(self._actions(links)),
            notes=tuple(clean(note) for note in notes if visible(note)),
            footer=self._footer(),
        )

    # -- the title ------------------------------------------------------------------------------

    def _subject(self) -> str:
        """What it is about: the same through an episode, whatever happens in it."""
        _, notice = self._text, self._notice
        title = line(rule_word(_, notice.title) if notice.title == notice.rule else notice.title)
        if notice.kind is NoticeKind.DIGEST and not visible(title):
            return self._counted()
        if not visible(title):
            title = line(notice.rule) if visible(notice.rule) else _("(untitled)")
        about = next((line(notice.labels[name]) for name in ("api", "route", "hub") if notice.labels.get(name)), "")
        return f"{title} · {about}" if visible(about) and about not in title else title

    def _title(self, subject: str) -> str:
        _, notice = self._text, self._notice
        severity = severity_word(_, notice.severity)
        if notice.kind is NoticeKind.FIRED:
            return f"{severity[:1].upper()}{severity[1:]}: {subject}"
        return {
            NoticeKind.ESCALATED: _("Now {severity}: {subject}", severity=severity, subject=subject),
            NoticeKind.DOWNGRADED: _("Now only {severity}: {subject}", severity=severity, subject=subject),
            NoticeKind.REMINDER: self._reminder(severity, subject),
            NoticeKind.STEP: _("Nobody has answered ({severity}): {subject}", severity=severity, subject=subject),
            NoticeKind.ACKED: _("Acknowledged: {subject}", subject=subject),
            NoticeKind.UNACKED: _("No longer acknowledged: {subject}", subject=subject),
            NoticeKind.SNOOZED: _("Snoozed: {subject}", subject=subject),
            NoticeKind.RESOLVED: _("Fired and resolved: {subject}", subject=subject)
            if self._merged
            else _("Resolved: {subject}", subject=subject),
            NoticeKind.FLAPPING_STARTED: _("Comes and goes: {subject}", subject=subject),
            NoticeKind.FLAPPING_ENDED: _("Steady again: {subject}", subject=subject),
            NoticeKind.TEST: _("Test: {subject}", subject=subject),
        }.get(notice.kind, subject)

    def _reminder(self, severity: str, subject: str) -> str:
        _, nth = self._text, self._notice.nth
        if nth > 0:
            return _("Still {severity} (reminder {nth}): {subject}", severity=severity, nth=nth, subject=subject)
        return _("Still {severity}: {subject}", severity=severity, subject=subject)

    # -- the body -------------------------------------------------------------------------------

    def _paragraphs(self) -> Iterator[str]:
        notice = self._notice
        yield self._happened()
        yield self._measured()
        yield self._spent()
        yield self._content()
        if notice.kind is NoticeKind.DIGEST or notice.members:
            yield self._members()

    def _content(self) -> str:
        """The words of the rule or of the sender. Those of an alert speak of a present that its end has made past."""
        _, notice = self._text, self._notice
        # The descriptions of default rules are ours, so they are in the catalogue; those of people are as they are.
        content = clean(self._text(notice.content)).strip("\n")
        if notice.kind is NoticeKind.RESOLVED and visible(content):
            return _("What it was: {content}", content=content)
        return content

    def _happened(self) -> str:
        """One sentence about what the kind of notice itself does not say."""
        _, notice = self._text, self._notice
        match notice.kind:
            case NoticeKind.RESOLVED if notice.started_at is not None:
                lasted = duration(_, (notice.ended_at or notice.at) - notice.started_at)
                return _("It lasted {duration}.", duration=lasted)
            case NoticeKind.REMINDER | NoticeKind.STEP if notice.started_at is not None:
                return _("It has lasted {duration} so far.", duration=duration(_, notice.at - notice.started_at))
            case NoticeKind.ESCALATED | NoticeKind.DOWNGRADED if notice.previous is not None:
                return _("The severity was {severity} before.", severity=severity_word(_, notice.previous))
            case NoticeKind.FLAPPING_STARTED:
                return _("It fires and resolves again and again; each change will not be told until it is steady.")
            case NoticeKind.FLAPPING_ENDED:
                return _("It has been steady for a while; changes are told again.")
            case NoticeKind.SNOOZED if notice.ended_at is not None:
                return _("No reminders until {moment}.", moment=moment(notice.ended_at, self._zone))
            case NoticeKind.TEST:
                return _("This is a test of the notifications; nothing is wrong.")
            case NoticeKind.DIGEST if visible(notice.title):
                return self._counted()
        return ""

    def _measured(self) -> str:
        """`success rate 54.2 % (below 60 %) over 5 min`; at the end of an alert, what it is by now."""
        _, notice = self._text, self._notice
        if not notice.metric:
            return ""
        word, unit = metric_word(_, notice.metric)
        if unit == "flag":
            return "" if notice.kind is NoticeKind.RESOLVED else word
        if notice.value is None:
            return ""
        if notice.metric == "standbys" and notice.threshold is None:
            return covered(_, notice.value) if notice.kind is not NoticeKind.RESOLVED else ""
        said = f"{word} {quantity(_, notice.value, unit)}"
        if notice.threshold is not None and notice.operator:
            limit = compared(_, notice.operator, quantity(_, notice.threshold, unit))
            if notice.kind is NoticeKind.RESOLVED:
                limit = _("alert: {limit}", limit=limit)
            said += f" ({limit})"
        if notice.window:
            said = _("{measured} over {duration}", measured=said, duration=duration(_, notice.window))
        return said

    def _spent(self) -> str:
        """When a quota ends as things go now, by the day of the week: people plan by days, not by seconds."""
        _, notice = self._text, self._notice
        over = notice.kind is NoticeKind.RESOLVED
        if notice.metric != "quota_exhausted_in" or over or notice.value is None or not isfinite(notice.value):
            return ""
        ends = notice.at + notice.value
        day = weekday(_, ends, self._zone)
        if not day:
            return ""
        return _("At the present rate it ends {day}, {moment}.", day=day, moment=moment(ends, self._zone))

    def _counted(self) -> str:
        """`12 alerts: 3 critical, 9 warning`."""
        _, counts = self._text, self._notice.counts
        total = sum(counts.values()) or len(self._notice.members)
        each = [f"{_.number(counts[name])} {severity_word(_, name)}" for name in _worst_first(counts) if counts[name]]
        said = _.plural("{count} alert", "{count} alerts", total)
        return f"{said}: {', '.join(each)}" if each else said

    def _members(self) -> str:
        _, notice = self._text, self._notice
        named = notice.members[:MOST_MEMBERS]
        lines = [f"• {severity_word(_, severity)}: {line(title) or _('(untitled)')}" for severity, title in named]
        left = max(sum(notice.counts.values()), len(notice.members)) - len(named)
        if left > 0:
            lines.append(_.plural("and {count} more", "and {count} more", left))
        return "\n".join(lines)

    # -- what stands beside ---------------------------------------------------------------------

    def _fields(self) -> Iterator[CardField]:
        _, notice = self._text, self._notice
        for name, value in notice.labels.items():
            if visible(value):
                yield CardField(_label_word(_, name), line(value))
        if notice.started_at is not None:
            yield CardField(_("Since"), moment(notice.started_at, self._zone))
        if notice.ended_at is not None and notice.kind is not NoticeKind.SNOOZED:
            yield CardField(_("Until"), moment(notice.ended_at, self._zone))
        if visible(notice.actor):
            yield CardField(_("By"), line(notice.actor))
        # What a condition read is told once, as its values.
        if visible(notice.reason) and notice.reason != notice.facts.get("values"):
            yield CardField(_("Reason"), line(reason_word(_, notice.reason)), short=False)
        for name, given in notice.facts.items():
            value = causes(_, given) if name == "cause" else given
            if visible(value):
                yield CardField(fact_word(_, line(name)) or "–", clean(value).strip("\n"), short=len(value) <= 40)
        if visible(notice.runbook) and not _is_url(notice.runbook):
            yield CardField(_("What to do"), clean(_(notice.runbook)).strip("\n"), short=False)

    def _actions(self, links: Mapping[str, str]) -> Iterator[CardAction]:
        _, notice = self._text, self._notice
        labels = {
            "acknowledge": _("Acknowledge"),
            "silence": _("Silence it"),
            "open": _("Details"),
            "runbook": _("What to do"),
        }
        given = dict(links)
        if _is_url(notice.runbook):
            given.setdefault("runbook", notice.runbook.strip())
        for kind in _ACTIONS:
            url = given.get(kind, "")
            if not _is_url(url) or (kind in ("acknowledge", "silence") and notice.kind in _OVER):
                continue
            if kind == "acknowledge" and notice.kind is NoticeKind.ACKED:
                continue
            yield CardAction(labels[kind], url.strip(), kind)

    def _footer(self) -> str:
        _, notice = self._text, self._notice
        parts = ["Understudy", moment(notice.at, self._zone)]
        if notice.number:
            parts.append(_("episode {number}", number=notice.number))
        if notice.fingerprint:
            parts.append(line(notice.fingerprint)[:8])
        return " · ".join(parts)


def plain_parts(shown: Card, sign: str = "") -> list[str]:
    """The whole card as pieces of plain text, what is most telling first; `sign` stands before the title."""
    parts = [f"{sign} {shown.title}" if sign else shown.title, *shown.notes, *shown.paragraphs]
    if shown.fields:
        parts.append("\n".join(f"{each.name}: {each.value}" for each in shown.fields))
    if shown.actions:
        parts.append("\n".join(f"{each.label}: {each.url}" for each in shown.actions))
    return [*parts, shown.footer] if shown.footer else parts


def in_plain_words(shown: Card) -> str:
    """The whole card as plain text of any length: where there is no formatting."""
    return "\n\n".join(plain_parts(shown))


def legible(shown: Card) -> Card:
    """A card whose every text is legible, whoever made it; what `card` answers is left as it is."""
    return replace(
        shown,
        title=line(shown.title),
        subject=line(shown.subject),
        paragraphs=tuple(clean(each) for each in shown.paragraphs),
        fields=tuple(replace(each, name=line(each.name), value=clean(each.value)) for each in shown.fields),
        actions=tuple(replace(each, label=line(each.label)) for each in shown.actions if _is_url(each.url)),
        notes=tuple(clean(each) for each in shown.notes),
        footer=line(shown.footer),
    )


def _label_word(_: Texts, name: str) -> str:
    known = {
        "api": _("API"),
        "route": _("Route"),
        "hub": _("Hub"),
        "key": _("Key"),
        "operation": _("Operation"),
        "environment": _("Environment"),
    }
    return known.get(name) or line(name) or "–"


def _worst_first(counts: Mapping[str, int]) -> list[str]:
    rank = {severity.value: severity.rank for severity in Severity}
    return sorted(counts, key=lambda name: -rank.get(name, -1))


def _is_url(text: str) -> bool:
    """Whether it is one http or https address and nothing besides."""
    text = text.strip()
    if not text.isprintable() or any(sign.isspace() for sign in text) or len(text) > 2000:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
