"""Reads the snippets of Python that RapidAPI's page and others give: requests, httpx, http.client.

The text is parsed, never run: only plain values and what is put together of them count.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from .request import Pasted, PasteError, Said

_ = Said
_VERBS: Final = frozenset({"get", "head", "post", "put", "patch", "delete", "options"})
_CONNECTIONS: Final = {"HTTPSConnection": "https", "HTTPConnection": "http"}
#: Names of the environment's variables come in as these shells write them.
_VARIABLES: Final = frozenset({"environ", "getenv"})
#: Longest text that is put together, characters: each that is put together may stand in the next one twice.
_LONGEST: Final = 4096
#: Most braces; Python itself takes time in proportion to the square of those in one text.
_MOST_BRACES: Final = 2000
#: Bits of a number that may stand in an address.
_BITS: Final = 64


def read_python(text: str) -> Pasted:
    """The first request that the snippet sends.

    Raises:
        PasteError: it is no Python, or sends none that can be read.
    """
    if text.count("{") > _MOST_BRACES:
        raise PasteError(_("the Python cannot be read"))
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise PasteError(_("the Python cannot be read at line {line}", line=str(error.lineno or 1))) from None
    except (RecursionError, MemoryError, ValueError):
        raise PasteError(_("the Python cannot be read")) from None
    reader = _Reader()
    try:
        for node in _in_order(tree):
            found = reader.take(node)
            if found is not None:
                return found
    except RecursionError:
        raise PasteError(_("the Python cannot be read")) from None
    raise PasteError(_("no call of requests, httpx or http.client was found"))


def _in_order(tree: ast.AST) -> list[ast.Assign | ast.Call]:
    """Statements and calls from top to bottom."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.Call)]
    return sorted(nodes, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))


class _Reader:
    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        #: `scheme://host` of a connection of http.client, by the name that holds it.
        self._connections: dict[str, str] = {}

    def take(self, node: ast.AST) -> Pasted | None:
        """Remember an assignment; the request when the node sends one."""
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            connection = self._connection(node.value)
            if connection:
                self._connections[name] = connection
            else:
                self._values[name] = self.value(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self._call(node, node.func)
        return None

    def _connection(self, node: ast.AST) -> str:
        if not isinstance(node, ast.Call) or not node.args:
            return ""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        host = self.value(node.args[0])
        return f"{_CONNECTIONS[name]}://{host}" if name in _CONNECTIONS and isinstance(host, str) else ""

    def _call(self, node: ast.Call, func: ast.Attribute) -> Pasted | None:
        owner = func.value.id if isinstance(func.value, ast.Name) else ""
        given = [self.value(each) for each in node.args]
        named = {each.arg: self.value(each.value) for each in node.keywords if each.arg}
        if owner in self._connections and func.attr == "request":
            return self._of_http_client(self._connections[owner], given, named)
        if func.attr == "request" and given and str(given[0]).lower() in _VERBS:
            return self._of_requests(str(given[0]), given[1:], named)
        if func.attr == "request" and "method" in named:
            return self._of_requests(str(named["method"]), given, named)
        if func.attr in _VERBS and (given or "url" in named):
            return self._of_requests(func.attr, given, named)
        return None

    def _of_requests(self, method: str, given: list[Any], named: dict[str, Any]) -> Pasted | None:
        url = named.get("url", given[0] if given else None)
        if not isinstance(url, str) or "://" not in url:
            return None  # `headers.get("x")`, or an address that only running it would tell
        auth = named.get("auth")
        user = ":".join(map(str, auth)) if isinstance(auth, tuple | list) and len(auth) == 2 else None
        return Pasted(url, method.upper(), _texts(named.get("headers")), user, _texts(named.get("params")))

    def _of_http_client(self, address: str, given: list[Any], named: dict[str, Any]) -> Pasted:
        parts = dict(zip(("method", "url", "body", "headers"), given, strict=False)) | named
        path = parts.get("url", "/")
        if not isinstance(path, str):
            raise PasteError(_("the path of conn.request is no plain text"))
        path = path if path.startswith("/") else f"/{path}"
        method = str(parts.get("method", "GET")).upper()
        return Pasted(address + path, method, _texts(parts.get("headers")))

    def value(self, node: ast.AST | None) -> Any:
        """What an expression is, as far as that is plain to see; None else."""
        match node:
            case ast.Constant():
                return node.value if not isinstance(node.value, int) or node.value.bit_length() <= _BITS else None
            case ast.Name():
                return self._values.get(node.id)
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                return {self._plain(key): self._plain(each) for key, each in pairs if isinstance(key, ast.Constant)}
            case ast.Tuple() | ast.List():
                return [self._plain(each) for each in node.elts]
            case ast.JoinedStr():
                return _joined([self._plain(each) for each in node.values])
            case ast.FormattedValue():
                return self._plain(node.value)
            case ast.BinOp(op=ast.Add()):
                return _joined([self._plain(node.left), self._plain(node.right)])
            case ast.Subscript() | ast.Call():
                return _variable(node)
        return None

    def _plain(self, node: ast.AST | None) -> Any:
        """The same inside of something else, where lists and tables mean nothing to us."""
        found = self.value(node)
        return found if isinstance(found, str | int | float) else None


def _variable(node: ast.Subscript | ast.Call) -> str | None:
    """`$NAME` for `os.environ["NAME"]`, `os.environ.get("NAME")` and `os.getenv("NAME")`."""
    source = node.value if isinstance(node, ast.Subscript) else node.func
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(source)}
    argument = node.slice if isinstance(node, ast.Subscript) else (node.args[0] if node.args else None)
    if names & _VARIABLES and isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return f"${argument.value}"
    return None


def _joined(parts: list[Any]) -> str | None:
    texts = [None if part is None else str(part) for part in parts]
    plain = [text for text in texts if text is not None]
    return "".join(plain) if len(plain) == len(texts) and sum(map(len, plain)) <= _LONGEST else None


def _texts(found: Any) -> tuple[tuple[str, str], ...]:
    """The pairs of a table whose values are plain."""
    if not isinstance(found, dict):
        return ()
    return tuple((str(name), str(value)) for name, value in found.items() if name is not None and value is not None)
