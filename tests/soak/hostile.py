"""Hostile upstreams cost bounded time and memory, learn no key that is not theirs, and end in a clear error.

Each kind is called by a process of its own, whose peak memory is measured from within; the servers are here. A
second host stands by to which redirects point: what it saw is looked at in the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .experiment import Report, Tell, quiet
from .hostile_caller import KEY
from .hostile_kinds import MIB, Kind, kinds
from .upstream import Asked, Upstream, answer

TITLE = "Hostile upstreams: time, memory, keys and the words of the error"
#: Limits of an attempt and of a call, s; the largest body that is read, bytes.
ATTEMPT, DEADLINE, MAX_BODY = 1.5, 2.0, 8 * MIB
#: What a call may cost beyond that: lateness, s; processor, s; memory, bytes (the body, and once more to join it).
GRACE, PROCESSOR, MEMORY = 0.1, 2.0, 3 * MAX_BODY + 8 * MIB
#: Kinds that are tried at the same time: the machine's processors are the limit.
TOGETHER = 2
#: Statuses that the caller gets to read, and a success condition would hide.
_UNJUDGED = ("redirect",)


class Enemy:
    """A bare socket server that plays one kind to each connection."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.requests = 0
        self.sent = 0
        self.heads: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Enemy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The origin."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self.requests += 1
                async for piece in self.kind.pieces():
                    writer.write(piece)
                    self.sent += len(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.kind.then == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has had enough
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


async def attack(kind: Kind, healthy: str) -> tuple[dict[str, Any], Enemy]:
    """One process calls one enemy."""
    async with Enemy(kind) as enemy:
        task = {
            "hostile": enemy.url, "healthy": healthy, "attempt": ATTEMPT, "deadline": DEADLINE, "max_body": MAX_BODY,
            "judged": not any(word in kind.name for word in _UNJUDGED),
        }  # fmt: skip
        here = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join([here, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "soak.hostile_caller", json.dumps(task),
            env={**os.environ, "PYTHONPATH": path}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said, complained = await asyncio.wait_for(process.communicate(), 60.0)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise RuntimeError(f"{kind.name}: the caller did not end within a minute") from None
        if process.returncode or not said:
            raise RuntimeError(f"{kind.name}: the caller failed: {complained.decode()[-500:]}")
        found: dict[str, Any] = json.loads(said)
        found["complaints"] = complained.decode()
        return found, enemy


def faults_of(kind: Kind, found: dict[str, Any], enemy: Enemy) -> list[str]:
    """What is wrong with what the caller was told."""
    alone, covered = found["alone"], found["covered"]
    faults = []
    if alone["error"] not in (kind.errors or {""}):
        faults.append(f"ended as {alone['error'] or alone['status']}: {alone['text'][:120]}")
    if not alone["error"] and alone["status"] != kind.status:
        faults.append(f"answered {alone['status']}, {alone['body']!r}")
    if "evil" in alone["body"] or "evil" in covered["body"]:
        faults.append("took for an answer what nobody had asked for")
    told = alone["text"]
    if alone["error"] and (not told.strip() or "\n" in told or len(told) > 500):
        faults.append(f"unclear words: {told[:120]!r}")
    if KEY in told or "canary" in told:
        faults.append("the error holds what was sent")
    served_by = "hostile" if not kind.errors or not alone["error"] else "standby"
    if covered["api"] != served_by:
        faults.append(f"with a standby: {covered['api'] or covered['error']}: {covered['text'][:120]}")
    if found["complaints"]:
        faults.append(f"wrote to stderr: {found['complaints'][-150:]}")
    return [f"{kind.name}: {fault}" for fault in faults]


async def experiment(seed: int, chosen: Sequence[str] | None, tell: Tell) -> Report:
    """Every kind, or those named."""
    report = Report("hostile", TITLE)
    faults: list[str] = []
    slow: list[str] = []
    large: list[str] = []
    worst = {"seconds": 0.0, "processor": 0.0, "grown": 0.0}
    heads: list[bytes] = []
    figures: dict[str, str] = {}

    async def fine(_: Asked) -> bytes:
        return answer()

    async with Upstream(fine) as healthy, Upstream(fine) as elsewhere:
        todo = [kind for kind in kinds(elsewhere.url) if chosen is None or kind.name in chosen]
        together = asyncio.Semaphore(TOGETHER)

        async def one(kind: Kind) -> None:
            async with together:
                found, enemy = await attack(kind, healthy.url)
            heads.extend(enemy.heads)
            alone, covered = found["alone"], found["covered"]
            faults.extend(faults_of(kind, found, enemy))
            limit = {"alone": DEADLINE, "covered": DEADLINE + ATTEMPT}
            for which in ("alone", "covered"):
                cost = found[which]
                if cost["seconds"] > limit[which] + GRACE:
                    slow.append(f"{kind.name}: {cost['seconds']:.2f} s")
                if cost["processor"] > PROCESSOR:
                    slow.append(f"{kind.name}: {cost['processor']:.2f} s of processor")
                if cost["grown"] > MEMORY:
                    large.append(f"{kind.name}: {cost['grown'] / MIB:.0f} MiB")
                for what, most in worst.items():
                    worst[what] = max(most, cost[what])
            figures[kind.name] = (
                f"{alone['error'] or alone['status']} after {alone['seconds']:.2f} s, {alone['processor']:.2f} s of "
                f"processor, {max(alone['grown'], covered['grown']) / MIB:.1f} MiB, {enemy.sent / MIB:.1f} MiB written"
            )
            tell(len(figures) / len(todo))

        await asyncio.gather(*(one(kind) for kind in todo))
        report.none_of("kinds that did not end in their error, or were not served by the standby", sorted(faults))
        report.none_of(f"calls over their deadline, or over {PROCESSOR:g} s of processor", sorted(slow))
        report.none_of(f"calls that took more than {MEMORY // MIB} MiB (max_body {MAX_BODY // MIB} MiB)", sorted(large))
        report.exactly("requests that reached another host", elsewhere.requests, 0)
        keyed = sum(KEY.encode() in head for head in heads)
        report.exactly("requests that brought the key to the host it belongs to", keyed, len(heads))
        leaked = [asked.path for asked in (*healthy.asked, *elsewhere.asked) if KEY in str(asked.headers)]
        report.none_of("requests that brought it to any other", leaked)
    report.figures = {
        "kinds": len(todo), "longest call, s": round(worst["seconds"], 2),
        "most processor, s": round(worst["processor"], 2), "most memory, MiB": round(worst["grown"] / MIB, 1),
        **dict(sorted(figures.items())),
    }  # fmt: skip
    return report


async def full(seed: int, tell: Tell = quiet) -> Report:
    """All kinds."""
    return await experiment(seed, None, tell)


#: Kinds of the sample: one of each sort, and all that once went wrong.
SAMPLE = (
    "endless headers", "1 GiB in chunks", "a gzip bomb of 1 GiB", "trailers without end", "a flood of 100 Continue",
    "an answer to nobody while idle", "a body that drips", "a redirect elsewhere, 307", "invalid UTF-8",
    "JSON nested a million deep",
)  # fmt: skip


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """Some of them."""
    return await experiment(seed, SAMPLE, tell)
