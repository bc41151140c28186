"""Every error can cross into another process: one that could not would hang a process pool."""

from __future__ import annotations

import pickle

import pytest
from multidict import CIMultiDict

from understudy.core import errors
from understudy.core.errors import UnderstudyError
from understudy.resilience.outcome_table import CredentialsFailed

SAMPLES: list[UnderstudyError] = [
    errors.OptionError("api", "timeout", -1, "more than 0"),
    errors.ConfigError(("first", "second")),
    errors.UnknownName("API", "mian", "main"),
    errors.NotInstalled("a transport", "httpx"),
    errors.InvalidRequest("a line break"),
    errors.AllApisFailed("all", {"a": errors.ConnectFailed("no", stage="dns", host="a")}),
    errors.DeadlineExceeded("late", 3, causes={"a": errors.AttemptTimeout("late")}),
    errors.NoEligibleApi("none"),
    errors.BreakerOpen("open", 5.0, "open", "503"),
    errors.QuotaExhausted("spent", 60.0),
    errors.ConnectionLost("gone", sent=False, reused=True),
    errors.AttemptTimeout("late", stage="idle"),
    errors.PoolTimeout("full"),
    errors.TruncatedResponse("cut", received=7),
    errors.BadResponse("no", status=503, headers=CIMultiDict({"X": "1"}), body=b"why"),
    CredentialsFailed("no token", 5.0),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_a_pickle(error: UnderstudyError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)
    for name, value in vars(error).items():
        found = getattr(again, name)
        if name == "causes":
            assert {api: str(cause) for api, cause in found.items()} == {
                api: str(cause) for api, cause in value.items()
            }
        elif name == "headers":
            assert dict(found) == dict(value)
        else:
            assert found == value


def test_a_response_stays_where_its_connection_is() -> None:
    error = errors.BadResponse("no", status=503, response=object())  # type: ignore[arg-type]  # stands for one
    assert pickle.loads(pickle.dumps(error)).response is None
