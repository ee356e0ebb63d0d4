"""YAML as Helm reads it.

Helm reads YAML 1.1 with go-yaml v2, turns the tree into JSON and decodes that into typed fields (sigs.k8s.io/yaml). Its
syntax is libyaml's, which PyYAML binds too, so the events come from there. Which keys a mapping may have, how `<<`
merges and when aliases are too many is go-yaml's, and is written here: PyYAML's constructors disagree.

Known to differ, and met only in YAML that means nothing: brackets and commas in tags, `{a:}`, a mapping without entries
as a key, and byte order marks inside a text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

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
from yaml.scanner import ScannerError

from chartrepo.core.messages import shown
from chartrepo.core.scalars import MERGE_TAG, InvalidYamlError, Scalar, is_json, read_scalar, text_of_key

Value = str | Scalar | list["Value"] | dict[str, "Value"]
"""A document as a tree. Keys are texts, as in JSON; aliases share the value they stand for."""


class Budget:
    """How many nodes may still be read; shared by all documents of one package.

    Attributes:
        nodes: that are left.
        depth: of collections in each other, for each document.
    """

    __slots__ = ("depth", "nodes")

    def __init__(self, nodes: int, depth: int) -> None:
        self.nodes = nodes
        self.depth = depth


def load(data: bytes, budget: Budget) -> Value:
    """Read the first document of `data`; nothing in it at all reads as null.

    What aliases stand for counts as often as they stand for it, for a reader of the tree meets it that often.

    Raises:
        InvalidYamlError: Helm refuses it, or the budget is used up.
    """
    return _walk(data, budget, keep=True)


def check_values(data: bytes, budget: Budget) -> None:
    """Make sure that Helm reads a values.yaml: mappings or nothing. Builds no tree.

    Helm 3 reads the first document, Helm 4 (since 4.0) merges all, which it parts at lines that begin with `---` before
    it parses them; both must be content.

    Raises:
        InvalidYamlError: one of them is not, or the budget is used up.
    """
    if len(data) > _SMALL:
        _check_all(data, budget)
        return
    budget.nodes -= _cost_of_small(data, budget.nodes, budget.depth)


def _check_all(data: bytes, budget: Budget) -> None:
    _check_mapping(data, budget)
    if data.startswith(_SEPARATOR) or b"\n" + _SEPARATOR in data:
        for document in _parted(data):
            _check_mapping(document, budget)


@lru_cache(maxsize=64)
def _cost_of_small(data: bytes, nodes: int, depth: int) -> int:
    """Check a small values.yaml on a budget; return its cost in nodes.

    Versions of a chart mostly share theirs, and are read one after the other where many are read: it is remembered.
    """
    budget = Budget(nodes, depth)
    _check_all(data, budget)
    return nodes - budget.nodes


_SMALL: Final = 32 * 1024
"""Bytes; larger ones are not remembered."""
_SEPARATOR: Final = b"---"


def _parted(data: bytes) -> Iterator[bytes]:
    """The documents of a stream as Kubernetes' `YAMLReader` parts them."""
    begin = 0
    for mark in _SEPARATOR_LINE.finditer(data):
        rest = mark[1].strip()
        if rest and not rest.startswith(b"#"):
            line = data.count(b"\n", 0, mark.start()) + 1
            raise InvalidYamlError(f"line {line}: only a comment may follow '---': move the rest to the next line")
        if mark.start() > begin:
            yield data[begin : mark.start()]
            begin = mark.end() + 1
    yield data[begin:]


_SEPARATOR_LINE: Final = re.compile(rb"^---(.*)", re.MULTILINE)


def _check_mapping(data: bytes, budget: Budget) -> None:
    root = _walk(data, budget, keep=False)
    if not (isinstance(root, dict) or (isinstance(root, Scalar) and root.value is None)):
        raise InvalidYamlError(f"holds {describe(root)} where keys with values belong")


def describe(value: Value) -> str:
    """What kind of value this is, for messages."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if value.value is None:
        return "nothing"
    return f"the {'boolean' if isinstance(value.value, bool) else 'number'} {shown(value.text)}"


@dataclass(slots=True)
class _Anchor:
    """What an alias stands for, and how many nodes go-yaml decodes for it; `nodes` is None until the node has ended."""

    value: Value
    nodes: int | None = None


_DOCUMENT_COST: Final = 10
"""In nodes: what it takes to begin a document, however little it holds."""

_BYTES_READ_AGAIN: Final = 16
"""A node's worth of bytes, where a document is read once more."""

