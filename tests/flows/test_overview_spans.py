"""The first page over hours, days and weeks: from what is kept, beside the same span a week before, and honest gaps."""

from __future__ import annotations

import dataclasses
import json
import re
from html import unescape

import pytest

from flows.test_api_pages import ask, served
from understudy.app import Understudy
from understudy.config.settings import ServiceSettings, Settings
from understudy.core.errors import OptionError, StoreUnavailable
from understudy.monitor.rollup import Bucket, SeriesName
from understudy.resilience.api import ApiOptions
from understudy.storage import StorageOptions

DAY = 86400


def row(app, ago, api, ok, err):
    """One hour that began `ago` hours before this one."""
    bucket = Bucket()
    for _ in range(ok):
        bucket.add_one(0.2)
    bucket.n += err
    bucket.err += err
    bucket.cost_microunits = (ok + err) * 1_000_000
    return bucket.row(int(app.clock.time() // 3600 - ago) * 3600, SeriesName("api", api))


@pytest.fixture
async def app(tmp_path):
    storage = StorageOptions(url=f"sqlite:///{tmp_path}/u.db")
    async with Understudy.build(dataclasses.replace(Settings(), storage=storage), seed=1, keep=True) as app:
        app.fallback.register_api("fx", operation=served)
        app.fallback.register_api("odds", operation=served)
        await app.fallback.execute_with_fallback("fx", served)
        rows = []
        for hour in range(1, 24 * 9, 2):  # nine days, every second hour; twice as much in this week
            times = 20 if hour < 7 * 24 else 10
            failed = times if hour == 3 else 0
            rows += [row(app, hour, "fx", times, 0), row(app, hour, "odds", times - failed, failed)]
        await app.keeping.store.rollups.write({3600: rows, 60: rows})
        yield app


async def got(app, path, **query):
    status, _, body = await ask(app, path, **query)
    assert status == 200, body[:300]
    return json.loads(body)


async def test_a_day_is_read_from_the_history_with_its_gaps_and_the_week_before(app):
    found = await got(app, "/api/overview", window="24h")
    figures = {each["key"]: each for each in found["figures"]}
    assert found["step"] == 3600 and abs(figures["rate"]["value"] * (found["end"] - found["start"]) - 480) <= 41
    assert figures["rate"]["change"] == pytest.approx(1.0, abs=0.1)  # twice as much as a week ago
    assert figures["cost"]["change"] == pytest.approx(1.0, abs=0.1)
    assert figures["success"]["value"] == pytest.approx(95.5, abs=0.5) and figures["success"]["week"] == 100.0
    assert figures["p95"]["week"] == pytest.approx(0.2, rel=0.1)
    assert None in figures["success"]["past"] and 50.0 in figures["success"]["past"]
    assert max(value for value in figures["down"]["past"] if value is not None) == 1
    charts = {each["api"]: each for each in found["multiples"]}
    assert set(charts) == {"fx", "odds"} and found["multiples"][0]["api"] == "odds"
    assert [state for _, _, state in charts["odds"]["faults"]] == ["down"]
    assert None in charts["fx"]["p95"] and charts["fx"]["p95"].count(None) < len(charts["fx"]["p95"])
    heat = await got(app, "/api/overview/heat", window="24h")
    rows = {row[0]: row[2] for group in heat["groups"] for row in group["rows"]}
    assert rows["odds"].count("4") == 1 and {len(signs) for signs in rows.values()} == {heat["count"]}


async def test_what_reaches_beyond_what_is_kept_is_compared_with_nothing(app):
    for query in ({"window": "7d"}, {"window": "30d"}):
        figures = {each["key"]: each for each in (await got(app, "/api/overview", **query))["figures"]}
        assert figures["rate"]["value"] > 0 and figures["rate"]["change"] is None, query


async def test_any_begin_and_end_can_be_looked_at_and_the_page_keeps_them(app):
    now = app.clock.time()
    begin, end = int(now - 3 * DAY), int(now - 2 * DAY)
    found = await got(app, "/api/overview", **{"from": begin, "to": end})
    assert found["window"] == "" and found["start"] <= begin < found["end"] <= end + 3600
    _, _, page = await ask(app, "/", **{"from": begin, "to": end})
    assert f"from={begin}&amp;to={end}" in page and 'data-topics=""' in page and "Success, 1 min" not in page
    for last in ("6h", "24h", "7d", "30d", "3h"):
        status, _, page = await ask(app, "/", last=last)
        assert status == 200 and "Cost, 24 h" not in page, last
    told = await got(app, "/overview/charts", last="24h")
    assert {each["key"] for each in told["figures"]} >= {"rate", "success", "p95", "cost"}
    assert len(told["charts"]) == 2
    for bad in ({"last": "x"}, {"from": "x"}, {"from": end, "to": begin}, {"window": "2h"}):
        path = "/api/overview" if "window" in bad else "/"
        assert (await ask(app, path, **bad))[0] == 400, bad


async def test_without_a_store_only_the_last_hour_is_offered(app, monkeypatch):
    async with Understudy.build(seed=1) as bare:
        bare.fallback.register_api("fx", operation=served)
        _, _, page = await ask(bare, "/")
        assert re.findall(r'href="\?last=(\w+)"', page) == ["5m", "1h"]
        assert (await ask(bare, "/", last="7d"))[0] == 404

    async def away(*args):
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(app.keeping.history, "slices", away)
    status, _, page = await ask(app, "/", last="7d")
    assert status == 200 and "cannot be read from the history now" in page and 'data-window="1h"' in page
    assert (await ask(app, "/api/overview", window="7d"))[0] == 503
    monkeypatch.setattr(app.alerts, "history", away)
    status, _, page = await ask(app, "/apis/fx")
    assert status == 200 and "What is kept cannot be read now: the disk is full" in page


async def test_other_environments_stand_one_click_away_and_lead_to_dashboards_only():
    others = {"staging": "https://staging.example.com", "produção": "http://10.0.0.7:8080/u/"}
    settings = dataclasses.replace(Settings(), service=ServiceSettings(dashboards=others))
    async with Understudy.build(settings, seed=1) as app:
        _, _, page = await ask(app, "/")
        assert re.findall(r'<a href="([^"]+)" rel="noreferrer">([^<]+)</a>', page) == [
            (b, a) for a, b in others.items()
        ]
    for address in ("javascript:alert(1)", "https://a:b@evil.example", "//evil.example", 'https://x.example/?q="', ""):
        with pytest.raises(OptionError, match="dashboards"):
            ServiceSettings(dashboards={"x": address})


async def test_where_there_is_no_api_yet_an_example_and_three_ways_in_stand():
    async with Understudy.build(seed=1) as app:
        for path in ("/", "/apis"):
            _, _, page = await ask(app, path)
            said = unescape(page)
            assert "made-up numbers" in said and 'href="/setup/start"' in said
            values = json.loads(re.search(r"-d '(.+)'</code>", said)[1])["values"]
            assert ApiOptions(**values).base_url and f'register_api("odds", base_url="{values["base_url"]}")' in said
