"""What people paste to add an API becomes a proposal; what is not understood is named."""

from __future__ import annotations

import json

import pytest

from understudy.config import load
from understudy.config.pasted import PasteError, propose
from understudy.core.text import texts

#: In parts, so that no search for lost keys finds it here.
KEY = "a1b2c3d4e5" + "msh5a6b7c8d9e0f1a2" + "p1b2c3d" + "jsn4e5f6a7b8c9d"
HOST = "api-football-v1.p.rapidapi.com"
URL = f"https://{HOST}/v3/timezone?season=2020"

RAPIDAPI = {
    "bash": f"curl --request GET \\\n\t--url '{URL}' \\\n\t--header 'x-rapidapi-host: {HOST}' \\  \n"
    f"\t--header 'x-rapidapi-key: {KEY}'",
    "cmd": f'curl ^"{URL}^" ^\n  -H ^"x-rapidapi-host: {HOST}^" ^\n  -H ^"x-rapidapi-key: {KEY}^"',
    "powershell": f"curl.exe '{URL}' `\n -H \"x-rapidapi-host: {HOST}\" `\n -H 'x-rapidapi-key: {KEY}'",
    "requests": f"""
import requests

url = "https://{HOST}/v3/timezone"
querystring = {{"season":"2020"}}
headers = {{
\t"x-rapidapi-key": "{KEY}",
\t"x-rapidapi-host": "{HOST}"
}}
response = requests.get(url, headers=headers, params=querystring)
print(response.json())
""",
    "requests.request": f"""
import requests
headers = dict()
headers = {{"X-RapidAPI-Key": "{KEY}", "X-RapidAPI-Host": "{HOST}"}}
print(headers.get("X-RapidAPI-Key"))
response = requests.request("GET", "{URL}", headers=headers)
""",
    "http.client": f"""
import http.client
conn = http.client.HTTPSConnection("{HOST}")
headers = {{ 'x-rapidapi-key': "{KEY}", 'x-rapidapi-host': "{HOST}" }}
conn.request("GET", "/v3/timezone?season=2020", headers=headers)
res = conn.getresponse()
print(res.read().decode("utf-8"))
""",
    "axios": f"""
import axios from 'axios';
const options = {{
  method: 'GET',
  url: 'https://{HOST}/v3/timezone', // the endpoint
  params: {{season: '2020'}},
  headers: {{ 'x-rapidapi-key': '{KEY}', 'x-rapidapi-host': '{HOST}' }}
}};
async function fetchData() {{
  try {{ const response = await axios.request(options); console.log(response.data); }} catch (error) {{}}
}}
""",
    "fetch": f"""
const url = '{URL}';
const options = {{
  method: 'GET',
  headers: {{ 'x-rapidapi-key': '{KEY}', 'x-rapidapi-host': '{HOST}' }}
}};
try {{ const response = await fetch(url, options); }} catch (error) {{ console.error(error); }}
""",
    "node": f"""
const http = require('https');
const options = {{
  method: 'GET', hostname: '{HOST}', port: null, path: '/v3/timezone?season=2020',
  headers: {{ 'x-rapidapi-key': '{KEY}', 'x-rapidapi-host': '{HOST}' }}
}};
const req = http.request(options, function (res) {{ const chunks = []; }});
req.end();
""",
}


