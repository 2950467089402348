"""On which line a key stands, whatever TOML allows around it."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from ser_stream.config.toml_lines import places

TRICKY = (
    """\
# a = 1
top = "# = [ \\" no"  # b = 2
'quoted key' = 'it"""
    + "'"
    + '''

[gate]   # [other] = x
  enter=0.5
text = """
[not.a.table]
exit = 1 \\"""
"""""
exit = 2
list = [ # c = 3
  "]", [1, 2],
  # d = 4
]
raw = \'\'\'
e = "5\'\'
\'\'\'
deep.er = { f = 6, g = "}" }
[ a . "b.c" ]
h = 1979-05-27T07:32:00Z
[[many]]
i = 1
[[many]]
i = 2'''
)


def test_keys_are_found_between_all_that_looks_like_them() -> None:
    assert tomllib.loads(TRICKY)["many"] == [{"i": 1}, {"i": 2}]
    assert places(TRICKY) == [
        (("top",), 2),
        (("quoted key",), 3),
        (("gate",), 5),
        (("gate", "enter"), 6),
        (("gate", "text"), 7),
        (("gate", "exit"), 11),
        (("gate", "list"), 12),
        (("gate", "raw"), 16),
        (("gate", "deep", "er"), 19),
        (("a", "b.c"), 20),
        (("a", "b.c", "h"), 21),
        (("many",), 22),
        (("many", "i"), 23),
        (("many",), 24),
        (("many", "i"), 25),
    ]
    windows = TRICKY.replace("\n", "\r\n")
    assert places(windows) == places(TRICKY)


VALUES = [
    "1",
    '"a = #[{"',
    "'\\'",
    '"\\\\"',
    '"""\n]"\n"" x = 1\n"""',
    "'''\n#'''",
    "[\n1, # ]\n[2]]",
    "{a = '}', b = [1]}",
    "-1.5e3  # = [",
    "07:32:00",
]


@given(st.lists(st.sampled_from([*VALUES, "# no = 1", ""])))
def test_any_mixture_of_values_has_its_keys_on_their_lines(kinds: list[str]) -> None:
    text, expected = "", []
    for number, kind in enumerate(kinds):
        if kind in VALUES:
            expected.append(((f"k{number}",), text.count("\n") + 1))
            text += f"k{number} = "
        text += f"{kind}\n"
    assert set(tomllib.loads(text)) == {path[0] for path, _ in expected}
    assert places(text) == expected


@given(st.text())
def test_what_is_no_toml_is_no_trouble(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for _, line in places(text))
