"""The pages on which APIs, routes and channels are edited: what is done, refused, and never sent back."""

from __future__ import annotations

import dataclasses
import html
import re
from contextlib import asynccontextmanager

from signed import signed

from understudy.app import Understudy
from understudy.config import load
from understudy.config.managed import ManagedTree
from understudy.config.reload import Reloader
from understudy.managing import Managing
from understudy.storage.memory import MemoryStore
from understudy.testing import ScriptedHttp
from understudy.testing.scripted_http import Answer

FILE = """
[service]
secret_key = "a key of this service, long enough"
[storage]
url = "memory:"
[apis.prime]
base_url = "https://prime.example.com/v1"
auth = { kind = "bearer", keys = ["env:PRIME_KEY"] }
timeout = 3
[apis.spare]
base_url = "https://spare.example.com"
[routes.odds]
apis = ["prime", "spare"]
"""
KEY, TYPED = "prime-key-from-env", "typed-canary-4711"
NAMES = ("a/b", ".", "..", "new", "entry", "<b>&'\"", "?x=1#y")


@asynccontextmanager
async def site(tmp_path, **more):
    """The service with what it needs to keep what people edit; APIs answer as scripted."""
    (tmp_path / "understudy.toml").write_text(FILE)
    async with signed(**more) as here:
        app = here.app

        def read(tree):
            return load(cwd=tmp_path, env={"PRIME_KEY": KEY}, secret_dirs=(), managed=tree)

        http = ScriptedHttp(Answer(200, b'{"said": "hello"}'), clock=here.clock)

        def another(settings, clock):
            return Understudy.build(settings, clock=clock, http=http, seed=1)

        loaded = read(ManagedTree())
        app.reload(loaded.settings)
        reloader = Reloader(loaded, lambda: read(app.managing.tree), lambda new: app.reload(new.settings), print)
        documents = MemoryStore(here.clock).documents
        app.managing = Managing(app, documents, lambda: reloader.current, read, reloader.change, another)
        here.http = http
        gate = here.service.gate
        gate.process = dataclasses.replace(gate.process, loaded=lambda: reloader.current)
        yield here


def entry(kind, name, page="entry"):
    from understudy.web.forms import path_of

    return path_of("settings", kind, page, name=name)


def document(reply):
    """What stands in the field of the document."""
    return html.unescape(re.search(r'id="text".*?>\n(.*?)</textarea>', reply.text, re.DOTALL)[1])


def hidden(reply, name):
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', reply.text)
    return html.unescape(found[1]) if found else ""


async def send(browser, path, **fields):
    page = await browser.page("/settings/profile")
    token = hidden(page, "form_token")
    return await browser.form(path, **({"form_token": token} if token else {}), **fields)


async def test_an_api_is_made_edited_compared_reverted_and_given_back(tmp_path):
    async with site(tmp_path) as here:
        ada = await here.signed_in("admin")
        listed = await ada.page("/settings/apis")
        assert listed.status == 200
        assert "prime" in listed.text
        shown = await ada.page(entry("apis", "prime"))
        assert 'keys = [{ value = "set (sha256:' in document(shown)
        said = document(shown).replace("attempt = 3", "attempt = 4")
        assert said != document(shown)
        checked = await send(ada, entry("apis", "prime"), text=said, expected="0", action="check")
        assert "Nothing is wrong with it" in checked.text
        assert here.app.settings.apis["prime"].timeout.attempt == 3
        saved = await send(ada, entry("apis", "prime"), text=said, expected="0", action="save", comment="slow")
        assert (saved.status, saved.headers["location"]) == (303, entry("apis", "prime") + "&done=saved")
        assert here.app.settings.apis["prime"].timeout.attempt == 4
        assert here.app.settings.apis["prime"].auth.keys[0].value.reveal() == KEY
        fields = {"by": "fields", "f:timeout.attempt": "5", "f:priority": "", "expected": "1"}
        assert (await send(ada, entry("apis", "prime"), **fields)).status == 303
        assert here.app.settings.apis["prime"].timeout.attempt == 5
        assert here.app.settings.apis["prime"].auth.keys[0].value.reveal() == KEY
        versions = await ada.page(entry("apis", "prime", "versions"))
        assert "slow" in versions.text
        assert re.search(r'data-change="new".*?attempt = 5', versions.text, re.DOTALL)
        back = await send(ada, entry("apis", "prime", "versions"), version="1", expected="2")
        assert back.headers["location"].endswith("done=reverted")
        assert here.app.settings.apis["prime"].timeout.attempt == 4
        assert (await ada.page(entry("apis", "prime", "delete"))).status == 200
        gone = await send(ada, entry("apis", "prime", "delete"), expected="3", comment="enough")
        assert gone.headers["location"].endswith("done=restored")
        assert here.app.settings.apis["prime"].timeout.attempt == 3
        assert (await ada.page(entry("apis", "prime", "delete"))).status == 409
        acts = [each for each in await here.audit() if each[1].startswith("settings.")]
        after = [each.entry.after for each in await here.app.keeping.audit.read(50) if each.entry.object == "prime"]
        assert [each["comment"] for each in after] == ["enough", "version 1 again", "", "slow"]
        assert KEY not in str(after)
        assert acts == [
            ("ada", "settings.api.removed", "prime"), *[("ada", "settings.api.put", "prime")] * 3,
        ]  # fmt: skip


