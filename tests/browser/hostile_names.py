"""Five hundred names that would break what is careless: markup, addresses, scripts, templates, directions, controls.

Each that could run sets `window.__pwned`; each has a number of its own, so that none stands for another.
"""

from __future__ import annotations

from itertools import cycle

#: What is run where a page lets it; `%s` is the number.
_RUN = "window.__pwned=%s"
_MARKUP = (
    "<script>{run}</script>", "</script><script>{run}</script>", "<img src=x onerror={run}>", "<svg onload={run}>",
    "<svg><script>{run}</script></svg>", "<svg/onload={run}//", "<body onload={run}>",
    "<details open ontoggle={run}>x", "<input autofocus onfocus={run}>", "<video><source onerror={run}></video>",
    "<iframe srcdoc='<script>{run}</script>'>", "<iframe src=javascript:{run}>", "<object data=javascript:{run}>",
    "<embed src=javascript:{run}>", "<a href=javascript:{run}>x</a>", "<form action=javascript:{run}><button>x",
    "<math href=javascript:{run}>x", "<base href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<style>*{{display:none}}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<template><script>{run}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={run}>'>", "<textarea></textarea><img src=x onerror={run}>",
    "<title></title><script>{run}</script>", "<!--><img src=x onerror={run}>-->",
    "<![CDATA[<img src=x onerror={run}>]]>", "<xmp><img src=x onerror={run}></xmp>",
    "<table><td background=javascript:{run}>", "<u-live onclick={run}>", "<bdi></bdi><img src=x onerror={run}>",
    "</td></tr></table><img src=x onerror={run}>", "<plaintext>", "</html>",
)  # fmt: skip
_ATTRIBUTES = (
    '" onmouseover="{run}', "' onmouseover='{run}", '" autofocus onfocus="{run}" x="', '"><img src=x onerror={run}>',
    "'><img src=x onerror={run}>", "` onmouseover=`{run}", "x onmouseover={run}", '" style="position:fixed;inset:0',
    '"/><script>{run}</script>', '" href="javascript:{run}', "&quot; onmouseover=&quot;{run}",
    "&#34;><img src=x onerror={run}>", '\\" onmouseover=\\"{run}', "'-{run}-'", '"-{run}-"', "';{run};//",
    '";{run};//', "\\';{run};//", "${{{run}}}", "`-{run}-`",
)  # fmt: skip
_ADDRESSES = (
    "javascript:{run}", "JaVaScRiPt:{run}", "java\tscript:{run}", "\x01javascript:{run}",
    "data:text/html,<script>{run}</script>", "vbscript:{run}", "//evil.example/{n}", "/\\evil.example/{n}",
    "https:evil.example/{n}", "..", "../{n}", "../../etc/passwd{n}", "..%2f..%2f{n}", "%2e%2e/{n}", "%2e%2e%2f{n}",
    ".{n}", "%00{n}", "%{n}", "%zz{n}", "%u003cscript%u003e{n}", "a/b/{n}", "/{n}/", "?x={n}#y", "#{n}", "&a={n}&b",
    "a;b={n}", "a,b,{n}", "a+b {n}", " {n} ", "compare{n}", "act{n}", "a:b:{n}", "file:///etc/passwd?{n}",
    "a\\b\\{n}",
)  # fmt: skip
_TEMPLATES = (
    "{{{{7*{n}}}}}", "{{% raw %}}{n}", "{{0.__class__.{n}}}", "%({n})s", "%s%n{n}", "$({n})", "`{n}`", "<%= {n} %>",
    "#{{{n}}}", "[[{n}]]", "{{{{constructor.constructor('{run}')()}}}}", "{n}{{x}}", "{{count}} {n}", "*{n}*",
    "[x](javascript:{run})", "<!channel>{n}",
)  # fmt: skip
_UNSEEN = (
    "\u202e{n}gnp.exe", "\u202d{n}\u202e", "\u2066{n}", "\u2067{n}\u2069", "\u200f{n}", "\u200b{n}", "\ufeff{n}",
    "a\u0000b{n}", "a\r\nSet-Cookie: us={n}", "a\nb{n}", "\x1b[31m{n}\x1b[0m", "\x1b]0;{n}\x07", "\x7f{n}", "\x85{n}",
    "\u2028{n}", "\u2029{n}", "a\u0301\u0302\u0303{n}", "שלום {n}", "مرحبا {n}", "日本語{n}", "👩‍👩‍👧‍👦{n}",
    "\U000e0041{n}", "\ufffe{n}", "ｆｕｌｌ{n}", "İ{n}", "\t{n}",
)  # fmt: skip
_VALUES = (
    "=1+{n}", '=HYPERLINK("http://evil.example/{n}")', "+{n}", "-{n}", "@SUM({n})", "=cmd|'/c calc'!A{n}",
    '{{"a":{n}}}', '"]}}{n}', "]]>{n}", "'; DROP TABLE api; --{n}", "' OR '1'='1{n}", "null{n}", "NaN{n}", "-0{n}",
    "1e{n}", "true{n}", "undefined{n}",
)  # fmt: skip
#: Names that mean something to JavaScript or to our own paths.
_WORDS = (
    "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "null", "undefined", "NaN",
    "..", ".", "compare", "act", "rows", "overview", "new", "*", "0", "-1", "true", "<", ">", "&", '"', "'", "`", "%",
    "/", "\\", "🏳️‍🌈", "x" * 200, "💥" * 100, "W" * 120, "<" * 150, "&amp;" * 30, "a " *90+ "a",
)  # fmt: skip
HOW_MANY = 500


def hostile_names() -> list[str]:
    """All of them, each once."""
    found = dict.fromkeys(_WORDS)
    shapes = cycle((*_MARKUP, *_ATTRIBUTES, *_ADDRESSES, *_TEMPLATES, *_UNSEEN, *_VALUES))
    number = 0
    while len(found) < HOW_MANY:
        number += 1
        found[next(shapes).format(n=number, run=_RUN % number)] = None
    return list(found)
