"""Code as HTML, with a class for what each piece of it is; the classes are those of pygments."""

from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Final

from pygments.lexer import Lexer
from pygments.lexers.configs import DockerLexer, IniLexer, TOMLLexer
from pygments.lexers.data import JsonLexer, YamlLexer
from pygments.lexers.diff import DiffLexer
from pygments.lexers.shell import BashLexer, BashSessionLexer
from pygments.token import STANDARD_TYPES, _TokenType

LARGEST: Final = 16 * 1024
"""Characters of the largest piece of code that is highlighted."""
_LONGEST_LINE: Final = 300
"""Characters. Lexers are regular expressions, some of which take time with the square of a line's length."""

_LEXERS: Final[Mapping[str, type[Lexer]]] = {
    **dict.fromkeys(("yaml", "yml"), YamlLexer),
    "json": JsonLexer,
    **dict.fromkeys(("bash", "sh", "shell", "zsh"), BashLexer),
    **dict.fromkeys(("console", "shell-session", "terminal"), BashSessionLexer),
    "toml": TOMLLexer,
    **dict.fromkeys(("ini", "properties", "cfg"), IniLexer),
    **dict.fromkeys(("diff", "patch"), DiffLexer),
    **dict.fromkeys(("dockerfile", "docker"), DockerLexer),
}
"""What is highlighted: what charts are written about, by lexers that take their time with nothing."""


def is_known(language: str) -> bool:
    """Return whether code of a language, as it is named after a fence, is highlighted."""
    return language.lower() in _LEXERS


_PLAIN: Final = frozenset({"", "err", "n", "p", "w", "x"})
"""Classes that look as the text around them."""


CLASSES: Final = frozenset(STANDARD_TYPES.values()) - _PLAIN
"""All that there are."""


def highlighted(code: str, language: str) -> str:
    """Return code as HTML, escaped, in spans with classes where its language is known and it is not too large.

    Args:
        code: the text.
        language: as it is named after a fence of Markdown, as `yaml`.
    """
    kind = _LEXERS.get(language.lower())
    if kind is None or len(code) > LARGEST or any(len(line) > _LONGEST_LINE for line in code.split("\n")):
        return escape(code)
    return "".join(_piece(token, text) for token, text in _lexer(kind).get_tokens(code))


def _piece(token: _TokenType, text: str) -> str:
    name = STANDARD_TYPES.get(token, "")
    return escape(text) if name in _PLAIN or text.isspace() else f'<span class="{name}">{escape(text)}</span>'


@cache
def _lexer(kind: type[Lexer]) -> Lexer:
    return kind(stripnl=False, ensurenl=False)
