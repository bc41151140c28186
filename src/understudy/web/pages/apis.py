"""The list of all APIs: sorted, filtered, grouped by hub or tag, with the columns that the reader chose, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from understudy.alerts.silences import Silence
from understudy.core.errors import NotActive, UnknownName
from understudy.core.matchers import Matcher
from understudy.core.text import Texts
from understudy.core.turn import Slices
from understudy.web import acts
from understudy.web.api.apis import listing
from understudy.web.api.fields import answering, lasting, text
from understudy.web.api.state import MAX_REASON
from understudy.web.auth.permissions import Permission
from understudy.web.endpoint import Endpoint, Table
from understudy.web.forms import form, path_of, see
from understudy.web.http import Answer, Denied, Problem, Request
from understudy.web.views.apis import ApiLine, ApisView
from understudy.web.views.status import STATES

from .rendering import language_of, page

if TYPE_CHECKING:
    from understudy.app import Understudy

#: Rows of one page. Each has a small line of an hour, and is kept live.
ROWS: Final = 50
#: How long a silence or a pause may last, as the menu has it.
LASTING: Final = ("30m", "1h", "4h", "1d", "7d")
#: What can be done with APIs that were picked, and what it needs.
BULK: Final = {
    "silence": Permission.ALERTS_WRITE,
    "pause_checks": Permission.ROUTES_WRITE,
    "resume_checks": Permission.ROUTES_WRITE,
}
#: By what the list can be grouped.
GROUPS: Final = ("hub", "tag")
#: Columns that stand there unless the reader chooses others.
_USUAL: Final = ("hub", "success_rate", "p95", "per_second", "budget_left", "quota_left", "trend", "last_error")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: by what it is sorted (empty: by nothing), and whether it holds numbers."""

    key: str
    title: str
    sort: str = ""
    number: bool = False
    hint: str = ""


def columns(_: Texts) -> tuple[Column, ...]:
    """Every column that can be chosen, in its place."""
    return (
        Column("hub", _("Hub"), "hub"),
        Column("tags", _("Tags"), "tags"),
        Column("roles", _("Routes")),
        Column("success_rate", _("Success"), "-success_rate", True, _("of the last five minutes")),
        Column("p50", "p50", "-p50", True, _("half of the answers within, last five minutes")),
        Column("p95", "p95", "-p95", True, _("95 % of the answers within, last five minutes")),
        Column("p99", "p99", "-p99", True, _("99 % of the answers within, last five minutes")),
        Column("per_second", _("Requests/s"), "-per_second", True, _("of the last minute")),
        Column("budget_left", _("Error budget"), "budget_left", True, _("left of 30 days")),
        Column("quota_left", _("Quota left"), "quota_left", True, _("of the scarcest limit")),
        Column("cost", _("Cost, 24 h"), "-cost", True),
        Column("trend", _("p95, last hour")),
        Column("last_error", _("Last error"), "-last_error_at"),
    )


def href(name: str) -> str:
    """The page of an API."""
    return path_of("apis", name)


def changed(pairs: Sequence[tuple[str, str]], **new: str) -> str:
    """The query of a link that changes some of what the address says; empty values are left out."""
    kept = [(name, value) for name, value in pairs if name not in new and name not in ("page", "done")]
    return "?" + urlencode([*kept, *((name, value) for name, value in new.items() if value)])


@dataclass(frozen=True, slots=True)
class Row:
    """One line with where it leads and the p95 of each minute of the last hour."""

    line: ApiLine
    href: str
    trend: tuple[float | None, ...]

    @property
    def topic(self) -> str:
        """The name as the list of a live topic has it."""
        return quote(self.line.name, safe="")


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one hub or tag; `closed`: all are well, so only a line stands for them. Without a name: all rows."""

    name: str
    rows: tuple[Row, ...]
    states: tuple[tuple[str, int], ...] = ()
    closed: bool = False
    href: str = ""


@answering
async def apis(app: Understudy, request: Request) -> Answer:
    """The list."""
    query = request.lists("q", "state", "hub", "sort", "group", "open", "col", "page", "done", "last", "from", "to")
    said = {name: values[0] for name, values in query.items() if name in ("q", "state", "hub", "sort")}
    if "state" in query:
        said["state"] = ",".join(each for each in query["state"] if each)
    view = await listing(app, said)
    _ = language_of(request)
    known = columns(_)
    tagged = any(line.tags for line in view.apis)
    usual = (*_USUAL, "tags") if tagged else _USUAL
    chosen = [each for each in known if each.key in query.get("col", usual)]
    pages = max(1, ceil(len(view.apis) / ROWS))
    at = _page(query.get("page", ["1"])[0], pages)
    grouped = query.get("group", [""])[0]
    grouped = grouped if grouped in GROUPS else ""
    begin = (at - 1) * ROWS
    groups = (
        await _groups(
            app, request, view, grouped, query.get("open", []), trend="trend" in [each.key for each in chosen]
        )
        if grouped
        else [Group("", await _rows(app, view.apis[begin : begin + ROWS], trend="trend" in [e.key for e in chosen]))]
    )
    return page(
        app, request, "apis.html", at="apis", view=view, groups=groups, grouped=grouped, columns=chosen,
        tagged=tagged,
        fixed=(Column("state", _("State"), "state"), Column("name", _("Name"), "name")),
        every_column=known, states=STATES,
        said={"q": "", "state": "", "hub": "", **said}, sort=said.get("sort", ""), link=_Links(request), pages=pages,
        at_page=at, first=begin, lasting=LASTING, picked_states=said.get("state", "").split(","),
        files="?" + "".join(f"{urlencode([pair])}&" for pair in said.items()),
        notice=_notices(_).get(query.get("done", [""])[0]),
    )  # fmt: skip


class _Links:
    """Links that keep what the address says, and change one thing."""

    def __init__(self, request: Request) -> None:
        self._pairs = request.pairs

    def __call__(self, **new: str) -> str:
        return changed(self._pairs, **new)

    def page(self, number: int) -> str:
        """Another page of the list."""
        kept = [(name, value) for name, value in self._pairs if name not in ("page", "done")]
        return "?" + urlencode([*kept, ("page", str(number))])

    def sort(self, column: Column, now: str) -> str:
        """Sort by a column; the other way round where that is done already."""
        turned = column.sort.removeprefix("-") if column.sort.startswith("-") else f"-{column.sort}"
        return changed(self._pairs, sort=turned if now == column.sort else column.sort)

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What a form that changes the filter carries on."""
        return [(name, value) for name, value in self._pairs if name in ("sort", "group", "col", "hub")]

    @property
    def kept_beside_columns(self) -> list[tuple[str, str]]:
        """What a form that chooses columns carries on."""
        return [(name, value) for name, value in self._pairs if name not in ("col", "page", "done")]


