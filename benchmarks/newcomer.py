"""From `pip install` to the first own API live on the screen, as a person does it: wheel, service, browser, program.

A fresh environment gets the wheel of this tree with its `service` extra. `understudy run` starts in a folder that
holds nothing but the leave to call this machine, where the API that is added stands. In Chromium somebody becomes the
first administrator, pastes a line of curl with a key, tries it, keeps it, opens its page, copies the program that was
shown, runs it, and looks until its call is there, without touching the page. Every page is looked at for some seconds,
and typing takes its time. The same is done by one line of `understudy setup`, with nobody looking. Run:
`python benchmarks/newcomer.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from playwright.sync_api import Page, sync_playwright

from common import QUICK, Table

ROOT = Path(__file__).parent.parent
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
#: How long a page is looked at before something is done on it, s; how long a typed sign takes, ms.
LOOKS, TYPES = (0.0, 0) if QUICK else (4.0, 200)
GOAL = 180.0
KEY, PASSWORD = "k3y-of-the-odds-9f8e7d6c", "violet ladder seventeen foxes"


@contextmanager
def _api() -> Iterator[int]:
    """A third-party API that wants a key; its port."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers.get("X-Api-Key") == KEY
            body = b'{"odds": [2.1, 3.4]}' if good else b'{"error": "no such key"}'
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


class Laps:
    """How long each step took, s."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.steps: dict[str, float] = {}

    def restart(self) -> None:
        """Nothing that was done since the last step counts."""
        self._last = time.perf_counter()

    def end(self, step: str) -> None:
        """The step that ends now."""
        now = time.perf_counter()
        self.steps[step], self._last = now - self._last, now

    @property
    def whole(self) -> float:
        """All steps together, s."""
        return sum(self.steps.values())


def _run(*words: object, **more: Any) -> str:
    done = subprocess.run([str(each) for each in words], check=False, capture_output=True, text=True, **more)
    if done.returncode:
        raise SystemExit(f"{' '.join(str(each) for each in words)}\n{done.stdout}{done.stderr}")
    out: str = done.stdout
    return out


def _installed(folder: Path, wheel: Path | None, laps: Laps) -> Path:
    """The commands of a fresh environment; those of this one where nothing is measured."""
    if wheel is None:
        return Path(sys.executable).parent
    _run(sys.executable, "-m", "venv", folder / "venv")
    _run(folder / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", f"{wheel}[service]")
    laps.end("venv and pip install")
    return folder / "venv/bin"


@contextmanager
def _service(commands: Path, folder: Path, *, until: str) -> Iterator[str]:
    """`understudy run` in a folder; what it said, up to the line that holds `until`."""
    process = subprocess.Popen(
        [commands / "understudy", "run", "--port", "0"], cwd=folder, env=_environment(folder), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    said, out = "", process.stdout
    try:
        while until not in said and out is not None:
            line = out.readline()
            if not line:
                raise SystemExit(f"understudy run ended:\n{said}")
            said += line
        yield said
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1"}


class Person:
    """Somebody in front of a browser, who reads before acting."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, name: str, role: Any = "button") -> None:
        """Look at the page, then press a button or a link."""
        time.sleep(LOOKS)
        self.page.get_by_role(role, name=name, exact=True).first.click()

    def type(self, label: str, text: str) -> None:
        """Type into a field, sign by sign."""
        self.page.get_by_label(label, exact=True).press_sequentially(text, delay=TYPES, timeout=60_000)

    def paste(self, label: str, text: str) -> None:
        """Paste into a field."""
        self.page.get_by_label(label, exact=True).fill(text)

    def sees(self, text: str, seconds: float = 60.0) -> None:
        """Wait, without touching anything, until the page says it."""
        self.page.get_by_text(re.compile(text)).first.wait_for(timeout=seconds * 1000)


