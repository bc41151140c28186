"""A service in which every page has something to show, and where each page lies in it."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page

from browser.chromium import watched
from browser.served import Served
from flows.signed import PASSWORD, add_accounts
from understudy.app import Understudy
from understudy.cli.simulated import load_sample
from understudy.config import Loaded
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.config.settings import Settings
from understudy.config.status_page import ComponentOptions, NoticeOptions, StatusPageOptions
from understudy.core.errors import UnderstudyError
from understudy.managing import Managing
from understudy.notifications.message import NotificationMessage, Rejected
from understudy.notifications.policy import PolicyOptions
from understudy.storage import StorageOptions
from understudy.testing import MemoryChannel

#: The route and the API that fail, the API that stands in, and the channel that takes nothing: names that bite.
ROUTE, FAILING, STANDBY, DEAF = "<b>bets</b>", '"><img src=x onerror=alert(1)>/%2F', "שלום " + "n" * 60, "<i>deaf</i>"
STATUS_PAGE = StatusPageOptions(
    enabled=True,
    title=f"Example {FAILING}",
    components={"odds": ComponentOptions(f"Odds {FAILING}", apis=("odds_prime",), group=ROUTE)},
    notices={
        "move": NoticeOptions("Moving", FAILING, "maintenance", ("odds",), "2026-12-05T22:00", "2026-12-06T02:00")
    },
)


async def failing() -> str:
    """An API that is out of order, and says so in markup."""
    raise RuntimeError("<script>alert(1)</script>")


async def serving() -> str:
    """One that works."""
    return "served"


def manage(app: Any, simulator: Any) -> None:
    """Let the settings be edited, as in the service that `understudy run` starts."""

    def read(tree: ManagedTree) -> Loaded:
        return load_sample(simulator, [], managed=tree)

    reloader = Reloader(
        read(ManagedTree()), lambda: read(app.managing.tree), lambda new: app.reload(new.settings), print
    )
    app.managing = Managing(
        app, app.keeping.store.documents, lambda: reloader.current, read, reloader.change,
        lambda settings, clock: Understudy.build(settings, clock=clock, seed=1),
    )  # fmt: skip


async def furnish(app: Any, simulator: Any) -> None:
    """Accounts, channels, a route under names that bite, alerts, messages delivered and dead, settings to edit."""
    await add_accounts(app, app.clock.time())
    manage(app, simulator)
    app.add_channel("people", MemoryChannel())
    refused = [Rejected("<script>alert(1)</script>", "message", 403, "<b>no</b>")] * 99
    app.add_channel(DEAF, MemoryChannel(script=refused))
    app.fallback.register_api(FAILING, route=ROUTE, operation=failing, priority=1, hub="<b>hub</b>")
    for _ in range(30):  # until its breaker opens
        with suppress(UnderstudyError, RuntimeError):
            await app.fallback.call(ROUTE)
    await app.alerts.evaluate_now()
    app.fallback.register_api(STANDBY, route=ROUTE, operation=serving, priority=2, hub="<b>hub</b>")
    for _ in range(3):
        await app.fallback.call(ROUTE)
    app.fallback.register_api("closed", route="closed", base_url="http://127.0.0.1:9")
    with suppress(UnderstudyError):
        await app.route("closed").get("/odds")
    await app.notifications.send_notification(NotificationMessage("Deploy", "about ten minutes"))


def furnished(simulator: Any, folder: Path) -> Settings:
    """The settings of that service."""
    chosen = load_sample(simulator, []).settings
    return dataclasses.replace(
        chosen,
        storage=StorageOptions(url=f"sqlite:///{folder}/u.db"),
        status_page=STATUS_PAGE,
        policies={"all": PolicyOptions(channels=("people", DEAF))},
    )


def sign_in(browser: Browser, url: str, name: str = "ada") -> Any:
    """Sign in by the form; gives what a browser keeps of it, for contexts that are signed in from the start."""
    context = browser.new_context()
    page = watched(context.new_page())
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    kept = context.storage_state()
    context.close()
    assert not page.faults, page.faults
    return kept


def places(page: Page, served: Served) -> dict[str, list[str]]:
    """Every page of the service, by the address that the table of all endpoints has for it."""

    def ask(path: str) -> Any:
        answer = page.context.request.get(f"{served.url}{path}")
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()

    alert = ask("/api/alerts")["alerts"][0]["episode"]
    calls = ask("/api/requests?q=outcome:failed%20or%20outcome:fallback")["requests"]
    page.goto(f"{served.url}/setup/start")
    page.locator("#pasted").fill("curl http://127.0.0.1:9/v1/odds -H 'X-Api-Key: k3y-of-the-odds-9f8e7d6c'")
    page.locator("main button.primary").first.click()
    page.wait_for_url("**/setup/start/*")
    draft = page.url.removeprefix(served.url)
    api, route, channel = quote(FAILING, safe=""), quote(ROUTE, safe=""), quote(DEAF, safe="")
    return {
        "/": ["/", "/?last=5m"],
        "/alerts": ["/alerts"],
        "/alerts/history": ["/alerts/history", "/alerts/history?state=resolved&last=24h"],
        "/alerts/new-rule": [f"/alerts/new-rule?kind={kind}" for kind in ("threshold", "event")],
        "/alerts/rules": ["/alerts/rules"],
        "/alerts/rules/{rule}": ["/alerts/rules/api_down"],
        "/alerts/rules/{rule}/versions": ["/alerts/rules/api_down/versions"],
        "/alerts/silences": ["/alerts/silences"],
        "/alerts/{alert}": [f"/alerts/{alert}"],
        "/alerts/{alert}/report": [f"/alerts/{alert}/report"],
        "/api/docs": ["/api/docs"],
        "/apis": ["/apis", "/apis?group=hub", "/apis?q=nothing"],
        "/apis/compare": ["/apis/compare", "/apis/compare?api=fixtures_pro&api=odds_prime"],
        "/apis/{api}": [f"/apis/{api}", *(f"/apis/odds_prime?tab={tab}" for tab in ("checks", "config", "alerts"))],
        "/apis/{api}/act/{act}": [f"/apis/{api}/act/drain"],
        "/login": ["/login"],
        "/notifications": ["/notifications"],
        "/notifications/channels/{channel}": [f"/notifications/channels/{channel}"],
        "/notifications/dead": ["/notifications/dead"],
        "/notifications/log": ["/notifications/log"],
        "/notifications/policies": ["/notifications/policies"],
        "/notifications/simulate": [f"/notifications/simulate?rule=api_down&api={api}"],
        "/reports": ["/reports?when=24h", "/reports?kind=cost&when=24h"],
        "/requests": ["/requests", "/requests?q=route:nothing"],
        "/requests/{call}": [f"/requests/{calls[0]['call_id']}"],
        "/routes": ["/routes"],
        "/routes/{route}": [f"/routes/{route}", "/routes/fixtures?place=fixtures_lite&place=fixtures_pro"],
        "/routes/{route}/act/{act}": [f"/routes/{route}/act/pin?api={quote(STANDBY)}"],
        "/settings/apis": ["/settings/apis"],
        "/settings/apis/new": ["/settings/apis/new"],
        "/settings/apis/entry": ["/settings/apis/entry?name=odds_prime"],
        "/settings/apis/versions": ["/settings/apis/versions?name=odds_prime"],
        "/settings/routes": ["/settings/routes"],
        "/settings/routes/new": ["/settings/routes/new"],
        "/settings/routes/entry": ["/settings/routes/entry?name=odds"],
        "/settings/routes/versions": ["/settings/routes/versions?name=odds"],
        "/settings/channels": ["/settings/channels"],
        "/settings/channels/new": ["/settings/channels/new"],
        "/settings/audit": ["/settings/audit"],
        "/settings/configuration": ["/settings/configuration"],
        "/settings/confirm": ["/settings/confirm"],
        "/settings/profile": ["/settings/profile"],
        "/settings/security": ["/settings/security"],
        "/settings/sessions": ["/settings/sessions"],
        "/settings/system": ["/settings/system"],
        "/settings/tokens": ["/settings/tokens"],
        "/settings/upkeep": ["/settings/upkeep"],
        "/settings/users": ["/settings/users"],
        "/settings/users/{account}": ["/settings/users/id-viewer"],
        "/setup/channel": ["/setup/channel", "/setup/channel?kind=email"],
        "/setup/done": [f"/setup/done?api={api}"],
        "/setup/route": [f"/setup/route?api={api}"],
        "/setup/start": ["/setup/start"],
        "/setup/start/{draft}": [draft],
        "/status": ["/status", "/status?q=nothing"],
    }


#: What answers a browser but is no page of its own: parts of pages, files, other formats, ways to somewhere else.
NO_PAGES = {
    "/act/{token}", "/admin/config", "/alerts/rows", "/api", "/apis/{api}/charts", "/apis/{api}/report", "/health",
    "/live", "/live/snapshot", "/overview/charts", "/overview/now", "/palette", "/routes/{route}/now", "/settings",
    "/settings/audit/export", "/static/{file}", "/status/badges/{badge}", "/status/{file}",
    # Of channels and of what was kept here nothing is in the sample: tests/browser/test_edit_pages.py reads these.
    "/settings/apis/delete", "/settings/routes/delete", "/settings/channels/delete", "/settings/channels/entry",
    "/settings/channels/versions",
}  # fmt: skip
