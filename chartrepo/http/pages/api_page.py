"""The page that tells what the API takes and answers: the document of `chartrepo.http.openapi`, written out."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from flask import Flask, Response, render_template, request
from markupsafe import Markup

from chartrepo.http.auth import VISITOR, Authorizer
from chartrepo.http.openapi import METHODS, OF_ROOT, document, resolve
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site

ENDPOINT: Final = "api_page"
_DEEPEST: Final = 6
"""Levels of a value that are told."""
_BODIES: Final = 8
"""That a process keeps, of each about 100 KB: a server has one address, and a few more for those who are inside."""
_PARAMETER: Final = re.compile(r"{(\w+)}")
_FILES: Final = {
    "application/gzip": "@app-1.0.0.tgz",
    "application/octet-stream": "@app-1.0.0.tgz",
    "application/pgp-signature": "@app-1.0.0.tgz.prov",
}
"""What is sent in an example, by its type."""
_PLACES: Final = {"path": "in the path", "query": "in the query", "header": "a header"}


class Span(NamedTuple):
    """A piece of a text, and whether it is code."""

    text: str
    is_code: bool


class Parameter(NamedTuple):
    """A parameter, and where it goes."""

    name: str
    place: str
    kind: str
    required: bool
    description: list[Span]


class Field(NamedTuple):
    """A field of a value in JSON: its path, as `records[].time`."""

    path: str
    kind: str
    required: bool
    description: list[Span]


class Content(NamedTuple):
    """A body: its media type, and the fields of what it holds."""

    media_type: str
    fields: list[Field]


class Reply(NamedTuple):
    """An answer."""

    status: str
    description: list[Span]
    contents: list[Content]


class Operation(NamedTuple):
    """What is done with a path by a method.

    Attributes:
        id: names it, also as an anchor.
        method: in capitals.
        path: with its parameters in braces.
        of_root: the same path for the root repository; empty for a path of no repository.
        summary: in one phrase.
        paragraphs: more about it.
        needs: which credential it takes, in words.
        parameters: of path, query and headers.
        bodies: that can be sent.
        replies: of it alone.
        refusals: that are an Error, as many others have them.
        example: a command, without its first part, which has this server's address.
    """

    id: str
    method: str
    path: str
    of_root: str
    summary: str
    paragraphs: list[list[Span]]
    needs: str
    parameters: list[Parameter]
    bodies: list[Content]
    replies: list[Reply]
    refusals: list[Reply]
    example: "Example"


class Example(NamedTuple):
    """A command with curl: what stands before the path, and the path with its query."""

    options: str
    path: str


class Group(NamedTuple):
    """Operations that belong together."""

    name: str
    anchor: str
    description: list[Span]
    operations: list[Operation]


class ApiPage:
    """The view of the page. Everybody may see it, as the document.

    Args:
        site: that it is of.
        authorizer: tells who is signed in.
    """

    def __init__(self, site: Site, authorizer: Authorizer) -> None:
        self._pages = site.pages
        self._authorizer = authorizer

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{UI}/api", ENDPOINT, self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of the page."""
        request.environ[VISITOR] = self._authorizer.visitor_of_open_page(request.environ)
        return self._pages.render("api.html", body=_body(self._pages.base_url()))


@lru_cache(maxsize=_BODIES)
def _body(base: str) -> Markup:
    """Return what is on the page, which is the same for all who know the server by one address."""
    return Markup(  # noqa: S704 - the template has escaped all that has to be
        render_template(
            "api_body.html",
            about=[spans(text) for text in _paragraphs(document()["info"]["description"])],
            groups=groups(),
            base=base,
            error=fields({"$ref": "#/components/schemas/Error"}),
        )
    )


def spans(text: str) -> list[Span]:
    """Return a text in pieces: what stands between backticks is code."""
    pieces = " ".join(text.split()).split("`")
    return [Span(piece, number % 2 == 1) for number, piece in enumerate(pieces) if piece]


def _paragraphs(text: str) -> list[str]:
    return [each for each in text.strip().split("\n\n") if each.strip()]


@cache
def groups() -> list[Group]:
    """Return all operations, by what they are about; those of the root repository with those of any."""
    found = document()
    made = [Group(tag["name"], tag["name"].lower(), spans(tag["description"]), []) for tag in found["tags"]]
    by_name = {group.name: group for group in made}
    for path, operations in found["paths"].items():
        for method in METHODS:
            said = operations.get(method)
            if said is not None and not said["operationId"].endswith(OF_ROOT):
                by_name[said["tags"][0]].operations.append(_operation(path, method, said))
    return made


