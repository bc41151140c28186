"""Several APIs of one hub that fail together are one incident: one message with the list, and one at the end.

The incident is an alert of a rule like any other, with the hub as its label. While it fires, it inhibits the
alerts of the hub's APIs (`inhibition.BUILT_IN`), so that all that alerts can do works for it: silences,
acknowledgement, reminders, escalation. Edit or disable it as `hub_incident`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .context import INCIDENT, EngineOptions, Prepared
from .model import Finding, Verdict
from .state import AlertState
from .tick import Judged

#: The rule of incidents.
RULE: Final = INCIDENT
#: Episodes that begin within this time are together, s.
TOGETHER: Final = 300.0
#: It goes on while at least so many still fail.
_LEAST: Final = 2
#: So many names are listed.
_LISTED: Final = 20
#: What an API's failing shows in.
_METRICS: Final = frozenset(("success_rate", "error_rate"))


def tells_of_failing(state: AlertState, rule: Prepared) -> bool:
    """Whether the alert says that an API of a hub fails."""
    about = rule.rule
    return (
        state.firing
        and about.subject == "api"
        and bool(state.labels.get("hub"))
        and (about.event == "api_down" or about.metric in _METRICS)
    )


def incidents(
    failing: Iterable[AlertState], open_hubs: Iterable[str], rule: Prepared, options: EngineOptions
) -> Iterator[Judged]:
    """The verdict for each hub that may have an incident, from the alerts that say that its APIs fail."""
    by_hub: dict[str, dict[str, AlertState]] = defaultdict(dict)
    for state in failing:
        apis = by_hub[state.labels["hub"]]
        known = apis.get(state.labels.get("api", ""))
        # Of several alerts of an API, the first and the most severe count.
        if known is None or (state.started_at, -state.severity.rank) < (known.started_at, -known.severity.rank):
            apis[state.labels.get("api", "")] = state
    going_on = set(open_hubs)
    for hub in sorted(going_on | set(by_hub)):
        apis = by_hub.get(hub, {})
        if hub in going_on:
            breach = len(apis) >= _LEAST
        else:
            breach = bool(options.incident_apis) and _most_together(apis) >= max(_LEAST, options.incident_apis)
        if breach or hub in going_on:
            yield Judged(rule.rule, {"hub": hub}, _verdict(apis, rule, breach=breach), _facts(apis))


def _most_together(apis: Mapping[str, AlertState]) -> int:
    """How many began within the time that ends with the newest."""
    newest = max((state.started_at for state in apis.values()), default=0.0)
    return sum(newest - state.started_at <= TOGETHER for state in apis.values())


def _verdict(apis: Mapping[str, AlertState], rule: Prepared, *, breach: bool) -> Verdict:
    if not breach:
        return Verdict(Finding.OK, value=float(len(apis)))
    worst = max((state.severity.rank for state in apis.values()), default=0)
    fitting = [number for number, severity in enumerate(rule.severities) if severity.rank <= worst]
    level = fitting[-1] if fitting else 0
    return Verdict(Finding.BREACH, level, level, float(len(apis)), reason=f"{len(apis)} APIs of the hub fail")


def _facts(apis: Mapping[str, AlertState]) -> dict[str, str]:
    names = sorted(apis)
    more = f" +{len(names) - _LISTED}" if len(names) > _LISTED else ""
    return {"apis": ", ".join(names[:_LISTED]) + more} if names else {}
