"""One call on its way through the pipeline, and what it ends as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from understudy.core.types import AttemptRecord, Candidate, Explanation

from .keys import Key
from .outcome import Outcome
from .registry import Api, Binding, Route


@dataclass(slots=True)
class Attempt:
    """What a source needs to know to make one attempt. `limit` is monotonic seconds."""

    binding: Binding
    key: Key | None
    limit: float
    number: int
    fresh: bool = False
    #: To be called when a blocking operation has really returned; takes its place in the bulkhead back.
    on_return: Callable[[], None] | None = None


class Source(Protocol):
    """How a call makes an attempt: by running an operation, or by sending a request."""

    #: The same API may be asked again after the request may have been executed.
    safe_again: bool
    #: Another API may be asked after the request may have been executed.
    safe_elsewhere: bool

    def gate(self, api: Api) -> str:
        """Why this call cannot be served by `api`; empty when it can."""

    async def attempt(self, attempt: Attempt) -> tuple[Any, Outcome]:
        """Make the attempt; raises what the operation or the transport raised."""

    def prepared(self, api: Api) -> bool:
        """Whether calls like this one may go to `api` by a prepared plan."""

    def refused(self, api: Api, value: Any, outcome: Outcome) -> BaseException:
        """The error that stands for a value which was not accepted."""

    async def discard(self, value: Any) -> None:
        """Let go of a value that will not be delivered."""


@dataclass(slots=True)
class First:
    """An attempt that was made on the prepared path and did not succeed: its error, or its value and outcome."""

    binding: Binding
    seconds: float
    error: BaseException | None = None
    value: Any = None
    outcome: Outcome | None = None
    key: Key | None = None


@dataclass(slots=True)
class Call:
    """The state of one call that has left the prepared path. Times are monotonic seconds."""

    route: Route
    source: Source
    started: float
    deadline_at: float
    critical: bool = False
    default: Any = None
    has_default: bool = False
    call_id: str = ""
    #: The API that the caller named; it leads when costs do not decide otherwise.
    home: str = ""
    apis: list[Api] = field(default_factory=list)
    total: int = 0
    tries: dict[str, int] = field(default_factory=dict)
    spent: dict[str, str] = field(default_factory=dict)
    refreshed: set[str] = field(default_factory=set)
    failed_hubs: set[str] = field(default_factory=set)
    #: APIs that had failed shortly before this call began.
    failed_lately: set[str] = field(default_factory=set)
    causes: dict[str, BaseException] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waited: float = 0.0
    #: The API whose open breaker this call may pass, once, because nobody else is left.
    panics: str = ""
    #: Seconds spent waiting for a half-open API's trial to end.
    trial_wait: float = 0.0
    last_value: Any = None
    last_served: str = ""
    timed_out: bool = False


class Result:
    """What a call returned, who served it, and why.

    `value` is the operation's own value (or the response), `api` the API that served it.
    """

    __slots__ = ("_explain", "api", "value")

    def __init__(self, value: Any, api: str, explain: Callable[[], Explanation]) -> None:
        self.value = value
        self.api = api
        self._explain = explain

    def explain(self) -> Explanation:
        """The decision record, rendered from the prepared plan when the first attempt succeeded."""
        return self._explain()

    def __repr__(self) -> str:
        return f"Result(api={self.api!r}, value={type(self.value).__name__})"
