"""Folders of a server's own, which nobody else may look into."""

from pathlib import Path
from typing import Final

_PRIVATE: Final = 0o700


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the user of this process alone.

    What is there already keeps the rights it has.

    Raises:
        OSError: it cannot be made, or a file lies in its place.
    """
    try:
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
    except FileNotFoundError:
        # Path.mkdir would give what it makes on the way the rights that everybody's folders have.
        make_private(folder.parent)
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
