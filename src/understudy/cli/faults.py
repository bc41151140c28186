"""Faults of a configuration, and its warnings, in the reader's language."""

from __future__ import annotations

from understudy.config.faults import Fault, dotted
from understudy.config.sentences import SENTENCES, said
from understudy.core.text import Texts

__all__ = ["SENTENCES", "said", "told"]


def told(fault: Fault, text: Texts) -> str:
    """One fault in one line, as `str(fault)` has it in English."""
    where = [said(str(fault.origin), text)] if fault.origin.kind != "default" else []
    if fault.path:
        where.append(dotted((*fault.origin.under, *fault.path)))
    line = ": ".join([*where, said(fault.expected, text)])
    if fault.found:
        line += text(", found {found}", found=said(fault.found, text))
    return f"{line}; {said(fault.hint, text)}" if fault.hint else line
