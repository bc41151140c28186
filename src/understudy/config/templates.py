"""Commented configuration files to begin with, written from the fields themselves."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Any, get_args, get_origin

from understudy.alerts.options import AlertOptions
from understudy.channels import KINDS, ChannelOptions
from understudy.core.options import FieldSpec, describe
from understudy.core.secrets import Secret
from understudy.resilience.api import ApiOptions, RouteOptions
from understudy.resilience.keys import AuthOptions
from understudy.resilience.outcome import OutcomeRule

from .environ import SEED_VARIABLES
from .settings import Settings


def toml_template() -> str:
    """A commented `understudy.toml` with every key; it is valid as it stands, and sets nothing."""
    tree = Settings()
    lines = ["# understudy.toml: every key with its default. Take the # away where you want another value.", ""]
    lines += ['# environment = "development"  # development, staging or production', ""]
    for name in ("log", "service"):
        lines += [f"[{name}]", *_keys(getattr(tree, name)), ""]
    lines += ["# One table for each API.", "# [apis.NAME]", *_keys(ApiOptions()), ""]
    for spec in describe(ApiOptions):
        below = AuthOptions() if spec.name == "auth" else getattr(ApiOptions(), spec.name)
        if dataclasses.is_dataclass(below):
            lines += [f"# [apis.NAME.{spec.name}]  # {spec.doc.text if spec.doc else ''}", *_keys(below), ""]
    lines += ["# Own rules about what answers mean, before those of the preset; the first that matches decides."]
    lines += ["# [[apis.NAME.outcomes]]", *_keys(OutcomeRule("caller")), ""]
    lines += ["# [routes.NAME]", *_keys(RouteOptions()), ""]
    lines += [*_alerts(), ""]
    lines += [*_channels(), ""]
    lines += ["# The same tree for one environment, over what stands above.", "# [environments.production]", ""]
    return "\n".join(lines)


#: What a rule and its surroundings look like; further in, as none of them is meant to stay as it is.
_RULES = """\
# The default rules are in force without being written down; a table of one's name changes what it says of that one.
#   [alerts.rules.error_rate]
#   enabled = false
#
#   [alerts.rules.slow]
#   metric = "response_time_p95"
#   operator = ">"
#   levels = [{ severity = "warning", threshold = 1.5 }, { severity = "critical", threshold = 4 }]
#   for = 60
#   match = ['api=~"odds.*"']
#
#   [alerts.rules.busy_and_failing]
#   kind = "expression"
#   when = "success_rate < 80 and requests_per_minute >= 10"
#   severity = "critical"
#   escalation = "night"
#
#   [alerts.escalations.night]
#   steps = [{ after = 300, targets = ["slack"] }, { after = 900, targets = ["pagerduty"] }]
#
#   [alerts.silences.maintenance]
#   match = ["api=odds"]
#   rrule = "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=0"
#   duration = 3600
#   time_zone = "America/Sao_Paulo"
#   reason = "the provider's weekly maintenance"
#
#   [alerts.mute_timings.nights]
#   match = ["severity=info"]
#   times = ["22:00-07:00"]"""


def _alerts() -> list[str]:
    alerts = AlertOptions()
    lines = ["# Alerts; see the reference for everything that a rule may say.", "[alerts]", *_keys(alerts), ""]
    return [*lines, "[alerts.engine]", *_keys(alerts.engine), "", *_RULES.splitlines()]


def _channels() -> list[str]:
    """An example of each kind of channel, with what is its own; further in, as none is meant to stay as it is."""
    lines = ["# One table for each way to reach people; `kind` says which service. Every kind takes these:"]
    common: type = ChannelOptions
    lines += [_example(spec, common) for spec in describe(common) if spec.name != "kind"]
    known = {spec.name for spec in describe(common)}
    for kind, channel in KINDS.items():
        own: type = channel.options
        lines += ["#", f"#   [channels.{kind}]", f'#   kind = "{kind}"']
        lines += [_example(spec, own) for spec in describe(own) if spec.name not in known]
    return lines


def _example(spec: FieldSpec, kind: type) -> str:
    """A key of a channel with its default, or with the variable that a secret may stand in."""
    value = next(field.default for field in dataclasses.fields(kind) if field.name == spec.name)
    if spec.type is Secret:
        value = f"env:{spec.name.upper()}"
    text, unit = (spec.doc.text, f" [{spec.doc.unit}]" if spec.doc.unit else "") if spec.doc else ("", "")
    return f"#   {spec.name} = {_plain(value)}  # {text}{unit}"


def _keys(options: Any) -> list[str]:
    lines = []
    for spec in _specs(options):
        value = getattr(options, spec.name)
        named = get_origin(spec.type) is dict and dataclasses.is_dataclass(get_args(spec.type)[1])
        if dataclasses.is_dataclass(value) or named or spec.name == "outcomes":
            continue  # tables of their own
        text = spec.doc.text if spec.doc else ""
        unit = f" [{spec.doc.unit}]" if spec.doc and spec.doc.unit else ""
        lines.append(f"# {spec.name.rstrip('_')} = {_plain(value)}  # {text}{unit}")
    return lines


def _specs(options: Any) -> tuple[FieldSpec, ...]:
    kind: Any = type(options)
    return describe(kind)


def _plain(value: Any) -> str:
    if value is None:
        return "…"
    if isinstance(value, Enum):
        value = value.value
    return json.dumps(value, ensure_ascii=False)


def env_template() -> str:
    """A `.env` with every variable of the original document, commented out, and no real secret."""
    lines = ["# .env: the real environment wins over this file. Keep it out of version control.", ""]
    for name, (text, example) in SEED_VARIABLES.items():
        lines += [f"# {text}", f"# {name}={example}", ""]
    return "\n".join(lines)