def _in_the_browser(commands: Path, folder: Path, curl: str, laps: Laps) -> None:
    (folder / "understudy.toml").write_text('[service]\nallow_networks = ["127.0.0.0/8"]\n', "utf-8")
    with _service(commands, folder, until="token setup-") as said, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        person = Person(browser.new_page(locale="en-US"))
        laps.end("understudy run, until the browser is open")
        found = re.search(r"http://127\.0\.0\.1:\d+", said), re.search(r"token (setup-\S+)", said)
        assert found[0]
        assert found[1]
        person.page.goto(found[0][0])
        person.press("Add the first API", "link")
        person.press("Make the first administrator", "link")
        person.paste("Set-up token", found[1][1])
        person.type("Name", "ana")
        person.type("Password", PASSWORD)
        person.type("Password again", PASSWORD)
        person.page.keyboard.press("Enter")
        laps.end("first administrator")
        person.paste("What do you have?", curl)
        person.press("Read it")
        person.press("Try it")
        person.sees("^It works$")
        person.press("Keep it")
        person.press("Keep the route")
        person.press("Later", "link")
        document, program = person.page.inner_text("#document"), person.page.inner_text("#program")
        person.press("See it live", "link")
        person.sees("^Healthy$")
        laps.end("paste, try, keep, route, its page")
        _program(commands, folder, document, program)
        laps.end("copied program run")
        person.page.get_by_text("100.0 %").first.wait_for(timeout=60_000)
        laps.end("its call on the screen")
        browser.close()


def _program(commands: Path, folder: Path, document: str, program: str) -> None:
    """Run what the last page says."""
    own = folder / "program"
    own.mkdir()
    (own / "understudy.toml").write_text(document, "utf-8")
    (own / "program.py").write_text(program, "utf-8")
    variables = dict.fromkeys(re.findall(r"env:(\w+)", document), KEY)
    _run(commands / "python", "program.py", cwd=own, env={**_environment(folder), **variables})


def _without_questions(commands: Path, folder: Path, curl: str, laps: Laps) -> None:
    """The terminal: one line of `understudy setup`, the service, and what it tells of the API."""
    words = ["setup", "--non-interactive", "--api", f"odds={curl}", "--route", "odds=odds", "--port", "0"]
    _run(commands / "understudy", *words, cwd=folder, env=_environment(folder))
    laps.end("understudy setup")
    with _service(commands, folder, until="Ctrl-C") as said:
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found
        laps.end("understudy run")
        shown = _run(commands / "understudy", "status", "--url", found[0], cwd=folder, env=_environment(folder))
        assert "odds" in shown
        laps.end("understudy status")


def _wheel(folder: Path) -> Path:
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


def main() -> bool:
    """Do all of it, and write how long it took."""
    table = Table("newcomer", "From `pip install` to the first own API live on the screen", ("playwright",), unit="s")
    with tempfile.TemporaryDirectory() as temp, _api() as port:
        curl = f"curl 'http://127.0.0.1:{port}/v1/odds' -H 'X-Api-Key: {KEY}'"
        folders = [Path(temp) / name for name in ("wheel", "browser", "terminal")]
        for folder in folders:
            folder.mkdir()
        wheel = None if QUICK else _wheel(folders[0])
        browser, terminal = Laps(), Laps()
        commands = _installed(folders[1], wheel, browser)
        _in_the_browser(commands, folders[1], curl, browser)
        terminal.restart()
        _without_questions(commands, folders[2], curl, terminal)
    table.section("In the browser", ["step", "s"], [[step, took] for step, took in browser.steps.items()])
    table.section("In the terminal", ["step", "s"], [[step, took] for step, took in terminal.steps.items()])
    table.goal("browser, from pip install to the own API and its first call on the screen, s", browser.whole, GOAL)
    table.goal(
        "terminal, from pip install to the own API in `understudy status`, s",
        terminal.whole + browser.steps.get("venv and pip install", 0.0), GOAL,
    )  # fmt: skip
    table.note(
        f"Each page is looked at for {LOOKS:g} s before something is done on it, each sign takes {TYPES} ms to type. "
        "The packages came from the index that pip is configured for, not over a slow line."
    )
    return table.write()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
