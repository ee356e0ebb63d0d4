"""YAML as Helm reads it.

Helm reads YAML 1.1 with go-yaml v2, turns the tree into JSON and decodes that into typed fields (sigs.k8s.io/yaml). The
syntax is libyaml's, which PyYAML binds too, so the events come from there. What a scalar means, which keys a mapping may
have, how `<<` merges and when aliases are too many is go-yaml's, and is written here: PyYAML's constructors disagree.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
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

from chartrepo.core.messages import shown


class InvalidYamlError(ValueError):
    """A text that Helm does not read, or that is larger than allowed. The message names the line where it is known."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar that is not a string.

    Attributes:
        value: what go-yaml makes of it.
        text: what was written.
    """

    value: bool | int | float | None
    text: str


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
    return _Walk(data, budget, keep=True).document()


def check_values(data: bytes, budget: Budget) -> None:
    """Make sure that Helm reads a values.yaml: mappings or nothing. Builds no tree.

    Helm 3 reads the first document, Helm 4 (since 4.0) merges all, which it parts at lines that begin with `---` before
    it parses them; both must be content.

    Raises:
        InvalidYamlError: one of them is not, or the budget is used up.
    """
    _check_mapping(data, budget)
    if data.startswith(_SEPARATOR) or b"\n" + _SEPARATOR in data:
        for document in _parted(data):
            _check_mapping(document, budget)


_SEPARATOR: Final = b"---"


def _parted(data: bytes) -> Iterator[bytes]:
    """The documents of a stream as Kubernetes' `YAMLReader` parts them."""
    begin = at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        if data.startswith(_SEPARATOR, at):
            after = data[at + len(_SEPARATOR) : end].strip()
            if after and not after.startswith(b"#"):
                line = data.count(b"\n", 0, at) + 1
                raise InvalidYamlError(f"line {line}: only a comment may follow '---': move the rest to the next line")
            if at > begin:
                yield data[begin:at]
                begin = end
        at = end
    yield data[begin:]


def _check_mapping(data: bytes, budget: Budget) -> None:
    root = _Walk(data, budget, keep=False).document()
    if not (isinstance(root, dict) or (isinstance(root, Scalar) and root.value is None)):
        raise InvalidYamlError(f"holds {describe(root)} where keys with values belong")


def text_of(scalar: Scalar) -> str:
    """The text that Helm puts into a string field where this scalar was written; null is the empty one.

    Floats go through 32 bits: 1.10 is "1.1", 1234567.8 is "1.2345678e+06".
    """
    value = scalar.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _shortest(value)


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


_TAG: Final = "tag:yaml.org,2002:"
_STR, _BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP, _BINARY, _MERGE = (
    _TAG + name for name in ("str", "bool", "int", "float", "null", "timestamp", "binary", "merge")
)
_RESOLVED_TAGS: Final = frozenset((_BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP))

# go-yaml looks at the first character before anything else.
_MAY_BE_NO_STRING: Final = frozenset("yYnNtTfFoO~+-.0123456789")
_WORDS: Final[Mapping[str, tuple[str, bool | float | None]]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), (_BOOL, True)),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), (_BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (_FLOAT, math.nan)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (_FLOAT, math.inf)),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (_FLOAT, -math.inf)),
}
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_SIGNED_BINARY: Final = re.compile(r"0b([-+][01]+)")
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FIRST: Final = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?")
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt](?:2[0-3]|[01]?[0-9])(?::[0-5]?[0-9]){2}(?:[.,][0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})"
    r"| (?:2[0-3]|[01]?[0-9])(?::[0-5]?[0-9]){2}(?:[.,][0-9]+)?)?"
)
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)


def _resolve(text: str, tag: str) -> tuple[str, bool | int | float | None | str]:
    """The tag and value go-yaml's `resolve` gives a plain scalar; a string is returned as it is.

    `tag` matters in one place only: what is not tagged as a time is a string, if it looks like one.
    """
    if text and text[0] not in _MAY_BE_NO_STRING:
        return _STR, text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text, _POINT_FIRST)
    if text[0] not in "+-0123456789":
        return _STR, text
    if tag == _TIMESTAMP and _is_time(text):
        return _TIMESTAMP, text
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return _INT, integer
    kind, value = _float(plain, _DECIMAL)
    if kind == _FLOAT:
        return kind, value
    odd = _SIGNED_BINARY.fullmatch(plain)
    if odd and int(odd[1], 2) in _INT64:
        return _INT, int(odd[1], 2)
    return _STR, text


def _integer(plain: str) -> int | None:
    found = _INTEGER.fullmatch(plain)
    if not found:
        return None
    digits, base = next((found[name], base) for name, base in _BASES if found[name] is not None)
    if len(digits) > _LONGEST_INTEGER and len(digits.lstrip("0")) > _LONGEST_INTEGER:
        return None
    value = int(digits, base)
    if found["sign"] == "-":
        value = -value
    return value if value in _INT64 or (value in _UINT64 and not found["sign"]) else None


_BASES: Final = (("dec", 10), ("hex", 16), ("oct", 8), ("bin", 2))
_LONGEST_INTEGER: Final = 64
"""More digits than that do not fit into 64 bits in any base; Python refuses very long ones with an error of its own."""


