"""Files of charts as pages show them: with line numbers that can be linked, and coloured where that is known how.

YAML, JSON and templates are taken apart by `core.code_tokens`, a few other kinds by Pygments. What comes out is escaped
here, token by token: it is the one place where text of a chart becomes markup.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape
from pygments import lex
from pygments.lexers.configs import IniLexer, TOMLLexer
from pygments.lexers.markup import MarkdownLexer
from pygments.lexers.python import PythonLexer
from pygments.lexers.shell import BashLexer
from pygments.token import STANDARD_TYPES

from chartrepo.core.code_tokens import LONGEST_LINE, Token, tokens
from chartrepo.core.visible import visible_text

_MOST_LINES: Final = 1_000
_MOST_CHARACTERS: Final = 48_000
_PER_LINE: Final = 30
"""Characters that a line takes besides its own, about."""
_YAML: Final = (".yaml", ".yml", ".json", ".tpl", ".lock", ".txt")
_LEXERS: Final = {
    ".md": MarkdownLexer,
    ".sh": BashLexer,
    ".bash": BashLexer,
    ".py": PythonLexer,
    ".toml": TOMLLexer,
    ".ini": IniLexer,
    ".conf": IniLexer,
    ".cfg": IniLexer,
    ".properties": IniLexer,
}
_UNCOLOURED: Final = frozenset({"", "p", "w"})

ValueLink = Callable[[tuple[str, ...]], str | None]
"""Returns the address of a default value by the names behind `.Values`; None where there is none."""


class Code(NamedTuple):
    """A part of a file.

    Attributes:
        html: its lines, for a `pre`.
        lines: how many the file has.
        part: which part this is, from 1.
        parts: how many there are.
    """

    html: Markup
    lines: int
    part: int
    parts: int


def show_code(
    path: str, text: str, *, part: int = 1, value_link: ValueLink | None = None, numbered: bool = True
) -> Code:
    """Return a part of a file as markup.

    Args:
        path: of the file, by which its language is known.
        text: all of it.
        part: which part; the nearest there is.
        value_link: links what templates say of values; None for a file that is no template.
        numbered: whether the lines have numbers, so that they can be linked; for one file of a page.
    """
    lines = text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    begins = _parts(lines)
    part = min(max(part, 1), len(begins))
    begin = begins[part - 1]
    end = begins[part] if part < len(begins) else len(lines)
    shown = [visible_text(line.rstrip("\r")) for line in lines[begin:end]]
    made = _coloured(path, shown, value_link)
    if numbered:
        made = (f"<a id=L{at} href=#L{at}>{at}</a>{line}" for at, line in enumerate(made, begin + 1))
    html = "\n".join(made)
    return Code(Markup(html), len(lines), part, len(begins))  # noqa: S704 - every token was escaped


def _parts(lines: list[str]) -> list[int]:
    """Where each part begins."""
    begins = [0]
    before = 0
    for number, total in enumerate(accumulate(min(len(line), LONGEST_LINE) + _PER_LINE for line in lines)):
        if number > begins[-1] and (number - begins[-1] >= _MOST_LINES or total - before > _MOST_CHARACTERS):
            begins.append(number)
            before = total - min(len(lines[number]), LONGEST_LINE) - _PER_LINE
    return begins


def _coloured(path: str, lines: list[str], value_link: ValueLink | None) -> Iterator[str]:
    kind = path[path.rfind(".") :].lower() if "." in path else ""
    cut = [line[: LONGEST_LINE + 1] for line in lines]
    if value_link is not None or (kind in _YAML and kind != ".txt"):
        found: Iterator[list[Token]] = tokens(cut, templates=value_link is not None or kind == ".tpl")
    elif kind in _LEXERS:
        found = _by_pygments("\n".join(cut), kind)
    else:
        found = ([Token("", line)] for line in cut)
    for line, made in zip(lines, found, strict=True):
        text = "".join(_piece(token, value_link) for token in made)
        left = len(line) - LONGEST_LINE - 1
        yield text if left <= 0 else f'{text}<span class="more">… {left:,} more characters</span>'


def _by_pygments(text: str, kind: str) -> Iterator[list[Token]]:
    line: list[Token] = []
    # Code inside of Markdown would bring any of Pygments' lexers, some of which take long for what is odd.
    lexer = _LEXERS[kind](stripnl=False, ensurenl=False, handlecodeblocks=False)
    for token, value in lex(text, lexer):
        name = _short(token)
        first, *more = value.split("\n")
        if first:
            line.append(Token(name, first))
        for rest in more:
            yield line
            line = [Token(name, rest)] if rest else []
    yield line


def _short(token: Any) -> str:
    """The class of a kind of token, or of the nearest kind above it that has one."""
    while token not in STANDARD_TYPES:
        token = token.parent
    return STANDARD_TYPES[token]


def _piece(token: Token, value_link: ValueLink | None) -> str:
    text = str(escape(token.text))
    if token.value and value_link is not None:
        address = value_link(token.value)
        if address is not None:
            return f'<a class=nv href="{escape(address)}">{text}</a>'
    return text if token.kind in _UNCOLOURED else f"<span class={token.kind}>{text}</span>"
