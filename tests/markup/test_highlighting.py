"""Code as HTML: coloured where its language is known, escaped in any case, and never slow."""

from html import unescape
from re import sub

import pytest

from chartrepo.markup.highlighting import LARGEST, highlighted, is_known
from tests.support.endless import must_end

LANGUAGES = ("yaml", "json", "bash", "console", "toml", "ini", "diff", "dockerfile")


@pytest.mark.parametrize("language", [*LANGUAGES, "none"])
@pytest.mark.parametrize("code", ["a: '<b>' & \"c\" # d\n", "\n\n$ x </script>\n\n", '{"a": [1, null]}\n', "\t-\n+\n"])
def test_the_text_stays_as_it_is(language: str, code: str) -> None:
    made = highlighted(code, language)
    assert unescape(sub("</?span[^>]*>", "", made)) == code
    assert "<b>" not in made


def test_what_it_is_is_told_by_classes() -> None:
    assert highlighted("a: 1  # b", "YAML") == '<span class="nt">a</span>: 1  <span class="c1"># b</span>'
    assert is_known("sh")
    assert not is_known("html")


def test_what_is_too_large_or_too_long_is_only_escaped() -> None:
    assert highlighted("a: <\n" * LARGEST, "yaml") == "a: &lt;\n" * LARGEST
    assert highlighted("a: " + "b" * 1_000, "yaml") == "a: " + "b" * 1_000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("odd", ["`\t", ": \t", "# ", "${[", "'! ", "=[", "!\n", "\n>", "*<"])
def test_nothing_takes_long(language: str, odd: str) -> None:
    text = "\n".join([(odd * 150)[:300]] * 50)[:LARGEST]
    with must_end():
        highlighted(text, language)
