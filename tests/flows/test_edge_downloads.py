"""Downloads that go on where they broke (rule R15)."""

from __future__ import annotations

import pytest
from served import breaker, served

from understudy.core.errors import BodyBroken, TruncatedResponse
from understudy.resilience.budget import BudgetOptions
from understudy.testing.scripted_http import Answer

WHOLE = bytes(range(256)) * 8
TAG = '"version-1"'


class FileServer:
    """Serves one file, breaks after some bytes as often as told, and answers ranges as the standard says."""

    def __init__(self, breaks: list[int], **headers: str) -> None:
        self.breaks = list(breaks)
        self.headers = {"ETag": TAG, **headers}
        self.ranges: list[str] = []
        self.tags: list[str] = []

    def __call__(self, request):
        if not request.url.startswith("http://a"):
            return Answer(200, [b"another API's file"], {"ETag": TAG})
        start = 0
        asked = request.headers.get("Range", "")
        if asked:
            self.ranges.append(asked)
            self.tags.append(request.headers["If-Range"])
            if request.headers["If-Range"] == self.headers.get("ETag"):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
        size = self.breaks.pop(0) if self.breaks else len(WHOLE)
        part = WHOLE[start : start + size]
        pieces = [part[:100], part[100:]]
        if start + size < len(WHOLE):
            pieces.append(BodyBroken("cut"))
        headers = dict(self.headers)
        if not start:
            return Answer(200, pieces, headers)
        headers["Content-Range"] = f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}"
        return Answer(206, pieces, headers)


async def read(answer) -> bytes:
    return b"".join([piece async for piece in answer.chunks()])


TWO = {"a": {}, "b": {}}


async def test_a_download_that_breaks_goes_on_from_there_on_the_same_api():
    server = FileServer([700, 300])
    async with served(server, TWO, commit="first_byte") as (app, http, _):
        answer = await app.route("r").download("/file")
        assert await read(answer) == WHOLE
        assert server.ranges == ["bytes=700-", "bytes=1000-"] and server.tags == [TAG, TAG]
        assert set(http.hosts()) == {"a"} and http.open == 0
        assert breaker(app, "a").view().failures == 2  # each break is one
        assert {request.headers["Accept-Encoding"] for request in http.requests} == {"identity"}


async def test_a_download_that_changed_meanwhile_is_not_patched_together():
    server = FileServer([700])
    async with served(server, TWO, commit="first_byte") as (app, http, _):
        answer = await app.route("r").download("/file")
        server.headers["ETag"] = '"version-2"'
        with pytest.raises(TruncatedResponse, match="after 700 bytes") as caught:
            await read(answer)
        assert caught.value.received == 700 and http.open == 0


@pytest.mark.parametrize(
    "headers",
    [{"ETag": 'W/"weak"'}, {"ETag": ""}, {"Content-Encoding": "gzip"}, {"Accept-Ranges": "none"}],
    ids=lambda headers: " ".join(headers.values()) or "no tag",
)
async def test_without_a_version_of_the_very_bytes_a_break_stays_a_break(headers):
    server = FileServer([700], **headers)
    async with served(server, TWO, commit="first_byte") as (app, _http, _):
        answer = await app.route("r").download("/file")
        with pytest.raises(TruncatedResponse):
            await read(answer)
        assert server.ranges == []


async def test_a_download_that_never_gets_far_ends_after_three_more_tries():
    server = FileServer([10] * 20)
    budget = {"budget": BudgetOptions(floor=10)}
    async with served(server, {"a": budget}, commit="first_byte") as (app, _http, _):
        answer = await app.route("r").download("/file")
        with pytest.raises(TruncatedResponse) as caught:
            await read(answer)
        assert caught.value.received == 40 and len(server.ranges) == 3


async def test_going_on_draws_on_the_retry_budget():
    server = FileServer([10] * 20)
    async with served(server, {"a": {"budget": BudgetOptions(floor=1, ratio=0.0)}}, commit="first_byte") as (app, _, _):
        answer = await app.route("r").download("/file")
        with pytest.raises(TruncatedResponse):
            await read(answer)
        assert len(server.ranges) == 1


async def test_a_reader_who_leaves_a_resumed_download_leaves_nothing_open():
    server = FileServer([300])
    async with served(server, {"a": {}}, commit="first_byte") as (app, http, _):
        async with await app.route("r").download("/file") as answer:
            seen = 0
            async for piece in answer.chunks():
                seen += len(piece)
                if seen > 350:
                    break
        assert http.open == 0
        assert app.fallback.roster.api("a").bulkhead.active == 0


async def test_before_anything_was_delivered_a_break_goes_to_the_next_api_as_always():
    server = FileServer([0])
    async with served(server, TWO) as (app, _, _):
        answer = await app.route("r").download("/file")
        assert answer.api == "b" and await read(answer) == b"another API's file"
