"""What the service costs while it has nothing to do, and what it holds with a thousand APIs.

Each service is `understudy run` in a process of its own, with a store on disk (one with PostgreSQL, where there is
one). All are measured at the same time: what the kernel counts of one does not depend on the others. Run:
`python benchmarks/idle.py`; `--minutes 10` measures the busy one for as long.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))

from _fleet import fleet
from _process import resident, used
from common import QUICK, Table

SETTLED, SECONDS = (3.0, 4.0) if QUICK else (25.0, 120.0)
APIS, ACTIVE = 1000, 100
SHARED = "PostgreSQL"
#: What a service that runs has no use for: migrations, the wizard, help pages, hashing before anybody signs in.
UNUSED = {
    "alembic", "mako", "questionary", "prompt_toolkit", "pygments", "markdown_it", "argon2", "tracemalloc", "redis",
    "jsonschema_rs", "apprise", "openpyxl",
}  # fmt: skip
_CODE = """
import atexit, json, sys
atexit.register(lambda: open("modules.json", "w").write(json.dumps(sorted(sys.modules))))
from understudy.cli import main
main()
"""
#: What a viewer of the first page follows.
_TOPICS = ["overview", "events", "alerts", "rows:" + ",".join(f"api{number:04}" for number in range(40))]


class Idle:
    """One service, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._folder = folder
        self._before = self._began = 0.0
        #: Percent of one core over the stretch; bytes at its end; names of top-level modules.
        self.load, self.memory, self.modules = 0.0, 0, set[str]()

    def begin(self) -> None:
        """The stretch begins."""
        if self._process.poll() is not None:
            raise RuntimeError((self._folder / "log").read_text("utf-8"))
        self._before, self._began = used(self.pid), time.perf_counter()

    def end(self) -> None:
        """The stretch is over."""
        self.load = 100.0 * (used(self.pid) - self._before) / (time.perf_counter() - self._began)
        self.memory = resident(self.pid)

    def stop(self) -> None:
        """End the service, which says then what it had loaded."""
        self._process.terminate()
        self._process.wait(60)
        found = json.loads((self._folder / "modules.json").read_text("utf-8"))
        self.modules = {name.partition(".")[0] for name in found}


@contextmanager
def idle(*options: str, settings: str = "", environment: Mapping[str, str] | None = None) -> Iterator[Idle]:
    """`understudy run` with these options, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if settings:
            (folder / "understudy.toml").write_text(settings, "utf-8")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE, "run", "--port", "0", *options], cwd=folder, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
            )  # fmt: skip
        try:
            yield Idle(process, folder)
        finally:
            process.kill()
            process.wait()


def hundred() -> str:
    """A hundred APIs in twenty-five routes, none of which is called."""
    lines = []
    for number in range(100):
        lines.append(f'[apis.api{number}]\nbase_url = "http://127.0.0.1:9/{number}"\nallow_private = true\n')
    for number in range(25):
        names = ", ".join(f'"api{4 * number + each}"' for each in range(4))
        lines.append(f"[routes.route{number}]\napis = [{names}]\n")
    return "\n".join(lines)


@contextmanager
def postgresql() -> Iterator[dict[str, str] | None]:
    """The environment of a service on a PostgreSQL of its own; None where there is none."""
    try:
        from servers import PASSWORD, Postgres, program  # type: ignore[import-not-found]  # of the tests

        program("initdb")
    except (ImportError, FileNotFoundError, AssertionError):
        yield None
        return
    server = Postgres()
    try:
        database = server.with_tables()
        yield {"UNDERSTUDY__STORAGE__URL": server.url(database), "UNDERSTUDY__STORAGE__PASSWORD": PASSWORD}
    finally:
        server.close()


async def viewed(url: str, seconds: float) -> int:
    """Follow the first page as a browser does; the bytes that came."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /live?topics={quote(json.dumps(_TOPICS))} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    count = 0
    try:
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65536):
                count += len(piece)
    except TimeoutError:
        pass
    writer.close()
    return count


def main() -> bool:
    """Measure all of it."""
    seconds = SECONDS if "--minutes" not in sys.argv else 60.0 * float(sys.argv[sys.argv.index("--minutes") + 1])
    table = Table("idle", "What the service costs while it has nothing to do", ("uvicorn", "uvloop", "sqlalchemy"))
    with ExitStack() as stack:
        services = {
            "no configuration": stack.enter_context(idle()),
            "sample configuration, simulated APIs in the same process": stack.enter_context(idle("--simulator")),
            "100 APIs": stack.enter_context(idle(settings=hundred())),
        }
        shared = stack.enter_context(postgresql())
        if shared is not None:
            services[f"100 APIs, {SHARED}"] = stack.enter_context(idle(settings=hundred(), environment=shared))
        busy = stack.enter_context(fleet(APIS))
        time.sleep(SETTLED)
        for each in services.values():
            each.begin()
        full, before = resident(busy.pid), used(busy.pid)
        seen = asyncio.run(viewed(busy.url, seconds))
        load = 100.0 * (used(busy.pid) - before) / seconds
        full_after = resident(busy.pid)
        for each in services.values():
            each.end()
            each.stop()
    _told(table, services)
    rows: list[list[Any]] = [[load, full / 2**20, full_after / 2**20, seen / seconds / 1024]]
    table.section(
        f"{APIS:,} APIs, {ACTIVE} of them called 250 times a second in all with an hour behind them, and one viewer, "
        f"{seconds / 60:.3g} minutes",
        ["processor, % of a core", "memory before, MiB", "memory after, MiB", "to the viewer, KiB/s"],
        rows,
    )
    table.goal(f"memory with {APIS:,} APIs, {ACTIVE} called, MiB", full_after / 2**20, 200.0)
    return table.write()


def _told(table: Table, services: Mapping[str, Idle]) -> None:
    rows = [[name, each.load, each.memory / 2**20, len(each.modules)] for name, each in services.items()]
    table.section("", ["", "processor, % of a core", "memory, MiB", "packages loaded"], rows)
    for name, each in services.items():
        if SHARED not in name:  # a store that others may use is asked each second whether they did
            table.goal(f"{name}: processor, % of a core", each.load, 0.5)
        table.goal(f"{name}: memory, MiB", each.memory / 2**20, 120.0)
    needless = set().union(*(each.modules & UNUSED for each in services.values()))
    table.goal("packages that a service has no use for, loaded", float(len(needless)), 0.0)
    if needless:
        table.note("Loaded without need: " + ", ".join(sorted(needless)) + ".")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
