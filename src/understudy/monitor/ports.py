"""What the monitor needs of whoever keeps its numbers; storage satisfies these by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from understudy.core.types import Explanation

from .facets import COUNTED, Facets
from .histogram import Digest
from .requests import Cursor, ErrorGroup, RequestEntry, RequestQuery
from .rollup import Row, SeriesName, Total
from .window import Kinds

T = TypeVar("T")


class Taker(Protocol):
    """Is told of everything that is counted; the collector of the rollups is one. May be asked from any thread."""

    def attempts(
        self,
        api: str,
        route: str,
        numbers: Digest,
        kinds: Kinds | None,
        neutral: int,
        batch: Sequence[float],
        booked: Sequence[float],
    ) -> None:
        """A drained batch of an API in the service of `route` (empty: recorded by hand, no call of ours).

        `booked` are the successes of the batch that belong to calls which arrive by `called`.
        """

    def called(self, record: Explanation, *, part: bool = False) -> None:
        """A call that left the prepared path; `part`: its attempts repeat those of one that was told before."""


class RollupStore(Protocol):
    """Keeps rollup rows by tier (a length in seconds out of `rollup.TIERS`), start and series."""

    async def write(self, rows: Mapping[int, Sequence[Row]]) -> None:
        """Keep rows, by tier; returns when they are committed, or safe in the writer's own waiting list.

        A row replaces what this writer had for the same tier, start and series, so writing again is
        harmless. What cannot be written now is written later; nothing is raised for that.
        """

    async def read(
        self, tier: int, names: Sequence[SeriesName] | None, start: int, end: int, fold: Callable[[Iterable[Row]], T]
    ) -> T:
        """What `fold` makes of the rows with `start <= ts < end`, of all writers, by series and start.

        `names` None means every series. `fold` runs on a reader's thread: it must be pure.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def totals(self, tier: int, kind: str, start: int, end: int) -> dict[str, Total]:
        """The sums of each series of a kind, by name, over `start <= ts < end`.

        For overviews of everything: the store adds up itself, and no more than an overview shows, since
        each further number costs a tenth of the time.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def own(self, tier: int, start: int, end: int) -> list[Row]:
        """The rows with `start <= ts < end` that this writer wrote itself, to go on with after a restart.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def others(self, tier: int, start: int, end: int, fold: Callable[[Iterable[Row]], T]) -> T:
        """What `fold` makes of the rows with `start <= ts < end` that this writer did not write itself.

        They are of other services, and what library processes reported here; by series and start, `fold` as
        in `read`. What a library process did in the last seconds may still be to come.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def last(self, tier: int) -> int | None:
        """The latest start that this writer wrote in a tier; None when it wrote none.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """


class RequestStore(Protocol):
    """Keeps entries of the request log, and groups of errors."""

    async def append(self, entries: Sequence[RequestEntry], groups: Sequence[ErrorGroup]) -> None:
        """Keep entries, and add the counts of groups; returns when committed or safe in the waiting list.

        Beyond the caps by API and by age the oldest go, successes before failures.
        """

    async def search(self, query: RequestQuery, limit: int, before: Cursor | None = None) -> list[RequestEntry]:
        """Entries that answer the query, newest first, those older than the place `before` when it is given.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def groups(self, start: float, end: float, api: str = "", limit: int = 100) -> list[ErrorGroup]:
        """Error groups that occurred in the span (epoch seconds), most frequent first.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """

    async def facets(self, query: RequestQuery, most: int = COUNTED) -> Facets:
        """How the entries that answer the query spread; the newest `most` of them are counted.

        Raises:
            StoreUnavailable: the store cannot be read now.
        """


class DeltaStore(Protocol):
    """Takes the numbers that library processes report: each report once, however often it arrives."""

    async def apply(self, instance: str, boot: str, seq: int, rows: Sequence[Row]) -> bool:
        """Add ten-second rows to what was reported before, and remember that report; False when it is known.

        Returns when that is committed, both in one transaction. Coarser tiers follow by themselves.

        Raises:
            StoreUnavailable: nothing was taken; the reporter must send the same again.
        """
