"""The files of a SQLite catalog.

What is called the catalog's file is a link to the file of one generation::

    catalog-v4.sqlite3 -> catalog-v4-<id>.sqlite3      and, beside the latter, its -wal, -shm and -announced

SQLite names its write-ahead log after the file that the link leads to, and whoever closes the last connection to a file
removes the log by name. A rebuild therefore never reuses a name: it makes a new file and moves the link, so that those
who still have the old file open cannot touch what belongs to the new one.
"""

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from chartrepo.catalog.folders import make_private
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.errors import CatalogFull, CatalogUnavailable

ANNOUNCED: Final = "-announced"
"""What the file of `Announced` has behind the database's name."""

_DAMAGED: Final = ".damaged"
_TICK: Final = 100_000_000
"""Nanoseconds: ten times what the clock of any file system here takes to go on."""


class Identity(NamedTuple):
    """A file, whatever it is called. As long as somebody has it open, no other file is called the same here."""

    device: int
    inode: int


class Stamp(NamedTuple):
    """What a folder's list of files was at one moment."""

    device: int
    inode: int
    changed: int

    @property
    def settled(self) -> bool:
        """Whether it is so old that a later change cannot bear the same time: clocks of file systems tick slowly."""
        return time.time_ns() - self.changed > _TICK


Companions = tuple[Identity, Identity, Identity]
"""The write-ahead log, its index, and the announced writes. They stay where they are as long as somebody has the
database open."""


class Generations:
    """The link and what it leads to.

    Args:
        file: as the user names it; the schema's version is put before its suffix.
    """

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        self._folder_name = str(file.parent)  # asked about before every answer, and a text is looked up faster
        self.link = file.with_name(f"{file.stem}-v{SCHEMA_VERSION}{file.suffix}")
        self._stem = file.stem
        self._suffix = file.suffix

    def current(self) -> Identity:
        """Return which file is the catalog's now.

        Raises:
            CatalogUnavailable: there is none.
        """
        try:
            found = os.stat(self.link)  # noqa: PTH116 - asked before every answer, and Path.stat takes twice as long
        except FileNotFoundError:
            raise CatalogUnavailable(f"there is no catalog {self.link.name!r} now: it is built anew soon") from None
        except OSError as error:
            raise CatalogUnavailable(f"the catalog {str(self.link)!r} cannot be read: {error.strerror}") from None
        return Identity(found.st_dev, found.st_ino)

    def stamp(self) -> Stamp | None:
        """Return what changes when a file comes to, goes from or is renamed in the folder; None where it is gone."""
        try:
            found = os.stat(self.folder)  # noqa: PTH116 - as in current
        except OSError:
            return None
        return Stamp(found.st_dev, found.st_ino, found.st_mtime_ns)

    def is_as_at(self, stamp: Stamp) -> bool:
        """Return whether nothing came, went or was renamed in the folder since it was stamped."""
        try:
            found = os.stat(self._folder_name)  # noqa: PTH116 - as in current
        except OSError:
            return False
        return found.st_mtime_ns == stamp.changed and found.st_ino == stamp.inode and found.st_dev == stamp.device

    def path(self) -> str:
        """Return where the link leads to."""
        return os.path.realpath(self.link)

    # ---- rebuilding

    def next(self) -> Path:
        """Return where to make the next file. Its folder is there."""
        with self.told("built"):
            make_private(self.folder)
        return self.link.with_name(f"{self.link.stem}-{secrets.token_hex(8)}{self._suffix}")

    def take_away(self) -> None:
        """Remove the link: nobody uses what it led to from now on."""
        with self.told("built"):
            self.link.unlink(missing_ok=True)

    def put_in_place(self, fresh: Path) -> None:
        """Let the link lead to a new file, durably."""
        aside = fresh.with_name(f"{fresh.name}.link")
        with self.told("built"):
            _sync(fresh)
            _sync(fresh.with_name(fresh.name + ANNOUNCED))
            aside.symlink_to(fresh.name)
            aside.replace(self.link)
            _sync(self.folder)

    def sweep(self) -> None:
        """Remove the files of generations that the link does not lead to, as far as that is possible."""
        used = {self.link.name, Path(self.path()).name if self.link.exists() else ""}
        with suppress(OSError):
            for path, version, owner in self._files():
                if version == SCHEMA_VERSION and owner not in used:
                    path.unlink(missing_ok=True)

    def prune(self) -> list[str]:
        """Remove the files of other schema versions; return their names.

        Raises:
            CatalogUnavailable: it is not allowed.
        """
        with self.told("built"):
            others = [path for path, version, _ in self._files() if version != SCHEMA_VERSION]
            for path in others:
                path.unlink(missing_ok=True)
        return [path.name for path in others]

    def _files(self) -> list[tuple[Path, int, str]]:
        """Find the files of all generations, each with its schema version and its database's name."""
        stem, suffix = re.escape(self._stem), re.escape(self._suffix)
        name = re.compile(
            rf"({stem}-v([0-9]+)(?:-[0-9a-f]+)?{suffix})(?:-wal|-shm|-journal|-announced|\.damaged|\.link)?"
        )
        if not self.folder.is_dir():
            return []
        matches = [(path, name.fullmatch(path.name)) for path in sorted(self.folder.iterdir())]
        return [(path, int(match[2]), match[1]) for path, match in matches if match]

    # ---- damage

    def ask_for_rebuild(self, path: str) -> None:
        """Tell all processes that the file at `path`, where the link led to, is beyond use."""
        with suppress(OSError):  # on a full disk whoever builds the catalog finds out by itself
            Path(f"{path}{_DAMAGED}").touch()

    def is_damaged(self, path: str) -> bool:
        """Return whether somebody asked for a rebuild of the file at `path`."""
        return os.path.exists(f"{path}{_DAMAGED}")  # noqa: PTH110 - the path is a text already, as SQLite takes it

    def needs_rebuild(self) -> bool:
        """Return whether the file is missing, or damaged."""
        return not self.link.exists() or self.is_damaged(self.path())

    @contextmanager
    def told(self, action: str) -> Iterator[None]:
        """Say of the system's errors in a block what they mean to those who wanted the catalog `built` or `written`.

        Raises:
            CatalogFull, CatalogUnavailable: as they say.
        """
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise CatalogFull(f"the disk of the catalog {str(self.link)!r} is full: make room") from None
            raise CatalogUnavailable(f"the catalog {str(self.link)!r} cannot be {action}: {error}") from None


def identity(path: str) -> Identity | None:
    """Return which file is at `path`, if any."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as in Generations.current
    except OSError:
        return None
    return Identity(found.st_dev, found.st_ino)


def companions_of(path: str) -> Companions | None:
    """Return what lies beside the database at `path`, if all of it is there."""
    log, index, writes = (identity(f"{path}{suffix}") for suffix in ("-wal", "-shm", ANNOUNCED))
    return (log, index, writes) if log and index and writes else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
