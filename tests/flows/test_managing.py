"""Settings that people edit: checked as a whole, kept in versions, in force at once, followed by other services."""

from __future__ import annotations

import dataclasses
import json

import pytest

from understudy.app import Understudy
from understudy.config import load
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.core.errors import ConfigError, NotActive, UnknownName, VersionConflict
from understudy.managing import Managing, Refused
from understudy.storage.memory import MemoryStore
from understudy.storage.options import StorageOptions
from understudy.testing import FakeClock
from understudy.testing.raw_server import RawServer, ok
from understudy.web.asgi import Service as HttpService
from understudy.web.middleware import Limit

FILE = """
[service]
secret_key = "a key of this service, long enough"
[apis.prime]
base_url = "https://prime.example.com/v1"
auth = { kind = "bearer", keys = ["env:PRIME_KEY"] }
timeout = 3
[apis.spare]
base_url = "https://spare.example.com"
priority = 2
[routes.odds]
apis = ["prime", "spare"]
[channels.ops]
kind = "webhook"
url = "https://hooks.example.com/ops"
secrets = ["whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"]
"""
ENV = {"PRIME_KEY": "prime-key-from-env"}
#: Texts that no document, answer or log may hold.
PLANTED = (
    "prime-key-from-env",
    "typed-key-4711",
    "another-typed-key",
    "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
)


class Service:
    """An application with the configuration of a folder, and a store that it may share with another."""

    def __init__(self, folder, store, clock):
        self.folder, self.store = folder, store
        self.loaded = self.read(ManagedTree())
        self.app = Understudy.build(self.loaded.settings, clock=clock, seed=1)
        self.reloader = Reloader(self.loaded, lambda: self.read(self.managing.tree), self._take, self._refused)
        self.refused = []
        self.managing = Managing(
            self.app, store.documents, lambda: self.reloader.current, self.read, self.reloader.change, Understudy.build
        )
        self.app.managing = self.managing

    def read(self, tree):
        return load(cwd=self.folder, env=ENV, managed=tree)

    def _take(self, loaded):
        self.app.reload(loaded.settings)

    def _refused(self, error):
        self.refused.append(error)

    def api(self, name):
        return self.app.fallback.roster.apis[name].options

    async def put(self, kind, name, values, **more):
        return await self.managing.put(kind, name, values, actor="ana", **more)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock, StorageOptions(url="memory:"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "understudy.toml").write_text(FILE)
    return tmp_path


@pytest.fixture
def service(folder, store, clock):
    return Service(folder, store, clock)


async def everything_stored(store):
    found = []
    for kind in ("api", "route", "channel"):
        for newest in await store.documents.newest(kind):
            found += [dict(each.doc or {}) for each in await store.documents.versions(kind, newest.name)]
    return json.dumps(found)


async def test_a_new_api_serves_at_once_and_after_a_restart(service, folder, store, clock):
    values = {"base_url": "https://new.example.com", "auth": {"kind": "bearer", "keys": ["typed-key-4711"]}}
    made = await service.put("api", "new", values, expected=0)
    assert (made.origin, made.version, made.overrides) == ("database", 1, False)
    assert made.values["auth"]["keys"][0]["value"].startswith("set (sha256:")
    assert service.api("new").auth.keys[0].value.reveal() == "typed-key-4711"
    assert service.api("new").allow_private is False
    again = Service(folder, store, clock)
    assert "new" not in again.app.fallback.roster.apis
    await again.managing.take_up()
    assert again.api("new").auth.keys[0].value.reveal() == "typed-key-4711"
    assert str(again.reloader.current.origin(("apis", "new", "base_url"))) == "database: api new, version 1"


