"""A program that only uses the library reports to a service that is killed and comes back: nothing counts twice."""

from __future__ import annotations

import dataclasses
import json
import signal
import urllib.request
from pathlib import Path

from test_service_process import PATIENCE, service

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.secrets import Secret


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
            assert app.reporting.state.problem == "the service answered 401"
        assert counted(url) == 0
