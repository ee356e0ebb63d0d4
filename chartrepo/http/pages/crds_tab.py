"""The custom resource definitions of a chart: those in its files, and what its annotations say of them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from flask import Response, request

from chartrepo.contents import Contents
from chartrepo.core import annotations
from chartrepo.core.crds import (
    MARK,
    Definition,
    Summary,
    find_definitions,
    is_said_to_hold_definitions,
    is_templated,
    may_hold_definitions,
    read_definition,
)
from chartrepo.core.errors import PackageRefused
from chartrepo.core.yaml11 import Value
from chartrepo.http.pages.chart_frame import ChartFrame, Opened
from chartrepo.http.pages.code import Code, show_code
from chartrepo.http.pages.tab_parts import asked_number, asked_path, asked_text
from chartrepo.recent import Recent

_MOST: Final = 400
_LARGEST_EXAMPLE: Final = 60_000
"""Characters of all texts in an example."""
_MARK: Final = MARK.encode()
_MOST_KEPT: Final = 32
"""Packages whose lists are kept."""


class Listed(NamedTuple):
    """A definition, with what the annotations say of it.

    Attributes:
        summary: what its file says.
        said: what the annotations say; None for nothing.
        examples: how many there are of it.
    """

    summary: Summary
    said: annotations.Crd | None
    examples: int


class Example(NamedTuple):
    """An example of a resource; without code where it is too large."""

    name: str
    kind: str
    code: Code | None


class CrdsTab:
    """The page.

    Args:
        frame: around it.
    """

    def __init__(self, frame: ChartFrame) -> None:
        self._frame = frame
        self._recent = Recent[list[Summary]](_MOST_KEPT)

    def view(self, rest: str) -> Response:
        """GET of the definitions of a chart, or of one of them."""
        opened = self._frame.open(rest)
        contents = opened.contents
        said = annotations.crds(opened.annotations)
        examples = annotations.crd_examples(opened.annotations)
        path = asked_path(contents)
        if path is not None:
            return self._one(opened, path)
        found = self._recent.get(opened.subject.record.digest, lambda: _find(contents))
        listed = [
            Listed(each, _said_of(each, said), sum(example.kind == each.kind for example in examples))
            for each in found[:_MOST]
        ]
        kinds = {each.kind for each in found}
        return self._frame.render(
            opened,
            "crds",
            "tab_crds.html",
            listed=listed,
            left_out=len(found) - len(listed),
            only_said=[each for each in said if each.kind not in kinds],
            examples=[_example(each) for each in examples if each.kind not in kinds],
            too_large=[
                file for file in contents.files.values() if file.data is None and is_said_to_hold_definitions(file.path)
            ],
            one=None,
        )

    def _one(self, opened: Opened, path: str) -> Response:
        text = opened.contents.text(path) or ""
        templated = is_templated(path)
        inside = find_definitions(path, text, templated=templated)
        # Without a number it is the first one: a comment may stand before it, which is a document too.
        place = asked_number("n") - 1 if "n" in request.args or not inside else inside[0].place
        summary = next((each for each in inside if each.place == place), None)
        problem = ""
        one: Definition | None = None
        try:
            one = read_definition(
                text, place, version=asked_text("apiVersion"), at=asked_text("field", 500), templated=templated
            )
        except PackageRefused as error:
            problem = str(error)
        kind = summary.kind if summary is not None else ""
        return self._frame.render(
            opened,
            "crds",
            "tab_crds.html",
            one=one,
            problem=problem,
            path=path,
            place=place + 1,
            summary=summary,
            said=[each for each in annotations.crds(opened.annotations) if each.kind == kind],
            examples=[_example(each) for each in annotations.crd_examples(opened.annotations) if each.kind == kind],
        )


def _said_of(summary: Summary, said: Sequence[annotations.Crd]) -> annotations.Crd | None:
    """What the annotations say of a definition, of this version if they name it."""
    about = [each for each in said if each.kind == summary.kind]
    return next((each for each in about if each.version in summary.versions), about[0] if about else None)


def _find(contents: Contents) -> list[Summary]:
    found: list[Summary] = []
    for path, file in contents.files.items():
        if file.data is None or _MARK not in file.data:
            continue
        templated = is_templated(path)
        if templated or may_hold_definitions(path):
            found += find_definitions(path, contents.text(path) or "", templated=templated)
        if len(found) > _MOST:
            break
    return found


def _example(example: annotations.CrdExample) -> Example:
    small = _weight(example.value, _LARGEST_EXAMPLE) <= _LARGEST_EXAMPLE
    code = show_code("example.yaml", annotations.as_yaml(example.value), numbered=False) if small else None
    return Example(example.name, example.kind, code)


def _weight(value: Value, most: int) -> int:
    """Characters of all texts in a value, or more than `most`: an alias may stand for a long text many times."""
    weight = 0
    waiting = [value]
    while waiting and weight <= most:
        each = waiting.pop()
        if isinstance(each, dict):
            weight += sum(map(len, each))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        else:
            weight += len(each) if isinstance(each, str) else len(each.text)
    return weight
