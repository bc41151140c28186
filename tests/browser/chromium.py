"""Chromium as the tests use it: how it is started, how its pages are watched, and what axe says of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
#: WCAG 2.0 to 2.2, levels A and AA, and what axe calls best practice.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_TELL = (
    "addEventListener('securitypolicyviolation', told => "
    "console.error(`CSP: ${told.violatedDirective} ${told.blockedURI}`))"
)


def chromium() -> str:
    """The installed Chromium; tools/setup_test_system.sh sees to it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium on PATH: run tools/setup_test_system.sh"
    return found


def watched(page: Page) -> Page:
    """Collect what goes wrong on a page in its list `faults`. Who expects a fault takes it out: `expected`."""
    page.faults = []
    page.set_default_timeout(10_000)
    page.add_init_script(_TELL)
    page.on("console", lambda told: page.faults.append(f"{page.url}: {told.text}") if told.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(f"{page.url}: {error}"))
    return page


def expected(page: Page, part: str) -> None:
    """The page has told of a fault whose text holds `part`; it no longer counts."""
    found = [each for each in page.faults if part in each]
    assert found, f"nothing of {part!r} among {page.faults}"
    page.faults = [each for each in page.faults if part not in each]


def evaluate(page: Page, script: str) -> Any:
    """The value of an expression on the page. The page's own policy forbids `eval`, which Playwright would use."""
    session = page.context.new_cdp_session(page)
    try:
        told = session.send("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
    finally:
        session.detach()
    assert "exceptionDetails" not in told, told["exceptionDetails"]
    return told["result"].get("value")


def axe(page: Page) -> list[str]:
    """What axe finds on a page: each rule that is violated, with the elements that do so. Empty when all is well."""
    return audit(page)


#: What repeats what stands before it: further rows of a table, further endpoints of the description of the API.
_REPEATED = ["tbody > tr:nth-child(n+21)", "details.api-one:nth-of-type(n+4)"]
#: The rules whose outcome can differ between a light and a dark page.
_COLOURS = ["color-contrast", "link-in-text-block"]


def audit(page: Page, colours: bool = False) -> list[str]:
    """As `axe`; with `colours`, by the rules alone that have to do with them."""
    if not evaluate(page, "typeof axe == 'object'"):
        evaluate(page, _AXE.read_text("utf-8") + ";0")
    chosen = f"{{type: 'rule', values: {_COLOURS}}}" if colours else str(_RULES)
    # Nothing is loaded from elsewhere, so axe need not look for it: that takes longer than all the rest.
    rules = f"{{runOnly: {chosen}, resultTypes: ['violations'], preload: false}}"
    found = evaluate(
        page,
        f"axe.run({{exclude: {_REPEATED}}}, {rules}).then(all => all.violations.map(each => "
        "`${each.id} (${each.impact}): ` + "
        "each.nodes.map(node => `${node.target.join(' ')} — ${node.failureSummary}`).join('; ')))",
    )
    return list(found)
