"""Each fault, seen from the wire by clients that know nothing of a simulator."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from understudy.core.errors import OptionError, UnknownName
from understudy.simulator import CA_FILE, HUB, Fault, Scenario, Simulator, SimulatorThread
from understudy.simulator.scenarios import Event
from understudy.testing.clock import FakeClock

API = "predictions_stats"
#: Longest wait for something that must come at once, and the wait that shows silence; seconds.
SOON, SILENCE = 5.0, 0.15


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(latency_scale=0) as simulator:
        yield simulator


class Wire:
    """A raw connection to one API."""

    def __init__(self, sim: Simulator, api: str = API) -> None:
        self.url = urlsplit(sim.base_urls[api])
        self.key = sim.keys[api][0]

    async def __aenter__(self) -> Wire:
        self.reader, self.writer = await asyncio.open_connection(self.url.hostname, self.url.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def ask(self, path: str = "/predictions", method: str = "GET") -> None:
        self.writer.write(
            f"{method} {self.url.path}{path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {self.key}\r\n\r\n".encode()
        )

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(SOON):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        return int(lines[0].split(" ")[1]), headers

    async def rest(self) -> bytes:
        async with asyncio.timeout(SOON):
            return await self.reader.read()

    async def whole(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        return status, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def is_silent(self) -> bool:
        try:
            async with asyncio.timeout(SILENCE):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        return False


def signed(sim: Simulator, api: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query that carry the key in this API's way."""
    key = sim.keys[api][0]
    host = urlsplit(sim.base_urls[api]).netloc
    return {
        "fixtures_lite": ({"Authorization": f"Bearer {key}"}, {}),
        "odds_open": ({}, {"apiKey": key}),
        "predictions_stats": ({"X-Auth-Token": key}, {}),
    }.get(api, ({"X-RapidAPI-Key": key, "X-RapidAPI-Host": host}, {}))


async def test_each_api_answers_its_own_key_scheme_and_refuses_without(sim: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        for api, base in sim.base_urls.items():
            headers, query = signed(sim, api)
            path = base + {"f": "/fixtures", "o": "/odds", "p": "/predictions"}[api[0]]
            async with session.get(path, headers=headers, params={**query, "round": "3"}) as answer:
                assert answer.status == 200, api
                assert await answer.json()
            host_only = {name: value for name, value in headers.items() if name == "X-RapidAPI-Host"}
            async with session.get(path, headers=host_only) as answer:
                assert answer.status == 401, api
            async with session.get(base + "/status") as answer:
                assert answer.status == 200, api
            assert (sim.requests(api), sim.probes(api)) == (2, 1)
            assert not any(key in seen.path for seen in sim.log(api) for key in sim.keys[api])


async def test_the_hub_checks_its_host_header(sim: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"X-RapidAPI-Key": sim.keys["odds_prime"][0], "X-RapidAPI-Host": "elsewhere"}
        async with session.get(sim.base_urls["odds_prime"] + "/odds", headers=headers) as answer:
            assert answer.status == 404
            assert "X-RapidAPI-Proxy-Response" not in answer.headers


async def test_one_seed_gives_the_same_answers_and_keys(sim: Simulator) -> None:
    async with Simulator(latency_scale=0) as other, Wire(sim) as one, Wire(other) as two:
        assert sim.keys == other.keys
        one.ask()
        two.ask()
        assert (await one.whole())[2] == (await two.whole())[2]


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (Fault("status", status=502), 502, "simulated status 502"),
        (Fault("quota_end"), 429, "exceeded the MONTHLY quota"),
        (Fault("rate_limit"), 429, "Too many requests"),
        (Fault("wrong_key"), 401, "Invalid API key"),
        (Fault("not_subscribed"), 403, "not subscribed"),
        (Fault("error_envelope"), 200, '"state":"error"'),
    ],
)
async def test_an_answer_fault_changes_status_and_body(sim: Simulator, fault: Fault, status: int, text: str) -> None:
    sim.inject(API, fault)
    async with Wire(sim) as wire:
        wire.ask()
        seen, _, body = await wire.whole()
        assert seen == status and text in json.dumps(json.loads(body), separators=(",", ":"))
        sim.clear(API)
        wire.ask()
        assert (await wire.whole())[0] == 200
    assert [entry.status for entry in sim.log(API)] == [status, 200]


