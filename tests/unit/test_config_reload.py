"""A change is noticed; a bad one changes nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.config.loader import load
from understudy.config.reload import Reloader, Watcher
from understudy.testing import FakeClock


def test_a_changed_file_is_noticed_once(tmp_path):
    file = tmp_path / "understudy.toml"
    seen = []
    watcher = Watcher([file], FakeClock(), lambda: seen.append(1))
    assert not watcher.poll()
    file.write_text("a")
    assert watcher.poll() and not watcher.poll()
    assert seen == [1]


@settings(max_examples=40, deadline=None)  # each example reads real files
@given(st.lists(st.integers(-70000, 140000), max_size=6))
def test_a_reload_is_all_or_nothing(tmp_path_factory, ports):
    folder = tmp_path_factory.mktemp("r")
    read = lambda: load(cwd=folder, env={}, secret_dirs=())  # noqa: E731 - a name for three uses
    applied, refused = [], []
    reloader = Reloader(read(), read, applied.append, refused.append)
    good = 8080
    for port in ports:
        (folder / "understudy.toml").write_text(f"[service]\nshutdown_timeout=1\nport={port}\n")
        good = port if 0 <= port <= 65535 else good
        assert reloader() == (good == port)
        assert reloader.current.settings.service.port == good
    assert len(applied) + len(refused) == len(ports)
