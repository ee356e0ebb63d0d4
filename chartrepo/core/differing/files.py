"""Which files differ between two versions."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from chartrepo.core.archive import Held
from chartrepo.core.chart import CHART_YAML, REQUIREMENTS_YAML
from chartrepo.core.differing.spans import Effort


class Group(Enum):
    """What a file is for."""

    TEMPLATES = "templates"
    CRDS = "crds"
    README = "readme"
    VALUES = "values"
    CHART = "chart"
    DEPENDENCIES = "dependencies"
    OTHER = "other"


class Became(Enum):
    """What became of a file."""

    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    ADDED = "added"


VALUES_YAML: Final = "values.yaml"
CHART_LOCK: Final = "Chart.lock"
REQUIREMENTS_LOCK: Final = "requirements.lock"
_OF_CHART: Final = frozenset({CHART_YAML, CHART_LOCK, REQUIREMENTS_YAML, REQUIREMENTS_LOCK})
_OF_VALUES: Final = frozenset({VALUES_YAML, "values.schema.json"})
_READMES: Final = frozenset({"readme.md", "readme", "readme.txt"})
_SHOWN_BY_LINE: Final = frozenset({Group.TEMPLATES, Group.CRDS, Group.README, Group.VALUES, Group.CHART})


def group_of(path: str) -> Group:
    """Return what a file is for, by its path."""
    first, _, rest = path.partition("/")
    if rest:
        return {"templates": Group.TEMPLATES, "crds": Group.CRDS, "charts": Group.DEPENDENCIES}.get(first, Group.OTHER)
    if path in _OF_CHART:
        return Group.CHART
    if path in _OF_VALUES:
        return Group.VALUES
    return Group.README if path.lower() in _READMES else Group.OTHER


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs.

    Attributes:
        path: of the file; of one that is no more, where it was.
        group: what it is for.
        became: what became of it.
        old: as it was; None where it was not there.
        new: as it is; None where it is no more.
    """

    path: str
    group: Group
    became: Became
    old: Held | None
    new: Held | None

    @property
    def is_same(self) -> bool:
        """Whether what it holds is the same: it was renamed and nothing else."""
        return self.old is not None and self.new is not None and digest(self.old) == digest(self.new)

    @property
    def is_shown_by_line(self) -> bool:
        """Whether its lines are compared: what dependencies and other files hold is told by size and digest."""
        return self.group in _SHOWN_BY_LINE

    @property
    def texts(self) -> tuple[str, str] | None:
        """What it held and holds, empty where it was not there; None where that is no text, or too large to be kept."""
        found = [text_of(file) if file is not None else "" for file in (self.old, self.new)]
        return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def text_of(file: Held) -> str | None:
    """Return what a file holds as text; None where it is none, or was too large to keep."""
    if file.data is None or b"\0" in file.data:
        return None
    try:
        return file.data.decode()
    except UnicodeDecodeError:
        return None


def digest(file: Held) -> str:
    """Return the SHA-256 of what a file holds, in hex."""
    return file.digest if file.data is None else sha256(file.data).hexdigest()


def compare_files(old: Mapping[str, Held], new: Mapping[str, Held], effort: Effort) -> list[FileChange]:
    """Return the files that differ, by their paths.

    Args:
        old: files of the one version by path.
        new: of the other.
        effort: how much may be spent on finding files that were renamed.
    """
    changed = [
        FileChange(path, group_of(path), Became.CHANGED, old[path], file)
        for path, file in new.items()
        if path in old and not _alike(old[path], file)
    ]
    gone = {path: file for path, file in old.items() if path not in new}
    come = {path: file for path, file in new.items() if path not in old}
    renamed = _by_digest(gone, come)
    renamed |= _by_lines(
        {path: file for path, file in gone.items() if path not in renamed},
        {path: file for path, file in come.items() if path not in set(renamed.values())},
        effort,
    )
    changes = [
        *changed,
        *(FileChange(to, group_of(to), Became.RENAMED, gone.pop(path), come.pop(to)) for path, to in renamed.items()),
        *(FileChange(path, group_of(path), Became.REMOVED, file, None) for path, file in gone.items()),
        *(FileChange(path, group_of(path), Became.ADDED, None, file) for path, file in come.items()),
    ]
    return sorted(changes, key=lambda change: change.path)


def _alike(old: Held, new: Held) -> bool:
    if old.data is not None and new.data is not None:
        return old.data == new.data
    return old.size == new.size and digest(old) == digest(new)


def _by_digest(gone: Mapping[str, Held], come: Mapping[str, Held]) -> dict[str, str]:
    """Return which files went and came as they are, from which path to which."""
    before, after = _once(gone), _once(come)
    return {path: after[what] for what, path in before.items() if what in after}


def _once(files: Mapping[str, Held]) -> dict[tuple[Group, str], str]:
    paths: dict[tuple[Group, str], list[str]] = defaultdict(list)
    for path, file in files.items():
        if file.size:
            paths[group_of(path), digest(file)].append(path)
    return {what: found[0] for what, found in paths.items() if len(found) == 1}


_MOST_OF_A_RENAMED: Final = 128 * 1024
_ALIKE: Final = 0.6
"""How much of two files' lines has to be the same for the one to count as the other under a new name."""


def _by_lines(gone: Mapping[str, Held], come: Mapping[str, Held], effort: Effort) -> dict[str, str]:
    """Return which files went and came with few of their lines changed, from which path to which."""
    before, after = _line_counts(gone), _line_counts(come)
    likes = []
    for path, lines in before.items():
        for to, others in after.items():
            if group_of(path) is not group_of(to) or not effort.spend(min(len(lines), len(others))):
                continue
            like = 2 * (lines & others).total() / (lines.total() + others.total())
            if like >= _ALIKE:
                likes.append((-like, path, to))
    found: dict[str, str] = {}
    taken = set[str]()
    for _, path, to in sorted(likes):
        if path not in found and to not in taken:
            found[path] = to
            taken.add(to)
    return found


def _line_counts(files: Mapping[str, Held]) -> dict[str, Counter[str]]:
    found = {}
    for path, file in files.items():
        if group_of(path) in _SHOWN_BY_LINE and file.size <= _MOST_OF_A_RENAMED:
            text = text_of(file)
            lines = Counter(filter(None, map(str.strip, _LINE_END.split(text)))) if text else Counter[str]()
            if lines:
                found[path] = lines
    return found


_LINE_END: Final = re.compile("\n")