async def test_the_end_of_a_quota_is_told_by_remaining_zero_and_for_one_key_if_so_wished(sim: Simulator) -> None:
    sim.inject(API, Fault("quota_end", key="key1"))
    async with Wire(sim) as wire:
        wire.ask()
        assert (await wire.whole())[1]["ratelimit-remaining"] == "0"
        wire.key = sim.keys[API][1]
        wire.ask()
        assert (await wire.whole())[0] == 200


async def test_a_rate_limit_tells_its_wait(sim: Simulator) -> None:
    sim.inject(API, Fault("rate_limit", after=7, form="seconds"))
    async with Wire(sim) as wire:
        wire.ask()
        assert (await wire.whole())[1]["retry-after"] == "7"


async def test_bodies_that_cannot_be_decoded(sim: Simulator) -> None:
    async with Wire(sim) as wire:
        sim.inject(API, Fault("invalid_json"))
        wire.ask()
        with pytest.raises(json.JSONDecodeError):
            json.loads((await wire.whole())[2])
        sim.inject(API, Fault("invalid_utf8"))
        wire.ask()
        with pytest.raises(UnicodeDecodeError):
            (await wire.whole())[2].decode()
        sim.inject(API, Fault("empty"))
        wire.ask()
        assert (await wire.whole())[::2] == (200, b"")


async def test_a_redirect_names_another_host(sim: Simulator) -> None:
    sim.inject(API, Fault("redirect", location="http://elsewhere.invalid/"))
    async with Wire(sim) as wire:
        wire.ask()
        status, headers, _ = await wire.whole()
        assert (status, headers["location"]) == (302, "http://elsewhere.invalid/")


async def test_a_hub_failure_strikes_all_apis_behind_the_hub_with_its_marker(sim: Simulator) -> None:
    sim.inject(HUB, Fault("hub_failure"))
    struck = []
    async with aiohttp.ClientSession() as session:
        for api, base in sim.base_urls.items():
            async with session.get(base + "/status") as answer:
                if answer.status == 503:
                    assert answer.headers["X-RapidAPI-Proxy-Response"] == "true"
                    struck.append(api)
    assert struck == ["fixtures_pro", "fixtures_world", "odds_prime", "predictions_ai"]
    with pytest.raises(OptionError, match="behind the hub"):
        sim.inject(API, Fault("hub_failure"))


async def test_a_refused_port_refuses_and_comes_back_under_its_number(sim: Simulator) -> None:
    async with Wire(sim) as wire:
        wire.ask()
        await wire.whole()
        sim.inject(API, Fault("refuse"))
        with pytest.raises(ConnectionResetError):
            await wire.rest()
    with pytest.raises(ConnectionRefusedError):
        async with Wire(sim):
            pass
    sim.clear(API)
    async with Wire(sim) as wire:
        wire.ask()
        assert (await wire.whole())[0] == 200


async def test_a_black_hole_lets_connecting_hang_and_open_connections_fall_silent(sim: Simulator) -> None:
    async with Wire(sim) as kept:
        kept.ask()
        await kept.whole()
        sim.inject(API, Fault("blackhole"))
        assert sim.state()["apis"][API]["notes"] == []
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SILENCE), Wire(sim):
                    pass
        kept.ask()
        assert await kept.is_silent()
    sim.clear(API)
    async with asyncio.timeout(SOON), Wire(sim) as wire:
        wire.ask()
        assert (await wire.whole())[0] == 200
    assert sim.requests(API) == 2


@pytest.mark.parametrize(("mode", "says"), [
    ("expired", "expired"), ("self_signed", "self-signed|self signed"), ("wrong_host", "mismatch"),
    ("handshake", "Cannot connect"),
])  # fmt: skip
async def test_a_tls_fault_breaks_the_handshake_in_its_way(sim: Simulator, mode: str, says: str) -> None:
    context = ssl.create_default_context(cafile=str(CA_FILE))
    url = sim.tls_urls[API] + "/status"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.get(url) as answer:
            assert answer.status == 200
        sim.inject(API, Fault("tls", mode=mode))
        with pytest.raises(aiohttp.ClientConnectorError, match=says):
            async with asyncio.timeout(SOON):
                await session.get(url)
        async with Wire(sim) as wire:
            wire.ask()
            assert (await wire.rest())[:1] == b"\x15"
        sim.clear(API)
        async with session.get(url) as answer:
            assert answer.status == 200


