"""What another process reported, as the windows of this one count: so that pages and alerts know it at once."""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

from understudy.core.types import Attribution, OutcomeClass

from .histogram import PACK_FROM, Digest, Keys, Packed
from .rollup import CUT, Row, decode_classes, decode_histogram
from .window import Kinds

#: A bucket that began longer ago is history, and nothing of the present, s.
RECENT: Final = 30.0
#: Whose fault each class is where only the class is told; the others are the provider's.
_BLAMED: Final = {
    OutcomeClass.HUB: Attribution.HUB, OutcomeClass.RATE: Attribution.KEY, OutcomeClass.QUOTA: Attribution.QUOTA,
    OutcomeClass.KEY: Attribution.KEY, OutcomeClass.BILLING: Attribution.KEY, OutcomeClass.CALLER: Attribution.CALLER,
    OutcomeClass.LOCAL: Attribution.LOCAL, OutcomeClass.CANCELLED: Attribution.CALLER,
    OutcomeClass.REJECTED: Attribution.SELF,
}  # fmt: skip


class Reported(NamedTuple):
    """One row, counted; `extremes` are the shortest and the longest duration of a success, s."""

    numbers: Digest
    kinds: Kinds | None
    neutral: int
    extremes: tuple[float, ...]


def counted(row: Row) -> Reported:
    """A row as a drained batch would have been counted; its durations lie within 3.2 % of what they were."""
    hist = decode_histogram(row.hist) if row.hist else {}
    timed = sum(hist.values())
    # A key of a row has lost its lowest bits: the middle of what it stands for.
    keys: Keys = _keys({key << CUT | 1 << (CUT - 1): times for key, times in hist.items()}, timed)
    classes = decode_classes(row.classes) if row.classes else {}
    kinds: Kinds = {
        (neutral, outcome, _BLAMED.get(OutcomeClass(outcome), Attribution.PROVIDER).value): times
        for (neutral, outcome), times in classes.items()
    }
    numbers = (row.ok, row.err, timed, row.lat_sum_us / 1e6, row.err_lat_sum_us / 1e6, keys)
    extremes = (row.lat_min_us / 1e6, row.lat_max_us / 1e6) if timed else ()
    return Reported(numbers, kinds or None, row.n - row.ok - row.err, extremes)


def _keys(counts: dict[int, int], events: int) -> Keys:
    if events < PACK_FROM:
        return array("H", [key for key, times in counts.items() for _ in range(times)]).tobytes()
    return Packed(array("H", counts), array("Q", counts.values()))