@pytest.mark.parametrize("text", RAPIDAPI.values(), ids=RAPIDAPI)
def test_every_snippet_of_rapidapi_means_the_same_api(text, tmp_path):
    found = propose(text)
    assert (found.name, found.base_url) == ("api_football_v1", f"https://{HOST}/v3")
    assert (found.auth, found.hub, found.variable) == ("rapidapi", "rapidapi", "RAPIDAPI_KEY")
    assert found.health_path == "/timezone?season=2020"
    assert found.key is not None
    assert found.key.reveal() == KEY
    assert found.headers == {}
    assert found.notes == ()
    assert KEY not in repr(found)
    assert KEY not in json.dumps(found.table("env:RAPIDAPI_KEY"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "curl 'https://api.openweathermap.org/data/2.5/weather?q=London&appid=abc123def456'",
            {"auth": "query", "auth_name": "appid", "preset": "openweather",
             "health_path": "/data/2.5/weather?q=London"},
        ),
        (
            "curl -sSLu ana:s3cret -XGET https://api.example.com/v2/x",
            {"auth": "basic", "username": "ana", "name": "example"},
        ),
        ("curl https://ana:s3cret@api.example.com/v2/x", {"auth": "basic", "base_url": "https://api.example.com/v2"}),
        ("curl -H 'Authorization: Basic YW5hOnMzY3JldA==' https://x.example.com", {"auth": "basic", "username": "ana"}),
        (
            "curl -H 'authorization: Token s3cret' https://x.example.com/",
            {"auth": "header", "auth_name": "Authorization", "auth_prefix": "Token "},
        ),
        ("curl --oauth2-bearer s3cret https://x.example.com", {"auth": "bearer"}),
        ("curl --url=https://x.example.com/a -H 'X-Api-Key: s3cret'", {"auth": "header", "auth_name": "X-Api-Key"}),
        (
            "curl -G https://x.example.com/search -d q=fish --data-urlencode 'near=São Paulo' -d api_key=s3cret",
            {"auth": "query", "auth_name": "api_key", "health_path": "/search?q=fish&near=S%C3%A3o%20Paulo"},
        ),
        ("curl https://x.example.com/a?b=1&c=2", {"health_path": "/a?b=1&c=2"}),
        ("$ curl https://x.example.com/api/v2.1/users | jq .", {"base_url": "https://x.example.com/api/v2.1"}),
        ("curl x.example.com/a", {"base_url": "https://x.example.com"}),
        ("curl $'https://x.example.com/it\\'s' -H $'X-A: \\u0021'", {"headers": {"X-A": "!"}}),
        ("https://x.example.com:8443/status", {"base_url": "https://x.example.com:8443", "health_path": "/status"}),
        ("http://127.0.0.1:9101/v3/status", {"name": "local_9101", "auth": "none"}),
        ("x.example.com/v1/status?a=1", {"base_url": "https://x.example.com/v1", "health_path": "/status?a=1"}),
        # The signs that continue the lines were lost on the way.
        (
            "curl https://x.example.com/a\n  -H 'X-Api-Key: abc123def456'\n  --compressed",
            {"auth": "header", "auth_name": "X-Api-Key", "health_path": "/a"},
        ),
        # A second key stands in no path that is shown and kept as it is.
        (
            "https://ana:s3cret@x.example.com/a?q=1&api_key=abc123def456",
            {"auth": "basic", "username": "ana", "health_path": "/a?q=1"},
        ),
        ("curl -I https://x.example.com.br/ping", {"name": "example", "health_path": "/ping"}),
    ],
)  # fmt: skip  # a table
def test_each_way_to_sign_in_is_recognised(text, expected):
    found = propose(text)
    assert {name: getattr(found, name) for name in expected} == expected
    if found.auth != "none":
        assert found.key is not None
        assert found.key.reveal() in ("s3cret", "abc123def456")
        assert found.key.reveal() not in repr(found) + found.health_path + found.base_url


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ('curl -H "x-rapidapi-key: $MY_KEY" https://odds.p.rapidapi.com/', "MY_KEY"),
        ('curl -H "Authorization: Bearer ${TOKEN}" https://x.example.com/', "TOKEN"),
        ('curl ^"https://x.example.com/^" ^\n -H ^"X-Api-Key: %MINE%^"', "MINE"),
        ('curl.exe "https://x.example.com/" `\n -H "X-Api-Key: $env:MINE"', "MINE"),
        (
            "import os, requests\nrequests.get('https://x.example.com', headers={'X-Api-Key': os.environ['MINE']})",
            "MINE",
        ),
        ("import requests\nrequests.get('https://x.example.com', params={'token': os.getenv('MINE')})", "MINE"),
        ("fetch('https://x.example.com', {headers: {Authorization: `Bearer ${process.env.MINE}`}})", "MINE"),
        ("fetch(`https://x.example.com`, {headers: {'X-Api-Key': process.env.MINE}})", "MINE"),
    ],
)  # fmt: skip  # a table
def test_a_key_that_is_kept_in_a_variable_stays_there(text, variable):
    found = propose(text)
    assert (found.key, found.variable) == (None, variable)


@pytest.mark.parametrize(
    ("text", "keyless"),
    [
        ("curl 'https://api.github.com/rate_limit' -H 'Accept: application/vnd.github+json'", True),
        ("curl 'https://api.github.com/rate_limit' -H 'Authorization: Bearer YOUR_TOKEN'", False),
        ("curl 'https://x.p.rapidapi.com/v1/a'", False),
        ("curl 'https://x.example.com/v1/a'", False),
    ],
)
def test_what_a_known_api_is_asked_without_a_key_may_be_kept_without_one(text, keyless):
    found = propose(text)
    assert found.keyless is keyless
    if keyless:
        assert (found.auth, found.preset, found.key) == ("bearer", "github", None)
        assert "auth" not in found.table()
        assert [str(each) for each in found.notes] == [
            "the text asks without a key; this API takes one, and may want it"
        ]


