"""`understudy notify simulate`: an alert that does not fire, and everything that would be told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from .alerts_shown import labels, print_json, severity
from .client import ServiceClient
from .exits import FAILED, OK, USAGE, Stop
from .screen import Screen, safe
from .words import event_word, suppressed_word


def simulate(screen: Screen, client: ServiceClient, body: Mapping[str, Any], *, as_json: bool) -> int:
    """Ask for it and show it; exit code 1 when nobody would be told."""
    content = client.send("POST", "/api/notifications/simulate", dict(body))
    if as_json:
        print_json(screen, content)
    else:
        _render(screen, content)
    return OK if _told(content) else FAILED


def pairs(screen: Screen, words: Sequence[str]) -> dict[str, str]:
    """Labels as they are typed, NAME=VALUE."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise Stop(USAGE, screen.text("{option} takes {values}", option="LABEL", values="api=odds_prime"))
        found[name] = value
    return found


def _told(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The channels that would tell it."""
    if content["suppressed_by"]:
        return []
    return [each for each in content["channels"] if each["known"] and not each["suppressed_by"]]


def _render(screen: Screen, content: Mapping[str, Any]) -> None:
    _ = screen.text
    head = f"  {safe(content['rule'])}  {labels(content['labels'])}  {event_word(_, content['kind'])}  "
    screen.line(Text.assemble(severity(screen, content["severity"]), head, screen.moment(content["at"])))
    if content["suppressed_by"]:
        why = suppressed_word(_, content["suppressed_by"])
        until = content["until"]
        said = _("nobody would be told: {reason}", reason=why)
        screen.line(
            said + (f", {_('until {time}', time=screen.moment(until))}" if until is not None else ""), "degraded"
        )
    named = ", ".join(map(safe, content["policies"]))
    screen.line(_("policies: {names}", names=named), "quiet")
    if not content["channels"]:
        screen.line(_("No channel is configured: alerts are shown here and in the log only."), "degraded")
    for each in content["channels"]:
        _channel(screen, each)
    for step in content["steps"]:
        who = ", ".join(map(safe, step["targets"]))
        said = _("{time}, while nobody answers: {channels}", time=screen.moment(step["at"]), channels=who)
        again = f", {_('again each {span}', span=screen.lasting(step['repeat']))}" if step["repeat"] else ""
        screen.line(said + again)


def _channel(screen: Screen, channel: Mapping[str, Any]) -> None:
    _ = screen.text
    name = safe(channel["channel"])
    if not channel["known"]:
        screen.line(Text.assemble((f"✗ {name}  ", "bad"), _("no channel of that name is configured")))
        return
    if channel["suppressed_by"]:
        screen.line(Text.assemble((f"– {name}  ", "quiet"), suppressed_word(_, channel["suppressed_by"])))
        return
    message = channel["message"]
    screen.line(Text.assemble((f"✓ {name}", "name"), f"  {safe(message['title'], 400)}"))
    for text in (*message["paragraphs"], *message["notes"]):
        screen.line(f"    {safe(text, 1000)}")
    for field in message["fields"]:
        screen.line(Text.assemble((f"    {safe(field['name'])}: ", "quiet"), safe(field["value"], 300)))
