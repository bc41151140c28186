"""Every example runs as a user runs it: in an interpreter of its own, in a folder of its own, without a network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from seed_alert_snippets import ALERTS, NOTIFICATIONS
from seed_snippets import SNIPPETS, Snippet

import understudy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DOCUMENT = EXAMPLES / "rapidapi_producao"
OFFLINE = Path(__file__).with_name("offline")
SOURCES = Path(understudy.__file__).parents[1]
PATIENCE = 90

#: Each example that runs to its end by itself: what it is started with, and what it has to say.
RUNS: dict[str, tuple[tuple[str, ...], str]] = {
    "wrap_a_coroutine.py": (
        (),
        r"(?s)backup served: .*at main: 3 in 21 calls.*nobody served: main: every API",
    ),
    "http_route.py": (
        (),
        r"(?s)is well: 200 from odds_prime .*call 6: 200 from odds_open.*odds_prime meanwhile: 3",
    ),
    "own_httpx_client.py": ((), r"(?s)odds_prime says nothing; 200 from odds_open.*both are out of order: \w+"),
    "alerts.py": (
        (),
        r"(?s)told: fired.*told: acked.*told: resolved.*trigger, acknowledge, resolve.* 9 were delivered, 0",
    ),
    "blocking_code.py": ((), r"(?s)a route: odds_prime.*\{'odds_open'\} served 8.*a function: no report today"),
    "rapidapi_producao/production_config.py": ((), ""),
    "rapidapi_producao/performance_monitor.py": ((), ""),
    "rapidapi_producao/fallback_manager.py": ((), ""),
    "rapidapi_producao/notification_system.py": ((), ""),
    "rapidapi_producao/alert_system.py": ((), ""),
    "rapidapi_producao/demo_sistema_completo_producao.py": (("--seconds", "16", "--plain"), "Every part did its job"),
}
#: Examples that are started in another way, by the tests below.
OTHERS = {
    "test_my_fallback.py",
    "rapidapi_producao/dashboard_producao.py",
    "rapidapi_producao/web_dashboard.py",
    "rapidapi_producao/setup_producao.py",
}


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """What a user's interpreter finds: these folders on its path, and nothing of ours but the package."""
    path = os.pathsep.join(map(str, (OFFLINE, SOURCES, *folders)))
    return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": path, "PYTHONUTF8": "1", "COLUMNS": "160", **more}


def python(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd, env=env, capture_output=True, check=False, encoding="utf-8", timeout=PATIENCE,
    )  # fmt: skip  # the arrangement in one line


def test_every_example_is_run_by_a_test():
    files = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    assert files == set(RUNS) | OTHERS


def test_every_example_is_named_where_a_reader_looks():
    for folder in (EXAMPLES, DOCUMENT):
        page = (folder / "README.md").read_text("utf-8")
        assert [path.name for path in folder.glob("*.py") if path.name not in page] == []


@pytest.mark.parametrize("name", RUNS)
def test_an_example_runs_to_its_end(name, tmp_path):
    arguments, words = RUNS[name]
    run = python(str(EXAMPLES / name), *arguments, cwd=tmp_path, env=environment())
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert re.search(words, run.stdout), run.stdout


def test_the_example_that_is_a_test_passes(tmp_path):
    file = str(EXAMPLES / "test_my_fallback.py")
    run = python("-m", "pytest", "-q", "-p", "no:cacheprovider", file, cwd=tmp_path, env=environment())
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_the_tests_of_rules_beside_the_examples_pass(tmp_path):
    variables = {"TEAM_WEBHOOK": "https://hooks.example.com/an-example", "DUTY_KEY": "e" * 32}
    run = python(
        "-c", "from understudy.cli import main; main()", "rules", "test", "--config", str(EXAMPLES / "alerts.toml"),
        str(EXAMPLES / "alerts.test.toml"), cwd=tmp_path, env=environment(**variables),
    )  # fmt: skip  # a command line
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert "OK: 1 test" in run.stdout


