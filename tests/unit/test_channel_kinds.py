"""Each kind of channel is complete: its module, its entry, its options, and what the configuration knows of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import get_args

import pytest

import understudy.channels
from channel_kit import message
from understudy.channels import KINDS, AnyChannelOptions, ChannelDeps, ChannelOptions, build
from understudy.channels.options import refuse_address
from understudy.channels.slack import SlackOptions
from understudy.channels.webhook import WebhookOptions
from understudy.config.channels import alternatives
from understudy.config.faults import CHANNEL_SECRETS
from understudy.config.settings import Settings
from understudy.core.errors import OptionError, UnknownName
from understudy.core.options import describe
from understudy.core.reach import is_private
from understudy.core.secrets import Secret
from understudy.testing import FakeClock, ScriptedHttp
from understudy.testing.scripted_http import Answer

#: Modules of the room that are no kind of channel.
SHARED = {"__init__", "conformance", "marks", "options"}


def test_every_kind_has_a_module_an_entry_and_a_place_in_the_union():
    modules = {path.stem for path in Path(understudy.channels.__file__).parent.glob("[a-z]*.py")} - SHARED
    assert set(KINDS) == modules
    assert {kind.options for kind in KINDS.values()} == set(get_args(AnyChannelOptions))
    [channels] = [spec.type for spec in describe(Settings) if spec.name == "channels"]
    assert alternatives(get_args(channels)[1]) == list(get_args(AnyChannelOptions))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_told_by_its_own_name_and_takes_what_all_take(kind):
    options = KINDS[kind].options
    fields = {spec.name: spec for spec in describe(options)}
    assert get_args(fields["kind"].type) == (kind,)
    assert {spec.name for spec in describe(ChannelOptions)} <= set(fields)
    assert all(spec.doc for spec in fields.values())
    assert options.__doc__


def test_no_secret_of_a_channel_is_ever_shown_in_a_fault():
    secret = {
        spec.name
        for kind in KINDS.values()
        for spec in describe(kind.options)
        if spec.type is Secret or Secret in get_args(spec.type)
    }
    assert secret == CHANNEL_SECRETS


def test_options_of_no_kind_make_no_channel():
    deps = ChannelDeps(FakeClock(), random.Random(1), lambda ca, proxy: ScriptedHttp())
    with pytest.raises(UnknownName, match="no kind of channel named ''"):
        build("x", ChannelOptions(), deps)


HOOK = "https://hooks.example/services/for-tests"


def test_a_revision_tells_one_configuration_from_another_and_nothing_of_either():
    traits = [
        SlackOptions(url=Secret(url), timeout=timeout).traits("slack:x", understudy.channels.slack.RATE)
        for url, timeout in ((HOOK, 10.0), (HOOK, 10.0), (HOOK + "2", 10.0), (HOOK, 9.0))
    ]
    first, same, *others = (each.revision for each in traits)
    assert first == same
    assert first not in others
    assert "hooks" not in repr(traits)


PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "localhost", "a.localhost",
    "printer", "nas.local", "db.internal", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "2002:7f00:1::", "localhost.", "fe80::1%eth0",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_what_leads_into_the_own_network_is_refused_unless_it_is_permitted(host):
    assert is_private(host)
    url = f"https://[{host}]/x" if ":" in host else f"https://{host}/x"
    if "%" not in host:
        with pytest.raises(OptionError, match="outside this machine"):
            refuse_address("SlackOptions", "url", url, allow_private=False)
        refuse_address("SlackOptions", "url", url, allow_private=True)


@pytest.mark.parametrize(
    "host", ["hooks.slack.com", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "xn--bcher-kva.example"]
)
def test_what_is_public_is_taken(host):
    assert not is_private(host)


@pytest.mark.parametrize(
    ("url", "permitted", "said"),
    [
        ("http://hooks.example/hunter2", False, "an https address"),
        ("ftp://hooks.example/hunter2", True, "an address such as"),
        ("https://", True, "an address such as"),
        ("https://hooks.example/a b", True, "an address such as"),
        ("https://hooks.example/a\r\nX: hunter2", True, "an address such as"),
        ("https://hooks.example:99999/", True, "an address such as"),
        ("https://[::1/hunter2", True, "an address such as"),
        ("https://me:hunter2@hooks.example/", True, "without user name and password"),
        ("hunter2", True, "an address such as"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_and_never_shown(url, permitted, said):
    with pytest.raises(OptionError) as caught:
        refuse_address("SlackOptions", "url", url, allow_private=permitted)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_plain_http_to_this_machine_is_permitted_where_the_configuration_says_so():
    refuse_address("SlackOptions", "url", "http://127.0.0.1:8080/x", allow_private=True)


@pytest.mark.parametrize(("private", "proxy"), [(False, ""), (True, ""), (False, "http://proxy.example:3128")])
async def test_what_people_enter_is_looked_at_again_when_it_is_connected_to(private, proxy):
    """A public name may stand for an address of our own network, and leads there by an error's text at least."""
    asked = []
    http = ScriptedHttp(lambda request: asked.append(request.guarded) or Answer(200))
    deps = ChannelDeps(FakeClock(), random.Random(1), lambda ca, through: http)
    chosen = WebhookOptions(
        url=Secret("https://hooks.example/x"), allow_private=private, proxy=Secret(proxy) if proxy else None
    )
    await build("x", chosen, deps).send(message())
    assert asked == [not private and not proxy]
