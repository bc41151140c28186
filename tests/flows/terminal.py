"""A program in a real pseudo terminal, driven as a person drives it: wait for words, type, press keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

ENTER, UP, DOWN, CTRL_C, SPACE = "\r", "\x1b[A", "\x1b[B", "\x03", " "
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][0-9A-Z]|[=>78])")


class Terminal:
    """One program; `seen` is everything that it wrote, without what moves the cursor."""

    def __init__(self, arguments, *, cwd, env, width=100, height=50):
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(arguments[0], arguments, env)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.seen = ""
        self._told = 0
        self.code = None

    def wait_for(self, words, timeout=30.0):
        """Read until `words` stand behind what was waited for before."""
        until = time.monotonic() + timeout
        while (at := self.seen.find(words, self._told)) < 0:
            if not self._read(until - time.monotonic()):
                raise AssertionError(f"waited for {words!r} behind:\n{self.seen[self._told :][-3000:]}")
        self._told = at + len(words)

    def type(self, text):
        """Press keys."""
        os.write(self._fd, text.encode())

    def paste(self, text):
        """What a terminal sends when somebody pastes."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def end(self, timeout=30.0):
        """Read until the program ends; its exit code."""
        until = time.monotonic() + timeout
        while self._read(until - time.monotonic()):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def _read(self, timeout):
        if timeout <= 0 or not select.select([self._fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other side has ended
            return False
        if b"\x1b[6n" in data:  # asks where the cursor is, as it does of every terminal
            os.write(self._fd, b"\x1b[1;1R")
        self.seen += _ESCAPES.sub("", data.decode("utf-8", "replace"))
        return bool(data)