async def test_a_hang_reads_and_falls_silent_at_its_stage(sim: Simulator) -> None:
    for stage, status in (("before_headers", None), ("after_headers", 200), ("mid_body", 200)):
        sim.inject(API, Fault("hang", stage=stage))
        async with Wire(sim) as wire:
            wire.ask()
            if status:
                _, headers = await wire.head()
                if stage == "mid_body":
                    await wire.reader.readexactly(int(headers["content-length"]) // 2)
            assert await wire.is_silent()
    assert sim.requests(API) == 3


async def test_a_reset_comes_before_the_headers_or_in_the_body(sim: Simulator) -> None:
    sim.inject(API, Fault("reset"))
    async with Wire(sim) as wire:
        wire.ask()
        with pytest.raises(ConnectionResetError):
            await wire.rest()
    sim.inject(API, Fault("reset", stage="mid_body"))
    async with Wire(sim) as wire:
        wire.ask()
        assert (await wire.head())[0] == 200
        with pytest.raises(ConnectionResetError):
            await wire.rest()
    assert [seen.status for seen in sim.log(API)] == [None, 200]


async def test_a_half_close_ends_their_side_only(sim: Simulator) -> None:
    sim.inject(API, Fault("half_close"))
    async with Wire(sim) as wire:
        wire.ask()
        assert await wire.rest() == b""
        wire.ask()  # still taken: no reset comes back
        await asyncio.sleep(0)
        assert not wire.writer.is_closing()


async def test_a_kept_connection_is_closed_when_it_is_reused_and_only_then(sim: Simulator) -> None:
    sim.inject(API, Fault("close_idle"))
    async with Wire(sim) as wire:
        wire.ask()
        assert (await wire.whole())[0] == 200
        assert await wire.is_silent()
        wire.ask()
        assert await wire.rest() == b""
    assert sim.requests(API) == 2


async def test_a_connection_is_closed_after_that_many_bytes(sim: Simulator) -> None:
    sim.inject(API, Fault("close_after", bytes=40))
    async with Wire(sim) as wire:
        wire.ask()
        assert len(await wire.rest()) == 40


async def test_a_truncated_body_ends_before_its_length(sim: Simulator) -> None:
    sim.inject(API, Fault("truncated"))
    async with Wire(sim) as wire:
        wire.ask()
        _, headers = await wire.head()
        assert len(await wire.rest()) == int(headers["content-length"]) // 2


@pytest.mark.parametrize("segment", ["same", "later"])
async def test_a_bad_chunk_size_follows_a_good_chunk_and_the_connection_stays_open(
    sim: Simulator, segment: str
) -> None:
    sim.inject(API, Fault("bad_chunk", segment=segment))
    async with Wire(sim) as wire:
        wire.ask()
        _, headers = await wire.head()
        assert headers["transfer-encoding"] == "chunked"
        size = int(await wire.reader.readuntil(b"\r\n"), 16)
        await wire.reader.readexactly(size + 2)
        assert await wire.reader.readuntil(b"\r\n") == b"zz\r\n"
        await wire.reader.readuntil(b"\r\n0\r\n\r\n")
        assert await wire.is_silent()


async def test_a_body_without_length_is_whole_and_ended_by_closing(sim: Simulator) -> None:
    sim.inject(API, Fault("no_length"))
    async with Wire(sim) as wire:
        wire.ask()
        _, headers = await wire.head()
        assert "content-length" not in headers
        assert json.loads(await wire.rest())["state"] == "ok"


async def test_slow_ways_deliver_the_whole_answer_and_keep_the_connection(sim: Simulator) -> None:
    for fault in (Fault("sliced"), Fault("bandwidth", bytes_per_second=20_000), Fault("drip", interval=0)):
        sim.inject(API, fault)
        async with Wire(sim) as wire:
            for _ in range(2):
                wire.ask("/predictions?game=1")
                _, _, body = await wire.whole()
                assert json.loads(body)["state"] == "ok"
        sim.clear()


async def test_hostile_floods_stop_when_the_client_leaves(sim: Simulator) -> None:
    for kind in ("endless_headers", "huge_body", "gzip_bomb"):
        sim.inject(API, Fault(kind))
        async with Wire(sim) as wire:
            wire.ask()
            await wire.reader.readexactly(20_000)
        sim.clear()
    async with asyncio.timeout(SOON):
        while sim.state()["apis"][API]["in_flight"]:
            await asyncio.sleep(0.01)


async def test_a_head_request_gets_headers_only_and_the_connection_goes_on(sim: Simulator) -> None:
    async with Wire(sim) as wire:
        wire.ask(method="HEAD")
        status, headers = await wire.head()
        assert status == 200 and int(headers["content-length"]) > 0
        wire.ask()
        assert (await wire.whole())[0] == 200


async def test_latency_and_scheduled_faults_follow_the_clock() -> None:
    clock = FakeClock(auto=False)
    async with Simulator(clock=clock, latency_scale=0) as sim:
        sim.play(Scenario("s", "", (Event(10, 5, API, Fault("status")), Event(20, 5, "*", Fault("empty")))))
        active = []
        for _ in range(6):
            active.append([fault["fault"] for fault in sim.state()["apis"][API]["faults"]])
            await clock.advance(5)
        assert active == [[], [], ["status"], [], ["empty"], []]
        sim.inject(API, Fault("latency", seconds=3), for_seconds=60)
        async with Wire(sim) as wire:
            wire.ask()
            while sim.state()["apis"][API]["in_flight"] == 0:
                await asyncio.sleep(0.001)
            await clock.advance(2.9)
            assert await wire.is_silent()
            await clock.advance(0.2)
            assert (await wire.whole())[0] == 200


async def test_an_unknown_api_is_told_with_its_nearest_name(sim: Simulator) -> None:
    with pytest.raises(UnknownName, match="did you mean 'odds_prime'"):
        sim.inject("odds_prim", Fault("refuse"))


async def test_the_control_port_injects_shows_and_clears(sim: Simulator) -> None:
    faults = sim.control_url + "/control/faults"
    async with aiohttp.ClientSession() as session:
        wish = {"api": API, "fault": "status", "params": {"status": 502}, "for": 30}
        async with session.post(faults, json=wish) as answer:
            assert answer.status == 201
        async with session.get(sim.control_url + "/control/state") as answer:
            state = await answer.json()
            assert state["apis"][API]["faults"][0]["params"]["status"] == 502
            assert not any(key in json.dumps(state) for keys in sim.keys.values() for key in keys)
        async with session.delete(faults, params={"api": API}) as answer:
            assert (await answer.json())["apis"][API]["faults"] == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"fault": "stutus"}, "did you mean 'status'"),
        ({"fault": "status", "params": {"status": "x"}}, "a number"),
        ({"fault": "status", "for": -1}, "more than 0"),
        ({"fault": "status", "api": "nope"}, "no simulated API"),
        ({"fault": "status", "share": "x"}, "from 0 to 1"),
        ([], "expected an object"),
    ],
)
async def test_the_control_port_says_what_is_wrong_with_a_wish(sim: Simulator, sent: object, says: str) -> None:
    url = sim.control_url + "/control/faults"
    async with aiohttp.ClientSession() as session, session.post(url, json=sent) as answer:
        assert answer.status == 400
        assert says in (await answer.json())["error"]


