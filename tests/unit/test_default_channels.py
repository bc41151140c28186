"""The functions of the original document that set channels up, given what its users give them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import understudy
from understudy._default import reset
from understudy.core.errors import OptionError


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    reset()
    yield
    reset()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("slack", {"webhook_url": "https://hooks.slack.com/services/..."}),
        ("discord", {"webhook_url": "https://discord.com/api/webhooks/..."}),
        ("telegram", {"bot_token": "seu_bot_token", "chat_id": "seu_chat_id"}),
        ("email", {"smtp_server": "smtp.gmail.com", "username": "eu@example.com", "password": "sua_senha_app"}),
    ],
)
def test_a_channel_whose_values_are_still_those_of_the_template_stays_off_and_that_is_told(name, given, caplog):
    assert getattr(understudy, f"setup_{name}_notifications")(**given) == name
    assert understudy.get_notification_manager().channels() == {}
    (warning,) = caplog.messages
    assert warning == f"the channel {name} is not configured, and stays off: a value in it is a placeholder"


def test_a_port_may_come_as_a_variable_of_the_environment_has_it():
    mail = {"smtp_server": "mail.example.com", "from_email": "a@example.com", "to_emails": "b@example.com"}
    assert understudy.setup_email_notifications(smtp_port="465", **mail) == "email"
    with pytest.raises(OptionError, match="port: expected a whole number, found 'soon'"):
        understudy.setup_email_notifications(smtp_port="soon", **mail)
