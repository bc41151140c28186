"""What stands in a body or a query, read strictly: each fault is told with the key and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Any

from understudy.alerts.rules import RuleError
from understudy.core.errors import NotActive, OptionError, StoreUnavailable, UnknownName, VersionConflict
from understudy.monitor.search import duration, moment
from understudy.web.endpoint import Handler
from understudy.web.http import Answer, Problem, Request

if TYPE_CHECKING:
    from understudy.app import Understudy

#: No clock shows more, epoch seconds: the year 9999.
_END_OF_TIME = 253_402_300_800
#: Control characters that people's texts may hold all the same.
_LINES = str.maketrans("", "", "\n\t")


def answering(handler: Handler) -> Handler:
    """The handler, with what rooms raise made into answers: 404, 409, 422, 503."""

    @wraps(handler)
    async def asked(app: Understudy, request: Request) -> Answer:
        try:
            return await handler(app, request)
        except UnknownName as error:
            raise Problem(404, str(error)) from None
        except (NotActive, VersionConflict) as error:
            raise Problem(409, str(error)) from None
        except StoreUnavailable as error:
            raise Problem(503, str(error), {"Retry-After": "5"}) from None
        except OptionError as error:
            raise Problem(422, str(error), field=error.field) from None
        except RuleError as error:
            faults = [str(each) for each in error.faults]
            raise Problem(422, f"rule {error.name!r:.300}: {'; '.join(faults)}", faults=faults) from None

    return asked


def text(
    content: Mapping[str, Any], key: str, longest: int, *, least: int = 0, lines: bool = False, default: str = ""
) -> str:
    """A text without control characters; with `lines`, line ends and tabs may be in it.

    Raises:
        Problem: 422 when it is none, or too short or long.
    """
    value = content.get(key, default)
    if value is None:
        value = ""
    bare = value.translate(_LINES) if isinstance(value, str) and lines else value
    if not isinstance(value, str) or not least <= len(value) <= longest or not bare.isprintable():
        raise Problem(422, f"{key} is a {'text' if lines else 'printable text'} of {least} to {longest} characters")
    return value


def texts(content: Mapping[str, Any], key: str, most: int, longest: int) -> tuple[str, ...]:
    """A list of printable texts, none of them empty.

    Raises:
        Problem: 422 when it is none.
    """
    value = content.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > most:
        raise Problem(422, f"{key} is a list of at most {most} texts")
    return tuple(text({key: each}, key, longest, least=1) for each in value)


def number(content: Mapping[str, Any], key: str, low: float, high: float) -> float | None:
    """A number within a range; None when it is not there.

    Raises:
        Problem: 422 when it is none, or outside.
    """
    value = content.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not low <= value <= high:
        raise Problem(422, f"{key} is a number from {low:g} to {high:g}")
    return float(value)


def when(content: Mapping[str, Any], key: str) -> float | None:
    """A time: epoch seconds, or a text such as 2026-11-25T14:00; None when it is not there.

    Raises:
        Problem: 422 when it is none.
    """
    value = content.get(key)
    if value is None:
        return None
    at = moment(value) if isinstance(value, str) and len(value) <= 100 else value
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= _END_OF_TIME:  # nor is NaN
        raise Problem(422, f"{key} is a time such as 2026-11-25T14:00, 2026-11-25, or epoch seconds")
    return float(at)


def lasting(content: Mapping[str, Any], key: str) -> float | None:
    """A duration in seconds, or a text such as 2h; None when it is not there.

    Raises:
        Problem: 422 when it is none.
    """
    value = content.get(key)
    if value is None:
        return None
    seconds = duration(value) if isinstance(value, str) and len(value) <= 100 else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _END_OF_TIME:
        raise Problem(422, f"{key} is a duration such as 30m, 2h or 7d, or seconds")
    return float(seconds)


def choice(query: Mapping[str, str], key: str, known: tuple[str, ...], default: str = "") -> str:
    """One word of several.

    Raises:
        Problem: 400 when it is another.
    """
    value = query.get(key, default)
    if value not in known and not (value == default and key not in query):
        raise Problem(400, f"{key} is one of {', '.join(known)}")
    return value


def choices(query: Mapping[str, str], key: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Words between commas.

    Raises:
        Problem: 400 when one is not known.
    """
    found = tuple(each for each in query.get(key, "").split(",") if each)
    if known and not set(found) <= set(known):
        raise Problem(400, f"{key} is one or several of {', '.join(known)}")
    return found
