# ruff: noqa: D102, S101 - a suite: its names are its documentation, its asserts its content
"""What every `AccountStore` promises, as a suite: a subclass named `Test…` has the fixture `accounts`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from understudy.core.accounts import IDLE, LONGEST, Account, Session, Token
from understudy.core.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from understudy.core.accounts import AccountStore

_NOW = 1_800_000_000.0


def _account(name: str, role: str = "admin") -> Account:
    return Account(f"id-{name}", name, role, "$argon2id$…", _NOW, _NOW)


def _session(digest: str, account: str = "id-ana", at: float = _NOW) -> Session:
    return Session(digest, account, at, at, at, "192.0.2.1", "Browser ✓")


def _token(key: str, account: str = "id-ana") -> Token:
    return Token(key, f"token {key} ✓", account, "ab" * 32, ("read", "gateway"), ("odds",), ("192.0.2.0/24",), _NOW)


async def _later(seen: Callable[[], Awaitable[object]], wanted: object) -> None:
    """What is noted without anybody who waits for it is there soon."""
    for _ in range(500):
        if await seen() == wanted:
            return
        await SYSTEM_CLOCK.sleep(0.01)
    assert await seen() == wanted


class AccountStoreContract:
    """The promises of `core.accounts.AccountStore`."""

    async def test_nobody_is_there_at_first(self, accounts: AccountStore) -> None:
        assert await accounts.accounts() == []
        assert await accounts.sessions() == []
        assert await accounts.tokens() == []
        assert await accounts.session("x") is None

    async def test_accounts_come_back_as_they_were_kept_by_name(self, accounts: AccountStore) -> None:
        bob, ana = _account("Bob é ✓", "viewer"), replace(_account("ana"), disabled="left", signed_in_at=_NOW + 1.5)
        assert await accounts.add(bob)
        assert await accounts.add(ana)
        assert await accounts.accounts() == [ana, bob]

    async def test_a_name_is_given_once_whatever_its_case(self, accounts: AccountStore) -> None:
        assert await accounts.add(_account("Ana"))
        assert not await accounts.add(replace(_account("ANA"), id="other"))
        assert await accounts.add(_account("bob"))
        assert not await accounts.change(replace(_account("bob"), name="aNa"))
        assert [each.name for each in await accounts.accounts()] == ["Ana", "bob"]

    async def test_of_many_who_take_a_name_at_once_one_gets_it(self, accounts: AccountStore) -> None:
        got = await asyncio.gather(*(accounts.add(replace(_account("ana"), id=f"id{n}")) for n in range(20)))
        assert sum(got) == 1

    async def test_the_last_administrator_stays_one(self, accounts: AccountStore) -> None:
        ana, bob = _account("ana"), _account("bob")
        await accounts.add(ana)
        await accounts.add(_account("cai", "operator"))
        assert not await accounts.change(replace(ana, role="viewer"))
        assert not await accounts.change(replace(ana, disabled="left"))
        assert not await accounts.remove(ana.id)
        await accounts.add(bob)
        done = await asyncio.gather(
            *(accounts.change(replace(each, role="viewer")) for each in (ana, bob)), *(accounts.remove(ana.id),)
        )
        left = [each for each in await accounts.accounts() if each.role == "admin"]
        assert len(left) == 1, done

    async def test_an_unknown_account_is_neither_changed_nor_removed(self, accounts: AccountStore) -> None:
        assert not await accounts.change(_account("nobody"))
        assert not await accounts.remove("id-nobody")

    async def test_a_set_up_token_makes_one_administrator(self, accounts: AccountStore) -> None:
        await accounts.offer_setup("d" * 64, _NOW + 60)
        assert not await accounts.add_first(_account("eve"), "e" * 64, _NOW)
        assert not await accounts.add_first(_account("eve"), "", _NOW)
        assert not await accounts.add_first(_account("eve"), "d" * 64, _NOW + 60)
        got = await asyncio.gather(*(accounts.add_first(_account(f"n{n}"), "d" * 64, _NOW) for n in range(20)))
        assert sum(got) == 1
        assert len(await accounts.accounts()) == 1
        await accounts.offer_setup("f" * 64, _NOW + 60)
        assert not await accounts.add_first(_account("eve"), "f" * 64, _NOW)

    async def test_a_newer_set_up_token_replaces_the_one_before(self, accounts: AccountStore) -> None:
        await accounts.offer_setup("d" * 64, _NOW + 60)
        await accounts.offer_setup("e" * 64, _NOW + 60)
        assert not await accounts.add_first(_account("ana"), "d" * 64, _NOW)
        assert await accounts.add_first(_account("ana"), "e" * 64, _NOW)

    async def test_sessions_begin_rotate_and_end(self, accounts: AccountStore) -> None:
        first, second, other = _session("a"), _session("b", at=_NOW + 1), _session("c", "id-bob")
        await accounts.begin(first)
        await accounts.begin(other)
        await accounts.begin(second, ends="a")
        assert await accounts.session("a") is None
        assert await accounts.session("b") == second
        assert await accounts.sessions() == [second, other]
        assert await accounts.sessions("id-ana") == [second]
        await accounts.prove("b", _NOW + 9)
        assert await accounts.session("b") == replace(second, proved_at=_NOW + 9)
        await accounts.end(["c", "never"])
        assert await accounts.session("c") is None

    async def test_all_sessions_of_an_account_end_but_one(self, accounts: AccountStore) -> None:
        for digest in "abc":
            await accounts.begin(_session(digest))
        await accounts.begin(_session("d", "id-bob"))
        assert await accounts.end_all("id-ana", but="b") == 2
        assert {each.digest for each in await accounts.sessions()} == {"b", "d"}

    async def test_what_is_over_is_forgotten(self, accounts: AccountStore) -> None:
        idle, long = _session("a", at=_NOW - IDLE), replace(_session("b"), created_at=_NOW - LONGEST)
        for each in (idle, long, _session("c")):
            await accounts.begin(each)
        assert idle.ended(_NOW)
        assert long.ended(_NOW)
        await accounts.offer_setup("d" * 64, _NOW)
        await accounts.forget_ended(_NOW)
        assert [each.digest for each in await accounts.sessions()] == ["c"]
        assert not await accounts.add_first(_account("ana"), "d" * 64, _NOW - 1)

    async def test_uses_are_noted(self, accounts: AccountStore) -> None:
        await accounts.add(_account("ana"))
        await accounts.begin(_session("a"))
        await accounts.add_token(_token("t1"))
        accounts.seen("a", _NOW + 60)
        accounts.signed_in("id-ana", _NOW + 61)
        accounts.used("t1", _NOW + 62, "192.0.2.7")

        async def noted() -> tuple[float, float, float, str]:
            [session], [token] = await accounts.sessions(), await accounts.tokens()
            return session.seen_at, (await accounts.accounts())[0].signed_in_at, token.used_at, token.used_ip

        await _later(noted, (_NOW + 60, _NOW + 61, _NOW + 62, "192.0.2.7"))

    async def test_tokens_come_back_and_go(self, accounts: AccountStore) -> None:
        made = [_token("t1"), replace(_token("t2"), expires_at=_NOW + 1, apis=(), ips=())]
        for each in made:
            await accounts.add_token(each)
        assert await accounts.tokens() == made
        assert await accounts.remove_token("t1")
        assert not await accounts.remove_token("t1")
        assert await accounts.tokens() == made[1:]

    async def test_what_belongs_to_an_account_goes_with_it(self, accounts: AccountStore) -> None:
        await accounts.add(_account("ana"))
        await accounts.add(_account("bob"))
        for name in ("ana", "bob"):
            await accounts.begin(_session(name, f"id-{name}"))
            await accounts.add_token(_token(name, f"id-{name}"))
        assert await accounts.remove("id-ana")
        assert [each.digest for each in await accounts.sessions()] == ["bob"]
        assert [each.id for each in await accounts.tokens()] == ["bob"]

    async def test_hostile_texts_are_only_texts(self, accounts: AccountStore) -> None:
        hostile = "x' OR '1'='1 \x00 \ud83d \"; DROP TABLE account; --"
        assert await accounts.session(hostile) is None
        assert not await accounts.remove(hostile)
        assert not await accounts.remove_token(hostile)
        assert await accounts.add(replace(_account("ana"), name=hostile[:12]))
