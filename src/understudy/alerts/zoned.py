"""Local time: what a clock on the wall shows, where the wall is.

An hour that is left out in spring is moved forward by what is left out; one that comes twice in autumn is
meant both times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=500)
def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name, as `America/Sao_Paulo`.

    Raises:
        ValueError: there is none, or this system does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone named {name[:100]!r}; names are like 'America/Sao_Paulo' or 'UTC'") from None


def local(at: float, zone: ZoneInfo) -> datetime:
    """What a clock in `zone` shows at an epoch time, without its zone."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


def first(shown: datetime, zone: ZoneInfo) -> float:
    """When a clock shows that first, epoch seconds; of a time that is left out, as much later as is left out."""
    return shown.replace(tzinfo=zone, fold=0).astimezone(UTC).timestamp()


def last(shown: datetime, zone: ZoneInfo) -> float:
    """When a clock shows that for the last time, epoch seconds."""
    # Of a time that is left out, the second reading is the earlier one.
    return max(first(shown, zone), shown.replace(tzinfo=zone, fold=1).astimezone(UTC).timestamp())


def span(shown: datetime, lasting: timedelta, zone: ZoneInfo) -> tuple[float, float]:
    """When something begins and ends that lasts so long on the wall's clock; what is moved forward, is as a whole."""
    begins = first(shown, zone)
    return begins, last(local(begins, zone) + lasting, zone)
