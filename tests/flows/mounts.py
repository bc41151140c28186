"""A file system of its own for a test: small, so that it can be full, or one that cannot be written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory that is full after `size` (as in `8m`), mounted at a new folder."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "-l", str(folder))


def read_only(folder: Path) -> None:
    """Let nobody write to a mounted file system any more, root included."""
    _run("mount", "-o", "remount,ro", str(folder))


def writable(folder: Path) -> None:
    """Undo `read_only`."""
    _run("mount", "-o", "remount,rw", str(folder))


def fill(folder: Path, leave: int = 0) -> Path:
    """Take the room that is left on a disk, but for some bytes; the file that takes it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass
        if leave:
            file.truncate(max(0, file.tell() - leave))
    return ballast


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"this test needs a file system of its own, so it has to run as root where mounting is allowed: {done.stderr}"
    )
