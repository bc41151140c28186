"""The closed lists of decision records in words: gates, outcomes, whose fault, what a cost is made of.

A word that is not here is shown as it came: a service may be newer than this command.
"""

from __future__ import annotations

from understudy.core.text import Texts
from understudy.notifications import words
from understudy.resilience import words as resilience_words

from .screen import safe


def gate_word(_: Texts, gate: str) -> str:
    """Why an API was passed over."""
    return resilience_words.gates(_).get(gate, safe(gate))


def ending_word(_: Texts, outcome: str) -> str:
    """How an attempt ended."""
    return resilience_words.endings(_).get(outcome, safe(outcome))


def fault_word(_: Texts, attribution: str) -> str:
    """Whose fault it was."""
    return resilience_words.faults(_).get(attribution, safe(attribution))


def term_word(_: Texts, term: str) -> str:
    """What a part of the expected cost stands for."""
    return resilience_words.terms(_).get(term, safe(term))


def severity_word(_: Texts, severity: str) -> str:
    """How bad it is."""
    return {"critical": _("critical"), "warning": _("warning"), "info": _("info")}.get(severity, safe(severity))


def phase_word(_: Texts, phase: str) -> str:
    """Where an alert is."""
    return safe(words.phase_word(_, phase))


def event_word(_: Texts, kind: str) -> str:
    """What happened to an alert."""
    return safe(words.event_word(_, kind))


def suppressed_word(_: Texts, reason: str) -> str:
    """What kept a notice back; who or what exactly stands behind the colon."""
    return safe(words.suppressed_word(_, reason), 120)


def result_word(_: Texts, result: str) -> str:
    """How an attempt to deliver ended."""
    return safe(words.result_word(_, result))
