"""The user's own wording: `{title}: {value} on {api}{?runbook} (see {runbook}){/}`.

A grammar of its own, and nothing is ever executed: `{name}` is replaced by a value, what stands between
`{?name}` and `{/}` is kept where the value is there (`{!name}`: where it is not), `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from understudy.core.errors import UnderstudyError
from understudy.core.legible import clean
from understudy.core.notices import Notice

from .message import Card

#: The longest template, characters, and the longest text that one may become, bytes.
MOST_TEMPLATE, MOST_OUTPUT = 16_000, 64 * 1024
#: Conditions within conditions.
DEEPEST = 10
_TOKEN = re.compile(r"\{\{|\}\}|\{([?!]?)([A-Za-z_][A-Za-z0-9_.-]{0,99})\}|(\{/\})|[{}]")


class TemplateError(UnderstudyError, ValueError):
    """The template cannot be used; the text says what is wrong, and where."""


def places(notice: Notice, card: Card) -> dict[str, str]:
    """What a template may name: the notice's own facts, its labels, and the standard wording."""
    found = {f"label.{name}": value for name, value in notice.labels.items()}
    found |= dict(notice.facts)
    found |= notice.labels
    found |= {
        "title": notice.title,
        "content": notice.content,
        "subject": card.subject,
        "headline": card.title,
        "text": "\n\n".join(card.paragraphs),
        "severity": str(notice.severity),
        "kind": str(notice.kind),
        "rule": notice.rule,
        "metric": notice.metric,
        "value": "" if notice.value is None else f"{notice.value:g}",
        "threshold": "" if notice.threshold is None else f"{notice.threshold:g}",
        "operator": notice.operator,
        "reason": notice.reason,
        "actor": notice.actor,
        "runbook": notice.runbook,
        "number": str(notice.number or ""),
        "fingerprint": notice.fingerprint,
        "episode": notice.episode,
    }
    return {name: clean(value) for name, value in found.items()}


#: What every template may name, though it may be empty; anything else is a label or a fact.
KNOWN = frozenset(
    (
        "title", "content", "subject", "headline", "text", "severity", "kind", "rule", "metric", "value", "threshold",
        "operator", "reason", "actor", "runbook", "number", "fingerprint", "episode", "api", "route", "hub", "key",
        "operation", "environment",
    )
)  # fmt: skip


def check(template: str) -> None:
    """Find faults before the first message.

    Raises:
        TemplateError: it cannot be read.
    """
    for _ in _pieces(template):
        pass


def write(template: str, values: Mapping[str, str]) -> str:
    """The text that the template becomes.

    Raises:
        TemplateError: it cannot be read, names something unknown, or becomes too long.
    """
    out: list[str] = []
    size = 0
    shown = [True]
    for kind, text, at in _pieces(template):
        if kind == "end":
            shown.pop()
        elif kind in ("?", "!"):
            shown.append(shown[-1] and bool(values.get(text)) is (kind == "?"))
        elif shown[-1]:
            piece = text if kind == "text" else _value(text, values, at)
            size += len(piece.encode(errors="replace"))
            if size > MOST_OUTPUT:
                raise TemplateError(f"the text would be longer than {MOST_OUTPUT // 1024} kB")
            out.append(piece)
    return "".join(out)


def _value(name: str, values: Mapping[str, str], at: int) -> str:
    if name in values:
        return values[name]
    if name in KNOWN or name.startswith("label."):
        return ""  # an alert on a route has no API
    raise TemplateError(f"nothing is called {{{name}}}, at character {at + 1}")


def _pieces(template: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, place): `text`, `value`, `?`, `!` and `end`."""
    if len(template) > MOST_TEMPLATE:
        raise TemplateError(f"the template is {len(template)} characters long; {MOST_TEMPLATE} are possible")
    at = depth = 0
    for found in _TOKEN.finditer(template):
        if found.start() > at:
            yield "text", template[at : found.start()], at
        at = found.end()
        sign, name, end = found.groups()
        if found[0] in ("{{", "}}"):
            yield "text", found[0][0], found.start()
        elif end:
            depth -= 1
            if depth < 0:
                raise TemplateError(f"{{/}} without a {{?name}} before it, at character {found.start() + 1}")
            yield "end", "", found.start()
        elif name is None:
            raise TemplateError(f"a single {found[0]}, at character {found.start() + 1}; write it twice to mean it")
        else:
            depth += bool(sign)
            if depth > DEEPEST:
                raise TemplateError(f"more than {DEEPEST} conditions within each other, at character {found.start()}")
            yield sign or "value", name, found.start()
    if depth:
        raise TemplateError("a {?name} has no {/} behind it")
    if at < len(template):
        yield "text", template[at:], at