def test_what_is_left_out_is_said_in_both_languages():
    found = propose(
        "curl 'https://x.example.com/v1/buy' -X POST -k -d a=1 -H 'Cookie: session=abc' "
        "-H 'X-Api-Key: SIGN-UP-FOR-KEY' -H 'X-Second-Token: zzz' -H 'X-Region: eu' "
        "-H 'Accept: application/json' -A browser"
    )
    said = [str(note) for note in found.notes]
    assert "a POST may change something, so it is not repeated to check health" in said
    assert "the text holds no real key; add it" in said
    assert any("X-Second-Token" in each for each in said)
    assert len(said) == 5
    assert found.headers == {"X-Region": "eu", "Accept": "application/json"}
    assert (found.key, found.health_path) == (None, "")
    portuguese = [note.shown(texts("pt")) for note in found.notes]
    assert all(one != other for one, other in zip(said, portuguese, strict=True))


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Pet Store API"},
    "servers": [{"url": "https://{region}.pets.example.com/v1", "variables": {"region": {"default": "eu"}}}],
    "paths": {
        "/pets/{id}": {"get": {}},
        "/pets": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        "/countries": {"get": {}},
        "/status": {"get": {}},
        "/orders": {"post": {}},
    },
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Pet-Key"}}},
}


def test_an_openapi_document_becomes_a_proposal():
    found = propose(json.dumps(DOCUMENT))
    assert (found.name, found.base_url) == ("pet_store", "https://eu.pets.example.com/v1")
    assert (found.auth, found.auth_name, found.variable) == ("header", "X-Pet-Key", "PET_STORE_KEY")
    assert found.health_path == "/status"
    assert [str(note) for note in found.notes] == ["the document holds no key; add it"]


ANYTHING = "expected a curl line, Python (requests, http.client), JavaScript (fetch, axios), OpenAPI or an address"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("curl https://x.example.com/a\ncurl https://x.example.com/b", "2 curl lines were pasted; paste one at a time"),
        ("", "nothing was pasted: expected a curl line, a snippet of code or an address"),
        ("hello", ANYTHING),
        ("curl", ANYTHING),
        ("curl -s", "the line names no address"),
        ("curl --frobnicate https://x.example.com", "curl's option --frobnicate is not understood"),
        ("curl -P https://x.example.com", "curl's option -P is not understood"),
        ("curl https://x.example.com -H", "curl's option -H needs a value"),
        ("curl https://x.example.com -H 'secretvalue123'", "the header secretvalue1… has no colon"),
        ("curl 'https://x.example.com", "the quote ' at character 6 is not closed"),
        ("curl https://a.example.com https://b.example.com", "the line names 2 addresses; paste one at a time"),
        ("curl --digest -u a:b https://x.example.com", "signing in by --digest is not supported"),
        ("curl ftp://x.example.com/a", "the address must begin with http:// or https:// and name a host"),
        ("curl 'https://<your-host>/a'", "the host of the address is no name: put the real one in"),
        ("curl https://x.example.com:99999/", "the address cannot be read"),
        ("import requests\nprint('", "the Python cannot be read at line 2"),
        ("import requests\nprint(1)", "no call of requests, httpx or http.client was found"),
        ("const axios = require('axios');", "no call of fetch, axios or https was found"),
        ("{", "the JSON cannot be read at line 1"),
        ("{}", "the JSON is no OpenAPI document: it has no key openapi with a version 3"),
        ('{"swagger": "2.0"}', "this is Swagger 2.0: convert it to OpenAPI 3, or paste a curl line"),
        ('{"openapi": "3.0.0"}', "servers[0].url is missing: the document does not say where the API is"),
        ('{"openapi": "3.0.0", "servers": [{"url": "/v1"}]}', "servers[0].url is /v1, which is no full address"),
        ("openapi: 3.0.0\ninfo:\n", "this OpenAPI document is YAML: paste it as JSON"),
        ("Invoke-RestMethod -Uri 'https://x'", "Invoke-WebRequest is not understood: copy the request as cURL instead"),
        ("{" * 100_000, "the JSON cannot be read at line 1"),
        ("x" * 70_000, "the text is longer than 64 KiB"),
    ],
)  # fmt: skip  # a table
def test_what_is_not_understood_is_named(text, said):
    with pytest.raises(PasteError) as caught:
        propose(text)
    assert str(caught.value) == said


@pytest.mark.parametrize("text", [*RAPIDAPI.values(), json.dumps(DOCUMENT), "curl -u a:b https://x.example.com/v1/a"])
def test_a_proposal_is_a_valid_configuration(text, tmp_path):
    found = propose(text)
    key = "env:THE_KEY"
    lines = [f"[apis.{found.name}]"] + [f"{name} = {_toml(value)}" for name, value in found.table(key).items()]
    (tmp_path / "understudy.toml").write_text("\n".join(lines))
    loaded = load(env={"THE_KEY": "k"}, cwd=tmp_path, secret_dirs=())
    assert loaded.settings.apis[found.name].base_url == found.base_url


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_toml(each)}' for name, each in value.items()) + " }"
    return json.dumps(value)
