"""What is served at one path: the function, and the permission without which it is not even called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .auth.permissions import Permission
from .http import Answer, Request

if TYPE_CHECKING:
    from understudy.app import Understudy

Handler = Callable[["Understudy", Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. There is no default for what it needs: who forgets it cannot start."""

    handler: Handler
    needs: Permission


#: Endpoints by method and path; a place in braces is one part of the path.
Table = Mapping[tuple[str, str], Endpoint]
