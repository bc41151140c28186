"""Blocking code through `understudy.sync`: interruptions, forks, threads and nesting, against real sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.core.clock import SYSTEM_CLOCK
from understudy.core.errors import UnknownName
from understudy.core.portal import Portal
from understudy.sync import Understudy
from understudy.testing.raw_server import STALL, RawServer, ok

Served = tuple[Understudy, RawServer]


@pytest.fixture
def served() -> Iterator[Served]:
    """An application with the API `a`, and the server behind it on a thread of its own."""
    behind, server = Portal("server"), RawServer(ok(b"here"))
    behind.call(server.__aenter__)
    with Understudy() as app:
        app.register_api("a", base_url=server.url)
        yield app, server
    behind.call(server.__aexit__)
    behind.close()


def eventually(happened: object, limit: float = 5.0) -> bool:
    """Whether `happened()` comes true within `limit` seconds."""
    until = SYSTEM_CLOCK.monotonic() + limit
    never = threading.Event()
    while not happened():  # type: ignore[operator]  # a callable without arguments
        if SYSTEM_CLOCK.monotonic() > until:
            return False
        never.wait(0.01)
    return True


def test_ctrl_c_ends_a_call_and_leaves_nothing_behind(served: Served) -> None:
    app, server = served
    server.replies = (STALL,)
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        eventually(lambda: server.requests)
        signal.pthread_kill(main, signal.SIGINT)

    watcher = threading.Thread(target=press)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        app.route("a").get("/")
    watcher.join()
    assert eventually(lambda: server.open == 0 and app.app.in_flight == 0)
    server.replies = (ok(b"again"),)
    assert app.route("a").get("/").text == "again"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_operation_that_wants_out_takes_its_own_caller_out_and_nobody_else(
    served: Served, kind: type[BaseException]
) -> None:
    app, _ = served

    def plain() -> None:
        raise kind

    async def awaited() -> None:
        raise kind

    for operation in (plain, awaited):
        with pytest.raises(kind):
            app.execute_with_fallback("leaving", operation)
        assert app.route("a").get("/").text == "here"


def test_a_call_from_inside_of_the_loop_is_refused_and_one_from_an_operations_thread_is_served(served: Served) -> None:
    app, _ = served

    async def inside() -> str:
        return app.route("a").get("/").text

    with pytest.raises(RuntimeError, match="await it instead"):
        app.execute_with_fallback("inside", inside)
    assert app.execute_with_fallback("nested", lambda: app.route("a").get("/").text) == "here"


def test_a_call_that_is_under_way_when_the_application_closes_says_so(served: Served) -> None:
    app, server = served
    server.replies = (STALL,)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.route("a").get, "/")
        assert eventually(lambda: server.requests)
        app.portal.close()
        with pytest.raises(RuntimeError, match="closed under it"):
            waiting.result(timeout=5)


def test_blocking_code_can_ask_why_and_reset(served: Served) -> None:
    app, server = served
    app.register_api("b", priority=2, base_url=server.url, route="r")
    app.register_api("a", route="r")
    app.register_route("r", mode="priority")
    assert "a/r" in app.force("a", "forced_open", reason="maintenance", actor="ana")
    assert app.route("r").get("/").api == "b"
    assert [record.chosen for record in app.decisions(outcome="fallback")] == ["b"]
    assert app.reset("a", reason="it is back") == ["a"]
    assert app.route("r").get("/").api == "a"
    app.force("a", "forced_open", reason="maintenance")
    assert "a/r" in app.unforce("a")
    assert app.route("r").get("/").api == "a"
    with pytest.raises(UnknownName, match="no API named 'aa'; did you mean 'a'"):
        app.reset("aa")


def test_a_thousand_calls_of_sixty_four_threads_are_all_served(served: Served) -> None:
    app, server = served
    with ThreadPoolExecutor(64) as pool:
        statuses = list(pool.map(lambda number: app.route("a").get(f"/{number}").status, range(1000)))
    assert statuses == [200] * 1000
    assert server.requests == 1000
    assert server.connections <= 100


def test_every_method_has_its_blocking_form(served: Served) -> None:
    app, server = served
    route = app.route("a")
    for method in ("get", "post", "put", "patch", "delete"):
        assert getattr(route, method)("/").status == 200
    server.replies = (ok(b""),)
    assert route.head("/").status == 200
    assert [seen.line.split()[0] for seen in server.seen] == ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]


FORKING = """
    import os, sys
    from understudy.core.portal import Portal
    from understudy.sync import Understudy
    from understudy.testing.raw_server import RawServer, ok

    behind, server = Portal("server"), RawServer(ok(b"here"))
    behind.call(server.__aenter__)
    app = Understudy()
    app.register_api("a", base_url=server.url)
    assert app.route("a").get("/").text == "here"
    child = os.fork()
    if child == 0:
        os._exit(0 if app.route("a").get("/child", deadline=5).text == "here" else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child was not served"
    assert app.route("a").get("/parent").text == "here"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_a_process_that_forks_after_its_first_call_is_served_on_both_sides() -> None:
    command = [sys.executable, "-c", textwrap.dedent(FORKING)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
