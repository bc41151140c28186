"""The command-line library's own texts in the reader's language, and its complaints in one line of ours."""

from __future__ import annotations

from typing import Any

from typer import core
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

#: What the library writes into help pages and errors, as it spells it.
LIBRARY = (
    "Usage: ", "Show this message and exit.", "Options", "Arguments", "Commands", "[default: {}]",
    "default: {default}", "[required]", "required", "Missing command.", "No such command {name!r}.",
)  # fmt: skip
_CONSTANTS = {
    "OPTIONS_PANEL_TITLE": "Options",
    "ARGUMENTS_PANEL_TITLE": "Arguments",
    "COMMANDS_PANEL_TITLE": "Commands",
    "DEFAULT_STRING": "[default: {}]",
    "REQUIRED_LONG_STRING": "[required]",
}


class Spoken:
    """What commands and groups of commands say of themselves; `text` is set by `spoken`."""

    text: Texts

    def get_help_option(self, ctx: Any) -> Any:
        """The `--help` option, described in the reader's language."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # the class beside this one has it
        if option is not None:
            option.help = self.text("Show this message and exit.")
        return option

    def get_usage(self, ctx: Any) -> str:
        """The first line of a help page."""
        usage: str = super().get_usage(ctx)  # type: ignore[misc]  # the class beside this one has it
        return usage.replace("Usage: ", self.text("Usage: "), 1)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help page, with its headings in the reader's language."""
        from typer import rich_utils  # late: it is large, and a service that runs has no help page to show

        for name, message in _CONSTANTS.items():
            setattr(rich_utils, name, self.text(message))
        super().format_help(ctx, formatter)  # type: ignore[misc]  # as above


def spoken(text: Texts) -> tuple[type[TyperCommand], type[TyperGroup]]:
    """The classes of commands and groups that speak one language.

    The library has no seam for its headings; they are constants of its module, and this file is the one place
    that sets them. A name that a later version lacks leaves that heading in English.
    """
    setattr(core, "_", text)  # noqa: B010 - a function from text to text, as gettext is; not declared as theirs

    class Command(Spoken, TyperCommand):
        pass

    class Group(Spoken, TyperGroup):
        pass

    Command.text = Group.text = text
    return Command, Group


def explained(error: Exception, text: Texts) -> str:
    """A wrong command line in one line, with what shows the right one."""
    command = getattr(getattr(error, "ctx", None), "command_path", None) or "understudy"
    return text("{what}; {command} --help shows how", what=_what(error, text), command=command)


def _what(error: Exception, text: Texts) -> str:
    kind = type(error).__name__
    option = getattr(error, "option_name", "")
    if kind == "NoSuchOption":
        said = text("there is no option {option}", option=option)
        near = ", ".join(sorted(getattr(error, "possibilities", None) or ()))
        return f"{said} ({text('did you mean {near}?', near=near)})" if near else said
    if kind == "BadOptionUsage":
        return text("{option} needs a value", option=option)
    parameter = getattr(error, "param", None)
    if parameter is None:
        message = str(getattr(error, "message", error)).rstrip(".")
        return text("there are more arguments than it takes") if message.startswith("Got unexpected") else message
    name = max(getattr(parameter, "opts", None) or [parameter.name], key=len)
    if kind == "MissingParameter":
        return text("{option} needs a value", option=name)
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is not None and high is not None:
        return text("{option} takes a number from {low} to {high}", option=name, low=low, high=high)
    return text("{option} takes a whole number", option=name)
