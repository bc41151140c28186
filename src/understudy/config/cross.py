"""What can only be judged with the whole tree in sight: names that refer to others, texts that must compile."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from understudy.alerts.inhibition import inhibitors
from understudy.alerts.rule_faults import faults_of
from understudy.core.errors import OptionError, UnderstudyError
from understudy.core.matchers import parse as parse_matcher
from understudy.core.reach import Reach
from understudy.notifications.template import check as check_template
from understudy.resilience import conditions, presets
from understudy.resilience.api import ApiOptions
from understudy.resilience.auth import with_preset
from understudy.resilience.roster import MAX_NAME

from .check import salvage
from .faults import Fault, Path, did_you_mean, shown
from .settings import Settings
from .shape import normalised
from .tree import Layer, spelled

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Longest name of a report: it becomes a part of the names of files.
_REPORT_NAME = 100
#: What of a rule is right or wrong whatever its other fields say.
_BY_ITSELF = (("metric",), ("match",), ("labels",), ("escalation",))
_BREAKS = re.compile(r"[\r\n\0]")


class CrossCheck:
    """Collects the faults of a settings tree that is valid field by field."""

    def __init__(self, settings: Settings, layer: Layer, faults: list[Fault]) -> None:
        self._settings, self._layer, self._faults = settings, layer, faults

    def run(self) -> None:
        """Look at everything."""
        self._printable(("log", "file"), self._settings.log.file)
        self._printable(("service", "host"), self._settings.service.host)
        for index, network in enumerate(self._settings.service.allow_networks):
            self._made(("service", "allow_networks", index), partial(_network, network))
        for kind, names in (("apis", self._settings.apis), ("routes", self._settings.routes)):
            self._same_names(kind, list(names))
        for name, api in self._settings.apis.items():
            self._api(("apis", name), api)
        for name, route in self._settings.routes.items():
            seen: set[str] = set()
            for index, api_name in enumerate(route.apis):
                path: Path = ("routes", name, "apis", index)
                if api_name not in self._settings.apis:
                    hint = did_you_mean(api_name, self._settings.apis)
                    self._add(path, "no API of that name is configured", shown(path, api_name), hint)
                elif api_name in seen:
                    self._add(path, "the API is named twice", shown(path, api_name))
                seen.add(api_name)
        self._address(("report_to",), self._settings.report_to)
        self._reports()
        self._alerts()
        self._channels()
        self._policies()
        self._status_page()

    def _status_page(self) -> None:
        """Components name what is there; a text that touches components names those."""
        page = self._settings.status_page
        for key, component in page.components.items():
            for kind, names in (("apis", component.apis), ("routes", component.routes)):
                known = getattr(self._settings, kind)
                said = f"no {'API' if kind == 'apis' else 'route'} of that name is configured"
                for index, name in enumerate(names):
                    place: Path = ("status_page", "components", key, kind, index)
                    if name not in known:
                        self._add(place, said, shown(place, name), did_you_mean(name, known))
        for key, notice in page.notices.items():
            for index, name in enumerate(notice.components):
                place = ("status_page", "notices", key, "components", index)
                if name not in page.components:
                    hint = did_you_mean(name, page.components)
                    self._add(place, "no component of that key is configured", shown(place, name), hint)

    def _policies(self) -> None:
        """Policies name channels and escalations that are there, and conditions that can be read."""
        known = self._channel_names()
        escalations = self._settings.alerts.escalations
        for name, policy in self._settings.policies.items():
            at: Path = ("policies", name)
            for index, text in enumerate(policy.match):
                self._made((*at, "match", index), partial(parse_matcher, text))
            for index, channel in enumerate(policy.channels):
                if channel not in known:
                    place: Path = (*at, "channels", index)
                    hint = did_you_mean(channel, known)
                    self._add(place, "no channel of that name is configured", shown(place, channel), hint)
            if policy.escalation and policy.escalation not in escalations:
                place = (*at, "escalation")
                hint = did_you_mean(policy.escalation, escalations)
                self._add(
                    place, "no escalation policy of that name is configured", shown(place, policy.escalation), hint
                )
        for name, options in self._settings.channels.items():
            if options.template:
                self._made(("channels", name, "template"), partial(check_template, options.template))
        self._address(("notifications", "public_url"), self._settings.notifications.public_url)

    def _escalations(self) -> None:
        """Steps name channels that are there; functions of the program's own are known to it only."""
        known = self._channel_names()
        for name, escalation in self._settings.alerts.escalations.items():
            for number, step in enumerate(escalation.steps):
                for index, target in enumerate(step.targets):
                    if target in known or target.startswith("callback:"):
                        continue
                    place: Path = ("alerts", "escalations", name, "steps", number, "targets", index)
                    hint = did_you_mean(target, known)
                    self._add(place, "no channel of that name is configured", shown(place, target), hint)

    def _channel_names(self) -> list[str]:
        """The channels that are written down, right or wrong."""
        written = self._layer.values.get("channels")
        return list(written) if isinstance(written, dict) else []

    def _channels(self) -> None:
        self._same_names("channels", list(self._settings.channels))
        known = self._channel_names()
        for name, channel in self._settings.channels.items():
            place: Path = ("channels", name, "fallback")
            if channel.fallback == name:
                self._add(place, "a channel cannot stand in for itself")
            elif channel.fallback and channel.fallback not in known:
                hint = did_you_mean(channel.fallback, known)
                self._add(place, "no channel of that name is configured", shown(place, channel.fallback), hint)

    def _alerts(self) -> None:
        alerts = self._settings.alerts
        for kind in ("rules", "escalations", "silences", "mute_timings", "inhibitions"):
            for name in getattr(alerts, kind):
                if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
                    said = f"a name is printable, not empty, and at most {MAX_NAME} characters long"
                    self._add(("alerts", kind, name), said)
        for name, rule in alerts.rules.items():
            at: Path = ("alerts", "rules", name)
            for fault in faults_of(rule):
                place = fault.place if fault.place[:1] != ("name",) else ()
                self._add((*at, *place), fault.expected.partition("\n")[0], hint=fault.hint)
            if rule.escalation and rule.escalation not in alerts.escalations:
                hint = did_you_mean(rule.escalation, alerts.escalations)
                here = (*at, "escalation")
                self._add(here, "no escalation policy of that name is configured", shown(here, rule.escalation), hint)
        self._escalations()
        for name, silence in alerts.silences.items():
            self._made(("alerts", "silences", name), partial(silence.silence, name))
        self._made(("alerts", "inhibitions"), partial(inhibitors, alerts.inhibitions))

    def _made(self, at: Path, make: Callable[[], object]) -> None:
        """What is only known to be right when it has been made."""
        try:
            make()
        except (UnderstudyError, ValueError) as error:
            said = f"expected {error.expected}" if isinstance(error, OptionError) else str(error)
            self._add(at, said.replace("\n", " "))

    def _reports(self) -> None:
        for name, report in self._settings.reports.items():
            if not name.strip() or not name.isprintable() or len(name) > _REPORT_NAME:
                self._add(
                    ("reports", name), f"a name is printable, not empty, and at most {_REPORT_NAME} characters long"
                )
            if report.api and report.api not in self._settings.apis:
                place: Path = ("reports", name, "api")
                hint = did_you_mean(report.api, self._settings.apis)
                self._add(place, "no API of that name is configured", shown(place, report.api), hint)
            known = self._channel_names()
            for index, channel in enumerate(report.channels):
                if channel not in known:
                    at: Path = ("reports", name, "channels", index)
                    self._add(
                        at, "no channel of that name is configured", shown(at, channel), did_you_mean(channel, known)
                    )

    def _add(self, path: Path, expected: str, found: str = "", hint: str = "") -> None:
        self._faults.append(Fault(path, self._layer.origin(spelled(path)), expected, found, hint))

    def _printable(self, path: Path, text: str) -> None:
        if not text.isprintable():
            self._add(path, "must not hold control characters", shown(path, text))

    def _same_names(self, kind: str, names: list[str]) -> None:
        first: dict[str, str] = {}
        for name in names:
            other = first.setdefault(normalised(name), name)
            if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
                said = f"a name is printable, not empty, without space around, and at most {MAX_NAME} characters long"
                self._add((kind, name), said)
            if other != name:
                self._add((kind, name), f"is the same name as {other!r} in environment variables", hint="rename one")

    def _api(self, at: Path, api: ApiOptions) -> None:
        self._address((*at, "base_url"), api.base_url)
        path = api.health_check.path
        if path and (not path.startswith("/") or _BREAKS.search(path)):
            self._add((*at, "health_check", "path"), "expected a path that begins with /", shown((), path))
        if api.preset and presets.load_preset(api.preset) is None:
            hint = did_you_mean(api.preset, presets.names())
            self._add((*at, "preset"), "expected the name of a preset", shown((), api.preset), hint)
        self._headers((*at, "headers"), api.headers or {})
        self._auth((*at, "auth"), api)
        self._success((*at, "success"), api)
        for index, rule in enumerate(api.outcomes):
            here = (*at, "outcomes", index)
            self._compiles((*here, "status"), rule.status, lambda text: conditions.statuses(text, "outcomes"))
            self._compiles((*here, "header"), rule.header, lambda text: conditions.HeaderCondition(text, "outcomes"))
            self._compiles((*here, "json"), rule.json, lambda text: conditions.query(text, "outcomes", "json"))
            self._compiles(
                (*here, "pattern"), rule.pattern, lambda text: conditions.pattern(text, "outcomes", "pattern")
            )

    def _success(self, at: Path, api: ApiOptions) -> None:
        success = api.success
        for index, status in enumerate(success.status):
            self._compiles((*at, "status", index), status, lambda text: conditions.statuses(text, "success"))
        self._compiles((*at, "header"), success.header, lambda text: conditions.HeaderCondition(text, "success"))
        self._compiles((*at, "json"), success.json, lambda text: conditions.query(text, "success", "json"))

    def _compiles(self, path: Path, text: str, compiler: Callable[[str], object]) -> None:
        if not text:
            return
        try:
            compiler(text)
        except OptionError as error:
            self._add(path, f"expected {error.expected}".replace("\n", " "), shown(path, text))

    def _address(self, path: Path, url: str) -> None:
        if not url:
            return
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            self._add(path, "expected an address such as https://api.example.com/v1")
            return
        if "@" in parts.netloc:
            hint = "use report_token" if path[-1] == "report_to" else 'use [auth] with keys = ["env:NAME"]'
            self._add(path, "must hold no user name and password", hint=hint)
        elif parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
            self._add(path, "expected http:// or https:// and a host", "" if "?" in url else shown(path, url))
        elif path[-1] in ("base_url", "report_to") and ("?" in url or "#" in url):
            self._add(path, "must hold no query and no fragment, as paths are appended to it")

    def _headers(self, at: Path, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                self._add((*at, name), "expected the name of a header")
            if _BREAKS.search(value):
                self._add((*at, name), "a header's value must not hold line ends")

    def _auth(self, at: Path, api: ApiOptions) -> None:
        auth = api.auth
        if auth.keys and with_preset(api).kind == "none":
            hint = 'kind = "header", "query", "bearer", "basic", "rapidapi"'
            self._add((*at, "kind"), "no request carries a key without it", hint=hint)
        if auth.kind != "none" and not auth.keys:
            self._add((*at, "keys"), f"kind {auth.kind!r} needs at least one key", hint='keys = ["env:NAME"]')
        if auth.kind == "rapidapi" and not api.base_url:
            self._add((*at[:-1], "base_url"), "kind 'rapidapi' needs it: its host header is taken from there")
        if auth.kind in ("header", "query") and not auth.name:
            self._add((*at, "name"), f"kind {auth.kind!r} needs the name that carries the key")
        if auth.kind in ("oauth2_client_credentials", "token_request") and not auth.token_url:
            self._add((*at, "token_url"), f"kind {auth.kind!r} needs it")
        self._address((*at, "token_url"), auth.token_url)
        if auth.name and auth.kind == "header" and not _TOKEN.fullmatch(auth.name):
            self._add((*at, "name"), "expected the name of a header")
        if _BREAKS.search(auth.prefix):
            self._add((*at, "prefix"), "must not hold line ends")
        self._compiles((*at, "token_path"), auth.token_path, lambda text: conditions.query(text, "auth", "token_path"))
        self._compiles((*at, "expires_path"), auth.expires_path, lambda t: conditions.query(t, "auth", "expires_path"))
        for index, key in enumerate(auth.keys):
            if not key.value:
                self._add((*at, "keys", index, "value"), "a key must not be empty")
            if _BREAKS.search(key.value.reveal()):
                self._add((*at, "keys", index, "value"), "a key must not hold line ends")


def _network(text: str) -> None:
    try:
        Reach([text])
    except ValueError:
        raise ValueError("expected a network such as 127.0.0.0/8") from None


def look_across(settings: Settings | None, layer: Layer, faults: list[Fault]) -> None:
    """Judge the tree as a whole. Where single values are wrong (`settings` is None), the rest is looked at."""
    gone: tuple[Path, ...] = ()
    if settings is None:
        rest = salvage(layer)
        if rest is None:
            return
        settings, gone = rest
    told = {fault.path for fault in faults}
    found: list[Fault] = []
    CrossCheck(settings, layer, found).run()
    if ("apis",) in gone:
        found = [fault for fault in found if fault.path[:1] != ("routes",)]
    # With one field left out, a rule means something else.
    changed = {path[:3] for path in gone if path[:2] == ("alerts", "rules")}
    found = [fault for fault in found if fault.path[:3] not in changed or fault.path[3:4] in _BY_ITSELF]
    # What is wrong already, or was left out for that, is not complained about twice.
    left_out = set(gone)
    faults.extend(
        fault
        for fault in found
        if fault.path not in told and not any(fault.path[:size] in left_out for size in range(1, len(fault.path) + 1))
    )
