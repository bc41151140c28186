"""Rules put to the test: files of tests, run here."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rich.text import Text

from understudy.alerts.rule_test_files import BEGIN, RuleTestError, read
from understudy.alerts.rule_tests import run

from .alerts_shown import print_json
from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, complain, safe

#: Largest file that is read, bytes.
MAX_FILE = 8 * 1024 * 1024


def run_tests(
    screen: Screen,
    files: list[Path],
    config: Path | None,
    override: list[str],
    environment: str | None,
    *,
    as_json: bool,
) -> int:
    """Run every test of the files; exit code 1 when one fails, 2 when a file cannot be used."""
    from understudy.config import load

    from .rules_shown import configured

    rules = [rule for rule, _ in configured(load(config, overrides=override, environment=environment).settings)]
    told, failed, count = [], 0, 0
    for file in files:
        try:
            suite = read(toml(screen, file), rules)
        except RuleTestError as error:
            for fault in error.faults:
                complain(f"{safe(file)}: {safe(fault, 500)}")
            raise Stop(USAGE, screen.text("the tests have faults, so none was run")) from None
        for outcome in run(suite, BEGIN):
            count += 1
            failed += not outcome.passed
            told.append({"file": str(file), "test": outcome.name, "differences": list(outcome.differences)})
            if not as_json:
                _tell(screen, file, outcome.name, outcome.differences)
    if as_json:
        print_json(screen, {"tests": told, "failed": failed})
    else:
        _ = screen.text
        good = _.plural("OK: {count} test", "OK: {count} tests", count)
        bad = _.plural("{count} of {total} tests failed", "{count} of {total} tests failed", failed, total=count)
        screen.line(bad if failed else good, "bad" if failed else "good")
    return FAILED if failed else OK


def _tell(screen: Screen, file: Path, name: str, differences: tuple[str, ...]) -> None:
    mark = ("✗ ", "bad") if differences else ("✓ ", "good")
    screen.line(Text.assemble(mark, (safe(name), "name"), (f"  {safe(file)}", "quiet")))
    for difference in differences:
        for line in difference.split("\n"):
            screen.line(f"    {safe(line, 500)}")


def toml(screen: Screen, file: Path) -> dict[str, Any]:
    """A file as TOML; a `Stop` that says why it is none."""
    _ = screen.text
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise Stop(USAGE, _("{path}: the file is too large", path=safe(file)))
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise Stop(USAGE, f"{safe(file)}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise Stop(USAGE, _("{path}: the file is no text in UTF-8", path=safe(file))) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Stop(USAGE, f"{safe(file)}: {safe(error)}") from None
