"""`understudy status-page export`: the public page as files for any web server; they stay when the service does not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup

from understudy.core.text import Texts

from .client import ServiceClient
from .exits import FAILED, Stop
from .options import HELP, config_option, examples, service_url, url_option
from .screen import Screen
from .setup_draft import write_private

#: What works only while the service runs is left out of the files.
_LIVE = re.compile(r"<!--live-->.*?<!--/live-->", re.DOTALL)
_STATIC = re.compile(r'href="(/static/([a-z-]+)\.[0-9a-f]+\.(css|svg))"')


def status_page_commands(_: Texts, kind: type[TyperCommand], group: type[TyperGroup]) -> typer.Typer:
    """The commands about the public status page, in one language."""
    app = typer.Typer(
        cls=group, no_args_is_help=True, context_settings=HELP, help=_("The public status page as files.")
    )
    shown = examples(_, "understudy status-page export /var/www/status", "understudy status-page export out --lang pt")

    @app.command("export", help=_("Write the page, its feeds and badges into a folder."), epilog=shown, cls=kind)
    def command(
        folder: Path = typer.Argument(..., help=_("The folder; it is made if it is not there.")),
        url: str = url_option(_),
        config: Path | None = config_option(_),
    ) -> None:
        written = export(ServiceClient(service_url(url, config), _), folder, _)
        Screen(_).line(_.plural("{count} file written", "{count} files written", len(written)), "good")

    # A group of one command would take the command's own name for an argument.
    app.callback()(lambda: None)
    return app


def export(client: ServiceClient, folder: Path, text: Texts) -> list[Path]:
    """Fetch the page from a running service and write it; the files. Each is replaced as a whole."""
    lang = text.tag
    off = text("{url} has no status page: enabled = true under [status_page] switches it on", url=client.url)
    page = client.fetch("/status", off, lang=lang).decode()
    content = client.get("/api/status-page")
    files: dict[str, bytes] = {"status.json": json.dumps(content, ensure_ascii=False, indent=1).encode()}
    for path, name, ending in set(_STATIC.findall(page)):
        files[f"{name}.{ending}"] = client.fetch(path)
    for name in ("atom.xml", "rss.xml"):
        files[name] = client.fetch(f"/status/{name}", lang=lang)
    for key in ("all", *(each["key"] for each in content["components"])):
        files[f"badges/{key}.svg"] = client.fetch(f"/status/badges/{key}.svg", lang=lang)
    page = _STATIC.sub(r'href="\2.\3"', _LIVE.sub("", page))
    page = page.replace('"/status/', '"').replace('"/api/status-page"', '"status.json"')
    files["index.html"] = page.encode()  # the last: it never names what is not there yet
    written = []
    for name, body in files.items():
        file = folder / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_private(file, body.decode(), 0o644)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise Stop(FAILED, text("{file} cannot be written: {reason}", file=file, reason=reason)) from None
        written.append(file)
    return written
