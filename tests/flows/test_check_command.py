"""`understudy check` against real servers that fail in every way: what it finds, and what it advises."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from processes import free_port

from understudy import Understudy
from understudy.cli.check import advice, render
from understudy.cli.exits import FAILED, OK
from understudy.cli.screen import Screen
from understudy.config import load
from understudy.core.text import texts
from understudy.simulator.certificates import server_context
from understudy.testing import RawServer
from understudy.testing.raw_server import CLOSE, RESET, STALL, Reply, ok

KEY = "a-secret-key-1234"
BEARER = f'auth = {{kind = "bearer", keys = ["{KEY}"]}}'


def answer(status: int, body: bytes = b"{}", *headers: str) -> Reply:
    reply = ok(body, *headers)
    return Reply(reply.pieces.replace(b"200 OK", b"%d X" % status))


async def asked(folder, url: str, *options: str):
    lines = [f'base_url = "{url}"', *options]
    (folder / "understudy.toml").write_text("[apis.it]\n" + "\n".join(lines) + "\n")
    app = Understudy.build(load(cwd=folder, env={}, secret_dirs=()).settings)
    try:
        return (await app.check())[0]
    finally:
        await app.stop()


PROBE = 'health_check = {path = "/up", timeout = 0.3}'


@pytest.mark.parametrize(
    ("reply", "options", "works", "stage", "said", "advised"),
    [
        (ok(b"{}"), (), True, "done", "answered 200", ""),
        (answer(404), (), True, "response", "answered 404", ""),
        (answer(401, b'{"message": "Invalid key"}'), (BEARER,), False, "auth", "answered 401: Invalid key", "check the key in [apis.it.auth]"),  # noqa: E501 - one row, one answer
        (answer(403, b'{"message": "You are not subscribed to this API."}'), ('auth = {kind = "rapidapi", keys = ["k-12345678"]}',), False, "auth", "answered 403: You are not subscribed", "its account is subscribed"),  # noqa: E501 - the same
        (answer(429, b'{"message": "You have exceeded the MONTHLY quota"}'), ('auth = {kind = "rapidapi", keys = ["k-12345678"]}',), None, "response", "answered 429: You have exceeded the MONTHLY quota", "its quota is spent"),  # noqa: E501 - the same
        (answer(500, b"boom \x1b[31mred"), (), False, "response", "answered 500: boom [31mred", "the API itself fails"),
        (answer(302, b"", "Location: https://elsewhere.test/"), (), False, "response", "answered 302", "write the address that it names into base_url"),  # noqa: E501 - the same
        (answer(404), (PROBE,), None, "response", "answered 404", "the path of health_check may be wrong"),
        (ok(b'{"errors": ["x"]}'), ('success = {json = "errors == null"}',), False, "response", "answered 200", "declare health_check.path"),  # noqa: E501 - the same
        (Reply(b"garbage\r\n\r\n"), (), False, "response", "not valid HTTP", "the API itself fails"),
        (CLOSE, (), False, "response", "closed the connection", "the API itself fails"),
        (RESET, (), False, "response", "lost", "the API itself fails"),
        (STALL, (PROBE,), False, "timeout", "no response headers within 0.3 s", "the API itself fails"),
    ],
)  # fmt: skip
async def test_an_answer_is_told_with_what_to_do(tmp_path, reply, options, works, stage, said, advised):
    async with RawServer(reply) as server:
        found = await asked(tmp_path, server.url, *options)
    assert (found.ok, found.stage) == (works, stage)
    assert said in found.message
    assert advised in found.advice
    assert bool(found.advice) is bool(advised)
    assert KEY not in json.dumps(found.as_dict())


async def test_a_port_where_nobody_listens_and_a_name_that_nobody_has_are_told(tmp_path):
    refused = await asked(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert (refused.ok, refused.stage) == (False, "refused")
    assert refused.advice.startswith("nothing listens there")
    unknown = await asked(tmp_path, "http://no-such-host.invalid")
    assert (unknown.ok, unknown.stage) == (False, "dns")
    assert "the name does not resolve" in unknown.message


@contextlib.asynccontextmanager
async def secured(certificate: str):
    """A server with one of the bad certificates; its URL."""

    async def talk(reader, writer):
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=server_context(certificate))
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("certificate", ["self_signed", "expired", "wrong_host"])
async def test_a_certificate_that_cannot_be_trusted_is_told(tmp_path, certificate):
    async with secured(certificate) as url:
        found = await asked(tmp_path, url)
    assert (found.ok, found.stage) == (False, "tls")
    assert "certificate" in found.message
    assert "the clock of this machine" in found.advice


async def test_the_table_fits_a_narrow_terminal_and_speaks_portuguese(tmp_path, capsys):
    async with RawServer(answer(401)) as server:
        found = await asked(tmp_path, server.url, BEARER)
    screen = Screen(texts("pt_BR"), width=40)
    render(screen, [found])
    shown = capsys.readouterr().out
    assert "falha" in shown
    assert "verifique a chave em [apis.it.auth]" in shown
    assert max(map(len, shown.partition("verifique")[0].splitlines()[:-1])) <= 40
    assert advice(screen, found) == "verifique a chave em [apis.it.auth] e se a conta dela assina esta API"


async def test_what_was_found_is_said_in_portuguese_too(tmp_path, capsys):
    refused = await asked(tmp_path, f"http://127.0.0.1:{free_port()}")
    async with RawServer(answer(503)) as server:
        failing = await asked(tmp_path, server.url, PROBE)
    async with RawServer(STALL) as server:
        silent = await asked(tmp_path, server.url, PROBE)
    render(Screen(texts("pt_BR"), width=200), [refused, failing, silent])
    shown = capsys.readouterr().out
    assert "não foi possível conectar a 127.0.0.1: conexão recusada" in shown
    assert "respondeu 503: " in shown
    assert "nenhum cabeçalho de resposta em 0.3 s" in shown


def test_the_sample_is_checked_with_its_own_simulated_apis(tmp_path, monkeypatch, capsys):
    from understudy.cli.commands import run

    monkeypatch.chdir(tmp_path)
    assert run(["check", "--simulator", "--json"]) == OK
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 7
    assert all(each["ok"] for each in found)


def test_the_exit_code_is_that_of_the_worst(tmp_path, monkeypatch, capsys):
    from understudy.cli.commands import run

    monkeypatch.chdir(tmp_path)
    (tmp_path / "understudy.toml").write_text(f'[apis.gone]\nbase_url = "http://127.0.0.1:{free_port()}"\n')
    assert run(["check"]) == FAILED
    assert "1 of 1 APIs does not work." in capsys.readouterr().out
    (tmp_path / "understudy.toml").write_text("")
    assert run(["check"]) == OK
    assert "names no HTTP API" in capsys.readouterr().out