def _page(said: str, pages: int) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= 6):
        raise Problem(400, "page is a number from 1")
    return min(max(1, int(said)), pages)


async def _rows(app: Understudy, lines: Sequence[ApiLine], *, trend: bool) -> tuple[Row, ...]:
    slices = Slices(app.clock.monotonic, 0.003)
    found = []
    for line in lines:
        points = app.monitor.history(line.name, "1h") if trend else []
        found.append(Row(line, href(line.name), tuple(point.p95 for point in points)))
        await slices.breath()
    return tuple(found)


async def _groups(
    app: Understudy, request: Request, view: ApisView, by: str, opened: Sequence[str], *, trend: bool
) -> list[Group]:
    """By hub or tag, those with trouble first; at most one page of rows of each, the rest behind a link.

    An API with several tags stands under each of them.
    """
    by_name: dict[str, list[ApiLine]] = {}
    for line in view.apis:
        for name in (line.hub,) if by == "hub" else line.tags or ("",):
            by_name.setdefault(name, []).append(line)
    found = []
    for name, lines in by_name.items():
        states = tuple((state, count) for state in STATES if (count := sum(line.state == state for line in lines)))
        closed = all(state == "healthy" for state, _count in states) and name not in opened
        kept = [(name, value) for name, value in request.pairs if name not in ("page", "done")]
        only = {"hub": name} if by == "hub" else {"q": f"tag:{name}" if name else ""}
        where = "?" + urlencode([*kept, ("open", name)]) if closed else changed(kept, group="", **only)
        rows = () if closed else await _rows(app, lines[:ROWS], trend=trend)
        found.append(Group(name, rows, states, closed, where))
    worst = {state: place for place, state in enumerate(STATES)}
    found.sort(key=lambda group: (group.closed, min(worst[state] for state, _count in group.states), group.name))
    return found


@answering
async def act(app: Understudy, request: Request) -> Answer:
    """Do one thing with the APIs that were picked."""
    request.query()
    content = await form(request, "action", "for", "reason", picks="pick.")
    action = content.get("action", "")
    if action not in BULK:
        raise Problem(422, f"action is one of {', '.join(BULK)}")
    if not request.who.may(BULK[action]):
        raise Denied(BULK[action])
    names = [name[5:] for name in content if name.startswith("pick.")]
    if not names:
        return see("apis", done="none")
    reason = text(content, "reason", MAX_REASON)
    if not reason.strip() and action != "resume_checks":
        return see("apis", done="reason")
    seconds = lasting({"for": content.get("for", "1h")}, "for") or 3600.0
    over = False
    for name in names:
        try:
            await _act_on(app, request.who.name, action, name, reason, seconds)
        except (NotActive, UnknownName):
            over = True
    return see("apis", done="over" if over else action)


async def _act_on(app: Understudy, who: str, action: str, name: str, reason: str, seconds: float) -> None:
    if action == "silence":
        await silenced(app, who, name, reason, seconds)
    elif action == "pause_checks":
        await acts.pause_checks(app, who, name, reason, seconds)
    else:
        await acts.resume_checks(app, who, name, reason)


async def silenced(app: Understudy, who: str, name: str, reason: str, seconds: float) -> None:
    """Nobody is told of alerts of one API for so many seconds. Raises UnknownName."""
    app.fallback.roster.api(name)
    now = app.clock.time()
    silence = Silence(
        matchers=(Matcher("api", "=", name),), starts_at=now, ends_at=now + seconds, reason=reason, author=who
    )
    await app.alerts.silence(silence, actor=who)


def _notices(_: Texts) -> dict[str, tuple[str, str]]:
    """What a redirect may tell: code to (state, sentence)."""
    return {
        "silence": ("ok", _("Silenced. The silences stand under Alerts, Silences, where they can be ended.")),
        "pause_checks": ("ok", _("Their health checks are paused.")),
        "resume_checks": ("ok", _("Their health checks go on.")),
        "none": ("warning", _("Nothing was picked: tick the APIs that you mean.")),
        "reason": ("warning", _("Say why: whoever finds it later must know the reason.")),
        "over": ("warning", _("For some of them nothing was to be done: they were not paused, or are gone.")),
    }


ROUTES: Table = {
    ("GET", "/apis"): Endpoint(apis, Permission.READ),
    ("POST", "/apis"): Endpoint(act, Permission.ROUTES_WRITE),
}
