"""Lists, all alike: newest first, a page at a time, `next` leading on; or everything as CSV, as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from understudy.core.csvtext import csv_lines
from understudy.web.declared import Gives, Param
from understudy.web.http import Answer, Request, listed
from understudy.web.kinds import Choice, Text, Whole

#: Most entries on one page, and most lines of one CSV file.
PAGE, MOST_LINES = 500, 100_000

LIMIT: Final = Param("limit", Whole(1, PAGE), "How many at most on one page.", default=100, example=50)
BEFORE: Final = Param("before", Text(100, name=True), "The `next` of the page before.", default="")
FORMAT: Final = Param("format", Choice(("json", "csv")), "`csv` gives a file of everything asked for.", default="json")
ROWS: Final = Param("rows", Whole(1, MOST_LINES), "How many lines a CSV file has at most.", default=10_000)
#: What every list takes.
PAGING: Final = (LIMIT, BEFORE, FORMAT, ROWS)
CSV: Final = Gives({"type": "string"}, about="With format=csv.", content_type="text/csv")

#: Gives at most so many rows that follow a place, and the place where the next page begins.
Fetch = Callable[[int, str], Awaitable[tuple[Sequence[Any], str | None]]]


async def listing(request: Request, name: str, fetch: Fetch, columns: Sequence[str]) -> Answer:
    """A page of a list as JSON under `name`, or with `format=csv` all of it with these columns.

    An item is a mapping, or has `as_dict`.
    """
    query = request.query()
    before = BEFORE.of(query)
    if FORMAT.of(query) == "csv":
        most = ROWS.of(query)
        first = await fetch(min(PAGE, most), before)  # what is wrong is said before the file begins
        disposition = {"Content-Disposition": f'attachment; filename="understudy-{name}.csv"'}
        return Answer(_lines(fetch, first, columns, most), 200, "text/csv; charset=utf-8", disposition)
    rows, following = await fetch(LIMIT.of(query), before)
    headers = {} if following is None else {"Link": f'<{_page(request, query, following)}>; rel="next"'}
    return Answer(listed({"next": following}, name, rows), headers=headers)


def _page(request: Request, query: Mapping[str, str], before: str) -> str:
    path = request.raw_path.partition(b"?")[0].decode("ascii", "replace")
    return f"{path}?{urlencode({**query, 'before': before})}"


async def _lines(
    fetch: Fetch, first: tuple[Sequence[Any], str | None], columns: Sequence[str], most: int
) -> AsyncIterator[bytes]:
    yield csv_lines([columns]).encode()
    rows, following = first
    left = most
    while rows:
        told = [each.as_dict() if hasattr(each, "as_dict") else each for each in rows[:left]]
        yield csv_lines([each.get(key) for key in columns] for each in told).encode()
        left -= len(told)
        if following is None or left <= 0:
            return
        rows, following = await fetch(min(PAGE, left), following)
