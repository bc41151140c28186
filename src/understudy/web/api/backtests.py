"""`POST /api/alerts/rules/backtest`: what rules would have told in the past that is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from understudy.alerts.backtest import surrounded
from understudy.alerts.incidents import Incident, caught
from understudy.alerts.model import Rule
from understudy.alerts.noise import difference, noise
from understudy.alerts.ports import EpisodeRow, EventRow
from understudy.alerts.remembered import Remembered
from understudy.alerts.rules import rule_from
from understudy.backtesting import WARM, Past, judged, part_of, proposals, run_over
from understudy.core.turn import Slices
from understudy.web.auth.permissions import Permission
from understudy.web.declared import Field, Gives
from understudy.web.endpoint import Table, endpoint
from understudy.web.http import Answer, Problem, Request, dumped
from understudy.web.kinds import Document, Flag, Listed, Text
from understudy.web.schemas import FLAG, NUMBER, TEXT, TIME, WHOLE, Lazy, array, mapping, maybe, obj
from understudy.web.turns import in_turn
from understudy.web.views.kept_past import past_of

from .fields import answering
from .incidents import MOST_INCIDENTS, incidents_of
from .shapes import EPISODE, EPISODE_SHORT, NOISE
from .span import SPAN, SPANNING_BODY, span

if TYPE_CHECKING:
    from understudy.alerts.backtest import Backtest
    from understudy.app import Understudy

#: Most rules of one backtest.
MOST_RULES = 50
#: The span when nobody says one, s.
_MONTH = 30 * 86400.0
#: Kinds of rules that the history tells something about.
NUMERIC = ("threshold", "expression", "burn_rate", "no_traffic")


@answering
async def backtest(app: Understudy, request: Request) -> Answer:
    """Rules by name, or all of which the past tells; `changed` versions of them stand beside what is in force.

    `incidents` are spans in which something was wrong: the answer says which of them no rule told of. With
    `proposals`, versions of noisy rules that would have told less are tried; none is taken in. The other rules
    in force are judged beside those that are asked about, since their alerts may inhibit theirs.
    """
    request.query()
    if app.keeping is None:
        raise Problem(404, "nothing is kept here: this process was started without a store")
    content = await request.json_object()
    said = {name: content[name] for name in SPAN if content.get(name) is not None}
    start, end = span(said, app.clock.time(), _MONTH)
    zone = zone_of(_ZONE.of(content))
    incidents = incidents_of(content.get("incidents"))
    changed = _changed(content)
    api = _API.of(content)
    _wanted(app, content, changed, frozenset())  # what is wrong with it is said before anything is read
    propose = _PROPOSALS.of(content)

    async def tried() -> Answer:
        kept = await app.alerts.past(start - WARM, end)
        remembered = Remembered(app.alerts.rules.rules(), *kept)
        rules = _wanted(app, content, changed, remembered.events)
        past = await past_of(app, api, start, end, (*rules, *changed), remembered)
        return await _judged(app, past, _Asked(rules, changed, zone, incidents, propose), kept)

    return await in_turn(app, request, tried)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a backtest is to answer."""

    rules: Sequence[Rule]
    changed: Sequence[Rule]
    zone: ZoneInfo
    incidents: Sequence[Incident]
    propose: bool


async def _judged(
    app: Understudy, past: Past, asked: _Asked, kept: tuple[Sequence[EpisodeRow], Sequence[EventRow]]
) -> Answer:
    slices = Slices(app.clock.monotonic)
    around = surrounded(app.alerts.options, app.alerts.silences())
    rules, changed = asked.rules, asked.changed
    known = {rule.name for rule in rules}
    beside = [rule for rule in app.alerts.rules.rules() if rule.enabled and rule.name not in known]
    before = await judged(run_over(past, [*rules, *beside], around), slices)
    after = None
    if changed:
        by_name = {rule.name: rule for rule in (*rules, *beside, *changed)}
        after = await judged(run_over(past, list(by_name.values()), around), slices)
    told: list[dict[str, Any]] = []
    for name in dict.fromkeys((*(rule.name for rule in rules), *(rule.name for rule in changed))):
        tried = after if any(rule.name == name for rule in changed) else None
        mine = told_of_rule(name, before, tried, asked.zone, asked.incidents)
        mine["recorded"] = _recorded(name, kept, past, asked.zone)
        rule = next((each for each in rules if each.name == name), None)
        if asked.propose and rule is not None:
            only, others = part_of(before, name), [each for each in (*rules, *beside) if each.name != name]
            found = await proposals(past, rule, only, slices, around, others)
            mine["proposals"] = [each.as_dict() for each in found]
        told.append(mine)
    pieces = [{"from": at, "bucket": length} for at, length in past.pieces]
    head = {"start": past.start, "end": past.end, "resolution": past.resolution, "pieces": pieces}
    return Answer(dumped({**head, "rules": told, "missed": missed_by_all(asked.incidents, told)}))


