"""The body that a caller gives, as something that can be sent: bytes, or what makes an iterator of bytes."""

from __future__ import annotations

import asyncio
import io
import json as jsonlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from understudy.core.errors import InvalidRequest

from .http_request import pairs

#: Bytes that are read of a file at a time.
_PIECE: Final = 256 * 1024
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def plain_body(json: Any, data: Any) -> tuple[Any, dict[str, str]]:
    """Bytes, a callable that makes an async iterator, or one async iterator; and the headers that it needs.

    Files and plain iterators are read in threads, so that slow ones do not stop the loop. A file that
    can go back to where it stood can be sent again; an iterator cannot.

    Raises:
        InvalidRequest: json and data are both given, or either cannot be sent.
    """
    if json is not None:
        if data is not None:
            raise InvalidRequest("give json or data, not both")
        return _json(json), {"Content-Type": "application/json"}
    if data is None or isinstance(data, bytes):
        return data, {}
    if isinstance(data, str):
        return _text(data), {"Content-Type": "text/plain; charset=utf-8"}
    if isinstance(data, bytearray | memoryview):
        return bytes(data), {}
    if isinstance(data, Mapping):
        return _form(data), _FORM
    if hasattr(data, "__aiter__") or callable(data):
        return data, {}
    if hasattr(data, "read"):
        return _file(data)
    if isinstance(data, list | tuple) and not all(isinstance(piece, bytes) for piece in data):
        return _form(data), _FORM
    if isinstance(data, list | tuple):
        return b"".join(data), {}
    if hasattr(data, "__iter__"):
        return _in_threads(iter(data)), {}
    raise InvalidRequest(
        f"data must be bytes, text, a form, a file, an iterator or what makes one, found {type(data).__name__}"
    )


def _json(value: Any) -> bytes:
    try:
        return jsonlib.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"json cannot be written: {error}") from error


def _text(data: str) -> bytes:
    try:
        return data.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("data must not hold half of a character (a lone surrogate)") from None


def _form(data: Any) -> bytes:
    try:
        return urlencode(pairs(data, "data")).encode()
    except UnicodeEncodeError:
        raise InvalidRequest("data must not hold half of a character (a lone surrogate)") from None


def _file(file: Any) -> tuple[Any, dict[str, str]]:
    if isinstance(file, io.BytesIO):
        return file.read(), {}
    try:
        start = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return _in_threads(iter(lambda: file.read(_PIECE), file.read(0))), {}
    read = _again(file, start)
    # Of text only the number of characters is known, which is none of bytes.
    return read, {} if isinstance(file, io.TextIOBase) else {"Content-Length": str(end - start)}


def _again(file: Any, start: int) -> Callable[[], AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        await asyncio.to_thread(file.seek, start)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece.encode() if isinstance(piece, str) else piece

    return pieces


async def _in_threads(iterator: Iterator[Any]) -> AsyncIterator[bytes]:
    nothing: Any = object()
    while (piece := await asyncio.to_thread(next, iterator, nothing)) is not nothing:
        yield piece.encode() if isinstance(piece, str) else piece