def _operation(path: str, method: str, said: Mapping[str, Any]) -> Operation:
    parameters = [resolve(each) for each in said.get("parameters", ())]
    replies = {status: resolve(each) for status, each in said["responses"].items()}
    refusals = {status for status, each in said["responses"].items() if each.get("$ref", "").endswith(f"Error{status}")}
    return Operation(
        id=said["operationId"],
        method=method.upper(),
        path=path,
        of_root=path.replace("/{repository}/", "/", 1) if "{repository}" in path else "",
        summary=said["summary"],
        paragraphs=[spans(each) for each in _paragraphs(said.get("description", ""))],
        needs=_needs(said["security"]),
        parameters=[_parameter(each) for each in parameters],
        bodies=_contents(resolve(said.get("requestBody", {}))),
        replies=[_reply(status, each) for status, each in replies.items() if status not in refusals],
        refusals=[_reply(status, each) for status, each in replies.items() if status in refusals],
        example=_example(path, method, said, parameters),
    )


def _needs(security: list[dict[str, Any]]) -> str:
    if not security:
        return "No credential is needed."
    if {} not in security:
        return "It takes a credential."
    return "It takes a credential where the server's rules want one."


def _parameter(said: Mapping[str, Any]) -> Parameter:
    kind = _kind(resolve(said["schema"]))
    return Parameter(said["name"], _PLACES[said["in"]], kind, said.get("required", False), spans(said["description"]))


def _reply(status: str, said: Mapping[str, Any]) -> Reply:
    return Reply(status, spans(said["description"]), _contents(said))


def _contents(said: Mapping[str, Any]) -> list[Content]:
    return [Content(kind, fields(each.get("schema", {}))) for kind, each in said.get("content", {}).items()]


# ---- values


def fields(schema: Mapping[str, Any]) -> list[Field]:
    """Return the fields of what a schema describes, those of each under it."""
    return list(_fields(schema, "", _DEEPEST))


def _fields(schema: Mapping[str, Any], prefix: str, levels: int) -> Iterator[Field]:
    schema = _single(schema)
    if levels == 0:
        return
    if "items" in schema:
        yield from _fields(schema["items"], f"{prefix}[]", levels - 1)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], f"{prefix}.*" if prefix else "*", levels - 1)
    for part in schema.get("allOf", ()):
        yield from _fields(part, prefix, levels)
    required = schema.get("required", ())
    for name, said in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        described = said.get("description") or _single(said).get("description", "")
        yield Field(path, _kind(said), name in required, spans(described))
        yield from _fields(said, path, levels - 1)


def _single(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the one of several that is not null."""
    schema = resolve(schema)
    choices = [each for each in schema.get("oneOf", ()) if each.get("type") != "null"]
    return _single(choices[0]) if choices else schema


def _kind(schema: Mapping[str, Any]) -> str:
    """Return what a value is, in words."""
    if "oneOf" in schema:
        return " or ".join(_kind(each) for each in schema["oneOf"])
    schema = resolve(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "allOf" in schema:
        return "object"
    kinds = schema.get("type", "any value")
    if kinds == "array":
        return f"list of {_kind(schema['items'])}"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


# ---- examples


def _example(path: str, method: str, said: Mapping[str, Any], parameters: Iterable[Mapping[str, Any]]) -> Example:
    parameters = list(parameters)
    values = {each["name"]: str(each.get("example", "")) for each in parameters}
    path = _PARAMETER.sub(lambda found: values[found[1]], path)
    query = "&".join(
        f"{each['name']}={values[each['name']]}"
        for each in parameters
        if each["in"] == "query" and each.get("required")
    )
    options = [] if method == "get" else ["-X", method.upper()]
    contents = resolve(said.get("requestBody", {})).get("content", {})
    if contents:
        options = _sent(*next(iter(contents.items())))
    if path.endswith((".tgz", ".prov")):
        options = ["-O"]
    if {} not in said["security"] and said["security"]:
        options = ["-u", "USER:TOKEN", *options]
    return Example(shlex.join(options), f"{path}?{query}" if query else path)


def _sent(media_type: str, content: Mapping[str, Any]) -> list[str]:
    if media_type in _FILES:
        return ["--data-binary", _FILES[media_type]]
    value = content.get("example") or dict.fromkeys(content["schema"]["required"], "...")
    return ["-H", f"Content-Type: {media_type}", "-d", json.dumps(value)]
