"""`POST /api/alerts/rules/backtest`: what rules would have told in the past that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet
from zoneinfo import ZoneInfo

from understudy.alerts.backtest import surrounded
from understudy.alerts.model import Rule
from understudy.alerts.noise import difference
from understudy.alerts.rules import rule_from
from understudy.backtesting import Past, Roster, judged, part_of, proposals, read_past, run_over
from understudy.core.turn import Slices

from .fields import Handler, answering, text, texts
from .http import Answer, Problem, Request, dumped
from .span import SPAN, span

if TYPE_CHECKING:
    from understudy.alerts.backtest import Backtest
    from understudy.app import Understudy

#: Most rules of one backtest, and most buckets that may be judged: more take longer than anybody waits.
MOST_RULES, MOST_BUCKETS = 50, 600_000
#: The span when nobody says one, s; and the longest.
_MONTH, _LONGEST = 30 * 86400.0, 366 * 86400.0
#: Applications that a backtest is running for: one takes seconds of the processor, so they run one after another.
_busy: WeakSet[Understudy] = WeakSet()
#: Kinds of rules that the history tells something about.
NUMERIC = ("threshold", "expression", "burn_rate", "no_traffic")


@answering
async def backtest(app: Understudy, request: Request) -> Answer:
    """Rules by name, or all that watch numbers; `changed` versions of them stand beside what is in force.

    With `proposals`, versions of noisy rules that would have told less are tried; none is taken in.
    """
    request.query()
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    content = await request.json_object("rules", "changed", "api", "zone", "proposals", *SPAN)
    wanted = content.get("proposals", False)
    if not isinstance(wanted, bool):
        raise Problem(422, "proposals is true or false")
    said = {name: text(content, name, 100) for name in SPAN if content.get(name) is not None}
    start, end = span(said, app.clock.time(), _MONTH)
    zone = _zone(text(content, "zone", 100, default="UTC"))
    changed = _changed(content)
    rules = _wanted(app, content, changed)
    api = text(content, "api", 200)
    if app in _busy:
        raise Problem(429, "another backtest is running here; ask again when it has ended", {"Retry-After": "5"})
    _busy.add(app)
    try:
        return await _judged(app, await _past(app, api, start, end, rules), rules, changed, zone, propose=wanted)
    finally:
        _busy.discard(app)


async def _judged(
    app: Understudy, past: Past, rules: Sequence[Rule], changed: Sequence[Rule], zone: ZoneInfo, *, propose: bool
) -> Answer:
    slices = Slices(app.clock.monotonic)
    around = surrounded(app.alerts.options, app.alerts.silences())
    before = await judged(run_over(past, rules, around), slices)
    after = None
    if changed:
        by_name = {rule.name: rule for rule in rules} | {rule.name: rule for rule in changed}
        after = await judged(run_over(past, list(by_name.values()), around), slices)
    told: list[dict[str, Any]] = []
    for name in dict.fromkeys((*(rule.name for rule in rules), *(rule.name for rule in changed))):
        mine = told_of_rule(name, before, after if any(rule.name == name for rule in changed) else None, zone)
        rule = next((each for each in rules if each.name == name), None)
        if propose and rule is not None:
            only = part_of(before, name)
            mine["proposals"] = [each.as_dict() for each in await proposals(past, rule, only, slices, around)]
        told.append(mine)
    pieces = [{"from": at, "bucket": length} for at, length in past.pieces]
    head = {"start": past.start, "end": past.end, "resolution": past.resolution, "pieces": pieces}
    return Answer(dumped({**head, "rules": told}))


def told_of_rule(name: str, before: Backtest, after: Backtest | None, zone: ZoneInfo) -> dict[str, Any]:
    """One rule: what is in force, and where another version is tried, that and what differs."""
    mine = part_of(before, name)
    found: dict[str, Any] = {"rule": name, **mine.as_dict(zone), "changed": None}
    del found["rules"]
    found["blind"] = bool(mine.blind)
    if after is not None:
        other = part_of(after, name)
        changes = difference(mine.episodes, other.episodes, before.resolution)
        found["changed"] = {"noise": other.noise(zone).as_dict(), "difference": changes.as_dict()}
    return found


async def _past(app: Understudy, api: str, start: float, end: float, rules: Sequence[Rule]) -> Past:
    if end - start > _LONGEST:
        raise Problem(422, "the span is longer than a year")
    roster = _roster(app, api)
    if api and api not in roster.apis:
        raise Problem(404, "no API of that name is registered")
    keeping = app.keeping
    if keeping is None:
        raise Problem(404, "nothing is kept here")
    series = len(roster.apis) + len(roster.routes)
    tier = 10 if end - start <= 6 * 3600 else 60 if end - start <= 45 * 86400 else 3600
    if series * (end - start) / tier > MOST_BUCKETS:
        raise Problem(422, "that is too much to judge at once: choose one api, or a shorter span")
    lead = min(3 * 86400.0, max((rule.window for rule in rules), default=3600.0))
    try:
        return await read_past(
            keeping.store.rollups,
            roster,
            start,
            end,
            now=app.clock.time(),
            retention=keeping.retention,
            lead=max(3600.0, lead),
        )
    except ValueError as error:
        raise Problem(422, str(error)) from None


def _roster(app: Understudy, api: str) -> Roster:
    """Who there is now, or one API alone; the past of what is registered no more is not judged."""
    registered = app.fallback.roster.apis
    hubs = {
        name: each.hub.name if each.options.hub or len(each.hub.apis) > 1 else ""
        for name, each in registered.items()
        if not api or name == api
    }
    return Roster(hubs, () if api else tuple(app.fallback.roster.routes))


def _wanted(app: Understudy, content: Mapping[str, Any], changed: Sequence[Rule]) -> list[Rule]:
    names = texts(content, "rules", MOST_RULES, 200)
    book = app.alerts.rules
    if names:
        return [_on(book.get(name)) for name in names]
    if changed:
        known = {rule.name for rule in book.rules()}
        return [_on(book.get(rule.name)) for rule in changed if rule.name in known]
    return [rule for rule in book.rules() if rule.enabled and rule.kind in NUMERIC][:MOST_RULES]


def _on(rule: Rule) -> Rule:
    """A rule that is switched off is tried all the same."""
    return replace(rule, enabled=True)


def _changed(content: Mapping[str, Any]) -> list[Rule]:
    docs = [] if content.get("changed") is None else content["changed"]
    if not isinstance(docs, list) or len(docs) > MOST_RULES or not all(isinstance(each, dict) for each in docs):
        raise Problem(422, f"changed is a list of at most {MOST_RULES} rules")
    return [rule_from(each, "api") for each in docs]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise Problem(422, "zone is the name of a time zone, such as America/Sao_Paulo") from None


ROUTES: dict[tuple[str, str], Handler] = {("POST", "/api/alerts/rules/backtest"): backtest}
