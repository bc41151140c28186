"""A program that only uses the library reports to a service that is killed and comes back: nothing counts twice."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from processes import PATIENCE, environment, service

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.secrets import Secret
from understudy.monitor.delta import LARGEST
from understudy.monitor.rollup import Row, SeriesName
from understudy.storage import StorageOptions, open_store


def ask(url: str):
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return json.loads(response.read())


def counted(url: str) -> int:
    return ask(f"{url}/api/history?name=odds&last=1h")["whole"]["n"]


async def answer():
    return 1


async def made(app: Understudy, calls: int) -> int:
    for _ in range(calls):
        await app.fallback.execute_with_fallback("odds", answer)
    return calls


async def test_what_a_library_did_is_in_the_service_once_though_it_was_killed_meanwhile(tmp_path: Path):
    (tmp_path / "understudy.toml").write_text('[service]\nreport_token = "file:token"\n')
    (tmp_path / "token").write_text("t0ken")
    with service(tmp_path) as (process, url):
        port = int(url.rpartition(":")[2])
        settings = dataclasses.replace(Settings(), report_to=url, report_token=Secret("t0ken"))
        async with Understudy.build(settings) as app:
            total = await made(app, 100)
            await app.reporting.report()
            assert app.reporting.state.problem == ""
            (instance,) = ask(f"{url}/api/status")["keeping"]["instances"]
            assert (instance["name"], instance["attempts"]) == (app.instance, 100)
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
            total += await made(app, 50)
            await app.reporting.report()
            assert app.reporting.state.waiting
            with service(tmp_path, "--port", str(port)) as (_, again):
                total += await made(app, 25)
                await app.reporting.report()
                assert app.reporting.state.waiting == 0
                assert counted(again) == total


async def test_reports_without_the_token_are_refused(tmp_path: Path):
    (tmp_path / "understudy.toml").write_text('[service]\nreport_token = "file:token"\n')
    (tmp_path / "token").write_text("t0ken")
    with service(tmp_path) as (_, url):
        settings = dataclasses.replace(Settings(), report_to=url, report_token=Secret("wrong"))
        async with Understudy.build(settings) as app:
            await made(app, 3)
            await app.reporting.report()
            assert app.reporting.state.problem == "the service answered 401: the service wants another report_token"
        assert counted(url) == 0


PROGRAM = """
import asyncio, dataclasses, os, sys
from understudy.app import Understudy
from understudy.config.settings import Settings

app = Understudy.build(dataclasses.replace(Settings(), report_to=sys.argv[1]), seed=1)
app.fallback.register_api("odds", price=2000.0)

async def answer():
    return 1

async def job():
    for _ in range(10):
        await app.fallback.execute_with_fallback("odds", answer)
    await app.reporting.report()
"""


def program(url: str, text: str) -> None:
    """Run `PROGRAM` and what follows it."""
    subprocess.run([sys.executable, "-c", PROGRAM + text, url], check=True, env=environment(), timeout=PATIENCE)


async def test_children_of_one_program_that_was_built_before_they_were_forked_are_told_apart(tmp_path: Path):
    forking = """
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        asyncio.run(job())
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
    with service(tmp_path) as (_, url):
        program(url, forking)
        assert counted(url) == 30
        names = [each["name"] for each in ask(f"{url}/api/status")["keeping"]["instances"]]
        assert len(set(names)) == 3


async def test_a_program_of_many_short_loops_is_one_process_and_its_costs_count(tmp_path: Path):
    with service(tmp_path) as (_, url):
        program(url, "for _ in range(5):\n    asyncio.run(job())\n")
        whole = ask(f"{url}/api/history?name=odds&last=1h")["whole"]
        assert (whole["n"], whole["cost"]) == (50, 100.0)
        (instance,) = ask(f"{url}/api/status")["keeping"]["instances"]
        assert instance["attempts"] == 50


def post(url: str, **content) -> dict:
    body = json.dumps({"instance": "w", "boot": "b", "version": "1", **content}).encode()
    request = urllib.request.Request(f"{url}/api/instances/report", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.loads(response.read())


def rows(at: float, n: int = 7, name: str = "odds") -> list:
    return [[int(at // 10) * 10, "api", name, n, n, 0, 0, 0, 0, 0, 0, 0, 0, None, None]]


async def test_reports_of_clocks_that_are_days_off_count_where_they_belong(tmp_path: Path):
    with service(tmp_path) as (_, url):
        now = SYSTEM_CLOCK.time()
        for number, off in enumerate((0.0, 300.0, -300.0, 2 * 86400.0, -2 * 86400.0)):
            told = post(url, boot=f"b{number}", now=now + off, reports=[{"seq": 1, "rows": rows(now + off)}])
            assert told == {"taken": 1, "left_out": 0}
        assert counted(url) == 5 * 7
        offs = {each["clock_off"] for each in ask(f"{url}/api/status")["keeping"]["instances"]}
        assert offs == {0, -300, 300, -2 * 86400, 2 * 86400}


async def test_old_numbers_count_nothing_and_rows_beyond_a_day_are_left_out_and_told(tmp_path: Path):
    with service(tmp_path) as (_, url):
        now = SYSTEM_CLOCK.time()
        mixed = rows(now) + rows(now - 30 * 86400)
        assert post(url, reports=[{"seq": 5, "rows": mixed}]) == {"taken": 5, "left_out": 1}
        for seq in (5, 4, 1):
            post(url, reports=[{"seq": seq, "rows": rows(now)}])
        assert counted(url) == 7
        post(url, boot="another start", reports=[{"seq": 1, "rows": rows(now)}])
        assert counted(url) == 14
        assert post(url, reports=[]) == {"taken": 0, "left_out": 0}


@pytest.mark.parametrize(
    "content",
    [
        {"now": "yesterday"}, {"now": -1}, {"now": True}, {"now": 1e300}, {"instance": ""}, {"boot": "a\nb"},
        {"version": "x" * 101}, {"reports": {}}, {"reports": [7]}, {"reports": [{"seq": 0, "rows": []}]},
        {"reports": [{"seq": 1, "rows": [[1]]}]}, {"reports": [{"seq": 1, "rows": [], "more": 1}]},
        {"reports": [{"seq": n + 1, "rows": []} for n in range(51)]}, {"reports": [], "secret": 1},
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
async def test_a_faulty_report_is_refused_in_one_line(shared: str, content: dict):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(shared, **{"reports": [], **content})
    assert refused.value.code == 422
    assert "\n" not in json.loads(refused.value.read())["detail"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with service(tmp_path_factory.mktemp("service")) as (_, url):
        yield url


async def test_sums_that_no_database_could_hold_stop_at_what_one_can_hold(tmp_path: Path):
    store = await asyncio.to_thread(open_store, StorageOptions(url=f"sqlite:///{tmp_path}/u.db"), SYSTEM_CLOCK)
    try:
        at = int(SYSTEM_CLOCK.time() // 86400) * 86400
        most = LARGEST - 1
        for seq in range(1, 4):
            huge = Row(at, SeriesName("api", "huge"), most, most, 0, 0, 0, 0, 0, 0, 0, most, None, None)
            assert await store.deltas.apply("w", "b", seq, [huge])
        total = (await store.rollups.totals(10, "api", at, at + 10))["huge"]
        assert total.n == total.cost_microunits == LARGEST
    finally:
        await store.close()
