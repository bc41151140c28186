"""The one frozen tree that a loaded configuration is."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

import annotated_types as at

from understudy.alerts.options import AlertOptions
from understudy.channels import AnyChannelOptions
from understudy.core.errors import OptionError
from understudy.core.options import Doc, Options
from understudy.core.secrets import Secret
from understudy.export.logs import LogSettings
from understudy.notifications.options import NotificationOptions
from understudy.notifications.policy import PolicyOptions
from understudy.reports.schedule import ReportSchedule
from understudy.resilience.api import ApiOptions, RouteOptions
from understudy.storage.options import StorageOptions

from .channels import ByKind
from .status_page import StatusPageOptions

_ADDRESS = re.compile(r"https?://[\w.\-\[\]:]{1,200}(/[\w.~/%\-]{0,200})?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class ServiceSettings(Options):
    """The HTTP service, as in `[service]`."""

    host: Annotated[str, at.MinLen(1), Doc("address to listen on; not loopback needs accounts")] = "127.0.0.1"
    port: Annotated[int, at.Ge(0), at.Le(65535), Doc("port to listen on; 0: any free one")] = 8080
    secret_key: Annotated[
        Secret | None, Doc("signs links of messages, digests API tokens; 16 characters or more; env:NAME or file:PATH")
    ] = None
    public_names: Annotated[
        tuple[str, ...], Doc("names besides `host` under which people ask for it, as understudy.example.com")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Doc("addresses or networks of proxies whose X-Forwarded-For and -Proto are believed")
    ] = ()
    tls_certificate: Annotated[str, at.MaxLen(4000), Doc("PEM file of the certificate to speak TLS with")] = ""
    tls_key: Annotated[str, at.MaxLen(4000), Doc("PEM file of its key; empty: in the file of the certificate")] = ""
    allow_plain_http: Annotated[
        bool, Doc("true: passwords and tokens may cross the network without TLS; others can read them")
    ] = False
    report_token: Annotated[
        Secret | None, Doc("what processes that report here must show; none: whoever reaches the port may report")
    ] = None
    allow_networks: Annotated[
        tuple[str, ...],
        Doc("networks, as 127.0.0.0/8, that addresses entered in the dashboard may lead to besides the internet"),
    ] = ()
    dashboards: Annotated[
        dict[str, str] | None, at.MaxLen(20), Doc("addresses of the dashboards of other environments, by their names")
    ] = None
    shutdown_timeout: Annotated[float, at.Ge(0), at.Le(3600), Doc("longest wait for running calls at the end", "s")] = (
        30.0
    )

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        for each in self.trusted_proxies:
            _check_network(each)
        for each in self.public_names:
            if not _NAME.fullmatch(each):
                expected = "host names without scheme and port, as understudy.example.com"
                raise OptionError("ServiceSettings", "public_names", each, expected)
        for name, address in (self.dashboards or {}).items():
            if not 1 <= len(name) <= 40 or not _ADDRESS.fullmatch(address):
                expected = "names of at most 40 characters, each with an address such as https://understudy.example.com"
                raise OptionError("ServiceSettings", "dashboards", address, expected)


def _check_network(text: str) -> None:
    try:
        everybody = ipaddress.ip_network(text, strict=False).prefixlen == 0
    except ValueError:
        everybody = True
    if everybody:
        expected = "addresses or networks such as 10.0.0.5 or 10.0.0.0/24, never everybody"
        raise OptionError("ServiceSettings", "trusted_proxies", text, expected)


Environment = Literal["development", "staging", "production"]


@dataclass(frozen=True, slots=True)
class Settings(Options):
    """The whole configuration."""

    environment: Annotated[Environment, Doc("which [environments.NAME] applies")] = "development"
    log: Annotated[LogSettings, Doc("logging")] = LogSettings()
    service: Annotated[ServiceSettings, Doc("the HTTP service")] = ServiceSettings()
    storage: Annotated[StorageOptions, Doc("what the service keeps, and where")] = StorageOptions()
    report_to: Annotated[str, Doc("URL of the service that a program without one reports its numbers to")] = ""
    report_token: Annotated[Secret | None, Doc("what that service wants to be shown; env:NAME or file:PATH")] = None
    apis: Annotated[dict[str, ApiOptions], Doc("the APIs, by name")] = field(default_factory=dict)
    routes: Annotated[dict[str, RouteOptions], Doc("the routes, by name")] = field(default_factory=dict)
    reports: Annotated[dict[str, ReportSchedule], Doc("reports that are made by themselves, by name")] = field(
        default_factory=dict
    )
    alerts: Annotated[AlertOptions, Doc("alerts and their rules")] = field(default_factory=AlertOptions)
    channels: Annotated[
        dict[str, Annotated[AnyChannelOptions, ByKind()]],
        Doc("ways to reach people, by name; `kind` says which service"),
    ] = field(default_factory=dict)
    policies: Annotated[
        dict[str, PolicyOptions], Doc("which alerts go to which channels, by name; the first that matches decides")
    ] = field(default_factory=dict)
    notifications: Annotated[NotificationOptions, Doc("notifications as a whole")] = NotificationOptions()
    status_page: Annotated[StatusPageOptions, Doc("the public status page")] = field(default_factory=StatusPageOptions)
