"""The typed client of the REST API of a running service.

    from understudy.clients.api import Client

    async with Client("http://127.0.0.1:8080", token="us_…") as client:
        for alert in await client.alerts():
            print(alert.rule, alert.labels)

`Blocking` has the same methods for code that does not await.
"""

from .asking import ApiError, NotReached
from .blocking import Blocking
from .client import Client
from .values import AccountShown, Me, NewToken, Page, RuleShown, SessionShown, SilenceShown, TokenShown

__all__ = [
    "AccountShown", "ApiError", "Blocking", "Client", "Me", "NewToken", "NotReached", "Page", "RuleShown",
    "SessionShown", "SilenceShown", "TokenShown",
]  # fmt: skip
