"""How an answer goes out on the wire: whole, or in one of the ways in which wires fail.

Each way is a coroutine that returns whether the connection may serve another request.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from understudy.core.clock import Clock

from .connection import Connection
from .faults import Fault
from .wire import Response

#: Seconds between two writes that must arrive as two, so that the second finds the first one read.
_APART = 0.03
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be delivered where, and how it must go wrong; `keep` says that the client may ask again."""

    conn: Connection
    response: Response
    fault: Fault
    clock: Clock
    keep: bool


Way = Callable[[Job], Awaitable[bool]]


async def deliver(
    conn: Connection, response: Response, fault: Fault | None, clock: Clock, *, keep: bool, bodiless: bool
) -> bool:
    """Send the response, honestly or as the fault says; `bodiless` for the answer to a HEAD."""
    if fault is None or (fault.kind == "close_idle" and fault.text("when") == "reuse" and conn.served == 0):
        conn.told = True
        await conn.send(response.head(response.length(), keep) + (b"" if bodiless else response.body))
        return keep
    if bodiless:
        response.body = b""
    return await _WAYS[fault.kind](Job(conn, response, fault, clock, keep))


async def _tell(conn: Connection, response: Response, framing: tuple[str, str] | None, body: bytes = b"") -> None:
    """Headers and the first part of the body, in one packet."""
    conn.told = True
    await conn.send(response.head(framing, keep=True) + body)


def _half(response: Response) -> bytes:
    return response.body[: len(response.body) // 2]


async def _hang(job: Job) -> bool:
    if job.fault.text("stage") != "before_headers":
        mid = job.fault.text("stage") == "mid_body"
        await _tell(job.conn, job.response, job.response.length(), _half(job.response) if mid else b"")
    await job.conn.until_gone()
    return False


async def _reset(job: Job) -> bool:
    if job.fault.text("stage") == "mid_body":
        await _tell(job.conn, job.response, job.response.length(), _half(job.response))
        await job.clock.sleep(_APART)
    job.conn.reset()
    return False


async def _half_close(job: Job) -> bool:
    if job.fault.text("stage") == "mid_body":
        await _tell(job.conn, job.response, job.response.length(), _half(job.response))
    job.conn.half_close()
    await job.conn.until_gone()
    return False


async def _close_idle(job: Job) -> bool:
    if job.fault.text("when") == "rest":
        # Nothing in the answer says so: the client learns of it from its pool, or from its next request.
        await _tell(job.conn, job.response, job.response.length(), job.response.body)
        await job.clock.sleep(_APART)
    if job.fault.text("how") == "reset":
        job.conn.reset()
    return False


async def _close_after(job: Job) -> bool:
    head = job.response.head(job.response.length(), keep=True)
    count = int(job.fault.number("bytes"))
    job.conn.told = count >= len(head)
    await job.conn.send((head + job.response.body)[:count])
    return False


async def _no_length(job: Job) -> bool:
    job.conn.told = True
    await job.conn.send(job.response.head(None, keep=False) + job.response.body)
    return False


async def _sliced(job: Job) -> bool:
    data = job.response.head(job.response.length(), job.keep) + job.response.body
    for index in range(len(data)):
        await job.conn.send(data[index : index + 1])
        if index % 64 == 0:
            # The peer, often on the same loop, gets a turn to read: else its kernel joins the packets.
            await job.clock.sleep(0.000_1)
    job.conn.told = True
    return job.keep


async def _truncated(job: Job) -> bool:
    await _tell(job.conn, job.response, job.response.length(), _half(job.response))
    return False


async def _bad_chunk(job: Job) -> bool:
    half = _half(job.response)
    good = b"%x\r\n%s\r\n" % (len(half), half)
    bad = b"zz\r\n" + job.response.body[len(half) :] + b"\r\n0\r\n\r\n"
    framing = ("Transfer-Encoding", "chunked")
    if job.fault.text("segment") == "same":
        await _tell(job.conn, job.response, framing, good + bad)
    else:
        await _tell(job.conn, job.response, framing, good)
        await job.clock.sleep(_APART)
        await job.conn.send(bad)
    # The end of the answer must come from the bad size, not from our closing.
    await job.conn.until_gone()
    return False


async def _drip(job: Job) -> bool:
    job.conn.told = True
    await job.conn.send(job.response.head(job.response.length(), job.keep))
    for index in range(len(job.response.body)):
        await job.conn.wait(job.fault.number("interval"))
        await job.conn.send(job.response.body[index : index + 1])
    return job.keep


async def _bandwidth(job: Job) -> bool:
    data = job.response.head(job.response.length(), job.keep) + job.response.body
    rate = max(1.0, job.fault.number("bytes_per_second"))
    step = max(1, int(rate / 20))
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        await job.conn.send(piece)
        await job.clock.sleep(len(piece) / rate)
    job.conn.told = True
    return job.keep


async def _endless_headers(job: Job) -> bool:
    await job.conn.send(job.response.head(None, keep=True)[:-2])
    line = b"X-Filler: " + b"a" * 1000 + b"\r\n"
    await _flood(job.conn, line * 64, int(job.fault.number("bytes")))
    return False


async def _huge_body(job: Job) -> bool:
    await _tell(job.conn, job.response, ("Content-Length", str(int(job.fault.number("bytes")))))
    await _flood(job.conn, b" " * _BLOCK, int(job.fault.number("bytes")))
    return True


async def _gzip_bomb(job: Job) -> bool:
    job.conn.told = True
    zipped = Response(job.response.status, [*job.response.headers, ("Content-Encoding", "gzip")])
    await job.conn.send(zipped.head(("Transfer-Encoding", "chunked"), job.keep))
    packer = zlib.compressobj(9, wbits=31)
    left = int(job.fault.number("bytes"))
    zeros = bytes(1024 * 1024)
    while left > 0:
        await _chunk(job.conn, packer.compress(zeros[: min(left, len(zeros))]))
        left -= len(zeros)
        # Packing costs a millisecond each time and sends little: the other connections need a turn.
        await job.clock.sleep(0.000_1)
    await _chunk(job.conn, packer.flush())
    await job.conn.send(b"0\r\n\r\n")
    return job.keep


async def _chunk(conn: Connection, data: bytes) -> None:
    if data:
        await conn.send(b"%x\r\n%s\r\n" % (len(data), data))


async def _flood(conn: Connection, block: bytes, total: int) -> None:
    sent = 0
    while sent < total:
        await conn.send(block[: total - sent])
        sent += len(block)


_WAYS: dict[str, Way] = {
    "hang": _hang,
    "reset": _reset,
    "half_close": _half_close,
    "close_idle": _close_idle,
    "close_after": _close_after,
    "no_length": _no_length,
    "sliced": _sliced,
    "truncated": _truncated,
    "bad_chunk": _bad_chunk,
    "drip": _drip,
    "bandwidth": _bandwidth,
    "endless_headers": _endless_headers,
    "huge_body": _huge_body,
    "gzip_bomb": _gzip_bomb,
}
