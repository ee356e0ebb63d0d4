"""Files of charts as pages show them: escaped, numbered, in parts, and never slow."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartrepo.http.pages.code import show_code
from tests.support.endless import must_end

KINDS = ("a.yaml", "a.json", "a.tpl", "a.md", "a.sh", "a.py", "a.toml", "a.ini", "a.conf", "a.properties", "a", "a.bin")


def lines_of(html: str) -> list[str]:
    """The lines as a person sees them, without their numbers."""
    text = re.sub(r"<a id=L\d+ href=#L\d+>\d+</a>", "", html)
    return [unescape(re.sub(r"<[^>]*>", "", line)) for line in text.split("\n")]


@given(st.sampled_from(KINDS), st.text(alphabet="ab<>&\"'#=:[]{}()`*_-|\\/.\n\t $é🎉", max_size=120))
@settings(deadline=None, max_examples=300)
def test_a_file_is_shown_as_it_is(path: str, text: str) -> None:
    made = show_code(path, text)
    expected = text.split("\n")
    if len(expected) > 1 and not expected[-1]:
        expected.pop()
    assert lines_of(str(made.html)) == expected
    assert made.lines == len(expected)
    assert re.findall(r"<(?!/?span|/?a[ >])", str(made.html)) == []


def test_a_long_file_is_in_parts_that_are_the_file_together() -> None:
    text = "".join(f"key{number}: {'x' * (number % 90)}\n" for number in range(3_500))
    first = show_code("a.yaml", text)
    parts = [show_code("a.yaml", text, part=part) for part in range(1, first.parts + 1)]
    assert first.parts >= 4
    assert [line for part in parts for line in lines_of(str(part.html))] == text.splitlines()
    assert "id=L3500" in str(parts[-1].html)
    assert show_code("a.yaml", text, part=99).part == first.parts


def test_a_long_line_is_cut_and_says_so() -> None:
    html = str(show_code("a.yaml", "a: " + "x" * 1_000_000).html)
    assert "996,002 more characters" in html
    assert len(html) < 10_000


def test_what_would_not_be_seen_is_shown() -> None:
    assert "⟨U+202E⟩" in str(show_code("a.sh", "echo \u202e hello\r\nx\ry").html)
    assert "⟨U+000D⟩" in str(show_code("a.sh", "x\ry").html)


PIECES = [
    *"`*_[<#\"'\\=a -\t>|1{}",
    *(
        "](",
        "$(",
        "${",
        "((",
        "```",
        '"""',
        "<<a",
        "- [ ",
        "a=",
        "[a",
        "a.",
        "1.",
        "0x",
        "\\\n",
        "f'{",
        'r"',
        "~~",
        "a@",
    ),
    *("![", "//"),
]


@pytest.mark.parametrize("path", ["a.md", "a.sh", "a.py", "a.toml", "a.ini", "a.yaml", "a.tpl"])
def test_nothing_that_is_written_takes_long(path: str) -> None:
    for piece in PIECES:
        for text in (piece * (40_000 // len(piece)), f"{piece}\n" * 1_000, f"a {piece} b " * 4_000):
            with must_end():
                show_code(path, text)
