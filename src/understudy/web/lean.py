"""Scripts and style sheets without what only their readers need: comments that stand on lines of their own, indents.

This is no minifier and knows no grammar: it takes away whole lines and the types of JSDoc, and nothing else. What it
relies on is checked by a test: no text of our scripts goes over several lines, none holds the beginning of a comment.
"""

from __future__ import annotations

import re
from typing import Final

#: A comment that begins a line and ends one; and one of JSDoc within a line.
_BLOCK: Final = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*$", re.MULTILINE | re.DOTALL)
_TYPE: Final = re.compile(r"/\*\*[^\n]*?\*/ ?")
_LINE: Final = re.compile(r"^[ \t]*//.*$", re.MULTILINE)
_EDGES: Final = re.compile(r"^[ \t]+|[ \t]+$", re.MULTILINE)
_EMPTY: Final = re.compile(r"\n{2,}")


def lean_script(text: str) -> str:
    """A script of ours, shorter by its comments; its lines stay lines, as some end statements."""
    text = _LINE.sub("", _BLOCK.sub("", _TYPE.sub("", text)))
    return _EMPTY.sub("\n", _EDGES.sub("", text)).lstrip("\n")


def lean_style(text: str) -> str:
    """A style sheet of ours, shorter by its comments and indents."""
    return _EMPTY.sub("\n", _EDGES.sub("", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))).lstrip("\n")
