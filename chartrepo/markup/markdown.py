"""GitHub-flavoured Markdown as HTML that is still to be cleaned.

Parsing is markdown-it-py's. What is here keeps it within bounds, whatever it is given: how much there may be of
everything that makes tokens, and how long a piece of text may be whose parsing takes time with the square of that.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from chartrepo.markup.bounds import LARGEST, MOST_LINES, MOST_TOKENS, Progress, TooMuchError, progress_of
from chartrepo.markup.rendering import PageRenderer

_DEEPEST: Final = 20
"""Blocks in each other; what is deeper is left out."""
_LONGEST_PIECE: Final = 8_000
"""Characters of a paragraph or cell in which markup is looked for."""
_MOST_COLUMNS: Final = 40
_MOST_ROWS: Final = 4_000


def to_html(text: str, *, is_own: Callable[[str], bool], below: int = 2) -> str:
    """Return the HTML of a text. It is not clean: anything can be in it.

    Args:
        text: in Markdown.
        is_own: tells of the address of a picture whether it is one that the page may show.
        below: the level of the heading on the page that the text's own headings are below.

    Raises:
        TooMuchError: the text breaks a bound.
    """
    text = _END_OF_LINE.sub("\n", text)
    if len(text) > LARGEST or text.count("\n") > MOST_LINES:
        raise TooMuchError
    return str(_parser().render(_DATA.sub("]()", text), Progress(is_own, below).in_env()))


_END_OF_LINE: Final = re.compile(r"\r\n?")
_DATA: Final = re.compile(r"\]\(<?data:[^)\s]*\)?")
"""A picture that is written out in the text, which may be as large as the rest of it."""


@cache
def _parser() -> MarkdownIt:
    """The parser, which keeps nothing of what it parsed."""
    options = {
        "maxNesting": _DEEPEST,
        "html": True,
        "linkify": False,
        "xhtmlOut": False,
        "tasklists": True,
        "alerts": True,
    }
    found = MarkdownIt("commonmark", options, renderer_cls=PageRenderer)
    found.enable(["table", "strikethrough"])
    found.use(gfm_autolink_plugin)
    found.use(footnote_plugin, inline=False)
    found.block.ruler.at("table", _bounded_table, {"alt": ["paragraph", "reference"]})
    found.block.ruler.before("table", "watch", _watch)
    found.core.ruler.at("inline", _inline)
    found.core.ruler.disable("text_join")
    return found


def _watch(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - as rules are called
    """Match nothing, and see before each block that there is not too much."""
    _ = start, end
    if not silent:
        if len(state.tokens) > MOST_TOKENS:
            raise TooMuchError
        progress_of(state.env).spend()
    return False


def _bounded_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - as rules are called
    """Parse a table, if it has few enough columns, and of its rows as many as there may be."""
    if start + 1 >= end:
        return False
    below = start + 1
    if state.src.count("|", state.bMarks[below], state.eMarks[below]) > _MOST_COLUMNS:
        return False
    return table(state, start, min(end, start + _MOST_ROWS), silent)


def _inline(state: StateCore) -> None:
    """Parse what is in paragraphs and cells. Most is text and code alone, and needs no parser."""
    progress = progress_of(state.env)
    for token in state.tokens:
        if token.type != "inline":
            continue
        content = token.content
        children: list[Token] = []
        if _SIMPLE.fullmatch(content):
            children = _simple(content)
        elif len(content) > _LONGEST_PIECE:
            children = [Token("text", "", 0, content=content)]
        else:
            state.md.inline.parse(content, state.md, state.env, children)
        token.children = children
        progress.spend(tokens=len(children), characters=len(content))


# What no rule of inline parsing takes for more than text: no character that begins one, no address, no end of a line
# that breaks it. A `_` between letters is text.
_TEXT: Final = r"(?:[^\n\\`*_~\[<&@:w]|:(?!//)|w(?!ww\.)|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])|(?<! )\n(?! ))*+"
_SIMPLE: Final = re.compile(rf"{_TEXT}(?:`[^`\n]+`(?!`){_TEXT})*+")


def _simple(content: str) -> list[Token]:
    found = []
    for number, piece in enumerate(content.split("`")):
        if number % 2:
            code = piece[1:-1] if piece[0] == piece[-1] == " " and not piece.isspace() else piece
            found.append(Token("code_inline", "code", 0, content=code, markup="`"))
        elif piece:
            found.append(Token("text", "", 0, content=piece))
    return found
