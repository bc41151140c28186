"""The command line: `understudy run | status | explain | check | demo | config`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code (see `exits`)."""
    try:
        from .commands import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("typer", "rich", "uvicorn"):
            raise
        sys.stderr.write("the command line needs an extra: pip install 'understudy[service]'\n")
        raise SystemExit(69) from None
    except KeyboardInterrupt:  # before there is anything to end
        raise SystemExit(130) from None
    raise SystemExit(run(list(sys.argv[1:] if arguments is None else arguments)))
