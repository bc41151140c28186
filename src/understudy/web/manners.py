"""What every answer of the service is given on its way out: a tag to compare by, packing, and problems as people
or programs read them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Final

from understudy.core.turn import Turn

from .http import Answer, Problem, Request

_JSON: Final = ("application/json", "application/problem+json", "text/csv")
#: Shorter answers are not packed: what it saves is less than the headers that say so, bytes.
_LEAST: Final = 1024
#: Longest answer in pieces that is made whole, bytes.
_GATHERED: Final = 256 * 1024
#: Bytes that are packed before the event loop gets its turn.
_AT_ONCE: Final = 64 * 1024
#: Quickly rather than tightly: numbers of a service change each second.
_LEVEL: Final = 4
_GZIP: Final = 16 + zlib.MAX_WBITS


async def finished(request: Request, answer: Answer) -> Answer:
    """The answer with its tag, as 304 where the asker has it already, and packed where that is worth it."""
    if request.method in ("GET", "HEAD") and answer.status == 200 and answer.content_type.startswith(_JSON):
        await _gather(answer)
        _tag(answer)
        tag = answer.headers.get("ETag", "")
        # A strong tag is the number of a version, to put with; what is in force may differ under one number.
        if tag.startswith("W/") and _known(request, tag):
            kept = {name: value for name, value in answer.headers.items() if name in ("ETag", "Vary", "Link")}
            return Answer(b"", 304, answer.content_type, kept, answer.cookies)
    return _packed(request, answer)


async def _gather(answer: Answer) -> None:
    """Make a short answer that comes in pieces whole, so that it has a length and a tag; a long one stays in pieces."""
    if isinstance(answer.body, bytes) or answer.content_type.startswith("text/csv"):
        return
    pieces = aiter(answer.body)
    first: list[bytes] = []
    size = 0
    async for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size > _GATHERED:
            answer.body = _after(first, pieces)
            return
        await Turn()
    answer.body = b"".join(first)


async def _after(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in first:
        yield piece
    async for piece in rest:
        yield piece


def tag_of(content: bytes) -> str:
    """A weak tag of what an answer says; the same bytes, packed or not, have the same one."""
    return f'W/"{blake2b(content, digest_size=12).hexdigest()}"'


def _tag(answer: Answer) -> None:
    """Tag an answer that is whole and has no tag of its own."""
    if isinstance(answer.body, bytes) and "ETag" not in answer.headers:
        answer.headers["ETag"] = tag_of(answer.body)


def _known(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names this tag; weak and strong ones are compared alike, as RFC 9110 wants it."""
    asked = request.headers.get("if-none-match", "")[:4096]
    bare = tag.removeprefix("W/")
    return asked.strip() == "*" or any(each.strip().removeprefix("W/") == bare for each in asked.split(","))


def _packed(request: Request, answer: Answer) -> Answer:
    if not answer.content_type.startswith(_JSON) or "Content-Encoding" in answer.headers:
        return answer
    body = answer.body
    if isinstance(body, bytes) and len(body) < _LEAST:
        return answer
    answer.headers.setdefault("Vary", "Accept-Encoding")
    if not request.takes_gzip:
        return answer
    answer.headers["Content-Encoding"] = "gzip"
    if isinstance(body, bytes) and len(body) <= _AT_ONCE:
        answer.body = gzip.compress(body, _LEVEL, mtime=0)
    else:
        answer.body = packed(_pieces(body), _LEVEL)
    return answer


async def _pieces(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


async def packed(pieces: AsyncIterator[bytes], level: int) -> AsyncIterator[bytes]:
    """The pieces as one gzip stream; the event loop gets its turn in between."""
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    async for piece in pieces:
        for begin in range(0, len(piece), _AT_ONCE):
            ready = packer.compress(piece[begin : begin + _AT_ONCE])
            if ready:
                yield ready
            await Turn()
    yield packer.flush()


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer in a browser, and not a program, or a script of our own pages."""
    programs = ("/api", "/metrics", "/live", "/health")
    return "text/html" in request.headers.get("accept", "")[:1000] and not request.path.startswith(programs)


def optional(allowed: list[str]) -> Answer:
    """The answer to OPTIONS: what a path takes. Other origins are allowed nothing."""
    return Answer(b"", 204, "text/plain", {"Allow": ", ".join(offered(allowed))})


def offered(allowed: list[str]) -> list[str]:
    """The methods that a path takes, with those that come by themselves."""
    return [*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"]


def plain_problem(request_id: str, problem: Problem) -> Answer:
    """A problem for programs (RFC 9457), with the id of the request."""
    return problem.answer(request_id)
