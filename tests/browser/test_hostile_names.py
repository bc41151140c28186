"""Five hundred hostile names on every kind of page in a real browser: nothing runs, nothing loads, all can be read."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from browser.chromium import evaluate
from browser.hostile_names import HOW_MANY, hostile_names
from understudy.alerts.model import Level, Rule
from understudy.alerts.options import AlertOptions
from understudy.config.settings import Settings
from understudy.core.accounts import Account
from understudy.core.errors import UnderstudyError
from understudy.core.events import Event
from understudy.core.notices import Severity
from understudy.core.types import Attribution, OutcomeClass
from understudy.notifications.message import Rejected
from understudy.testing import MemoryChannel

TEXTS = hostile_names()
NAMES: list[str] = []
ODD = [each for each in TEXTS if not each.isprintable()]
PASSWORD = "violet ladder seventeen foxes"
ADMIN = '<img src=x onerror=window.__pwned=1>"ada\u202e'
#: What no page of ours holds, and a name may have made: elements that run, load or lead elsewhere.
_GROWN = """
[...document.querySelectorAll(
  "script:not([src]):not([type='application/json']), img, iframe, object, embed, video, math, base, style, "
  + "meta[http-equiv], link[rel=stylesheet]:not([href^='/static/']), svg script, noscript, xmp, plaintext, "
  + "[style*=fixed]")]
  .concat([...document.querySelectorAll("*")].filter(each =>
    [...each.attributes].some(one => /^on/i.test(one.name) || one.name.includes("pwned"))
    || /^\\s*(?:javascript|data|vbscript):/i.test(each.getAttribute("href") ?? each.getAttribute("action"))
    || (each.tagName === "A" && each.hasAttribute("href") && each.origin !== location.origin)))
  .map(each => each.outerHTML.slice(0, 200)).concat(window.__pwned === undefined ? [] : [`ran ${window.__pwned}`])
  .concat(Object.prototype.polluted === undefined && ({}).toString === Object.prototype.toString ? [] : ["prototype"])
