"""What the catalog knows, kept beside the packages: for a server on a bucket whose own disk is lost at each start.

It is never the truth. A line of it is used only where the bucket still lists the very state that the line was made
from, so one that is old, or of another server, costs time and nothing else.
"""

import errno
import gzip
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, SetAside
from chartrepo.catalog.folders import make_private
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.versions import check
from chartrepo.wording import counted
from storage.base import ANYWAY, NoSpace, NotFound, Reader, State, Storage, Unavailable

log = logging.getLogger(__name__)

_EVERY: Final = 60.0
"""Seconds between two snapshots at least, while there are changes."""

_FAST: Final = 1
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "provenance_state": (str, type(None)),
    "signed": (bool,),
    "size": (int,),
    "created": (int,),
    "warnings": (list,),
}
"""What the fields of a record are in JSON; all others are texts."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Snapshot:
    """The snapshot of one catalog.

    Args:
        state: the storage it lies in.
        catalog: what is kept.
        folder: on a disk, for the file while it is made.
    """

    def __init__(self, state: Storage, catalog: Catalog, *, folder: Path) -> None:
        self._state = state
        self._catalog = catalog
        self._folder = folder
        self._written: object = None
        self._written_state: State | None = None
        self._due = 0.0
        self._warned = False

    def write_if_due(self) -> None:
        """Write it where there are changes, and the last time is long enough ago.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: it was not written.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            self.write()

    def write(self) -> None:
        """Write it where there are changes.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: it was not written.
        """
        content = (self._catalog.mark(""), tuple((each.name, each.revision) for each in self._catalog.repositories()))
        if content == self._written:
            return
        self._look_for_others()
        try:
            make_private(self._folder)
            with TemporaryFile(dir=self._folder) as file:
                _write(file, self._catalog, content[0].catalog)
                file.seek(0)
                self._written_state = self._state.put(layout.SNAPSHOT_KEY, file, condition=ANYWAY).state
        except OSError as error:
            what = f"the snapshot of the catalog cannot be made in {str(self._folder)!r}: {error.strerror or error}"
            raise (NoSpace if error.errno in _FULL else Unavailable)(what) from None
        self._written = content

    def read(self) -> dict[str, PackageRecord | SetAside]:
        """Return what it knows, by the package's key; nothing where there is none, or none that can be read."""
        try:
            with self._state.open(layout.SNAPSHOT_KEY) as reader:
                records = {layout.key(record.repository, record.file): record for record in _read(reader)}
        except NotFound:
            return {}
        except Exception as error:  # noqa: BLE001 - it only saves time: nothing in it may keep a catalog from being built
            log.warning("the snapshot of the catalog cannot be read, and all packages are read instead: %s", error)
            return {}
        log.info("the snapshot of the catalog knows %s", counted(len(records), "package"))
        return records

    def _look_for_others(self) -> None:
        """Warn where another catalog wrote the snapshot since we did."""
        if self._written_state is None or self._warned:
            return
        try:
            found = self._state.stat(layout.SNAPSHOT_KEY).state
        except NotFound:
            return
        if found != self._written_state:
            self._warned = True
            log.warning(
                "another server writes to this bucket with a catalog of its own: each sees the other's packages only "
                "at its next sync. Give them one PostgreSQL catalog to change that"
            )


def _write(file: IO[bytes], catalog: Catalog, identifier: str) -> None:
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_FAST, mtime=0) as packed:
        packed.write(_line({"chartrepo": "snapshot", "schema": SCHEMA_VERSION, "catalog": identifier}))
        for record in catalog.records():
            kind = "package" if isinstance(record, PackageRecord) else "set_aside"
            packed.write(_line([kind, *astuple(record)]))


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _read(reader: Reader) -> Iterator[PackageRecord | SetAside]:
    with gzip.GzipFile(fileobj=_File(reader)) as lines:
        header = json.loads(lines.readline())
        if header["schema"] != SCHEMA_VERSION:
            return
        for line in lines:
            yield _record(*json.loads(line))


def _record(kind: str, *values: Any) -> PackageRecord | SetAside:
    """Return the record that a line stands for.

    Raises:
        ValueError: it stands for none that a catalog takes.
    """
    if kind not in {"package", "set_aside"}:
        raise ValueError(f"a line is of the kind {kind!r:.100}")
    fields = values if kind == "set_aside" else (*values[:-1], tuple(values[-1]))
    made = SetAside(*fields) if kind == "set_aside" else PackageRecord(*fields)
    for name, value in zip(made.__slots__, values, strict=True):
        if type(value) not in _TYPES.get(name, (str,)):
            raise ValueError(f"a line says {value!r:.100} for {name}")
    if isinstance(made, PackageRecord):
        if not all(isinstance(warning, str) for warning in made.warnings):
            raise ValueError("a line has a warning that is no text")
        check(made.version)
    return made


class _File:
    """The part of a file object that gzip asks for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        return self._reader.read(size)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
