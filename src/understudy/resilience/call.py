"""One call on its way through the pipeline, and what it ends as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from understudy.core.types import AttemptRecord, Candidate, Explanation

from .api import RouteOptions
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
    #: To be called at the first byte of a streamed body, from which on the limit of the attempt is over.
    on_first_byte: Callable[[], None] | None = None


class Source(Protocol):
    """How a call makes an attempt: by running an operation, or by sending a request."""

    @property
    def endpoint(self) -> str:
        """What is asked for people: `GET /path`, without its query; empty for an operation."""

    @property
    def part(self) -> bool:
        """Whether it goes on with an earlier call, and is none of its own."""

    def safe_again(self, api: Api) -> bool:
        """Whether `api` may be asked again although it may have executed the request."""

    def safe_elsewhere(self, api: Api) -> bool:
        """Whether another API may be asked although `api` may have executed the request."""

    @property
    def repeated(self) -> bool:
        """Whether an Understudy before us says that it repeats this call already."""

    @property
    def replayable(self) -> bool:
        """Whether it can be sent at all once more: a body that comes once only may be used up."""

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

    def settle(self, api: Api, key: Key | None, outcome: Outcome) -> None:
        """Tell the keys of `api` how an attempt ended, where the attempt itself has not done so."""


@dataclass(slots=True)
class First:
    """An attempt that was made on the prepared path and did not succeed: its error, or its value and outcome."""

    binding: Binding
    seconds: float
    error: BaseException | None = None
    value: Any = None
    outcome: Outcome | None = None
    key: Key | None = None
    #: Our own limit ended it.
    ours: bool = False
    #: The breaker's generation under which it was admitted.
    generation: int = 0


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
    #: The backoff before the last repeat.
    backoff: float = 0.0
    #: How often our own mechanisms turned an attempt away, by API.
    turned_away: dict[str, int] = field(default_factory=dict)
    #: Whether this call was let past an open breaker because nobody else was left, which happens once.
    panics: bool = False
    #: The API that its next attempt may reach so.
    panic_on: str = ""
    #: Seconds let pass since the last attempt, for the record of the next.
    paused: float = 0.0
    #: Seconds spent waiting for a half-open API's trial to end.
    trial_wait: float = 0.0
    timed_out: bool = False
    #: The answer and who gave it, once there is one.
    answer: tuple[Any, str] | None = None
    #: The policy in force when the call began; a reload meanwhile does not change it.
    policy: RouteOptions = field(init=False)
    policy_version: int = 1

    def __post_init__(self) -> None:
        self.policy = self.route.options


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