def _recorded(
    name: str, kept: tuple[Sequence[EpisodeRow], Sequence[EventRow]], past: Past, zone: ZoneInfo
) -> dict[str, Any] | None:
    """What the rule really told at that time, as it was then; None where no alert of it was kept."""
    episodes, events = kept
    mine = [each for each in episodes if each.rule == name and (each.resolved_at or past.end) >= past.start]
    happened = [each for each in events if each.rule == name and each.at >= past.start]
    return noise(mine, happened, past.start, past.end, zone).as_dict() if mine else None


def told_of_rule(
    name: str, before: Backtest, after: Backtest | None, zone: ZoneInfo, incidents: Sequence[Incident] = ()
) -> dict[str, Any]:
    """One rule: what is in force, and where another version is tried, that and what differs."""
    mine = part_of(before, name)
    found: dict[str, Any] = {"rule": name, **mine.as_dict(zone), "changed": None}
    del found["rules"]
    found["blind"] = bool(mine.blind)
    found["incidents"] = _told_of(incidents, mine)
    if after is not None:
        other = part_of(after, name)
        changes = difference(mine.episodes, other.episodes, before.resolution)
        found["changed"] = {
            "noise": other.noise(zone).as_dict(),
            "difference": changes.as_dict(),
            "incidents": _told_of(incidents, other),
        }
    return found


def _told_of(incidents: Sequence[Incident], found: Backtest) -> dict[str, Any] | None:
    if not incidents:
        return None
    return caught(incidents, found.episodes, found.events, found.resolution).as_dict()


def missed_by_all(incidents: Sequence[Incident], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The incidents that no rule told of, in the version that is tried where there is one."""
    missed = [(each["changed"] or each)["incidents"]["missed"] for each in told if each["incidents"]]
    return [each for each in (incident.as_dict() for incident in incidents) if all(each in one for one in missed)]


def _wanted(
    app: Understudy, content: Mapping[str, Any], changed: Sequence[Rule], remembered: Collection[str]
) -> list[Rule]:
    names = _RULES.of(content)
    book = app.alerts.rules
    if names:
        return [_on(book.get(name)) for name in names]
    if changed:
        known = {rule.name for rule in book.rules()}
        return [_on(book.get(rule.name)) for rule in changed if rule.name in known]
    told_of = (each for each in book.rules() if each.kind in NUMERIC or each.event in remembered)
    return [rule for rule in told_of if rule.enabled][:MOST_RULES]


def _on(rule: Rule) -> Rule:
    """A rule that is switched off is tried all the same."""
    return replace(rule, enabled=True)


def _changed(content: Mapping[str, Any]) -> list[Rule]:
    return [rule_from(each, "api") for each in _CHANGED.of(content)]


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a request; a `Problem` when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise Problem(422, "zone is the name of a time zone, such as America/Sao_Paulo") from None


_RULES = Field("rules", Listed(Text(200, least=1), MOST_RULES, called="texts"), "Which; by default all.", default=())
_CHANGED = Field("changed", Listed(Document(), MOST_RULES, called="rules"), "Versions to try.", default=())
_API = Field("api", Text(200, name=True), "Only about this API.", default="")
_ZONE = Field("zone", Text(100), "Whose nights are counted.", default="UTC", example="America/Sao_Paulo")
_PROPOSALS = Field("proposals", Flag(), "Whether quieter versions of noisy rules are tried.", default=False)
_INCIDENTS = Field(
    "incidents", Listed(Document(), MOST_INCIDENTS, called="spans"), "`from`, `to`, `name`, `labels` of what was wrong."
)
_SPAN: dict[str, Lazy] = {"from": TIME, "to": TIME, "name": TEXT, "labels": mapping(TEXT)}
_INCIDENT = obj(**_SPAN)
_CAUGHT = obj(told=array(obj(**_SPAN, after={"type": "number"})), missed=array(_INCIDENT))
_DIFFERENCE = obj(gone=array(EPISODE_SHORT), new=array(EPISODE_SHORT), kept=WHOLE, later=NUMBER)
_OF_RULE = obj(
    ("proposals",), rule=TEXT, start=TIME, end=TIME, resolution=NUMBER, blind=FLAG, noise=NOISE,
    episodes=array(EPISODE), recorded=maybe(NOISE), incidents=maybe(_CAUGHT),
    events=array(obj(episode=TEXT, rule=TEXT, kind=TEXT, at=TIME, severity=TEXT, suppressed_by=TEXT)),
    changed=maybe(obj(noise=NOISE, difference=_DIFFERENCE, incidents=maybe(_CAUGHT))),
    proposals=array(obj(change=mapping(NUMBER), noise=NOISE, difference=_DIFFERENCE)),
)  # fmt: skip
_PIECES = array(obj(**{"from": TIME, "bucket": NUMBER}))
_TRIED = Gives(
    obj(start=TIME, end=TIME, resolution=NUMBER, pieces=_PIECES, rules=array(_OF_RULE), missed=array(_INCIDENT))
)

ROUTES: Table = {
    ("POST", "/api/alerts/rules/backtest"): endpoint(
        backtest, Permission.READ, body=(_RULES, _CHANGED, _API, _ZONE, _PROPOSALS, _INCIDENTS, *SPANNING_BODY),
        gives=_TRIED,
        problems=(400, 404, 503), tag="Rules",
    ),
}  # fmt: skip
