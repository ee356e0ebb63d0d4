"""Lines of two texts as HTML: side by side, or one below the other.

Each line says by its colour, by a sign and by a word for screen readers what became of it. What stands in the lines
comes from charts: all of it goes through `escape` here, and nothing else does anything to it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markupsafe import Markup, escape

from chartrepo.core.differing.lines import Line, Row
from chartrepo.core.visible import visible_text

_LONGEST: Final = 400
"""Characters of a line that are shown."""
_BEFORE_A_MARK: Final = 60
"""Characters that are shown of a line before what differs in it, where that is far from its begin."""
_NONE: Final = '<div class="dl none"></div>'
_SIGNS: Final = {
    "del": '<span class="ds">-<span class="hidden">removed </span></span>',
    "ins": '<span class="ds">+<span class="hidden">added </span></span>',
}
_NO_SIGN: Final = '<span class="ds"></span>'


def side_by_side(rows: Iterable[Row]) -> Markup:
    """Return rows with both texts beside each other; on a narrow page the style puts them below each other."""
    return _safe(_row(row) for row in rows)


def inline(rows: Iterable[Row]) -> Markup:
    """Return rows with what went above what came, as `diff -u` has it."""
    return _safe(_inline(rows))


def marked(text: str, marks: Sequence[tuple[int, int]], *, longest: int = _LONGEST) -> Markup:
    """Return a text with some of it marked, and cut where it is long.

    Args:
        text: as the chart has it.
        marks: from where to where.
        longest: characters that are shown.
    """
    return _safe(_marked(text, marks, longest))


def _safe(pieces: Iterable[str]) -> Markup:
    return Markup("".join(pieces))  # noqa: S704 - our own tags, and what `_shown` escaped


def _marked(text: str, marks: Sequence[tuple[int, int]], longest: int) -> Iterator[str]:
    at = 0
    if len(text) > longest and marks and marks[0][0] > longest // 2:
        at = marks[0][0] - _BEFORE_A_MARK
        yield f'<span class="soft">{at:,} characters … </span>'
    last = at + longest
    for begin, end in marks:
        if begin >= last:
            break
        yield _shown(text[at:begin])
        at = min(end, last)
        yield f"<mark>{_shown(text[begin:at])}</mark>"
    yield _shown(text[at:last])
    if len(text) > last:
        yield f'<span class="soft"> … {len(text) - last:,} more characters</span>'


def _shown(text: str) -> str:
    return escape(visible_text(text))


def _row(row: Row) -> str:
    if row.same:
        # The one on the left is for the eye: who listens, or has a narrow page, would have the line twice.
        left, right = _same(row.old, left=True), _same(row.new)
    else:
        left, right = _differing(row.old, "del"), _differing(row.new, "ins")
    return f'<div class="dr">{left}{right}</div>'


def _inline(rows: Iterable[Row]) -> Iterator[str]:
    waiting: list[str] = []
    for row in rows:
        if row.same:
            yield from waiting
            waiting.clear()
            yield _same(row.new)
            continue
        if row.old is not None:
            yield _differing(row.old, "del")
        if row.new is not None:
            waiting.append(_differing(row.new, "ins"))
    yield from waiting


def _same(line: Line | None, *, left: bool = False) -> str:
    return _line(line, "same left" if left else "same", _NO_SIGN, ' aria-hidden="true"' if left else "")


def _differing(line: Line | None, kind: str) -> str:
    return _line(line, kind, _SIGNS[kind], "")


def _line(line: Line | None, kind: str, sign: str, more: str) -> str:
    if line is None:
        return _NONE
    text = "".join(_marked(line.text, line.marks, _LONGEST))
    return (
        f'<div class="dl {kind}"{more}><span class="dn" data-n="{line.number}"></span>{sign}<code>{text}</code></div>'
    )
