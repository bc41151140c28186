"""Downloads that go on where they broke, on the same API and never on another (rule R15)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from understudy.core.errors import TruncatedResponse

from .retry_after import header

#: A download is taken up again at most this often.
MOST: Final = 3

_RANGE: Final = re.compile(r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(?:\d{1,18}|\*)\s*\Z", re.IGNORECASE)

#: Asks for what follows the bytes that have come, if it is still the same; None when it is not to be had.
Following = Callable[[str, int], Awaitable[Any]]


class Download:
    """A committed stream whose breaks the reader does not see, as long as the API can go on.

    It can when it named the version of what it sends with a strong ETag: only then are the two parts
    certainly of one thing.
    """

    def __init__(self, stream: Any, following: Following) -> None:
        self._stream = stream
        self._following = following
        self._tag = version_of(stream)
        self.status: int = stream.status
        self.headers: Mapping[str, str] = stream.headers
        self.received = 0

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Names and values as they came with the first part."""
        raw: Sequence[tuple[bytes, bytes]] = self._stream.raw_headers
        return raw

    @property
    def body(self) -> bytes:
        """A stream has no body of its own."""
        body: bytes = self._stream.body
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; a break that cannot be mended is a `TruncatedResponse` with all that was seen."""
        for left in range(MOST, -1, -1):
            try:
                async with aclosing(self._stream.chunks()) as pieces:
                    async for piece in pieces:
                        self.received += len(piece)
                        yield piece
            except TruncatedResponse as error:
                rest = await self._following(self._tag, self.received) if left and self._tag else None
                if rest is None:
                    text = f"the body broke after {self.received} bytes: {error.__cause__ or error}"
                    raise TruncatedResponse(text, received=self.received) from error
                self._stream = rest
            else:
                return

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        await self._stream.close()


def version_of(response: Any) -> str:
    """The strong ETag of a response whose bytes can be asked for from the middle; empty when they cannot."""
    headers = response.headers
    tag = (header(headers, "etag") or "").strip()
    plain = (header(headers, "content-encoding") or "identity").strip().lower() == "identity"
    whole = response.status == 200 and (header(headers, "accept-ranges") or "").strip().lower() != "none"
    return tag if whole and plain and len(tag) > 2 and tag[0] == tag[-1] == '"' else ""


def follows(response: Any, tag: str, received: int) -> bool:
    """Whether a response holds what comes after the first `received` bytes of the version `tag`."""
    if response.status != 206:
        return False
    told = _RANGE.match(header(response.headers, "content-range") or "")
    same = (header(response.headers, "etag") or tag).strip() == tag
    return same and told is not None and int(told[1]) == received


__all__ = ["Download", "follows", "version_of"]
