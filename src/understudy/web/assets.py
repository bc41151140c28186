"""Style sheets, scripts, fonts and icons: a fixed table in memory, under names that hold a hash of their content.

Nothing of a request is ever joined to a path. What one file says of another (`import "./x.js"`, `url("./x.woff2")`)
is rewritten to the hashed name, so that every file may be kept by browsers for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final

from .auth.permissions import Permission
from .bundle import bundled, from_bundle, in_order, loaded_later
from .endpoint import Endpoint, Table
from .http import Answer, Problem, Request
from .lean import lean_script, lean_style

if TYPE_CHECKING:
    from understudy.app import Understudy

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
#: The script of every page: it is served with everything that it imports.
BUNDLE: Final = "app.js"
#: How one of our files names another: a static or dynamic import, or a font of a style sheet.
_NAMED: Final = re.compile(r"""((?:from|import)\s*\(?\s*["']|url\(["']?)\./([a-z0-9-]+\.[a-z0-9]+)(?=["')])""")
_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # Drawings could hold scripts if one were ever opened by itself.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its address, and its bytes plain and packed (None where packing gains nothing)."""

    url: str
    kind: str
    body: bytes
    packed: bytes | None


class Assets:
    """All packaged files, by the name that pages know them by and by the one they are served under."""

    def __init__(self) -> None:
        self._sources = {
            each.name: each
            for folder in _folders()
            for each in folder.iterdir()
            if each.name.rpartition(".")[2] in _KINDS
        }
        #: What others wrote is served as they wrote it.
        self._foreign = {each.name for each in _folders()[1].iterdir()}
        #: What is in the bundle of every page; what the bundle loads later names the files themselves, as it cannot
        #: know the hash of a bundle that holds its own.
        self._shared = tuple(in_order(BUNDLE, self.text))
        self.later = self._later()
        self._apart = {*self._shared, *self.later}
        self._made: dict[str, Asset] = {}
        for name in sorted(self._sources):
            self._make(name, ())
        self._served = {asset.url.rpartition("/")[2]: asset for asset in self._made.values()}

    def url(self, name: str) -> str:
        """The address of a packaged file, as `app.js`. Raises KeyError for one that is not packaged."""
        return self._made[name].url

    def needed(self, name: str) -> list[str]:
        """The addresses of what a script imports, besides the bundle: named early, they are there in time."""
        return [self.url(each) for each in in_order(name, self.text)[:-1] if each not in self._shared]

    def served(self, name: str) -> Asset | None:
        """The file with this hashed name; None when there is none."""
        return self._served.get(name)

    def _make(self, name: str, users: tuple[str, ...]) -> Asset:
        if name in self._made:
            return self._made[name]
        if name in users:
            raise ValueError(f"packaged files name each other in a circle: {' > '.join([*users, name])}")
        stem, _, ending = name.rpartition(".")
        body = self._sources[name].read_bytes()
        if ending in ("js", "css"):
            text = self.text(name)
            if name == BUNDLE:
                text = bundled(self._shared, self.text)
            elif ending == "js" and name not in self._apart and name not in self._foreign:
                text = from_bundle(text, self._shared, BUNDLE)
            text = _NAMED.sub(lambda found: f"{found[1]}./" + self._beside(found[2], (*users, name)), text)
            body = text.encode("utf-8")
        digest = hashlib.sha256(body).hexdigest()[:10]
        packed = None if ending == "woff2" else gzip.compress(body, 9, mtime=0)
        asset = Asset(f"/static/{stem}.{digest}.{ending}", _KINDS[ending], body, packed)
        self._made[name] = asset
        return asset

    def text(self, name: str) -> str:
        """The text of a script or style sheet, ours without its comments."""
        text = self._sources[name].read_text("utf-8")
        if name in self._foreign:
            return text
        return lean_script(text) if name.endswith(".js") else lean_style(text)

    def _later(self) -> set[str]:
        found: set[str] = set()
        for name in self._shared:
            for each in loaded_later(self.text(name)):
                found.update(in_order(each, self.text))
        return found

    def _beside(self, name: str, users: tuple[str, ...]) -> str:
        """How a file names another by its hashed name: both lie beside each other."""
        return self._make(name, users).url.rpartition("/")[2]


def _folders() -> list[Traversable]:
    static = files("understudy.web") / "static"
    return [static, static / "vendor"]


@cache
def assets() -> Assets:
    """The packaged files, read at the first page."""
    return Assets()


async def serve(app: Understudy, request: Request) -> Answer:
    """One packaged file."""
    request.query()
    asset = assets().served(request.parts["file"])
    if asset is None:
        raise Problem(404, "there is no such file; reload the page that names it")
    headers = {**_KEPT, "Vary": "Accept-Encoding"}
    if asset.packed is not None and request.takes_gzip:
        return Answer(asset.packed, 200, asset.kind, {**headers, "Content-Encoding": "gzip"})
    return Answer(asset.body, 200, asset.kind, headers)


ROUTES: Table = {("GET", "/static/{file}"): Endpoint(serve, Permission.PUBLIC)}
