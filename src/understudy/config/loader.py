"""The one loader: every source in its order, every fault at once, every value with its origin."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from understudy.channels.webhook import WebhookOptions
from understudy.core.errors import ConfigError
from understudy.core.secrets import Secret

from .alert_rules import complete_rules
from .channels import SeedChannels, secret_places
from .check import validate
from .cross import look_across
from .environ import is_placeholder
from .faults import Fault, Origin, Path, did_you_mean, in_order, printable
from .managed import ManagedTree, Opened
from .settings import Settings
from .shorthand import expand, full_environment
from .sources import SECRET_DIRS, Variables, is_there, read_dotenv, read_toml, real_environment, toml_files
from .tree import Layer, holds, lookup, spelled
from .variables import override_layer, variable_layer

DEFAULT_FILE = "understudy.toml"
ENVIRONMENTS = ("development", "staging", "production")
#: Where single secrets stand, besides the keys of APIs.
_SECRETS: tuple[Path, ...] = (
    ("service", "secret_key"),
    ("service", "report_token"),
    ("storage", "password"),
    ("report_token",),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Valid settings, where each value came from, and what is worth a warning."""

    settings: Settings
    origins: dict[Path, Origin]
    warnings: tuple[str, ...]
    #: The files and the folder that were looked at, there or not: what a `Watcher` watches.
    files: tuple[FilePath, ...]
    #: Section and name of what the configuration has, too, under entries that were edited in the dashboard.
    overridden: frozenset[tuple[str, str]] = frozenset()

    def origin(self, path: Path) -> Origin:
        """Where the value at `path` came from."""
        return Layer({}, self.origins).origin(spelled(path))

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of the settings, for the log's redaction."""
        return tuple(_secrets(self.settings))


def load(
    path: FilePath | str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    cwd: FilePath | None = None,
    environment: str | None = None,
    secret_dirs: tuple[FilePath, ...] = SECRET_DIRS,
    managed: ManagedTree | None = None,
) -> Loaded:
    """Load the configuration.

    Without `path`, `understudy.toml` of the current folder is read if it is there; `understudy.d` and
    `.env` stand beside the file. `env` replaces the process's environment, `environment` names the
    overlay, `overrides` are `PATH=VALUE` texts. `managed` is what people have edited in the dashboard; it goes
    over files and variables, and the command line over it.

    Raises:
        ConfigError: with every fault at once.
    """
    return _Loading(path, env, overrides, cwd, environment, secret_dirs, managed or ManagedTree()).run()


