"""Prometheus and Alertmanager as they would watch the same APIs: both tuned to be as fast as they sensibly can be.

Scraped and evaluated each second, no `for`, groups sent at once. Each needs its program on PATH, from Debian's
packages `prometheus` and `prometheus-alertmanager`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession, web

#: Seconds between two scrapes, and between two evaluations.
EVERY = 1
_ALERTMANAGER = next((name for name in ("prometheus-alertmanager", "alertmanager") if shutil.which(name)), "")


def available() -> bool:
    """Whether both programs are there."""
    return bool(_ALERTMANAGER and shutil.which("prometheus"))


class Watched:
    """Counters of APIs as an exporter shows them, and the alerts that have arrived: (api, status, monotonic)."""

    def __init__(self) -> None:
        self.successes: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.arrived: list[tuple[str, str, float]] = []
        self._came = asyncio.Event()

    def count(self, api: str, *, ok: bool) -> None:
        """One call of an API."""
        for counts in (self.successes, self.failures):
            counts.setdefault(api, 0)
        (self.successes if ok else self.failures)[api] += 1

    async def told(self, api: str, status: str, since: float, within: float) -> float:
        """When the first message of that status about an API came after `since`; monotonic seconds."""
        until = time.perf_counter() + within
        while True:
            for name, said, at in self.arrived:
                if name == api and said == status and at >= since:
                    return at
            self._came.clear()
            left = until - time.perf_counter()
            if left <= 0:
                raise RuntimeError(f"no message about {api} within {within:g} s")
            await asyncio.wait([asyncio.ensure_future(self._came.wait())], timeout=left)

    async def metrics(self, _: web.Request) -> web.Response:
        """The exporter."""
        lines = []
        for name, counts in (("api_successes_total", self.successes), ("api_failures_total", self.failures)):
            lines += [f"# TYPE {name} counter", *(f'{name}{{api="{api}"}} {n}' for api, n in counts.items())]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    async def hook(self, request: web.Request) -> web.Response:
        """The receiver of Alertmanager's webhooks."""
        now = time.perf_counter()
        for alert in (await request.json())["alerts"]:
            self.arrived.append((alert["labels"]["api"], alert["status"], now))
        self._came.set()
        return web.Response()


@asynccontextmanager
async def watching() -> AsyncIterator[Watched]:
    """Both programs at work on counters that the caller moves."""
    watched = Watched()
    app = web.Application()
    app.add_routes([web.get("/metrics", watched.metrics), web.post("/hook", watched.hook)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    opened = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, opened).start()
    port = opened.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        processes = _start(Path(folder), port)
        try:
            for _, ready in processes:
                await _until_ready(ready)
            yield watched
        finally:
            for process, _ in processes:
                process.terminate()
            for process, _ in processes:
                process.wait(timeout=30)
            await runner.cleanup()


def _start(folder: Path, port: int) -> list[tuple[subprocess.Popen[bytes], str]]:
    """Both programs, each with the URL that tells that it is ready."""
    prometheus, alertmanager = _free(), _free()
    rule = {
        "alert": "ApiDown",
        # As short a window as two scrapes in it allow: most of its calls failed, and enough of them.
        "expr": "increase(api_failures_total[3s]) >= 3 and increase(api_failures_total[3s]) "
        "> increase(api_successes_total[3s])",
        "labels": {"severity": "critical"},
    }
    files = {
        "rules.yml": {"groups": [{"name": "apis", "interval": f"{EVERY}s", "rules": [rule]}]},
        "prometheus.yml": {
            "global": {"scrape_interval": f"{EVERY}s", "evaluation_interval": f"{EVERY}s"},
            "rule_files": [str(folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
            "scrape_configs": [{"job_name": "apis", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        },
        "alertmanager.yml": {
            "route": {
                "receiver": "hook", "group_by": ["api"], "group_wait": "0s", "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/hook"}]}],
        },
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))  # JSON is YAML
    commands = [
        [
            _ALERTMANAGER, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
            f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
        ],
        [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ],
    ]  # fmt: skip
    ports = (alertmanager, prometheus)
    return [
        (
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
            f"http://127.0.0.1:{each}/-/ready",
        )
        for command, each in zip(commands, ports, strict=True)
    ]


async def _until_ready(url: str) -> None:
    async with ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            except ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{url} never answered")


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


async def outages(rounds: int, per_second: float) -> list[float]:
    """Seconds from the first failed call of a total outage to the message at the receiver, for each of `rounds` APIs.

    Each API is called evenly, `per_second` times; it works for ten seconds and then fails every call.
    """
    async with watching() as watched:
        apis = [f"api-{number}" for number in range(rounds)]
        began = time.perf_counter()
        failing_since: dict[str, float] = {}
        calls = 0
        found: dict[str, float] = {}

        async def wait_for(api: str) -> None:
            found[api] = await watched.told(api, "firing", failing_since[api], 60) - failing_since[api]

        waiting = []
        while len(found) < rounds:
            now = time.perf_counter() - began
            for number, api in enumerate(apis):
                # Begun apart, so that the outages meet every phase of the second.
                ok = now < 10 + number * 1.37
                if not ok and api not in failing_since:
                    failing_since[api] = time.perf_counter()
                    waiting.append(asyncio.ensure_future(wait_for(api)))
                watched.count(api, ok=ok)
            for task in waiting:
                if task.done():
                    task.result()
            calls += 1
            await asyncio.sleep(max(0.0, began + calls / per_second - time.perf_counter()))
        return [found[api] for api in apis]
