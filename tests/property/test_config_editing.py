"""What is put into a file is what a reader finds there, and nothing else of the file changes."""

from __future__ import annotations

import string
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from understudy.config.editing import set_key, set_table, set_variable
from understudy.config.sources import read_dotenv

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(TEXT, VALUES, max_size=4)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
VARIABLES = st.text(string.ascii_uppercase + "_", min_size=1, max_size=12)
#: What ends a line for some readers and not for others is no text of a line.
VARIABLE_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"))
BEGUN = """# head of the file

environment = "staging"  # where we are

[service]
# the port
port = 9000

[apis.odds]
base_url = "https://odds.example.com"

[apis.odds.auth]
kind = "bearer"
keys = ["env:ODDS"]

# about the other one
[apis."b.c"]
base_url = \'\'\'https://b.example.com\'\'\'

[[apis."b.c".outcomes]]
class = "rate"
pattern = \"\"\"
[apis.none]
\"\"\"
"""


@given(NAMES, TABLES, NAMES, TABLES)
def test_tables_are_added_and_replaced(first, values, second, others):
    text = set_table(set_table(BEGUN, ["apis", first], {"old": 1}), ["apis", first], values)
    found = tomllib.loads(set_table(text, ["routes", second], others))
    assert found["apis"][first] == values
    assert found["routes"][second] == others
    for name, before in tomllib.loads(BEGUN)["apis"].items():
        assert name == first or found["apis"][name] == before


@given(st.sampled_from([["environment"], ["log", "level"], ["service", "port"], ["service", "host"]]), VALUES)
def test_single_keys_are_set(path, value):
    text = set_key(BEGUN, path, value)
    found = tomllib.loads(text)
    for part in path:
        found = found[part]
    assert found == value
    assert "# head of the file" in text
    assert "# about the other one" in text


def test_comments_beside_a_replaced_table_stay():
    text = set_table(BEGUN, ["apis", "odds"], {"base_url": "https://new.example.com"})
    assert '# about the other one\n[apis."b.c"]' in text
    assert "env:ODDS" not in text
    assert text.startswith("# head of the file\n\nenvironment")


@given(
    st.lists(
        st.tuples(
            VARIABLES,
            st.text(st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e")),
        )
    )
)
def test_variables_come_back_as_they_were_put_in(tmp_path_factory, pairs):
    text = "# mine\nKEPT=1\nexport A='old'  # note\n"
    for name, value in pairs:
        text = set_variable(text, name, value)
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text(text, encoding="utf-8", newline="")
    faults = []
    found = {name: value for name, (value, _) in read_dotenv(file, ".env", faults).items()}
    assert faults == []
    assert found == {"KEPT": "1", "A": "old", **dict(pairs)}
    assert text.startswith("# mine\nKEPT=1\n") or "KEPT" in dict(pairs)
