"""Tells what was pasted, and has it read."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .curl import read_curl
from .openapi import read_openapi
from .proposal import Proposal, proposed
from .python import read_python
from .request import Pasted, PasteError, Said
from .script import read_script

_ = Said
#: Longest text that is looked at, characters; a longer one is no request.
MOST: Final = 512 * 1024
#: The same of everything but a document.
_MOST_CODE: Final = 64 * 1024
_PYTHON: Final = re.compile(
    r"^[ \t]*+(?:import|from)\s+(?:requests|httpx|http)\b|\brequests\.\w+\(|\bhttpx\.\w+\(", re.MULTILINE
)
_SCRIPT: Final = re.compile(r"\bfetch\s*\(|\baxios\b|\brequire\s*\(|\bimport\s+\w+\s+from\b")
_ADDRESS: Final = re.compile(r"https?://\S+|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:[/?]\S*)?", re.IGNORECASE)
_CURL: Final = re.compile(r"^[ \t]*+(?:[$>#][ \t]++)?curl(?:\.exe)?\s", re.IGNORECASE)
_LINES: Final = re.compile(_CURL.pattern, re.IGNORECASE | re.MULTILINE)


def propose(text: str) -> Proposal:
    """The API that a pasted text describes.

    Raises:
        PasteError: what was not understood, and what is expected.
    """
    if len(text) > MOST:
        raise PasteError(_("the text is longer than {size} KiB", size=str(MOST // 1024)))
    text = text.strip().removeprefix("\ufeff").strip()
    if not text:
        raise PasteError(_("nothing was pasted: expected a curl line, a snippet of code or an address"))
    if "\0" in text:
        raise PasteError(_("the text holds signs that are no text"))
    if text[0] == "{":
        return read_openapi(_parsed(text))
    if len(text) > _MOST_CODE:
        raise PasteError(_("the text is longer than {size} KiB", size=str(_MOST_CODE // 1024)))
    if _CURL.match(text):
        if (count := len(_LINES.findall(text))) > 1:
            raise PasteError(_("{count} curl lines were pasted; paste one at a time", count=str(count)))
        return proposed(read_curl(text))
    if _ADDRESS.fullmatch(text):
        return proposed(Pasted(text))
    if re.search(r"\bInvoke-(?:WebRequest|RestMethod)\b", text):
        raise PasteError(_("Invoke-WebRequest is not understood: copy the request as cURL instead"))
    if re.match(r"(?:openapi|swagger)\s*:", text):
        raise PasteError(_("this OpenAPI document is YAML: paste it as JSON"))
    if _PYTHON.search(text):
        return proposed(read_python(text))
    if _SCRIPT.search(text):
        return proposed(read_script(text))
    raise PasteError(
        _("expected a curl line, Python (requests, http.client), JavaScript (fetch, axios), OpenAPI or an address")
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise PasteError(_("the JSON is nested too deeply")) from None
    except json.JSONDecodeError as error:
        raise PasteError(_("the JSON cannot be read at line {line}", line=str(error.lineno))) from None
    except ValueError:
        raise PasteError(_("the JSON holds a number that is too long")) from None
    return found if isinstance(found, dict) else {}