async def test_an_entry_of_the_file_is_overridden_as_a_whole_and_restored(service):
    shown = service.managing.entry("api", "prime")
    assert (shown.origin, shown.version) == ("file", 0)
    made = await service.put("api", "prime", {**shown.values, "timeout": 9})
    assert made.overrides
    assert service.api("prime").timeout.attempt == 9
    assert service.api("prime").auth.keys[0].value.reveal() == "prime-key-from-env"
    back = await service.managing.remove("api", "prime", actor="ana")
    assert (back.origin, service.api("prime").timeout.attempt) == ("file", 3)
    with pytest.raises(NotActive, match="stands in the configuration"):
        await service.managing.remove("api", "prime", actor="ana")


async def test_no_secret_is_stored_or_shown_in_clear(service, store, caplog):
    shown = service.managing.entry("api", "prime").values
    await service.put("api", "prime", {**shown, "headers": {"X-Api-Key": "another-typed-key"}})
    await service.put(
        "api", "new", {"base_url": "https://n.example.com", "auth": {"kind": "bearer", "keys": "typed-key-4711"}}
    )
    await service.put("channel", "ops", {**service.managing.entry("channel", "ops").values, "timeout": 5})
    told = [await everything_stored(store), caplog.text]
    for kind in ("api", "route", "channel"):
        told += [json.dumps(each.as_dict()) for each in service.managing.entries(kind)]
        for each in service.managing.entries(kind):
            told += [json.dumps(one.as_dict()) for one in await service.managing.versions(kind, each.name)]
    assert not [secret for secret in PLANTED for text in told if secret in text]
    assert service.api("prime").headers == {"X-Api-Key": "another-typed-key"}


@pytest.mark.parametrize(
    "moved",
    [
        {"base_url": "https://elsewhere.example.com/v1"},
        {"base_url": "http://prime.example.com/v1"},
        {"base_url": "https://prime.example.com:8443/v1"},
        {"base_url": "https://prime.example.com.evil.test/v1"},
    ],
)
async def test_a_key_does_not_go_along_to_another_origin(service, moved):
    shown = service.managing.entry("api", "prime").values
    with pytest.raises(Refused, match="the secret may not go along"):
        await service.put("api", "prime", {**shown, **moved})
    assert service.api("prime").base_url == "https://prime.example.com/v1"
    with_key = {**shown, **moved, "auth": {"kind": "bearer", "keys": ["typed-key-4711"]}}
    await service.put("api", "prime", with_key)
    assert service.api("prime").base_url == moved["base_url"]
    typed = {**service.managing.entry("api", "prime").values, "base_url": "https://third.example.com"}
    with pytest.raises(Refused, match="the secret may not go along"):
        await service.put("api", "prime", typed)


async def test_a_signing_secret_does_not_go_along_to_another_url(service):
    shown = service.managing.entry("channel", "ops").values
    with pytest.raises(Refused, match="the secret may not go along"):
        await service.put("channel", "ops", {**shown, "url": "https://evil.example.com/"})


@pytest.mark.parametrize("text", ["env:PRIME_KEY", "file:/etc/passwd", "set (sha256:00000000…)"])
async def test_nobody_reads_variables_files_or_other_secrets_of_the_service(service, text):
    values = {"base_url": "https://evil.example.com", "auth": {"kind": "bearer", "keys": [text]}}
    with pytest.raises(Refused, match=r"auth\.keys\[0\]\.value"):
        await service.put("api", "thief", values)
    assert "thief" not in service.app.fallback.roster.apis