class _Loading:
    def __init__(
        self,
        path: FilePath | str | None,
        env: Mapping[str, str] | None,
        overrides: Sequence[str],
        cwd: FilePath | None,
        environment: str | None,
        secret_dirs: tuple[FilePath, ...],
        managed: ManagedTree,
    ) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[str] = []
        self._must_exist = path is not None
        self._cwd = cwd or FilePath.cwd()
        self._file = self._cwd / (path or DEFAULT_FILE)
        self._environment = environment
        self._managed = managed
        self._overrides = overrides
        self._dotenv = self._file.parent / ".env"
        self._folder = self._file.parent / "understudy.d"
        dotenv = read_dotenv(self._dotenv, self._name(self._dotenv), self.faults)
        real = real_environment() if env is None else env
        self._variables = Variables(real, dotenv, self._cwd, secret_dirs, self.faults)

    def run(self) -> Loaded:
        merged = Layer()
        overlays: list[Layer] = []
        for file in self._files():
            layer = read_toml(file, self._name(file), self.faults)
            overlays.append(self._overlays(layer))
            expand(layer, self.faults)
            merged.go_over(layer)
        later = [override_layer(self._overrides, self.faults)]
        chosen = self._choose(merged, later[0])
        merged = self._overlay(overlays, chosen, merged)
        seeds = SeedChannels(self._variables.get, merged)
        merged.go_over(seeds.layer())
        variables = variable_layer(self._variables, merged.values, self.faults)
        below = merged.values.get("apis")
        written = set(below) if isinstance(below, dict) else set()
        expand(variables, self.faults)
        merged.go_over(variables)
        edited, overridden = self._managed.over(merged, self.faults)
        written.update(edited.values.get("apis", ()))
        for layer in (edited, later[0]):
            expand(layer, self.faults)
            merged.go_over(layer)
        merged.values["environment"] = chosen
        sources = self._resolve(merged)
        complete_rules(merged, self.faults)
        found: list[Fault] = []
        settings = validate(merged, found)
        told = {fault.path for fault in self.faults}  # a secret that is not there is not also called wrong
        self.faults += [fault for fault in found if fault.path not in told]
        look_across(settings, merged, self.faults)
        if settings is None or self.faults:
            raise ConfigError(in_order(self.faults))
        self._name_sources(settings, sources)
        self.warnings += [
            f"API {printable(name)} stands in variables only, and has no base_url; is its name spelled as in the files?"
            for name, api in settings.apis.items()
            if written and name not in written and not api.base_url
        ]
        self.warnings += [
            f"channel {printable(name)} signs nothing, so receivers cannot tell whose messages these are: "
            "set its secret"
            for name, channel in settings.channels.items()
            if isinstance(channel, WebhookOptions) and not channel.signing
        ]
        files = (self._file, self._folder, self._dotenv, *self._variables.read)
        warnings = (*self.warnings, *seeds.warnings)
        return Loaded(settings, merged.origins, warnings, tuple(dict.fromkeys(files)), overridden)

    def _name(self, file: FilePath) -> str:
        return str(file.relative_to(self._cwd)) if file.is_relative_to(self._cwd) else str(file)

    def _files(self) -> list[FilePath]:
        first = [self._file] if self._must_exist or is_there(self._file) else []
        if not is_there(self._folder):
            return first
        try:
            return [*first, *toml_files(self._folder)]
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            self.faults.append(Fault((), Origin("file", self._name(self._folder)), f"cannot be read: {reason}"))
            return first

    def _overlays(self, layer: Layer) -> Layer:
        """Take the `[environments.…]` tables out of a file's layer."""
        tables = layer.values.pop("environments", {})
        if not isinstance(tables, dict):
            self.faults.append(Fault(("environments",), layer.origin(("environments",)), "expected a table"))
            return Layer()
        full: dict[str, Any] = {}
        origins: dict[Path, Origin] = {}
        for name, table in tables.items():
            path: Path = ("environments", name)
            if full_environment(name) not in ENVIRONMENTS or not isinstance(table, dict):
                hint = did_you_mean(name, ENVIRONMENTS)
                self.faults.append(Fault(path, layer.origin(path), "expected the table of an environment", hint=hint))
                continue
            if full_environment(name) in full:
                self.faults.append(Fault(path, layer.origin(path), "is the same environment as another table here"))
                continue
            full[full_environment(name)] = table
            origins |= {
                (full_environment(name), *p[2:]): dataclasses.replace(o, under=("environments", name))
                for p, o in layer.origins.items()
                if p[:2] == path
            }
        return Layer(full, origins)

    def _overlay(self, overlays: list[Layer], chosen: str, merged: Layer) -> Layer:
        """The files with the chosen environment's tables over them; the others are judged too.

        So no fault waits for its day. What such a table leaves to variables is judged on that day only.
        """
        result = merged
        for name in dict.fromkeys(name for overlay in overlays for name in overlay.values):
            trial = copy.deepcopy(merged)
            mine: set[Origin] = set()
            for overlay in overlays:
                layer = self._one_overlay(overlay, name)
                mine.update(layer.origins.values())
                trial.go_over(layer)
            if name == chosen:
                result = trial
                continue
            faults: list[Fault] = []
            complete_rules(trial, faults)
            look_across(validate(trial, faults), trial, faults)
            later = _referred(trial)
            self.faults.extend(
                f
                for f in faults
                if f.origin in mine and (f.found or holds(trial.values, f.path)) and f.path not in later
            )
        return result

    def _one_overlay(self, overlay: Layer, name: str) -> Layer:
        """The table of one environment in one file, ready to go over the rest."""
        origins = {path[1:]: origin for path, origin in overlay.origins.items() if path[0] == name and path[1:]}
        layer = Layer(overlay.values.get(name, {}), origins)
        for key in ("environment", "environments"):
            if layer.values.pop(key, None) is not None:
                self.faults.append(Fault((key,), layer.origin((key,)), "unknown key of an overlay"))
        expand(layer, self.faults)
        return layer

    def _choose(self, merged: Layer, overrides: Layer) -> str:
        """The name of the environment: argument, command line, variable, file, default."""
        candidates: list[tuple[Any, Origin]] = [(self._environment, Origin("cli"))]
        candidates.append((overrides.values.get("environment"), Origin("cli")))
        for name in ("UNDERSTUDY__ENVIRONMENT", "ENVIRONMENT"):
            found = self._variables.get(name)
            candidates.append((found[0].strip(), found[1]) if found else (None, Origin("env", name)))
        candidates.append((merged.values.get("environment"), merged.origin(("environment",))))
        value, origin = next(((v, o) for v, o in candidates if v), ("development", Origin("default")))
        merged.origins["environment",] = origin
        return full_environment(value) if isinstance(value, str) else value

    def _read(self, name: str) -> tuple[str, str]:
        found = self._variables.get(name)
        return (found[0].strip(), str(found[1])) if found else ("", "")

    # -- secrets ----------------------------------------------------------------------------------

    def _resolve(self, merged: Layer) -> dict[Path, str]:
        """Put the values that `env:NAME` and `file:PATH` mean in their places; answers their sources."""
        sources: dict[Path, str] = {}
        apis = merged.values.get("apis")
        for name, api in apis.items() if isinstance(apis, dict) else ():
            auth = api.get("auth") if isinstance(api, dict) else None
            keys = auth.get("keys") if isinstance(auth, dict) else None
            for index, key in enumerate(keys if isinstance(keys, list) else ()):
                if isinstance(key, dict) and isinstance(key.get("value"), str):
                    path: Path = ("apis", name, "auth", "keys", index, "value")
                    key["value"], sources[path] = self._secret(key["value"], path, merged)
        for path in _SECRETS:
            table = lookup(merged.values, path[:-1])
            if isinstance(table, dict) and isinstance(table.get(path[-1]), str):
                table[path[-1]], sources[path] = self._secret(table[path[-1]], path, merged)
                if is_placeholder(table[path[-1]]):
                    self._placeholder(table, path)
        for path, needed in list(secret_places(merged.values)):
            holder = lookup(merged.values, path[:-1])
            if holder is None:
                continue  # the channel was dropped for another of its secrets
            holder[path[-1]], sources[path] = self._secret(holder[path[-1]], path, merged)
            if is_placeholder(holder[path[-1]]):
                self.warnings.append(f"channel {printable(str(path[1]))} is not configured: {path[2]} is a placeholder")
                if needed:
                    del merged.values["channels"][path[1]]
                else:
                    holder[path[-1]] = None
        return sources

    def _placeholder(self, table: dict[str, Any], path: Path) -> None:
        """Leave a secret out that somebody forgot to fill in, and say which."""
        name = ".".join(map(str, path))
        if path == ("service", "secret_key") and self._read("DASHBOARD_SECRET_KEY")[0] == table["secret_key"].strip():
            name = "DASHBOARD_SECRET_KEY"
        self.warnings.append(f"{name} is not configured: it is a placeholder")
        table[str(path[-1])] = None

    def _secret(self, text: str, path: Path, merged: Layer) -> tuple[str, str]:
        origin = merged.origin(path)
        if isinstance(text, Opened):
            return text, str(origin)
        kind, colon, name = text.partition(":")
        if colon and kind == "env":
            found = self._variables.get(name)
            if not name:
                self.faults.append(Fault(path, origin, "expected env: and the name of a variable"))
                return "", ""
            if found is None or not found[0]:
                self.faults.append(
                    Fault(path, origin, f"the variable {name} is not set", hint=f"set {name} or {name}_FILE")
                )
                return "", ""
            if path[0] == "apis" and is_placeholder(found[0]):
                self.warnings.append(f"API {path[1]} has no real key: {name} is a placeholder")
            return found[0], str(found[1])
        if colon and kind == "file":
            found = self._variables.secret_file(name, origin, path)
            if found is not None and not found[0]:
                self.faults.append(Fault(path, origin, "the secret's file is empty"))
            return (found[0], str(found[1])) if found else ("", "")
        if origin.kind == "file":
            self.warnings.append(f"{origin}: a secret stands in the file itself; write env:NAME or file:PATH instead")
        return text, str(origin)

    @staticmethod
    def _name_sources(settings: Settings, sources: dict[Path, str]) -> None:
        for name, api in settings.apis.items():
            for index, key in enumerate(api.auth.keys):
                key.value.source = sources.get(("apis", name, "auth", "keys", index, "value"), "")
        for path in _SECRETS:
            found: Any = settings
            for part in path:
                found = getattr(found, str(part))
            if found is not None:
                found.source = sources.get(path, "")
        for path in (path for path in sources if path[0] == "channels"):
            found = getattr(settings.channels.get(str(path[1])), str(path[2]), None)
            for index, secret in enumerate(found if isinstance(found, tuple) else (found,)):
                if isinstance(secret, Secret) and path[3:] in ((), (index,)):
                    secret.source = sources[path]


def _referred(layer: Layer) -> set[Path]:
    """Where a channel's secret is named only: what it is worth is known on the day that its environment is chosen."""
    found = ((path, lookup(layer.values, path)) for path, _ in secret_places(layer.values))
    named = [path for path, text in found if isinstance(text, str) and text.startswith(("env:", "file:"))]
    return {path[:size] for path in named for size in (3, 4)}


def _secrets(value: Any) -> list[Secret]:
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, dict):
        return [secret for below in value.values() for secret in _secrets(below)]
    if isinstance(value, tuple):
        return [secret for below in value for secret in _secrets(below)]
    if dataclasses.is_dataclass(value):
        return [s for field in dataclasses.fields(value) for s in _secrets(getattr(value, field.name))]
    return []
