"""The first run as somebody does it: `understudy run` in an empty folder, and everything else in the browser."""

from __future__ import annotations

import pytest

from browser.chromium import axe, expected
from browser.hands import Keys
from browser.served import run_by_command
from keyed_api import keyed_api
from understudy.config import load
from understudy.core.clock import SYSTEM_CLOCK

KEY = "k3y-of-the-odds-9f8e7d6c"
PASSWORD = "a long enough passphrase"
ANSWER = '{"ok": true, "said": "<script>alert(1)</script>"}'


@pytest.fixture
def api_port():
    with keyed_api(KEY, ANSWER.encode()) as port:
        yield port


@pytest.fixture
def started(tmp_path):
    """A service in a folder that holds nothing but the leave to call this machine; its address and set-up token."""
    (tmp_path / "understudy.toml").write_text('[service]\nallow_networks = ["127.0.0.0/8"]\n')
    with run_by_command(tmp_path) as found:
        yield found


def test_from_an_empty_folder_to_the_first_own_api_on_the_screen(started, api_port, open_page, tmp_path):
    url, token = started
    begun = SYSTEM_CLOCK.monotonic()
    page = open_page(url)
    page.get_by_role("link", name="Add the first API").click()
    assert "Make the first administrator" in page.inner_text("main")
    assert axe(page) == []

    page.get_by_role("link", name="Make the first administrator").click()
    page.get_by_label("Set-up token").fill(token)
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/setup/start")  # where the way to the administrator began

    page.get_by_label("What do you have?").fill("curl --nonsense x")
    page.get_by_role("button", name="Read it").click()
    assert "curl's option --nonsense is not understood" in page.inner_text("main")
    expected(page, "422")
    assert axe(page) == []

    curl = f"curl 'http://127.0.0.1:{api_port}/v1/status' \\\n  -H 'X-Api-Key: {KEY}'"
    keys = Keys()  # from here to the API that is kept, no mouse is needed
    keys.write(page.get_by_label("What do you have?"), curl)
    keys.press(page.get_by_role("button", name="Read it"))
    page.get_by_label("Base address").wait_for()
    assert KEY not in page.content()
    assert page.get_by_label("Base address").input_value() == f"http://127.0.0.1:{api_port}/v1"
    keys.write(page.get_by_label("Name"), "odds/one <b>")
    keys.press(page.get_by_role("button", name="Try it"))
    page.get_by_text("It works", exact=True).wait_for()
    assert ANSWER in page.inner_text("main")
    assert KEY not in page.content()
    assert axe(page) == []

    keys.press(page.get_by_role("button", name="Keep it"))
    page.get_by_role("heading", name="Who stands in for odds/one <b>?").wait_for()
    assert axe(page) == []
    page.get_by_role("button", name="Keep the route").click()
    page.get_by_role("link", name="Telegram").click()
    assert axe(page) == []
    page.get_by_role("link", name="Later").click()
    page.get_by_role("heading", name="odds/one <b> is ready").wait_for()
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "understudy.toml").write_text(page.inner_text("#document"))
    written = load(cwd=tmp_path / "program", env={"ODDS_ONE__B_KEY": KEY}, secret_dirs=()).settings
    assert written.apis["odds/one <b>"].auth.name == "X-Api-Key"
    assert written.routes["odds/one <b>"].apis == ("odds/one <b>",)
    assert written.report_to == url
    assert axe(page) == []
    page.get_by_role("link", name="See it live").click()
    page.get_by_role("heading", name="odds/one <b>").wait_for()
    assert SYSTEM_CLOCK.monotonic() - begun < 180
    assert KEY not in page.content()


def test_demo_data_comes_and_goes_without_scripts(started, open_page):
    url, _token = started
    page = open_page(f"{url}/setup/start", javascript=False, language="pt-BR", width=390, scheme="dark")
    page.get_by_role("button", name="Carregar dados de demonstração").click()
    page.goto(f"{url}/apis")
    assert "fixtures_pro" in page.inner_text("main")
    page.goto(f"{url}/setup/start")
    page.get_by_role("button", name="Remover os dados de demonstração").click()
    assert "Os dados de demonstração saíram" in page.inner_text("main")
    page.goto(f"{url}/apis")
    assert "fixtures_pro" not in page.inner_text("main")
