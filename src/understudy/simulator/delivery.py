"""How an answer goes out on the wire: whole, or in one of the ways in which wires fail.

Each way is a coroutine that returns whether the connection may serve another request.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable

from understudy.core.clock import Clock

from .connection import Connection
from .faults import Fault
from .wire import Response

#: Seconds between two writes that must arrive as two, so that the second finds the first one read.
_APART = 0.03
_BLOCK = 64 * 1024

Way = Callable[[Connection, Response, Fault, Clock], Awaitable[bool]]


async def deliver(
    conn: Connection, response: Response, fault: Fault | None, clock: Clock, keep: bool, bodiless: bool
) -> bool:
    """Send the response, honestly or as the fault says; `bodiless` for the answer to a HEAD."""
    if fault is None or (fault.kind == "close_idle" and conn.served == 0):
        conn.told = True
        await conn.send(response.head(response.length(), keep) + (b"" if bodiless else response.body))
        return keep
    return await _WAYS[fault.kind](conn, response, fault, clock)


async def _tell(conn: Connection, response: Response, framing: tuple[str, str] | None, body: bytes = b"") -> None:
    """Headers and the first part of the body, in one packet."""
    conn.told = True
    await conn.send(response.head(framing, keep=True) + body)


def _half(response: Response) -> bytes:
    return response.body[: len(response.body) // 2]


async def _hang(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    if fault.text("stage") != "before_headers":
        mid = fault.text("stage") == "mid_body"
        await _tell(conn, response, response.length(), _half(response) if mid else b"")
    await conn.until_gone()
    return False


async def _reset(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    if fault.text("stage") == "mid_body":
        await _tell(conn, response, response.length(), _half(response))
        await clock.sleep(_APART)
    conn.reset()
    return False


async def _half_close(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    if fault.text("stage") == "mid_body":
        await _tell(conn, response, response.length(), _half(response))
    conn.half_close()
    await conn.until_gone()
    return False


async def _close_idle(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    if fault.text("how") == "reset":
        conn.reset()
    return False


async def _close_after(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    head = response.head(response.length(), keep=True)
    count = int(fault.number("bytes"))
    conn.told = count >= len(head)
    await conn.send((head + response.body)[:count])
    return False


async def _no_length(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    conn.told = True
    await conn.send(response.head(None, keep=False) + response.body)
    return False


async def _sliced(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    data = response.head(response.length(), keep=True) + response.body
    for index in range(len(data)):
        await conn.send(data[index : index + 1])
        if index % 64 == 0:
            # The peer, often on the same loop, gets a turn to read: else its kernel joins the packets.
            await clock.sleep(0.000_1)
    conn.told = True
    return True


async def _truncated(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    await _tell(conn, response, response.length(), _half(response))
    return False


async def _bad_chunk(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    half = _half(response)
    good = b"%x\r\n%s\r\n" % (len(half), half)
    bad = b"zz\r\n" + response.body[len(half) :] + b"\r\n0\r\n\r\n"
    framing = ("Transfer-Encoding", "chunked")
    if fault.text("segment") == "same":
        await _tell(conn, response, framing, good + bad)
    else:
        await _tell(conn, response, framing, good)
        await clock.sleep(_APART)
        await conn.send(bad)
    # The end of the answer must come from the bad size, not from our closing.
    await conn.until_gone()
    return False


async def _drip(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    await _tell(conn, response, response.length())
    for index in range(len(response.body)):
        await clock.sleep(fault.number("interval"))
        await conn.send(response.body[index : index + 1])
    return True


async def _bandwidth(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    data = response.head(response.length(), keep=True) + response.body
    rate = max(1.0, fault.number("bytes_per_second"))
    step = max(1, int(rate / 20))
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        await conn.send(piece)
        await clock.sleep(len(piece) / rate)
    conn.told = True
    return True


async def _endless_headers(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    await conn.send(response.head(None, keep=True)[:-2])
    line = b"X-Filler: " + b"a" * 1000 + b"\r\n"
    await _flood(conn, line * 64, int(fault.number("bytes")))
    return False


async def _huge_body(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    await _tell(conn, response, ("Content-Length", str(int(fault.number("bytes")))))
    await _flood(conn, b" " * _BLOCK, int(fault.number("bytes")))
    return True


async def _gzip_bomb(conn: Connection, response: Response, fault: Fault, clock: Clock) -> bool:
    conn.told = True
    zipped = Response(response.status, [*response.headers, ("Content-Encoding", "gzip")])
    await conn.send(zipped.head(("Transfer-Encoding", "chunked"), keep=True))
    packer = zlib.compressobj(9, wbits=31)
    left = int(fault.number("bytes"))
    zeros = bytes(1024 * 1024)
    while left > 0:
        await _chunk(conn, packer.compress(zeros[: min(left, len(zeros))]))
        left -= len(zeros)
        # Packing costs a millisecond each time and sends little: the other connections need a turn.
        await clock.sleep(0.000_1)
    await _chunk(conn, packer.flush())
    await conn.send(b"0\r\n\r\n")
    return True


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