def _float(plain: str, pattern: re.Pattern[str]) -> tuple[str, float | str]:
    if pattern.fullmatch(plain):
        value = float(plain)
        if not math.isinf(value):
            return _FLOAT, value
    return _STR, plain


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if not found:
        return False
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    return True


def _shortest(value: float) -> str:
    """Go's ``FormatFloat(value, 'g', -1, 32)``: the fewest digits that name the same 32-bit float."""
    if math.isnan(value):
        return "NaN"
    try:
        narrow = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        narrow = math.copysign(math.inf, value)
    if math.isinf(narrow):
        return "+Inf" if narrow > 0 else "-Inf"
    scientific = next(
        text for text in (f"{narrow:.{digits}e}" for digits in range(9)) if _narrowed(float(text)) == narrow
    )
    mantissa, _, exponent = scientific.partition("e")
    power = int(exponent)
    if power < -4 or power >= _SHORTEST_EXPONENT:
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    digits = len(mantissa.lstrip("-").replace(".", ""))
    return f"{narrow:.{max(0, digits - 1 - power)}f}"


_SHORTEST_EXPONENT: Final = 6


def _narrowed(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


@dataclass(slots=True)
class _Anchor:
    """What an alias stands for, and how many nodes go-yaml decodes for it; `nodes` is None until the node has ended."""

    value: Value
    nodes: int | None = None


_Event = Any
"""PyYAML's stubs do not say what an event has."""


class _Walk:
    """One pass over the events of the first document."""

    def __init__(self, data: bytes, budget: Budget, *, keep: bool) -> None:
        self._next: Callable[[], Any] = yaml.CBaseLoader(data).get_event
        self._budget = budget
        self._keep = keep
        self._anchors: dict[str, _Anchor] = {}
        self._depth = 0
        # go-yaml's own counts: every node it decodes, and those of them that it decodes for an alias.
        self._decoded = 1
        self._aliased = 0
        # What of `_decoded` costs nothing here: aliases, unless a tree is built that holds them.
        self._free = 0

    def document(self) -> Value:
        try:
            return self._document()
        except yaml.YAMLError as error:
            raise InvalidYamlError(_fault(error)) from None
        except UnicodeError:
            raise InvalidYamlError("is not UTF-8 text") from None
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
            if not self._keep and type(scalar) is Scalar:
                refuse_odd_numbers(scalar)
            return scalar
        if kind is AliasEvent:
            return self._alias(event)
        return self._collection(event)

    def _scalar(self, event: _Event) -> str | Scalar:
        self._decoded += 1
        value = _read_scalar(event)
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
                if event.value == "<<" and (event.implicit[0] or event.tag == _MERGE):
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


def _read_scalar(event: _Event) -> str | Scalar:
    text: str = event.value
    tag: str | None = event.tag
    if tag is None:
        if not event.implicit[0] or (text and text[0] not in _MAY_BE_NO_STRING):
            return text
        kind, value = _resolve(text, "")
    elif tag == _BINARY:
        return _binary(event)
    elif tag not in _RESOLVED_TAGS:
        return text
    else:
        kind, value = _resolve(text, tag)
        if tag == _FLOAT and kind == _INT and value in _INT64:
            kind, value = _FLOAT, float(value)
        if kind != tag:
            raise InvalidYamlError(f"{_line(event)}{shown(text)} is not of the type !!{tag.removeprefix(_TAG)}")
    return text if isinstance(value, str) else Scalar(value, text)


def _binary(event: _Event) -> str:
    try:
        data = base64.b64decode(event.value.translate(_LINE_ENDS), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidYamlError(f"{_line(event)}{shown(event.value)} is not base64, as !!binary asks for") from None
    return data.decode("utf-8", "replace")


_LINE_ENDS: Final = {ord("\r"): None, ord("\n"): None}


def _key_text(key: Value, event: _Event) -> str:
    """The JSON name of a key that is no string."""
    if isinstance(key, Scalar):
        if isinstance(key.value, float) and (math.isnan(key.value) or math.isinf(key.value)):
            return {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}[text_of(key)]
        if key.value is not None and (not isinstance(key.value, int) or key.value in _INT64):
            return text_of(key)
    raise InvalidYamlError(f"{_line(event)}{describe(key)} cannot be a key: write a text")


def refuse_odd_numbers(value: Value) -> None:
    """Refuse infinities and NaN anywhere in `value`: JSON has none, so that Helm fails on them.

    Raises:
        InvalidYamlError: there is one.
    """
    if isinstance(value, dict):
        for item in value.values():
            refuse_odd_numbers(item)
    elif isinstance(value, list):
        for item in value:
            refuse_odd_numbers(item)
    elif isinstance(value, Scalar) and isinstance(value.value, float) and not math.isfinite(value.value):
        raise InvalidYamlError(f"holds {value.text}, which is no number in JSON: quote it")


def _line(event: _Event) -> str:
    return f"line {event.start_mark.line + 1}: "


def _fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "is not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else f"is not YAML: {problem}"
