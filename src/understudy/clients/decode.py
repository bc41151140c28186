"""Content decoding with a bound: a compressed bomb costs `max_body` bytes of memory, never more."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from understudy.core.errors import BodyBroken, BodyTooLarge

#: The encodings that are offered, and therefore decoded.
OFFERED = "gzip, deflate"
#: Bytes decoded in one go; also the slack that raw bytes may have over `max_body` (headers of members).
_PIECE = 256 * 1024
_GZIP = ("gzip", "x-gzip")
#: A body of that many members, and one more for each thousand bytes they decode to, is made to cost time.
_MEMBERS = 1000


class Decoder:
    """Decodes one body, piece by piece. Raises `BodyBroken` and `BodyTooLarge`."""

    def __init__(self, encoding: str, max_body: int) -> None:
        self._encoding = encoding
        self._max = max_body
        self._inflate: zlib._Decompress | None = None
        self._raw = 0
        self._decoded = 0
        self._members = 0
        #: Whether the present member has decoded to anything.
        self._begun = False
        #: Whether what follows is padding behind the last member.
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to, in pieces of bounded size."""
        self._raw += len(data)
        if self._raw > self._max + _PIECE:
            raise too_large(self._max)
        while data and not self._over:
            if self._inflate is None or self._inflate.eof:
                self._inflate = self._member(data)
            try:
                piece = self._inflate.decompress(data, _PIECE)
            except zlib.error:
                if self._members > 1 and not self._begun:
                    self._over = True  # many servers pad; every decoder skips what follows a whole body
                    return
                raise BodyBroken(f"the body is not valid {self._encoding}", received=self._raw) from None
            self._begun = self._begun or bool(piece)
            self._decoded += len(piece)
            if self._decoded > self._max:
                raise too_large(self._max)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                yield piece
            elif self._inflate.unconsumed_tail:
                continue
            if self._inflate.eof and self._encoding == "deflate":
                return

    def finish(self) -> None:
        """The body has ended; an encoding that has not is a cut body. No body at all is none to decode."""
        if self._raw and not self._over and (self._inflate is None or not self._inflate.eof):
            raise BodyBroken(f"the body ends in the middle of its {self._encoding} data", received=self._raw)

    def _member(self, data: bytes) -> zlib._Decompress:
        self._members += 1
        self._begun = False
        if self._members > _MEMBERS + self._decoded // 1000:
            raise BodyBroken(f"the body is made of {self._members} pieces of {self._encoding}", received=self._raw)
        if self._encoding in _GZIP:
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # Some servers send deflate without its zlib wrapping; the first byte tells.
        wrapped = data[0] & 0x0F == 8
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def decoder_for(encoding: str, max_body: int) -> Decoder | None:
    """The decoder of a Content-Encoding value; None where nothing is encoded."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in (*_GZIP, "deflate"):
        return Decoder(name, max_body)
    raise BodyBroken(f"the body has a content encoding that was not offered; offered are {OFFERED}")


def too_large(limit: int) -> BodyTooLarge:
    """The error of a body over its limit."""
    return BodyTooLarge(f"the decoded body is larger than max_body ({limit} bytes)")
