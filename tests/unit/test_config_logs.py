"""The log shows no secret and lets no stranger write lines of it."""

import json
import logging

from understudy.core.secrets import Secret
from understudy.export.logs import JsonFormatter, Redactor, TextFormatter


def record(text, *args, **extra):
    made = logging.LogRecord("understudy.x", logging.INFO, "", 0, text, args, None)
    made.__dict__.update(extra)
    return made


def test_known_and_shaped_secrets_are_masked():
    redactor = Redactor()
    redactor.add(Secret("hunter2-known"))
    line = TextFormatter(redactor).format(
        record("%s api_key=hunter2a Authorization: Bearer hunter2bcdefgh http://u:hunter2@h/", "hunter2-known")
    )
    assert "hunter2" not in line


def test_control_and_direction_characters_are_escaped():
    assert "\n" not in (line := TextFormatter(Redactor()).format(record("a\nb\x1b[31m\u202e")))
    assert r"a\nb\x1b[31m\u202e" in line


def test_a_json_line_has_the_names_of_ecs():
    entry = json.loads(
        JsonFormatter(Redactor(), version="1", environment="production").format(record("hi", event={"action": "x"}))
    )
    assert {"@timestamp", "log.level", "message", "ecs.version", "service.environment"} <= set(entry)
    assert entry["event.action"] == "x"