"""
#: Texts that turn the direction of writing, or hold what cannot be seen as it is, outside of what keeps them apart.
_TURNED = """
(() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data, parent = walk.currentNode.parentElement;
    if (!/[\\u202a-\\u202e\\u2066-\\u2069]/.test(text)) continue;
    if (parent.closest("script, template, option, textarea")) continue;
    let near = parent;
    while (near && !/isolate|plaintext/.test(getComputedStyle(near).unicodeBidi)) near = near.parentElement;
    if (!near || near.textContent.trim() !== text.trim()) found.push(`${parent.outerHTML.slice(0, 160)}`);
  }
  return found;
})()
"""


async def prepare(app: Any) -> None:
    """APIs, routes, hubs, errors, alerts, silences, channels, accounts and reasons of those names."""
    for number, name in enumerate(TEXTS):
        with suppress(ValueError):  # one that cannot be printed is no name
            hub = TEXTS[-number].strip()
            app.fallback.register_api(name, operation=served, hub=hub if hub.isprintable() else "")
            NAMES.append(name)
    for number in range(0, len(NAMES) - 8, 8):
        app.fallback.register_route(NAMES[number], apis=tuple(NAMES[number : number + 8]))
    for number, name in enumerate(NAMES):
        for _ in range(12):
            app.monitor.series(name).append(0.05)
        if number % 4 == 0:
            for _ in range(30):
                app.monitor.series(name).failed(0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER, TEXTS[-number], 500)
    for number, text in enumerate(TEXTS[::3]):
        await fail(app, NAMES[number % len(NAMES)], text)
    for number, text in enumerate(NAMES[100:140]):
        app.fallback.force(NAMES[number], "forced_open", reason=text, actor=NAMES[number + 50])
    for number in range(0, 40, 2):
        app.add_channel(NAMES[number], MemoryChannel(script=[Rejected(TEXTS[number], "endpoint", 404, TEXTS[-number])]))
    accounts = app.keeping.accounts
    now = app.clock.time()
    await accounts.add(Account("id-ada", ADMIN, "admin", hashed(), now, now))
    for number, text in enumerate(TEXTS[:60]):
        await accounts.add(Account(f"id-{number}", text[:100], "viewer", hashed(), now, now))
    for number in range(0, len(NAMES), 24):
        await down(app, NAMES[number])
    await app.alerts.evaluate_now()
    await app.monitor.performance_summary()


async def down(app: Any, name: str) -> None:
    """Calls that fail, and so many failed attempts that it is an alert."""
    for number in range(5):
        await fail(app, name, TEXTS[number])
    for number in range(60):
        app.monitor.series(name).failed(0.2, OutcomeClass.PROVIDER, Attribution.PROVIDER, TEXTS[number], 500)


async def served() -> int:
    return 1


async def fail(app: Any, name: str, text: str) -> None:
    """A call that ends in an error with this text."""

    async def failing() -> None:
        raise RuntimeError(text)

    with suppress(UnderstudyError, RuntimeError):
        await app.fallback.execute_with_fallback(name, failing)


def hashed() -> str:
    import argon2

    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def settings() -> Settings:
    """Rules of hostile names with hostile words."""
    rules = [
        Rule(name[:200], metric="success_rate", operator="<", levels=(Level(Severity.CRITICAL, 0.0),), window=60.0,
             description=TEXTS[-number], runbook=TEXTS[number], min_samples=1, labels={"team": TEXTS[number][:100]})
        for number, name in enumerate(each for each in TEXTS if each.isprintable())
        if number < 40
    ]  # fmt: skip
    return dataclasses.replace(Settings(), alerts=AlertOptions(rules={each.name: each for each in rules}))


def clean(page: Page, where: str) -> list[str]:
    """What a page has that no page of ours has."""
    grown = [f"{where}: {each}" for each in evaluate(page, _GROWN)]
    return grown + [f"{where}: not kept apart: {each}" for each in evaluate(page, _TURNED)]


def test_no_name_runs_loads_or_hides_anything_on_any_page(serve, open_page):
    served = serve(settings(), prepare=prepare)
    page = open_page(f"{served.url}/login")
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.on("dialog", lambda each: (page.faults.append(f"dialog {each.message}"), each.dismiss()))
    page.locator("[name=name]").fill(ADMIN)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    expect(page.locator("u-live")).to_have_attribute("data-state", "live")
    found = clean(page, "/")
    acted(served, page)
    for path in paths(served, page):
        answer = page.goto(served.url + path)
        assert answer is not None and answer.status == 200, (path, answer and answer.status)
        found += clean(page, path)
    assert not found, f"{len(found)}:\n" + "\n".join(found[:40])
    found += came(served, page)
    names = all_names(page, served.url)
    assert not found, f"{len(found)}:\n" + "\n".join(found[:40])
    assert sorted(names) == sorted(NAMES)
    assert not [each for each in asked if not each.startswith((served.url, "data:"))]
    assert len(TEXTS) == HOW_MANY and len(NAMES) > 400


def acted(served: Any, page: Page) -> None:
    """Silences, notes and acknowledgements with hostile reasons."""
    send = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    alerts: list[str] = []
    for _ in range(100):
        alerts = served.do(active)
        if len(alerts) > 10:
            break
        page.wait_for_timeout(100)
    assert len(alerts) > 10
    for number, text in enumerate(TEXTS[:480:30]):
        taken = 201 if text.isprintable() else 422
        body = {"matchers": [f"api={json.dumps(NAMES[number], ensure_ascii=False)}"], "for": "1h", "reason": text}
        made = page.request.post(f"{served.url}/api/alerts/silences", data=json.dumps(body), headers=send)
        assert made.status == taken, made.text()
        episode, body = alerts[number % len(alerts)], {"text": text}
        made = page.request.post(f"{served.url}/api/alerts/{episode}/notes", data=json.dumps(body), headers=send)
        assert made.status == taken, made.text()


async def active(app: Any) -> list[str]:
    return [each.episode for each in app.alerts.active()]


def paths(served: Any, page: Page) -> list[str]:
    """One of each kind of page, of names that differ."""
    api = [quote(name, safe="") for name in NAMES]
    calls = page.request.get(f"{served.url}/api/requests?limit=50").json()["requests"]
    pages = ["/", "/routes", "/alerts", "/alerts/history", "/alerts/rules", "/alerts/silences", "/notifications",
             "/notifications/log", "/notifications/dead", "/notifications/policies", "/requests", "/reports",
             "/settings/users", "/settings/audit", "/settings/sessions", "/settings/profile", "/settings/configuration",
             "/settings/system", "/alerts/new-rule", "/apis?group=hub"]  # fmt: skip
    tabs = ((0, ""), (4, "?tab=config"), (8, "?tab=alerts"), (12, "/act/drain"))
    pages += [f"/apis/{api[number]}{more}" for number, more in tabs]
    pages += [f"/routes/{api[8]}", f"/routes/{api[16]}", f"/alerts/rules/{api[5]}", f"/notifications/channels/{api[4]}"]
    pages += [f"/alerts/{each}" for each in served.do(active)[:2]]
    pages += [f"/requests/{each['call_id']}" for each in calls[:2]]
    pages += [f"/apis/compare?api={api[2]}&api={api[20]}", f"/requests?q={quote('err:' + json.dumps(TEXTS[7]))}"]
    return pages


def came(served: Any, page: Page) -> list[str]:
    """What comes while a page is open."""
    found = []
    places = ((54, "/", ".events li"), (58, "/alerts", "tr[data-alert]"))
    for number, path, row in places:
        page.goto(served.url + path)
        expect(page.locator("u-live")).to_have_attribute("data-state", "live")
        assert NAMES[number] in served.do(lambda app, name=NAMES[number]: alarmed(app, name))
        expect(page.locator(row, has_text=NAMES[number]).first).to_be_visible(timeout=20_000)
        found += clean(page, f"{path} live")
    page.goto(f"{served.url}/requests?tail=yes")
    row = page.locator("u-tail tbody tr", has_text=f"lastly {TEXTS[5]}")
    for _ in range(40):
        served.do(lambda app: fail(app, NAMES[190], f"lastly {TEXTS[5]}"))
        if row.count():
            break
        page.wait_for_timeout(250)
    expect(row.first).to_be_visible()
    return found + clean(page, "/requests live")


async def alarmed(app: Any, name: str) -> list[str]:
    await down(app, name)
    app.events.emit(Event("breaker.opened", app.clock.time(), name, NAMES[8]))
    for _ in range(100):
        await app.alerts.evaluate_now()
        alarmed = [each.labels.get("api", "") for each in app.alerts.active()]
        if name in alarmed:
            break
        await app.clock.sleep(0.05)
    return alarmed


def all_names(page: Page, url: str) -> list[str]:
    """The names as the list of APIs shows them, page after page."""
    shown: list[str] = []
    for number in range(1, 12):
        page.goto(f"{url}/apis?sort=name&page={number}")
        cells = evaluate(page, "[...document.querySelectorAll('td.name bdi')].map(each => each.textContent)")
        shown += cells
        assert not evaluate(page, _GROWN)
        if len(cells) < 50:
            break
    return shown
