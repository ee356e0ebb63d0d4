"""What a values.schema.json says of single values: type, default, required, description, and what else may be written.

Nothing is checked against it here, and nothing is fetched: references are followed inside the document alone
(`#/definitions/port`), and no further than a bounded number of steps.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from chartrepo.core.errors import PackageRefused
from chartrepo.core.value_paths import Key, path_of

_MOST_STEPS: Final = 200_000
"""Schemas that are looked at for one outline."""
_MOST_REFERENCES: Final = 16
"""That lead one to the next."""
_MOST_ALTERNATIVES: Final = 12
_DEEPEST: Final = 12
_MOST_LISTED: Final = 3_000
_MOST_CHOICES: Final = 40
_LONGEST: Final = 2_000
"""Characters of one text."""
_LONGEST_VALUE: Final = 300
_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf", "then", "else")
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "format": "format {}",
    "const": "always {}",
}


class Rule(NamedTuple):
    """What is said of one value.

    Attributes:
        types: as JSON Schema names them.
        required: whether it must be there.
        title: its name for people.
        description: in words.
        default: as JSON on one line; None where none is said.
        choices: what it can be, each as JSON; empty where that is not said.
        bounds: what else it must be, in words.
        deprecated: whether it is.
    """

    types: tuple[str, ...] = ()
    required: bool = False
    title: str = ""
    description: str = ""
    default: str | None = None
    choices: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    deprecated: bool = False


class Listed(NamedTuple):
    """A value that a schema names."""

    path: str
    keys: tuple[Key, ...]
    rule: Rule


_Schema = Mapping[str, Any]


class Outline:
    """A schema, asked for one value after the other. Used by one thread for one page.

    Args:
        data: the file.

    Raises:
        PackageRefused: it is no schema.
    """

    def __init__(self, data: bytes) -> None:
        try:
            root = json.loads(data)
        except (ValueError, RecursionError):
            raise PackageRefused("values.schema.json is not JSON") from None
        if not isinstance(root, dict):
            raise PackageRefused("values.schema.json holds no schema: an object belongs there")
        self._root: _Schema = root
        self._left = _MOST_STEPS
        self._known: dict[tuple[Key, ...], list[_Schema]] = {(): [root]}

    def at(self, keys: tuple[Key, ...]) -> Rule | None:
        """Return what is said of a value; None for nothing."""
        found = self._schemas(keys)
        if not found:
            return None
        return _rule(list(self._whole(found)), required=self._is_required(keys))

    def listed(self) -> Iterator[Listed]:
        """Give the values that it names, each before those below it, as far as that is bounded."""
        waiting: list[tuple[tuple[Key, ...], str]] = [((), "")]
        left = _MOST_LISTED
        while waiting:
            keys, path = waiting.pop()
            if keys:
                rule = self.at(keys)
                if rule is not None:
                    yield Listed(path, keys, rule)
                left -= 1
                if left <= 0:
                    return
            if len(keys) >= _DEEPEST:
                continue
            names: dict[str, None] = {}
            for schema in self._whole(self._schemas(keys)):
                properties = schema.get("properties")
                if isinstance(properties, dict):
                    names |= dict.fromkeys(properties)
                if len(names) > _MOST_LISTED:
                    break
            below = [(*keys, name) for name in names]
            waiting += [(each, path_of(each)) for each in reversed(below[:_MOST_LISTED])]

    def _is_required(self, keys: tuple[Key, ...]) -> bool:
        above, name = keys[:-1], keys[-1]
        return any(
            isinstance(needed, list) and name in needed
            for schema in self._whole(self._schemas(above), certain=True)
            for needed in (schema.get("required"),)
        )

    def _schemas(self, keys: tuple[Key, ...]) -> list[_Schema]:
        """All schemas that a value must obey, or may."""
        known = self._known.get(keys)
        if known is not None:
            return known
        found: list[_Schema] = [
            below
            for schema in self._whole(self._schemas(keys[:-1]))
            for below in (_below(schema, keys[-1]),)
            if isinstance(below, dict)
        ]
        self._known[keys] = found[:_MOST_ALTERNATIVES]
        return self._known[keys]

    def _whole(self, schemas: Sequence[_Schema], *, certain: bool = False) -> Iterator[_Schema]:
        """Give schemas, and those that they refer to or are made of; with `certain`, only those that always hold."""
        waiting = [(schema, 0) for schema in reversed(schemas)]
        given = 0
        while waiting and given < _MOST_ALTERNATIVES * 2:
            schema, steps = waiting.pop()
            self._left -= 1
            if self._left < 0 or steps > _MOST_REFERENCES:
                continue
            given += 1
            yield schema
            more = [self._referred(schema.get("$ref"))]
            for name in _ALTERNATIVES[:1] if certain else _ALTERNATIVES:
                parts = schema.get(name)
                more += parts[:_MOST_ALTERNATIVES] if isinstance(parts, list) else [parts]
            waiting += [(each, steps + 1) for each in reversed(more) if isinstance(each, dict)]

    def _referred(self, reference: object) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#") or len(reference) > _LONGEST:
            return None
        at: Any = self._root
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(at, list) and name.isascii() and name.isdecimal() and len(name) < len(str(_MOST_STEPS)):
                at = at[int(name)] if int(name) < len(at) else None
            else:
                at = at.get(name) if isinstance(at, dict) else None
        return at


def _below(schema: _Schema, key: Key) -> Any:
    if isinstance(key, int):
        items = schema.get("items")
        if isinstance(items, list):
            return items[key] if key < len(items) else None
        return items
    properties = schema.get("properties")
    if isinstance(properties, dict) and key in properties:
        return properties[key]
    return schema.get("additionalProperties")


def _rule(schemas: Sequence[_Schema], *, required: bool) -> Rule:
    types: dict[str, None] = {}
    for schema in schemas:
        said = schema.get("type")
        types |= dict.fromkeys(_text(each) for each in (said if isinstance(said, list) else [said])[:8] if each)
    choices = next((each for each in (schema.get("enum") for schema in schemas) if isinstance(each, list)), [])
    bounds: dict[str, None] = {}
    for schema in schemas:
        for name, words in _BOUNDS.items():
            if name in schema and not isinstance(schema[name], bool | dict | list):
                bounds[words.format(_value(schema[name]))] = None
    default = next((schema["default"] for schema in schemas if "default" in schema), _NOTHING)
    return Rule(
        tuple(types),
        required,
        _first(schemas, "title"),
        _first(schemas, "description"),
        None if default is _NOTHING else _value(default),
        tuple(_value(each) for each in choices[:_MOST_CHOICES]),
        tuple(bounds),
        any(schema.get("deprecated") is True for schema in schemas),
    )


_NOTHING: Final = object()


def _first(schemas: Sequence[_Schema], name: str) -> str:
    return next((_text(schema[name]) for schema in schemas if isinstance(schema.get(name), str) and schema[name]), "")


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
