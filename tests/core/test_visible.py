"""What one would not see in a name or a text is shown."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.visible import visible_name, visible_text


def test_what_turns_the_writing_round_or_has_no_width_is_named() -> None:
    assert visible_name("gpj.\u202etxt") == "gpj.⟨U+202E⟩txt"
    assert visible_name("a\u200bb\u200d\tc\nd\x1b[0m") == "a⟨U+200B⟩b⟨U+200D⟩⟨U+0009⟩c⟨U+000A⟩d⟨U+001B⟩[0m"
    assert visible_name("\u2066x\u2069\ufeff\U000e0041") == "⟨U+2066⟩x⟨U+2069⟩⟨U+FEFF⟩⟨U+E0041⟩"


def test_what_is_seen_stays() -> None:
    for name in ("templates/web.yaml", "Ünïcode/日本.md", "a b", "עברית.txt"):
        assert visible_name(name) == name
    assert visible_text("a:\n\tb 👨\u200d👩 \u202d") == "a:\n\tb 👨\u200d👩 ⟨U+202D⟩"


@given(st.text())
def test_a_name_is_one_line_of_what_is_seen(name: str) -> None:
    shown = visible_name(name)
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in shown)
    assert not any(unicodedata.bidirectional(each) in bidi for each in shown)
    assert visible_name(shown) == shown
