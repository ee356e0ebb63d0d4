"""Names of repositories.

A repository is zero or more segments, each a path component as the OCI distribution specification has it, where the
classic forms also take capitals (ChartMuseum allows folders with capitals). The root repository is the empty text.
"""

import re
from typing import Final

from chartrepo.core.errors import InvalidName

ROOT: Final = ""
"""The repository that lies at the top of the storage."""

RESERVED_FIRST_SEGMENTS: Final = frozenset(
    {"api", "chartsvc", "v2", "ui", "static", "health", "livez", "readyz", "info", "metrics"}
)
"""Segments that the server itself answers at. `chartsvc` because `/api/chartsvc/...` is Artifact Hub's search."""

MAX_LENGTH: Final = 200
"""In characters. A key of 1,024 bytes (S3) has room for it beside any package file."""

_SEGMENT = r"[A-Za-z0-9]+(?:(?:\.|__?|-+)[A-Za-z0-9]+)*"
_PART = re.compile(_SEGMENT)
_REPOSITORY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


def check_repository(text: str) -> str:
    """Return `text` if it can name a repository: segments joined by `/`, or the empty text for the root.

    Raises:
        InvalidName: it cannot; the message says what may.
    """
    if text == ROOT:
        return text
    if len(text) > MAX_LENGTH or not _REPOSITORY.fullmatch(text):
        shown = text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "..."
        raise InvalidName(
            f"{shown!r} cannot name a repository: use letters and digits in parts joined by '/', with single "
            f"'.', '_' or '-' between them, {MAX_LENGTH} characters at most"
        )
    first = text.partition("/")[0]
    if first in RESERVED_FIRST_SEGMENTS:
        raise InvalidName(
            f"{text!r} cannot name a repository: the server answers at /{first} itself, choose another name"
        )
    return text


def is_part(text: str) -> bool:
    """Return whether this can be a segment of a repository's name, in some place."""
    return _PART.fullmatch(text) is not None
