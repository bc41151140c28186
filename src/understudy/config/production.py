"""The original document's names for the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy import __version__
from understudy.export.logs import configure_logging

from .loader import Loaded, load
from .settings import Settings
from .sources import real_environment


class ProductionConfig:
    """The configuration as the original document's code reads it: plain attributes.

    Arguments override what files and variables say: `ProductionConfig(log_format="json")`.

    Raises:
        ConfigError: with every fault at once.
    """

    def __init__(
        self,
        environment: str | None = None,
        *,
        log_level: str | None = None,
        log_file: str | None = None,
        log_format: str | None = None,
        dashboard_host: str | None = None,
        dashboard_port: int | None = None,
        path: Path | str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "log.level": log_level,
            "log.file": log_file,
            "log.format": log_format,
            "service.host": dashboard_host,
            "service.port": dashboard_port,
        }
        overrides = [f"{name}={value}" for name, value in given.items() if value is not None]
        variables = real_environment() if env is None else env
        self.loaded: Loaded = load(path, env=variables, overrides=overrides, environment=environment)

    @property
    def settings(self) -> Settings:
        """The whole tree."""
        return self.loaded.settings

    @property
    def environment(self) -> str:
        """development, staging or production."""
        return self.settings.environment

    @property
    def log_level(self) -> str:
        """Events below this level are not written."""
        return self.settings.log.level

    @property
    def log_file(self) -> str:
        """The log's file; empty: standard error."""
        return self.settings.log.file

    @property
    def log_format(self) -> str:
        """`text` or `json`."""
        return self.settings.log.format

    @property
    def dashboard_host(self) -> str:
        """The address that the service listens on."""
        return self.settings.service.host

    @property
    def dashboard_port(self) -> int:
        """Its port."""
        return self.settings.service.port

    @property
    def alert_success_rate_threshold(self) -> float:
        """Lowest good success rate, percent."""
        return self.settings.alerts.success_rate

    @property
    def alert_response_time_threshold(self) -> float:
        """Highest good response time, seconds."""
        return self.settings.alerts.response_time

    @property
    def alert_error_rate_threshold(self) -> float:
        """Highest good error rate, percent."""
        return self.settings.alerts.error_rate

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not configured, by name, and why."""
        return self.loaded.warnings

    def configure_logging(self) -> None:
        """Write this process's log as `log_level`, `log_file` and `log_format` say; it is the standard library's.

        Raises:
            OSError: the log's file cannot be opened.
        """
        configure_logging(
            self.settings.log, secrets=self.loaded.secrets(), version=__version__, environment=self.environment
        )

    def get_notification_channels(self) -> list[str]:
        """Names of the configured channels: email, slack, discord, telegram, and those of the files."""
        return list(self.settings.channels)

    def __repr__(self) -> str:
        return f"ProductionConfig(environment={self.environment!r}, channels={self.get_notification_channels()!r})"


def load_production_config(path: Path | str | None = None) -> ProductionConfig:
    """The configuration of this process: files, `.env` and variables."""
    return ProductionConfig(path=path)
