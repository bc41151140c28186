"""Alerts on a terminal: what fires, episodes of the past, one with its timeline, and why somebody was told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from understudy.alerts.shown import AlertView
from understudy.web.views.told import AlertsView

from .exits import FAILED, OK, Stop
from .screen import Screen, safe
from .words import event_word, phase_word, severity_word, suppressed_word

#: Shape and style of each severity: never told by colour alone.
_SHAPES = {"critical": ("■", "down"), "warning": ("▲", "degraded"), "info": ("●", "healthy")}
#: What a trace may be nested, before the rest is shown as JSON.
_DEEPEST = 6


def severity(screen: Screen, word: str) -> Text:
    """A severity as shape and word."""
    shape, style = _SHAPES.get(word, ("?", ""))
    return Text(f"{shape} {severity_word(screen.text, word)}", style=style)


def labels(values: Mapping[str, Any]) -> str:
    """Labels in one line."""
    return ", ".join(f"{safe(name)}={safe(value)}" for name, value in values.items()) or "–"


def show_active(screen: Screen, content: Any, *, as_json: bool) -> int:
    """What fires now; exit code 1 while something does."""
    _ = screen.text
    try:
        view = AlertsView.from_dict(content)
    except (KeyError, TypeError, AttributeError):
        raise Stop(FAILED, _("the answer is of another version of Understudy")) from None
    if as_json:
        print_json(screen, content)
    elif view.alerts:
        active_table(screen, view)
    else:
        screen.line(_("Nothing fires."), "good")
    return FAILED if any(each.phase != "pending" for each in view.alerts) else OK


def active_table(screen: Screen, view: AlertsView) -> None:
    """Alerts of the present as a table, with what was found below it."""
    _ = screen.text
    columns = [_("Severity"), _("Rule"), _("About"), _("Since"), _("State"), _("Told"), _("Episode")]
    rows = [
        (
            severity(screen, each.severity),
            Text(safe(each.rule), "name"),
            labels(each.labels),
            screen.moment(each.started_at or each.active_at),
            phase_word(_, each.phase),
            _told(screen, each),
            safe(each.episode or each.fingerprint),
        )
        for each in view.alerts
    ]
    table = screen.table(*columns, whole=(0, 1, 3, 6))
    for row in rows:
        table.add_row(*row)
    if screen.fits(table):
        screen.console.print(table)
    else:
        for shown, rule, about, since, phase, told, episode in rows:
            screen.line(Text.assemble(shown, "  ", rule, f"  {about}"))
            screen.line(f"  {phase}, {since}, {columns[5]}: {told}")
            screen.line(f"  {episode}", "quiet")
    for each in view.alerts[:20]:
        if each.reason:
            screen.line(Text.assemble((f"{safe(each.rule)}: ", "name"), (safe(each.reason), "quiet")))


def _told(screen: Screen, alert: AlertView) -> str:
    _ = screen.text
    if alert.acknowledged_by:
        return _("{who} has it", who=safe(alert.acknowledged_by, 40))
    if alert.snoozed_until is not None:
        return _("snoozed until {time}", time=screen.moment(alert.snoozed_until))
    if alert.suppressed_by:
        return suppressed_word(_, alert.suppressed_by)
    return _("yes") if alert.told else "–"


def show_episodes(screen: Screen, content: Any, *, as_json: bool) -> int:
    """Episodes of the past, newest first."""
    _ = screen.text
    if as_json:
        print_json(screen, content)
        return OK
    episodes = content["episodes"]
    if not episodes:
        screen.line(_("No episode in that span."))
        return OK
    table = screen.table(
        _("Worst"), _("Rule"), _("About"), _("Began"), _("Lasted"), _("Ended by"), _("Episode"), whole=(6,)
    )
    for each in episodes:
        ended = "–" if each["resolved_at"] is None else safe(each["reason"] or _("itself"), 60)
        table.add_row(
            severity(screen, each["peak"]),
            Text(safe(each["rule"]), "name"),
            labels(each["labels"]),
            screen.moment(each["started_at"]),
            screen.lasting(each["lasted"]) if each["resolved_at"] is not None else _("still fires"),
            ended,
            safe(each["episode"]),
        )
    screen.console.print(table)
    if content.get("next"):
        screen.line(_("more: --before {episode}", episode=safe(content["next"])), "quiet")
    return OK


def show_episode(screen: Screen, content: Any, *, as_json: bool) -> int:
    """One episode with its timeline and what was sent."""
    _ = screen.text
    if as_json:
        print_json(screen, content)
        return OK
    row = content["episode"]
    head = Text.assemble(
        severity(screen, row["severity"]), "  ", (safe(row["rule"]), "name"), f"  {labels(row['labels'])}"
    )
    screen.line(head)
    ended = _("still fires") if row["resolved_at"] is None else _("lasted {time}", time=screen.lasting(row["lasted"]))
    screen.line(f"{screen.moment(row['started_at'])}  {ended}  {safe(row['reason'])}".rstrip(), "quiet")
    table = screen.table(
        _("When"), _("What"), _("Severity"), _("Who"), _("Not told because of"), _("Event"), whole=(5,)
    )
    for each in content["events"]:
        table.add_row(
            screen.moment(each["at"]),
            event_word(_, each["kind"]),
            severity(screen, each["severity"]),
            safe(each["actor"] or "–", 60),
            suppressed_word(_, each["suppressed_by"]) if each["suppressed_by"] else "–",
            safe(each["event_id"]),
        )
    screen.console.print(table)
    deliveries(screen, content["deliveries"])
    return OK


def deliveries(screen: Screen, rows: Any) -> None:
    """What was sent, to which channel, and what became of it."""
    _ = screen.text
    if not rows:
        screen.line(_("Nothing was sent for it."), "quiet")
        return
    table = screen.table(
        _("Channel"), _("What"), _("State"), _("Attempts"), _("Reason"), _("Row"), numbers=(3,), whole=(5,)
    )
    for each in rows:
        table.add_row(
            Text(safe(each.get("channel", "")), "name"),
            event_word(_, each.get("kind", "")),
            row_word(screen, each.get("state", "")),
            str(each.get("attempts", "–")),
            safe(each.get("reason") or "–", 120),
            safe(each.get("id", "")),
        )
    screen.console.print(table)


def row_word(screen: Screen, state: str) -> Text:
    """Where a row of the outbox ended."""
    _ = screen.text
    words = {
        "pending": (_("waits"), "degraded"),
        "delivered": (_("delivered"), "good"),
        "digested": (_("told within another"), "quiet"),
        "suppressed": (_("not told on purpose"), "quiet"),
        "dead": (_("given up"), "bad"),
        "discarded": (_("thrown away"), "quiet"),
    }
    return Text(*words.get(state, (safe(state), "")))


def show_why(screen: Screen, content: Any, *, as_json: bool) -> int:
    """The trace of an event, from samples to attempts, as indented lines."""
    if as_json:
        print_json(screen, content)
    else:
        for line in outline(content):
            screen.line(line)
    return OK


def outline(value: Any, depth: int = 0) -> list[str]:
    """Nested values as indented lines of `name: value`."""
    indent = "  " * depth
    if depth >= _DEEPEST:
        return [indent + safe(json.dumps(value, ensure_ascii=False))]
    lines = []
    items = value.items() if isinstance(value, Mapping) else ((None, each) for each in value)
    for name, each in items:
        said = f"{safe(name)}:" if name is not None else "-"
        if isinstance(each, Mapping | list | tuple):
            if each:
                lines += [f"{indent}{said}", *outline(each, depth + 1)]
            continue
        if each not in (None, ""):
            lines.append(f"{indent}{said} {safe(each, 500)}")
    return lines


def print_json(screen: Screen, content: Any) -> None:
    """An answer as it came."""
    screen.console.print(json.dumps(content, indent=2, ensure_ascii=False), soft_wrap=True)
