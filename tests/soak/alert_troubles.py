"""What may be wrong with a service of notifications: the faults that `alert_faults` puts each channel through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from certificates import Authority
from flows.channel_cases import ANA, BEA, CAI, CASES
from understudy.testing.receivers import DROP_AFTER, DROP_BEFORE, GARBAGE, HANG, SLOW
from understudy.testing.receivers.base import redirect, status
from understudy.testing.receivers.smtp import drops, hangs, says


@dataclass(frozen=True)
class Trouble:
    """One fault of one service."""

    name: str
    #: What happens to the next requests, one by one, and to all of them.
    faults: tuple[Any, ...] = ()
    always: Any = None
    #: The service asks for that many seconds, after a 429.
    wait: float = 0.0
    #: It asks for them as a date.
    dated: bool = False
    #: It does not pass: everything is given up, with a reason.
    lasts: bool = False
    #: Some have it and others never will: what is given up says who.
    partly: bool = False
    #: How the receiver is made, and what is configured besides.
    receiver: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Nobody listens at all.
    absent: bool = False

    def given(self, now: float) -> tuple[Any, ...]:
        """The faults at that time, epoch seconds."""
        if self.dated:
            return (status(429, retry_after=formatdate(int(now + self.wait) + 1, usegmt=True)),) * 2
        return self.faults


ABSENT = Trouble("nobody there", lasts=True, absent=True)
CALM = Trouble("none")


def of_http(case: Any, authority: Authority) -> list[Trouble]:
    """Those of a service over HTTP."""
    limits = {"7": 7.0, "2.5": 2.5, "0": 0.0, "-3": 0.0, "soon": 0.0}
    expired = {"tls": authority.server(expired=True)}
    found = [
        *(Trouble(f"429 {said}", (status(429, retry_after=said),) * 2, wait=wait) for said, wait in limits.items()),
        Trouble("429 until a date", wait=9.0, dated=True),
        Trouble("429 without a word", (status(429),) * 2),
        Trouble("429 for ages", always=status(429, retry_after="9" * 30), wait=60.0, lasts=True),
        Trouble("500", (status(500), status(502), status(503))),
        Trouble("dropped before", (DROP_BEFORE,) * 2),
        Trouble("dropped after", (DROP_AFTER,) * 2),
        Trouble("silence", (HANG,)),
        Trouble("drip", (SLOW,)),
        Trouble("redirect", (redirect("http://127.0.0.1:1/"),) * 2),
        Trouble("revoked", always=case.revoked, lasts=True),
        Trouble("expired certificate", lasts=True, receiver=expired, options={"ca_file": authority.ca_file}),
        ABSENT,
    ]
    return found if case.trusting else [*found, Trouble("garbage", (GARBAGE,) * 2)]


def of_mail(authority: Authority) -> list[Trouble]:
    """Those of a mail server."""
    refusals = {BEA: ["550 5.1.1 unknown"], CAI: ["452 4.2.2 full"]}
    told = [("sender", "421 4.7.0 slow down"), ("recipient", "450 4.2.0 busy"), ("content", "451 4.3.0 trouble")]
    expired = {"tls": authority.server(expired=True)}
    return [
        *(Trouble(f"{place} {text}", (says(place, text),) * 2) for place, text in told),
        *(Trouble(f"dropped at {place}", (drops(place),) * 2) for place in ("greeting", "data", "content", "accepted")),
        *(Trouble(f"silence at {place}", (hangs(place),)) for place in ("greeting", "content")),
        Trouble("some refused", partly=True, receiver={"refusals": refusals}, options={"to_emails": (ANA, BEA, CAI)}),
        Trouble("greylisting", receiver={"greylist": True}),
        Trouble("revoked", always=says("sender", "550 5.7.1 not you"), lasts=True),
        Trouble(
            "expired certificate", lasts=True, receiver=expired,
            options={"security": "starttls", "ca_file": authority.ca_file},
        ),
        ABSENT,
    ]  # fmt: skip


def everything(authority: Authority) -> list[tuple[str, Trouble]]:
    """Every channel with each of its troubles."""
    found = [(case.name, trouble) for case in CASES for trouble in of_http(case, authority)]
    return found + [("email", trouble) for trouble in of_mail(authority)]