async def test_a_stored_secret_that_looks_like_a_reference_is_meant_as_it_stands(service):
    values = {"base_url": "https://n.example.com", "token": 1}
    with pytest.raises(Refused, match="unknown key"):
        await service.put("api", "n", values)
    for key in ("$sealed", "$below", "$fingerprint"):
        values = {"base_url": "https://n.example.com", "auth": {"kind": "bearer", "keys": [{"value": {key: "x"}}]}}
        with pytest.raises(Refused, match="unknown key"):
            await service.put("api", "n", values)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/", "http://localhost/", "http://169.254.169.254/latest", "https://[::1]/", "https://db/",
        "https://2130706433/", "http://10.0.0.7", "https://metadata.google.internal/", "https://[::ffff:7f00:1]/",
    ],
)  # fmt: skip
async def test_what_people_enter_leads_out_only(service, url):
    with pytest.raises(Refused, match=r"service\.allow_networks"):
        await service.put("api", "inside", {"base_url": url})
    oauth = {"kind": "oauth2_client_credentials", "keys": ["typed-key-4711"], "token_url": url}
    with pytest.raises(Refused, match=r"service\.allow_networks"):
        await service.put("api", "inside", {"base_url": "https://out.example.com", "auth": oauth})
    with pytest.raises(Refused):
        await service.put("channel", "inside", {"kind": "webhook", "url": url, "secrets": [PLANTED[3]]})
    # That an API of the files may be inside does not let it fetch its token elsewhere there.
    oauth = {**service.managing.entry("api", "prime").values, "auth": oauth}
    with pytest.raises(Refused, match=r"service\.allow_networks"):
        await service.put("api", "prime", oauth)
    with pytest.raises(Refused, match=r"service\.allow_networks"):
        await service.managing.test("prime", oauth)


@pytest.mark.parametrize("key", ["allow_private", "ca_file", "proxy"])
async def test_what_only_the_files_may_say_is_refused(service, key):
    values = {
        "kind": "webhook",
        "url": "https://hooks.example.com/x",
        "secrets": [PLANTED[3]],
        key: "http://10.0.0.1:3128",
    }
    with pytest.raises(Refused):
        await service.put("channel", "x", values)


async def test_every_fault_is_told_with_its_place_and_nothing_changes(service, store):
    values = {"base_url": "no address", "priority": 0, "timeot": 3, "auth": {"kind": "bearr"}}
    with pytest.raises(Refused) as refused:
        await service.put("api", "bad", values)
    told = {each["path"]: each for each in refused.value.as_dicts()}
    assert {"apis.bad.base_url", "apis.bad.priority", "apis.bad.timeot", "apis.bad.auth.kind"} <= told.keys()
    assert told["apis.bad.timeot"]["hint"] == "did you mean 'timeout'?"
    assert await service.managing.check("api", "bad", values) == refused.value.as_dicts()
    assert await store.documents.newest("api") == []
    with pytest.raises(Refused, match="no API of that name"):
        await service.put("route", "odds", {"apis": ["prime", "nobody"]})
    await service.put("api", "new", {"base_url": "https://n.example.com"})
    await service.put("route", "odds", {"apis": ["new", "prime"]})
    with pytest.raises(Refused, match=r"routes\.odds\.apis\[0\]: no API of that name"):
        await service.managing.remove("api", "new", actor="ana")
    assert [api.name for api in service.app.fallback.roster.routes["odds"].apis] == ["prime", "new"]


async def test_two_people_do_not_overwrite_each_other(service):
    shown = service.managing.entry("route", "odds")
    await service.put("route", "odds", {**shown.values, "mode": "fastest"}, expected=shown.version)
    with pytest.raises(VersionConflict):
        await service.put("route", "odds", {**shown.values, "mode": "cheapest"}, expected=shown.version)
    assert service.app.fallback.roster.routes["odds"].options.mode == "fastest"


async def test_versions_tell_who_changed_what_and_can_be_put_again(service):
    base = {"apis": ["prime", "spare"]}
    await service.put("route", "odds", {**base, "mode": "fastest"}, comment="speed")
    await service.put("route", "odds", {**base, "mode": "cheapest", "deadline": 5})
    newest, first = await service.managing.versions("route", "odds")
    assert (newest.version, first.comment, newest.actor) == (2, "speed", "ana")
    assert list(newest.changes) == [
        {"path": "mode", "before": "fastest", "after": "cheapest"},
        {"path": "deadline", "before": None, "after": 5},
    ]
    again = await service.managing.revert("route", "odds", 1, actor="bea")
    assert (again.version, again.values["mode"]) == (3, "fastest")
    assert service.app.fallback.roster.routes["odds"].options.mode == "fastest"
    with pytest.raises(UnknownName):
        await service.managing.revert("route", "odds", 9, actor="bea")


