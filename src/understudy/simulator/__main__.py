"""`python -m understudy.simulator`: the simulated APIs until Ctrl-C, or for a given time."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import selectors
import signal
import sys
import threading

from understudy.core.clock import SYSTEM_CLOCK, Clock

from .catalogue import CATALOGUE
from .front import Simulator
from .scenarios import SCENARIOS, scenario

_EXAMPLES = """examples:
  python -m understudy.simulator
      seven APIs on free ports, until Ctrl-C
  python -m understudy.simulator --port-base 9100 --scenario each_api_in_turn --duration 60
      fixed ports; one API after another fails for a minute, then it ends
  curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:9120/control/faults \\
       -d '{"api": "odds_prime", "fault": "status", "params": {"status": 502}, "for": 30}'
      with --port-base 9100: break an API for half a minute
"""


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m understudy.simulator",
        description="Football-data APIs on loopback that fail as they are told.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=7, help="facts, keys, latencies and chances (default 7)")
    parser.add_argument("--port-base", type=_port, default=0, help="first port, control 20 above (default: free)")
    parser.add_argument(
        "--scenario", choices=sorted(SCENARIOS), default="calm",
        help="what fails, within the first minute or within --duration (default calm: nothing)",
    )  # fmt: skip
    parser.add_argument("--duration", type=_seconds, help="seconds until it ends (default: until Ctrl-C)")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1024 <= int(text[:6]) <= 65_500):
        raise argparse.ArgumentTypeError(f"expected a port from 1024 to 65500, found {text!r:.40}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, at most 86400, found {text!r:.40}")
    return seconds


def _table(sim: Simulator) -> str:
    rows = [("API", "URL", "HUB", "KEY", "SENT AS")]
    for name, url in sim.base_urls.items():
        spec = CATALOGUE[name]
        rows.append((name, url + spec.paths[0], spec.hub or "-", sim.keys[name][0], f"{spec.auth} {spec.auth_name}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"control  {sim.control_url}/control/state", "Ctrl-C ends it."])


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has left (`| head`): the servers go on all the same, and nobody is told any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def run(arguments: argparse.Namespace, clock: Clock = SYSTEM_CLOCK) -> None:
    """Serve until the duration is over, or SIGINT or SIGTERM comes."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # Where the loop cannot (Windows), KeyboardInterrupt ends the run instead.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, done.set)
    async with Simulator(arguments.seed, clock=clock, port_base=arguments.port_base) as sim:
        _say(_table(sim))
        sim.play(scenario(arguments.scenario, arguments.duration or 60.0, arguments.seed))
        timer = clock.call_later(arguments.duration, done.set) if arguments.duration else None
        await done.wait()
        if timer is not None:
            timer.cancel()
        seen = ", ".join(f"{name} {sim.requests(name)}" for name in sim.base_urls)
        _say(f"requests seen: {seen}")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 after a clean end, 1 when a port is taken."""
    arguments = _arguments(argv)
    # A selector loop by name: Windows' own default offers no `add_reader`.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.DefaultSelector())) as runner:
        try:
            runner.run(run(arguments))
        except KeyboardInterrupt:
            return 0
        except OSError as error:
            base = arguments.port_base
            where = f"ports {base} to {base + 20}" if base else "any port"
            sys.stderr.write(f"cannot listen on {where}: {error.strerror}; choose another --port-base\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
