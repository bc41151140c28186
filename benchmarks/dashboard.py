"""The first page in a slow browser: bytes over the wire, first paint, until twelve live charts and the picture stand.

Chromium with a processor four times slower and a line of 1.6 Mbit/s (150 ms there and back), an empty cache each
time. The service runs in another process, with 1,000 or 5,000 APIs of which 100 are called. Run:
`python benchmarks/dashboard.py`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from playwright.sync_api import Browser, CDPSession, sync_playwright

from _fleet import fleet
from common import QUICK, Table

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROUNDS = 2 if QUICK else 7
SLOWER, BITS, LATENCY = 4, 1.6e6, 150
#: Notes when twelve charts are painted, when the picture of all APIs is, and when the first live numbers came.
WATCH = """(() => {
  const seen = globalThis.__seen = {};
  const note = (name, there) => { if (!(name in seen) && there) seen[name] = performance.now(); };
  const look = () => {
    note("charts", document.querySelectorAll("u-mini.ready canvas[width]").length >= 12);
    note("table", document.querySelector(".problems"));
    note("heat", document.querySelector("u-heat canvas[width]"));
    note("live", document.querySelector("u-live[data-state=live]"));
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


class Visit:
    """One cold load of the page."""

    def __init__(self, browser: Browser, url: str) -> None:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
        page = context.new_page()
        session: CDPSession = context.new_cdp_session(page)
        self.kinds: dict[str, str] = {}
        self.bytes: dict[str, float] = {}
        session.on("Network.responseReceived", self._answered)
        session.on("Network.loadingFinished", self._ended)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        rate = BITS / 8
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": LATENCY, "downloadThroughput": rate, "uploadThroughput": rate},
        )
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        session.send("Page.enable")
        session.send("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        page.goto(url)
        page.locator("u-heat canvas").wait_for(state="attached")
        page.locator("u-live[data-state=live]").wait_for(state="attached")
        page.wait_for_timeout(500)
        self.seen: dict[str, float] = _value(session, "globalThis.__seen")
        paints = _value(
            session, "Object.fromEntries(performance.getEntriesByType('paint').map(e => [e.name, e.startTime]))"
        )
        self.seen["paint"] = paints["first-contentful-paint"]
        context.close()

    def _answered(self, told: dict[str, Any]) -> None:
        self.kinds[told["requestId"]] = told["type"]

    def _ended(self, told: dict[str, Any]) -> None:
        kind = self.kinds.get(told["requestId"], "Other")
        self.bytes[kind] = self.bytes.get(kind, 0) + told["encodedDataLength"]

    @property
    def code(self) -> float:
        """Scripts and style sheets, KB over the wire."""
        return (self.bytes.get("Script", 0) + self.bytes.get("Stylesheet", 0)) / 1000

    @property
    def whole(self) -> float:
        """Everything, KB over the wire."""
        return sum(self.bytes.values()) / 1000


def _value(session: CDPSession, expression: str) -> Any:
    found = session.send("Runtime.evaluate", {"expression": f"JSON.stringify({expression})", "returnByValue": True})
    return json.loads(found["result"]["value"])


def main() -> bool:
    table = Table("dashboard", "The first page in a slow browser", libraries=("playwright",))
    rows: list[list[object]] = []
    figures: dict[int, dict[str, float]] = {}
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        for apis in (1000, 5000):
            with fleet(apis) as service:
                Visit(browser, service.url)  # the service has read its files and templates
                visits = [Visit(browser, service.url) for _ in range(ROUNDS)]
            middle = {
                name: median(each.seen[name] for each in visits) / 1000 for name in ("paint", "charts", "heat", "live")
            }
            middle["ready"] = median(max(each.seen["charts"], each.seen["table"]) for each in visits) / 1000
            middle["code"], middle["whole"] = median(v.code for v in visits), median(v.whole for v in visits)
            figures[apis] = middle
            rows.append([apis, *(middle[each] for each in ("code", "whole", "paint", "ready", "heat", "live"))])
        version = browser.version
        browser.close()
    header = [
        "APIs",
        "JS + CSS, KB",
        "all, KB",
        "first paint, s",
        "12 charts and list, s",
        "picture of all, s",
        "live, s",
    ]
    table.section("", header, rows)
    table.goal("JS + CSS with 1,000 APIs, KB packed", figures[1000]["code"], 40)
    table.goal("cold load with 1,000 APIs, KB", figures[1000]["whole"], 110)
    table.goal("first paint with 1,000 APIs, s", figures[1000]["paint"], 0.9)
    table.goal("12 charts and list ready with 1,000 APIs, s", figures[1000]["ready"], 1.2)
    table.goal("12 charts and list ready with 5,000 APIs, s", figures[5000]["ready"], 1.5)
    table.note(
        f"Chromium {version}, processor {SLOWER} times slower, {BITS / 1e6} Mbit/s, {LATENCY} ms latency, empty cache, "
        f"medians of {ROUNDS} loads. Bytes include headers."
    )
    return table.write()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