async def test_another_service_on_the_store_follows(folder, store, clock):
    one, two = Service(folder, store, clock), Service(folder, store, clock)
    await one.put(
        "api", "new", {"base_url": "https://n.example.com", "auth": {"kind": "bearer", "keys": "typed-key-4711"}}
    )
    await two.managing.take_up()
    assert two.api("new").auth.keys[0].value.reveal() == "typed-key-4711"
    await one.managing.remove("api", "new", actor="ana")
    await two.managing.take_up()
    assert "new" not in two.app.fallback.roster.apis


async def test_an_entry_that_cannot_be_used_any_more_is_left_out_and_told(service, folder, store, clock):
    await service.put("api", "new", {"base_url": "https://n.example.com"})
    await service.put("route", "odds", {"apis": ["new", "spare"]})
    (folder / "understudy.toml").write_text(
        FILE.replace("[apis.spare]", "[apis.spare2]").replace('"spare"]', '"spare2"]')
    )
    again = Service(folder, store, clock)
    await again.managing.take_up()
    assert again.api("new").base_url == "https://n.example.com"
    broken = again.managing.entry("route", "odds")
    assert (broken.origin, broken.version) == ("file", 1)
    assert "no API of that name" in broken.problem
    assert [api.name for api in again.app.fallback.roster.routes["odds"].apis] == ["prime", "spare2"]


async def test_secrets_of_another_key_are_told_and_not_used(service, folder, store, clock):
    values = {"base_url": "https://new.example.com", "auth": {"kind": "bearer", "keys": ["typed-key-4711"]}}
    await service.put("api", "new", values)
    (folder / "understudy.toml").write_text(FILE.replace("long enough", "and another one"))
    again = Service(folder, store, clock)
    await again.managing.take_up()
    assert "new" not in again.app.fallback.roster.apis
    assert "another one than when it was entered" in again.managing.entry("api", "new").problem


async def test_what_is_edited_stays_when_files_change(service, folder):
    await service.put("api", "prime", {**service.managing.entry("api", "prime").values, "timeout": 9})
    (folder / "understudy.toml").write_text(FILE.replace("timeout = 3", "timeout = 4") + "\n[apis.third]\n")
    assert await service.reloader()
    assert (service.api("prime").timeout.attempt, "third" in service.app.fallback.roster.apis) == (9, True)


async def test_a_secret_that_the_files_lend_does_not_follow_an_entry_that_leads_elsewhere_by_now(service, folder):
    await service.put("api", "prime", {**service.managing.entry("api", "prime").values, "timeout": 9})
    (folder / "understudy.toml").write_text(FILE.replace("https://prime.example.com", "https://new.example.com"))
    assert not await service.reloader()
    assert "the secret may not go along" in str(service.refused)
    # Nor does an earlier version bring it back once the files' own entry is in force again.
    await service.managing.remove("api", "prime", actor="ana")
    with pytest.raises(Refused, match="the secret may not go along"):
        await service.managing.revert("api", "prime", 1, actor="ana")
    assert service.api("prime").base_url == "https://new.example.com/v1"


async def test_without_a_key_of_the_service_a_file_beside_the_database_holds_one(folder, store, clock):
    plain = FILE.replace('secret_key = "a key of this service, long enough"', "")
    plain += f'\n[storage]\nurl = "sqlite:///{folder}/u.db"\n'
    (folder / "understudy.toml").write_text(plain)
    service = Service(folder, store, clock)
    values = {"base_url": "https://new.example.com", "auth": {"kind": "bearer", "keys": ["typed-key-4711"]}}
    await service.put("api", "new", values)
    key = folder / "u.db.key"
    assert key.stat().st_mode & 0o777 == 0o600
    again = Service(folder, store, clock)
    await again.managing.take_up()
    assert again.api("new").auth.keys[0].value.reveal() == "typed-key-4711"


