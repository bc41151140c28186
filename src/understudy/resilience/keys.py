"""Key pools: which key goes next, which are held, quarantined or spent (resilience rule R7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from understudy.core.clock import Clock
from understudy.core.errors import KeysUnavailable, QuotaExhausted, RateLimited, Rejected
from understudy.core.options import Doc, Options
from understudy.core.secrets import Secret
from understudy.core.types import Mode, OutcomeClass

from .limit_reader import LimitReader
from .limiter import RateLimiter
from .limits import LimitInfo
from .outcome_table import SUCCESS, CredentialsFailed, Outcome
from .presets import preset_for
from .quota import RECHECK_PLAN, Account, QuotaLedger
from .retry_after import QUOTA_CAP

if TYPE_CHECKING:
    from .api import ApiOptions
    from .limiter import RateLimitOptions

#: A refused key rests that long, doubled by each refusal that follows; seconds.
QUARANTINE: Final = 60.0
QUARANTINE_CAP: Final = 3600.0
#: The same for a 429 that tells no time.
THROTTLE: Final = 1.0
THROTTLE_CAP: Final = 60.0
#: An API whose first answers tell no limits is looked at again in one answer of so many.
LOOK_EVERY: Final = 32
_FIRST_LOOKS: Final = 3
#: While every limit leaves room for that many calls, one response in so many is read, and each that comes
#: later than so many seconds after the last one read. What is left is then known to within `PASS_OVER` calls.
ROOM: Final = 256
PASS_OVER: Final = 15
LOOK_AGAIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class KeyOptions(Options):
    """One key. In a file it may also be written as a plain string, `"env:NAME"`."""

    value: Annotated[Secret, Doc("the key, or env:NAME, or file:PATH")]
    alias: Annotated[str, Doc("the name shown instead of the key; default key1, key2, …")] = ""
    quota_group: Annotated[str, Doc("keys of one account share one quota")] = ""


@dataclass(frozen=True, slots=True)
class AuthOptions(Options):
    """How requests to an API are signed in (resilience rule R18)."""

    kind: Annotated[
        Literal["none", "rapidapi", "header", "query", "bearer", "basic", "oauth2_client_credentials", "token_request"],
        Doc("how the key is sent"),
    ] = "none"
    keys: Annotated[tuple[KeyOptions, ...], Doc("the keys, in no order of preference")] = ()
    name: Annotated[str, Doc("header or query parameter that carries the key")] = ""
    prefix: Annotated[str, Doc("text before the key in the header")] = ""
    username: Annotated[str, Doc("user of kind basic, client id of oauth2")] = ""
    token_url: Annotated[str, Doc("where a token is fetched")] = field(default="", repr=False)
    token_method: Annotated[Literal["GET", "POST"], Doc("method of token_request")] = "POST"  # no password
    token_body: Annotated[str, Doc("body of token_request; {key} stands for the key")] = field(default="", repr=False)
    token_path: Annotated[str, Doc("JMESPath of the token in the answer")] = "access_token"  # no password
    expires_path: Annotated[str, Doc("JMESPath of its lifetime in seconds")] = "expires_in"
    scope: Annotated[str, Doc("scope of oauth2_client_credentials")] = ""


class Key:
    """One key of a pool. Times are monotonic; `secret` is None for the anonymous key of a keyless API."""

    __slots__ = (
        "account", "alias", "billing_until", "hold_reason", "hold_until", "last_used", "limiter", "pool", "quarantined",
        "quarantined_until", "refusals", "secret", "throttles", "warned_until",
    )  # fmt: skip

    def __init__(self, pool: KeyPool, alias: str, secret: Secret | None, account: Account) -> None:
        self.pool = pool
        self.alias = alias
        self.secret = secret
        self.account = account
        self.last_used = 0
        #: The configured rate of this key; None: unlimited.
        self.limiter: RateLimiter | None = None
        self.clear()

    def clear(self) -> None:
        """Forget every hold and quarantine."""
        self.hold_until = self.quarantined_until = self.billing_until = self.warned_until = -math.inf
        self.hold_reason = self.quarantined = ""
        self.throttles = self.refusals = 0

    @property
    def resting(self) -> bool:
        """Whether anything was ever held against it that no success has cleared since."""
        return bool(self.hold_reason or self.quarantined or self.billing_until > 0 or self.throttles or self.refusals)

    def __repr__(self) -> str:
        return f"<Key {self.alias}>"


class KeyPool:
    """The keys of one API. Each `pick` ends in exactly one `settle`, `abandoned` or `give_back`.

    `on_event(kind, detail)` hears of holds, quarantines, spent quotas and releases; keys appear by alias.
    """

    def __init__(
        self,
        api: str,
        options: ApiOptions,
        clock: Clock,
        on_event: Callable[[str, dict[str, Any]], None],
        ledger: QuotaLedger | None = None,
    ) -> None:
        self.api = api
        self.ledger = ledger or QuotaLedger(clock)
        self._clock = clock
        self._now = clock.monotonic
        self._on_event = on_event
        self._picks = 0
        self._looks = _FIRST_LOOKS
        self._skip = 0
        self._look_at = -math.inf
        self._keys: list[Key] = []
        self._misconfigured = False
        self._rate: RateLimitOptions | None = None
        self._apply(options)

    def _apply(self, options: ApiOptions) -> None:
        rate = options.rate_limit
        limited_as_before = self._rate is rate or self._rate == rate
        self._rate = rate
        self._skip = 0
        self._quota = options.quota
        self._reader = LimitReader(options.quota, preset_for(options))
        hub = options.hub or urlsplit(options.base_url).netloc or self.api
        old, self._keys = self._keys, []
        wanted = [(entry.value, entry.alias or f"key{n}", entry) for n, entry in enumerate(options.auth.keys, 1)]
        for secret, alias, entry in wanted:
            group = f"@{entry.quota_group}" if entry.quota_group else alias
            account = self.ledger.account(hub, self.api, group, self._quota)
            self._keys.append(self._kept(old, secret, alias, account))
        if not self._keys:
            account = self.ledger.account(hub, self.api, "", self._quota)
            self._keys.append(self._kept(old, None, "", account))
        for key in self._keys:
            if rate is None or not limited_as_before or key.limiter is None:
                key.limiter = None if rate is None or rate.mode is Mode.OFF else RateLimiter(rate, self._clock)
        self._first = self._keys[0]
        self._replain()

    def _kept(self, old: list[Key], secret: Secret | None, alias: str, account: Account) -> Key:
        """The key with that secret as it was before a reload, or a new one."""
        for key in old:
            if key.secret == secret:
                key.alias, key.account = alias, account
                return key
        return Key(self, alias, secret, account)

    def reconfigured(self, options: ApiOptions) -> KeyPool:
        """This pool with other options: keys that stay keep holds and quotas, calls in flight end as usual."""
        self._apply(options)
        return self

    def _replain(self) -> None:
        self._plain = len(self._keys) == 1 and not self._first.resting and self._first.limiter is None

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    # -- taking a key ---------------------------------------------------------------------------

    def pick(self, critical: bool = False, exclude: Collection[Key] = ()) -> Key:
        """The usable key under the least pressure, with one unit of its quota reserved.

        Raises:
            RateLimited, QuotaExhausted, KeysUnavailable: no key is usable; `retry_after` tells until when.
        """
        first = self._first
        if self._plain and not exclude:
            account = first.account
            if account.spare:
                account.spare -= 1
                account.in_flight += 1
                return first
            if not account.buckets:
                account.in_flight += 1
                return first
            if not account.refusal(self._now(), critical)[0]:
                account.begin()
                return first
        return self._pick(critical, exclude)

    def _pick(self, critical: bool, exclude: Collection[Key]) -> Key:
        now = self._now()
        best: tuple[float, int, int] | None = None
        chosen: Key | None = None
        for key in self._keys:
            if key in exclude or self._refusal(key, now, critical)[0]:
                continue
            rank = (round(key.account.pressure(now), 3), key.account.in_flight, key.last_used)
            if best is None or rank < best:
                best, chosen = rank, key
        if chosen is None:
            raise self._unavailable(now, critical)
        self._picks += 1
        chosen.last_used = self._picks
        chosen.account.begin()
        if chosen.limiter is not None:
            chosen.limiter.reserve()
        return chosen

    def _refusal(self, key: Key, now: float, critical: bool) -> tuple[str, float]:
        """Why a key cannot go out now, and until when; ("", 0) when it can."""
        if key.quarantined_until > now:
            return "quarantined", key.quarantined_until
        if key.billing_until > now:
            return "billing", key.billing_until
        if key.hold_until > now:
            return "held", key.hold_until
        if key.limiter is not None:
            wait = key.limiter.wait_time()
            if wait > 0:
                return "rate", now + wait
        if not key.account.buckets or self._quota.mode is Mode.OFF:
            return "", 0.0
        found = key.account.refusal(now, critical)
        if found[0] and self._quota.mode is Mode.OBSERVE:
            if found[1] > key.warned_until:
                key.warned_until = found[1]
                self._event("quota.would_refuse", key, reason=found[0], seconds=found[1] - now)
            return "", 0.0
        return found

    def _unavailable(self, now: float, critical: bool) -> Rejected:
        refusals = [self._refusal(key, now, critical) for key in self._keys]
        reasons = {reason for reason, _ in refusals if reason}
        after = self.release_after(critical)
        when = "" if after is None else f"; the first may go in {after:.0f} s"
        text = f"{self.api}: no key is usable ({', '.join(sorted(reasons)) or 'all were tried'}){when}"
        if reasons and reasons <= {"held", "rate"}:
            return RateLimited(text, after)
        if reasons and reasons <= {"quota", "quota_reserve"}:
            return QuotaExhausted(text, after)
        return KeysUnavailable(text, after)

    def usable(self, now: float, critical: bool = False) -> str:
        """Empty when some key is usable; else why none is: `misconfigured` when all were refused by the API."""
        first = self._first
        if self._plain and not first.account.buckets:
            return ""
        refusals = [self._refusal(key, now, critical) for key in self._keys]
        if any(not reason for reason, _ in refusals):
            return ""
        if all(reason == "quarantined" for reason, _ in refusals):
            return "misconfigured"
        return min(refusals, key=lambda entry: entry[1])[0]

    def release_after(self, critical: bool = False) -> float | None:
        """Seconds until the first key is usable again; 0 when one is, None when nobody knows."""
        now = self._now()
        refusals = [self._refusal(key, now, critical) for key in self._keys]
        until = min(until if reason else now for reason, until in refusals)
        return None if until == math.inf else max(0.0, until - now)

    # -- the end of an attempt ------------------------------------------------------------------

    def settle(self, key: Key, outcome: Outcome, status: int | None, headers: Mapping[str, str] | None = None) -> None:
        """Take in how the attempt with `key` ended, and what its response tells of limits."""
        account = key.account
        if outcome is SUCCESS and self._skip and self._plain and self._now() < self._look_at:
            self._skip -= 1
            if account.buckets:
                account.unread += 1
            if account.in_flight:
                account.in_flight -= 1
            return
        limits = self._told(headers, account) if headers and self._quota.mode is not Mode.OFF else []
        account.end(outcome.executed, limits)
        _pace(key.limiter, limits)
        if outcome is SUCCESS:
            if not self._plain:
                if key.resting:
                    self._cleared(key)
            elif limits and account.ample(ROOM):
                account.spare = self._skip = PASS_OVER
                self._look_at = self._now() + LOOK_AGAIN
            return
        now = self._now()
        match outcome.kind:
            case OutcomeClass.RATE:
                self._hold(key, outcome, now)
            case OutcomeClass.QUOTA:
                self._spent(key, outcome, now)
            case OutcomeClass.KEY | OutcomeClass.BILLING if key.secret is None:
                pass  # no key of ours was refused, but what the caller brought: the next one may bring another
            case OutcomeClass.KEY:
                self.quarantine(key, outcome.reason, outcome.retry_after)
            case OutcomeClass.BILLING:
                key.billing_until = now + outcome.retry_after if outcome.retry_after is not None else math.inf
                self._event("key.billing", key, reason=outcome.reason, seconds=outcome.retry_after)
        self._replain()

    def _told(self, headers: Mapping[str, str], account: Account) -> list[LimitInfo]:
        limits = self._reader.read(headers, self._clock.time())
        if limits:
            self._looks, self._skip = _FIRST_LOOKS, 0
        elif self._looks > 1:
            self._looks -= 1
        elif not account.buckets:
            self._skip, self._look_at = LOOK_EVERY - 1, math.inf
        return limits

    def abandoned(self, key: Key) -> None:
        """The attempt ended without a response: the API may have counted it, so we do."""
        key.account.end(executed=True)

    def left(self, key: Key, error: BaseException) -> None:
        """The attempt ended with `error`, which knows whether anything was sent."""
        unsent = isinstance(error, (CredentialsFailed, Rejected)) or not getattr(error, "sent", True)
        (self.give_back if unsent else self.abandoned)(key)

    def give_back(self, key: Key) -> None:
        """Nothing was sent: the reserved unit goes back."""
        key.account.end(executed=False)
        if key.limiter is not None:
            key.limiter.give_back()

    def _hold(self, key: Key, outcome: Outcome, now: float) -> None:
        wait = outcome.retry_after
        if wait is None:
            wait = min(THROTTLE_CAP, THROTTLE * 2.0 ** min(key.throttles, 16))
        key.throttles += 1
        if now + wait > key.hold_until:
            key.hold_until, key.hold_reason = now + wait, outcome.reason or "rate"
            self._event("key.held", key, reason=outcome.reason, seconds=wait)

    def _spent(self, key: Key, outcome: Outcome, now: float) -> None:
        if self._quota.mode is Mode.OFF:
            return
        wait = min(outcome.retry_after if outcome.retry_after is not None else RECHECK_PLAN, QUOTA_CAP)
        key.account.spent_until(now + wait)
        self._event("quota.exhausted", key, reason=outcome.reason, seconds=wait)

    def quarantine(self, key: Key, reason: str, retry_after: float | None = None) -> None:
        """The API refused the key, or signing in with it failed: it rests, longer each time."""
        now = self._now()
        key.refusals += 1
        wait = min(QUARANTINE_CAP, max(QUARANTINE * 2.0 ** min(key.refusals - 1, 16), retry_after or 0.0))
        key.quarantined, key.quarantined_until = reason or "refused", now + wait
        self._event("key.quarantined", key, reason=reason, seconds=wait)
        self._replain()
        if not self._misconfigured and self.misconfigured:
            self._misconfigured = True
            self._event("key.all_refused", key, reason=reason, seconds=wait)

    def _cleared(self, key: Key) -> None:
        """A success proves the key: nothing is held against it any more."""
        told = key.quarantined or key.billing_until > 0
        key.clear()
        self._misconfigured = False
        self._replain()
        if told:
            self._event("key.released", key, reason="a call succeeded")

    # -- looking, and acting by hand ------------------------------------------------------------

    @property
    def misconfigured(self) -> bool:
        """Whether the API refuses every key."""
        now = self._now()
        return all(key.quarantined_until > now for key in self._keys)

    def reset(self, alias: str | None = None) -> None:
        """Release one key, or all: holds, quarantines, and quotas that were inferred from refusals."""
        for key in self._keys:
            if alias is None or key.alias == alias:
                was_resting = key.resting
                key.clear()
                key.account.buckets.pop(("inferred", 0.0), None)
                if was_resting:
                    self._event("key.released", key, reason="by hand")
        self._misconfigured = False
        self._replain()

    def remaining(self, key: Key) -> int | None:
        """Calls left of the strictest known limit of `key`."""
        return key.account.remaining(self._now()) if key.account.buckets else None

    def pressure(self) -> float:
        """The pressure on the least pressed key, 0 to 1 (R9's term)."""
        if self._plain and not self._first.account.buckets:
            return 0.0
        now = self._now()
        return min(1.0, min(key.account.pressure(now) for key in self._keys))

    def view(self) -> list[dict[str, Any]]:
        """The keys for people: by alias, never the key; seconds from now."""
        now = self._now()
        shown = []
        for key in self._keys:
            reason, until = self._refusal(key, now, critical=False)
            why = {"quarantined": key.quarantined, "held": key.hold_reason}.get(reason, "")
            shown.append(
                {
                    "key": key.alias,
                    "state": reason or "usable",
                    "reason": why,
                    "release_after": None if not reason or until == math.inf else round(until - now, 3),
                    "in_flight": key.account.in_flight,
                    "remaining": key.account.remaining(now),
                    "pressure": round(key.account.pressure(now), 4),
                }
            )
        return shown

    def quotas(self) -> list[dict[str, Any]]:
        """What is known of the limits of each account, for people; `reset_after` in seconds, `per_second` its use."""
        now = self._now()
        shown = []
        for account in {id(key.account): key.account for key in self._keys}.values():
            for bucket in account.buckets.values():
                bucket.roll(now)
                taken = account.in_flight + account.unread
                left = None if bucket.observed is None else max(0, int(bucket.observed - taken))
                reset = None if bucket.reset_at is None else round(bucket.reset_at - now, 3)
                shown.append(
                    {
                        "key": account.id[2].removeprefix("@"), "object": bucket.object, "window": bucket.window,
                        "limit": bucket.limit, "remaining": left, "reset_after": reset, "source": bucket.source,
                        "per_second": round(bucket.use_per_second(now), 6),
                    }
                )  # fmt: skip
        return shown

    def export_state(self) -> list[dict[str, Any]]:
        """Quarantines and holds as plain values (epoch seconds, aliases); quotas are the ledger's."""
        offset = self._clock.time() - self._now()
        return [
            {
                "key": key.alias, "secret": "" if key.secret is None else key.secret.fingerprint(),
                "hold_until": _told(key.hold_until + offset), "hold_reason": key.hold_reason,
                "quarantined": key.quarantined, "quarantined_until": _told(key.quarantined_until + offset),
                "billing_until": _told(key.billing_until + offset), "refusals": key.refusals,
            }
            for key in self._keys
            if key.resting
        ]  # fmt: skip

    def import_state(self, rows: list[dict[str, Any]]) -> None:
        """Take over what `export_state` gave, for keys of the same alias and the same secret."""
        offset = self._clock.time() - self._now()
        for row in rows:
            for key in self._keys:
                if key.alias == row["key"] and row["secret"] == (
                    "" if key.secret is None else key.secret.fingerprint()
                ):
                    key.hold_until, key.hold_reason = _heard(row["hold_until"]) - offset, row["hold_reason"]
                    key.quarantined = row["quarantined"]
                    key.quarantined_until = _heard(row["quarantined_until"]) - offset
                    key.billing_until, key.refusals = _heard(row["billing_until"]) - offset, row["refusals"]
        self._replain()

    def _event(self, kind: str, key: Key, **detail: Any) -> None:
        self._on_event(kind, {"key": key.alias, **detail})


def _told(at: float) -> float | str | None:
    """A moment as JSON can say it: null for long past, `never` for the end that nobody knows."""
    if at == math.inf:
        return "never"
    return None if at == -math.inf else round(at, 3)


def _heard(told: float | str | None) -> float:
    if isinstance(told, str):
        return math.inf
    return -math.inf if told is None else told


def _pace(limiter: RateLimiter | None, limits: list[LimitInfo]) -> None:
    """Let a configured rate follow a stricter one that the API tells; a plan's quota is no rate."""
    if limiter is not None:
        for told in limits:
            if told.limit and told.window and not told.long:
                limiter.learn(told.limit, told.window)