async def test_the_control_port_refuses_a_page_of_another_host(sim: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(sim.control_url + "/control/state", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(sim.control_url + "/control/faults", data='{"fault": "status"}') as answer:
            assert answer.status == 400


async def test_stopping_leaves_no_task_and_no_port_behind() -> None:
    before = asyncio.all_tasks()
    sim = Simulator(latency_scale=0)
    await sim.start()
    ports = [urlsplit(url).port for url in (*sim.base_urls.values(), *sim.tls_urls.values(), sim.control_url)]
    sim.inject("*", Fault("hang"), for_seconds=1000)
    async with Wire(sim) as waiting, Wire(sim, "fixtures_lite"):
        waiting.ask()
        assert await waiting.is_silent()
        sim.inject("odds_open", Fault("blackhole"))
        sim.inject("odds_prime", Fault("refuse"))
        await sim.stop()
        assert asyncio.all_tasks() == before
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await waiting.reader.readexactly(1)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_taken_port_is_an_oserror_and_leaves_nothing_open() -> None:
    async with Simulator(apis=["odds_open"], port_base=0) as sim:
        port = urlsplit(sim.base_urls["odds_open"]).port
        assert port is not None
        other = Simulator(apis=["odds_open"], port_base=port - 4)
        with pytest.raises(OSError, match="in use"):
            await other.start()


def test_the_thread_form_serves_blocking_callers() -> None:
    with SimulatorThread(seed=3, latency_scale=0) as sim:
        sim.inject(API, Fault("status", status=500))
        url = urlsplit(sim.base_urls[API])
        assert url.hostname is not None
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=SOON)
        connection.request("GET", url.path + "/predictions", headers={"X-Auth-Token": sim.keys[API][0]})
        assert connection.getresponse().status == 500
        connection.close()
        assert sim.requests(API) == 1
        assert sim.log(API)[0].key == "key1"
