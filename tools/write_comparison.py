"""Writes the comparison in both READMEs from benchmarks/results/, so that they claim only what was measured.

    python tools/write_comparison.py             write the tables anew
    python tools/write_comparison.py --check     only say which README is stale (a test runs this)
    python tools/write_comparison.py --complete  also fail when a figure that is quoted was not measured

A line whose figures are not in the results is left out. Fractions are rounded against us.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN: Final = "<!-- figures of benchmarks/results/, written by tools/write_comparison.py -->"
END: Final = "<!-- end of the figures -->"
READMES: Final = {"en": "README.md", "pt": "README.pt-BR.md"}


class Fault(Exception):
    """What the person who runs this has to mend."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `figures` are (benchmark, figure, kind of number) for the names in the texts."""

    figures: dict[str, tuple[str, str, str]]
    en: tuple[str, str]
    pt: tuple[str, str]


def _failover(case: str, candidate: str, which: str) -> tuple[str, str, str]:
    return "failover", f"{case}, {candidate}: {which}, ms", "ms"


LINES: Final = (
    Line(
        {"it": ("record", "by_name", "share")},
        (
            "Recording one outcome, by the API's name",
            "{it} of prometheus_client's counter and histogram, cached children",
        ),
        (
            "Registrar um resultado, pelo nome da API",
            "{it} do contador e histograma do prometheus_client, com filhos em cache",
        ),
    ),
    Line(
        {"it": ("record", "all_in", "share"), "deque": ("record", "all_in_deque", "share")},
        (
            "The same with its counting into windows, 100 at a time",
            "{it} of prometheus_client, {deque} of lock + deque",
        ),
        ("O mesmo com a contagem em janelas, de 100 em 100", "{it} do prometheus_client, {deque} de lock + deque"),
    ),
    Line(
        {
            "awaits": ("pipeline", "awaits", "times"),
            "usual": ("pipeline", "combination", "share"),
            "hyx": ("pipeline", "hyx", "share"),
        },
        (
            "Protecting one successful call of a coroutine",
            "{awaits} bare awaits; {usual} of stamina + purgatory + timeout + prometheus_client; {hyx} of hyx",
        ),
        (
            "Proteger uma chamada bem-sucedida de uma corrotina",
            "{awaits} awaits simples; {usual} de stamina + purgatory + timeout + prometheus_client; {hyx} do hyx",
        ),
    ),
    Line(
        {"bare": ("client", "aiohttp", "share"), "usual": ("client", "aiohttp_usual", "share")},
        (
            "One GET on a route of three APIs, everything on: processor time",
            "{bare} of a bare aiohttp session; {usual} of aiohttp + stamina + purgatory + prometheus_client",
        ),
        (
            "Um GET numa rota de três APIs, com tudo ligado: tempo de processador",
            "{bare} de uma sessão aiohttp pura; {usual} de aiohttp + stamina + purgatory + prometheus_client",
        ),
    ),
    Line(
        {"stock": ("client", "httpx", "share"), "usual": ("client", "httpx_usual", "share")},
        (
            "The same through your httpx client on our transport",
            "{stock} of httpx by itself; {usual} of httpx + stamina + purgatory + prometheus_client",
        ),
        (
            "O mesmo pelo seu cliente httpx com o nosso transporte",
            "{stock} do httpx sozinho; {usual} de httpx + stamina + purgatory + prometheus_client",
        ),
    ),
    Line(
        {
            "times": ("fairness", "ours_over_median", "times"),
            "ours": ("fairness", "ours_longest_ms", "ms"),
            "theirs": ("fairness", "aiohttp_longest_ms", "ms"),
        },
        (
            "256 callers on 100 connections: the longest wait",
            "{times} times the median, {ours} ms; {theirs} ms with aiohttp's own pool",
        ),
        (
            "256 chamadores em 100 conexões: a maior espera",
            "{times} vezes a mediana, {ours} ms; {theirs} ms com o pool do próprio aiohttp",
        ),
    ),
    Line(
        {
            "limit": ("failover", "limit of an attempt, ms", "ms"),
            "ours": _failover("lead hangs", "Understudy", "first call"),
            "stamina": _failover("lead hangs", "stamina, then the standby", "first call"),
            "purgatory": _failover("lead hangs", "purgatory, then the standby", "first call"),
        },
        (
            "The lead hangs, an attempt may take {limit} ms: the first answer",
            "after {ours} ms; {stamina} ms with stamina, {purgatory} ms with purgatory, each then the standby by hand",
        ),
        (
            "A titular trava, uma tentativa pode levar {limit} ms: a primeira resposta",
            "em {ours} ms; {stamina} ms com stamina, {purgatory} ms com purgatory, ambos com a reserva chamada à mão",
        ),
    ),
    Line(
        {
            "ours": _failover("lead hangs", "Understudy", "later calls"),
            "stamina": _failover("lead hangs", "stamina, then the standby", "later calls"),
            "purgatory": _failover("lead hangs", "purgatory, then the standby", "later calls"),
        },
        ("The calls after it, on average", "{ours} ms; {stamina} ms with stamina, {purgatory} ms with purgatory"),
        ("As chamadas seguintes, em média", "{ours} ms; {stamina} ms com stamina, {purgatory} ms com purgatory"),
    ),
    Line(
        {
            "slow": ("memory", "slow_kb", "ms"),
            "fast": ("memory", "fast_kb", "ms"),
            "error": ("memory", "error_percent", "ms"),
        },
        (
            "Memory per API with windows of 1 m, 5 m and 1 h",
            "{slow} KB at 1 call/s, {fast} KB at 100 calls/s; p50, p95 and p99 within {error} %",
        ),
        (
            "Memória por API com janelas de 1 min, 5 min e 1 h",
            "{slow} KB com 1 chamada/s, {fast} KB com 100 chamadas/s; p50, p95 e p99 com erro de até {error} %",
        ),
    ),
    Line(
        {"ms": ("metrics", "some_ms", "ms"), "it": ("metrics", "some", "share")},
        ("One scrape of 1,000 APIs, 5 % of them changed", "{ms} ms, {it} of prometheus_client's"),
        ("Uma coleta de 1.000 APIs, 5 % delas com mudanças", "{ms} ms, {it} do prometheus_client"),
    ),
    Line(
        {"module": ("import_time", "module_ms", "ms"), "cls": ("import_time", "class_ms", "ms")},
        ("`import understudy`, beyond asyncio", "{module} ms, and {cls} ms when `Understudy` is first used"),
        ("`import understudy`, além do asyncio", "{module} ms, e {cls} ms no primeiro uso de `Understudy`"),
    ),
)
HEADS: Final = {
    "en": ("measured", "Understudy beside others"),
    "pt": ("o que foi medido", "Understudy ao lado de outros"),
}
NOTES: Final = {
    "en": "One run, all candidates in turn, {where}. {goals} [All goals](benchmarks/results/summary.md)",
    "pt": "Uma execução, os candidatos em rodízio, {where}. {goals} [Todas as metas](benchmarks/results/summary.md)",
}
MET: Final = {"en": "All {all} goals are met.", "pt": "Todas as {all} metas foram atingidas."}
MISSED: Final = {"en": "{missed} of {all} goals missed.", "pt": "{missed} de {all} metas não atingidas."}
NOTHING: Final = {"en": "`make bench` writes the figures here.", "pt": "`make bench` escreve os números aqui."}


