"""YAML, JSON and Helm's templates in pieces, for whoever colours them.

No parser: each line is taken by itself, but for actions, comments and block texts that go over several, so that what is
half-written or hostile costs no more than anything else. The kinds are the short names that Pygments uses for its
classes.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

LONGEST_LINE: Final = 4_000
"""Characters of a line that are taken apart; the rest stays in one piece."""


class Token(NamedTuple):
    """A piece of a line.

    Attributes:
        kind: as Pygments' class; empty for plain text.
        text: as it is written.
        value: where it names a default value (`.Values.image.tag`), the names behind `.Values`; else empty.
    """

    kind: str
    text: str
    value: tuple[str, ...] = ()


_OPEN: Final = "{{"
_COMMENT_OPEN: Final = re.compile(r"\{\{-?[ \t]*/\*")
_COMMENT_CLOSE: Final = "*/"
_BLOCK_TEXT: Final = re.compile(r"(?:^|[:\- \t])[|>][-+0-9]{0,2}[ \t]*(?:#.*)?$")
_KEY: Final = re.compile(
    r"""(?P<lead>[ \t]*(?:-[ \t]+)*(?:\?[ \t]+)?)
    (?P<key>"(?:[^"\\]|\\.){0,300}"|'[^']{0,300}'|[^\s\#:'"{}\[\],&*!|>%@`?-][^:\#{}]{0,300}|[-?][^\s:\#{}][^:\#{}]{0,300})
    (?::)(?=[ \t]|$)""",
    re.VERBOSE,
)
_YAML: Final = re.compile(
    r"""(?P<c>(?:^|(?<=[ \t]))\#.*)
    |(?P<nt>"(?:[^"\\]|\\.)*"(?=:)|(?<=[{,][ ])[\w./-]+(?=:[ \t]))
    |(?P<s>"(?:[^"\\]|\\.)*"|'[^']*')
    |(?P<kc>(?<![\w./:-])(?:true|false|null|yes|no|on|off|~)(?![\w./:-]))
    |(?P<m>(?<![\w./:-])[-+]?[0-9]+(?:\.[0-9]+)?(?![\w./:-]))
    |(?P<nl>(?<![\w./-])[&*][\w.-]+)
    |(?P<kt>(?<![\w./-])!{1,2}[\w./-]*)
    |(?P<p>[{}\[\],|>]|(?:^|(?<=[ \t]))-(?=[ \t]|$)|:(?=[ \t]|$))
    |(?P<other>[\w./:-]+|[ ]+|.)""",
    re.VERBOSE,
)
_ACTION: Final = re.compile(
    r"""(?P<end>[ \t]-\}\}|\}\})
    |(?P<s>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)
    |(?P<raw>`)
    |(?P<values>\$?\.Values(?=(?P<names>(?:\.[A-Za-z_]\w*)+))(?P=names))
    |(?P<nv>\$\w*)
    |(?P<na>\.[A-Za-z_]\w*)
    |(?P<k>\b(?:if|else|end|range|with|define|template|block|include|tpl|break|continue)\b)
    |(?P<kc>\b(?:true|false|nil)\b)
    |(?P<nf>[A-Za-z_]\w*)
    |(?P<m>[0-9]+(?:\.[0-9]+)?)
    |(?P<other>[ \t]+|.)""",
    re.VERBOSE,
)
_OF_ACTION: Final = {"end": "cp", "raw": "s"}
"""What ends an action, or begins a text in it that may go over several lines."""


def tokens(lines: Iterable[str], *, templates: bool) -> Iterator[list[Token]]:
    """Give the pieces of each line.

    Args:
        lines: without their ends.
        templates: whether `{{` begins an action of a template.
    """
    state = _State(templates)
    for line in lines:
        rest = line[LONGEST_LINE:]
        found = state.line(line[:LONGEST_LINE])
        if rest:
            found.append(Token("", rest))
        yield found


class _State:
    """What goes on from one line to the next."""

    def __init__(self, templates: bool) -> None:  # noqa: FBT001 - by position
        self._templates = templates
        self._inside = ""  # what goes on: "action", "comment", "raw"
        self._block: int | None = None  # how far the key of a block text is indented

    def line(self, line: str) -> list[Token]:
        found: list[Token] = []
        at = self._go_on(line, 0, found) if self._inside else 0
        if at == 0 and not self._inside:
            self._leave_block(line)
        is_first = at == 0
        while at < len(line):
            begin = line.find(_OPEN, at) if self._templates else -1
            end = len(line) if begin < 0 else begin
            if end > at:
                self._yaml(line[at:end], found, is_first=is_first)
            is_first = False
            if begin < 0:
                break
            at = self._open(line, begin, found)
        if self._block is None and not self._inside and line[-1:] and _BLOCK_TEXT.search(line, max(0, len(line) - 300)):
            self._block = _indent(line)
        return found

    def _leave_block(self, line: str) -> None:
        if self._block is not None and line.strip() and _indent(line) <= self._block:
            self._block = None

    def _open(self, line: str, at: int, found: list[Token]) -> int:
        comment = _COMMENT_OPEN.match(line, at)
        if comment:
            self._inside = "comment"
        else:
            self._inside = "action"
            width = 3 if line.startswith("-", at + 2) else 2
            found.append(Token("cp", line[at : at + width]))
            at += width
        return self._go_on(line, at, found)

    def _go_on(self, line: str, at: int, found: list[Token]) -> int:
        """Take in what goes on, up to its end or the line's; return where that is."""
        while self._inside and at < len(line):
            if self._inside == "comment":
                at = self._comment(line, at, found)
            elif self._inside == "raw":
                at = self._raw(line, at, found)
            else:
                at = self._action(line, at, found)
        return at

    def _comment(self, line: str, at: int, found: list[Token]) -> int:
        closed = line.find(_COMMENT_CLOSE, at)
        end = line.find("}}", closed) if closed >= 0 else -1
        if end < 0:
            found.append(Token("c", line[at:]))
            return len(line)
        self._inside = ""
        found.append(Token("c", line[at : end + 2]))
        return end + 2

    def _raw(self, line: str, at: int, found: list[Token]) -> int:
        closed = line.find("`", at)
        if closed < 0:
            found.append(Token("s", line[at:]))
            return len(line)
        self._inside = "action"
        found.append(Token("s", line[at : closed + 1]))
        return closed + 1

    def _action(self, line: str, at: int, found: list[Token]) -> int:
        plain = at
        for piece in _ACTION.finditer(line, at):
            kind = piece.lastgroup
            if kind == "other":
                continue
            begin, at = piece.span()
            if begin > plain:
                found.append(Token("", line[plain:begin]))
            plain = at
            if kind == "values":
                found.append(Token("nv", piece[0], tuple(piece["names"][1:].split("."))))
                continue
            found.append(Token(_OF_ACTION.get(kind or "", kind or ""), piece[0]))
            if kind in _OF_ACTION:
                self._inside = "raw" if kind == "raw" else ""
                return at
        if plain < len(line):
            found.append(Token("", line[plain:]))
        return len(line)

    def _yaml(self, text: str, found: list[Token], *, is_first: bool) -> None:
        if self._block is not None:
            found.append(Token("s", text))
            return
        at = 0
        key = _KEY.match(text) if is_first else None
        if key:
            lead = key["lead"]
            found.append(Token("p" if lead.strip() else "", lead))
            found.extend((Token("nt", key["key"]), Token("p", ":")))
            at = key.end()
        _append_yaml(text, at, found)


def _append_yaml(text: str, at: int, found: list[Token]) -> None:
    plain = at
    for piece in _YAML.finditer(text, at):
        kind = piece.lastgroup or ""
        if kind == "other":
            continue
        if piece.start() > plain:
            found.append(Token("", text[plain : piece.start()]))
        found.append(Token(kind, piece[0]))
        plain = piece.end()
    if plain < len(text):
        found.append(Token("", text[plain:]))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
