"""What must not be in the repository: one machine's paths, an index's address, a secret."""

from __future__ import annotations

import re

from house import ROOT, committed, name_of, report

#: Written apart, so that this page does not find itself.
MACHINE_PATHS = [
    re.compile(rf"(?<![\w.]){path}(?![\w-])") for path in ("/wor" + "k/", "/roo" + "t/", "/opt" + "/wheels")
]
INDEX_HOSTS = [
    # From back to front, for the same reason.
    re.compile(re.escape(name[::-1]))
    for name in ("gro.ipyp", "gro.detsohnohtyp", "gro.sjmpn.yrtsiger", "gro.naibed.bed")
]
SECRETS = [
    re.compile(pattern)
    for pattern in (
        r"AKIA[0-9A-Z]{16}",
        r"\bgh[pousr]_[A-Za-z0-9]{36}",
        r"xox[abprs]-[A-Za-z0-9-]{10,}",
        r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/",
        r"\b[0-9a-z]{10}msh[0-9a-z]{15}p[0-9a-z]{6}jsn[0-9a-z]{12}\b",  # the shape of a RapidAPI key
    )
]
PRIVATE_KEY = "PRIVATE" + " KEY-----"


def texts():
    for path in committed():
        try:
            yield path, path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # an image


def search(patterns):
    return [
        f"{name_of(path)}:{number}: {line.strip()[:100]}"
        for path, lines in texts()
        for number, line in enumerate(lines, 1)
        if any(pattern.search(line) for pattern in patterns)
    ]


def test_no_file_names_a_path_of_one_machine():
    findings = search(MACHINE_PATHS)
    assert not findings, report(findings)


def test_no_file_names_a_package_index():
    findings = search(INDEX_HOSTS)
    assert not findings, report(findings)


def test_no_file_holds_what_looks_like_a_secret():
    findings = search(SECRETS)
    findings += [
        name_of(path)
        for path, lines in texts()
        if any(PRIVATE_KEY in line for line in lines) and not path.name.startswith("test_only_")
    ]
    assert not findings, report(findings)


def test_requirements_are_pinned_with_hashes_and_name_no_place():
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text("utf-8").replace("\\\n", " ")
        wishes = [line for line in text.splitlines() if line and line.lstrip()[0] != "#"]
        assert wishes, name_of(path)
        findings = [
            w for w in wishes if not re.match(r"^[\w.\[\],-]+==\S+( ;[^-]+)?\s+--hash=sha256:", w) or "://" in w
        ]
        assert not findings, name_of(path) + report([w[:120] for w in findings])


def test_the_smaller_requirements_are_cut_from_the_big_one():
    def pins(name):
        text = (ROOT / "requirements" / name).read_text("utf-8")
        return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))

    everything = pins("dev.txt")
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        differing = {name: version for name, version in pins(path.name).items() if everything.get(name) != version}
        assert not differing, f"{name_of(path)} differs from dev.txt: run `make lock`"


def test_every_unfinished_mark_is_gone():
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    findings = [f for f in search([marks]) if f.startswith(("src/", "tests/", "tools/", "benchmarks/", "docs/"))]
    assert not findings, report(findings)


def test_the_changelog_has_a_head_for_what_is_not_released_yet():
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings[0] == "## Unreleased"
    assert any(line.startswith("- ") for line in lines)
