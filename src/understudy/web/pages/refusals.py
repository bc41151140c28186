"""Why an act with accounts was not done, in the reader's language."""

from __future__ import annotations

from understudy.core.text import Texts
from understudy.web.auth.acts import Refused
from understudy.web.auth.passwords import LONGEST, SHORTEST


def refusal(_: Texts, error: Refused) -> str:
    """The reason as a sentence; in the words of the API where there is no translation."""
    return {
        "wrong": _("The name or the password is wrong."),
        "wrong_password": _("The password is wrong."),
        "wait": _("Too many attempts. Wait {seconds} s, then try again.", seconds=error.wait),
        "setup": _("The set-up token is wrong, was used, or is older than 30 minutes."),
        "again": _("The two passwords differ."),
        "same": _("The new password is the old one."),
        "taken": _("There is an account of that name already."),
        "name": _("A name has 1 to 64 printable characters."),
        "role": _("Choose one of the roles."),
        "last": _("This is the last administrator who may sign in. Make another one first."),
        "gone": _("It is not there any more."),
        "prove": _("Give your password again first."),
        "session": _("This needs a person who is signed in, not a token."),
        "scopes": _("Choose at least one of the permissions."),
        "more": _("A token cannot do more than whoever makes it."),
        "lasting": _("A token lasts for at most ten years."),
        "apis": _("There is no API of that name."),
        "ips": _("Give addresses or networks such as 192.0.2.7 or 10.0.0.0/8, separated by commas."),
        "reason": _("Say why."),
        "no_store": _("Nothing is kept here: this process was started without a store."),
        "password_short": _("A password has at least {count} characters.", count=SHORTEST),
        "password_long": _("A password has at most {count} characters.", count=LONGEST),
        "password_common": _("This password is made of what everybody tries first. Take several other words."),
        "password_name": _("This password is little more than the name of the account."),
        "password_plain": _("This password repeats or counts. Take several words that do not belong together."),
    }.get(error.code, str(error))