@pytest.mark.parametrize("name", ["dashboard_producao.py", "web_dashboard.py"])
def test_the_dashboard_of_the_document_serves_and_ends_well(name, tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(DOCUMENT / name), "--port", "0", "--simulator"],
        cwd=tmp_path, env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip  # the streams in one line
    try:
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert url, line + process.stderr.read()
        with urllib.request.urlopen(url[0] + "/api/status", timeout=PATIENCE) as answer:
            assert "fixtures_pro" in json.dumps(json.load(answer))
        question = urllib.request.Request(url[0] + "/api/fallback/reset", b"{}", {"Content-Type": "application/json"})
        if name == "web_dashboard.py":
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(question, timeout=PATIENCE)
        else:
            urllib.request.urlopen(question, timeout=PATIENCE).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_setup_of_the_document_writes_a_configuration_that_works(tmp_path):
    setup = str(DOCUMENT / "setup_producao.py")
    options = ("--non-interactive", "--api", "odds=http://127.0.0.1:9/v1/status", "--route", "odds=odds")
    run = python(setup, *options, "--storage", "memory:", cwd=tmp_path, env=environment())
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert "gravado: understudy.toml" in run.stdout
    run = python("-c", "from understudy.cli import main; main()", "config", "check", cwd=tmp_path, env=environment())
    assert run.stdout == "OK: 1 API, 1 route, development\n", run.stderr


def test_the_template_of_the_document_is_the_one_that_setup_writes(tmp_path):
    run = python(str(DOCUMENT / "setup_producao.py"), "--template", cwd=tmp_path, env=environment())
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert (tmp_path / ".env.template").read_text("utf-8") == (DOCUMENT / ".env.template").read_text("utf-8")


@pytest.mark.parametrize("snippet", [*SNIPPETS, *NOTIFICATIONS, *ALERTS], ids=lambda snippet: snippet.name)
def test_a_program_of_the_document_prints_what_it_promises(snippet: Snippet, tmp_path):
    (tmp_path / ".env").write_text(snippet.dotenv, "utf-8")
    (tmp_path / "programa.py").write_text(snippet.program, "utf-8")
    run = python("programa.py", cwd=tmp_path, env=environment(DOCUMENT, **snippet.env))
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert run.stdout.splitlines() == snippet.lines


#: What the programs of the Portuguese page print, one by one.
PAGE = [
    r"Ambiente: development\nCanais configurados: \[\]",
    r"json 8080 80\.0",
    r"Taxa de sucesso: 90\.0%\n100 requisições, 10\.0% de erro\n100 por minuto, em média 0\.0\d\d s",
    r"Jogos: 10\napi_backup: 100\.0%",
    r"api_principal: sem rota para principal\napi_backup: sem rota para backup",
    r"\['slack'\]\npombo-correio False no such channel",
    r"respostas_lentas: 1\.5 s em api_futebol, limite 1\.0 s",
]


def shown() -> list[str]:
    text = (DOCUMENT / "README.md").read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_every_program_of_the_page_has_its_output_here():
    assert len(shown()) == len(PAGE)


@pytest.mark.parametrize("place", range(len(PAGE)))
def test_a_program_of_the_page_runs_in_that_folder(place, tmp_path):
    (tmp_path / "programa.py").write_text(shown()[place], "utf-8")
    run = python("programa.py", cwd=tmp_path, env=environment(DOCUMENT))
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert re.fullmatch(PAGE[place], run.stdout.strip()), run.stdout


def test_an_example_that_left_this_machine_would_fail(tmp_path):
    program = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    assert "tried to reach '192.0.2.1'" in python("-c", program, cwd=tmp_path, env=environment()).stderr
    program = "import socket; socket.getaddrinfo('api.example.com', 443)"
    assert "tried to reach 'api.example.com'" in python("-c", program, cwd=tmp_path, env=environment()).stderr
