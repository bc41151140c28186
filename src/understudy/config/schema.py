"""The JSON Schema of the configuration, for editors and other checkers."""

from __future__ import annotations

from typing import Any

from understudy.alerts.model import Level, Rule
from understudy.core.options import describe
from understudy.resilience.api import ApiOptions

from .alert_rules import NOT_SAID, SHORT
from .channels import alternatives
from .settings import Settings
from .shape import unwrap

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NUMBER = {"type": "number", "exclusiveMinimum": 0}
_COUNT = {"type": "integer", "minimum": 1}
_TEXT = {"type": "string"}
#: Short ways to write a field of `ApiOptions`.
_SHORT: dict[str, dict[str, Any]] = {
    "timeout": _NUMBER,
    "bulkhead": _COUNT,
    "quota": _COUNT,
    "rate_limit": {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*/"},
}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of what a file may hold."""
    from pydantic import TypeAdapter

    made = TypeAdapter(Settings).json_schema()
    definitions = made["$defs"]
    for kind in _classes(Settings):
        target = made if kind is Settings else definitions.get(kind.__name__)
        if target is not None:
            _describe(kind, target)
    properties = definitions[ApiOptions.__name__]["properties"]
    for name, short in _SHORT.items():
        properties[name] = _either(properties[name], short)
    keys = definitions["AuthOptions"]["properties"]["keys"]
    keys["items"] = {"anyOf": [keys["items"], _TEXT]}
    definitions["AuthOptions"]["properties"]["keys"] = _either(keys, _TEXT)
    success = definitions["SuccessOptions"]["properties"]
    success["status"]["items"] = {"type": ["string", "integer"]}
    success["status"] = _either(success["status"], {"type": ["string", "integer"]})
    rule = definitions["OutcomeRule"]
    rule["properties"]["class"] = rule["properties"].pop("class_")
    rule["required"] = ["class"]
    rule["properties"]["status"] = _either(rule["properties"]["status"], {"type": "integer"})
    _rules(definitions)
    made["properties"]["environment"]["enum"] = ["development", "staging", "production", "dev", "stage", "prod"]
    tree = {name: value for name, value in made["properties"].items() if name != "environment"}
    overlay = {"type": "object", "properties": tree, "additionalProperties": False}
    made["properties"]["environments"] = {
        "type": "object",
        "description": "the same tree for one environment, over the files",
        "additionalProperties": overlay,
    }
    _drop_unused(made)
    return {"$schema": DRAFT, **made, "title": "understudy.toml"}


def _rules(definitions: dict[str, Any]) -> None:
    """Alert rules as files write them: `for`, one level in the rule itself, and no name."""
    for kind in (Rule, Level):
        properties = definitions[kind.__name__]["properties"]
        properties["for"] = properties.pop("for_")
    rule = definitions[Rule.__name__]["properties"]
    for name in NOT_SAID:
        del rule[name]
    level = definitions[Level.__name__]["properties"]
    rule.update({name: level[name] for name in SHORT})


def _either(normal: dict[str, Any], short: dict[str, Any]) -> dict[str, Any]:
    outer: dict[str, Any] = {name: normal.pop(name) for name in ("description", "default") if name in normal}
    return {"anyOf": [normal, short], **outer}


def _classes(kind: Any) -> list[Any]:
    """An options class and all below it."""
    found = [kind]
    for spec in describe(kind):
        below = unwrap(spec.type)
        inner = [unwrap(part) for part in getattr(below, "__args__", ())] or [below]
        for part in inner:
            for each in alternatives(part):
                found.extend(_classes(each))
    return found


def _describe(kind: Any, target: dict[str, Any]) -> None:
    for spec in describe(kind):
        entry = target.get("properties", {}).get(spec.name)
        if entry is not None and entry.get("writeOnly"):
            entry.pop("default", None)  # an empty secret, masked
        if entry is not None and spec.doc is not None:
            entry["description"] = spec.doc.text + (f" [{spec.doc.unit}]" if spec.doc.unit else "")


def _drop_unused(made: dict[str, Any]) -> None:
    """Drop the definitions that only the removed properties used."""
    while True:
        text = repr(made)
        unused = [name for name in made["$defs"] if f"'#/$defs/{name}'" not in text]
        if not unused:
            return
        for name in unused:
            del made["$defs"][name]
