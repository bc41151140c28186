"""Secrets of every kind that the service meets, each with a core that occurs nowhere else; and how they are searched.

Whatever shows as much as the core of one, as it is or in any of the usual encodings, has shown the secret.
"""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus


def core(number: int) -> str:
    """Sixteen letters and digits, as keys are made of."""
    return f"Zq{number:02d}hV7rKw{number:02d}Xn4T"


#: Where each is planted; the text round the core gives it the shape that such a secret has.
SHAPES: dict[str, str] = {
    "api key in the file": "{}",
    "api key in a variable": "sk-live-{}",
    "api key in .env": "{}+/=",
    "api key in a secret file": "{}",
    "password of basic auth": "p&ss <{}> 'w'",
    "client secret": "{}",
    "access token": "at.{}",
    "refresh token": "rt.{}",
    "key of a token request": "{}",
    "fixed header": "{}",
    "password of a base url": "{}",
    "key of a probe": "{}",
    "query of a token url": "{}",
    "slack": "{}",
    "discord": "{}",
    "telegram": "AAE{}sDnHqLpOaJcTeYwQbM",
    "pagerduty": "{}0123456789abcdef",
    "opsgenie": "{}-0000-4000",
    "webhook path": "{}",
    "webhook signing": "whsec_{}AAAAAAAAAAAAAAAA",
    "webhook authorization": "Bearer {}",
    "smtp password": "{}",
    "apprise": "{}",
    "service key": "service key {} of ours",
    "report token": "{}",
    "database password": "{}",
    "typed key": "{}",
    "typed channel": "{}",
    "pasted key": "{}",
    "password": "correct {} horse",
    "wrong password": "wrong {} horse",
    "password in the place of the name": "{}",
    "query of a call": "{}",
    "header of a call": "{}",
    "body of a call": "{}",
    "somebody's token in an answer": "ghp_{}abcdefghijkl",
    "cookie of an answer": "{}",
    "target of a redirect": "{}",
    "text of an exception": "{}",
    "line of a library": "{}",
    "key in a wrong place": "{}",
    "token on the command line": "us_{}",
}  # fmt: skip
SECRETS: dict[str, str] = {name: shape.format(core(number)) for number, (name, shape) in enumerate(SHAPES.items())}


def _encodings(text: str) -> set[str]:
    raw = text.encode()
    found = {
        text, quote(text, safe=""), quote_plus(text), html.escape(text), json.dumps(text)[1:-1], raw.hex(),
    }  # fmt: skip
    for shift in range(3):  # base64 of a text that the secret stands in, wherever it begins
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[4 if shift else 0 : -4].decode()
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {each for each in found if len(each) > 9}


class Search:
    """Looks for secrets in what was said. More may be added, such as those that the service makes itself."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self.searched = 0
        for number, name in enumerate(SECRETS):
            self.add(name, core(number))
            self.add(name, SECRETS[name])

    def add(self, name: str, secret: str) -> None:
        """Another one to look for."""
        self._of |= dict.fromkeys(_encodings(secret), name)

    def found(self, where: str, said: str | bytes, *, but: tuple[str, ...] = ()) -> list[str]:
        """What of it is in a text: the secret, where, and what stands round it."""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        self.searched += len(text)
        return [
            f"{name} in {where}: …{text[max(0, at - 90) : at + 60]!r}"
            for form, name in self._of.items()
            if name not in but and (at := text.find(form)) >= 0
        ]
