"""Exit codes, after the habits of sysexits.h; `docs` and `--help` list them."""

from __future__ import annotations

OK = 0
#: Something that was asked for did not work: an API of `check`, a part of `demo`.
FAILED = 1
#: Wrong arguments, or a configuration with faults.
USAGE = 2
#: The port is taken, nothing listens at the URL, or an extra is not installed.
UNAVAILABLE = 69
#: The service ended because it was asked to be started again; its supervisor does that.
RESTART = 75
#: The system does not allow that port.
NO_PERMISSION = 77
#: Refused for safety: an address that others can reach, without accounts.
REFUSED = 78
INTERRUPTED = 130


class Stop(Exception):
    """Ends a command with one clear line and an exit code."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message