async def test_a_live_test_asks_before_anything_is_stored(folder, store, clock):
    async with RawServer(ok(b"{}")) as server:
        (folder / "understudy.toml").write_text(
            FILE.replace("[service]", '[service]\nallow_networks = ["127.0.0.0/8"]')
        )
        service = Service(folder, store, clock)
        found = await service.managing.test("new", {"base_url": server.url})
        assert (found.ok, found.status, server.requests) == (True, 200, 1)
    with pytest.raises(Refused):
        await service.managing.test("new", {"base_url": "http://10.0.0.1/"})
    assert await store.documents.newest("api") == []


def test_a_managed_tree_changes_nothing_where_it_is_empty(folder):
    plain = load(cwd=folder, env=ENV)
    same = load(cwd=folder, env=ENV, managed=ManagedTree())
    assert dataclasses.replace(plain, origins={}) == dataclasses.replace(same, origins={})
    with pytest.raises(ConfigError):
        load(cwd=folder, env={}, managed=ManagedTree())


# -- over HTTP ----------------------------------------------------------------------------------------------------


async def ask(service, method, path, content=None, **headers):
    sent = []
    sent_headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    sent_headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": sent_headers,
        "client": ("127.0.0.1", 50000),
    }  # fmt: skip  # a scope reads as a table

    async def receive():
        return {"type": "http.request", "body": b"" if content is None else json.dumps(content).encode()}

    async def send(message):
        sent.append(message)

    await HttpService(service.app, limit=Limit(FakeClock(), burst=10_000))(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(body)


async def test_an_operator_edits_apis_and_routes_over_json_and_enters_no_secrets(service):
    status, headers, shown = await ask(service, "GET", "/api/settings/apis/prime")
    assert (status, headers[b"etag"], shown["origin"]) == (200, b'"0"', "file")
    values = {**shown["values"], "timeout": 7}
    status, headers, made = await ask(service, "PUT", "/api/settings/apis/prime", {"values": values}, if_match='"0"')
    assert (status, headers[b"etag"], made["overrides"]) == (200, b'"1"', True)
    status, _, said = await ask(service, "PUT", "/api/settings/apis/prime", {"values": values}, if_match='"0"')
    assert (status, "version" in said["detail"]) == (409, True)
    keyed = {"base_url": "https://n.example.com", "auth": {"kind": "bearer", "keys": ["typed-key-4711"]}}
    assert (await ask(service, "PUT", "/api/settings/apis/new", {"values": keyed}))[0] == 403
    status, _, said = await ask(service, "PUT", "/api/settings/routes/odds", {"values": {"apis": ["prime", "who"]}})
    assert (status, said["faults"][0]["path"]) == (422, "routes.odds.apis[1]")
    assert (await ask(service, "PUT", "/api/settings/channels/ops", {"values": {}}))[0] == 403
    _, _, said = await ask(service, "GET", "/api/settings/apis/prime/versions")
    assert [(each["version"], each["actor"]) for each in said["versions"]] == [(1, "http 127.0.0.1")]
    body = {"kind": "api", "name": "x", "values": {"base_url": "http://127.0.0.1/"}}
    status, _, said = await ask(service, "POST", "/api/settings/check", body)
    assert (status, said["good"], said["faults"][0]["path"]) == (200, False, "apis.x.base_url")
    status, _, said = await ask(service, "DELETE", "/api/settings/apis/prime")
    assert (status, said["entry"]["origin"], service.api("prime").timeout.attempt) == (200, "file", 3)
    assert (await ask(service, "DELETE", "/api/settings/apis/prime"))[0] == 409
    status, _, said = await ask(service, "POST", "/api/settings/apis/prime/revert", {"version": 1})
    assert (status, said["entry"]["version"], service.api("prime").timeout.attempt) == (200, 3, 7)
    assert (await ask(service, "GET", "/api/settings/apis/nobody"))[0] == 404
