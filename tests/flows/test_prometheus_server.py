"""The real Prometheus reads what `/metrics` writes, in both formats, and keeps every value as it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from processes import PATIENCE, free_port
from prometheus_client.parser import text_string_to_metric_families

from understudy import Understudy
from understudy.cli.protocol import BoundedProtocol
from understudy.cli.serve import Server, configured, open_socket
from understudy.config import load
from understudy.core.errors import ConnectFailed
from understudy.core.text import texts
from understudy.testing import ScriptedHttp
from understudy.testing.scripted_http import Answer
from understudy.web.asgi import Service

HOSTILE = 'a"b\\c {x="y"} ☃ <b>'
CONFIGURATION = f"""\
[apis.lead]
base_url = "http://lead.test"
quota = {{limit = 1000, window = "day"}}
auth = {{kind = "bearer", keys = ["a-key-for-the-lead"]}}
[apis.{json.dumps(HOSTILE, ensure_ascii=False)}]
base_url = "http://second.test"
priority = 2
[apis.idle]
base_url = "http://idle.test"
priority = 3
[routes.r]
apis = ["lead", {json.dumps(HOSTILE, ensure_ascii=False)}, "idle"]
mode = "priority"
"""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not on PATH; tools/setup_test_system.sh installs it")
    return found


class Counted:
    """The service, and an event each time that Prometheus has been there."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.scrapes: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, scope, receive, send) -> None:
        await self._service(scope, receive, send)
        agent = dict(scope.get("headers", ())).get(b"user-agent", b"").decode()
        if agent.startswith("Prometheus"):
            self.scrapes.put_nowait(dict(scope["headers"])[b"accept"].decode())


@contextlib.asynccontextmanager
async def serving(folder: Path):
    """An application with some history, at rest, behind the real server."""
    (folder / "understudy.toml").write_text(CONFIGURATION)
    settings = load(cwd=folder, env={}, secret_dirs=()).settings
    script = {
        "lead.test": [Answer(200), Answer(503), ConnectFailed("refused", stage="refused"), Answer(200)],
        "second.test": Answer(200, b"ok"),
    }
    app = Understudy.build(settings, http=ScriptedHttp(script), seed=1)
    service = Counted(Service(app))
    with open_socket("127.0.0.1", 0, texts("en")) as opened:
        async with app:
            for _ in range(4):
                await app.route("r").get("/")
            app.monitor.drain()
            config = configured(service, 1)
            config.http = BoundedProtocol
            up = asyncio.Event()
            server = Server(config, app.clock, up.set)
            running = asyncio.ensure_future(server.serve(sockets=[opened]))
            await asyncio.wait_for(up.wait(), PATIENCE)
            try:
                yield service, opened.getsockname()[1]
            finally:
                server.should_exit = server.force_exit = True
                await running


@contextlib.contextmanager
def prometheus(folder: Path, target: int):
    """The real server, which scrapes us each second; its port."""
    port = free_port()
    (folder / "prometheus.yml").write_text(
        "scrape_configs:\n- job_name: understudy\n  scrape_interval: 1s\n  static_configs:\n"
        f"  - targets: ['127.0.0.1:{target}']\n"
    )
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield port
    finally:
        process.kill()
        process.communicate()


def read(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as response:
        return response.read()


def values_of(page: bytes) -> dict[tuple[str, frozenset], float]:
    """Every value of a page; to Prometheus an empty label is none."""
    families = text_string_to_metric_families(page.decode())
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in families
        for sample in family.samples
    }


def values_in(port: int) -> dict[tuple[str, frozenset], float]:
    """Every one of our values, as Prometheus has stored it."""
    query = urllib.parse.urlencode({"query": '{job="understudy", __name__=~"understudy_.*"}'})
    answer = json.loads(read(f"http://127.0.0.1:{port}/api/v1/query?{query}"))
    found = {}
    for each in answer["data"]["result"]:
        labels = {name: value for name, value in each["metric"].items() if name not in ("job", "instance", "__name__")}
        found[each["metric"]["__name__"], frozenset(labels.items())] = float(each["value"][1])
    return found


#: What changes while nobody calls.
RESTLESS = ("understudy_event_loop_lag_seconds", "understudy_upstream_health_score")


async def test_prometheus_stores_every_value_that_we_show(tmp_path):
    async with serving(tmp_path) as (service, port):
        with prometheus(tmp_path, port) as its_port:
            # A third visit comes only after everything of the first has been stored.
            asked = [await asyncio.wait_for(service.scrapes.get(), PATIENCE) for _ in range(3)]
            stored = await asyncio.to_thread(values_in, its_port)
        shown = values_of(await asyncio.to_thread(read, f"http://127.0.0.1:{port}/metrics"))
    assert "openmetrics" in asked[0]
    ours = {key: value for key, value in shown.items() if key[0].startswith("understudy_") and key[0] not in RESTLESS}
    theirs = {key: value for key, value in stored.items() if not key[0].endswith("_created") and key[0] not in RESTLESS}
    assert theirs.keys() == ours.keys()
    assert theirs == ours
    fallbacks = {key[1]: value for key, value in ours.items() if key[0] == "understudy_fallback_total"}
    assert fallbacks[frozenset({"from": "lead", "to": HOSTILE, "reason": "provider"}.items())] > 0
    assert fallbacks[frozenset({"from": HOSTILE, "to": "idle", "reason": "breaker_open"}.items())] == 0
    assert ours["understudy_quota_remaining", frozenset({"api": "lead", "window": "day"}.items())] < 1000


async def test_promtool_finds_nothing_to_complain_about(tmp_path):
    async with serving(tmp_path) as (_, port):
        page = await asyncio.to_thread(read, f"http://127.0.0.1:{port}/metrics")
    ended = subprocess.run([program("promtool"), "check", "metrics"], check=False, input=page, capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


async def test_promtool_would_complain(tmp_path):
    """What the test above relies on: a page with faults is refused."""
    page = b"# TYPE understudy_x counter\nunderstudy_x 1\n"
    ended = subprocess.run([program("promtool"), "check", "metrics"], check=False, input=page, capture_output=True)
    assert ended.returncode == 3
