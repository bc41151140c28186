"""`understudy explain`: why a call was served by whom, from its decision record."""

from __future__ import annotations

import json
from datetime import datetime

from rich.text import Text

from understudy.core.types import AttemptRecord, Candidate, Explanation
from understudy.resilience.words import outcomes
from understudy.web.views.status import DecisionsView

from .client import ServiceClient
from .exits import FAILED, OK, Stop
from .screen import Screen, safe
from .words import ending_word, fault_word, gate_word, term_word

#: How the endings of calls look.
_LOOKS = {"success": "good", "fallback": "degraded", "failed": "bad", "deadline": "bad", "cancelled": "quiet"}


def show_decisions(
    screen: Screen,
    url: str,
    *,
    call_id: str | None,
    last: bool,
    route: str | None,
    outcome: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print one record in full, or a list of them."""
    client = ServiceClient(url, screen.text)
    if call_id is not None:
        values = client.get("/api/decisions", call=call_id)
    else:
        values = client.get("/api/decisions", limit=1 if last else limit, route=route, outcome=outcome)
    try:
        records = DecisionsView.from_dict(values).decisions
    except (KeyError, TypeError, ValueError):
        raise Stop(FAILED, screen.text("{url} is not an Understudy service", url=url)) from None
    if as_json:
        screen.console.print(json.dumps(values, indent=2, ensure_ascii=False), soft_wrap=True)
    elif not records:
        screen.line(screen.text("No such call is on record; failures, fallbacks and a sample of the rest are kept."))
    elif call_id is not None or last:
        render(screen, records[0])
    else:
        _list(screen, records)
    return OK


def outcome_word(screen: Screen, outcome: str) -> Text:
    """How a call ended, in the reader's language."""
    return Text(outcomes(screen.text).get(outcome, safe(outcome)), _LOOKS.get(outcome, ""))


def render(screen: Screen, record: Explanation) -> None:
    """One record in full: who could have served, what was tried, what came of it."""
    _ = screen.text
    title = Text.assemble((safe(record.route), "name"), "  ", outcome_word(screen, record.outcome))
    if record.chosen:
        title.append(f"  → {safe(record.chosen)}", "name")
    title.append(f"  {screen.seconds(record.duration)}")
    screen.line(title)
    about = [_time(record.at), _("deadline {time}", time=screen.seconds(record.deadline)), record.mode]
    screen.line(" · ".join([*about, *([record.call_id] if record.call_id else [])]), "quiet")
    for candidate in record.candidates:
        screen.line(_candidate(screen, candidate, record))
    for number, attempt in enumerate(record.attempts, 1):
        screen.line(_attempt(screen, number, attempt))
    for note in record.notes:
        screen.line(f"  {safe(note)}", "quiet")


def _candidate(screen: Screen, candidate: Candidate, record: Explanation) -> Text:
    _ = screen.text
    if candidate.gate:
        detail = f" ({safe(candidate.detail)})" if candidate.detail else ""
        passed = _("passed over: {why}", why=gate_word(_, candidate.gate) + detail)
        return Text.assemble("  ", ("✕ ", "down"), f"{safe(candidate.api):<20} ", passed)
    terms = ", ".join(
        f"{term_word(_, name)} {screen.number(value)}" for name, value in candidate.terms.items() if value
    )
    mark = ("✓ ", "good") if candidate.api == record.chosen else ("· ", "quiet")
    cost = screen.number(candidate.cost or 0.0)
    shown = _("could serve at a cost of {cost} ms", cost=cost)
    about = " ".join([*([f"({terms})"] if terms else []), safe(candidate.detail)])
    return Text.assemble("  ", mark, f"{safe(candidate.api):<20} {shown} ", (about.rstrip(), "quiet"))


def _attempt(screen: Screen, number: int, attempt: AttemptRecord) -> Text:
    _ = screen.text
    good = attempt.outcome.value == "success"
    status = f" {attempt.status}" if attempt.status else ""
    key = f" [{safe(attempt.key)}]" if attempt.key else ""
    blame = "" if good else " " + _("(fault of: {whose})", whose=fault_word(_, attempt.attribution.value))
    return Text.assemble(
        (f"  {number}. ", "name"),
        f"{safe(attempt.api)}{key} ",
        (f"{ending_word(_, attempt.outcome.value)}{status}", "good" if good else "bad"),
        f" {screen.seconds(attempt.duration)}{blame} ",
        (safe(attempt.reason), "quiet"),
    )


def _list(screen: Screen, records: tuple[Explanation, ...]) -> None:
    _ = screen.text
    columns = [_("Time"), _("Call"), _("Route"), _("Outcome"), _("Served by"), _("Attempts"), _("Took")]
    rows = [
        (
            _time(record.at),
            safe(record.call_id) or "–",
            safe(record.route),
            outcome_word(screen, record.outcome),
            safe(record.chosen) or "–",
            str(len(record.attempts)),
            screen.seconds(record.duration),
        )
        for record in records
    ]
    screen.console.print(screen.fitting(columns, rows, numbers=(5, 6)))
    screen.line(_("understudy explain CALL tells one of them in full."), "quiet")


def _time(at: float) -> str:
    """The clock time of this machine."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
