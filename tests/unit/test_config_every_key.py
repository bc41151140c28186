"""Every key of the tree can be set from every source, and says where it came from."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import annotated_types as at
import pytest

from understudy.alerts.model import Rule
from understudy.channels import KINDS, ChannelOptions
from understudy.config import load
from understudy.config.settings import Settings
from understudy.config.shape import unwrap
from understudy.core.options import FieldSpec, describe
from understudy.core.secrets import Secret

#: Keys whose value must have a form of its own.
FORMED: dict[str, Any] = {
    "apis.fix.base_url": "https://api.example.com/v1",
    "apis.fix.preset": "rapidapi",
    "apis.fix.tags": ["eu", "payments"],
    "apis.fix.health_check.path": "/ping",
    "apis.fix.success.status": ["200", "204"],
    "apis.fix.success.header": "X-Ok: ^yes$",
    "apis.fix.success.json": "errors == null",
    "apis.fix.auth.kind": "bearer",
    "apis.fix.auth.keys": [{"value": "k-123456", "alias": "main"}],
    "apis.fix.auth.token_url": "https://api.example.com/token",
    "apis.fix.auth.token_path": "access.token",
    "apis.fix.auth.expires_path": "access.expires",
    "apis.fix.outcomes": [{"class": "quota", "status": "429", "pattern": "monthly"}],
    "apis.fix.headers": {"Accept": "application/json"},
    "service.dashboards": {"staging": "https://staging.example.com"},
    "service.public_names": ["understudy.example.com"],
    "service.trusted_proxies": ["10.0.0.0/24", "192.0.2.7"],
    "routes.fix.apis": ["fix"],
    "reports.fix.api": "fix",
    "reports.fix.formats": ["json"],
    "storage.url": "sqlite:///elsewhere.db",
    "alerts.rules.fix.kind": "burn_rate",
    "alerts.rules.fix.metric": "error_rate",
    "alerts.rules.fix.levels": [{"severity": "info", "threshold": 7.0}, {"severity": "critical", "threshold": 8.0}],
    "alerts.rules.fix.when": "success_rate < 50",
    "alerts.rules.fix.event": "api_down",
    "alerts.rules.fix.match": ["api=fix"],
    "alerts.rules.fix.hysteresis": 1.5,
    "alerts.rules.fix.objective": 99.0,
    "alerts.rules.fix.labels": {"team": "data"},
    "alerts.rules.fix.escalation": "fix",
    "alerts.escalations.fix.steps": [{"after": 60.0, "targets": ["callback:fix"], "min_severity": "warning"}],
    "alerts.silences.fix.match": ["api=fix"],
    "alerts.silences.fix.starts": "2026-01-01T10:00",
    "alerts.silences.fix.ends": "2030-01-01T10:00",
    "alerts.silences.fix.rrule": "FREQ=DAILY",
    "alerts.silences.fix.time_zone": "America/Sao_Paulo",
    "alerts.mute_timings.fix.match": ["severity=info"],
    "alerts.mute_timings.fix.days": ["mon"],
    "alerts.mute_timings.fix.times": ["22:00-06:00"],
    "alerts.mute_timings.fix.days_of_month": ["24"],
    "alerts.mute_timings.fix.months": ["12"],
    "alerts.mute_timings.fix.time_zone": "America/Sao_Paulo",
    "alerts.engine.group_by": ["hub"],
    "policies.fix.match": ["severity=critical"],
    "policies.fix.escalation": "fix",
    "policies.fix.group_by": ["hub"],
    "notifications.public_url": "https://understudy.example.com",
    "notifications.drill_at": "wed 09:30",
    "notifications.drill_zone": "America/Sao_Paulo",
    "alerts.inhibitions.fix.source": ["api=cause"],
    "alerts.inhibitions.fix.target": ["api=consequence"],
    "alerts.inhibitions.fix.equal": ["hub"],
    "service.allow_networks": ["127.0.0.0/8"],
    "report_to": "http://127.0.0.1:8080",
    "channels.slack.time_zone": "America/Sao_Paulo",
    "channels.slack.fallback": "discord",
    "channels.slack.url": "https://hooks.example/other",
    "channels.email.host": "mail2.example.com",
    "channels.email.security": "tls",
    "channels.email.from_email": "other@example.com",
    "channels.email.to_emails": ["other@example.com"],
    "channels.discord.url": "https://chat.example/2/b",
    "channels.telegram.bot_token": "2:b",
    "channels.telegram.chat_id": ["-7", "@other"],
    "channels.telegram.api_base": "https://bots.example",
    "channels.pagerduty.routing_key": "b" * 32,
    "channels.pagerduty.api_base": "https://events.example",
    "channels.opsgenie.api_base": "https://alerts.example",
    "channels.opsgenie.responders": ["team:payments"],
    "channels.opsgenie.tags": ["night"],
    "channels.webhook.url": "https://program.example/in",
    "channels.webhook.secret": "whsec_" + "QUJE" * 11,
    "channels.webhook.secrets": ["whsec_" + "QUJD" * 11],
    "channels.apprise.urls": ["json://program.example"],
    "status_page.home": "https://www.example.com",
    "status_page.host": "status.example.com",
    "status_page.good": 98.0,
    "status_page.bad": 90.0,
    "status_page.components.fix.routes": ["fix"],
    "status_page.components.fix.apis": ["fix"],
    "status_page.notices.fix.components": ["fix"],
    "status_page.notices.fix.starts": "2026-01-01T10:00",
    "status_page.notices.fix.ends": "2026-01-02T10:00",
}
#: What the tree must hold besides, so that it is valid.
BESIDE = {
    "apis.fix.base_url": "https://other.example.com",
    "apis.fix.auth.kind": "basic",
    "apis.fix.auth.keys": ["other-key"],
    "routes.fix.apis": ["fix"],
    "reports.fix.formats": ["json"],
    "alerts.rules.fix.metric": "success_rate",
    "alerts.rules.fix.levels": [{"severity": "warning", "threshold": 6.0}],
    "alerts.escalations.fix.steps": [{"targets": ["callback:fix"]}],
    "alerts.silences.fix.match": ["api=other"],
    "alerts.silences.fix.rrule": "FREQ=WEEKLY;BYDAY=SU",
    "alerts.silences.fix.duration": 3600.0,
    "alerts.silences.fix.reason": "the provider's own window",
    "alerts.inhibitions.fix.source": ["api=first"],
    "alerts.inhibitions.fix.target": ["api=second"],
    "status_page.components.fix.title": "First",
    "status_page.notices.fix.title": "First",
}
#: What a key needs beside it that no other does, by the part that it is of.
INSTEAD = {
    "alerts.rules.fix.when": {
        "kind": "expression",
        "metric": "",
        "when": "failures > 5",
        "levels": [{"severity": "info"}],
    },
    "alerts.rules.fix.event": {"kind": "event", "event": "quota_exhausted", "levels": [{"severity": "info"}]},
}


#: The least that a channel of each kind is made of.
CHANNELS: dict[str, dict[str, Any]] = {
    "slack": {"kind": "slack", "url": "https://hooks.example/for-tests"},
    "email": {
        "kind": "email",
        "host": "mail.example.com",
        "from_email": "bot@example.com",
        "to_emails": ["a@example.com"],
    },
    "discord": {"kind": "discord", "url": "https://chat.example/1/a"},
    "telegram": {"kind": "telegram", "bot_token": "1:a", "chat_id": ["5"]},
    "pagerduty": {"kind": "pagerduty", "routing_key": "a" * 32},
    "opsgenie": {"kind": "opsgenie", "api_key": "for-tests"},
    "webhook": {"kind": "webhook", "url": "https://program.example", "secrets": ["whsec_" + "QUFB" * 11]},
    "apprise": {"kind": "apprise", "urls": ["json://other.example"]},
}


def beside(path: str) -> dict[str, Any]:
    """A valid tree in which the key can be set."""
    instead = {f"alerts.rules.fix.{name}": value for name, value in INSTEAD.get(path, {}).items()}
    first, _, rest = path.partition(".")
    kinds = {rest.partition(".")[0], "discord"} if first == "channels" else set()
    channels = {f"channels.{kind}.{name}": value for kind in kinds for name, value in CHANNELS[kind].items()}
    return {**BESIDE, **instead, **channels}


def leaves(cls: type = Settings, path: tuple[str, ...] = ()) -> list[tuple[str, FieldSpec, Any]]:
    """Every key that takes a value, with its description and its default."""
    found = []
    for spec in describe(cls):
        kind, here = unwrap(spec.type), (*path, spec.name)
        if spec.name in {Settings: ("environment",), Rule: ("name", "version")}.get(cls, ()):
            continue
        if spec.name == "channels":
            found += channel_leaves()
        elif dataclasses.is_dataclass(kind):
            found += leaves(kind, here)
        elif get_origin(kind) is dict and dataclasses.is_dataclass(get_args(kind)[1]):
            found += leaves(get_args(kind)[1], (*here, "fix"))
        else:
            default = next(field.default for field in dataclasses.fields(cls) if field.name == spec.name)
            found.append((".".join(here).removesuffix("_"), spec, default))
    return found


def channel_leaves() -> list[tuple[str, FieldSpec, Any]]:
    """What each kind of channel takes; what all of them take, once."""
    common = {field.name for field in dataclasses.fields(ChannelOptions)}
    found = []
    for kind, channel in KINDS.items():
        for leaf in leaves(channel.options, ("channels", kind)):
            name = leaf[1].name
            if name != "kind" and (name not in common or kind == "slack"):
                found.append(leaf)
    return found


def another(path: str, spec: FieldSpec, default: Any) -> Any:
    """A valid value that is not the default."""
    kind = unwrap(spec.type)
    if path in FORMED:
        return FORMED[path]
    if get_origin(kind) is Literal:
        return next(value for value in get_args(kind) if value != default)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(member.value for member in kind if member is not default)
    if kind is bool:
        return not default
    if kind in (int, float):
        lowest = max((c.ge for c in spec.constraints if isinstance(c, at.Ge)), default=0)
        highest = min((c.le for c in spec.constraints if isinstance(c, at.Le)), default=1000 + 10 * lowest)
        value = kind(lowest + (highest - lowest) / 4)
        return value if value != default else kind(lowest + (highest - lowest) / 2)
    return "some-text"


LEAVES = [pytest.param(path, another(path, spec, default), id=path) for path, spec, default in leaves()]


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(below)}" for name, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def text(value: Any) -> str:
    """A value as it stands in a variable."""
    return value if isinstance(value, str) else toml(value)


def plain(value: Any) -> Any:
    """What was loaded, as plain values."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = {field.name.rstrip("_"): plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: each for name, each in given.items() if each not in (None, "", 0)}
    return value