def number(value: float, kind: str, language: str) -> str:
    """A figure as it is quoted: fractions and multiples never better than measured."""
    if kind == "share" and value <= 2 / 3:
        times = 1 / value
        step = 0.1 if times < 10 else 10.0 ** (math.floor(math.log10(times)) - 1)
        text = f"1/{math.floor(times / step) * step:.{1 if step < 1 else 0}f}"
    elif kind in ("share", "times"):
        text = f"{math.ceil(value * 100) / 100:.2f}" + ("×" if kind == "share" else "")
    else:
        text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return text.replace(".", ",") if language == "pt" else text


def read(folder: Path = RESULTS) -> dict[str, Any]:
    """All results by the name of their benchmark."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    return {result["name"]: result for result in found}


def block(results: dict[str, Any], language: str) -> tuple[str, list[str]]:
    """What stands between the marks, and the figures that are missing."""
    rows, missing = [], []
    for line in LINES:
        wanted = line.figures.values()
        absent = [f"{bench}: {name}" for bench, name, _ in wanted if name not in figures(results, bench)]
        if absent:
            missing += absent
            continue
        said = {
            word: number(figures(results, bench)[name], kind, language)
            for word, (bench, name, kind) in line.figures.items()
        }
        what, found = line.pt if language == "pt" else line.en
        rows.append(f"| {what.format(**said)} | {found.format(**said)} |")
    if not rows:
        return NOTHING[language], missing
    head = [f"| {HEADS[language][0]} | {HEADS[language][1]} |", "|---|---|"]
    return "\n".join([*head, *rows, "", note(results, language)]), missing


def figures(results: dict[str, Any], bench: str) -> dict[str, float]:
    """The figures that a benchmark lays out to be quoted."""
    return dict(results.get(bench, {}).get("figures", {}))


def note(results: dict[str, Any], language: str) -> str:
    """Where it was measured, and how many goals of the project were met."""
    goals = [goal for result in results.values() for goal in result["goals"]]
    missed = sum(not goal["met"] for goal in goals)
    place = next(iter(results.values()))["environment"]
    where = f"Python {place['Python']}, {place['system']}, {place['CPUs']} CPUs"
    said = (MISSED if missed else MET)[language].format(missed=missed, all=len(goals))
    return NOTES[language].format(where=where, goals=said)


def replaced(text: str, name: str, inside: str) -> str:
    """The README with `inside` between the marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Fault(f"{name}: expected the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{inside}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """The exit code is the number of READMEs that are stale, or 1 for a figure that is missing."""
    results = read()
    stale = 0
    for language, name in READMES.items():
        path = ROOT / name
        text = path.read_text("utf-8")
        inside, missing = block(results, language)
        if missing and "--complete" in arguments:
            raise Fault("not measured: " + "; ".join(missing))
        new = replaced(text, name, inside)
        if new == text:
            continue
        stale += 1
        if "--check" not in arguments:
            path.write_text(new, "utf-8")
        print(f"{'stale' if '--check' in arguments else 'wrote'}: {name}")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Fault as fault:
        sys.exit(f"write_comparison: {fault}")
