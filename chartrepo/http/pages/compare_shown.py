"""What the page that compares two versions shows of a comparison, within what a page may hold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from markupsafe import Markup

from chartrepo.core.differing.comparison import Comparison, LineComparer
from chartrepo.core.differing.crds import CrdChange, CrdField
from chartrepo.core.differing.files import Became, FileChange, Group
from chartrepo.core.differing.lines import LineDifference, Part, word_marks
from chartrepo.core.differing.spans import Effort, Span
from chartrepo.core.differing.values import ValueChange, Valued, What
from chartrepo.core.visible import visible_name
from chartrepo.http.pages.diff_markup import inline, marked, side_by_side
from chartrepo.wording import shown_size

_MOST_VALUES: Final = 400
_MOST_LINES: Final = 1_200
"""Lines of all files on a page."""
_LINES_OF_A_FILE: Final = 300
_LINES_OF_ONE_ALONE: Final = 6_000
_FOLDED: Final = 40
"""Unchanged lines that can be unfolded: where there are more, a count stands for them."""
_ALL_FOLDED: Final = 400
_OPEN: Final = 15
"""Files whose lines are shown at once; others are unfolded by whoever wants to see them."""
_WORDS: Final = 300_000
"""Steps for marking words."""
_LONGEST_VALUE: Final = 600
_MOST_FIELDS: Final = 40
"""Fields of a custom resource that are listed."""
_TITLES: Final = {
    What.REMOVED: "Removed",
    What.MOVED: "Moved",
    What.TYPE: "Another type",
    What.DEFAULT: "Another default",
    What.ADDED: "Added",
    What.COMMENT: "Another comment",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, besides the versions.

    Attributes:
        view: `side`, `inline`, or empty for what fits the page.
        hides_space: whether white space makes no difference.
        file: the one file that is shown; empty for everything.
    """

    view: str
    hides_space: bool
    file: str

    @property
    def query(self) -> dict[str, str | None]:
        """As it stands in the address."""
        return {
            "view": self.view or None,
            "space": "hide" if self.hides_space else None,
            "file": self.file or None,
        }


class Row(NamedTuple):
    """A line of a table: what differs, and how it was and is; empty for not at all.

    Attributes:
        name: of what differs.
        note: more about it; empty for nothing.
        old: as it was.
        new: as it is.
        comments: what was and is said of it; None where that did not change, or is not worth telling.
    """

    name: str
    note: str
    old: Markup
    new: Markup
    comments: tuple[Markup, Markup] | None = None


class Rows(NamedTuple):
    """Rows below a heading."""

    title: str
    rows: Sequence[Row]


class Section(NamedTuple):
    """A part of the page: what is written on the way to it, where it is, and how much is in it."""

    title: str
    anchor: str
    number: int