def loaded(folder, path: str, env=None, overrides=()) -> tuple[Any, str]:
    found = load(cwd=folder, env=env or {}, overrides=overrides, secret_dirs=())
    value: Any = found.settings
    for part in path.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part if hasattr(value, part) else f"{part}_")
    return plain(value), str(found.origin(tuple(path.split("."))))


def lines(values: dict[str, Any]) -> str:
    return "".join(f"{path} = {toml(value)}\n" for path, value in values.items())


def variable(path: str) -> str:
    return "UNDERSTUDY__" + path.upper().replace(".", "__")


@pytest.mark.parametrize(("path", "value"), LEAVES)
def test_every_key_is_read_from_every_source(tmp_path, path, value):
    file = tmp_path / "understudy.toml"
    around = beside(path)
    file.write_text(lines(around))
    (tmp_path / "understudy.d").mkdir()

    assert loaded(tmp_path, path, overrides=[f"{path}={text(value)}"]) == (value, "command line")

    name = variable(path)
    assert loaded(tmp_path, path, {name: text(value)}) == (value, f"env:{name}")

    (tmp_path / "value").write_text(text(value) + "\n")
    assert loaded(tmp_path, path, {f"{name}_FILE": "value"}) == (value, "file:value")

    (tmp_path / ".env").write_text(f"{name}='{text(value)}'\n")
    assert loaded(tmp_path, path) == (value, ".env:1")
    (tmp_path / ".env").unlink()

    more = tmp_path / "understudy.d" / "50-more.toml"
    more.write_text(lines({path: value}))
    assert loaded(tmp_path, path) == (value, "understudy.d/50-more.toml:1")

    more.write_text(lines({f"environments.staging.{path}": value}))
    assert loaded(tmp_path, path, {"ENVIRONMENT": "staging"}) == (value, "understudy.d/50-more.toml:1")
    with_default = lines({f"environments.staging.{path}": value, "environment": "production"})
    more.write_text(with_default)
    assert "50-more" not in str(load(cwd=tmp_path, env={}, secret_dirs=()).origin(tuple(path.split("."))))
    more.unlink()

    file.write_text(lines({path: value, **{name: other for name, other in around.items() if name != path}}))
    assert loaded(tmp_path, path) == (value, "understudy.toml:1")
