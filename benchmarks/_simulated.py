"""The simulated APIs in a process of their own, without latency of their own, and a hand on their faults.

    with simulating() as sim:
        sim.inject("fixtures_lite", "status", status=500)

In the benchmark's own process they would compete with the client for the interpreter, and the waits for
it would be measured.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from understudy.simulator import Simulator


class Simulated:
    """Addresses, keys and the control port of simulated APIs in another process."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.base_urls: dict[str, str] = facts["base_urls"]
        self.keys: dict[str, list[str]] = facts["keys"]
        self._control: str = facts["control"]

    def inject(self, api: str, fault: str, **params: Any) -> None:
        """Break an API until `clear`."""
        self._ask("POST", "/control/faults", {"api": api, "fault": fault, "params": params})

    def clear(self) -> None:
        """Mend everything."""
        self._ask("DELETE", "/control/faults")

    def requests(self, api: str) -> int:
        """Requests that an API has seen."""
        return int(self._ask("GET", "/control/state")["apis"][api]["requests"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._control + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


@contextmanager
def simulating() -> Iterator[Simulated]:
    """Run the APIs until the block ends."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Simulated(json.loads(process.stdout.readline()))
        finally:
            process.kill()


async def _serve() -> None:
    over = asyncio.Event()
    # A process that has lost its parent must not stay: the end of its standard input tells it.
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: None if sys.stdin.readline() else over.set())
    async with Simulator(7, latency_scale=0) as sim:
        facts = {"base_urls": sim.base_urls, "keys": sim.keys, "control": sim.control_url}
        print(json.dumps(facts), flush=True)
        await over.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
