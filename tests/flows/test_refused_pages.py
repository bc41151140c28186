"""A page that is not open to its reader says why, in their language, and what opens it."""

from __future__ import annotations

from signed import signed


async def test_a_refusal_names_what_it_takes_and_the_way_there() -> None:
    async with signed() as it:
        operator = await it.signed_in("operator", headers={"accept-language": "pt-BR"})
        told = await operator.page("/settings/users")
        assert told.status == 403
        assert "É preciso ter a permissão admin." in told.text
        assert "needs the permission" not in told.text
        assert "/setup" not in told.text


async def test_without_accounts_it_leads_to_the_first_one() -> None:
    async with signed(accounts=False) as it:
        anyone = it.browser()
        told = await anyone.page("/settings/users")
        assert told.status == 403
        assert "there is none yet" in told.text
        assert "/setup?next=%2Fsettings%2Fusers" in told.text
        # No password is asked of somebody who has none, and no sessions are ended where there are none.
        tokens = await anyone.page("/settings/tokens")
        assert "/settings/confirm" not in tokens.text
        assert "/setup?next=%2Fsettings%2Ftokens" in tokens.text
        assert "End all my other sessions" not in (await anyone.page("/settings/sessions")).text
