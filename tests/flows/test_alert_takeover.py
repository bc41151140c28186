"""Two services on one PostgreSQL: the one that evaluates is killed, and the other goes on with its alerts."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

import psycopg
import pytest
from processes import SOURCES

from servers import PASSWORD
from understudy.testing.receivers import WebhookReceiver

CHILD = Path(__file__).with_name("alert_child.py")
SECRET = "whsec_" + base64.b64encode(b"for this test only" * 2).decode()[:44]
PATIENCE = 40.0


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), *arguments, stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": SOURCES},
    )  # fmt: skip  # the streams in one line


async def says(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while (await process.stdout.readline()).decode().strip() != word:
            assert process.returncode is None


async def until(receiver: WebhookReceiver, count: int) -> list[str]:
    """The kinds of the first messages."""
    async with asyncio.timeout(PATIENCE):
        while len(receiver.accepted) < count:
            await asyncio.sleep(0.05)
    return [str(each["type"]) for each in receiver.accepted]


async def recorded(url: str, count: int) -> None:
    """Wait until so many attempts are in the delivery log: whoever is killed before that may send again."""
    async with asyncio.timeout(PATIENCE), await psycopg.AsyncConnection.connect(url, password=PASSWORD) as reader:
        await reader.set_autocommit(True)
        while True:
            found = await (await reader.execute("SELECT count(*) FROM delivery")).fetchone()
            if found is not None and found[0] >= count:
                return
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_the_killed_ones_alert_is_resolved_by_the_other_and_nothing_is_told_twice(postgres, tmp_path) -> None:
    flag = tmp_path / "down"
    async with WebhookReceiver(SECRET) as hook:
        url = postgres.url(postgres.with_tables())
        arguments = (url, PASSWORD, hook.url, SECRET, str(flag))
        first = await started(*arguments)
        second = None
        try:
            await says(first, "evaluates")
            second = await started(*arguments)
            await asyncio.sleep(2)
            flag.touch()
            assert await until(hook, 1) == ["alert.fired"]
            await recorded(url, 1)
            first.kill()
            await first.wait()
            await says(second, "evaluates")
            await asyncio.sleep(3)
            assert len(hook.accepted) == 1  # it fires still, and everybody knows
            flag.unlink()
            assert await until(hook, 2) == ["alert.fired", "alert.resolved"]
            fired, resolved = (each["data"] for each in hook.accepted)
            assert fired["episode"] == resolved["episode"]
            assert hook.repeats == 0
        finally:
            for process in (first, second):
                if process is not None and process.returncode is None:
                    process.kill()
                    await process.wait()
