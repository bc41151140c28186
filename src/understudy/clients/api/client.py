"""The client: all its parts together."""

from __future__ import annotations

from .admin import Administration, Settings
from .alerts import Alerts
from .asking import Asking
from .past import Notifications, Past
from .people import People
from .state import State


class Client(State, Alerts, Past, Notifications, Settings, People, Administration, Asking):
    """The REST API of one service, each endpoint as a method; any other by `ask` and `fetch`.

    A request is sent again after 429, and after 503 where that can do no harm, when the service says how long to
    wait. Every method raises `ApiError` for a problem and `NotReached` where there is no answer.
    """
