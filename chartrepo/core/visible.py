"""Texts of charts, with what one would not see made visible.

A file name can hold characters that turn the writing round, that have no width, or that move the cursor, so that it
looks like another one.
"""

import re
from typing import Final

_BIDI_AND_CONTROL: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSEEN_IN_TEXT: Final = re.compile(f"[{_BIDI_AND_CONTROL}]")
_UNSEEN_IN_NAME: Final = re.compile(rf"[\t\n\u200d{_BIDI_AND_CONTROL}]")


def visible_name(name: str) -> str:
    """Return a name on one line, with `⟨U+202E⟩` for what would not be seen."""
    return name if name.isascii() and name.isprintable() else _UNSEEN_IN_NAME.sub(_named, name)


def visible_text(text: str) -> str:
    """Return a text of any number of lines in the same form; tabs, line ends, and what joins emojis stay."""
    return _UNSEEN_IN_TEXT.sub(_named, text)


def _named(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
