"""Eight hours of the open first page in fast motion: what the browser holds must stay where it is.

A real service fills a real page in Chromium. Then its stream tells 28,800 seconds more as fast as the page takes them:
messages as the service made them, with later times and other numbers, go in where those of the network do. Memory is
read after the garbage was collected.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import tempfile
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from browser.chromium import OPTIONS, chromium, watched
from browser.served import serving
from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.storage import StorageOptions

from .experiment import Report, Tell, quiet

TITLE = "Eight hours of the open first page in fast motion"
HOUR = 3600
#: Seconds that are told, and how often memory is looked at; and the same for the sample.
FULL, LOOKED = 8 * HOUR, HOUR // 4
SAMPLE, SAMPLE_LOOKED = 90, 30
APIS = 24
#: Stands before the page's own scripts: keeps the newest stream, and of each topic a message to make others from.
_BEFORE = """(() => {
  const known = globalThis.__known = new Map();
  globalThis.EventSource = class extends EventSource {
    constructor(...given) {
      super(...given);
      globalThis.__stream = this;
      this.addEventListener("message", (event) => {
        const message = JSON.parse(event.data);
        if (event.isTrusted && message.t && (message.i || !known.has(message.t))) known.set(message.t, message);
      });
    }
  };
  const later = (value, by) => {
    if (typeof value === "number") return value > 1e9 ? value + by : value * (0.8 + 0.4 * Math.random());
    if (Array.isArray(value)) return value.map((each) => later(each, by));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, later(each, by)]));
    }
    return value;
  };
  const tell = (message, number) => globalThis.__stream.dispatchEvent(
    new MessageEvent("message", { data: JSON.stringify(message), lastEventId: `made-${number}` }));
  const switched = (at) => ({ at, kind: "breaker.opened", api: "api00", route: "route0", detail: {} });
  globalThis.__told = 0;
  globalThis.__live = async (from, until) => {
    for (let second = from + 1; second <= until; second++) {
      for (const [topic, message] of known) {
        const at = message.at + second, kind = topic.split(":")[0];
        if (second % ({ events: 30, alerts: 300, heat: 5 }[kind] ?? 1)) continue;
        globalThis.__told++;
        if (topic === "events") tell({ t: topic, at, f: [switched(at)] }, second);
        else tell({ t: topic, at, d: later(message.d ?? {}, second) }, second);
      }
      if (second % 20 === 0) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
    return globalThis.__told;
  };
})()"""
#: The kinds of topic that something is known of, and those that the first page listens to.
_KNOWN = "[...__known.keys()].map((each) => each.split(':')[0])"
_TOPICS = {"overview", "newest", "events", "heat", "alerts"}
#: What the page shows: the end of its first chart, and of all how many columns they have.
_SHOWN = (
    "[...document.querySelectorAll('u-mini')].map((each) => [each.chart.at.at(-1), each.chart.at.length, "
    "each.chart.series[0].values.length])"
)


async def _filled(app: Understudy) -> None:
    """APIs with a few calls, and calls that go on."""
    rng = random.Random(7)
    names = [f"api{number:02}" for number in range(APIS)]
    for number, name in enumerate(names):
        app.fallback.register_api(name, base_url=f"http://host{number}.test", route=f"route{number // 4}")

    def call() -> None:
        for name in names:
            app.monitor.series(name).append(rng.lognormvariate(-2.5, 0.5))
        app.clock.call_later(1.0, call)

    call()


def _value(session: CDPSession, expression: str) -> Any:
    asked = f"(async () => JSON.stringify(await {expression}))()"
    told = session.send("Runtime.evaluate", {"expression": asked, "awaitPromise": True, "returnByValue": True})
    if "exceptionDetails" in told:
        raise RuntimeError(str(told["exceptionDetails"]))
    return json.loads(told["result"]["value"])


def _held(session: CDPSession) -> tuple[float, int, int]:
    """Heap, MiB; nodes of documents; listeners."""
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"] / 2**20
    counted = session.send("Memory.getDOMCounters")
    return used, counted["nodes"], counted["jsEventListeners"]


def _opened(page: Page, url: str) -> CDPSession:
    page.add_init_script(_BEFORE)
    page.goto(url)
    page.locator("u-live[data-state=live]").wait_for(state="attached")
    page.locator("u-heat canvas").wait_for(state="attached")
    session: CDPSession = page.context.new_cdp_session(page)
    for _ in range(200):  # on a busy machine it takes a while until the first of each has come
        if set(_value(session, _KNOWN)) >= _TOPICS:
            break
        page.wait_for_timeout(100)
    return session


def experiment(seconds: int, looked: int, tell: Tell = quiet) -> Report:
    """Tell the page so many seconds."""
    report = Report("flat_page", TITLE)
    held: list[tuple[float, int, int]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = dataclasses.replace(Settings(), storage=StorageOptions(url=f"sqlite:///{folder}/u.db"))
        with serving(settings, prepare=_filled) as served:
            browser = playwright.chromium.launch(executable_path=chromium(), args=OPTIONS)
            page = watched(browser.new_page(viewport={"width": 1440, "height": 900}))
            session = _opened(page, served.url)
            before = _value(session, _SHOWN)
            topics = _value(session, _KNOWN)
            for begin in range(0, seconds, looked):
                count = _value(session, f"__live({begin}, {min(seconds, begin + looked)})")
                held.append(_held(session))
                tell((begin + looked) / seconds)
            after = _value(session, _SHOWN)
            report.none_of("faults that the page told of", page.faults)
            browser.close()
    _judged(report, held)
    moved = [new[0] - old[0] for old, new in zip(before, after, strict=True)]
    report.exactly("charts that followed to the end", sum(each >= seconds - 60 for each in moved), len(before))
    report.exactly("columns of each chart", sorted({each[1] for each in after}), sorted({each[1] for each in before}))
    report.at_least("charts", float(len(before)), 12.0)
    report.figures.update(seconds=seconds, messages=count, topics=sorted(set(topics)))
    return report


def _judged(report: Report, held: list[tuple[float, int, int]]) -> None:
    third = max(1, len(held) // 3)
    heap, nodes, listeners = zip(*held, strict=True)
    limit = 0.5 if len(held) > 3 else 2.0  # a page that has just been opened is still made faster by the browser
    report.at_most("heap that is added, MiB", sum(heap[-third:]) / third - sum(heap[:third]) / third, limit)
    report.at_most("nodes that are added", float(min(nodes[-third:]) - min(nodes[:third])), 60.0)
    report.at_most("listeners that are added", float(min(listeners[-third:]) - min(listeners[:third])), 5.0)
    report.figures.update(heap_mib=[round(each, 2) for each in heap], nodes=list(nodes), listeners=list(listeners))


async def full(seed: int, tell: Tell = quiet) -> Report:
    """All eight hours."""
    del seed  # nothing is drawn here that matters
    return await asyncio.to_thread(experiment, FULL, LOOKED, tell)


async def sample(seed: int, tell: Tell = quiet) -> Report:
    """A minute and a half."""
    del seed
    return await asyncio.to_thread(experiment, SAMPLE, SAMPLE_LOOKED, tell)
