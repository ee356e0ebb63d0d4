"""An index of the packages in a folder, for a plain web server: what `helm repo index` does.

The packages of the folder and of the folders in it are listed, as Helm does. Unlike Helm, which takes the time of the
run, `created` is the package file's own time, or that of the merged index where that knows the very same package.
"""

import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from chartrepo import layout
from chartrepo.core import foreign_index, index, versions
from chartrepo.core.errors import InvalidVersion, PackageRefused
from chartrepo.core.index import Form
from chartrepo.examine import examine

_CHUNK: Final = 64
_WORTH_A_PROCESS: Final = 200
"""So many packages are read sooner than a process is started."""

_IN_A_PATH: Final = "/+~!$&'()*,;=:@"


@dataclass(frozen=True, slots=True)
class Found:
    """A package in the folder.

    Attributes:
        path: below the folder, with `/` between its parts.
        metadata: as `ChartVersion.metadata` has it.
        digest: SHA-256 in hex.
        created: the file's time, seconds since the epoch.
    """

    path: str
    metadata: Mapping[str, Any]
    digest: str
    created: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that Helm does not load.

    Attributes:
        path: as in `Found`.
        reason: one sentence for people.
    """

    path: str
    reason: str


def packages(folder: Path) -> list[Path]:
    """Return the package files of a folder and of the folders in it."""
    found = [*folder.glob(f"*{layout.PACKAGE_SUFFIX}"), *folder.glob(f"*/*{layout.PACKAGE_SUFFIX}")]
    return sorted(file for file in found if file.is_file())


def read(folder: Path, files: list[Path]) -> Iterator[Found | LeftOut]:
    """Read packages, in their order, in several processes where there are many.

    Raises:
        OSError: a file cannot be read.
    """
    processes = min(os.cpu_count() or 1, len(files) // _WORTH_A_PROCESS)
    if processes < 2:  # noqa: PLR2004 - one other process would only add the way there
        for file in files:
            yield _read(folder, file)
        return
    with ProcessPoolExecutor(processes, get_context("fork"), initializer=_ignore_interrupts) as pool:
        try:
            yield from pool.map(_read, [folder] * len(files), files, chunksize=_CHUNK)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us


def _read(folder: Path, file: Path) -> Found | LeftOut:
    path = file.relative_to(folder).as_posix()
    with file.open("rb") as source:
        try:
            examined = examine(source)
        except PackageRefused as error:
            return LeftOut(path, str(error))
        created = int(os.fstat(source.fileno()).st_mtime)
    return Found(path, examined.package.chart.metadata, examined.digest, created)


def render(found: Iterable[Found], *, url: str, form: Form, merged: bytes | None = None) -> bytes:
    """Return the whole index.

    Args:
        found: what it lists.
        url: what the addresses of packages begin with; empty to have them relative.
        form: how to write it.
        merged: an index whose versions are listed too, where `found` does not have them.

    Raises:
        InvalidIndexError: `merged` is none.
    """
    older: dict[tuple[str, str], dict[str, Any]] = {}
    for chart, fields in foreign_index.entries(merged) if merged is not None else ():
        older.setdefault((str(fields.get("name") or chart), str(fields.get("version", ""))), fields)
    prefix = url.rstrip("/") + "/" if url else ""
    entries: dict[str, list[dict[str, Any]]] = {}
    for package in found:
        name, version = str(package.metadata["name"]), str(package.metadata["version"])
        entries.setdefault(name, []).append(_entry(package, prefix, older.pop((name, version), {})))
    for (name, _), fields in older.items():
        entries.setdefault(name, []).append(fields)
    parts = []
    for name, versions_of_it in sorted(entries.items()):
        versions_of_it.sort(key=lambda fields: _sort_key(str(fields.get("version", ""))), reverse=True)
        whole = [index.whole_entry(fields) for fields in versions_of_it]
        parts.append(index.chart(form, name, [each.yaml if form is Form.YAML else each.json for each in whole]))
    frame = index.frame(form, generated=int(time.time()), context_path="", empty=not parts)
    return b"".join(frame.document(parts))


def _entry(package: Found, prefix: str, older: Mapping[str, Any]) -> dict[str, Any]:
    created = foreign_index.seconds(older.get("created")) if older.get("digest") == package.digest else None
    return {
        **package.metadata,
        "urls": [prefix + quote(package.path, safe=_IN_A_PATH)],
        "created": index.timestamp(package.created if created is None else created),
        "digest": package.digest,
    }


def _sort_key(version: str) -> bytes:
    try:
        return versions.sort_key(version)
    except InvalidVersion:
        return b""


def write(file: Path, data: bytes) -> None:
    """Write a file so that readers see all of it, or what was there before, with the rights that files have here.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(data)
            target.flush()
            os.fchmod(target.fileno(), _usual_mode(file))
            os.fsync(target.fileno())
        Path(temporary).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _usual_mode(file: Path) -> int:
    try:
        return file.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
