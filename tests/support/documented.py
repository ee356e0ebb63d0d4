"""Holds answers of the server to what its document of the API says of them."""

import gzip
import json
from functools import cache
from typing import Any, Final

import jsonschema
from werkzeug.test import TestResponse

from chartrepo.http.openapi import document, resolve

ELSEWHERE: Final = ("/v2", "/ui", "/static")
"""What the document does not speak of: OCI, pages, and what those are made with."""


class UndocumentedError(AssertionError):
    """The server answered what its document does not say."""


@cache
def _operation(path: str, method: str) -> dict[str, Any]:
    found = document()["paths"].get(path, {}).get("get" if method == "HEAD" else method.lower())
    if found is None:
        raise UndocumentedError(f"{method} {path} is not in chartrepo/http/openapi.yaml")
    return dict(found)


@cache
def validator(pointer: str) -> jsonschema.Draft202012Validator:
    """What holds values to a schema of the document, by its path in there."""
    return jsonschema.Draft202012Validator({"$ref": f"#/{pointer}", "components": document()["components"]})


def check(route: str | None, method: str, answer: TestResponse) -> None:
    """Hold an answer to the document.

    Args:
        route: the template of the path that was asked for; None where there is none.
        method: of the request.
        answer: what came.

    Raises:
        UndocumentedError: its status, type or body is not as the document says.
    """
    if route is None or route.startswith(ELSEWHERE):
        return
    operation = _operation(route, method)
    responses, status = operation["responses"], answer.status_code
    what = f"{method} {route}: {status}"
    if status == 500:
        return  # it is a mistake of ours, or one that a test makes
    if str(status) not in responses:
        raise UndocumentedError(f"{what} is not among {sorted(responses)}: {answer.text[:200]}")
    said = resolve(responses[str(status)])
    content = said.get("content", {})
    if method == "HEAD" or not answer.data:
        return
    if answer.mimetype not in content:
        raise UndocumentedError(f"{what} is {answer.mimetype}, which is not among {sorted(content)}")
    schema = content[answer.mimetype].get("schema", {})
    if answer.mimetype == "application/json" and "$ref" in schema:
        for error in validator(schema["$ref"].removeprefix("#/")).iter_errors(json.loads(_plain(answer))):
            raise UndocumentedError(f"{what}: {error.message[:500]}")


def _plain(answer: TestResponse) -> bytes:
    return gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
