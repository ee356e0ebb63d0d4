"""The API in OpenAPI's words, and where it is read: what the server speaks outside of OCI.

The words are in `openapi.yaml`. What can be said once is said once there, and repeated here: the refusals that come
with each kind of access, those of a body, and the paths of the root repository.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from flask import Flask, Response, request

from chartrepo.http.answers import Answer
from chartrepo.http.api import respond
from chartrepo.http.sending import is_known
from chartrepo.version import __version__

PATH: Final = "/api/openapi.json"
ENDPOINT: Final = "openapi"
METHODS: Final = ("get", "post", "delete")
"""That the API takes, in the order in which they are shown."""

OF_ROOT: Final = "OfRoot"
"""At the end of the id of what is the same for the root repository."""
_IN_REPOSITORY: Final = "/{repository}/"
_CACHING: Final = "public, max-age=300"
"""It is for everybody, and changes with a release."""

_CREDENTIALS: Final[list[dict[str, list[str]]]] = [{"basic": []}, {"bearer": []}]
_SECURITY: Final[Mapping[str, list[dict[str, list[str]]]]] = {
    "none": [],
    "read": [{}, *_CREDENTIALS],
    "identity": [{"bearer": []}, {}],
}
"""By what stands under `access`. Where nothing is said here it takes a credential."""
_READING: Final = (401, 404, 429, 503)
_REFUSALS: Final[Mapping[str, tuple[int, ...]]] = {
    "none": (),
    "read": _READING,
    "identity": (401, 403, 404, 503),
}
_WRITING: Final = (*_READING, 403)
_OF_A_BODY: Final = (400, 408, 413, 503, 507)
_LATER: Final = (429, 503)
"""Statuses with a Retry-After."""


@cache
def document() -> dict[str, Any]:
    """Return the document, but for `servers`. Nobody changes it."""
    text = files("chartrepo.http").joinpath("openapi.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - it is safe
    found["info"]["version"] = __version__
    found["paths"] = _paths(found["paths"])
    responses = found["components"]["responses"]
    for status in [name for name in responses if name.isdigit()]:
        responses[f"Error{status}"] = _error(int(status), responses.pop(status))
    return found


def _paths(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return all paths, those of a repository twice: first for the root one."""
    made: dict[str, Any] = {}
    for path, operations in written.items():
        if _IN_REPOSITORY not in path:
            made[path] = {method: _operation(said) for method, said in operations.items()}
            continue
        made[path.replace(_IN_REPOSITORY, "/", 1)] = {
            method: _operation({**said, "operationId": said["operationId"] + OF_ROOT})
            for method, said in operations.items()
        }
        named = {"$ref": "#/components/parameters/Repository"}
        made[path] = {
            method: _operation({**said, "parameters": [named, *said.get("parameters", [])]}, in_repository=True)
            for method, said in operations.items()
        }
    return made


def _operation(said: Mapping[str, Any], *, in_repository: bool = False) -> dict[str, Any]:
    operation = {name: value for name, value in said.items() if name not in ("access", "errors")}
    access = said["access"]
    operation["security"] = _SECURITY.get(access, _CREDENTIALS)
    statuses = {*said.get("errors", ()), *_REFUSALS.get(access, _WRITING)}
    if "requestBody" in said:
        statuses |= {*_OF_A_BODY}
    if in_repository and access in ("publish", "delete"):
        statuses |= {400}  # it may be none that can name a repository
    errors = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}
    operation["responses"] = dict(sorted({**errors, **said["responses"]}.items()))
    return operation


def _error(status: int, said: Mapping[str, Any]) -> dict[str, Any]:
    made = {**said, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    if status in _LATER:
        made["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    elif status == 401:  # noqa: PLR2004 - Unauthorized
        made["headers"] = {"WWW-Authenticate": {"$ref": "#/components/headers/WWWAuthenticate"}}
    return made


def resolve(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of the document, or what it refers to."""
    while "$ref" in part:
        found: Any = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


class OpenApi:
    """The view of the document.

    Everybody may see it, also where reading takes a credential: it tells what this software speaks, and of what is here
    nothing but the address that it was asked under.

    Args:
        base_url: tells by which address the caller reached this server, with the context path.
    """

    def __init__(self, base_url: Callable[[], str]) -> None:
        self._base_url = base_url
        self._pieces: tuple[bytes, bytes] | None = None

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(PATH, ENDPOINT, self.view, methods=["GET"])

    def view(self) -> Response:
        """GET of the document."""
        before, behind = self._pieces = self._pieces or _cut()
        data = before + json.dumps([{"url": self._base_url()}]).encode() + behind
        etag = hashlib.sha256(data).hexdigest()[:32]
        headers = [("Cache-Control", _CACHING), ("Vary", "Accept-Encoding"), ("ETag", f'"{etag}"')]
        if is_known(request.environ, etag, None):
            return respond(Answer(304, headers))
        if request.accept_encodings.quality("gzip") > 0:
            data = gzip.compress(data, mtime=0)
            headers.append(("Content-Encoding", "gzip"))
        return respond(Answer(200, [("Content-Type", "application/json; charset=utf-8"), *headers], [data], len(data)))


def _cut() -> tuple[bytes, bytes]:
    """Return what stands in JSON before and behind the value of `servers`."""
    mark = "the servers"
    text = json.dumps({**document(), "servers": mark}, ensure_ascii=False, separators=(",", ":"))
    before, _, behind = text.partition(json.dumps(mark))
    return before.encode(), behind.encode()
