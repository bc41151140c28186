"""The outbound guard: by the way a host is written, and by what its name resolves to at the moment of connecting."""

from __future__ import annotations

import socket

import pytest

from understudy.clients.aiohttp import AiohttpClient
from understudy.core.errors import ConnectFailed
from understudy.core.http import Guarded, HttpRequest
from understudy.core.reach import Reach
from understudy.testing.raw_server import RawServer

INSIDE = [
    "127.0.0.1", "127.9.9.9", "::1", "[::1]", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "fe80::1%eth0", "fc00::1", "100.64.0.1", "224.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_this_machine_or_its_network_is_permitted(address):
    assert not Reach().permits_address(address)
    assert not Reach().permits_host(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_permitted(address):
    assert Reach().permits_address(address)
    assert Reach().permits_host(address)


@pytest.mark.parametrize("host", ["localhost", "db", "metadata.google.internal", "2130706433", "0x7f.1", "a.localhost"])
def test_names_that_lead_inside_are_refused_and_what_is_no_address_is_none(host):
    assert not Reach().permits_host(host)
    assert not Reach().permits_address(host)


def test_a_network_that_is_allowed_lets_its_addresses_and_this_machines_names_through():
    reach = Reach(["127.0.0.0/8"])
    assert reach.permits_host("localhost")
    assert reach.permits_address("127.0.0.1")
    assert reach.permits_address("::ffff:127.0.0.1")
    assert not reach.permits_host("10.0.0.1")
    with pytest.raises(ValueError, match="does not appear"):
        Reach(["everything"])


@pytest.fixture
async def server():
    async with RawServer() as started:
        yield started


def resolving(monkeypatch, *addresses):
    """Let every name stand for these, as a resolver in another's hands may answer."""

    def answers(host, port, *args, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answers)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"]])
async def test_a_public_name_that_resolves_to_the_inside_is_refused(monkeypatch, server, addresses):
    resolving(monkeypatch, *addresses)
    client = AiohttpClient()
    try:
        for fresh in (False, True):
            asked = HttpRequest("GET", f"http://rebound.example:{server.port}/", {}, fresh=fresh)
            with pytest.raises(ConnectFailed, match=r"rebound\.example leads to this machine") as refused:
                await Guarded(client).send(asked)
            assert refused.value.stage == "guard"
        assert server.requests == 0
    finally:
        await client.close()


async def test_an_address_is_refused_without_asking_a_resolver_and_never_on_a_kept_connection(server):
    client = AiohttpClient()
    try:
        plain = await client.send(HttpRequest("GET", server.url, {}))
        assert plain.status == 200  # its connection is kept now
        with pytest.raises(ConnectFailed, match="leads to this machine"):
            await Guarded(client).send(HttpRequest("GET", server.url, {}))
        with pytest.raises(ConnectFailed, match="leads to this machine"):
            await client.send(HttpRequest("GET", f"http://[::ffff:127.0.0.1]:{server.port}/", {}, guarded=True))
        assert server.requests == 1
    finally:
        await client.close()


async def test_what_is_allowed_is_reached(server):
    client = AiohttpClient(permits=Reach(["127.0.0.0/8"]).permits_address)
    try:
        assert (await Guarded(client).send(HttpRequest("GET", server.url, {}))).status == 200
        answer = await client.send(HttpRequest("GET", f"http://localhost:{server.port}/", {}, guarded=True))
        assert answer.status == 200
    finally:
        await client.close()


DISGUISED = [
    "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::a00:1", "fec0::1", "2001:470::200:5efe:10.0.0.1",
    "2001:470::5efe:7f00:1", "192.0.0.192", "192.88.99.1", "2001:0:7f00:1::", "5f00::1", "①②⑦.⓪.⓪.①", "127。0。0。1",
    "１６９.254.169.254", "LOCALHOST.", "127.0.0.1.", "0300.0250.0.1", "0xA9FEA9FE", "017700000001", "0", "127.1",
]  # fmt: skip


@pytest.mark.parametrize("host", DISGUISED)
def test_an_address_in_disguise_is_taken_for_what_it_is(host):
    assert not Reach().permits_host(host)
    assert not Reach().permits_address(host)
