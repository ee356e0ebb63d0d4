"""JSON Schemas that policies name, applied to what Helm reads in a Chart.yaml. Nothing is ever fetched for one."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from chartrepo.core.errors import PoliciesInvalid

_MOST: Final = 20
"""Problems of one chart that are told."""
_LONGEST: Final = 200
"""Of what is said of one, in characters: it may quote a good part of the chart."""


class ChartSchema:
    """A JSON Schema that can be applied.

    Args:
        validator: of the schema.
        name: of the file, for messages.
    """

    def __init__(self, validator: Validator, name: str) -> None:
        self._validator = validator
        self._name = name

    def problems(self, metadata: Mapping[str, Any]) -> Iterator[str]:
        """Give what a chart's metadata breaks of it, a sentence each, which begins with the field."""
        try:
            found = sorted(islice(self._validator.iter_errors(metadata), _MOST + 1), key=lambda error: error.json_path)
        except (RecursionError, Unresolvable):
            yield f"{self._name} leads in a circle here, so that nobody can tell what it allows: mend the schema"
            return
        for error in found[:_MOST]:
            yield f"{_place(error)}: {_said(error.message)} ({self._name})"
        if len(found) > _MOST:
            yield f"more than {_MOST} fields break {self._name}: these are the first"


def parse_schema(data: bytes, name: str) -> ChartSchema:
    """Read a JSON Schema; it is one of draft 2020-12, unless it says otherwise.

    Args:
        data: the bytes of the file.
        name: of the file, for messages.

    Raises:
        PoliciesInvalid: it is none, or it refers to something that is not in it.
    """
    try:
        schema = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PoliciesInvalid(f"{name} is not JSON: {_said(str(error))}") from None
    if not isinstance(schema, dict):
        raise PoliciesInvalid(f'{name} is no JSON object: write a schema, as {{"required": ["icon"]}}')
    validator = validator_for(schema, default=Draft202012Validator)
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        raise PoliciesInvalid(f"{name} is no JSON Schema: {_place(error)}: {_said(error.message)}") from None
    _check_references(schema, name)
    made = validator(schema, registry=Registry())
    try:
        list(made.iter_errors({}))
    except (RecursionError, Unresolvable):
        raise PoliciesInvalid(f"{name} refers to itself in a circle: mend it") from None
    return ChartSchema(made, name)


def _check_references(schema: Mapping[str, Any], name: str) -> None:
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = Registry().with_resource("", resource).resolver()
    problems = []
    for reference in sorted(set(_references(schema))):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            problems.append(
                f"{name} refers to {_said(reference)}, which is not in it: nothing is fetched, so write it below $defs"
            )
    if problems:
        raise PoliciesInvalid(*problems)


def _references(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from (each[key] for key in ("$ref", "$dynamicRef", "$recursiveRef") if isinstance(each.get(key), str))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _place(error: ValidationError | SchemaError) -> str:
    """The field that is wrong, as `maintainers[0].email`."""
    return error.json_path.removeprefix("$").removeprefix(".") or "the whole of it"


def _said(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
