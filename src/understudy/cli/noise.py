"""`understudy rules noise`: which rules cost people more than they are worth, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from .alerts_shown import print_json
from .exits import FAILED, OK
from .screen import Screen, safe


def show_noise(screen: Screen, content: Mapping[str, Any], *, as_json: bool) -> int:
    """Every rule that alerted, in one line; exit code 1 when one is noisy."""
    noisy = [each for each in content["rules"] if each["noisy"]]
    if as_json:
        print_json(screen, content)
    else:
        _render(screen, content)
        for each in noisy:
            _advise(screen, each)
    return FAILED if noisy else OK


def _render(screen: Screen, content: Mapping[str, Any]) -> None:
    _ = screen.text
    span = {"start": screen.moment(content["start"]), "end": screen.moment(content["end"])}
    screen.line(_("{start} to {end}, as it really was", **span), "quiet")
    if not content["rules"]:
        screen.line(_("Nothing fired."), "good")
        return
    columns = (
        _("Rule"), _("Episodes"), _("Told"), _("Pages a week"), _("At night"), _("Under 2 min"), _("Flapped"),
        _("Nobody answered"),
    )  # fmt: skip  # in their order
    table = screen.table(*columns, numbers=tuple(range(1, len(columns))))
    for each in content["rules"]:
        counts = [each[name] for name in ("episodes", "told")]
        rest = [each[name] for name in ("night_pages", "short", "flapped", "unanswered")]
        table.add_row(
            Text(safe(each["rule"]), "degraded" if each["noisy"] else "name"), *map(screen.number, counts),
            screen.number(each["pages_per_week"], 1), *map(screen.number, rest),
        )  # fmt: skip  # the columns in their order
    screen.console.print(table)


def _advise(screen: Screen, rule: Mapping[str, Any]) -> None:
    _ = screen.text
    said = _(
        "{share} of its episodes ended within two minutes or came and went; understudy rules backtest {rule} "
        "--propose tries what would tell less",
        share=screen.percent(rule["share_noise"]),
        rule=safe(rule["rule"]),
    )
    screen.line(Text.assemble((f"{safe(rule['rule'])}: ", "degraded"), said))
