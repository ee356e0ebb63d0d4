"""A chart's default values one by one, in the order of the file, with what its comments say of each.

The values are those that Helm reads (`yaml11`, `values`); where they stand and what is said of them is found beside
that, so that an odd comment can never change a value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, NamedTuple

from chartrepo.core.errors import PackageRefused
from chartrepo.core.value_comments import NOTHING, Comment, read_comment, read_params
from chartrepo.core.value_paths import Key, extended
from chartrepo.core.values import load_values
from chartrepo.core.yaml11 import Budget
from chartrepo.core.yaml_places import Place, find_places

LARGEST: Final = 1024 * 1024
"""Bytes of a values.yaml that is taken apart."""
MOST_NODES: Final = 40_000
"""Values and collections of it; an alias counts for all that it stands for."""
DEEPEST: Final = 100
MOST_OF_PATHS: Final = 4 * 1024 * 1024
"""Characters of all paths: a long key may stand before many."""

_KINDS: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    NoneType: "null",
    list: "array",
}


class Leaf(NamedTuple):
    """A default value.

    Attributes:
        value: as JSON has it: a text, number, boolean or null; a list of these; an empty list or mapping.
        comment: what the chart says of it, as text; empty for nothing.
        line: on which its key stands, from 1; for what an alias brings, where that alias stands.
    """

    value: Any
    comment: str
    line: int


class Entry(NamedTuple):
    """A key of a values.yaml, or an item of a list that holds more than plain values.

    Attributes:
        path: as `value_paths.path_of` has it.
        keys: the same in parts.
        value: as in `Leaf`; None where `opens`.
        kind: of the value, in the words of JSON Schema: `string`, `integer`, `object`...
        opens: whether entries below it follow, which are its value together.
        comment: what the chart says of it.
        line: as in `Leaf`.
    """

    path: str
    keys: tuple[Key, ...]
    value: Any
    kind: str
    opens: bool
    comment: Comment
    line: int


def flatten(values_yaml: bytes) -> Mapping[str, Leaf]:
    """Return all default values by their paths, in the order of the file.

    A path is what `helm --set` takes (`image.tag`, `servers[0].name`). A list of plain values is one value; a list that
    holds anything else goes on below its items. Each value that Helm reads is in exactly one leaf, and no two have one
    path.

    Raises:
        PackageRefused: Helm does not read it, or it is larger than what is shown: `LARGEST`, `MOST_NODES`, `DEEPEST`.
    """
    return {
        each.path: Leaf(each.value, each.comment.text, each.line) for each in outline(values_yaml) if not each.opens
    }


def outline(values_yaml: bytes) -> list[Entry]:
    """Return all keys in the order of the file, each before those below it; raises as `flatten`."""
    if len(values_yaml) > LARGEST:
        raise PackageRefused(f"values.yaml holds {len(values_yaml)} bytes, of which at most {LARGEST} are taken apart")
    budget = Budget(nodes=MOST_NODES, depth=DEEPEST)
    try:
        values = load_values(values_yaml, budget)
    except PackageRefused:
        if budget.nodes > 0:
            raise
        raise PackageRefused(
            "values.yaml holds more values than are shown one by one: look at the file itself"
        ) from None
    places = find_places(values_yaml)
    outliner = _Outliner(read_params(places.comments))
    outliner.mapping(values, _At("", (), "", places.root))
    return outliner.entries


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in the words of JSON Schema."""
    return _KINDS.get(type(value), "object")


def as_text(value: Any) -> str:
    """Return a value on one line, as JSON, which YAML is too."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class _At:
    """Where the outliner is: the path in its forms (`plain` is without escapes), and the place in the file."""

    path: str
    keys: tuple[Key, ...]
    plain: str
    place: Place

    def below(self, key: Key, place: Place | None) -> "_At":
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        plain = f"{self.plain}{step}" if self.plain else step.removeprefix(".")
        return _At(extended(self.path, key), (*self.keys, key), plain, place or Place(self.place.line))


class _Outliner:
    def __init__(self, params: Mapping[str, Comment]) -> None:
        self.entries: list[Entry] = []
        self._params = params
        self._left = MOST_OF_PATHS

    def mapping(self, values: Mapping[str, Any], at: _At) -> None:
        for key, value in values.items():
            self._take(value, at.below(key, at.place.keys.get(key)))

    def _take(self, value: Any, at: _At) -> None:
        self._left -= len(at.path)
        if self._left < 0:
            raise PackageRefused("values.yaml has keys that are too long to be listed: look at the file itself")
        opens = _opens(value)
        comment = self._params.get(at.plain) or self._comment(at)
        self.entries.append(
            Entry(at.path, at.keys, None if opens else value, kind_of(value), opens, comment, at.place.line)
        )
        if not opens:
            return
        if isinstance(value, dict):
            self.mapping(value, at)
            return
        items = at.place.items
        for number, item in enumerate(value):
            self._take(item, at.below(number, items[number] if number < len(items) else None))

    @staticmethod
    def _comment(at: _At) -> Comment:
        return read_comment(at.place.comment) if at.place.comment else NOTHING


def _opens(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, list) or (isinstance(item, dict) and item) for item in value)
    return isinstance(value, dict) and bool(value)
