"""What several commands have in common: their options, and how examples stand under their help."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from understudy.core.secrets import Secret
from understudy.core.text import Texts


@dataclass(frozen=True, slots=True)
class Asked:
    """Which service is asked, and with which token: what stands before a command, for every one of them."""

    url: str = ""
    token: Secret | None = None


#: As the command line that runs now says it.
ASKED: ContextVar[Asked] = ContextVar("asked", default=Asked())  # noqa: B039 - it is frozen

#: Both spellings of the question for help, for every command.
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def examples(_: Texts, *lines: str) -> str:
    """The examples under a command's help, one a line."""
    return "\n\n".join([f"[bold]{_('Examples')}[/bold]", *(f"  {line}" for line in lines)])


def config_option(_: Texts) -> Path | None:
    """`--config`."""
    option: Path | None = typer.Option(None, "--config", "-c", help=_("The configuration file."))
    return option


def override_option(_: Texts) -> list[str]:
    """`--set`, as often as wanted."""
    option: list[str] = typer.Option([], "--set", help=_("Override one value: apis.x.timeout=3"))
    return option


def environment_option(_: Texts) -> str | None:
    """`--environment`."""
    option: str | None = typer.Option(None, "--environment", "-e", help="development, staging, production")
    return option


def json_option(_: Texts) -> bool:
    """`--json`."""
    option: bool = typer.Option(False, "--json", help=_("JSON instead of a table."))
    return option


def url_option(_: Texts) -> str:
    """`--url`."""
    option: str = typer.Option("", "--url", "-u", help=_("The running service; by default as configured."))
    return option


def service_url(url: str, config: Path | None) -> str:
    """The address that was given, before the command or behind it, else that of the configuration."""
    url = url or ASKED.get().url
    if url:
        return url if "://" in url else f"http://{url}"
    from understudy.config import load

    service = load(config).settings.service
    host = f"[{service.host}]" if ":" in service.host else service.host
    return f"http://{host}:{service.port}"
