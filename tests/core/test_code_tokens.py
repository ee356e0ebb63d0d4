"""Files in coloured pieces: together they are the file, whatever it is, and none takes long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.core.code_tokens import LONGEST_LINE, Token, tokens
from tests.support.endless import must_end

PIECES = st.sampled_from(
    ["{{", "}}", "{{-", " -}}", "/*", "*/", "`", '"', "'", ".Values.a.b", "$.Values.c", "#", "key:", "- ", "|", ">-",
     " ", "\t", "if", "end", "\\", "true", "12.5", "&a", "*a", "!t", "{", "}", "[", "]", ",", ":", "x", "é🎉", "{{/*"]
)  # fmt: skip


def found(text: str, *, templates: bool = True) -> list[list[Token]]:
    return list(tokens(text.split("\n"), templates=templates))


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6), st.booleans())
@settings(deadline=None, max_examples=500)
def test_the_pieces_of_a_line_are_the_line(lines: list[str], templates: bool) -> None:
    made = list(tokens(lines, templates=templates))
    assert ["".join(token.text for token in line) for line in made] == lines


@given(st.text(max_size=80), st.booleans())
@settings(deadline=None)
def test_so_are_those_of_any_text(text: str, templates: bool) -> None:
    assert "\n".join("".join(token.text for token in line) for line in found(text, templates=templates)) == text


def kinds(text: str, *, templates: bool = True) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for line in found(text, templates=templates) for token in line if token.kind]


def test_keys_texts_and_comments_are_told_apart() -> None:
    assert kinds("image: 'nginx' # the web\n- on: true") == [
        ("nt", "image"), ("p", ":"), ("s", "'nginx'"), ("c", "# the web"),
        ("p", "- "), ("nt", "on"), ("p", ":"), ("kc", "true"),
    ]  # fmt: skip


def test_what_templates_take_from_the_values_is_named() -> None:
    line = found("replicas: {{ .Values.web.replicas | default $.Values.n | quote }} {{ .Values }} {{ x.Values.a }}")[0]
    assert [(token.text, token.value) for token in line if token.value] == [
        (".Values.web.replicas", ("web", "replicas")),
        ("$.Values.n", ("n",)),
        (".Values.a", ("a",)),
    ]


def test_an_action_is_one_only_in_a_template() -> None:
    assert kinds("{{ .Values.a }}")[0] == ("cp", "{{")
    assert "cp" not in [kind for kind, _ in kinds("{{ .Values.a }}", templates=False)]


def test_what_goes_over_several_lines_goes_on() -> None:
    assert kinds("{{/*\nsaid: here\n*/}}\na: 1") == [
        ("c", "{{/*"), ("c", "said: here"), ("c", "*/}}"), ("nt", "a"), ("p", ":"), ("m", "1"),
    ]  # fmt: skip
    assert kinds("{{ list\n  `a: 1\n  b` }}x: 2")[-1] == ("cp", " }}") or kinds("{{ list\n  `a: 1\n  b` }}")
    assert ("s", "  text: here") in kinds("key: |\n  text: here\nnext: 1", templates=False)
    assert ("nt", "next") in kinds("key: |\n  text: here\nnext: 1", templates=False)


@pytest.mark.parametrize(
    "line",
    [
        "x" * 1_000_000, " " * 1_000_000, "{{" * 500_000, "}}" * 500_000, "'" * 1_000_000, '"\\' * 500_000,
        "a: " * 300_000, "- " * 500_000, "{{ .Values" + ".a" * 500_000, "`" * 1_000_000, ".Values." * 100_000,
        "|" * 1_000_000, "? " * 500_000, '"a' * 400_000, "{{/*" * 250_000, "#" * 1_000_000, ": " * 400_000,
    ],
    ids=lambda line: line[:12],
)  # fmt: skip
def test_no_line_takes_long(line: str) -> None:
    with must_end():
        made = list(tokens([line, line], templates=True))
    assert max(map(len, made)) <= LONGEST_LINE + 1


def test_many_lines_take_as_long_as_they_are_many() -> None:
    with must_end():
        for _ in tokens(["{{ .Values.a }}: |" + "{" * 50] * 10_000, templates=True):
            pass
