"""The key of the service: what it digests tokens with."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from understudy.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from understudy.app import Understudy

#: What our own key is kept under.
_KEPT: Final = "accounts:key"
#: A key of the configuration that is shorter is not used, characters.
_SHORTEST: Final = 16


async def service_key(app: Understudy) -> bytes:
    """The configured secret key (`DASHBOARD_SECRET_KEY`), made fit for this purpose; else one that the store keeps.

    Raises:
        StoreUnavailable: it cannot be read or kept now.
    """
    configured = app.settings.service.secret_key if app.settings is not None else None
    if configured is not None and len(configured.reveal()) >= _SHORTEST:
        text = configured.reveal()
    else:
        if app.keeping is None:
            raise StoreUnavailable("nothing is kept here: this process was started without a store")
        state = app.keeping.store.state
        text = (await state.load(_KEPT)).get(_KEPT) or ""
        if not text:
            await state.save({_KEPT: secrets.token_hex(32)})
            text = str((await state.load(_KEPT))[_KEPT])
    return hmac.new(text.encode("utf-8", "surrogatepass"), b"understudy tokens", hashlib.sha256).digest()
