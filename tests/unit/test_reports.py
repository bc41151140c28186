"""Reports: what they say of the numbers, and that nothing hostile or secret gets through them."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.errors import UnknownName
from understudy.core.text import texts
from understudy.reports import KINDS, Reports
from understudy.reports.charts import svg
from understudy.reports.model import READABLE, Chart, Column, Line, Table
from understudy.reports.months import months, span_of
from understudy.reports.ports import ApiFacts, QuotaFacts, RouteFacts
from understudy.reports.render import to_csv, to_csv_files, to_html, to_json
from understudy.reports.service_level import budget_left
from understudy.reports.shown import LONGEST, duration, moment, plain, shown
from understudy.testing import FakeClock

HOSTILE = "<script>alert(1)</script>\"'&=cmd|' /C calc'!A0 {{7*7}} \u202eevil"


@dataclass
class FakePoint:
    at: int = 0
    n: int = 0
    ok: int = 0
    err: int = 0
    p50: float | None = 0.1
    p95: float | None = 0.4
    p99: float | None = 0.9
    mean: float | None = 0.2
    fallback_used: int = 0
    retries: int = 0
    cost: float = 0.0

    @property
    def success_rate(self):
        return 100.0 * self.ok / (self.ok + self.err) if self.ok + self.err else None


@dataclass
class FakePast:
    points: list[FakePoint]
    whole: FakePoint
    step: int = 3600
    errors: dict[str, int] = field(default_factory=dict)


@dataclass
class FakeGroup:
    api: str = "odds"
    error_class: str = "timeout"
    message: str = "no answer"
    first_at: float = 1.0
    last_at: float = 2.0
    count: int = 3


@dataclass
class FakeEntry:
    at: float = 5.0
    call_id: str = "c-1"
    route: str = "matches"
    api: str = "backup"
    outcome: str = "fallback"
    latency: float = 3.0
    endpoint: str = "GET /odds"
    error: str = "no answer"
    record: dict = field(default_factory=dict)


@dataclass
class FakeEpisode:
    episode: str
    labels: dict
    started_at: float
    resolved_at: float | None = None
    peak: str = "critical"
    rule: str = "success_rate_low"


class World:
    """Everything that reports ask for, as given by a test."""

    def __init__(self, apis=(), routes=(), pasts=None, groups=(), entries=(), episodes=()):
        self._episodes = episodes
        self._apis, self._routes, self._pasts = apis, routes, pasts or {}
        self._groups, self._entries = groups, entries

    def apis(self):
        return self._apis

    def routes(self):
        return self._routes

    async def api(self, name, start, end, points):
        return self._pasts[name]

    async def route(self, name, start, end, points):
        return self._pasts[name]

    async def wholes(self, kind, names, start, end):
        return {name: self._pasts[name] for name in names}

    async def between(self, start, end, api, limit):
        return [each for each in self._episodes if not api or each.labels.get("api") == api][:limit]

    async def groups(self, start, end, api, limit):
        return [group for group in self._groups if not api or group.api == api]

    async def failed(self, api, start, end, limit):
        return self._entries

    async def slowest(self, start, end, limit):
        return self._entries


def past(n=1000, err=10, **more):
    whole = FakePoint(0, n, n - err, err, **more)
    points = [FakePoint(3600 * hour, n // 10, (n - err) // 10, err // 10, **more) for hour in range(10)]
    return FakePast(points, whole, errors={"timeout": err} if err else {})


def world(**changes):
    parts = {
        "apis": (
            ApiFacts("odds", "hub.example", 1.5, (QuotaFacts("key1", "requests", 10_000, 2_500, 86400.0, 0.05),)),
            ApiFacts("backup", "other.example", 3.0),
        ),
        "routes": (RouteFacts("matches", ("odds", "backup")),),
        "pasts": {
            "odds": past(cost=1.5),
            "backup": past(100, 0, cost=0.3, fallback_used=10),
            "matches": past(1000, 2, fallback_used=8),
        },
        "groups": (FakeGroup(), FakeGroup("backup", "provider", "answered 503")),
        "entries": (
            FakeEntry(
                record={
                    "attempts": [
                        {"api": "odds", "key": "main-key", "started_at": 0.0, "duration": 2.0, "outcome": "timeout"},
                        {"api": "backup", "key": "k2", "started_at": 2.0, "duration": 0.1, "outcome": "success"},
                    ]
                }
            ),
        ),
    }
    return World(**{**parts, **changes})


async def make(kind, of=None, **options):
    chosen = of or world()
    clock = FakeClock()
    now = clock.time()
    return await Reports(chosen, chosen, chosen, chosen, clock).make(kind, now - 86400, now, **options)


def table(report, title) -> list[dict]:
    found = next(each for each in report.tables if each.title == title)
    return [dict(zip([column.key for column in found.columns], row, strict=True)) for row in found.rows]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", [to_html, to_json, to_csv_files])
async def test_every_kind_can_be_made_and_written(kind, write):
    report = await make(kind, api="odds" if kind == "incident" else "")
    assert write(report)


async def test_the_scorecard_tells_who_is_clearly_better_in_what():
    pasts = {
        "odds": past(1000, 100, cost=1.0, p95=0.4), "backup": past(1000, 0, cost=6.0, p95=0.403), "new": past(5, 0),
        "matches": past(),
    }  # fmt: skip
    apis = (ApiFacts("odds", "hub.example", 1.0), ApiFacts("backup", "other", 6.0), ApiFacts("new", "third", 0.0))
    of = world(apis=apis, pasts=pasts, routes=(RouteFacts("matches", ("odds", "backup", "new")),))
    rows = table(await make("comparison", of), "Side by side")
    # Times within two percent win nothing, and neither does who was hardly asked.
    assert [(row["api"], row["wins"]) for row in rows] == [("odds", "cost"), ("backup", "success"), ("new", "")]
    assert (rows[0]["success_rate"], rows[1]["per_good"]) == (90.0, 6.0)
    beside = table(await make("comparison", of, api="backup"), "Side by side")
    assert [row["api"] for row in beside] == ["odds", "backup", "new"]
    assert ">Custo</td>" in to_html(await make("comparison", of, language="pt_BR"))


async def test_the_incidents_with_most_failures_come_first_and_time_is_counted_once():
    now = FakeClock().time()
    episodes = (
        FakeEpisode("e1", {"api": "odds"}, now - 3600, now - 1800),
        FakeEpisode("e2", {"api": "backup"}, now - 2700, now - 900, peak="warning"),
        FakeEpisode("e3", {"hub": HOSTILE}, now - 90_000),
    )
    report = await make("incidents", world(episodes=episodes))
    top = table(report, "By weight")
    assert [(row["incident"], row["failures"], row["ended"]) for row in top] == [
        ("e1", 10, now - 1800), ("e3", 0, None), ("e2", 0, now - 900),
    ]  # fmt: skip
    facts = {fact.label: fact.value for fact in report.sections[0].facts}
    assert (facts["Incidents"], facts["Still open"], facts["Time with one or more"]) == (3, 1, 86400.0)
    by = {row["subject"]: row for row in table(report, "By what they are about")}
    assert (by["odds"]["mean"], by[HOSTILE]["mean"]) == (1800.0, None)
    assert [
        each["incident"] for each in table(await make("incidents", world(episodes=episodes), api="odds"), "By weight")
    ] == ["e1"]
    assert "<script>" not in to_html(report)
    assert ">Crítico</td>" in to_html(await make("incidents", world(episodes=episodes), language="pt_BR"))


async def test_the_service_level_tells_rate_and_budget_of_each_api_and_hub():
    report = await make("service-level", target=99.0)
    first = table(report, "By month and API")[0]
    assert (first["api"], first["attempts"], first["failures"], first["success_rate"]) == ("odds", 1000, 10, 99.0)
    assert first["budget_left"] == pytest.approx(0.0)
    assert [row["hub"] for row in table(report, "By hub")] == ["hub.example", "other.example"]


@pytest.mark.parametrize(
    ("ok", "err", "target", "left"),
    [(0, 0, 99.9, None), (1000, 0, 99.9, 100.0), (999, 1, 99.9, 0.0), (998, 2, 99.9, -100.0), (5, 0, 100.0, 100.0)],
)
def test_the_error_budget(ok, err, target, left):
    assert budget_left(ok, err, target) == (None if left is None else pytest.approx(left, abs=1e-9))


async def test_savings_compare_with_what_would_have_been_without_standbys():
    row = table(await make("savings"), "By route")[0]
    assert row["saved"] == 8
    assert row["success_rate"] == pytest.approx(99.8)
    assert row["without"] == pytest.approx(99.0)


async def test_cost_tells_the_price_of_good_answers_and_how_long_a_quota_lasts():
    report = await make("cost")
    odds = table(report, "By API")[0]
    assert odds["per_good"] == pytest.approx(1000 * 1.5 / 990)
    quota = table(report, "Quotas as they stand")[0]
    assert quota["left"] == 25.0
    assert quota["lasts"] == pytest.approx(2500 / 0.05)  # its own use: the span may be longer than it was there


async def test_an_incident_names_nobody_but_the_api_itself():
    written = to_html(await make("incident", api="odds")) + to_json(await make("incident", api="odds"))
    for ours in ("backup", "matches", "main-key", "other.example"):
        assert ours not in written
    assert "c-1" in written


async def test_unknown_kinds_names_and_spans_are_refused():
    of = world()
    made = Reports(of, of, of, of, FakeClock())
    now = FakeClock().time()
    with pytest.raises(ValueError, match="expected one of summary"):
        await made.make("everything", now - 1, now)
    with pytest.raises(UnknownName):
        await made.make("cost", now - 1, now, api="oddz")
    with pytest.raises(ValueError, match="begins before its end"):
        await made.make("cost", now, now - 1)
    with pytest.raises(ValueError, match="say which"):
        await made.make("incident", now - 1, now)
    with pytest.raises(ValueError, match="target"):
        await made.make("cost", now - 1, now, target=0)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


async def test_hostile_names_and_messages_stay_text():
    of = world(
        apis=(ApiFacts(HOSTILE, HOSTILE, 1.0, (QuotaFacts(HOSTILE, HOSTILE, 10, 5, 60),)),),
        routes=(RouteFacts(HOSTILE, (HOSTILE,)),),
        pasts={HOSTILE: past(fallback_used=3, cost=1.0)},
        groups=(FakeGroup(HOSTILE, HOSTILE, HOSTILE),),
        entries=(FakeEntry(endpoint=HOSTILE, route=HOSTILE, api=HOSTILE, call_id=HOSTILE),),
    )
    report = await make("summary", of)
    page = to_html(report)
    tags = Tags()
    tags.feed(page)
    assert not {tag for tag, _ in tags.found} & {"script", "img", "iframe", "object", "link", "a"}
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
    assert "49" not in re.findall(r"<td>([^<]*)</td>", page)
    json.loads(to_json(report))
    for name in zipfile.ZipFile(io.BytesIO(to_csv_files(report))).namelist():
        assert re.fullmatch(r"\d\d-[a-z0-9-]+\.csv", name)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_is_never_a_formula(start):
    written = to_csv(Table("t", "T", (Column("a", "A"),), ((f"{start}1+1",),)))
    (_, row) = csv.reader(io.StringIO(written))
    assert row == [f"'{start}1+1"]


async def test_numbers_that_are_no_numbers_are_null_in_json():
    of = world(pasts={"odds": past(cost=float("nan")), "backup": past(cost=float("inf")), "matches": past()})
    json.loads(to_json(await make("cost", of)), parse_constant=lambda name: pytest.fail(name))


points = st.lists(
    st.tuples(st.floats(0, 2e9), st.none() | st.floats(-1e9, 1e9, allow_nan=False)),
    max_size=60,
    unique_by=lambda p: p[0],
).map(lambda found: tuple(sorted(found, key=lambda point: point[0])))


@given(st.lists(points, min_size=1, max_size=4), st.text(max_size=20))
def test_any_chart_is_well_formed_svg_within_its_frame(lines, label):
    label = re.sub(r"[^\x20-\ud7ff\ue000-\ufffd]", "", label)
    drawn = svg(Chart(label, "count", tuple(Line(label, each) for each in lines)))
    if drawn:
        ET.fromstring(drawn)
        for pair in re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(re.findall(r'points="([^"]*)"', drawn))):
            assert 0 <= float(pair[0]) <= 860
            assert 0 <= float(pair[1]) <= 240


def test_a_span_is_cut_into_calendar_months():
    start, _ = span_of("2025-12")
    _, end = span_of("2026-02")
    assert [name for name, _, _ in months(start, end)] == ["2025-12", "2026-01", "2026-02"]
    assert months(start, start) == []
    with pytest.raises(ValueError, match="2026-11"):
        span_of("November")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "count", "–"),
        (1234567, "count", "1,234,567"),
        (99.9999999, "percent", "99.999 %"),
        (100.0, "percent", "100 %"),
        (99.5, "percent", "99.5 %"),
        (97.0004, "percent", "97 %"),
        (12.3456, "percent", "12.3 %"),
        (-1234.5678, "percent", "-1,234.6 %"),
        (-0.04, "percent", "0 %"),
        (0.0, "percent", "0 %"),
        (0.04, "percent", "< 0.1 %"),
        (float("nan"), "percent", "–"),
        (float("inf"), "money", "–"),
        (0.0, "money", "0.00"),
        (1e20, "time", "–"),
        (0.00234, "money", "0.0023"),
        (12.5, "money", "12.50"),
        (0.0, "time", "1970-01-01 00:00:00 UTC"),
    ],
)
def test_values_are_shown(value, kind, text):
    assert shown(value, kind) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (1e-7, "0 ms"),
        (0.0012, "1.2 ms"),
        (0.34, "340 ms"),
        (0.99949, "999 ms"),
        (0.9996, "1 s"),
        (2.5, "2.5 s"),
        (119.4, "119 s"),
        (119.6, "1.99 min"),
        (240, "4 min"),
        (11520, "3.2 h"),
        (1_036_800, "12 d"),
        (-5, "-5 s"),
    ],
)
def test_durations_are_shown(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1234567, "count", "1.234.567"),
        (99.9999999, "percent", "99,999 %"),
        (-203.25, "percent", "-203,2 %"),
        (0.00234, "money", "0,0023"),
        (1234.5, "money", "1.234,50"),
        (0.0, "time", "01/01/1970 00:00:00 UTC"),
        (2.5, "seconds", "2,5 s"),
        (0.0012, "seconds", "1,2 ms"),
        ("1.5", "text", "1.5"),
    ],
)
def test_values_are_shown_as_portuguese_writes_them(value, kind, text):
    assert shown(value, kind, texts("pt")) == text


@pytest.mark.parametrize("kind", KINDS)
async def test_a_report_in_portuguese_has_the_same_numbers_and_names_as_in_english(kind):
    english = await make(kind, api="odds" if kind == "incident" else "")
    portuguese = await make(kind, api="odds" if kind == "incident" else "", language="pt-BR")
    assert [each.name for each in portuguese.tables] == [each.name for each in english.tables]
    assert [each.rows for each in portuguese.tables] == [each.rows for each in english.tables]
    assert '<html lang="pt-BR">' in to_html(portuguese)
    assert '<html lang="en">' in to_html(english)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_sentence_of_a_report_in_portuguese_stays_english(kind):
    report = await make(kind, api="odds" if kind == "incident" else "", language="pt")
    said = [report.title, *report.notes]
    for section in report.sections:
        said += [section.title, section.text, *(fact.label for fact in section.facts)]
        said += [chart.title for chart in section.charts]
        for each in section.tables:
            said += [each.title, each.note, *(column.title for column in each.columns)]
    text = " " + " ".join(said) + " "
    assert not re.findall(r" (?:the|of|by|and|that|with|what|left|failed|calls?|cost|seen|when) ", text, re.IGNORECASE)


async def test_names_and_messages_are_never_translated():
    of = world(groups=(FakeGroup("odds", "timeout", "Failures"),))
    page = to_html(await make("failures", of, language="pt"))
    assert "<td>Failures</td>" in page
    assert "Falhas mais comuns" in page


async def test_a_page_of_a_thousand_apis_stays_readable_and_says_what_it_leaves_out():
    names = [f"api_{number:04d}" for number in range(1000)]
    pasts = {name: past(1000, number, cost=number / 7) for number, name in enumerate(names)}
    of = World(tuple(ApiFacts(name, name, 1.0) for name in names), (), pasts)
    report = await make("summary", of)
    page = to_html(report)
    assert len(page) < 300_000
    assert "60 of 1,000 rows, those with the highest “Failures”; JSON and CSV have all of them." in page
    assert "api_0999" in page
    assert "api_0500" not in page
    assert len(json.loads(to_json(report))["sections"][0]["tables"][0]["rows"]) == 1000
    assert all(len(chart.lines) <= 6 for section in report.sections for chart in section.charts)


def test_the_readable_rows_are_the_weightiest_in_their_order():
    rows = tuple((name, value) for name, value in zip(range(200), [*range(100), *[None] * 100], strict=True))
    columns = (Column("a", "A"), Column("b", "B", "count"))
    most, least = Table("t", "T", columns, rows, most="b"), Table("t", "T", columns, rows, least="b")
    assert [row[0] for row in most.readable] == list(range(100 - READABLE, 100))
    assert [row[0] for row in least.readable] == list(range(READABLE))
    assert [row[0] for row in Table("t", "T", columns, rows).readable] == list(range(READABLE))


async def test_a_page_can_be_written_whatever_numbers_and_names_it_has():
    of = world(
        apis=(ApiFacts("half\ud800", "\x00\x1b[31m", 1.0),),
        routes=(),
        pasts={"half\ud800": past(cost=float("inf"))},
    )
    report = await make("summary", of)
    for written in (to_html(report), to_json(report)):
        written.encode()
    assert "\x1b" not in to_html(report)
    assert to_csv_files(report)


def test_foreign_text_is_one_short_line_that_turns_nothing():
    assert plain("a\nb\u202ec\x07") == "a b·c·"
    assert len(plain("x" * 10_000)) == LONGEST


def test_a_chart_of_counts_has_whole_ticks_and_one_of_shares_ends_at_all():
    counts = svg(Chart("c", "count", (Line("l", ((0, 0.0), (1, 1.0))),)))
    assert re.findall(r">(\d+)</text>", counts) == ["0", "1"]
    shares = svg(Chart("s", "percent", (Line("l", ((0, 100.0), (1, 100.0))),), low=None))
    assert re.findall(r">([\d.]+) %</text>", shares)[-1] == "100.0"
    nothing = svg(Chart("s", "percent", (Line("l", ((0, 0.0), (1, 0.0))),), low=None))
    assert re.findall(r">([-\d.]+) %</text>", nothing)[0] == "0.0"


def test_a_chart_is_labelled_in_the_language_of_its_report():
    drawn = svg(Chart("Custo", "money", (Line("odds", ((0.0, 0.5), (3600.0, 1234.5))),)), texts("pt"))
    assert 'aria-label="Custo: odds; de 0,5000 a 1.234,50"' in drawn
    assert ">01/01 00:30<" in drawn
    for length, label in ((60.0, "00:00:30"), (90 * 86400.0, "15/02/1970")):
        assert f">{label}<" in svg(Chart("c", "count", (Line("l", ((0.0, 1.0), (length, 2.0))),)), texts("pt"))
    assert moment(1800.0, texts("pt")) == "01/01/1970 00:30:00 UTC"
