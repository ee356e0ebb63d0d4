"""Importing packages that were published elsewhere.

An import is made of publications like any other, so it may run beside servers on the same storage and catalog, and what
it was broken off in the middle of is whole. It never replaces anything. What it takes is what a server takes that finds
a package in its storage: all that Helm accepts, with a warning where an upload would be refused.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, TypeVar, cast

from chartrepo import layout
from chartrepo.catalog import PackageRecord, Served, Withheld
from chartrepo.core.errors import (
    AlreadyPublished,
    CatalogIncomplete,
    CatalogUnavailable,
    InvalidName,
    PackageRefused,
    ProvenanceRefused,
    VersionIsFinal,
)
from chartrepo.core.names import check_repository
from chartrepo.repository import Overwrite, Published, Repositories
from chartrepo.sources import Item, Source, SourceError
from storage.base import InvalidKey, Misconfigured, State, StorageError, Unavailable

T = TypeVar("T")

_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024
_AHEAD: Final = 4
"""Packages that wait or are worked on, for each thread."""

_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait for a storage or a catalog that does not answer, before giving up."""


class Result(Enum):
    """What became of a package."""

    IMPORTED = "imported"
    PRESENT = "there already"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a package, and why.

    Attributes:
        place: where the source has it.
        result: see `Result`.
        reason: why it was refused, or what failed; empty otherwise.
        warnings: what is odd about it, though it was imported: what an upload of it would have been refused for, or how
            the source lists it.
        unsigned: why its provenance was left behind; empty where it was not.
        package: what was published; None where that was nothing, or its provenance alone.
    """

    place: str
    result: Result
    reason: str = ""
    warnings: tuple[str, ...] = ()
    unsigned: str = ""
    package: PackageRecord | Withheld | None = None


@dataclass(slots=True)
class Report:
    """What became of an import so far."""

    counts: Counter[Result] = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a package, and keep what there is to say of it."""
        self.counts[outcome.result] += 1
        if outcome.reason or outcome.warnings or outcome.unsigned:
            self.outcomes.append(outcome)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Place and reason of everything that was refused, or that failed."""
        rows = [(each.place, each.reason) for each in self.outcomes if each.reason]
        rows += [(layout.provenance_file(each.place), each.unsigned) for each in self.outcomes if each.unsigned]
        return sorted(rows)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Place and warning of what was imported all the same."""
        return sorted((each.place, warning) for each in self.outcomes for warning in each.warnings)


def import_packages(
    items: Sequence[Item], source: Source, repositories: Repositories, *, to: str, jobs: int, spool: Path
) -> Generator[Outcome]:
    """Import packages, in no promised order. Closing the iterator ends it after those that are under way.

    Args:
        items: what to import.
        source: where from.
        repositories: where to; the catalog has to be complete.
        to: the repository that the source's packages, and the repositories below it, come under.
        jobs: how many packages at a time.
        spool: a folder on a disk for what is too large to be in memory.

    Raises:
        CatalogUnavailable, Unavailable: storage or catalog do not answer, for longer than a while.
        CatalogFull, CatalogMisconfigured, Misconfigured, NoSpace, WritesUnsafe: nothing can be written.
    """
    work = _Import(source, replace(repositories, overwrite=Overwrite.NEVER), to, spool)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="import")
    todo = iter(items)
    try:
        waiting: set[Future[Outcome]] = {pool.submit(work.one, item) for item in islice(todo, jobs * _AHEAD)}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            waiting |= {pool.submit(work.one, item) for item in islice(todo, len(done))}
            for future in done:
                yield future.result()
    finally:
        work.stopped.set()
        source.stop()
        pool.shutdown(cancel_futures=True)


