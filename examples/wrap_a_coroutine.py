"""Wrap what you have: coroutines that can each give the answer.

python examples/wrap_a_coroutine.py
"""

import asyncio

from understudy import AllApisFailed, Understudy


async def odds_from_main(match):
    """Stands for your own client of the API you prefer; today it is out of order."""
    raise ConnectionRefusedError("main.example refuses connections")


async def odds_from_backup(match):
    """The same for the one that can stand in for it."""
    return {"match": match, "home": 1.9, "away": 4.2}


async def main():
    async with Understudy.build() as app:
        app.fallback.register_api("main", priority=1)
        app.fallback.register_api("backup", priority=2)

        # One call: operations take no arguments, so bind yours.
        result = await app.fallback.call("main", lambda: odds_from_main(7), lambda: odds_from_backup(7))
        print(result.api, "served:", result.value)
        print(result.explain())

        # Every call of a function: the fallback gets the same arguments.
        odds = app.guard("main", fallback=odds_from_backup)(odds_from_main)
        for match in range(20):
            assert (await odds(match))["match"] == match

        summary = app.monitor.get_performance_summary()["apis"]
        print("attempts at main:", summary["main"]["total_requests"], "in 21 calls; then its breaker was open")

        # When nobody can, the error lists what each of them said.
        try:
            await app.fallback.execute_with_fallback("main", lambda: odds_from_main(7), lambda: odds_from_main(8))
        except AllApisFailed as error:
            print("nobody served:", error)


asyncio.run(main())
