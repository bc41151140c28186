"""Notifications on a terminal: how channels do, the delivery log, dead letters, what came of a send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from .alerts_shown import print_json, severity
from .exits import FAILED, OK
from .screen import Screen, safe
from .words import event_word, result_word


def show_statistics(screen: Screen, content: Any, *, as_json: bool) -> int:
    """Channels with their numbers, the account of everything, and what is wrong; exit code 1 when something is."""
    if as_json:
        print_json(screen, content)
    else:
        _channels(screen, content["channels"])
        _account(screen, content["accounting"])
        _drilled(screen, content.get("drill") or {})
        for problem in content["problems"]:
            screen.line(f"▲ {safe(problem, 400)}", "degraded")
    return FAILED if content["problems"] else OK


def _channels(screen: Screen, channels: Mapping[str, Any]) -> None:
    _ = screen.text
    if not channels:
        screen.line(_("No channel is configured: alerts are shown here and in the log only."), "degraded")
        return
    table = screen.table(
        _("Channel"), _("Kind"), _("State"), _("Delivered"), _("Retries"), _("Dead"), _("Waits"), "p50", "p95",
        numbers=(3, 4, 5, 6, 7, 8),
    )  # fmt: skip  # the columns in their order
    for name, each in channels.items():
        table.add_row(
            Text(safe(name), "name"),
            safe(each.get("kind", "")),
            _state(screen, each),
            screen.number(each.get("delivered", 0)),
            screen.number(each.get("retries", 0)),
            screen.number(each.get("dead", 0)),
            screen.number(each.get("waiting", 0)),
            screen.seconds(each.get("p50")),
            screen.seconds(each.get("p95")),
        )
    screen.console.print(table)


def _state(screen: Screen, channel: Mapping[str, Any]) -> Text:
    _ = screen.text
    words = {
        "closed": (_("works"), "good"),
        "removed": (_("not configured any more"), "quiet"),
        "half_open": (_("is being tried"), "degraded"),
        "open": (_("down, tried again later"), "bad"),
        "disabled": (_("refused us: change its configuration, then test it"), "bad"),
    }
    state = str(channel.get("state", ""))
    return Text(*words.get(state, (safe(state or "–"), "")))


def _account(screen: Screen, account: Mapping[str, Any]) -> None:
    """Where everything that was to be told has ended: the parts add up to the whole."""
    _ = screen.text
    words = {
        "delivered": _("delivered"),
        "digested": _("told within another"),
        "suppressed": _("not told on purpose"),
        "dead": _("given up"),
        "discarded": _("thrown away"),
        "pending": _("waits"),
    }
    counted = {**account, "suppressed": sum(account["suppressed"].values())}
    parts = [f"{screen.number(counted[name])} {word}" for name, word in words.items() if counted.get(name)]
    total = _.plural("{count} message to deliver", "{count} messages to deliver", int(account["rows"]))
    screen.line(f"{total}: {', '.join(parts)}" if parts else total, "quiet")


def _drilled(screen: Screen, drill: Mapping[str, Any]) -> None:
    """What the last drill found, and when the next one is."""
    _ = screen.text
    last = drill.get("last")
    if last:
        states = {
            "good": (_("every channel told of it"), "good"),
            "bad": (_("not every channel told of it"), "bad"),
            "playing": (_("it goes on"), "quiet"),
            "interrupted": (_("it was interrupted"), "degraded"),
            "spared": (_("every channel is a pager, and was spared"), "degraded"),
        }
        said, style = states.get(str(last.get("state")), (safe(last.get("state")), "quiet"))
        screen.line(_("last drill {time}: {result}", time=screen.moment(last["at"]), result=said), style)
    if drill.get("next_at"):
        screen.line(_("next drill {time}", time=screen.moment(drill["next_at"])), "quiet")


def show_log(screen: Screen, content: Any, *, as_json: bool) -> int:
    """Attempts, newest first."""
    _ = screen.text
    if as_json:
        print_json(screen, content)
        return OK
    if not content["attempts"]:
        screen.line(_("Nothing was attempted."))
        return OK
    table = screen.table(
        _("When"), _("Channel"), "#", _("Result"), _("Took"), _("Status"), _("Said"), numbers=(2, 4, 5)
    )
    for each in content["attempts"]:
        table.add_row(
            screen.moment(each["at"]),
            Text(safe(each["channel"]), "name"),
            str(each["number"]),
            result_word(_, each["result"]),
            screen.seconds(each["seconds"]),
            "–" if each["status"] is None else str(each["status"]),
            safe(each["error"] or each["response"] or "–", 120),
        )
    screen.console.print(table)
    _more(screen, content)
    return OK


def show_dead(screen: Screen, content: Any, *, as_json: bool) -> int:
    """Dead letters, newest first; exit code 1 when there are some."""
    _ = screen.text
    rows = content["rows"]
    if as_json:
        print_json(screen, content)
    elif not rows:
        screen.line(_("No dead letters."), "good")
    else:
        table = screen.table(
            _("When"), _("Channel"), _("What"), _("Severity"), _("Title"), _("Reason"), _("Row"), whole=(6,)
        )
        for each in rows:
            table.add_row(
                screen.moment(each["created_at"]),
                Text(safe(each["channel"]), "name"),
                event_word(_, each["kind"]),
                severity(screen, each["severity"]),
                safe(each["title"], 80),
                safe(each["reason"], 160),
                safe(each["id"]),
            )
        screen.console.print(table)
        _more(screen, content)
        screen.line(_("understudy notify replay ROW tries one again, discard throws it away"), "quiet")
    return FAILED if rows else OK


def _more(screen: Screen, content: Mapping[str, Any]) -> None:
    if content.get("next"):
        _ = screen.text
        screen.line(_("more: --before {episode}", episode=safe(content["next"])), "quiet")


def show_test(screen: Screen, content: Any, *, as_json: bool) -> int:
    """What came of a test message."""
    _ = screen.text
    good = bool(content.get("success"))
    if as_json:
        print_json(screen, content)
    else:
        said = _("the test arrived") if good else _("the test did not arrive")
        screen.line(
            f"{'✓' if good else '✗'} {said} ({screen.seconds(content.get('seconds'))})", "good" if good else "bad"
        )
        for text in (content.get("reason"), content.get("response")):
            if text:
                screen.line(safe(text, 1000), "quiet")
    return OK if good else FAILED


def show_sent(screen: Screen, content: Any, *, as_json: bool) -> int:
    """What came of a message, by channel; exit code 1 when one has not got it."""
    _ = screen.text
    results = content["results"]
    if as_json:
        print_json(screen, content)
    elif not results:
        screen.line(_("No channel is configured: nobody was told."), "bad")
    for name, each in results.items() if not as_json else ():
        good = each.get("success")
        word = _("delivered") if good else _("waits") if each.get("state") == "pending" else _("not delivered")
        detail = safe(each.get("reason") or "", 300)
        screen.line(
            Text.assemble(
                ("✓ " if good else "✗ ", "good" if good else "bad"), (safe(name), "name"), f"  {word}  {detail}"
            )
        )
    return OK if results and all(each.get("success") for each in results.values()) else FAILED
