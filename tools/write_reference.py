"""Writes docs/reference/ from the source, so that it cannot say anything else; `--check` only compares.

The options pages come from the options dataclasses (their fields carry range, unit and sentence), the errors page
from `core.errors`, the metrics page from the families of `export`, the endpoints page from what endpoints declare. A
house test runs the comparison.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import textwrap
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as at

from understudy.alerts import evidence, expression, slo
from understudy.alerts.defaults import default_rules
from understudy.alerts.metrics import DERIVED, EVENTS, METRICS
from understudy.alerts.model import Rule
from understudy.alerts.options import AlertOptions
from understudy.channels import KINDS
from understudy.config.alert_rules import NOT_SAID
from understudy.config.settings import ServiceSettings
from understudy.config.shape import written
from understudy.core import errors
from understudy.core.options import FieldSpec, Options, describe
from understudy.core.secrets import Secret
from understudy.export import kept, process, prometheus, told
from understudy.export.logs import LogSettings
from understudy.export.prometheus_text import Family
from understudy.notifications.options import NotificationOptions
from understudy.notifications.policy import PolicyOptions
from understudy.reports.schedule import ReportSchedule
from understudy.resilience.api import ApiOptions, RouteOptions
from understudy.storage.options import StorageOptions
from understudy.web.openapi import document
from understudy.web.table import ROUTES

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
#: What stands above the endpoints.
ENDPOINTS = (
    "Everything that the dashboard shows and does, for programs. Parameters, bodies and answers are in "
    "[openapi.json](../openapi.json), and at a running service under `/api/docs`, with an example of each for curl "
    "and for Python. How to ask is on the page about [metrics and endpoints](../metrics.md)."
)
_BOUNDS = ((at.Ge, "ge", "≥"), (at.Gt, "gt", ">"), (at.Le, "le", "≤"), (at.Lt, "lt", "<"))


def type_words(kind: Any) -> str:
    """A type as a person who writes the file would call it."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in args)
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(arg) for arg in args if arg is not type(None))
    if origin in (tuple, list, frozenset, set):
        return "list of " + type_words(args[0])
    if origin is not None and issubclass(origin, dict | types.MappingProxyType):
        return "table"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return f"table, see [{kind.__name__}](#{kind.__name__.lower()})"
    return {Secret: "text (secret)", str: "text", bool: "`true` or `false`", int: "whole number", float: "number"}.get(
        kind, "value"
    )


def limits_words(spec: FieldSpec) -> str:
    """`≥ 1, ≤ 1000 s` for a field's limits and unit."""
    parts = [
        f"{sign} {getattr(limit, attribute):g}"
        for limit in spec.constraints
        for cls, attribute, sign in _BOUNDS
        if isinstance(limit, cls)
    ]
    parts += [f"at least {limit.min_length} long" for limit in spec.constraints if isinstance(limit, at.MinLen)]
    unit = spec.doc.unit if spec.doc else ""
    return ", ".join(parts) + (f" {unit}" if unit and parts else unit)


def default_words(field: dataclasses.Field[Any]) -> str:
    """A field's default as it would stand in the file."""
    value = field.default
    if value is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            return "required"
        value = field.default_factory()
    if value is None or dataclasses.is_dataclass(value) or isinstance(value, Secret):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple | list | set | frozenset):
        return "`[" + ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in sorted(value, key=str)) + "]`"
    return f"`{value}`"


def is_required(cls: type, spec: FieldSpec) -> bool:
    """Whether a field's default is one that its own class refuses: nothing where there must be something."""
    default = next(field.default for field in dataclasses.fields(cls) if field.name == spec.name)
    return any(isinstance(limit, at.MinLen) for limit in spec.constraints) and default in ("", ())


def nested(cls: type) -> list[type]:
    """This options class and those its fields hold, each once, in order of appearance."""
    found: dict[type, None] = {cls: None}
    for spec in describe(cls):
        for candidate in (spec.type, *get_args(spec.type)):
            if isinstance(candidate, type) and issubclass(candidate, Options):
                found.update(dict.fromkeys(nested(candidate)))
    return list(found)


def class_section(cls: type) -> list[str]:
    """One options class as a heading and a table."""
    lines = [f"## {cls.__name__}", "", (cls.__doc__ or "").strip().splitlines()[0], ""]
    lines += ["| key | what it is | kind | range | default |", "|---|---|---|---|---|"]
    defaults = {field.name: default_words(field) for field in dataclasses.fields(cls)}
    defaults |= {spec.name: "required" for spec in describe(cls) if is_required(cls, spec)}
    for spec in describe(cls):
        if cls is Rule and spec.name in NOT_SAID:
            continue
        says = spec.doc.text if spec.doc else ""
        cells = [f"`{written(spec.name)}`", says, type_words(spec.type), limits_words(spec), defaults[spec.name]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*lines, ""]


def options_page() -> str:
    """Every key of the tables in a configuration file."""
    lines = ["# Options", "", "Written from the source by `tools/write_reference.py`; do not edit.", ""]
    tables = {
        "apis.NAME": ApiOptions,
        "routes.NAME": RouteOptions,
        "service": ServiceSettings,
        "storage": StorageOptions,
        "reports.NAME": ReportSchedule,
        "alerts": AlertOptions,
        "alerts.rules.NAME": Rule,
        "policies.NAME": PolicyOptions,
        "notifications": NotificationOptions,
        "log": LogSettings,
        **{f'channels.NAME] with kind = "{kind}': channel.options for kind, channel in KINDS.items()},
    }
    told = [f"`[{table}]` is [{cls.__name__}](#{cls.__name__.lower()})" for table, cls in tables.items()]
    lines += [", ".join(told) + ".", ""]
    for cls in dict.fromkeys(each for top in tables.values() for each in nested(top)):
        lines += class_section(cls)
    return "\n".join(lines).rstrip() + "\n"


