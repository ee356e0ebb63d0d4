"""Where the keys of a YAML document stand, and what comments say of them.

A comment belongs to a key if it stands right above it, not deeper than the key; behind it on the same line; or right
below a value of one line, deeper than the key, as `helm create` writes it under `resources: {}`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from chartrepo.core.scalars import MERGE_TAG, InvalidYamlError, Scalar, read_scalar, text_of_key
from chartrepo.core.yaml11 import with_escape_of_go

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What libyaml ends a line at."""
_COMMENT: Final = re.compile(r"[ \t]*#")
_TRAILING: Final = re.compile(r"[ \t]+#")
_AFTER_KEY: Final = re.compile(r"[ \t]*:[ \t]*(?:[&!]\S*[ \t]+)*(?:[|>][-+0-9]{0,2}[ \t]+)?#")
_MOST_ESCAPES: Final = 16
"""That are mended; each costs another reading."""

_Event = Any
"""PyYAML's stubs do not say what an event has."""


@dataclass(slots=True)
class Place:
    """Where a value stands.

    Attributes:
        line: of its key, or of itself in a list, counted from 1.
        comment: the lines of what is said of it, without indentation, each with its `#`.
        keys: what stands below it in a mapping.
        items: what stands below it in a list.
    """

    line: int
    comment: tuple[str, ...] = ()
    keys: "dict[str, Place]" = field(default_factory=dict)
    items: "list[Place]" = field(default_factory=list)


class Places(NamedTuple):
    """What was found in a document.

    Attributes:
        root: the document's own place.
        comments: every line that is a comment and nothing else, in their order.
    """

    root: Place
    comments: tuple[str, ...]


def find_places(data: bytes) -> Places:
    """Return where everything stands in the first document, which `yaml11.load` has read: that one bounds it.

    Of what cannot be told apart (keys that come by `<<`) nothing is said.
    """
    for _ in range(_MOST_ESCAPES):
        try:
            return _Walk(data).places()
        except yaml.YAMLError as error:
            try:
                data = with_escape_of_go(data, error)
            except InvalidYamlError:
                break
    return Places(Place(1), ())


class _Walk:
    """One pass over the events of the first document."""

    def __init__(self, data: bytes) -> None:
        self._next: Callable[[], Any] = yaml.CBaseLoader(data).get_event
        self._lines = _BREAK.split(data.decode("utf-8", "replace"))
        self._anchors: dict[str, tuple[Place, str | None]] = {}
        self._inside: set[int] = set()  # lines of texts that go over several
        self._flow = 0

    def places(self) -> Places:
        self._next()
        event = self._next()
        if type(event) is StreamEndEvent:
            root = Place(1)
        else:
            root = Place(event.end_mark.line + 1)
            self._node(self._next(), root)
        return Places(root, tuple(self._comments()))

    def _comments(self) -> Iterator[str]:
        for number, line in enumerate(self._lines):
            if number not in self._inside and _COMMENT.match(line):
                yield line.strip()

    def _node(self, event: _Event, place: Place, *, is_key: bool = False) -> tuple[str | None, _Event]:
        """Take in a node; return its text, where it can be a key, and the event that ended it."""
        kind = type(event)
        if kind is AliasEvent:
            found, text = self._anchors.get(event.anchor, (place, None))
            place.keys, place.items = found.keys, found.items
            return text, event
        text, end = None, event
        if kind is ScalarEvent:
            self._skip_inside(event)
            if is_key or event.anchor is not None:
                text = _text(event)
        else:
            end = self._collection(event, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = place, text
        return text, end

    def _skip_inside(self, event: _Event) -> None:
        first, end = event.start_mark.line, event.end_mark
        if end.line > first:
            self._inside.update(range(first + 1, end.line + (end.column > 0)))

    def _collection(self, event: _Event, place: Place) -> _Event:
        self._flow += event.flow_style
        end = self._mapping(place) if type(event) is MappingStartEvent else self._list(place)
        self._flow -= event.flow_style
        return end

    def _list(self, place: Place) -> _Event:
        while type(event := self._next()) is not SequenceEndEvent:
            mark = event.start_mark
            item = Place(mark.line + 1)
            above = self._above(mark.line, mark.column, dashes=True)
            last = self._node(event, item)[1]
            item.comment = (*above, *self._behind(None, event, last, mark.column))
            place.items.append(item)
        return event

    def _mapping(self, place: Place) -> _Event:
        while type(event := self._next()) is not MappingEndEvent:
            mark = event.start_mark
            above = self._above(mark.line, mark.column, dashes=False)
            name, end_of_key = self._node(event, Place(0), is_key=True)
            value = self._next()
            below = Place(mark.line + 1)
            last = self._node(value, below)[1]
            if name is None or _merges(event):
                continue
            below.comment = (*above, *self._behind(end_of_key, value, last, mark.column))
            place.keys[name] = below
        return event

    def _above(self, line: int, column: int, *, dashes: bool) -> tuple[str, ...]:
        """The comment right above a key or an item that is the first on its line."""
        if self._flow or self._lines[line][:column].strip(" -?" if dashes else " ?"):
            return ()
        found = []
        for number in range(line - 1, -1, -1):
            text = self._lines[number]
            if number in self._inside or not _COMMENT.match(text) or _indent(text) > column:
                break
            found.append(text.strip())
        return tuple(reversed(found))

    def _behind(self, key: _Event, value: _Event, last: _Event, column: int) -> tuple[str, ...]:
        """The comment behind a value on its line, and below it where it is deeper than the key."""
        if self._flow:
            return ()
        is_block_text = type(value) is ScalarEvent and value.style in {"|", ">"}
        goes_on = type(value) in {MappingStartEvent, SequenceStartEvent} and not value.flow_style
        if is_block_text or goes_on:
            return self._trailing(key.end_mark, _AFTER_KEY) if key is not None else ()
        mark = last.end_mark
        if type(value) is ScalarEvent and not value.value and key is not None and value.style is None:
            return (*self._trailing(key.end_mark, _AFTER_KEY), *self._below(key.end_mark.line, column))
        return (*self._trailing(mark, _TRAILING), *self._below(mark.line, column))

    def _trailing(self, mark: _Event, pattern: re.Pattern[str]) -> tuple[str, ...]:
        if mark.line >= len(self._lines):
            return ()
        text = self._lines[mark.line]
        found = pattern.match(text, mark.column)
        return (text[found.end() - 1 :].strip(),) if found else ()

    def _below(self, line: int, column: int) -> Iterator[str]:
        for number in range(line + 1, len(self._lines)):
            text = self._lines[number]
            if not _COMMENT.match(text) or _indent(text) <= column:
                return
            yield text.strip()


def _text(event: _Event) -> str | None:
    """What a scalar is called as a key."""
    try:
        value = read_scalar(event.value, event.tag, plain=event.implicit[0])
    except InvalidYamlError:
        return None
    return text_of_key(value) if isinstance(value, Scalar) else value


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _merges(key: _Event) -> bool:
    return type(key) is ScalarEvent and key.value == "<<" and (key.implicit[0] or key.tag == MERGE_TAG)
