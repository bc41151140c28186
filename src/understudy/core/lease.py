"""A role that one instance at a time holds, and the token that tells its writes from those of the holder before."""

from __future__ import annotations

from typing import NamedTuple


class Lease(NamedTuple):
    """`holder` has `role` until its own monotonic clock says `until`.

    `token` grows with each change of holder. Whoever writes under the role hands the lease over, and the
    store compares the token in the same transaction: what a paused holder sends too late is refused.
    """

    role: str
    holder: str
    token: int
    until: float
