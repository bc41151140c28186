"""Starts the real program in processes of its own, for the tests of this folder."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import understudy

SOURCES = str(Path(understudy.__file__).parents[1])
COMMAND = [sys.executable, "-c", "from understudy.cli import main; main()"]
PATIENCE = 30


def environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": SOURCES, "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}


@contextlib.contextmanager
def service(folder: Path, *arguments: str):
    """A running service and its URL."""
    with started(folder, "run", "--port", "0", *arguments, stderr=subprocess.STDOUT) as process:
        yield process, found_url(process)


@contextlib.contextmanager
def started(folder: Path, *arguments: str, stderr: int = subprocess.PIPE):
    """The program, killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True,
    )  # fmt: skip  # the streams in one line
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def found_url(process: subprocess.Popen) -> str:
    seen = ""
    for line in said(process):
        seen += line
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    pytest.fail(f"the service did not start: {seen}")


def until(process: subprocess.Popen, words: str) -> None:
    seen = ""
    for line in said(process):
        seen += line
        if words in line:
            return
    pytest.fail(f"{words!r} was never said: {seen}")


def said(process: subprocess.Popen):
    """The lines that it writes, until it is silent for long or ends.

    Read past Python's own buffer: a line that waits there, read together with the one before, is nothing
    that `select` would tell of. What was read beyond the last line is kept for the next time.
    """
    descriptor = process.stdout.fileno()
    rest = process.__dict__.get("_unread", b"")
    while True:
        while b"\n" in rest:
            line, _, rest = rest.partition(b"\n")
            process.__dict__["_unread"] = rest
            yield line.decode("utf-8", "replace") + "\n"
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            return
        piece = os.read(descriptor, 65536)
        if not piece:
            return
        rest += piece
        process.__dict__["_unread"] = rest


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def get(url: str):
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return response.read()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
