"""The live streams, driven as a server drives them: what is told, when, to whom, and what ends them."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
from urllib.parse import urlencode

import pytest

from understudy.app import Understudy
from understudy.config.settings import Settings
from understudy.core.events import Event
from understudy.storage import StorageOptions
from understudy.testing import FakeClock
from understudy.web.asgi import Service
from understudy.web.live import hub as hubs
from understudy.web.live import viewer as viewers
from understudy.web.live.hub import hub_of
from understudy.web.middleware import Limit


async def good():
    return 1


@pytest.fixture
async def app():
    clock = FakeClock()
    settings = dataclasses.replace(Settings(), storage=StorageOptions(url="memory:"))
    async with Understudy.build(settings, clock=clock, seed=1, keep=True) as app:
        app.fallback.register_api("lead, with a comma", route="odds", operation=good)
        app.fallback.register_api("spare", route="odds", operation=good)
        yield app
        hub_of(app).close()


class Browser:
    """One connection to the service that listens."""

    def __init__(self, app, path="/live", headers=(), **query):
        self.app, self.sent, self.left = app, [], asyncio.Event()
        self.blocked: asyncio.Event | None = None
        self.scope = {
            "type": "http", "method": "GET", "path": path, "query_string": urlencode(query).encode(),
            "headers": [(b"host", b"127.0.0.1"), *headers], "client": ("127.0.0.1", 50000),
        }  # fmt: skip
        self.task = asyncio.ensure_future(
            Service(app, limit=Limit(FakeClock(), burst=10_000))(self.scope, self.receive, self.send)
        )

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if self.blocked is not None:
            await self.blocked.wait()
        self.sent.append(message)

    async def leave(self):
        self.left.set()
        await asyncio.wait_for(self.task, 5)

    @property
    def text(self):
        return b"".join(each.get("body", b"") for each in self.sent[1:]).decode()

    @property
    def told(self):
        """The messages as (id, content)."""
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "data" in lines and "event" not in lines:
                found.append((lines.get("id", ""), json.loads(lines["data"])))
        return found

    def of(self, topic):
        return [content for _, content in self.told if content.get("t") == topic]

    @property
    def key(self):
        return json.loads(self.text.split("event: hello\ndata: ")[1].split("\n")[0])["stream"]


async def turns(count=60):
    for _ in range(count):
        await asyncio.sleep(0)


async def listen(app, *topics, **more):
    browser = Browser(app, topics=json.dumps(topics), **more)
    await turns()
    return browser


async def after(app, seconds):
    await app.clock.advance(seconds)
    await turns()


async def test_everything_is_told_first_and_then_only_what_changes(app):
    name = "lead, with a comma"
    topic = "rows:lead%2C%20with%20a%20comma,spare,unknown"
    browser = await listen(app, topic)
    await after(app, 1.1)
    (first,) = browser.of(topic)
    assert first["i"] == 1 and set(first["d"]) == {name, "spare"}
    await after(app, 3.0)
    assert len(browser.of(topic)) == 1  # nothing has changed: only signs of life
    app.monitor.record_request_success(name, 0.2)
    app.monitor.drain()
    await after(app, 1.1)
    _, second = browser.of(topic)
    assert set(second["d"]) == {name} and "i" not in second and second["d"][name]["requests"] == 1
    await browser.leave()


async def test_a_switch_is_told_within_a_quarter_of_a_second_and_a_storm_of_them_a_few_times_a_second(app):
    browser = await listen(app, "events")
    await after(app, 1.1)
    before = len(browser.of("events"))
    for number in range(500):
        app.events.emit(Event("breaker.opened", app.clock.time(), "spare", "odds", {"number": number}))
    await after(app, 0.24)
    told = browser.of("events")[before:]
    assert sum(len(each["f"]) for each in told) == 50
    assert told[-1]["s"] == 450  # people cannot read more: the rest is counted
    assert len(told) <= 2
    await browser.leave()


async def test_who_comes_back_goes_on_where_it_was_and_after_a_minute_begins_anew(app):
    browser = await listen(app, "events", "overview")
    await after(app, 1.1)
    last = browser.told[-1][0] or next(each for each, _ in reversed(browser.told) if each)
    await browser.leave()
    app.events.emit(Event("breaker.opened", app.clock.time(), "spare", "odds"))
    await after(app, 2.0)
    again = await listen(app, "events", "overview", after=last)
    await after(app, 0.1)
    (missed,) = again.of("events")
    assert "i" not in missed and [each["kind"] for each in missed["f"]] == ["breaker.opened"]
    assert all("i" not in each for each in again.of("overview"))
    await again.leave()
    await after(app, 70.0)
    late = await listen(app, "events", "overview", after=last)
    await after(app, 1.1)
    assert late.of("events")[0]["i"] == 1 and late.of("overview")[0]["i"] == 1
    await late.leave()


async def test_everybody_is_sent_the_same_bytes_and_nothing_is_looked_at_while_nobody_listens(app, monkeypatch):
    looks = []

    async def look(app, argument):
        looks.append(argument)
        return {"number": len(looks)}

    kind = dataclasses.replace(hubs.kind_of("overview")[0], look=look)
    monkeypatch.setitem(__import__("understudy.web.live.topics", fromlist=["KINDS"]).KINDS, "overview", kind)
    browsers = [await listen(app, "overview") for _ in range(20)]
    await after(app, 3.05)
    assert len(looks) in (3, 4)
    frames = [{id(part) for part in each.text.split("\n\n")} for each in browsers]
    assert len(frames) == 20
    assert len({each.text.split("hello")[1].split("\n", 2)[2] for each in browsers}) == 1
    for each in browsers:
        await each.leave()
    seen = len(looks)
    await after(app, 90.0)
    assert len(looks) == seen
    assert hub_of(app).viewers == {} and hub_of(app)._topics == {}


async def test_a_browser_that_takes_nothing_holds_little_and_is_sent_everything_anew(app, monkeypatch):
    monkeypatch.setattr(viewers, "MOST_WAITING", 2000)
    slow = await listen(app, "overview", "events")
    await after(app, 1.1)
    slow.blocked = asyncio.Event()
    for number in range(60):
        app.monitor.record_request_success("spare", 0.1)
        app.monitor.drain()
        app.events.emit(Event("breaker.opened", app.clock.time(), "spare", detail={"number": number}))
        await after(app, 1.0)
    (viewer,) = hub_of(app).viewers.values()
    assert viewer.lost
    seen = len(slow.of("overview"))
    slow.blocked.set()
    await turns()
    fresh = slow.of("overview")[seen:]
    assert fresh[-1]["i"] == 1 and fresh[-1]["d"]["requests"] == 60
    await slow.leave()


async def test_topics_are_changed_while_the_stream_is_open_and_only_by_whom_it_belongs_to(app):
    browser = await listen(app, "overview")
    await after(app, 1.1)

    async def ask(key, topics):
        body = json.dumps({"topics": topics}).encode()
        sent = []
        scope = {
            **browser.scope, "method": "POST", "path": f"/live/{key}/topics", "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        }  # fmt: skip

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await Service(app)(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(each.get("body", b"") for each in sent[1:]))

    status, answer = await ask(browser.key, ["system", "nonsense", "rows:"])
    assert status == 200 and answer["topics"] == ["system"]
    assert [each["topic"] for each in answer["refused"]] == ["nonsense", "rows:"]
    before = len(browser.of("overview"))
    await after(app, 4.1)
    assert browser.of("system") and len(browser.of("overview")) == before
    assert (await ask("guessed", ["overview"]))[0] == 404
    assert (await ask(browser.key, ["overview"] * 10_000))[0] == 422
    assert (await ask(browser.key, "overview"))[0] == 422
    await browser.leave()
    assert (await ask(browser.key, ["overview"]))[0] == 404


async def test_a_fault_of_one_topic_is_told_and_harms_no_other(app, monkeypatch, caplog):
    async def look(app, argument):
        raise RuntimeError("no")

    kind = dataclasses.replace(hubs.kind_of("system")[0], look=look)
    monkeypatch.setitem(__import__("understudy.web.live.topics", fromlist=["KINDS"]).KINDS, "system", kind)
    browser = await listen(app, "system", "overview")
    await after(app, 5.0)
    assert browser.of("overview") and all(each["x"] == 1 for each in browser.of("system"))
    assert sum("cannot be read" in each.message for each in caplog.records) == 1
    await browser.leave()


async def test_who_cannot_listen_asks_and_is_told_what_was_missed(app):
    async def asked(**query):
        browser = Browser(app, "/live/snapshot", topics=json.dumps(["overview", "events"]), **query)
        await asyncio.wait_for(browser.task, 5)
        return json.loads(b"".join(each.get("body", b"") for each in browser.sent[1:]))

    first = await asked()
    assert {each["t"]: each["i"] for each in first["messages"]} == {"overview": 1, "events": 1}
    app.events.emit(Event("breaker.opened", app.clock.time(), "spare"))
    await after(app, 5.0)
    second = await asked(after=first["id"])
    (event,) = [each for each in second["messages"] if each["t"] == "events"]
    assert event["f"][0]["kind"] == "breaker.opened" and "i" not in event


@pytest.mark.parametrize(
    "headers",
    [[(b"sec-fetch-site", b"cross-site")], [(b"sec-fetch-site", b"same-site")], [(b"origin", b"https://evil.example")]],
)
async def test_pages_of_other_sites_open_no_stream(app, headers):
    browser = Browser(app, headers=headers, topics='["overview"]')
    await asyncio.wait_for(browser.task, 5)
    assert browser.sent[0]["status"] == 403
    assert not hub_of(app).viewers


async def test_streams_are_counted_and_one_too_many_is_told_to_ask_instead(app, monkeypatch):
    monkeypatch.setattr(hubs, "OF_ALL", 2)
    browsers = [await listen(app, "overview") for _ in range(3)]
    assert [each.sent[0]["status"] for each in browsers] == [200, 200, 429]
    assert b"/live/snapshot" in browsers[2].sent[1]["body"]
    for each in browsers:
        await each.leave()


async def test_ten_thousand_that_come_and_go_leave_nothing_behind(app):
    hub = hub_of(app)
    tasks = len(asyncio.all_tasks())
    for _ in range(10_000 // 50):
        browsers = [Browser(app, topics='["overview","events"]') for _ in range(50)]
        await turns(5)
        for each in browsers:
            await each.leave()
    assert hub.viewers == {} and len(hub._topics) == 2
    await after(app, 90.0)
    assert hub._topics == {} and len(asyncio.all_tasks()) <= tasks
    gc.collect()
    assert sum(isinstance(each, viewers.Viewer) for each in gc.get_objects()) == 0


async def test_all_streams_end_at_once_when_the_service_stops_and_say_why(app):
    browsers = [await listen(app, "overview") for _ in range(3)]
    hub_of(app).close()
    for each in browsers:
        await asyncio.wait_for(each.task, 1)
        assert each.text.endswith('event: bye\ndata: {"why":"the service stops"}\n\n')
