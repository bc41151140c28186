"""The position scanner against the standard library's parser."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from understudy.config.positions import positions

TEXT = """\
a.b = 1 # c = 2
'q.x' = "[not] = a"
t = \"\"\"
k = 1
\"\"\"\"
[[r]]
n = [1, # x
  {y = 2},
]
[r.sub]
z = '''
a'b'''
[[r]]
d = 1979-05-27 07:32:00
"""


def paths(value, at=()):
    if isinstance(value, dict):
        for name, below in value.items():
            yield (*at, name)
            yield from paths(below, (*at, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield (*at, index)
            yield from paths(below, (*at, index))


def test_every_kind_of_line_is_placed():
    found = positions(TEXT)
    assert set(found) == set(paths(tomllib.loads(TEXT)))
    assert found["a", "b"] == 1 and found["q.x",] == 2 and found["t",] == 3
    assert found["r", 0, "n", 1, "y"] == 8 and found["r", 0, "sub", "z"] == 11 and found["r", 1, "d"] == 14


keys = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True), st.text('a. "=[#é', max_size=3))
scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.text("a\"'\\#[]{},=\n", max_size=6))
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3), max_leaves=8)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def written(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"""\n' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""'
    if isinstance(value, list):
        return "[" + "".join(f"\n {written(part)}, # ]\n" for part in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(name)} = {written(part)}" for name, part in value.items()) + "}"
    return str(value)


@given(st.dictionaries(keys, st.dictionaries(keys, values, max_size=3), max_size=3))
def test_every_key_that_the_parser_finds_has_a_position(tree):
    text = "".join(
        f"[{quoted(name)}]\n" + "".join(f"{quoted(key)} = {written(value)}\n" for key, value in table.items())
        for name, table in tree.items()
    )
    assert tomllib.loads(text) == tree
    found = positions(text)
    assert set(found) == set(paths(tree))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
