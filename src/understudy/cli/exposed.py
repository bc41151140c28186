"""Whether the service may be started where its configuration puts it: the rules, and the ways out of a refusal."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from understudy.config.settings import Settings
from understudy.config.sources import real_environment
from understudy.core.text import Texts
from understudy.storage.options import StorageOptions
from understudy.web.auth.exposure import Exposure, is_loopback, networks

from .exits import REFUSED, USAGE, Stop


def exposure_of(settings: Settings, *, insecure: bool = False) -> Exposure:
    """Where the service will be reached from."""
    service = settings.service
    return Exposure(
        service.host, service.port, service.public_names, networks(service.trusted_proxies),
        bool(service.tls_certificate), service.allow_plain_http, insecure,
    )  # fmt: skip


def refuse_exposure(exposure: Exposure, settings: Settings, origin: str, text: Texts) -> None:
    """Raise `Stop` when others could reach the service, and it has no administrator, or passwords would be readable."""
    if exposure.open and not exposure.local:
        raise Stop(REFUSED, text("{option} works on loopback only", option="--insecure-no-auth"))
    _check_tls(settings, text)
    if exposure.local:
        return
    if not _has_admin(settings.storage):
        refuse_unknown(exposure.host, exposure.port, origin, text)
    if not (is_loopback(exposure.host) or exposure.tls or exposure.plain_allowed):
        message = text(
            "refused to listen on {host} ({origin}) without TLS: others on the network could read passwords. Set "
            "service.tls_certificate and service.tls_key; or listen on 127.0.0.1 behind a proxy that speaks TLS, with "
            "service.public_names and service.trusted_proxies; or, where the network itself is safe, set "
            "service.allow_plain_http = true",
            host=exposure.host,
            origin=origin,
        )
        raise Stop(REFUSED, message)


def refuse_unknown(host: str, port: int, origin: str, text: Texts) -> None:
    """Raise `Stop`: others could reach the service, and nobody could sign in."""
    message = text(
        "refused to listen on {host} ({origin}): others could reach it, and there are no accounts yet. Make the first "
        "administrator here: understudy admin create NAME. Or keep it to this machine: understudy run --host "
        "127.0.0.1; for others an SSH tunnel, ssh -L {port}:127.0.0.1:{port} THIS-MACHINE, or a reverse proxy here "
        "that signs them in and asks for http://127.0.0.1:{port}",
        host=host,
        origin=origin,
        port=port,
    )
    raise Stop(REFUSED, message)


def _check_tls(settings: Settings, text: Texts) -> None:
    """Raise `Stop` unless the certificate and its key can be used, before anything listens."""
    service = settings.service
    if not service.tls_certificate:
        if service.tls_key:
            raise Stop(USAGE, text("{name} is not set", name="service.tls_certificate"))
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(service.tls_certificate, service.tls_key or None, password=lambda: b"")
    except OSError as error:  # an SSLError is one, too
        reason = error.strerror or str(error)
        files = " ".join(each for each in (service.tls_certificate, service.tls_key) if each)
        message = text("the certificate {files} cannot be used: {reason}", files=files, reason=reason)
        raise Stop(USAGE, message) from None


def _has_admin(storage: StorageOptions) -> bool:
    """Whether the store has an administrator who may sign in; one that is not there yet has none."""
    from understudy.storage.direct import Direct, exists

    if not exists(storage):
        return False

    async def asked() -> bool:
        return any(each.role == "admin" and not each.disabled for each in await Direct(storage).accounts.accounts())

    return asyncio.run(asked())


def supervisor() -> str:
    """What starts this process again when it ends: `systemd`, `container`; empty where nothing is recognised."""
    environment = real_environment()
    if environment.get("INVOCATION_ID") and environment.get("JOURNAL_STREAM"):
        return "systemd"
    if environment.get("KUBERNETES_SERVICE_HOST") or Path("/.dockerenv").exists():
        return "container"
    return ""