_Event = Any
"""PyYAML's stubs do not say what an event has."""


def _walk(data: bytes, budget: Budget, *, keep: bool) -> Value:
    while True:
        try:
            return _Walk(data, budget, keep=keep).document()
        except yaml.YAMLError as error:
            fault = error
        except UnicodeError:
            raise InvalidYamlError("is not UTF-8 text") from None
        data = with_escape_of_go(data, fault)
        budget.nodes -= len(data) // _BYTES_READ_AGAIN


class _Walk:
    """One pass over the events of the first document."""

    def __init__(self, data: bytes, budget: Budget, *, keep: bool) -> None:
        self._next: Callable[[], Any] = yaml.CBaseLoader(data).get_event
        self._budget = budget
        self._keep = keep
        self._anchors: dict[str, _Anchor] = {}
        self._depth = 0
        self._flow = 0  # of those, how many are written with brackets or braces
        # go-yaml's own counts: every node it decodes, and those of them that it decodes for an alias.
        self._decoded = 1
        self._aliased = 0
        # What of `_decoded` costs nothing here: aliases, unless a tree is built that holds them.
        self._free = 0

    def document(self) -> Value:
        self._budget.nodes -= _DOCUMENT_COST
        self._charge()
        try:
            return self._document()
        finally:
            self._budget.nodes -= self._decoded - self._free

    def _document(self) -> Value:
        self._next()  # the start of the stream
        event = self._next()
        if type(event) is StreamEndEvent:
            return Scalar(None, "")
        if event.version not in (None, (1, 1)):
            raise InvalidYamlError(f"asks for YAML {'.'.join(map(str, event.version))}; Helm reads 1.1 only")
        root = self._node(self._next())
        self._next()  # reads on to the end of the document, and says what is wrong there
        return root

    def _node(self, event: _Event) -> Value:
        kind = type(event)
        if kind is ScalarEvent:
            scalar = self._scalar(event)
            if not self._keep and type(scalar) is Scalar and not is_json(scalar):
                raise InvalidYamlError(_line(event) + _no_json(scalar))
            return scalar
        if kind is AliasEvent:
            return self._alias(event)
        return self._collection(event)

    def _scalar(self, event: _Event) -> str | Scalar:
        self._decoded += 1
        text, plain = event.value, event.implicit[0]
        if self._flow and plain and "?" in text[1:]:
            raise InvalidYamlError(
                f"{_line(event)}{shown(text)} has a '?' between brackets or braces: put it in quotes"
            )
        try:
            value = read_scalar(text, event.tag, plain=plain)
        except InvalidYamlError as error:
            raise InvalidYamlError(_line(event) + str(error)) from None
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, 1)
        return value

    def _alias(self, event: _Event) -> Value:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise InvalidYamlError(
                f"{_line(event)}alias {shown(event.anchor)} stands for nothing: no anchor has that name"
            )
        if anchor.nodes is None:
            raise InvalidYamlError(f"{_line(event)}anchor {shown(event.anchor)} contains itself")
        self._decoded += 1 + anchor.nodes
        self._aliased += anchor.nodes
        if not self._keep:
            self._free = self._aliased
        if (
            self._aliased > _FEW_ALIASES
            and self._decoded > _FEW_NODES
            and self._aliased / self._decoded > _allowed_ratio(self._decoded)
        ):
            raise InvalidYamlError("repeats itself through too many aliases")
        self._charge()
        return anchor.value

    def _collection(self, event: _Event) -> Value:
        self._depth += 1
        if self._depth > self._budget.depth:
            raise InvalidYamlError(f"{_line(event)}is nested deeper than {self._budget.depth} levels")
        self._flow += event.flow_style
        before = self._decoded
        self._decoded += 1
        value: dict[str, Value] | list[Value] = {} if type(event) is MappingStartEvent else []
        anchor = None
        if event.anchor is not None:
            anchor = self._anchors[event.anchor] = _Anchor(value)
        if isinstance(value, dict):
            self._fill_mapping(value)
        else:
            self._fill_list(value)
        if anchor:
            anchor.nodes = self._decoded - before
        self._depth -= 1
        self._flow -= event.flow_style
        return value

    def _fill_list(self, items: list[Value]) -> None:
        while type(event := self._next()) is not SequenceEndEvent:
            item = self._node(event)
            if self._keep:
                items.append(item)
            self._charge()

    def _fill_mapping(self, entries: dict[str, Value]) -> None:
        while type(event := self._next()) is not MappingEndEvent:
            if type(event) is ScalarEvent:
                if event.value == "<<" and (event.implicit[0] or event.tag == MERGE_TAG):
                    self._scalar(event)
                    self._decoded -= 1
                    self._merge(self._next(), entries)
                    continue
                key: Value = self._scalar(event)
            else:
                key = self._node(event)
            name = key if type(key) is str else _key_text(key, event)
            value = self._node(self._next())
            if self._keep:
                entries[name] = value
            self._charge()

    def _merge(self, event: _Event, entries: dict[str, Value]) -> None:
        """Put a mapping, or those of a list, in among the entries read so far; go-yaml lets it win over them."""
        if type(event) is not SequenceStartEvent:
            entries.update(self._merged(event))
            return
        mappings = []
        while type(item := self._next()) is not SequenceEndEvent:
            mappings.append(self._merged(item))
            self._charge()
        for mapping in reversed(mappings):
            entries.update(mapping)

    def _merged(self, event: _Event) -> dict[str, Value]:
        value = self._node(event)
        if not isinstance(value, dict):
            raise InvalidYamlError(
                f"{_line(event)}merges {describe(value)} with '<<' where only a mapping can be merged"
            )
        return value

    def _charge(self) -> None:
        if self._decoded - self._free > self._budget.nodes:
            raise InvalidYamlError("holds more values than a package may have")