async def test_what_is_wrong_is_told_with_its_line_and_the_text_stays(tmp_path):
    async with site(tmp_path) as here:
        ada = await here.signed_in("admin")
        said = '# mine\nbase_url = "https://x.example.com"\n\ntimeout = "soon"\npriorty = 3\n'
        reply = await send(ada, "/settings/apis/new", name="x", text=said, expected="0")
        assert (reply.status, document(reply)) == (422, said)
        rows = re.findall(r'<td class="number">(\d+|–)</td><td><code>(.*?)</code>', reply.text)
        assert sorted(rows) == [("4", "timeout"), ("5", "priorty")]
        assert "did you mean" in reply.text
        ada.headers["accept-language"] = "pt-BR"
        reply = await send(ada, "/settings/apis/new", name="x", text=said, expected="0")
        assert "chave desconhecida" in reply.text
        del ada.headers["accept-language"]
        for text in ("timeout = inf", "timeout = nan", "x = 2020-01-01", "a." * 5000 + "a = 1", "x = [" * 900,
                     "n = " + "9" * 6000, "base_url = ", '"\\ud800" = 1', "\0", "timeout = 1e999"):  # fmt: skip
            reply = await send(ada, "/settings/apis/new", name="x", text=text, expected="0")
            assert reply.status == 422, (text[:20], reply.status)
        reply = await send(ada, "/settings/apis/new", name="", text="", expected="0")
        assert reply.status == 422
        assert (await send(ada, "/settings/apis/new", name="x", text="", expected="-1")).status == 422
        assert (await send(ada, "/settings/apis/new", name="x", text="", expected="0", action="burn")).status == 422


async def test_a_typed_secret_is_never_sent_back_and_waits_for_who_typed_it(tmp_path):
    async with site(tmp_path) as here:
        ada, oto = await here.signed_in("admin"), await here.signed_in("operator")
        said = f'base_url = "https://x.example.com"\nwrong = 1\n[auth]\nkind = "bearer"\nkeys = ["{TYPED}"]\n'
        reply = await send(ada, "/settings/apis/new", name="x", text=said, expected="0")
        assert reply.status == 422
        assert TYPED not in reply.text
        assert "waits for half an hour" in reply.text
        mended, held = document(reply).replace("wrong = 1\n", ""), hidden(reply, "held")
        tried = await send(ada, "/settings/apis/new", name="x", text=mended, expected="0", held=held, action="test")
        assert "It works" in tried.text
        assert TYPED not in tried.text
        assert TYPED in str(here.http.requests[-1].headers)
        # somebody else's draft, and one whose time is over, hold nothing
        reply = await send(oto, "/settings/apis/new", name="x", text=mended, expected="0", held=held)
        assert "no secret of that mark" in reply.text
        saved = await send(ada, "/settings/apis/new", name="x", text=mended, expected="0", held=held)
        assert saved.status == 303
        assert here.app.settings.apis["x"].auth.keys[0].value.reveal() == TYPED
        reply = await send(ada, "/settings/apis/new", name="y", text=mended, expected="0", held=held)
        assert "no secret of that mark" in reply.text
        fields = {"by": "fields", "f:base_url": "nonsense", "f:auth.kind": "bearer", "f:auth.keys": TYPED}
        reply = await send(ada, "/settings/apis/new", name="z", expected="0", **fields)
        assert TYPED not in reply.text
        held = hidden(reply, "held")
        kept = {"f:kept:auth.keys": hidden(reply, "f:kept:auth.keys"), "held": held}
        here.clock.tick(1700)
        fields |= {"f:base_url": "https://z.example.com", "f:auth.keys": "", **kept}
        assert (await send(ada, "/settings/apis/new", name="z", expected="0", **fields)).status == 303
        assert here.app.settings.apis["z"].auth.keys[0].value.reveal() == TYPED


