"""What makes an alert the same alert, and an event the same event."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from .model import LABELS, Rule

_LENGTH = 32  # hexadecimal digits: 128 bits


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """Names the alert of a rule on one label set, for all its episodes: 32 hexadecimal digits.

    Only labels of `LABELS` that are not empty count, in any order: no measured value is ever a part of it.
    """
    return _fingerprint(rule, tuple((name, labels[name]) for name in LABELS if labels.get(name)))


@lru_cache(maxsize=100_000)
def _fingerprint(rule: str, labels: tuple[tuple[str, str], ...]) -> str:
    return _hashed((rule, *(part for pair in sorted(labels) for part in pair)))


def event_id(fingerprint: str, episode: str, kind: str, nth: int) -> str:
    """Names one thing that happened to an alert: the same after a restart, so that it is told once."""
    return _hashed((fingerprint, episode, kind, str(nth)))


def question(rule: Rule) -> str:
    """What a rule asks: while it stays the same, an edit goes on with the alerts that there are.

    Thresholds, severities and times are answers, not the question.
    """
    return _hashed((rule.kind, rule.subject, rule.metric, rule.event, rule.when, *sorted(rule.match)))


def _hashed(parts: tuple[str, ...]) -> str:
    # Lengths keep ("ab", "c") apart from ("a", "bc").
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
