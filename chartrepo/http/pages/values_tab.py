"""The default values of a chart: each with its path, what is said of it, and the rule of the schema for it."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from flask import Response

from chartrepo.core.schema_outline import Rule
from chartrepo.core.values_tree import Entry, as_text
from chartrepo.core.visible import visible_name, visible_text
from chartrepo.described_values import SCHEMA, VALUES, DescribedValues, ValuesCache
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.code import show_code
from chartrepo.http.pages.tab_parts import asked_number, asked_text, by_weight

MOST_ROWS: Final = 1_000
"""Of one page."""
_HEAVIEST: Final = 200_000
"""Characters of the rows of one page, about."""
_ROW: Final = 150
_SURELY_ONE_PAGE: Final = 100
_LONGEST_VALUE: Final = 2_000
_LONGEST_COMMENT: Final = 2_000
_SAFE: Final = "/:@+~,-._"


class Row(NamedTuple):
    """A value as the page shows it.

    Attributes:
        anchor: its id in the page.
        path: as `helm --set` takes it.
        kind: of its default; what the schema says where it has none.
        value: the default on one line; empty for what opens.
        text: the default where it is a text of several lines.
        comment: what the chart says of it.
        said_default: the default in words, where the chart says it so.
        rule: of the schema.
        opens: whether its parts follow.
        in_values: whether it stands in values.yaml.
    """

    anchor: str
    path: str
    kind: str
    value: str
    text: str
    comment: str
    said_default: str
    rule: Rule | None
    opens: bool
    in_values: bool = True

    @property
    def rule_adds(self) -> bool:
        """Whether the schema says something of it in words that its comment does not."""
        said = _words(self.rule.description) if self.rule is not None else ""
        return bool(said) and said not in _words(self.comment)

    @property
    def weight(self) -> int:
        """Characters that it takes in the page, about."""
        rule = len(self.rule.description) + sum(map(len, self.rule.choices)) if self.rule is not None else 0
        return (
            _ROW + 2 * len(self.anchor) + len(self.path) + len(self.value) + len(self.text) + len(self.comment) + rule
        )

    def has(self, words: Iterable[str]) -> bool:
        """Return whether all of these words, in small letters, are in it."""
        rule = self.rule.description if self.rule is not None else ""
        all_text = f"{self.path} {self.comment} {self.value} {self.text} {rule}".lower()
        return all(word in all_text for word in words)


def value_anchor(path: str) -> str:
    """Return the id of a value in the page, which stands for itself behind a `#` too."""
    return f"v-{quote(path, safe=_SAFE)}"


def pages_by_anchor(described: DescribedValues) -> Mapping[str, int]:
    """Return on which page each value is, where there are several pages and nothing is looked for; else nothing."""
    if len(described.entries) <= _SURELY_ONE_PAGE:
        return {}
    pages = _pages(rows_of(described))
    return {row.anchor: number for number, page in enumerate(pages, 1) for row in page} if len(pages) > 1 else {}


def rows_of(described: DescribedValues) -> list[Row]:
    """Return all values as rows: those of values.yaml, and then those that only the schema names."""
    rows = [_row(entry, described.rules.get(entry.path)) for entry in described.entries]
    for listed in described.only_in_schema:
        kind = " or ".join(listed.rule.types)
        anchor = value_anchor(listed.path)
        path = visible_name(listed.path)
        rows.append(Row(anchor, path, kind, "", "", "", "", listed.rule, opens=False, in_values=False))
    return rows


class ValuesTab:
    """The page.

    Args:
        frame: around it.
        values: describes them.
    """

    def __init__(self, frame: ChartFrame, values: ValuesCache) -> None:
        self._frame = frame
        self._values = values

    def view(self, rest: str) -> Response:
        """GET of the values of a chart."""
        opened = self._frame.open(rest)
        as_file = {"file": VALUES, "schema": SCHEMA}.get(asked_text("view"), "")
        if as_file and opened.contents.text(as_file) is not None:
            text = opened.contents.text(as_file) or ""
            return self._frame.render(
                opened,
                "values",
                "tab_values.html",
                code=show_code(as_file, text, part=asked_number("part")),
                file=as_file,
                has_schema=SCHEMA in opened.contents.files,
            )
        described = self._values.of(opened.subject.record.digest, opened.contents)
        rows = rows_of(described)
        asked = asked_text("q")
        found = [row for row in rows if row.has(asked.lower().split())] if asked.strip() else rows
        pages = _pages(found)
        page = min(asked_number(), len(pages))
        return self._frame.render(
            opened,
            "values",
            "tab_values.html",
            code=None,
            file="",
            has_file=VALUES in opened.contents.files,
            has_schema=SCHEMA in opened.contents.files,
            rows=pages[page - 1],
            count=len(rows),
            found=len(found),
            page=page,
            pages=len(pages),
            asked_value=asked,
            problems=described.problems,
        )


def _pages(rows: list[Row]) -> list[list[Row]]:
    return [list(page) for page in by_weight(rows, [row.weight for row in rows], most=MOST_ROWS, heaviest=_HEAVIEST)]


def _row(entry: Entry, rule: Rule | None) -> Row:
    value = text = ""
    if not entry.opens:
        if isinstance(entry.value, str) and "\n" in entry.value.strip("\n"):
            text = _cut(visible_text(entry.value), _LONGEST_VALUE)
        else:
            value = _cut(visible_name(as_text(entry.value)), _LONGEST_VALUE)
    comment = entry.comment
    return Row(
        value_anchor(entry.path),
        visible_name(entry.path),
        comment.hint or entry.kind,
        value,
        text,
        _cut(visible_text(comment.text), _LONGEST_COMMENT),
        _cut(visible_name(comment.default), _LONGEST_VALUE),
        rule,
        entry.opens,
    )


def _words(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} more characters)"