def errors_page() -> str:
    """The tree of errors, and each with its meaning."""
    tree = (errors.__doc__ or "").strip().split("\n\n", 1)[1]
    lines = ["# Errors", "", "Written from the source by `tools/write_reference.py`; do not edit.", ""]
    lines += ["```text", tree, "```", ""]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.UnderstudyError):
            lines += [f"## {name}", "", " ".join((kind.__doc__ or "").split()), ""]
    return "\n".join(lines).rstrip() + "\n"


def metrics_page() -> str:
    """Every metric family of `/metrics`."""
    found = {
        value.name: value
        for module in (prometheus, kept, told, process)
        for value in vars(module).values()
        if isinstance(value, Family)
    }
    lines = ["# Metrics", "", "Written from the source by `tools/write_reference.py`; do not edit.", ""]
    lines += ["| metric | kind | meaning |", "|---|---|---|"]
    for family in found.values():
        name = family.name + ("_total" if family.kind == "counter" else "")
        lines.append(f"| `{name}` | {family.kind} | {family.help} |")
    return "\n".join(lines) + "\n"


def rules_page() -> str:
    """What rules can be about, and those that are there without being asked for."""
    lines = ["# Alert rules", "", "Written from the source by `tools/write_reference.py`; do not edit.", ""]
    lines += ["The keys of a rule are those of [Rule](options.md#rule); the headings below are for looking up.", ""]
    lines += ["## Metrics", "", "Those over a window cover the rule's `window`, or in a condition `metric[15m]`.", ""]
    lines += ["| metric | meaning | unit | of | over a window | hysteresis |", "|---|---|---|---|---|---|"]
    for metric in METRICS.values():
        left = (
            f"{metric.points:g} {metric.unit}"
            if metric.points
            else f"{metric.share:.0%}".replace("%", " %")
            if metric.share
            else ""
        )
        cells = (f"`{metric.name}`", metric.words, metric.unit, ", ".join(metric.subjects),
                 "yes" if metric.sampled else "", left)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Events", "", "| event | of | lasts while |", "|---|---|---|"]
    lines += [f"| `{name}` | {subject} | `{gauge}` is not 0 |" for name, (subject, gauge) in EVENTS.items()]
    lines += [f"| `{name}` | {subject} | the engine finds it in other alerts |" for name, subject in DERIVED.items()]
    lines += ["", "## Conditions", "", _told(expression.__doc__), "", "## Evidence", "", _told(evidence.__doc__)]
    lines += ["", "## Burn rates", "", _told(slo.__doc__), "", "## Default rules", ""]
    lines += ["| rule | of | fires | severity |", "|---|---|---|---|"]
    for rule in default_rules():
        severities = " / ".join(level.severity.value for level in rule.levels)
        off = "" if rule.enabled else " (off)"
        lines.append(f"| `{rule.name}`{off} | {rule.subject} | {_condition(rule)} | {severities} |")
    return "\n".join(lines) + "\n"


def endpoints_page() -> str:
    """Every endpoint of the REST API under its heading, with the permission that it needs."""
    tables: dict[str, list[str]] = {}
    for path, operations in sorted(document(ROUTES, lambda needs: True, "")["paths"].items()):
        for method, operation in operations.items():
            row = f"| `{method.upper()} {path}` | {operation['x-permission']} | {operation['summary']} |"
            tables.setdefault(operation["tags"][0], []).append(row.replace("<", "&lt;"))
    page = [
        "# Endpoints",
        "",
        ENDPOINTS,
    ]
    for tag in sorted(tables):
        page += ["", f"## {tag}", "", "| endpoint | needs | does |", "|---|---|---|", *tables[tag]]
    return "\n".join(page) + "\n"


def _condition(rule: Rule) -> str:
    if rule.kind != "threshold":
        also = f"; the last while `{rule.metric} {rule.operator} {rule.levels[-1].threshold:g}`" if rule.metric else ""
        return f"`{rule.when}`" if rule.when else f"event `{rule.event}`{also}"
    waits = f" for {rule.for_:g} s" if rule.for_ else ""
    return f"`{rule.metric} {rule.operator} {' / '.join(f'{level.threshold:g}' for level in rule.levels)}`{waits}"


def _told(doc: str | None) -> str:
    """A module's explanation without its first sentence; its tables and examples as they stand there."""
    blocks = (doc or "").strip().split("\n\n")[1:]
    return "\n\n".join(
        f"```text\n{textwrap.dedent(block)}\n```" if block.startswith(("    ", "==")) else block for block in blocks
    )


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale; the exit code is their number."""
    stale = 0
    pages = {
        "options.md": options_page(), "errors.md": errors_page(), "metrics.md": metrics_page(),
        "rules.md": rules_page(), "endpoints.md": endpoints_page(),
    }  # fmt: skip
    for name, text in pages.items():
        path = REFERENCE / name
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        print(f"{'stale' if '--check' in arguments else 'wrote'}: {path.relative_to(REFERENCE.parents[1])}")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
