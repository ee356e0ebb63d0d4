"""Two versions of a chart, compared. Nothing is rendered: what is compared is what lies in the packages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from chartrepo.core.archive import Held
from chartrepo.core.differing.chart_yaml import (
    DependencyChange,
    FieldChange,
    Lock,
    compare_dependencies,
    compare_fields,
)
from chartrepo.core.differing.crds import CrdComparison, compare_crds
from chartrepo.core.differing.files import (
    CHART_LOCK,
    REQUIREMENTS_LOCK,
    VALUES_YAML,
    Became,
    FileChange,
    Group,
    compare_files,
    digest,
)
from chartrepo.core.differing.lines import LineDifference, compare_lines
from chartrepo.core.differing.spans import Effort
from chartrepo.core.differing.steps import Move, between
from chartrepo.core.differing.values import ValueChange, compare_values
from chartrepo.core.errors import PackageRefused
from chartrepo.core.scalars import InvalidYamlError
from chartrepo.core.values_tree import outline
from chartrepo.core.yaml11 import Budget, Value, load

_RENAMING: Final = 200_000
"""Steps that are spent on finding files that were renamed."""
MOST_STEPS: Final = 2_000_000
"""Steps that are spent on the lines of all files of a comparison; see `Effort`."""
_OF_ONE_FILE: Final = 400_000
_AROUND: Final = 500
"""Bytes that a field of a definition takes, about."""
_LOCK_NODES: Final = 5_000
_LOCK_DEPTH: Final = 20


@dataclass(frozen=True, slots=True)
class Side:
    """A version that is compared.

    Attributes:
        version: as it is written.
        digest: SHA-256 of its package in hex.
        metadata: what Helm reads in its Chart.yaml, under Helm's names, empty fields left out.
        files: of its package, by path.
    """

    version: str
    digest: str
    metadata: Mapping[str, Any]
    files: Mapping[str, Held]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions.

    Attributes:
        old: the one, without its files.
        new: the other, without its files.
        move: how far it is from the one version to the other; None where one of them is no version.
        values: what differs between the default values; none where they cannot be compared key by key.
        values_unread: why they cannot; empty where they can.
        fields: of Chart.yaml that differ, but for the version and the dependencies.
        dependencies: that differ.
        crds: what differs between the custom resource definitions.
        files: that differ, by their paths.
    """

    old: Side
    new: Side
    move: Move | None
    values: tuple[ValueChange, ...]
    values_unread: str
    fields: tuple[FieldChange, ...]
    dependencies: tuple[DependencyChange, ...]
    crds: CrdComparison
    files: tuple[FileChange, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs that is in the packages, whenever and however they were packed."""
        return not self.files and self.old.metadata == self.new.metadata

    @property
    def is_same_package(self) -> bool:
        """Whether both are one package, byte for byte."""
        return self.old.digest == self.new.digest

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about, but for what every comparison takes."""
        return sum(
            len(side.data or b"") for file in self.files for side in (file.old, file.new) if side is not None
        ) + sum(_AROUND * (1 + len(change.fields)) for change in self.crds.changes)

    def of(self, *groups: Group) -> list[FileChange]:
        """Return the files that differ and are for something."""
        return [file for file in self.files if file.group in groups]


def compare(old: Side, new: Side) -> Comparison:
    """Return what differs between two versions of a chart. It never fails, whatever lies in the packages."""
    files = compare_files(old.files, new.files, Effort(_RENAMING))
    values, unread = _values(old, new, files)
    changed = {file.path for file in files}
    return Comparison(
        replace(old, files={}),
        replace(new, files={}),
        between(old.version, new.version),
        tuple(values),
        unread,
        tuple(compare_fields(old.metadata, new.metadata)),
        tuple(
            compare_dependencies(
                old.metadata.get("dependencies") or [],
                new.metadata.get("dependencies") or [],
                _lock(old.files),
                _lock(new.files),
            )
        ),
        compare_crds(
            old.files, new.files, lambda path: path in old.files and path in new.files and path not in changed
        ),
        tuple(map(_told, files)),
    )


def _told(file: FileChange) -> FileChange:
    """Return a file with what it holds only where that is shown."""
    if file.is_shown_by_line:
        return file
    sides = [
        Held(side.path, side.size, None, digest(side)) if side is not None else None for side in (file.old, file.new)
    ]
    return replace(file, old=sides[0], new=sides[1])


class LineComparer:
    """Compares the lines of files, within one effort for all of them.

    Args:
        ignore_space: whether lines that differ in nothing but white space are the same.
        steps: that may be spent in all.
    """

    def __init__(self, *, ignore_space: bool = False, steps: int = MOST_STEPS) -> None:
        self._ignore_space = ignore_space
        self._left = steps

    def compare(self, file: FileChange) -> LineDifference | None:
        """Return what differs between the lines of a file; None where it has none, or too many, or has no lines."""
        texts = file.texts
        if texts is None or not file.is_shown_by_line:
            return None
        effort = Effort(min(self._left, _OF_ONE_FILE))
        found = compare_lines(*texts, effort, ignore_space=self._ignore_space)
        self._left -= effort.spent
        return found


def _values(old: Side, new: Side, files: list[FileChange]) -> tuple[list[ValueChange], str]:
    change = next((file for file in files if file.path == VALUES_YAML or _was(file) == VALUES_YAML), None)
    if change is None:
        return [], ""
    sides = [side.files.get(VALUES_YAML) for side in (old, new)]
    if any(file is not None and file.data is None for file in sides):
        return [], "values.yaml is too large to be compared key by key"
    try:
        outlines = [outline(file.data or b"") if file is not None else [] for file in sides]
    except PackageRefused as error:
        return [], str(error)
    return compare_values(*outlines), ""


def _was(file: FileChange) -> str:
    return file.old.path if file.old is not None else ""


def _lock(files: Mapping[str, Held]) -> Lock:
    """Return the versions that a chart's lock says, by the names of the charts; none where it cannot be read."""
    for path in (CHART_LOCK, REQUIREMENTS_LOCK):
        file = files.get(path)
        if file is None or not file.data:
            continue
        try:
            document = load(file.data, Budget(_LOCK_NODES, _LOCK_DEPTH))
        except InvalidYamlError:
            continue
        listed = document.get("dependencies") if isinstance(document, dict) else None
        found = {}
        for each in listed if isinstance(listed, list) else []:
            name, version = (_text(each, field) for field in ("name", "version"))
            found[name] = version
        return found
    return {}


def _text(value: Value, field: str) -> str:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


__all__ = ["Became", "Comparison", "LineComparer", "Side", "compare"]
