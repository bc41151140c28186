"""A change is noticed; a bad one changes nothing."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.config.loader import load
from understudy.config.reload import EVERY, Reloader, Watcher
from understudy.testing import FakeClock


class Seen:
    """A listener that keeps what the file held when it was told."""

    def __init__(self, file):
        self.file, self.texts = file, []

    async def __call__(self):
        self.texts.append(self.file.read_text() if self.file.exists() else None)


def watched(file, clock=None):
    seen = Seen(file)
    return Watcher(lambda: [file], clock or FakeClock(), seen), seen


async def test_a_changed_file_is_noticed_once(tmp_path):
    file = tmp_path / "understudy.toml"
    watcher, seen = watched(file)
    assert not await watcher.poll()
    file.write_text("a")
    assert await watcher.poll()
    assert not await watcher.poll()
    assert seen.texts == ["a"]


async def test_an_editor_that_replaces_the_file_is_noticed(tmp_path):
    file, other = tmp_path / "understudy.toml", tmp_path / "new"
    file.write_text("aaaa")
    watcher, seen = watched(file)
    other.write_text("bbbb")
    stat = file.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same size and time: only the file itself differs
    other.replace(file)
    assert await watcher.poll()
    assert seen.texts == ["bbbb"]


async def test_a_file_that_is_being_written_is_read_when_it_rests(tmp_path):
    file = tmp_path / "understudy.toml"
    file.write_text("whole")
    clock = FakeClock(auto=False)
    watcher, seen = watched(file, clock)
    file.write_text("")
    for number, moment in enumerate((0.2, 0.4, 0.6)):
        clock.call_later(moment, lambda text="x" * (number + 1): file.write_text(text))
    polling = asyncio.ensure_future(watcher.poll())
    await clock.advance(5.0)
    assert await polling
    assert seen.texts == ["xxx"]


async def test_files_of_a_folder_come_and_go(tmp_path):
    folder = tmp_path / "understudy.d"
    told = []

    async def change():
        told.append(sorted(file.name for file in folder.iterdir()))

    watcher = Watcher(lambda: [folder], FakeClock(), change)
    folder.mkdir()
    (folder / "a.toml").write_text("")
    assert await watcher.poll()
    (folder / "b.toml").write_text("")
    assert await watcher.poll()
    (folder / "a.toml").unlink()
    assert await watcher.poll()
    assert told == [["a.toml"], ["a.toml", "b.toml"], ["b.toml"]]


async def test_files_that_a_new_configuration_names_are_watched_too(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    paths = [first]

    async def change():
        paths.append(second)

    watcher = Watcher(lambda: tuple(paths), FakeClock(), change)
    first.write_text("1")
    assert await watcher.poll()
    assert not await watcher.poll()
    second.write_text("1")
    assert await watcher.poll()


async def test_it_looks_every_two_seconds(tmp_path):
    file, clock = tmp_path / "understudy.toml", FakeClock(auto=False)
    watcher, seen = watched(file, clock)
    task = asyncio.ensure_future(watcher.run())
    file.write_text("a")
    await clock.advance(EVERY + 1)
    file.write_text("ab")
    await clock.advance(EVERY + 1)
    task.cancel()
    assert seen.texts == ["a", "ab"]


def test_secret_files_are_among_those_that_are_watched(tmp_path):
    (tmp_path / "key").write_text("s3cret-key")
    (tmp_path / "understudy.toml").write_text("[apis.a]\nauth = {kind = 'bearer', keys = ['file:key']}\n")
    loaded = load(cwd=tmp_path, env={"DASHBOARD_SECRET_KEY_FILE": "key"}, secret_dirs=())
    assert tmp_path / "key" in loaded.files


@settings(max_examples=40, deadline=None)  # each example reads real files
@given(st.lists(st.integers(-70000, 140000), max_size=6))
def test_a_reload_is_all_or_nothing(tmp_path_factory, ports):
    folder = tmp_path_factory.mktemp("r")
    read = lambda: load(cwd=folder, env={}, secret_dirs=())  # noqa: E731 - a name for three uses
    applied, refused = [], []
    reloader = Reloader(read(), read, applied.append, refused.append)

    async def story():
        good = 8080
        for port in ports:
            (folder / "understudy.toml").write_text(f"[service]\nshutdown_timeout=1\nport={port}\n")
            good = port if 0 <= port <= 65535 else good
            assert await reloader() == (good == port)
            assert reloader.current.settings.service.port == good

    asyncio.run(story())
    assert len(applied) + len(refused) == len(ports)


@pytest.mark.parametrize("broken", ["read", "apply"])
async def test_whatever_goes_wrong_the_old_configuration_stays(tmp_path, broken):
    old = load(cwd=tmp_path, env={}, secret_dirs=())
    refused = []

    def fail(*_):
        raise OverflowError("too large")

    reloader = Reloader(
        old, fail if broken == "read" else lambda: old, fail if broken == "apply" else print, refused.append
    )
    assert not await reloader()
    assert reloader.current is old
    assert str(refused[0]) == "cannot be used: too large"
