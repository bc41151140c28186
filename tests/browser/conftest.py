"""The real service, simulated APIs behind it, a real Chromium in front.

Tests here are plain functions (Playwright's blocking API owns the thread's loop); the service runs in a thread with
a loop of its own. A page fails its test when the console told of an error, a script raised, or the content security
policy was violated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from browser.chromium import OPTIONS, chromium, watched
from browser.served import Served, serving
from understudy.cli.simulated import load_sample
from understudy.config.settings import Settings
from understudy.simulator import SimulatorThread
from understudy.storage import StorageOptions

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module: its loop must be gone before a module with async tests begins."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=OPTIONS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages: `open_page(url, width=1440, scheme="light", language="en-US", javascript=True)`.

    Every page is a browser of its own (no shared cookies) and is watched: see `chromium.watched`.
    """
    pages: list[Page] = []

    def opened(url: str, width: int = 1440, scheme: str = "light", language: str = "en-US", **more: Any) -> Page:
        height = more.pop("height", 900)
        javascript = more.pop("javascript", True)
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale=language,
            java_script_enabled=javascript, **more,
        )  # fmt: skip
        page = watched(context.new_page())
        pages.append(page)
        page.goto(url)
        return page

    yield opened
    found = [fault for page in pages for fault in page.faults]
    for page in pages:
        page.context.close()
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    """The simulated APIs of the sample configuration, without their delays."""
    with SimulatorThread(seed=7, latency_scale=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def service(simulator: SimulatorThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sample configuration with twenty calls a second, for all tests of a module."""
    folder = tmp_path_factory.mktemp("service")
    settings = load_sample(simulator, []).settings
    storage = StorageOptions(url=f"sqlite:///{folder}/u.db")
    with serving(dataclasses.replace(settings, storage=storage), traffic=20.0) as served:
        yield served


@pytest.fixture
def serve(tmp_path: Any) -> Iterator[Callable[..., Served]]:
    """Starts a service for one test: `serve(settings=None, prepare=None, traffic=0)`, see `served.serving`."""
    with ExitStack() as running:

        def started(settings: Settings | None = None, **more: Any) -> Served:
            chosen = settings or Settings()
            storage = StorageOptions(url=f"sqlite:///{tmp_path}/{len(list(tmp_path.iterdir()))}.db")
            return running.enter_context(serving(dataclasses.replace(chosen, storage=storage), **more))

        yield started