class _Import:
    def __init__(self, source: Source, repositories: Repositories, to: str, spool: Path) -> None:
        self._source = source
        self._repositories = repositories
        self._to = to
        self._spool = spool
        self.stopped = threading.Event()

    def one(self, item: Item) -> Outcome:
        repository = "/".join(filter(None, (self._to, item.repository)))
        try:
            check_repository(repository)
            known = self._patiently(lambda: self._repositories.catalog.package(repository, item.file))
            if known is not None and self._is_there(item, repository, known):
                return self._sign(item, repository, None if known.signed else self._source.fetch_provenance(item))
            return self._bring(item, repository)
        except (PackageRefused, AlreadyPublished, InvalidName, InvalidKey) as error:
            return Outcome(item.place, Result.REFUSED, str(error))
        except SourceError as error:
            return Outcome(item.place, Result.FAILED, str(error))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do something with storage or catalog, and again where they do not answer."""
        for pause in _PAUSES:
            try:
                return work()
            except Misconfigured:
                raise
            except (CatalogIncomplete, CatalogUnavailable, Unavailable):
                if self.stopped.wait(pause):
                    raise
        return work()

    def _is_there(self, item: Item, repository: str, known: Served) -> bool:
        """Whether the package that is there already is the source's, as far as can be told without fetching it.

        Raises:
            AlreadyPublished: it is another one.
        """
        digest = self._source.digest(item)
        if not digest:
            return bool(item.md5) and item.size == known.size and item.md5 == self._md5(repository, item.file, known)
        if digest != known.digest:
            raise _conflict(item.file)
        return True

    def _md5(self, repository: str, file: str, known: Served) -> str:
        """Return the MD5 of a package that is there, by which buckets tell one package from another."""
        digest = hashlib.md5(usedforsecurity=False)
        with (
            suppress(StorageError),
            self._repositories.packages.open(layout.key(repository, file), state=State(known.state)) as reader,
        ):
            while piece := reader.read(_PIECE):
                digest.update(piece)
            return digest.hexdigest()
        return ""

    def _sign(self, item: Item, repository: str, signature: bytes | None) -> Outcome:
        """Bring the provenance of a package that is there: an import may have died between the two."""
        if signature is None:
            return Outcome(item.place, Result.PRESENT)
        try:
            self._patiently(lambda: self._repositories.publish_provenance(repository, signature))
        except ProvenanceRefused as error:
            return Outcome(item.place, Result.PRESENT, unsigned=str(error))
        except AlreadyPublished:
            return Outcome(item.place, Result.PRESENT)
        return Outcome(item.place, Result.IMPORTED)

    def _bring(self, item: Item, repository: str) -> Outcome:
        with SpooledTemporaryFile(_IN_MEMORY, dir=str(self._spool)) as spooled:
            file = cast("BinaryIO", spooled)
            published = self._source.fetch(item, file)
            digest = _sha256(file)
            if item.digest and digest != item.digest:
                raise PackageRefused(
                    f"the source's index gives it the digest {item.digest}, and what was fetched has {digest}: "
                    "have that index made anew"
                )
            signature = self._source.fetch_provenance(item)
            try:
                made, unsigned = self._publish(repository, file, signature, published)
            except AlreadyPublished as error:
                if isinstance(error, VersionIsFinal) and not error.digest:
                    raise
                if error.digest != digest:
                    raise _conflict(item.file) from None
                return self._sign(item, repository, signature)
        record = made.record
        told = (record.reason,) if isinstance(record, Withheld) else record.warnings
        warnings = (*filter(None, [item.warning]), *told)
        return Outcome(item.place, Result.IMPORTED, warnings=warnings, unsigned=unsigned, package=record)

    def _publish(
        self, repository: str, file: BinaryIO, signature: bytes | None, published: int | None
    ) -> tuple[Published, str]:
        """Publish a package; without its provenance, and with the reason, where Helm could not use that."""

        def publish(signature: bytes | None) -> Published:
            return self._patiently(
                lambda: self._repositories.publish(repository, file, signature, published=published, reserved=True)
            )

        try:
            return publish(signature), ""
        except ProvenanceRefused as error:
            return publish(None), str(error)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _conflict(file: str) -> AlreadyPublished:
    return AlreadyPublished(f"{file} is there already, with other bytes: delete one of the two, or import it elsewhere")
