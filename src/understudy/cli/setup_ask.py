"""Questions in a terminal: one small face over questionary, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import questionary
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition

from understudy.core.text import Texts

#: What a text must be: an empty answer means well, else the sentence that says what is wrong.
Check = Callable[[str], str]
#: Ends of a line that goes on in the next one, in bash, cmd and PowerShell.
_GOES_ON = ("\\", "^", "`")


class Ask:
    """Asks; Ctrl-C raises KeyboardInterrupt."""

    def __init__(self, text: Texts) -> None:
        self._ = text

    def text(self, message: str, default: str = "", check: Check | None = None, note: str = "") -> str:
        """One line."""
        question = questionary.text(message, default=default, validate=_validator(check), instruction=note or None)
        return str(question.unsafe_ask()).strip()

    def pasted(self, message: str) -> str:
        """Several lines, as they are pasted; a line that ends as shells continue one does not end the answer.

        What was pasted may hold a key, so it does not stay on the screen.
        """

        def goes_on() -> bool:
            lines = get_app().current_buffer.text.rstrip(" \t").splitlines()
            return bool(lines) and lines[-1].endswith(_GOES_ON)

        asked: Any = Condition(goes_on)
        return str(
            questionary.text(message, multiline=asked, instruction="", erase_when_done=True).unsafe_ask()
        ).strip()

    def secret(self, message: str, check: Check | None = None) -> str:
        """A line that is not shown."""
        return str(questionary.password(message, validate=_validator(check)).unsafe_ask()).strip()

    def yes(self, message: str, default: bool = True) -> bool:
        """Yes or no."""
        _ = self._
        answers = [("yes", _("Yes")), ("no", _("No"))]
        return self.one(message, answers, "yes" if default else "no") == "yes"

    def one(
        self, message: str, choices: Sequence[tuple[str, str]], default: str = "", *, numbered: bool = False
    ) -> str:
        """One of several; `numbered` ones can be chosen by their digit too, the tenth by 0."""
        _ = self._
        made = [
            questionary.Choice(title, value, shortcut_key=str(number % 10) if numbered else None)
            for number, (value, title) in enumerate(choices, 1)
        ]
        found = questionary.select(
            message,
            made,
            default=default or None,
            use_shortcuts=numbered,
            use_indicator=False,
            instruction=_("(arrows and Enter)"),
        ).unsafe_ask()
        return str(found)

    def some(self, message: str, choices: Sequence[tuple[str, str]]) -> list[str]:
        """Any number of them, in the order in which they stand."""
        _ = self._
        made = [questionary.Choice(title, value) for value, title in choices]
        found = questionary.checkbox(message, made, instruction=_("(space marks, Enter ends)")).unsafe_ask()
        return [str(each) for each in found]


def _validator(check: Check | None) -> Callable[[str], bool | str] | None:
    if check is None:
        return None
    return lambda given: check(given.strip()) or True
