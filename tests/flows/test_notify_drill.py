"""`understudy notify drill`: an honest report of how long people wait, and an exit code that follows from it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from understudy.cli.commands import run
from understudy.testing.receivers import SlackReceiver, status

KINDS = ("email", "slack", "discord", "telegram", "pagerduty", "opsgenie", "webhook")


def drill(capsys, *arguments):
    """The exit code, and what was said; in a thread, as a program of its own has no loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        code = thread.submit(run, ["notify", "drill", *arguments]).result()
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


def test_every_channel_tells_of_the_outage_and_of_its_end_once(capsys):
    code, out, _ = drill(capsys, "--local", "--json")
    report = json.loads(out)
    assert code == 0, report
    assert tuple(report["channels"]) == KINDS
    assert 0 < report["detected"] < 5
    for told in report["channels"].values():
        assert told["problems"] == []
        assert report["detected"] <= told["delivered"] < told["resolved"] + told["delivered"]
        assert (told["deliveries"], told["accepted"]) == (2, 2)


@pytest.fixture
def slack():
    """A receiver on a loop of its own, beside the drill's."""
    import asyncio

    started, loop = threading.Event(), asyncio.new_event_loop()
    found: list[SlackReceiver] = []
    ending = asyncio.Event()

    async def serve() -> None:
        async with SlackReceiver() as receiver:
            found.append(receiver)
            started.set()
            await ending.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(ending.set)
    thread.join()
    loop.close()


def configured(folder, slack):
    path = folder / "understudy.toml"
    path.write_text(f'[channels.ops]\nkind = "slack"\nurl = "{slack.url}"\nallow_private = true\n')
    return str(path)


def test_a_configured_channel_is_drilled_and_says_that_it_is_a_drill(capsys, tmp_path, slack):
    code, out, _ = drill(capsys, "--config", configured(tmp_path, slack))
    assert code == 0, out
    assert len(slack.accepted) == 2
    assert "understudy_drill" in slack.accepted[0].shown
    for message in slack.accepted:
        assert "[DRILL]" in message.shown
        assert "This is a drill" in message.shown


def test_a_drill_spares_those_whom_it_would_ring_out_of_bed(capsys, tmp_path, slack):
    both = Path(configured(tmp_path, slack))
    both.write_text(both.read_text() + f'[channels.phone]\nkind = "pagerduty"\nrouting_key = "{"0" * 32}"\n')
    code, out, _ = drill(capsys, "--config", str(both), "--json")
    report = json.loads(out)
    assert (code, list(report["channels"]), report["spared"]) == (0, ["ops"], ["phone"])
    only = tmp_path / "only.toml"
    only.write_text(f'[channels.phone]\nkind = "pagerduty"\nrouting_key = "{"0" * 32}"\n')
    code, _, err = drill(capsys, "--config", str(only))
    assert (code, err.count("\n")) == (2, 1)
    assert "--pagers" in err


def test_a_channel_that_refuses_fails_the_drill(capsys, tmp_path, slack):
    slack.then(*[status(404, "no_service")] * 50)
    code, out, _ = drill(capsys, "--config", configured(tmp_path, slack), "--patience", "5")
    assert code == 1
    assert "no_service" in out
    assert slack.url not in out


def test_what_cannot_be_drilled_is_told_in_one_line(capsys, tmp_path, slack):
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    code, _, err = drill(capsys, "--config", str(empty))
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = drill(capsys, "--config", configured(tmp_path, slack), "--channel", "nobody\x1b[2J")
    assert (code, err.count("\n")) == (2, 1)
    assert "\x1b" not in err


def test_a_preview_shows_an_alert_and_holds_the_worst_ones_to_every_limit(capsys):
    with ThreadPoolExecutor(1) as thread:
        code = thread.submit(run, ["notify", "preview", "slack", "webhook", "--json"]).result()
    told = json.loads(capsys.readouterr().out)
    assert code == 0, told["channels"]
    assert "odds_prime" in told["card"]["title"]
    assert [each["kind"] for each in told["channels"]] == ["slack", "webhook"]
    assert all(each["sent"] == each["accepted"] > 50 for each in told["channels"])
