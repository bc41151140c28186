"""The labelled incidents of a request: spans of which somebody says that something was wrong."""

from __future__ import annotations

from understudy.alerts.incidents import Incident
from understudy.web.http import Problem

from .fields import text, when

#: Most labelled incidents of one backtest, and most labels of one.
MOST_INCIDENTS, MOST_LABELS = 1000, 10


def incidents_of(listed: object) -> list[Incident]:
    """The labelled incidents of a body.

    Raises:
        Problem: 422 with what is wrong.
    """
    if listed is None:
        return []
    if not isinstance(listed, list) or len(listed) > MOST_INCIDENTS:
        raise Problem(422, f"incidents is a list of at most {MOST_INCIDENTS} spans")
    return [_incident(each) for each in listed]


def _incident(doc: object) -> Incident:
    if not isinstance(doc, dict) or not doc.keys() <= {"from", "to", "name", "labels"}:
        raise Problem(422, "an incident has from and to, and perhaps a name and labels")
    begin, end = when(doc, "from"), when(doc, "to")
    if begin is None or end is None or not begin <= end:
        raise Problem(422, "an incident lasts from a time such as 2026-11-25T14:00 to a later one")
    labels = {} if doc.get("labels") is None else doc["labels"]
    if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
        raise Problem(422, f"labels of an incident are at most {MOST_LABELS} texts, such as api")
    named = {str(name)[:200]: text({"labels": value}, "labels", 200) for name, value in labels.items()}
    return Incident(begin, end, text(doc, "name", 200), named)
