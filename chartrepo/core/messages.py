"""How values of others appear in messages."""

from typing import Final

LONGEST: Final = 80
"""In characters; what is longer is cut."""

REPACK: Final = "pack the chart again with `helm package`"
UPLOAD_AGAIN: Final = f"upload it again, or {REPACK}"
"""Remedies that fit in many places."""


def shown(text: str) -> str:
    """`text` in quotes, escaped so that it stays on one line, and cut where it is long."""
    return repr(text) if len(text) <= LONGEST else repr(text[:LONGEST]) + "..."


def shown_path(path: str) -> str:
    """`path` as it is where that is short and stays on one line, else as `shown`."""
    return path if path.isprintable() and len(path) <= LONGEST else shown(path)
