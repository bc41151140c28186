"""What `env:NAME` and `file:PATH` mean, for options that are given in code."""

from __future__ import annotations

from pathlib import Path as FilePath

from understudy.core.errors import ConfigError
from understudy.core.secrets import Secret

from .faults import DEFAULT, Fault, Path
from .sources import SECRET_DIRS, Variables, read_dotenv, real_environment

_PLACE: Path = ("auth", "keys")


def read_secret(text: str) -> Secret:
    """The secret that a text names: in the environment, in a `.env` of the current folder, or in a secret file.

    Raises:
        ConfigError: the variable is not set, or the file cannot be read.
    """
    faults: list[Fault] = []
    folder = FilePath.cwd()
    variables = Variables(real_environment(), read_dotenv(folder / ".env", ".env", faults), folder, SECRET_DIRS, faults)
    kind, _, name = text.partition(":")
    found = variables.get(name) if kind == "env" else variables.secret_file(name, DEFAULT, _PLACE)
    if (found is None or not found[0]) and not faults:
        if kind == "env":
            faults.append(Fault(_PLACE, DEFAULT, f"the variable {name} is not set", hint=f"set {name} or {name}_FILE"))
        else:
            faults.append(Fault(_PLACE, DEFAULT, "the secret's file is empty"))
    if faults or found is None:
        raise ConfigError(tuple(faults))
    return Secret(found[0], str(found[1]))
