"""What the simulator does with clients that behave badly, and with people who use it wrongly."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from understudy.core.errors import OptionError, UnknownName
from understudy.simulator import HUB, Fault, Scenario, Simulator, SimulatorThread
from understudy.simulator.connection import READ_LIMIT
from understudy.simulator.scenarios import Event
from understudy.testing.clock import FakeClock

API = "predictions_stats"
SOON, SILENCE = 5.0, 0.15


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(latency_scale=0) as simulator:
        yield simulator


def asking(sim: Simulator, path: str = "/predictions?game=1", *more: str) -> bytes:
    url = urlsplit(sim.base_urls[API])
    lines = [f"GET {url.path}{path} HTTP/1.1", "Host: x", f"X-Auth-Token: {sim.keys[API][0]}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def told(url: str, sent: bytes) -> bytes:
    """All that comes back until the other side closes."""
    reader, writer = await connect(url)
    async with asyncio.timeout(SOON):
        writer.write(sent)
        got = await reader.read()
    writer.close()
    return got


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(SOON):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split(" ")[1]), headers, body


async def is_silent(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(SILENCE):
            await reader.readexactly(1)
    except TimeoutError:
        return True
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    return False


POST = b"POST / HTTP/1.1\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("port", ["api", "control"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01garbage\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET //[ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
        (POST + b"Content-Length: x\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 1_0\r\n\r\n", 400),
        (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
        (POST + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n", 413),
        (CHUNKED + b"zz\r\n", 400),
        (CHUNKED + b"fffffffff\r\n", 413),
        (CHUNKED + b"1" * 200_000, 431),
        (CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000, 431),
    ],
    ids=range(17),
)
async def test_what_is_no_request_is_refused_in_words_and_closed_in_order(
    sim: Simulator, port: str, sent: bytes, status: int
) -> None:
    """In order: a reset could overtake the refusal, and the client would never read it."""
    got = await told(sim.base_urls[API] if port == "api" else sim.control_url, sent)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Length: {len(body)}".encode() in head
    assert body
    assert b"Connection: close" in head
    reader, writer = await connect(sim.base_urls[API])
    writer.write(asking(sim))
    assert (await answer(reader))[0] == 200
    writer.close()


async def test_requests_that_come_together_are_answered_one_by_one_and_in_order(sim: Simulator) -> None:
    reader, writer = await connect(sim.base_urls[API])
    writer.write(b"\r\n" + b"".join(asking(sim, f"/predictions?game={number}") for number in (3, 1, 2)))
    games = [json.loads((await answer(reader))[2])["forecasts"][0]["game"]["no"] for _ in range(3)]
    assert games == [3, 1, 2]
    writer.close()


async def test_a_client_that_waits_for_it_is_told_to_go_on(sim: Simulator) -> None:
    reader, writer = await connect(sim.base_urls[API])
    request = asking(sim, "/predictions?game=1", "Expect: 100-continue", "Content-Length: 5")
    writer.write(request.replace(b"GET", b"POST", 1))
    async with asyncio.timeout(SOON):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert (await answer(reader))[0] == 200
    writer.close()


async def test_a_request_that_never_ends_loses_its_connection_and_a_resting_one_does_not() -> None:
    clock = FakeClock(auto=False)
    async with Simulator(clock=clock, latency_scale=0) as sim:
        slow, slow_writer = await connect(sim.base_urls[API])
        resting, resting_writer = await connect(sim.base_urls[API])
        slow_writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        resting_writer.write(asking(sim))
        assert (await answer(resting))[0] == 200
        for _ in range(5):
            assert await is_silent(slow)
            await clock.advance(READ_LIMIT / 5)
            slow_writer.write(b"a")
        async with asyncio.timeout(SOON):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await slow.readexactly(1)
        await clock.advance(10 * READ_LIMIT)
        resting_writer.write(asking(sim))
        assert (await answer(resting))[0] == 200
        for writer in (slow_writer, resting_writer):
            writer.transport.abort()


async def test_many_slow_clients_keep_nobody_else_waiting(sim: Simulator) -> None:
    slow = [await connect(sim.base_urls[API]) for _ in range(150)]
    for _, writer in slow:
        writer.write(b"GET / HT")
    for _ in range(20):
        reader, writer = await connect(sim.base_urls[API])
        writer.write(asking(sim))
        assert (await answer(reader))[0] == 200
        writer.close()
    for _, writer in slow:
        writer.transport.abort()


@pytest.mark.parametrize(
    "fault", [Fault("latency", seconds=1000), Fault("hang"), Fault("drip", interval=1000)], ids=lambda fault: fault.kind
)
async def test_a_client_that_hangs_up_frees_its_connection_however_long_the_fault_would_last(
    sim: Simulator, fault: Fault
) -> None:
    sim.inject(API, fault)
    for _ in range(5):
        _, writer = await connect(sim.base_urls[API])
        writer.write(asking(sim))
        async with asyncio.timeout(SOON):
            while sim.state()["apis"][API]["in_flight"] == 0:
                await asyncio.sleep(0.001)
        writer.close()
        async with asyncio.timeout(SOON):
            while sim.state()["apis"][API]["in_flight"]:
                await asyncio.sleep(0.001)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
async def test_out_of_descriptors_it_rests_and_serves_again_when_some_are_free() -> None:
    import resource  # not on Windows

    clock = FakeClock(auto=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with Simulator(apis=[API], clock=clock, latency_scale=0) as sim:
        (port, _) = sim._servers[API]._ports
        used = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
        clients = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 6, hard))
            with pytest.raises(OSError, match="Too many open files"):
                while True:
                    clients.append(await connect(sim.base_urls[API]))
            await asyncio.sleep(0.01)
            assert port._resting is not None, "asking at once again would take a whole processor"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await clock.advance(1.0)
        for reader, writer in clients:
            writer.write(asking(sim))
            assert (await answer(reader))[0] == 200
            writer.close()


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_leaves_the_connection_clean(sim: Simulator, status: int) -> None:
    sim.inject(API, Fault("status", status=status))
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(sim.base_urls[API] + "/predictions") as got:
                assert (got.status, await got.read()) == (status, b"")
    assert sim.state()["apis"][API]["connections"] == 1


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_kept_connection_can_be_closed_while_it_rests(sim: Simulator, how: str) -> None:
    sim.inject(API, Fault("close_idle", how=how, when="rest"))
    reader, writer = await connect(sim.base_urls[API])
    writer.write(asking(sim))
    _, headers, _ = await answer(reader)
    assert headers["connection"] == "keep-alive"
    async with asyncio.timeout(SOON):
        if how == "fin":
            assert await reader.read() == b""
        else:
            with pytest.raises(ConnectionResetError):
                await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "fault", [Fault("sliced"), Fault("drip", interval=0), Fault("bandwidth", bytes_per_second=1e6)]
)
async def test_a_slow_answer_too_keeps_to_the_clients_wish_to_close(sim: Simulator, fault: Fault) -> None:
    sim.inject(API, fault)
    got = await told(sim.base_urls[API], asking(sim, "/predictions?game=1", "Connection: close"))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert json.loads(body)["state"] == "ok"


async def test_the_log_holds_no_key_wherever_it_was_put_and_no_endless_path(sim: Simulator) -> None:
    key = sim.keys[API][0]
    reader, writer = await connect(sim.base_urls[API])
    for path in (f"/predictions?key={key}", f"/{key}", "/predictions?q=" + "x" * 50_000):
        writer.write(asking(sim, path))
        await answer(reader)
    writer.close()
    shown = [seen.path for seen in sim.log(API)]
    assert not any(key in path for path in shown)
    assert max(map(len, shown)) <= 500


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"[" * 50_000, 400, "nested too deeply"),
        (b"[" * 100_000, 413, "at most"),
        (b"\xff", 400, "no JSON: 'utf-8'"),
        (b"", 400, "no JSON: Expecting value"),
        (b'{"fault": "status", "params": {"self": 1}}', 400, "nowhere"),
        (b'{"fault": "status", "param": {"status": 500}}', 400, "unknown: param"),
        (b'{"fault": "status", "for": NaN}', 400, "more than 0"),
        (b'{"fault": "status", "for": ' + b"9" * 5_000 + b"}", 400, "no JSON: Exceeds the limit"),
        ('{"fault": "redirect", "params": {"location": "http://例.example/"}}'.encode(), 400, "ASCII"),
        (b'{"fault": "redirect", "params": {"location": "http://x/\\r\\nX-Evil: 1"}}', 400, "printable"),
        (b'{"fault": "tls", "params": {"mode": "' + b"x" * 5_000 + b'"}}', 400, "one of: expired"),
    ],
    ids=range(11),
)
async def test_the_control_port_takes_a_hostile_wish_apart_in_one_line(
    sim: Simulator, sent: bytes, status: int, says: str
) -> None:
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(sim.control_url + "/control/faults", data=sent) as got:
            assert got.status == status
            error = (await got.json())["error"]
        assert says in error
        assert len(error) <= 500
        async with session.get(sim.control_url + "/control/state") as got:
            assert all(api["faults"] == [] for api in (await got.json())["apis"].values())


async def test_a_misspelt_parameter_does_not_end_the_faults_of_all(sim: Simulator) -> None:
    sim.inject("*", Fault("status"))
    async with aiohttp.ClientSession() as session:
        async with session.delete(sim.control_url + "/control/faults?apis=odds_prime") as got:
            assert got.status == 400
        async with session.delete(sim.control_url + "/control/faults?api=nope") as got:
            assert got.status == 400
    assert all(api["faults"] for api in sim.state()["apis"].values())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost.example", "", "::1"])
def test_nothing_but_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(OptionError, match="loopback"):
        Simulator(host=host)


@pytest.mark.parametrize("wrong", [{"latency_scale": -1}, {"latency_scale": float("nan")}, {"port_base": 70_000}])
def test_arguments_out_of_range_are_told(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        Simulator(**wrong)  # type: ignore[arg-type]  # the point of the test


async def test_a_simulator_that_does_not_run_says_so_and_takes_faults_for_its_start() -> None:
    sim = Simulator(apis=[API], latency_scale=0)
    for ask in (lambda: sim.base_urls, lambda: sim.tls_urls, lambda: sim.control_url):
        with pytest.raises(RuntimeError, match="not been started"):
            ask()
    sim.inject(API, Fault("refuse"))
    async with sim:
        with pytest.raises(RuntimeError, match="already"):
            await sim.start()
        with pytest.raises(ConnectionRefusedError):
            await connect(sim.base_urls[API])
    async with sim:
        reader, writer = await connect(sim.base_urls[API])
        writer.write(asking(sim))
        assert (await answer(reader))[0] == 200
        writer.close()


def test_a_thread_that_does_not_run_says_so_and_can_run_again() -> None:
    sim = SimulatorThread(apis=[API], latency_scale=0)
    with pytest.raises(RuntimeError, match="not running"):
        sim.state()
    for _ in range(2):
        with sim:
            with pytest.raises(RuntimeError, match="already"):
                sim.__enter__()
            assert sim.requests(API) == 0
    with pytest.raises(RuntimeError, match="not running"):
        sim.clear()
    assert not [thread for thread in threading.enumerate() if thread.name == "understudy-simulator"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (Event(1, 1, "nope", Fault("status")), UnknownName),
        (Event(1, 0, API, Fault("status")), OptionError),
        (Event(1, 100_000, API, Fault("status")), OptionError),
        (Event(1, 1, API, Fault("hub_failure")), OptionError),
    ],
    ids=["api", "too short", "too long", "no hub"],
)
async def test_a_scenario_that_cannot_be_played_is_refused_before_anything_changes(
    sim: Simulator, event: Event, error: type[Exception]
) -> None:
    sim.inject(API, Fault("empty"))
    with pytest.raises(error):
        sim.play(Scenario("s", "", (Event(0, 1, HUB, Fault("hub_failure")), event)))
    assert [fault.kind for fault in sim._servers[API].faults()] == ["empty"]
    assert sim.state()["apis"]["odds_prime"]["faults"] == []


async def test_the_same_fault_injected_again_lasts_from_then_on() -> None:
    clock = FakeClock(auto=False)
    async with Simulator(apis=[API], clock=clock, latency_scale=0) as sim:
        fault = Fault("status")
        sim.inject(API, fault, 5)
        await clock.advance(3)
        sim.inject(API, fault, 5)
        await clock.advance(3)
        assert sim.state()["apis"][API]["faults"]
        await clock.advance(2.5)
        assert not sim.state()["apis"][API]["faults"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
async def test_starting_and_stopping_leaves_no_descriptor_and_no_task() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    tasks, before = asyncio.all_tasks(), descriptors()
    for number in range(20):
        async with Simulator(seed=number, latency_scale=0) as sim:
            sim.inject("odds_open", Fault("blackhole"), 5)
            sim.inject("*", Fault("latency", seconds=50))
            _, writer = await connect(sim.base_urls[API])
            writer.write(asking(sim))
            await asyncio.sleep(0.001)
            writer.transport.abort()
    await asyncio.sleep(0)
    assert descriptors() == before
    assert asyncio.all_tasks() == tasks


def finished(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return finished(sys.executable, "-m", "understudy.simulator", *arguments)


def test_the_command_helps_tells_mistakes_in_one_line_and_ends_when_its_time_is_over() -> None:
    assert "--scenario" in simulator("--help").stdout
    for wrong in (["--port-base", "x"], ["--duration", "nan"], ["--seed", "x"], ["--scenario", "nope"]):
        ended = simulator(*wrong)
        assert ended.returncode == 2
        assert ended.stderr.strip().splitlines()[-1].startswith("python -m understudy.simulator: error: argument --")
        assert "Traceback" not in ended.stderr
    ended = simulator("--duration", "0.2", "--scenario", "storm")
    assert ended.returncode == 0
    assert "control  http://127.0.0.1:" in ended.stdout
    assert ended.stdout.strip().splitlines()[-1].startswith("requests seen:")


def test_the_command_tells_a_taken_port_and_outlives_its_reader() -> None:
    with SimulatorThread(apis=["fixtures_pro"], latency_scale=0) as sim:
        port = urlsplit(sim.base_urls["fixtures_pro"]).port
        ended = simulator("--port-base", str(port), "--duration", "1")
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"cannot listen on ports {port} to {(port or 0) + 20}: ")
        assert len(ended.stderr.splitlines()) == 1
    shell = f"{sys.executable} -m understudy.simulator --duration 0.3 | head -n 1"
    ended = finished("bash", "-o", "pipefail", "-c", shell)
    assert ended.returncode == 0
    assert ended.stderr == ""


def test_nothing_but_the_command_line_knows_that_an_api_can_be_simulated() -> None:
    package = Path(sys.modules["understudy"].__file__ or "").parent
    known = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if "simulator" in path.read_text("utf-8").lower()
    }
    assert known <= {"simulator", "cli"}
