"""The folders that servers count in: one for each run of a server, there as long as somebody counts in it.

Two servers on one state folder, such as an old release and a new one, leave each other's counts alone. Whoever counts
holds a lock on the folder itself, shared with the other processes of its server; a folder that nobody holds belongs to
a server that has ended.
"""

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from chartrepo.catalog.folders import make_private

_RUN: Final = "run-"
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def begin(root: Path) -> Path:
    """Make the folder of a new run, held by this process and by those that are forked from it; return it.

    The folders of servers that have ended are removed.

    Args:
        root: where such folders lie; made when it is missing.

    Raises:
        OSError: it cannot be made.
    """
    folder = root / f"{_RUN}{secrets.token_hex(8)}"
    hold(folder)
    for other in root.glob(f"{_RUN}*"):
        _remove_unless_held(other)
    return folder


def hold(folder: Path) -> int:
    """Keep a folder from being removed by other servers, and make it where it is missing.

    Returns:
        The descriptor that holds it, until it is closed or the process has ended.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        make_private(folder)
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, _OPEN)
            with suppress(OSError):  # where a file system has no locks nobody can take the folder for a dead one's
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                if os.path.samestat(folder.stat(), os.fstat(descriptor)):
                    return descriptor
            os.close(descriptor)  # another server removed it before it was held


def _remove_unless_held(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, _OPEN)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
