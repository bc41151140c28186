"""What the program found, in the reader's language: the short texts of verdicts and breakers.

They are kept and shown in logs as they were written, in English; only here do they become sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from understudy.core.text import Texts


def found_word(_: Texts, text: str) -> str:
    """A text that the program wrote about numbers, in words; every other stays as it is."""
    for pattern, said in _FOUND:
        match = pattern.fullmatch(text)
        if match is not None:
            return said(_, *match.groups())
    return text


def causes(_: Texts, text: str) -> str:
    """Several of them, separated by semicolons."""
    return "; ".join(found_word(_, each) for each in text.split("; "))


def _few(_: Texts, count: str) -> str:
    return _.plural("Only {count} call is known of.", "Only {count} calls are known of.", int(count))


def _last(_: Texts, count: str) -> str:
    return _.plural("That is the last call.", "Those are the last {count} calls.", int(count))


def _burn(_: Texts, hours: str, count: str) -> str:
    failures = _.plural("{count} failure", "{count} failures", int(count))
    return _("{failures} within {hours} h", failures=failures, hours=_.written(hours))


def _hub(_: Texts, count: str) -> str:
    return _.plural("{count} API of the hub fails.", "{count} APIs of the hub fail.", int(count))


def _quiet(_: Texts, count: str, seconds: str) -> str:
    minutes = _.number(float(seconds) / 60)
    return _.plural(
        "There was {count} call in {minutes} min before.", "There were {count} calls in {minutes} min before.",
        int(count), minutes=minutes,
    )  # fmt: skip


def _in_a_row(_: Texts, count: str) -> str:
    return _.plural("{count} failure in a row", "{count} failures in a row", int(count))


def _share(_: Texts, failed: str, count: str) -> str:
    return _.plural("{failed} of {count} attempt failed", "{failed} of {count} attempts failed", int(count),
                    failed=failed)  # fmt: skip


def _slow(_: Texts, slow: str, count: str, seconds: str) -> str:
    return _.plural(
        "{slow} of {count} attempt took {seconds} s or more", "{slow} of {count} attempts took {seconds} s or more",
        int(count), slow=slow, seconds=_.written(seconds),
    )  # fmt: skip


_N: Final = r"(\d{1,15})"
_REAL: Final = r"([\d.e+-]{1,20})"
_FOUND: Final[tuple[tuple[re.Pattern[str], Callable[..., str]], ...]] = (
    (re.compile(f"only {_N} calls", re.ASCII), _few),
    (re.compile(f"the last {_N} calls", re.ASCII), _last),
    (re.compile(rf"burn \S{{1,20}} over {_REAL} h, {_N} failures", re.ASCII), _burn),
    (re.compile(f"{_N} APIs of the hub fail", re.ASCII), _hub),
    (re.compile(rf"{_N} calls in (\d{{1,9}}(?:\.\d{{1,9}})?) s before", re.ASCII), _quiet),
    (re.compile(f"{_N} failures in a row", re.ASCII), _in_a_row),
    (re.compile(f"{_N} of {_N} attempts failed", re.ASCII), _share),
    (re.compile(f"{_N} of {_N} attempts took {_REAL} s or more", re.ASCII), _slow),
)
