"""What is served at one path: the function, the permission without which it is not even called, the declaration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .auth.permissions import Permission
from .declared import UNDECLARED, Declared, Field, Gives, Param
from .http import Answer, Request

if TYPE_CHECKING:
    from understudy.app import Understudy

Handler = Callable[["Understudy", Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. There is no default for what it needs: who forgets it cannot start.

    The first line of the handler's docstring is its summary in the documents, the rest its description.
    """

    handler: Handler
    needs: Permission
    declared: Declared = UNDECLARED


def endpoint(
    handler: Handler,
    needs: Permission,
    *,
    query: Sequence[Param] = (),
    body: Sequence[Field] | None = None,
    gives: Gives | Sequence[Gives] = (),
    problems: Sequence[int] = (),
    tag: str = "",
) -> Endpoint:
    """A declared endpoint of the REST API: other query parameters and keys than these are refused."""
    answers = (gives,) if isinstance(gives, Gives) else tuple(gives)
    return Endpoint(handler, needs, Declared(tuple(query), body, answers, tuple(problems), tag))


#: Endpoints by method and path; a place in braces is one part of the path.
Table = Mapping[tuple[str, str], Endpoint]
