"""HTTP clients for notification services: whom they trust, and by which way they go."""

from __future__ import annotations

import pytest

from certificates import Authority
from tunnel import TunnelProxy
from understudy.clients.outward import OutwardClients
from understudy.core.errors import ConnectFailed, OptionError
from understudy.core.http import HttpRequest
from understudy.core.proxy import Proxy
from understudy.testing import RawServer

SECRET_WORD = "sesame-in-a-test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def clients():
    clients = OutwardClients()
    yield clients
    await clients.close()


def post(url):
    return HttpRequest("POST", url + "/secret-path", {}, b"hello", connect_timeout=2.0, idle_timeout=2.0)


async def test_a_server_of_the_ca_file_is_trusted(clients, authority):
    async with RawServer(tls=authority.server()) as server:
        response = await clients(authority.ca_file).send(post(server.url))
    assert response.status == 200
    assert server.seen[0].body == b"hello"


@pytest.mark.parametrize(
    "shown",
    [{"expired": True}, {"self_signed": True}, {"names": ("another.example",)}],
    ids=["expired", "self", "name"],
)
async def test_nothing_is_said_to_a_server_whose_certificate_is_not_good(clients, authority, shown):
    names = shown.pop("names", ())
    async with RawServer(tls=authority.server(*names, **shown)) as server:
        with pytest.raises(ConnectFailed, match="certificate") as caught:
            await clients(authority.ca_file).send(post(server.url))
    assert caught.value.stage == "tls"
    assert not server.seen


async def test_without_the_ca_file_the_same_server_is_not_trusted(clients, authority):
    async with RawServer(tls=authority.server()) as server:
        with pytest.raises(ConnectFailed, match="certificate"):
            await clients().send(post(server.url))


async def test_https_goes_through_a_proxy_in_a_tunnel_that_shows_the_host_only(clients, authority):
    tls = authority.server("hooks.example")
    async with RawServer(tls=tls) as server, TunnelProxy(aliases={"hooks.example": server.port}) as proxy:
        response = await clients(authority.ca_file, proxy.address).send(post("https://hooks.example"))
    assert response.status == 200
    assert proxy.tunnels == ["hooks.example:443"]
    assert proxy.requests == []
    assert b"secret-path" not in proxy.bytes_seen


async def test_the_certificate_is_checked_behind_a_proxy_too(clients, authority):
    tls = authority.server("another.example")
    async with RawServer(tls=tls) as server, TunnelProxy(aliases={"hooks.example": server.port}) as proxy:
        with pytest.raises(ConnectFailed, match="certificate"):
            await clients(authority.ca_file, proxy.address).send(post("https://hooks.example"))
    assert not server.seen


async def test_plain_http_is_asked_of_the_proxy(clients):
    async with RawServer() as server, TunnelProxy() as proxy:
        response = await clients("", proxy.address).send(post(server.url))
    assert response.status == 200
    assert proxy.requests == [f"POST {server.url}/secret-path"]


async def test_a_proxy_that_wants_to_know_who_we_are_is_told(clients, authority):
    tls = authority.server()
    async with RawServer(tls=tls) as server, TunnelProxy(login=f"ana:{SECRET_WORD}") as proxy:
        response = await clients(authority.ca_file, proxy.address).send(post(server.url))
    assert response.status == 200
    assert len(proxy.tunnels) == 1
    assert not server.seen[0].header("proxy-authorization"), "that is for the proxy alone"


@pytest.mark.parametrize(("refuse", "status"), [(0, 407), (502, 502)])
async def test_a_proxy_that_refuses_is_named_with_its_status(clients, authority, refuse, status):
    async with TunnelProxy(login=f"ana:{SECRET_WORD}", refuse=refuse) as proxy:
        address = f"http://ana:wrong@127.0.0.1:{proxy.port}"
        with pytest.raises(ConnectFailed, match=f"the proxy answered {status}") as caught:
            await clients(authority.ca_file, address).send(post("https://hooks.example"))
    assert "wrong" not in str(caught.value)
    assert "secret-path" not in str(caught.value)


async def test_a_proxy_that_is_not_there_is_the_one_to_blame(clients):
    with pytest.raises(ConnectFailed, match="the proxy: connection refused") as caught:
        await clients("", "http://127.0.0.1:1").send(post("https://hooks.example"))
    assert caught.value.stage == "refused"


async def test_one_client_serves_all_of_one_trust_and_proxy(clients, authority):
    assert clients() is clients("", "")
    assert clients(authority.ca_file) is clients(authority.ca_file)
    assert clients(authority.ca_file) is not clients()


@pytest.mark.parametrize(
    "address",
    [
        "proxy.example:3128",
        "https://proxy.example",
        "socks5://proxy.example",
        "http://",
        "http://a:notaport",
        "http://h/p",
    ],
)
def test_what_is_no_address_of_an_http_proxy_is_refused(address):
    with pytest.raises(OptionError, match=r"channel\.proxy: .*http://proxy\.example:3128"):
        Proxy.read(address)


def test_the_refusal_of_an_address_does_not_show_its_password():
    with pytest.raises(OptionError) as caught:
        Proxy.read(f"https://ana:{SECRET_WORD}@proxy.example")
    assert SECRET_WORD not in str(caught.value)
    assert SECRET_WORD not in repr(Proxy.read(f"http://ana:{SECRET_WORD}@proxy.example"))


def test_a_password_may_hold_any_sign():
    assert Proxy.read("http://ana:a%40b%3Ac@proxy.example").password.reveal() == "a@b:c"


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_a_ca_file_that_cannot_be_used_is_refused_with_its_name(clients, tmp_path, content):
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptionError, match=r"channel\.ca_file: .*mine\.pem"):
        clients(str(path))
