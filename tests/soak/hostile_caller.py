"""A program that calls a hostile upstream, measured from within: time, processor, peak memory, and what it was told.

Started by `hostile` as a process of its own for each kind, because a peak cannot be taken back. Reads its task as
JSON from the command line, writes what it found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any

from understudy.app import Understudy
from understudy.core.secrets import Secret
from understudy.resilience.breaker import BreakerOptions
from understudy.resilience.deadline import TimeoutOptions
from understudy.resilience.keys import AuthOptions, KeyOptions
from understudy.resilience.outcome import SuccessOptions

KEY = "canary-key-of-the-caller"


def peak() -> int:
    """The most memory that this process ever had, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def call(app: Understudy, route: str, deadline: float) -> dict[str, Any]:
    """One call, and what it cost."""
    began, worked, before = time.perf_counter(), time.process_time(), peak()
    found: dict[str, Any] = {"error": "", "text": "", "status": 0, "api": "", "body": ""}
    try:
        response = await app.route(route).get("/things?canary=query", deadline=deadline)
        found.update(status=response.status, api=response.api, body=response.body[:40].decode("latin-1"))
    except Exception as error:
        found.update(error=type(error).__name__, text=str(error))
    found.update(
        seconds=time.perf_counter() - began, processor=time.process_time() - worked, grown=peak() - before
    )  # fmt: skip
    return found


async def main(task: dict[str, Any]) -> dict[str, Any]:
    """A call to a healthy upstream, one to the hostile one alone, one with a standby, one more to the hostile one."""
    keys = (KeyOptions(Secret(KEY), alias="key1"),)
    auth = AuthOptions(kind="header", name="X-Key", keys=keys)
    calm = BreakerOptions(consecutive=1000, consecutive_with_standby=1000, failure_ratio=1.0, min_calls=10_000)
    common: dict[str, Any] = {
        "timeout": TimeoutOptions(attempt=task["attempt"], connect=1.0, idle=task["attempt"]),
        "success": SuccessOptions(json="type(@) == 'object'") if task["judged"] else SuccessOptions(),
        "breaker": calm, "max_body": task["max_body"],
    }  # fmt: skip
    async with Understudy.build(seed=1) as app:
        app.fallback.register_api("healthy", base_url=task["healthy"], **common)
        app.fallback.register_api("hostile", 1, "pair", base_url=task["hostile"], auth=auth, **common)
        app.fallback.register_api("standby", 2, "pair", base_url=task["healthy"], **common)
        app.fallback.register_route("pair", mode="priority")
        await call(app, "healthy", 5.0)
        alone = await call(app, "hostile", task["deadline"])
        await asyncio.sleep(0.15)  # for what comes while the connection is idle
        covered = await call(app, "pair", task["deadline"] + task["attempt"])
        return {"alone": alone, "covered": covered}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
