"""Indexes that others made: what an import has to know of each version in them, or all they say.

Helm reads an index as JSON where it is JSON, else as YAML. So do we, but with more patience: what is not needed is
passed over unread, whatever it is, and a version that is unquoted is taken as it is written. Large ones are walked
through event by event, so that a tree of a hundred thousand versions is never in memory.
"""

import json
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from chartrepo.core.errors import ChartrepoError


class InvalidIndexError(ChartrepoError):
    """A document that is no repository index."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version as an index lists it, in the index's own words.

    Attributes:
        name: of the chart.
        version: as written.
        url: the first one, relative or absolute, which is the only one that Helm looks at; empty where there is none.
        digest: SHA-256 of the package in hex, lower case; empty where there is none.
        created: seconds since the epoch; None where it is missing, or Go's zero time, or none at all.
        not_a_time: what stands where the time should, if it is none; else empty.
    """

    name: str
    version: str
    url: str
    digest: str
    created: int | None
    not_a_time: str = ""


def releases(data: bytes) -> list[Release]:
    """Read all versions out of an index, in its order.

    An entry that is no mapping, or that has no version, is passed over, as Helm does.

    Raises:
        InvalidIndexError: it is neither JSON nor YAML, or it has no `entries`.
    """
    return [release for chart, fields in _entries(data, _WANTED) if (release := _release(chart, fields)) is not None]


def entries(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every entry of an index with all its fields as JSON values, after the name of its chart, in its order.

    Raises:
        InvalidIndexError: as for `releases`.
    """
    for chart, fields in _entries(data, None):
        yield chart, {name: value for name, value in _typed(fields).items() if value is not None}


def seconds(text: object) -> int | None:
    """Return a time in an index as seconds since the epoch; None where it is none, or Go's zero time."""
    found = _timestamp(text)
    return found if found is not None and found > 0 else None


def _timestamp(text: object) -> int | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is None:
            return None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):
        return None


_WANTED: Final = frozenset({"name", "version", "urls", "digest", "created"})


def _release(chart: str, fields: dict[str, Any]) -> Release | None:
    version = _text(fields.get("version"))
    if not version:
        return None
    urls = fields.get("urls")
    created = fields.get("created")
    return Release(
        name=_text(fields.get("name")) or chart,
        version=version,
        url=_text(urls[0]) if isinstance(urls, list) and urls else "",
        digest=_text(fields.get("digest")).lower().removeprefix("sha256:"),
        created=seconds(created),
        not_a_time="" if created in (None, "") or _timestamp(created) is not None else _as_written(created),
    )


def _as_written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    """Make booleans of the texts that stand where Helm has booleans. It has no numbers."""
    dependencies = fields.get("dependencies")
    if isinstance(dependencies, list):
        fields = {**fields, "dependencies": [_typed(each) for each in dependencies if isinstance(each, dict)]}
    booleans = {name: fields[name] == "true" for name in _BOOLEANS if isinstance(fields.get(name), str)}
    return {**fields, **booleans}


_BOOLEANS: Final = ("deprecated", "removed", "enabled")


def _entries(data: bytes, wanted: Set[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise InvalidIndexError("the index is empty")
    if text.startswith(b"{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            pass  # YAML may begin with a brace too
        else:
            yield from _from_json(document)
            return
    try:
        yield from _Walk(data, wanted).entries()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        raise InvalidIndexError(f"the index is not YAML{where}: {problem}") from None
    except UnicodeError:
        raise InvalidIndexError("the index is not UTF-8 text") from None


_NO_ENTRIES: Final = "the index has no entries: this is not the index of a chart repository"
_NOT_LISTS: Final = "the index's entries are not lists of versions by chart"


def _from_json(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(document, dict) or "entries" not in document:
        raise InvalidIndexError(_NO_ENTRIES)
    charts = document["entries"] or {}
    if not isinstance(charts, dict):
        raise InvalidIndexError(_NOT_LISTS)
    for chart, versions in charts.items():
        if versions is not None and not isinstance(versions, list):
            raise InvalidIndexError(_NOT_LISTS)
        yield from ((chart, fields) for fields in versions or () if isinstance(fields, dict))


# ---- YAML

_MOST_DEPTH: Final = 100
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})

_Event: TypeAlias = Any
"""PyYAML's stubs do not say what an event has."""

_Tree: TypeAlias = str | list["_Tree"] | dict[str, "_Tree"] | None


class _Walk:
    """One pass through the events of a document.

    What has an anchor is kept, in case it is needed where an alias stands.
    """

    def __init__(self, data: bytes, wanted: Set[str] | None) -> None:
        """Walk through `data`, for these fields of entries; all of them when None."""
        self._next: Callable[[], _Event] = yaml.CBaseLoader(data).get_event
        self._wanted = wanted
        self._anchors: dict[str, _Tree] = {}

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        self._next()  # the stream's start
        self._next()  # the document's start
        if not isinstance(self._next(), MappingStartEvent):
            raise InvalidIndexError(_NO_ENTRIES)
        found = False
        for key in self._keys():
            if key == "entries":
                found = True
                yield from self._charts()
            else:
                self._pass_over()
        if not found:
            raise InvalidIndexError(_NO_ENTRIES)

    def _charts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        event = self._next()
        if _is_null(event):
            return
        if not isinstance(event, MappingStartEvent):
            raise InvalidIndexError(_NOT_LISTS)
        for chart in self._keys():
            event = self._next()
            if _is_null(event):
                continue
            if not isinstance(event, SequenceStartEvent):
                raise InvalidIndexError(_NOT_LISTS)
            while not isinstance(event := self._next(), SequenceEndEvent):
                fields = self._entry(event)
                if isinstance(fields, dict):
                    yield chart, fields

    def _entry(self, event: _Event) -> "_Tree":
        if self._wanted is None or not isinstance(event, MappingStartEvent) or event.anchor is not None:
            return self._tree(event)
        fields: dict[str, _Tree] = {}
        for key in self._keys():
            if key in self._wanted:
                fields[key] = self._tree(self._next())
            else:
                self._pass_over()
        return fields

    def _keys(self) -> Iterator[str]:
        """Give each key of the mapping that has begun; its value has to be taken before the next one."""
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._tree(event)
            yield key if isinstance(key, str) else ""

    def _pass_over(self) -> None:
        event = self._next()
        depth = 0
        while True:
            if isinstance(event, ScalarEvent | AliasEvent):
                if event.anchor is not None:
                    self._tree(event)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1
            elif event.anchor is not None:
                self._tree(event)
            else:
                depth += 1
            if not depth:
                return
            event = self._next()

    def _tree(self, event: _Event, depth: int = 0) -> _Tree:
        if isinstance(event, AliasEvent):
            return self._anchors.get(event.anchor or "")
        if depth > _MOST_DEPTH:
            raise InvalidIndexError(f"the index is nested deeper than {_MOST_DEPTH} levels")
        tree: _Tree
        if isinstance(event, ScalarEvent):
            tree = None if _is_null(event) else event.value
        elif isinstance(event, SequenceStartEvent):
            tree = []
            while not isinstance(inner := self._next(), SequenceEndEvent):
                tree.append(self._tree(inner, depth + 1))
        else:
            tree = {}
            while not isinstance(inner := self._next(), MappingEndEvent):
                key = self._tree(inner, depth + 1)
                tree[key if isinstance(key, str) else ""] = self._tree(self._next(), depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = tree
        return tree


def _is_null(event: _Event) -> bool:
    return isinstance(event, ScalarEvent) and not event.style and event.value in _NULLS
