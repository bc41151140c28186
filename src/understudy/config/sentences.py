"""What `config` and rules say of faults, in the reader's language.

Faults are told in English, values and all. Here each sentence is recognised by its pattern, and said again with the
same values; one that is not known stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from understudy.core.text import Texts

#: What `config` can say; a name in braces stands for a value.
SENTENCES = (
    # what is wrong
    "unknown key", "unknown key of an overlay", "required, but not there", "must not be empty", "is nested too deeply",
    "expected a finite number", "no date or time is expected here", "is not UTF-8 text", "expected {what}",
    "expected more than {limit}", "expected at least {limit}", "expected less than {limit}", "expected at most {limit}",
    "no route of that name is configured", "no component of that key is configured",
    "a time such as 2026-11-28T22:00", "at most what is good", "a host's name in small letters",
    "keys of small letters, digits and -",
    "no API of that name is configured", "the API is named twice", "must not hold control characters",
    "a name is printable, not empty, and at most {most} characters long",
    "is the same name as {other} in environment variables", "expected a path that begins with /",
    "expected the name of a preset", "expected an address such as https://api.example.com/v1",
    "must hold no user name and password", "expected http:// or https:// and a host",
    "must hold no query and no fragment, as paths are appended to it", "expected the name of a header",
    "a header's value must not hold line ends", "kind {kind} needs at least one key", "kind {kind} needs it",
    "kind 'rapidapi' needs it: its host header is taken from there", "kind {kind} needs the name that carries the key",
    "no request carries a key without it",
    "must not hold line ends", "a key must not be empty", "a key must not hold line ends", "cannot be read: {reason}",
    "expected the table of an environment", "is the same environment as another table here",
    "expected env: and the name of a variable", "the variable {name} is not set", "the secret's file is empty",
    "is a directory, not a file", "is not a regular file", "is larger than {size} MiB, which no configuration is",
    "is not UTF-8 text (byte {place})", "is no name of a file", "holds a number that is too long to be read",
    "is no valid TOML", "TOML syntax, column {column}: {what}", "TOML syntax: {what}",
    "expected NAME=value, quotes closed on the same line", "the secret's file {file} {what}",
    "the tables of environments stand in files only", "expected a name such as UNDERSTUDY__APIS__NAME__TIMEOUT",
    "the variable's name matches {names}", "an override is written PATH=VALUE, as in apis.x.timeout=3",
    "the log's file cannot be written: {reason}", "cannot be used: {reason}",
    "no channel of that name is configured", "a channel cannot stand in for itself",
    # what was expected
    "a whole number", "a number", "true or false", "a text", "an array", "a table", "another value",
    "a number or a table", "a whole number or a table", "a text such as '10/s' or a table", "a text or an array",
    "a status or an array", "no repetition of a group that itself repeats or branches",
    "a regular expression ({why})", "a JMESPath expression ({why})", "`Name` or `Name: pattern`",
    "a status (429), a class (5xx) or a range (500-504)", "statuses between 100 and 599",
    # what a channel expects
    "a mail address such as ana@example.com", "a URL that Apprise knows",
    "a service without a host of its own, since allow_private is false", "at least one Apprise URL",
    "nothing: Apprise connects in its own way", "a name without discord, clyde, everyone",
    "a host outside this network, since allow_private is false", "each recipient once",
    "starttls or tls: a password is not sent unencrypted", "starttls or tls, since allow_private is false",
    "the name of a host, or its address", "the key of an API integration", "texts of 1 to {most} characters",
    "team:, user:, schedule: or escalation: and a name", "an address such as https://example.com/path",
    "an address without user name and password", "an https address: what is sent there is secret",
    "an https address, since allow_private is false",
    "an address outside this machine and its network, since allow_private is false",
    "a time zone such as America/Sao_Paulo", "32 letters and digits, as shown for the integration",
    "a token as 123456:ABC…", "at least one chat", "a number, an @channel, or GROUP/TOPIC",
    "printable ASCII characters",
    "a readable file of certificates (PEM)",
    # what alerts expect
    "expected {what}, found {found}", "{what}, at character {place}", "{what}, at character {place} of {text}",
    "{what}; did you mean {near}?", "the name of a metric", "one level with the severity",
    'write severity = "warning"', 'write severity = "critical"', "write threshold and severity",
    "no milder severity than that of the level before",
    "a threshold beyond that of the level before, in the direction of {operator}", "the mildest level stands first",
    "a level with the severity", "at least one level", "at least one level with one of the burn rates 1, 6 and 14.4",
    "one of the burn rates 1, 6 and 14.4", "a higher burn rate than that of the level before",
    "a burn rate is about the success rate; leave the metric out", "the name of an event",
    "no escalation policy of that name is configured", "a printable name", "a condition on labels ({why})",
    "no subject has a label {label}", "the event {event} is about one {known}, not {subject}",
    "{metric} is known of {known} only, not of {subject}", "stands in the levels, where there are levels",
    "the table's own name is the rule's", "belongs to kind {kind} only, and this is {other}",
    "could never resolve: {metric} cannot reach {value}", "a {metric} between {low} and {high}",
    "a {metric} between {low} upwards", "the operator {operator} can have one level only",
    "stands in the condition (when), where there is one", "at least one metric",
    "a rule about missing traffic has none", "a number of the present, which {metric} is not",
    "a metric, a number or a sign", "']' after the window", "a smaller number", "a metric or a number",
    "'and', 'or' or the end of the condition", "'and' between two comparisons",
    "one of the units ms, s, m, h, d and %", "a window such as 15m", "a window between 10s and 30d",
    "no window: {metric} is a number of the present", "a comparison, as in success_rate < 80, and not a mere number",
    "a number on both sides, and not a comparison", "something in {unit}, as on the left, and not in {other}",
    "inhibitions that cannot go around in a circle: in this one all alerts could keep each other quiet",
    "a silence needs a reason: whoever finds it must know why nothing is told",
    "a silence needs at least one matcher: one without any would keep everything quiet",
    "{key}: expected local time such as 2026-11-28T22:00, found {found}",
    "{key}: give local time without an offset; time_zone says where, found {found}",
    "no time zone named {name}; names are like 'America/Sao_Paulo' or 'UTC'", "one of {choices}, not {found}",
    "a span of the day such as 22:00-06:00, not {found}", "a number from {least} to {most}, not {found}",
    "{key}: expected one of {choices}, found {found}", "one of = != =~ !~", 'the name of a label, as in api="odds"',
    "a quote is not closed", "there is more than one condition; give a list",
    "a single {sign}, at character {place}; write it twice to mean it",
    "nothing is called {name}, at character {place}", "whsec_ and 24 to 64 random bytes in base64",
    "each `after` at least as long as the one before", "0, or at least 60",
    # what people enter in the dashboard
    "the configuration holds no such secret any more: enter it again", "a whole number has at most 64 bits",
    "stored secrets cannot be opened here: there is no secret key",
    "may be said in the configuration's files only",
    "leads to this machine or into a private network; the files may allow it: service.allow_networks",
    "expected the value itself: env: and file: may be said in the configuration's files only",
    "no secret of that mark is known here: enter the value itself",
    "leads elsewhere than before, where the secret may not go along: enter it again",
    "is longer than {most} characters", "is no valid TOML: {what}",
    # what was found
    "a value that is not shown",
    # what to do
    "did you mean {near}?", "rename one", "rename one of them", "set {name} or {name}_FILE",
    'use [auth] with keys = ["env:NAME"]', "kind = {kinds}",
    "every channel says which service it is",
    # why a file cannot be read
    "no such file or directory", "permission denied", "is a directory", "not a directory",
    "too many levels of symbolic links", "file name too long",
    # where a value came from
    "command line",
    # warnings
    "channel {name} signs nothing, so receivers cannot tell whose messages these are: set its secret",
    "{place}: a secret stands in the file itself; write env:NAME or file:PATH instead",
    "API {name} stands in variables only, and has no base_url; is its name spelled as in the files?",
    "API {name} has no real key: {variable} is a placeholder", "{variable} is not configured: it is a placeholder",
    "channel {channel} is not configured: {reasons}", "{variable} is a placeholder", "{variable} is no port number",
    "{variables} not used: the files configure another kind of channel as {channel}",
    "{variable} is not set",
    # what came of asking an API
    "cannot connect to {host}: {why}", "the name does not resolve", "connection refused", "no answer from the network",
    "its certificate is not trusted or does not match", "the TLS handshake failed", "the TLS handshake did not end",
    "the proxy answered {status}", "the proxy: {why}", "no connection to {host} within {seconds} s",
    "no response headers within {seconds} s",
    "no byte of the body within {seconds} s", "answered {status}", "answered {status}: {answer}",
    # why a store cannot be opened
    (
        "{file} is in use by another Understudy: stop that one, or give this one another storage.url; several services "
        "can share PostgreSQL"
    ),
    (
        "{file} is in use by another Understudy (process {pid}): stop that one, or give this one another storage.url; "
        "several services can share PostgreSQL"
    ),
    "{place} cannot be written ({reason}): give this user the right to, or set storage.url to another place",
    "Read-only file system", "Permission denied", "No space left on device", "Not a directory",
)  # fmt: skip  # a list of sentences
_PLACE = re.compile(r"\{(\w+)\}")


def said(sentence: str, text: Texts) -> str:
    """A sentence of a fault in the reader's language."""
    if text.language == "en":
        return sentence
    for pattern, message in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            values = {name: _value(name, value, text) for name, value in found.groupdict().items()}
            return text(message, **values) if values else text(message)
    return sentence


def _value(name: str, value: str, text: Texts) -> str:
    """A value inside a sentence: some are sentences themselves, some a row of them."""
    if name == "what" and value.startswith("'") and (known := said(value, text)) != value:
        return known
    if name == "what" and value.startswith("'"):
        return value.replace("' or '", f"' {text('or')} '")  # a choice of words of ours
    if name == "reasons":
        return ", ".join(said(part, text) for part in value.split(", "))
    return said(value, text) if name in ("what", "reason", "why") else value


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Each sentence with what recognises it; those with more words of their own first."""
    found = []
    for message in SENTENCES:
        pieces, seen = [], set[str]()
        for index, piece in enumerate(_PLACE.split(message)):
            if index % 2 == 0:
                pieces.append(re.escape(piece))
            else:
                pieces.append(f"(?P={piece})" if piece in seen else f"(?P<{piece}>.+?)")
                seen.add(piece)
        found.append((len(_PLACE.sub("", message)), re.compile("".join(pieces), re.DOTALL), message))
    return tuple((pattern, message) for _, pattern, message in sorted(found, key=lambda each: -each[0]))
