"""Walk through the folders below a root, as an owner who keeps some of them elsewhere expects it."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from storage import keys

VANISHED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Error numbers of something that is not there (any more), or of a symbolic link that leads nowhere."""

FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})

Report = Callable[[str, str], None]
"""Is told the path of something that is left out, and why. It may be told of the same thing in every walk."""


class Folder(NamedTuple):
    """A folder that was read.

    Attributes:
        key: what the keys of its files begin with: `` or `team/app/`.
        files: everything in it but its folders.
    """

    key: str
    files: list[os.DirEntry[str]]


class _Place(NamedTuple):
    """A folder yet to be read.

    Attributes:
        path: where it is.
        key: what the keys in it begin with.
        trail: the real paths of the folders in which the symbolic links lie that led here.
    """

    path: str
    key: str
    trail: tuple[str, ...]


def folders(root: str, prefix: str, report: Report) -> Iterator[Folder]:
    """Read every folder that can hold files whose keys begin with `prefix`, the nearest to the root first.

    Symbolic links to folders are followed, except into a circle. Reserved folders are skipped. A folder that may not be
    read, other than the root, is reported and skipped; one that vanishes meanwhile is skipped.

    Raises:
        OSError: the root, or a folder for another reason, cannot be read.
    """
    start = prefix.rpartition("/")[0]
    left = [_Place(f"{root}/{start}", f"{start}/", ()) if start else _Place(root, "", ())]
    while left:
        place = left.pop()
        try:
            with os.scandir(place.path) as scan:
                entries = [*scan]
        except OSError as error:
            if place.path == root or error.errno not in VANISHED | FORBIDDEN:
                raise
            if error.errno in FORBIDDEN:
                report(place.path, "the user that runs this process may not read it")
            continue
        files = []
        for entry in entries:
            if not _is_folder(entry):
                files.append(entry)
            elif entry.name.startswith(keys.RESERVED) or not f"{place.key}{entry.name}/".startswith(prefix):
                continue
            elif (trail := _trail(place, entry)) is None:
                report(entry.path, "it is a symbolic link to a folder in which it lies")
            else:
                left.append(_Place(entry.path, f"{place.key}{entry.name}/", trail))
        yield Folder(place.key, files)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _trail(place: _Place, entry: os.DirEntry[str]) -> tuple[str, ...] | None:
    """The trail of a folder in `place`, or None where going there would be going in circles."""
    if not entry.is_symlink():
        return place.trail
    trail = (*place.trail, os.path.realpath(place.path))
    target = os.path.realpath(entry.path).rstrip("/") + "/"
    return None if any(f"{passed}/".startswith(target) for passed in trail) else trail