#: Texts that are refused, with a secret somewhere.
REFUSED = (
    f'base_url = "https://x.example.com"\n[auth]\nkeys = ["{TYPED}"\n',
    f"pasword = {TYPED}\nbase_url = ",
    f'auth = {{ kind = "bearer", keys = ["{TYPED}"] \n',
    f'[auth]\nkind = "bearer"\nkeys = [\n  "one",\n  "{TYPED}",\n',
    f'[auth.keys]\nx = "{TYPED}"\nx = "{TYPED}"',
    f"{TYPED}\n",
    f'{{"auth": {{"keys": ["{TYPED}"]}}}}',
    f'headers = {{ X-Mine = "{TYPED}" }}\n=',
    f'base_url = "https://me:{TYPED}@x.example.com"\n=',
    f'base_url = "https://me:{TYPED}@x.example.com"\n',
    f'apikey = "{TYPED}"\n',
    f'[auth]\ntoken = "{TYPED}"\n[headers]\nX = "{TYPED}"',
)


async def test_no_text_brings_a_secret_back(tmp_path):
    async with site(tmp_path) as here:
        ada = await here.signed_in("admin")
        for text in REFUSED:
            for kind, said in (("apis", text), ("channels", 'kind = "slack"\n' + text.replace("base_url", "url"))):
                reply = await send(ada, f"/settings/{kind}/new", name="x", text=said, expected="0")
                assert (reply.status, TYPED in reply.text) == (422, False), said


