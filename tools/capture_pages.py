"""Takes the pictures of docs/dashboard.md: the real service before simulated APIs, seen by a real Chromium.

    .venv/bin/python tools/capture_pages.py [--seconds 180] [--url http://127.0.0.1:8080]

Three minutes of calls; for the last third odds_prime answers 500, so that there is a switch, an alert, and a call that
a standby served. With --url a service that is running already is photographed as it is. Needs the environment of
`make test`.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from threading import Event
from typing import Any, Literal

from playwright.sync_api import Browser, sync_playwright

from understudy.simulator import Fault, SimulatorThread

ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets" / "dashboard"
#: The API that fails, and the largest picture in bytes.
FAILING, LARGEST = "odds_prime", 60_000
#: Qualities of WebP, tried in turn until a picture is small enough.
QUALITIES = (85, 75, 65, 55, 45)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One page, as wide and high as given in pixels."""

    name: str
    path: str
    width: int = 1280
    height: int = 800
    scheme: Literal["light", "dark"] = "light"


def asked(url: str, path: str) -> Any:
    """What an endpoint of the service answers."""
    with urllib.request.urlopen(url + path, timeout=10) as answer:  # noqa: S310 - our own address on loopback
        return json.load(answer)


def pictures(url: str) -> list[Picture]:
    """The pages worth a picture; the call and the alert are the newest of their kind."""
    search = urllib.parse.urlencode({"q": f"api:{FAILING} outcome:fallback", "limit": 1})
    call = asked(url, f"/api/requests?{search}")["requests"][0]["call_id"]
    alerts = asked(url, f"/api/alerts?state=all&api={FAILING}")["episodes"]
    alert = min(alerts, key=lambda each: each["rule"] != "api_down")
    return [
        Picture("overview", "/?last=5m"),
        Picture("overview-dark", "/?last=5m", scheme="dark"),
        Picture("phone", "/?last=5m", width=390, height=844),
        Picture("api", f"/apis/{FAILING}?last=5m"),
        Picture("route", "/routes/odds"),
        Picture("incident", f"/alerts/{alert['episode']}"),
        Picture("call", f"/requests/{call}"),
        Picture("rule", "/alerts/rules/success_rate"),
    ]


def taken(browser: Browser, url: str, picture: Picture) -> bytes:
    """The picture as WebP, no larger than allowed.

    Raises:
        SystemExit: the page told of a fault, or cannot be made small enough.
    """
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.scheme, locale="en-US"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    answer = page.goto(url + picture.path)
    page.wait_for_timeout(3_000)  # the first live numbers, the charts
    if answer is None or answer.status != 200 or faults:
        sys.exit(f"{picture.path}: {answer.status if answer else 'no answer'} {faults}")
    session = context.new_cdp_session(page)
    for quality in QUALITIES:
        shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        content = base64.b64decode(shot["data"])
        if len(content) <= LARGEST:
            context.close()
            return content
    sys.exit(f"{picture.path}: larger than {LARGEST} bytes")


@contextmanager
def running(seconds: float) -> Iterator[str]:
    """The address of a service that has been called for so long, while one of its APIs fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sample = files("understudy.config").joinpath("sample.toml")
    with SimulatorThread() as simulator, as_file(sample) as config, tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("understudy")), "run", "--config", str(config), "--traffic", "5"]
        command += ["--port", str(port)]
        for each in simulator.overrides():
            command += ["--set", each]
        service = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        pause = Event()  # nobody sets it: the service runs meanwhile
        try:
            pause.wait(seconds * 2 / 3)
            simulator.inject(FAILING, Fault("status", status=500))
            pause.wait(seconds / 3)
            yield f"http://127.0.0.1:{port}"
        finally:
            service.terminate()
            service.wait(30)


def capture(url: str) -> None:
    """Write all pictures."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    ASSETS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
        for picture in pictures(url):
            content = taken(browser, url, picture)
            (ASSETS / f"{picture.name}.webp").write_bytes(content)
            print(f"wrote docs/assets/dashboard/{picture.name}.webp, {len(content)} bytes")
        browser.close()


def main() -> None:
    """Photograph a service of our own, or one that runs already."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long there are calls")
    parser.add_argument("--url", help="of a service that is running")
    options = parser.parse_args()
    if options.url:
        capture(options.url.rstrip("/"))
        return
    with running(options.seconds) as url:
        capture(url)


if __name__ == "__main__":
    main()
