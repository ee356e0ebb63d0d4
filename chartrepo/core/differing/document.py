"""A comparison as a JSON document. Its shape is on the page docs/catalog.md, and only ever grows."""

from collections.abc import Iterator
from typing import Any, Final

from chartrepo.core.differing.chart_yaml import DependencyChange, FieldChange
from chartrepo.core.differing.comparison import Comparison, LineComparer, Side
from chartrepo.core.differing.crds import CrdChange, CrdField
from chartrepo.core.differing.files import FileChange, Group, digest
from chartrepo.core.differing.lines import LineDifference, Part
from chartrepo.core.differing.steps import Move
from chartrepo.core.differing.summary import summarise
from chartrepo.core.differing.values import ValueChange

Json = dict[str, Any]

MOST_LINES: Final = 20_000
"""Lines of all hunks together; files behind that are told without their lines."""


def as_json(comparison: Comparison, *, ignore_space: bool = False) -> Json:
    """Return a comparison as JSON values.

    Args:
        comparison: what differs.
        ignore_space: whether lines that differ in nothing but white space are the same.
    """
    summary = summarise(comparison)
    files = _Files(LineComparer(ignore_space=ignore_space))
    told = {group: [files.told(file) for file in comparison.of(group)] for group in Group}
    return {
        "from": _side(comparison.old),
        "to": _side(comparison.new),
        "same": comparison.is_same,
        **_move(comparison.move),
        "summary": summary.text,
        "breaking": [clause.text for clause in summary.breaking],
        "values": [_value(change) for change in comparison.values],
        "values_unread": comparison.values_unread or None,
        "chart_yaml": [_field(field) for field in comparison.fields],
        "dependencies": [_dependency(each) for each in comparison.dependencies],
        "crds": [_crd(change) for change in comparison.crds.changes],
        "crds_unread": list(comparison.crds.unread),
        "templates": told[Group.TEMPLATES],
        "crd_files": told[Group.CRDS],
        "readme": told[Group.README],
        "values_files": told[Group.VALUES],
        "chart_files": told[Group.CHART],
        "dependency_files": told[Group.DEPENDENCIES],
        "other_files": told[Group.OTHER],
    }


def _side(side: Side) -> Json:
    return {"version": side.version, "digest": side.digest}


def _move(move: Move | None) -> Json:
    return {"step": move.step.value if move is not None else None, "back": move.back if move is not None else None}


def _value(change: ValueChange) -> Json:
    told: Json = {"path": change.path, "change": change.what.value, "part_of": change.root}
    if change.moved_from:
        told |= {"moved_from": change.moved_from, "values": change.values}
    for name, value in (("from", change.old), ("to", change.new)):
        if value is not None:
            told[name] = {"value": value.value, "type": value.kind, "comment": value.comment, "line": value.line}
    return told | ({"comment_changed": True} if change.also_said else {})


def _field(field: FieldChange) -> Json:
    told: Json = {"field": field.field, "from": field.old or None, "to": field.new or None}
    if field.move is not None:
        told |= _move(field.move)
    return told | ({"range": field.room.value} if field.room is not None else {})


def _dependency(change: DependencyChange) -> Json:
    told = {
        "name": change.name,
        "from": change.old,
        "to": change.new,
        "from_locked": change.old_locked or None,
        "to_locked": change.new_locked or None,
        **_move(change.move),
    }
    return told | ({"fields": [_field(field) for field in change.fields]} if change.fields else {})


def _crd(change: CrdChange) -> Json:
    return {
        "name": change.name,
        "version": change.version or None,
        "change": "added" if change.old is None else "removed" if change.new is None else "changed",
        "breaks": change.breaks,
        "served": [side.served if side is not None else None for side in (change.old, change.new)],
        "stored": [side.stored if side is not None else None for side in (change.old, change.new)],
        "fields": [
            {"path": field.path, "from": _crd_field(field.old), "to": _crd_field(field.new)} for field in change.fields
        ],
    }


def _crd_field(field: CrdField | None) -> Json | None:
    return {"type": field.kind, "required": field.required} if field is not None else None


class _Files:
    """Tells of files, of as many with their lines as fit."""

    def __init__(self, lines: LineComparer) -> None:
        self._lines = lines
        self._left = MOST_LINES

    def told(self, file: FileChange) -> Json:
        said: Json = {"path": file.path, "change": file.became.value}
        if file.old is not None and file.old.path != file.path:
            said["renamed_from"] = file.old.path
        for name, side in (("from", file.old), ("to", file.new)):
            if side is not None:
                said[name] = {"size": side.size, "digest": digest(side)}
        found = self._lines.compare(file) if self._left > 0 else None
        if found is None:
            return said
        hunks = []
        for part in found.parts():
            if part.folded:
                continue
            lines = list(hunk_lines(found, part))
            self._left -= len(lines)
            if self._left < 0:
                break
            hunks.append(
                {
                    "from_line": part.old_from + 1,
                    "from_count": part.old_to - part.old_from,
                    "to_line": part.new_from + 1,
                    "to_count": part.new_to - part.new_from,
                    "lines": lines,
                }
            )
        cut = self._left < 0
        return said | {"lines_removed": found.removed, "lines_added": found.added, "hunks": hunks, "hunks_cut": cut}


def hunk_lines(found: LineDifference, part: Part) -> Iterator[str]:
    """Give the lines of a part with their ends, each behind ` `, `-` or `+`, as `diff -u` has them."""
    old_at = part.old_from
    for span in part.spans:
        yield from (f" {line}" for line in found.old[old_at : span.old_from])
        yield from (f"-{line}" for line in found.old[span.old_from : span.old_to])
        yield from (f"+{line}" for line in found.new[span.new_from : span.new_to])
        old_at = span.old_to
    yield from (f" {line}" for line in found.old[old_at : part.old_to])