async def test_no_document_holds_the_service_up_or_fails_it(tmp_path):
    most = 99_000
    documents = (
        "x = " + "b" * most, "x = [\n" + "b" * most, "x = 1e" + "9" * most + " !", "a." * (most // 2) + "a = 1",
        "[" + "a . " * (most // 4) + "a]", '"a".' * (most // 4) + "a = 1", "priority = 0x" + "f" * most,
        "[auth]\nkeys = 0x" + "f" * most, "x = " + "[" * most, "'" * most, '"" ' * (most // 3),
    )  # fmt: skip
    async with site(tmp_path) as here:
        oz = await here.signed_in("operator")
        for text in documents:
            reply = await send(oz, "/settings/apis/entry?name=prime", text=text, expected="0", action="check")
            assert reply.status == 422, text[:30]
        for odd in ("nan", "1e400", "-infinity", "9" * 5000, "１", "0x1"):
            fields = {"by": "fields", "f:price": odd, "f:quota.limit": odd, "expected": "0", "action": "check"}
            assert (await send(oz, "/settings/apis/entry?name=prime", **fields)).status == 422, odd


async def test_an_edit_of_another_meanwhile_is_shown_as_theirs_and_yours(tmp_path):
    async with site(tmp_path) as here:
        ada, oto = await here.signed_in("admin"), await here.signed_in("operator")
        text = 'apis = ["prime"]\ndeadline = 9\n'
        assert (await send(oto, entry("routes", "odds"), text=text, expected="0")).status == 303
        mine = 'apis = ["spare"]\ndeadline = 9\n'
        reply = await send(ada, entry("routes", "odds"), text=mine, expected="0")
        assert (reply.status, hidden(reply, "expected"), document(reply)) == (409, "1", mine)
        assert "oto saved version 1" in reply.text
        assert re.search(r'data-change="gone".*?prime.*?data-change="new".*?spare', reply.text, re.DOTALL)
        assert (await send(ada, entry("routes", "odds"), text=mine, expected="1")).status == 303
        assert here.app.settings.routes["odds"].apis == ("spare",)
        assert (await send(oto, entry("routes", "odds", "versions"), version="1", expected="1")).status == 409
        assert (await send(oto, entry("routes", "odds", "delete"), expected="1")).status == 409
        made = 'base_url = "https://m.example.com"\n'
        assert (await send(ada, "/settings/apis/new", name="m", text=made, expected="0")).status == 303
        in_use = 'apis = ["spare", "m"]\n'
        assert (await send(ada, entry("routes", "odds"), text=in_use, expected="2")).status == 303
        refused = await send(ada, entry("apis", "m", "delete"), expected="1")
        assert (refused.status, "Something else needs it" in refused.text) == (422, True)
        assert (await send(ada, entry("routes", "odds", "delete"), expected="3")).status == 303
        assert (await send(ada, entry("apis", "m", "delete"), expected="1")).headers["location"].endswith("=removed")
        reply = await send(oto, entry("apis", "m"), text=made, expected="1")
        assert (reply.status, "ada has deleted it" in reply.text, hidden(reply, "expected")) == (409, True, "0")
        assert (await send(oto, "/settings/apis/new", name="m", text=made, expected="0")).status == 303


async def test_any_name_has_its_pages(tmp_path):
    async with site(tmp_path) as here:
        ada = await here.signed_in("admin")
        for name in NAMES:
            text = 'base_url = "https://x.example.com"\n'
            saved = await send(ada, "/settings/apis/new", name=name, text=text, expected="0")
            assert saved.status == 303, name
            assert (await ada.page(saved.headers["location"])).status == 200, name
            assert (await ada.page(entry("apis", name, "versions"))).status == 200
            assert (await send(ada, entry("apis", name, "delete"), expected="1")).status == 303
        assert (await ada.page(entry("apis", "nobody"))).status == 404
        assert (await ada.page("/settings/apis/entry")).status == 404
        assert (await send(ada, entry("apis", "nobody", "delete"), expected="1")).status == 404


async def test_who_may_do_what(tmp_path):
    async with site(tmp_path) as here:
        ada, oto, vera = [await here.signed_in(role) for role in ("admin", "operator", "viewer")]
        slack = {"by": "fields", "kind": "slack", "f:url": "https://hooks.slack.com/services/T0/B0/typed-canary-4711"}
        assert (await send(oto, "/settings/channels/new", name="team", expected="0", **slack)).status == 403
        saved = await send(ada, "/settings/channels/new", name="team", expected="0", **slack)
        assert saved.status == 303
        assert TYPED in here.app.settings.channels["team"].url.reveal()
        shown = await oto.page(entry("channels", "team"))
        assert (shown.status, TYPED in shown.text, "readonly" in shown.text) == (200, False, True)
        assert (await vera.page("/settings/channels")).status == 403
        prime = await vera.page(entry("apis", "prime"))
        assert (prime.status, "readonly" in prime.text, KEY in prime.text) == (200, True, False)
        assert (await send(vera, entry("apis", "prime"), text="", expected="0")).status == 403
        own = f'base_url = "https://o.example.com"\nauth = {{ kind = "bearer", keys = ["{TYPED}"] }}\n'
        for action in ("save", "check"):
            reply = await send(oto, "/settings/apis/new", name="o", text=own, expected="0", action=action)
            assert (reply.status, "Only an administrator may enter secrets" in reply.text) == (403, True)
        moved = document(await oto.page(entry("apis", "prime"))).replace("prime.example.com", "evil.example.com")
        reply = await send(oto, entry("apis", "prime"), text=moved, expected="0", action="test")
        assert (reply.status, "leads elsewhere" in reply.text) == (422, True)
        inside = 'base_url = "http://169.254.169.254/"\n'
        assert (await send(oto, "/settings/apis/new", name="o", text=inside, expected="0")).status == 422
        shown = await ada.page("/settings/channels/new?kind=telegram")
        assert 'bot_token = ""' in document(shown)
        page = await oto.page("/settings/apis")
        assert "/settings/apis/new" in page.text
        assert "/settings/apis/new" not in (await vera.page("/settings/apis")).text


async def test_every_value_says_where_it_comes_from(tmp_path):
    def rows(reply):
        cells = re.findall(r'<th scope="row"><code>(.*?)</code></th>(.*?)</tr>', reply.text, re.DOTALL)
        return {name: re.sub(r"<.*?>", " ", row) for name, row in cells}

    async with site(tmp_path) as here:
        ada = await here.signed_in("admin")
        shown = rows(await ada.page("/apis/prime?tab=config"))
        assert "understudy.toml:9" in shown["timeout.attempt"]
        assert "usual" in shown["priority"]
        assert "the environment: PRIME_KEY" in shown["auth.keys[0].value"]
        assert KEY not in str(shown)
        text = document(await ada.page(entry("apis", "prime"))).replace("attempt = 3", "attempt = 4")
        assert (await send(ada, entry("apis", "prime"), text=text, expected="0")).status == 303
        assert "edited here, version 1" in rows(await ada.page("/apis/prime?tab=config"))["timeout.attempt"]
        found = rows(await ada.page("/settings/configuration?q=prime"))
        assert "edited here, version 1" in found["apis.prime.timeout.attempt"]
        assert "understudy.toml:3" in rows(await ada.page("/settings/configuration"))["service.secret_key"]
        here.app.fallback.register_api("mine", base_url="https://mine.example.com")
        shown = rows(await ada.page("/apis/mine?tab=config"))
        assert "the program" in shown["base_url"]
        edit, new = "/settings/apis/entry?name=", "/settings/routes/new"
        assert [edit in (await ada.page(f"/apis/{each}")).text for each in ("prime", "mine")] == [True, False]
        vera = await here.signed_in("viewer")
        assert edit not in (await vera.page("/apis/prime")).text
        assert [new in (await each.page("/routes")).text for each in (ada, vera)] == [True, False]


async def test_without_accounts_the_way_to_the_first_administrator_is_shown(tmp_path):
    async with site(tmp_path, accounts=False) as here:
        page = await here.browser().page("/settings/apis")
        assert "/setup" in page.text
        assert "understudy admin setup-token" in page.text
        assert "/setup" in (await here.browser().page("/settings/channels")).text
