"""The default values of packages with what is said of each, kept for a while: taking a values.yaml apart takes time."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from chartrepo.contents import Contents
from chartrepo.core.errors import PackageRefused
from chartrepo.core.schema_outline import Listed, Outline, Rule
from chartrepo.core.value_paths import Key
from chartrepo.core.values_tree import Entry, outline

VALUES: Final = "values.yaml"
SCHEMA: Final = "values.schema.json"
_MOST_KEPT: Final = 12
_LARGEST_KEPT: Final = 4_000
"""Entries; what is larger is taken apart again."""


@dataclass(frozen=True, slots=True)
class DescribedValues:
    """What a chart says of its values.

    Attributes:
        entries: of its values.yaml, in order.
        rules: what its schema says of them, by path.
        only_in_schema: what the schema names besides.
        problems: sentences about a file that cannot be read.
        paths: of the entries, by their keys.
    """

    entries: tuple[Entry, ...]
    rules: Mapping[str, Rule]
    only_in_schema: tuple[Listed, ...]
    problems: tuple[str, ...]
    paths: Mapping[tuple[Key, ...], str]

    def nearest(self, keys: tuple[Key, ...]) -> str | None:
        """Return the path of a value, or of the nearest one above it that is in the file; None where none is."""
        while keys:
            path = self.paths.get(keys)
            if path is not None:
                return path
            keys = keys[:-1]
        return None


class ValuesCache:
    """Describes the values of packages, and keeps what was described last. Safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, DescribedValues] = OrderedDict()
        self._lock = Lock()

    def of(self, digest: str, contents: Contents) -> DescribedValues:
        """Return the values of a package.

        Args:
            digest: of the package.
            contents: of it.
        """
        with self._lock:
            kept = self._kept.get(digest)
            if kept is not None:
                self._kept.move_to_end(digest)
                return kept
        found = describe(contents)
        if len(found.entries) + len(found.only_in_schema) <= _LARGEST_KEPT:
            with self._lock:
                self._kept[digest] = found
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return found


def describe(contents: Contents) -> DescribedValues:
    """Return what a package says of its values; what cannot be read is told as a problem."""
    entries: list[Entry] = []
    rules: dict[str, Rule] = {}
    only: list[Listed] = []
    problems = []
    try:
        entries = outline(_data(contents, VALUES))
    except PackageRefused as error:
        problems.append(str(error))
    try:
        if SCHEMA in contents.files:
            schema = Outline(_data(contents, SCHEMA))
            known = {entry.path for entry in entries}
            rules = {entry.path: rule for entry in entries if (rule := schema.at(entry.keys)) is not None}
            only = [each for each in schema.listed() if each.path not in known]
    except PackageRefused as error:
        problems.append(str(error))
    return DescribedValues(
        tuple(entries), rules, tuple(only), tuple(problems), {entry.keys: entry.path for entry in entries}
    )


def _data(contents: Contents, path: str) -> bytes:
    file = contents.files.get(path)
    if file is None:
        return b""
    if file.data is None:
        raise PackageRefused(f"{path} holds {file.size} bytes, which is more than is shown")
    return file.data
