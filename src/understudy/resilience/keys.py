"""Key pools: which key goes next, which are held, quarantined or spent (resilience rule R7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at

from understudy.core.options import Doc, Options
from understudy.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class KeyOptions(Options):
    """One key. In a file it may also be written as a plain string, `"env:NAME"`."""

    value: Annotated[Secret, Doc("the key, or env:NAME, or file:PATH")]
    alias: Annotated[str, Doc("the name shown instead of the key; default key1, key2, …")] = ""
    quota_group: Annotated[str, Doc("keys of one account share one quota")] = ""


@dataclass(frozen=True, slots=True)
class AuthOptions(Options):
    """How requests to an API are signed in (resilience rule R18)."""

    kind: Annotated[
        Literal["none", "rapidapi", "header", "query", "bearer", "basic", "oauth2_client_credentials", "token_request"],
        Doc("how the key is sent"),
    ] = "none"
    keys: Annotated[tuple[KeyOptions, ...], Doc("the keys, in no order of preference")] = ()
    name: Annotated[str, Doc("header or query parameter that carries the key")] = ""
    prefix: Annotated[str, Doc("text before the key in the header")] = ""
    username: Annotated[str, Doc("user of kind basic, client id of oauth2")] = ""
    token_url: Annotated[str, Doc("where a token is fetched")] = ""
    token_method: Annotated[Literal["GET", "POST"], Doc("method of token_request")] = "POST"
    token_body: Annotated[str, Doc("body of token_request; {key} stands for the key")] = ""
    token_path: Annotated[str, Doc("JMESPath of the token in the answer")] = "access_token"
    expires_path: Annotated[str, Doc("JMESPath of its lifetime in seconds")] = "expires_in"
    scope: Annotated[str, Doc("scope of oauth2_client_credentials")] = ""
