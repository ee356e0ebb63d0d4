"""What is sent, before any server or framework has a hand in it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from chartrepo.core.pulls import Pull

Headers = list[tuple[str, str]]

STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

JSON: Final = ("Content-Type", "application/json; charset=utf-8")
TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: the HTTP status code.
        headers: without Content-Length, which comes from `length`.
        body: its bytes in pieces; closed by the server where it can be closed.
        length: of the body in bytes. An answer to HEAD says it and sends nothing.
        still: tells, without waiting for anything, whether the same request would be answered like this now; None
            where that cannot be told.
        by_path: whether only the path decides what this answer is, and no query or header.
        chart: whose package this is, where it is one; None for other answers, and where that is not known.
        pull: which package a client gets by it, if it is one, and from its first byte on.
        afterwards: what is to be done once it has been sent, in which the client has no interest.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: Iterable[bytes] = ()
    length: int = 0
    still: Callable[[], bool] | None = None
    by_path: bool = False
    chart: str | None = None
    pull: Pull | None = None
    afterwards: list[Callable[[], None]] = field(default_factory=list)


def json_answer(status: int, value: object, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Return an answer whose body is `value` as JSON."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, [JSON, *headers], [data], len(data))
