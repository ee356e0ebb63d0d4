"""How Go decodes JSON into the fields of a struct, which is how Helm reads Chart.yaml.

Names of fields are matched without regard to case, unknown ones are ignored, and what is decoded twice mixes: lists by
item, mappings by key. What does not fit is complained of, and the rest is read all the same.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from chartrepo.core.messages import shown, shown_path
from chartrepo.core.scalars import InvalidYamlError, Scalar, text_of
from chartrepo.core.yaml11 import Value, check_json, describe


class Complaints:
    """What did not fit into the fields, as messages, and the names of those fields."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.messages: list[str] = []
        self.fields: set[str] = set()

    def add(self, field: str, what: str) -> None:
        """Note what is wrong with a field: `version`, `dependencies[1].alias`; the empty one is the whole file."""
        self.messages.append(f"{self.file}: {field} {what}" if field else f"{self.file} {what}")
        self.fields.add(re.split(r"[.\[ ]", field, maxsplit=1)[0])


# How Go decodes JSON into a field: the value, what the field holds already, the field for messages, and where to
# complain. Each returns what the field holds then. Null changes nothing in a plain field and empties the others.
Decoder = Callable[[Value, Any, str, Complaints], Any]


def _is_null(value: Value) -> bool:
    return isinstance(value, Scalar) and value.value is None


def text(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
    """Decode into a field of text, which takes any scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, Scalar):
        return held if value.value is None else text_of(value)
    complaints.add(field, f"holds {describe(value)} where a text belongs: write one text, in quotes")
    return held


def boolean(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
    """Decode into a field that is true or false, and takes no text for it."""
    if isinstance(value, Scalar) and (value.value is None or isinstance(value.value, bool)):
        return held if value.value is None else value.value
    complaints.add(field, f"holds {describe(value)}: write true or false, without quotes")
    return held


def moment(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
    """Decode into a field that holds a time in RFC 3339."""
    if _is_null(value):
        return held
    try:
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass  # a day or hour that no calendar has
    complaints.add(field, f"holds {describe(value)} where a time belongs: run `helm dependency update`")
    return held


_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)", re.ASCII)


def texts_by_key(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
    """Decode into a field that holds texts by key, keeping those that are held."""
    if _is_null(value):
        return {}
    if not isinstance(value, dict):
        complaints.add(field, f"holds {describe(value)} where keys with texts belong: write lines as 'key: \"text\"'")
        return held
    return {**(held or {}), **{key: text(one, "", f"{field} {shown(key)}", complaints) for key, one in value.items()}}


def list_of(item: Decoder, zero: Any) -> Decoder:
    """A decoder of lists whose items `item` decodes, beginning with `zero`."""

    def decode_list(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
        if _is_null(value):
            return []
        if not isinstance(value, list):
            complaints.add(field, f"holds {describe(value)} where a list belongs: begin each item with '- '")
            return held
        # Go decodes into the elements that the slice has already, so that a second list mixes with the first.
        olds = [*(held or ()), *[zero] * len(value)]
        return [
            item(one, old, f"{field}[{n}]", complaints) for n, (one, old) in enumerate(zip(value, olds, strict=False))
        ]

    return decode_list


def nullable(table: "Table") -> Decoder:
    """A decoder of structs that may be null, as items of lists may."""

    def decode_pointer(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
        return None if _is_null(value) else decode(table, value, held or {}, field, complaints)

    return decode_pointer


def decode(table: "Table", value: Value, held: dict[str, Any], field: str, complaints: Complaints) -> dict[str, Any]:
    """Decode a mapping over the fields that are `held`."""
    if _is_null(value):
        return held
    if not isinstance(value, dict):
        complaints.add(field, f"holds {describe(value)} where lines as 'name: value' belong")
        return held
    fields = dict(held)
    for key in sorted(value):  # Go's JSON has the keys in this order, which matters where two differ by case only
        name = key if key in table else table.folded.get(key.casefold())
        path = f"{field}.{name or shown_path(key)}" if field else name or shown_path(key)
        if name is None:
            _check(value[key], path, complaints)
            continue
        got = table[name](value[key], fields.get(name), path, complaints)
        if got is not None:
            fields[name] = got
    return fields


def anything(value: Value, held: Any, field: str, complaints: Complaints) -> Any:
    """Decode into a field that takes whatever JSON can hold."""
    return _json(value) if _check(value, field, complaints) else held


def _check(value: Value, field: str, complaints: Complaints) -> bool:
    try:
        check_json(value)
    except InvalidYamlError as error:
        complaints.add(field, str(error))
        return False
    return True


def _json(value: Value) -> Any:
    """A value of no particular kind as Go's JSON leaves it: numbers are 64-bit floats, keys are sorted."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _json(value[key]) for key in sorted(value)}
    number = value.value
    if isinstance(number, bool) or number is None:
        return number
    number = float(number)
    return int(number) if number.is_integer() and abs(number) < _LARGEST_PLAIN_INTEGER else number


_LARGEST_PLAIN_INTEGER: Final = 1e21
"""Go writes larger ones with an exponent."""


class Table(dict[str, Decoder]):
    """The fields of a Go struct, in its order; `folded` finds their names by their names without case."""

    def __init__(self, fields: Mapping[str, Decoder]) -> None:
        super().__init__(fields)
        self.folded = {name.casefold(): name for name in fields}
