"""Alerts that would break what is careless: the same ones each time, for every channel.

Texts of exactly a limit and of one character more, in scripts that count differently in characters, code units and
bytes; and everything that any of the services would take for markup, a mention, a header or an end of a text.
"""

from __future__ import annotations

from dataclasses import replace

from understudy.core.notices import Notice, NoticeKind, Severity

AT = 1_800_000_000.0
#: Every limit that any of the services publishes.
LIMITS = (
    50,
    75,
    100,
    130,
    150,
    255,
    256,
    512,
    998,
    1000,
    1024,
    2000,
    2048,
    3000,
    4000,
    4096,
    6000,
    8000,
    15_000,
    25_000,
)
#: What texts are made of: a name, and the unit that is repeated.
SCRIPTS = {
    "ascii": "a", "words": "alert ", "emoji": "😀", "family": "👩‍👩‍👧‍👦", "flag": "🇧🇷", "skin": "👍🏽",
    "combining": "e\u0301",
    "stacked": "o\u0301\u0302\u0303\u0304", "hebrew": "שלום ", "arabic": "سلام ", "han": "漢字", "surrogate": "\ud83d",
    "pair": "\ud83d\ude00", "lt": "<", "amp": "&", "entity": "&amp;", "quote": '"', "star": "*", "underscore": "_",
    "backslash": "\\", "backtick": "`", "bracket": "[x](y)", "newline": "\n", "crlf": "x\r\n", "nul": "\0",
    "escape": "\x1b[31m",
    "zero width": "x\u200b", "at": "@everyone ", "tag": "<b>", "unclosed": "</i><", "wide": "Ｗ", "private": "\ue000",
    "nbsp": "\u00a0.",
}  # fmt: skip
#: Whole texts that some parser would take for something.
WHOLE = (
    "<!channel>", "<!here> & <!everyone>", "<@U012ABCDEF>", "<#C012ABCDEF|general>", "<!subteam^S012|team>",
    "<https://evil.example|Acknowledge>", "@everyone", "@here look", "<@123456789012345678>", "<@&123456789012345678>",
    "@some_user_name please", "tg://user?id=1", "/start", "#hashtag $CASH", '<a href="https://evil.example">x</a>',
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</b></i></code>", "<b><i></b></i>", "&lt;b&gt;",
    "&#60;b&#62;",
    "&bogus; &amp &;", "*bold* _italic_ ~strike~ `code` ```block```", "**bold** __under__ ||spoiler|| > quote",
    "# heading\n## two\n- item\n+ item\n1. item\n> quote",
    "[label](https://evil.example)", "![image](https://evil.example/x.png)", "\\*not bold\\*", "trailing backslash \\",
    "subject\r\nBcc: victim@example.com", "line\nSubject: other\n\nbody", "x\r\n.\r\nMAIL FROM:<a@b>",
    "=?utf-8?q?encoded?=", "From me",
    ".", "..", "\r\n", "\n\n\n", "   ", "\t", "\0", "\u200b\u200b", "\u202eevil\u202c", "\u2066isolate\u2069",
    "\ufeffmark",
    "\x1b[2J\x1b[31mred\x07", "\x00\x01\x02\x7f\x80\x9f", "\ud800", "\udfff\ud800", "\ufffe\uffff",
    "a\u2028b\u2029c", "\x85\x0b\x0c",
    "{0} {name} %s %(x)s ${x} {{x}} {%x%}", "'; DROP TABLE alerts; --", "../../etc/passwd", "`$(reboot)`", "null",
    "NaN", "[]", "{}", '{"a": 1}',
    "0", "-1", "é" * 3, "İstanbul ß ﬁ", "Z̷̢̛͎̲̈́a̴l̵g̶o̸", "👨‍👩‍👧‍👦" * 40, "ends with joiner\u200d",
    "\u0301begins with a mark", "a" + "\u0301" * 500,
    "https://example.com/" + "x" * 3000, "https://user:word@example.com/", "javascript:alert(1)", "data:text/html,x",
    "x" * 1_000_000,
    "😀" * 30_000, "<" * 30_000, "line\n" * 20_000, "\0" * 30_000,
)  # fmt: skip
#: Where a stranger's text may stand in a notice.
FIELDS = ("title", "content", "label", "label name", "fact", "fact name", "reason", "actor", "runbook", "member")
KINDS = tuple(NoticeKind)
SEVERITIES = tuple(Severity)


def _put(plain: Notice, field: str, text: str) -> Notice:
    """The notice with a hostile text in one place."""
    match field:
        case "label":
            return replace(plain, labels={**plain.labels, "api": text})
        case "label name":
            return replace(plain, labels={**plain.labels, text: "value"})
        case "fact":
            return replace(plain, facts={**plain.facts, "answer": text})
        case "fact name":
            return replace(plain, facts={**plain.facts, text: "value"})
        case "member":
            return replace(
                plain, kind=NoticeKind.DIGEST, members=(("critical", text),) * 12, counts={"critical": 40, text[:50]: 2}
            )
        case _:
            return replace(plain, **{field: text})


def _plain(number: int) -> Notice:
    kind = KINDS[number % len(KINDS)]
    return Notice(
        event_id=f"event-{number}", kind=kind, severity=SEVERITIES[number % 3], at=AT + number,
        title=f"Success rate low {number}", content="Fewer calls succeed than should.", rule="success_rate",
        fingerprint=f"{number:032x}", episode=f"01J{number:023d}", number=number, nth=number % 4,
        labels={"api": "odds", "route": "fixtures"}, metric="success_rate", operator="<", value=54.2, threshold=60.0,
        window=300.0, started_at=AT - 30.0, previous=SEVERITIES[(number + 1) % 3],
    )  # fmt: skip


def _sized(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def corpus() -> list[tuple[str, Notice]]:
    """The alerts, each with what is wrong with it."""
    found: list[tuple[str, Notice]] = []

    def add(field: str, text: str, why: str) -> None:
        found.append((f"{why} in {field}", _put(_plain(len(found)), field, text)))

    scripts = list(SCRIPTS.items())
    for number, field in enumerate(FIELDS):
        for index, limit in enumerate(LIMITS):
            for more in (0, 1):
                name, unit = scripts[(7 * number + 3 * index + more) % len(scripts)]
                add(field, _sized(unit, limit + more), f"{limit + more} of {name}")
    for index, text in enumerate(WHOLE):
        for field in dict.fromkeys(("title", "content", FIELDS[index % len(FIELDS)])):
            add(field, text, f"{text[:20]!r}")
    many = {f"fact {index}": f"value {index} " * 60 for index in range(60)}
    found.append(("sixty long facts", replace(_plain(len(found)), facts=many)))
    found.append(
        (
            "twenty-five fields of a thousand",
            replace(_plain(len(found)), facts={f"f{i}": "v" * 1024 for i in range(25)}),
        )
    )
    found.append(("nothing at all", Notice("e", NoticeKind.FIRED, Severity.INFO, AT, "")))
    found.append(("no number", replace(_plain(0), value=float("nan"), threshold=float("inf"), window=-1.0)))
    found.append(("no time", replace(_plain(1), at=1e18, started_at=-1e18, ended_at=float("inf"))))
    found.append(("all at once", _everything("<!channel> @everyone & *x* \0 \u202e " * 2000)))
    return found


def _everything(text: str) -> Notice:
    return replace(
        _plain(3), title=text, content=text, labels={"api": text, text: text}, facts={text: text, "x": text},
        reason=text, actor=text, runbook=text, rule=text, metric=text, operator=text, members=((text, text),) * 20,
        counts={text: 7},
    )  # fmt: skip
