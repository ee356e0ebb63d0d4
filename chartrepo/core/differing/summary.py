"""A comparison in one paragraph: what may break things first, then the rest, each with its first few names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from chartrepo.core.differing.chart_yaml import DependencyChange, FieldChange
from chartrepo.core.differing.comparison import Comparison
from chartrepo.core.differing.crds import CrdChange
from chartrepo.core.differing.files import VALUES_YAML, Became, FileChange, Group
from chartrepo.core.differing.steps import Room, Step
from chartrepo.core.differing.values import ValueChange, What

_NAMED: Final = 3
"""Of so many things of a kind the names are told."""
_LONGEST: Final = 40
"""Characters of a value or a name."""


class Piece(NamedTuple):
    """Some words; or something out of the chart, to be set as code."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that differs.

    Attributes:
        pieces: what is said of it.
        breaks: whether what worked with the one version may not with the other.
    """

    pieces: tuple[Piece, ...]
    breaks: bool = False

    @property
    def text(self) -> str:
        """The clause as plain text, code between backticks."""
        return "".join(f"`{piece.text}`" if piece.is_code else piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Summary:
    """A comparison in words.

    Attributes:
        lead: a sentence to begin with; empty for none.
        clauses: what differs, that which may break things first.
    """

    lead: str
    clauses: tuple[Clause, ...]

    @property
    def breaking(self) -> tuple[Clause, ...]:
        """What may break things."""
        return tuple(clause for clause in self.clauses if clause.breaks)

    @property
    def others(self) -> tuple[Clause, ...]:
        """The rest."""
        return tuple(clause for clause in self.clauses if not clause.breaks)

    @property
    def text(self) -> str:
        """The paragraph as plain text."""
        said = "; ".join(clause.text for clause in self.clauses)
        return " ".join(filter(None, (self.lead, f"{said}." if said else "")))


def summarise(comparison: Comparison) -> Summary:
    """Return a comparison in words."""
    clauses = [*_breaking(comparison), *_others(comparison)]
    return Summary(_lead(comparison, has_more=bool(clauses)), tuple(clauses))


def _lead(comparison: Comparison, *, has_more: bool) -> str:
    old, new = comparison.old.version, comparison.new.version
    if comparison.is_same_package:
        return "Both are the same package, byte for byte."
    if comparison.is_same:
        return "Nothing differs but how the two were packed."
    if comparison.move is not None and comparison.move.back:
        back = f"This goes back: {_cut(old)} is newer than {_cut(new)}."
        return back if has_more else f"{back} Nothing changed but the version."
    return "" if has_more else "Nothing changed but the version."


def _breaking(comparison: Comparison) -> Iterator[Clause]:
    values = comparison.values
    yield from _values(values, What.REMOVED, "value removed", "values removed", breaks=True)
    yield from _moved(values)
    yield from _values(values, What.TYPE, "value of another type", "values of another type", breaks=True)
    for field in comparison.fields:
        if _breaks(field):
            yield _field(field, breaks=True)
    yield from _crds([change for change in comparison.crds.changes if change.breaks], breaks=True)
    yield from _dependencies([each for each in comparison.dependencies if _is_major(each)], breaks=True)


def _others(comparison: Comparison) -> Iterator[Clause]:
    yield from _values_added_and_changed(comparison)
    yield from _few_fields([field for field in comparison.fields if not _breaks(field)])
    yield from _dependencies([each for each in comparison.dependencies if not _is_major(each)], breaks=False)
    yield from _crds([change for change in comparison.crds.changes if not change.breaks], breaks=False)
    yield from _files(comparison.of(Group.TEMPLATES), "template")
    if not comparison.crds.changes:
        yield from _files(comparison.of(Group.CRDS), "file of CRDs", "files of CRDs")
    for file in comparison.of(Group.README):
        yield Clause((Piece(f"README {file.became.value}"),))
    yield from _files(comparison.of(Group.OTHER), "other file")
    yield from _files(comparison.of(Group.DEPENDENCIES), "file of dependencies", "files of dependencies")
    yield from _written_otherwise(comparison)


def _values_added_and_changed(comparison: Comparison) -> Iterator[Clause]:
    values = comparison.values
    yield from _values(values, What.ADDED, "value added", "values added", breaks=False)
    changed = [change for change in values if change.what is What.DEFAULT]
    if changed:
        pieces = [Piece(f"{_count(len(changed), 'default', 'defaults')} changed: ")]
        for number, change in enumerate(changed[:_NAMED]):
            if number:
                pieces.append(Piece(", "))
            pieces += [_code(change.path), Piece(f" {_told(change.old)} to {_told(change.new)}")]
        yield Clause((*pieces, *_and_more(len(changed))))
    said = sum(change.what is What.COMMENT for change in values)
    if said:
        yield Clause((Piece(f"{_count(said, 'comment', 'comments')} of values changed"),))
    for file in comparison.of(Group.VALUES):
        if file.path != VALUES_YAML:
            yield Clause((_code(file.path), Piece(f" {file.became.value}")))
        elif comparison.values_unread:
            yield Clause((_code(file.path), Piece(" changed, and cannot be compared key by key")))
        elif not values:
            yield Clause((_code(file.path), Piece(" is written otherwise, to the same effect")))


def _values(values: Sequence[ValueChange], what: What, one: str, many: str, *, breaks: bool) -> Iterator[Clause]:
    found = [change for change in values if change.what is what]
    if found:
        roots = list(dict.fromkeys(change.root for change in found))
        yield Clause((Piece(f"{_count(len(found), one, many)}: "), *_names(roots)), breaks)


def _moved(values: Sequence[ValueChange]) -> Iterator[Clause]:
    found = [change for change in values if change.what is What.MOVED]
    if not found:
        return
    pieces = [Piece(f"{_count(sum(change.values for change in found), 'value', 'values')} moved: ")]
    for number, change in enumerate(found[:_NAMED]):
        if number:
            pieces.append(Piece(", "))
        pieces += [_code(change.moved_from), Piece(" to "), _code(change.path)]
    yield Clause((*pieces, *_and_more(len(found))), breaks=True)


def _breaks(field: FieldChange) -> bool:
    if field.field == "appVersion":
        return field.move is not None and field.move.step is Step.MAJOR
    if field.field == "kubeVersion":
        return field.room is Room.LESS
    return field.field in {"type", "name"} or (field.field == "deprecated" and field.new == "true")


_SAID: Final = {"appVersion": "app version", "kubeVersion": "kubeVersion"}


def _field(field: FieldChange, *, breaks: bool) -> Clause:
    if field.field == "deprecated":
        return Clause((Piece("deprecated now" if field.new == "true" else "deprecated no more"),), breaks)
    name = _SAID.get(field.field, field.field)
    how = ""
    if field.room is not None and field.room is not Room.OTHER:
        name += f" {field.room.value}:"
    if field.move is not None and field.move.step is not Step.SAME:
        how = f" ({field.move})"
    return Clause((Piece(f"{name} {_or_none(field.old)} to {_or_none(field.new)}{how}"),), breaks)


def _few_fields(fields: Sequence[FieldChange]) -> Iterator[Clause]:
    by_themselves = [field for field in fields if field.field in {*_SAID, "deprecated"}]
    for field in by_themselves:
        yield _field(field, breaks=False)
    names = list(dict.fromkeys(field.field for field in fields if field not in by_themselves))
    if names:
        what = _count(len(names), "other field", "other fields")
        yield Clause((Piece(f"{what} of Chart.yaml changed: "), *_names(names)))


def _is_major(dependency: DependencyChange) -> bool:
    return dependency.move is not None and dependency.move.step is Step.MAJOR


def _dependencies(dependencies: Sequence[DependencyChange], *, breaks: bool) -> Iterator[Clause]:
    for dependency in dependencies[:_NAMED]:
        yield _dependency(dependency, breaks=breaks)
    more = len(dependencies) - _NAMED
    if more > 0:
        yield Clause((Piece(f"{_count(more, 'more dependency', 'more dependencies')} changed"),), breaks)


def _dependency(dependency: DependencyChange, *, breaks: bool) -> Clause:
    name = f"dependency {_cut(dependency.name)}"
    if dependency.old is None:
        return Clause((Piece(f"{name} {_or_none(dependency.new or '')} added"),), breaks)
    if dependency.new is None:
        return Clause((Piece(f"{name} {_or_none(dependency.old)} removed"),), breaks)
    how = f" ({dependency.move})" if dependency.move is not None else ""
    if dependency.old != dependency.new:
        return Clause((Piece(f"{name} {_or_none(dependency.old)} to {_or_none(dependency.new)}{how}"),), breaks)
    if dependency.by_lock:
        old, new = _or_none(dependency.old_locked), _or_none(dependency.new_locked)
        return Clause((Piece(f"{name} locked at {new} instead of {old}{how}"),), breaks)
    fields = [field.field for field in dependency.fields]
    return Clause((Piece(f"{name} has another "), Piece(" and ".join(fields))), breaks)


def _crds(changes: Sequence[CrdChange], *, breaks: bool) -> Iterator[Clause]:
    whole = [change for change in changes if not change.version]
    for gone, word in ((True, "removed"), (False, "added")):
        names = [change.name for change in whole if (change.new is None) is gone]
        if names:
            yield Clause((Piece(f"{_count(len(names), 'CRD', 'CRDs')} {word}: "), *_names(names)), breaks)
    parts = [change for change in changes if change.version]
    for change in parts[:_NAMED]:
        yield Clause((Piece("CRD "), _code(change.name), Piece(f" {change.version}: {_what_of_crd(change)}")), breaks)
    if len(parts) > _NAMED:
        yield Clause(
            (Piece(f"{_count(len(parts) - _NAMED, 'more version', 'more versions')} of CRDs changed"),), breaks
        )


def _what_of_crd(change: CrdChange) -> str:
    if change.old is None:
        return "version added"
    if change.new is None:
        return "version removed"
    removed = len(change.removed)
    added = sum(field.old is None for field in change.fields)
    other = len(change.fields) - removed - added
    said = [
        f"{_count(number, 'field', 'fields')} {word}"
        for number, word in ((removed, "removed"), (other, "changed"), (added, "added"))
        if number
    ]
    if change.old.served != change.new.served:
        said.append("served now" if change.new.served else "served no more")
    if change.old.stored != change.new.stored:
        said.append("stored now" if change.new.stored else "stored no more")
    return ", ".join(said)


def _files(files: Sequence[FileChange], one: str, many: str = "") -> Iterator[Clause]:
    counts = [(sum(file.became is became for file in files), became.value) for became in Became]
    said = [
        f"{number:,} {word}" if place else f"{_count(number, one, many or f'{one}s')} {word}"
        for place, (number, word) in enumerate(each for each in counts if each[0])
    ]
    if said:
        yield Clause((Piece(", ".join(said)),))


def _written_otherwise(comparison: Comparison) -> Iterator[Clause]:
    """Say of files about the chart that they differ, where nothing that they say does."""
    if comparison.is_same or comparison.fields or comparison.dependencies:
        return
    names = [file.path for file in comparison.of(Group.CHART) if file.path != "Chart.yaml"]
    if names:
        yield Clause((*_names(names), Piece(f" {'is' if len(names) == 1 else 'are'} written otherwise")))


def _names(names: Sequence[str]) -> Iterator[Piece]:
    for number, name in enumerate(names[:_NAMED]):
        if number:
            yield Piece(", ")
        yield _code(name)
    yield from _and_more(len(names))


def _and_more(number: int) -> Iterable[Piece]:
    return [Piece(f" and {number - _NAMED:,} more")] if number > _NAMED else []


def _code(text: str) -> Piece:
    return Piece(_cut(text, 2 * _LONGEST), is_code=True)


def _told(value: object) -> str:
    """Return a value as it is told in a sentence."""
    text = getattr(value, "text", "")
    found = getattr(value, "value", None)
    if isinstance(found, str):
        text = found if found and found.strip() == found and found not in {"true", "false", "null"} else text
    return _cut({'""': "empty", "{}": "empty", "[]": "empty", "null": "nothing"}.get(text, text))


def _or_none(text: str) -> str:
    return _cut(text) if text else "none"


def _cut(text: str, most: int = _LONGEST) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text[: most + 1].split())
    return line if len(text) <= most else f"{line[:most].rstrip()}…"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