class Piece(NamedTuple):
    """Lines of a file: some that differ, with those around them; or some that do not, folded.

    Attributes:
        unchanged: how many lines are folded; 0 where these are not.
        lines: as HTML; empty where only their number is told.
        label: which lines these are.
    """

    unchanged: int
    lines: Markup
    label: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that differs, as the page shows it.

    Attributes:
        change: what became of it.
        anchor: of its place on the page.
        name: its path, with what one would not see made visible.
        old_name: the path that it had; empty where that is the same.
        removed: lines that went; None where they are not shown.
        added: lines that came.
        pieces: the lines.
        left_out: how many lines that differ are not shown.
        note: why there is nothing to see; empty where there is.
        alone: address of a page about this file alone.
        is_open: whether its lines are shown at once.
    """

    change: FileChange
    anchor: str
    name: str
    old_name: str
    removed: int | None
    added: int
    pieces: Sequence[Piece]
    left_out: int
    note: str
    alone: str
    is_open: bool


class CrdFieldRow(NamedTuple):
    """A field of a custom resource: its path, and its type as it was and is; empty for not at all."""

    path: str
    old: str
    new: str


class Crd(NamedTuple):
    """A custom resource definition that differs.

    Attributes:
        name: of the definition.
        what: became of it.
        breaks: whether resources that were right may be so no more.
        fields: that differ.
        more: how many fields are not listed.
    """

    name: str
    what: str
    breaks: bool
    fields: Sequence[CrdFieldRow]
    more: int


class Shown:
    """A comparison as the page shows it, within what a page may hold.

    Attributes:
        values: by what became of them.
        more_values: how many are not shown.
        fields: of Chart.yaml.
        dependencies: that differ.
        crds: that differ, with the fields of each.
        templates: the files.
        crd_files: the same.
        readme: the same.
        values_files: the same.
        chart_files: the same.
        others: files that are told by size and digest.
        of_dependencies: the same, below `charts/`.
    """

    def __init__(self, found: Comparison, asked: Asked, address: Callable[[str], str]) -> None:
        self._asked = asked
        self._address = address
        self._comparer = LineComparer(ignore_space=asked.hides_space)
        self._words = Effort(_WORDS)
        self._lines = _LINES_OF_ONE_ALONE if asked.file else _MOST_LINES
        self._folded = _LINES_OF_ONE_ALONE if asked.file else _ALL_FOLDED
        self._open = _OPEN
        alone = bool(asked.file)
        self.values = [] if alone else list(self._values(found.values[:_MOST_VALUES]))
        self.more_values = max(0, len(found.values) - _MOST_VALUES)
        self.fields = [] if alone else [self._field(each.field, each.old, each.new) for each in found.fields]
        self.dependencies = () if alone else found.dependencies
        self.crds = [] if alone else [_crd(change) for change in found.crds.changes]
        self.templates = self._files(found, Group.TEMPLATES)
        self.readme = self._files(found, Group.README)
        self.values_files = self._files(found, Group.VALUES)
        self.chart_files = self._files(found, Group.CHART)
        self.crd_files = self._files(found, Group.CRDS)
        self.of_dependencies = [] if alone else found.of(Group.DEPENDENCIES)
        self.others = [] if alone else found.of(Group.OTHER)

    @property
    def has_lines(self) -> bool:
        """Whether there are lines to be shown in one way or another."""
        files = (self.templates, self.readme, self.values_files, self.chart_files, self.crd_files)
        return any(file.pieces or file.removed is not None for each in files for file in each)

    @property
    def sections(self) -> list[Section]:
        """The parts of the page that there are, in their order."""
        counts = {
            ("Values", "values"): sum(len(group.rows) for group in self.values) + self.more_values
            or len(self.values_files),
            ("Dependencies", "dependencies"): len(self.dependencies),
            ("Chart.yaml", "chart-yaml"): len(self.fields) or len(self.chart_files),
            ("CRDs", "crds"): len(self.crds) or len(self.crd_files),
            ("Templates", "templates"): len(self.templates),
            ("README", "readme"): len(self.readme),
            ("Files of dependencies", "dependency-files"): len(self.of_dependencies),
            ("Other files", "other-files"): len(self.others),
        }
        return [Section(*name, count) for name, count in counts.items() if count]

    def _values(self, changes: Sequence[ValueChange]) -> Iterator[Rows]:
        for what, title in _TITLES.items():
            rows = [self._value(change) for change in changes if change.what is what]
            if rows:
                yield Rows(title, rows)

    def _value(self, change: ValueChange) -> Row:
        name = visible_name(change.path)
        if change.what is What.COMMENT:
            return Row(name, "", *self._pair(_comment(change.old), _comment(change.new)))
        if change.what is What.MOVED:
            note = f"from {visible_name(change.moved_from)}"
            return Row(name, note, Markup(""), _value_markup(change.new))
        if change.old is None or change.new is None:
            comments = (Markup(""), marked(_comment(change.new), ())) if _comment(change.new) else None
            return Row(name, "", _value_markup(change.old), _value_markup(change.new), comments)
        note = f"{change.old.kind} to {change.new.kind}" if change.what is What.TYPE else ""
        comments = self._pair(_comment(change.old), _comment(change.new)) if change.also_said else None
        return Row(name, note, *self._pair(_text(change.old), _text(change.new)), comments)

    def _field(self, name: str, old: str, new: str) -> Row:
        return Row(visible_name(name), "", *self._pair(old, new))

    def _pair(self, old: str, new: str) -> tuple[Markup, Markup]:
        """Return two texts with the words marked in which they differ."""
        marks = word_marks(old, new, self._words) if old and new else ((), ())
        return marked(old, marks[0], longest=_LONGEST_VALUE), marked(new, marks[1], longest=_LONGEST_VALUE)

    def _files(self, found: Comparison, group: Group) -> list[File]:
        return [
            self._file(change) for change in found.of(group) if not self._asked.file or change.path == self._asked.file
        ]

    def _file(self, change: FileChange) -> File:
        difference = self._comparer.compare(change)
        left = min(self._lines, _LINES_OF_ONE_ALONE if self._asked.file else _LINES_OF_A_FILE)
        pieces = list(self._pieces(difference, left)) if difference is not None else []
        in_all = difference.removed + difference.added if difference is not None else 0
        is_open = self._open > 0 and change.became is not Became.REMOVED and change.group is not Group.CHART
        self._open -= is_open
        shown = sum(piece.differing for piece in pieces)
        return File(
            change,
            f"file-{sha256(change.path.encode('utf-8', 'replace')).hexdigest()[:10]}",
            visible_name(change.path),
            visible_name(change.old.path) if change.old is not None and change.old.path != change.path else "",
            difference.removed if difference is not None else None,
            difference.added if difference is not None else 0,
            [piece.piece for piece in pieces],
            in_all - shown,
            _note(change, difference),
            self._address(change.path),
            is_open or bool(self._asked.file),
        )

    def _pieces(self, difference: LineDifference, left: int) -> Iterator["_Counted"]:
        for part in difference.parts():
            size = max(part.old_to - part.old_from, part.new_to - part.new_from)
            if not part.folded:
                shown = _cut(part, left)
                if shown is None:
                    return
                taken = _weight(shown)
                left -= taken
                self._lines -= taken
                yield _Counted(Piece(0, self._markup(difference, shown), _label(shown)), _differing(shown))
                if shown != part:
                    return
            elif not difference.spans:
                return  # there is nothing to see but white space
            elif size <= _FOLDED and self._folded >= size:
                self._folded -= size
                yield _Counted(Piece(size, self._markup(difference, part), ""), 0)
            else:
                yield _Counted(Piece(size, Markup(""), ""), 0)

    def _markup(self, difference: LineDifference, part: Part) -> Markup:
        rows = difference.rows(part, self._words)
        return inline(rows) if self._asked.view == "inline" else side_by_side(rows)


class _Counted(NamedTuple):
    """A piece, and how many of its lines differ."""

    piece: Piece
    differing: int


def _cut(part: Part, left: int) -> Part | None:
    """Return as much of a part as fits into so many lines; None for nothing of it."""
    if _weight(part) <= left:
        return part
    spans: list[Span] = []
    at = part.old_from
    for span in part.spans:
        left -= span.old_from - at
        if left <= 0:
            break
        olds, news = span.old_to - span.old_from, span.new_to - span.new_from
        some_old = min(olds, max(left // 2, left - news))
        some_new = min(news, left - some_old)
        spans.append(Span(span.old_from, span.old_from + some_old, span.new_from, span.new_from + some_new))
        left -= some_old + some_new
        at = span.old_to
        if (some_old, some_new) != (olds, news):
            break
    if not spans:
        return None
    return Part(part.old_from, spans[-1].old_to, part.new_from, spans[-1].new_to, part.folded, tuple(spans))


def _weight(part: Part) -> int:
    """Return how many lines are shown of a part."""
    return part.old_to - part.old_from + sum(span.new_to - span.new_from for span in part.spans)


def _differing(part: Part) -> int:
    return sum(span.old_to - span.old_from + span.new_to - span.new_from for span in part.spans)


def _label(part: Part) -> str:
    begin, end = (part.new_from, part.new_to) if part.new_to > part.new_from else (part.old_from, part.old_to)
    return f"line {begin + 1:,}" if end == begin + 1 else f"lines {begin + 1:,} to {end:,}"


def _note(change: FileChange, difference: LineDifference | None) -> str:
    """Return why the lines of a file are not shown, or not to be trusted to the last; empty where they are."""
    sizes = " to ".join(shown_size(side.size) for side in (change.old, change.new) if side is not None)
    if change.is_same:
        return f"What it holds is the same, {shown_size(change.new.size) if change.new else ''}."
    if difference is None:
        if change.texts is not None:
            return f"It has too many lines to be shown line by line: {sizes}."
        large = any(side is not None and side.data is None for side in (change.old, change.new))
        return f"It is too large to be shown line by line: {sizes}." if large else f"It is no text: {sizes}."
    if not difference.spans:
        return "Nothing differs but white space, which is hidden."
    if not difference.complete:
        return "It is too different for a close look: some of these lines may be the same."
    return ""


def _text(value: Valued | None) -> str:
    """Return a value as it is shown: as JSON, and a text of several lines as it is."""
    if value is None:
        return ""
    text = value.value if isinstance(value.value, str) and "\n" in value.value else value.text
    return str(text)


def _value_markup(value: Valued | None) -> Markup:
    return marked(_text(value), (), longest=_LONGEST_VALUE)


def _comment(value: Valued | None) -> str:
    return value.comment if value is not None else ""


def _crd(change: CrdChange) -> Crd:
    name = visible_name(f"{change.name} {change.version}".strip())
    if change.old is None or change.new is None:
        return Crd(name, "added" if change.old is None else "removed", change.breaks, (), 0)
    what = ["changed"]
    if change.old.served != change.new.served:
        what.append("served now" if change.new.served else "served no more")
    if change.old.stored != change.new.stored:
        what.append("stored now" if change.new.stored else "stored no more")
    fields = [
        CrdFieldRow(visible_name(field.path), _crd_field(field.old), _crd_field(field.new))
        for field in change.fields[:_MOST_FIELDS]
    ]
    return Crd(name, ", ".join(what), change.breaks, fields, len(change.fields) - len(fields))


def _crd_field(field: CrdField | None) -> str:
    if field is None:
        return ""
    return f"{field.kind or 'anything'}{', required' if field.required else ''}"