# go-yaml's limits for aliases: few are always allowed, then 99 % of the nodes may come from them, and less the larger
# the document is.
_FEW_ALIASES: Final = 100
_FEW_NODES: Final = 1000
_SMALL_DOCUMENT: Final = 400_000
_LARGE_DOCUMENT: Final = 4_000_000


def _allowed_ratio(decoded: int) -> float:
    share = (decoded - _SMALL_DOCUMENT) / (_LARGE_DOCUMENT - _SMALL_DOCUMENT)
    return 0.99 - 0.89 * min(1.0, max(0.0, share))


def _key_text(key: Value, event: _Event) -> str:
    """The JSON name of a key that is no text."""
    text = text_of_key(key) if isinstance(key, Scalar) else None
    if text is None:
        raise InvalidYamlError(f"{_line(event)}{describe(key)} cannot be a key: write a text")
    return text


def check_json(value: Value) -> None:
    """Make sure that JSON has all that is in `value`, infinities and NaN being what it lacks.

    Raises:
        InvalidYamlError: it does not, so that Helm refuses the document.
    """
    if isinstance(value, dict):
        for item in value.values():
            check_json(item)
    elif isinstance(value, list):
        for item in value:
            check_json(item)
    elif isinstance(value, Scalar) and not is_json(value):
        raise InvalidYamlError(_no_json(value))


def _no_json(scalar: Scalar) -> str:
    return f"holds {shown(scalar.text)}, a number that JSON does not have: put it in quotes"


def _line(event: _Event) -> str:
    return f"line {event.start_mark.line + 1}: "


def with_escape_of_go(data: bytes, error: yaml.YAMLError) -> bytes:
    """`data` with the escape that is the fault written otherwise: go-yaml reads an apostrophe for a backslash and one.

    Raises:
        InvalidYamlError: the fault is something else.
    """
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark and isinstance(error, ScannerError) and error.problem == "found unknown escape character":
        text = data.decode("utf-8", "surrogateescape")
        if text.startswith("\\'", mark.index):
            return (text[: mark.index] + text[mark.index + 1 :]).encode("utf-8", "surrogateescape")
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
    raise InvalidYamlError(f"line {mark.line + 1}: {problem}" if mark else f"is not YAML: {problem}")
