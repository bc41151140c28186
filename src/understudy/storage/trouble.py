"""What can go wrong with a store, and what is said about it."""

from __future__ import annotations

from enum import StrEnum


class Trouble(StrEnum):
    """Why a transaction could not be made. Each is handled in its own way by the writer."""

    #: Another process holds the lock; or the server has no time. It passes.
    BUSY = "busy"
    #: The disk is full.
    FULL = "full"
    #: The file does not hold what it should.
    CORRUPT = "corrupt"
    #: The connection is gone, or the server cannot be reached.
    AWAY = "away"
    #: The file or its folder must not be written.
    READ_ONLY = "read-only"
    #: The system could not read or write.
    IO = "io"
    #: Another instance has taken our number: writing on would mix its numbers with ours.
    TAKEN = "taken"
