"""Use cases of the repository: publish, delete, and read packages.

The order of steps is what makes it safe when a process dies in between, when several act at once, and when hands reach
into the storage; it is written down in docs/architecture.md ("Rules of order").
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import BinaryIO, Final, NamedTuple, Protocol

from chartrepo import layout
from chartrepo.catalog import Catalog, Change, Exclusive, PackageRecord, Served, SetAside, Withheld
from chartrepo.core import provenance
from chartrepo.core.errors import (
    AlreadyPublished,
    CatalogIncomplete,
    CatalogUnavailable,
    ChartNotFound,
    ChartrepoError,
    FileNotFound,
    PackageRefused,
    ProvenanceRefused,
    VersionIsFinal,
    VersionNotFound,
    WritesUnsafe,
)
from chartrepo.core.names import check_repository
from chartrepo.core.policies import Immutable
from chartrepo.examine import (
    NO_STATE,
    Examined,
    Signature,
    examine,
    read_open,
    read_signature,
    record,
    without_provenance,
)
from chartrepo.policing import Policing, deleted_for_good
from storage.base import (
    ABSENT,
    UNTOLD,
    AlreadyExists,
    Changed,
    Matching,
    Misconfigured,
    NotFound,
    ObjectInfo,
    Reader,
    State,
    Storage,
    StorageError,
    Unavailable,
)

log = logging.getLogger(__name__)

_TRIES = 5
"""How often a write looks again when hands outside keep changing what lies under its key."""


class Overwrite(Enum):
    """When a version that is there may be replaced: ChartMuseum's settings, in one."""

    NEVER = "never"
    FORCE = "force"
    ALWAYS = "always"


class Published(NamedTuple):
    """An acknowledged publication.

    Attributes:
        record: the package; where readers do not see it until its provenance is there, what is missing.
        over: what it replaced, if anything.
    """

    record: PackageRecord | Withheld
    over: PackageRecord | SetAside | None

    @property
    def replaced(self) -> bool:
        """Whether it replaced a package."""
        return self.over is not None


class Outcome(Enum):
    """What would come of a publication."""

    CREATED = "created"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    """These very bytes are there, and may be written again."""
    WITHHELD = "withheld"
    """It would be there, and readers would not see it until its provenance is."""


class Rehearsal(NamedTuple):
    """What would come of a publication that was only tried out.

    Attributes:
        refusals: why it would be refused, in the order in which a publication asks; the first is what it would say.
            Empty where it would be published.
        package: as it would be.
        over: what it would replace, if anything.
    """

    refusals: tuple[ChartrepoError, ...]
    package: PackageRecord | Withheld
    over: PackageRecord | SetAside | None

    @property
    def outcome(self) -> Outcome:
        """What would come of it, were it not refused."""
        if isinstance(self.package, Withheld):
            return Outcome.WITHHELD
        if self.over is None:
            return Outcome.CREATED
        return Outcome.UNCHANGED if _digest_of(self.over) == self.package.digest else Outcome.REPLACED


class _Stored(NamedTuple):
    """A package under its key.

    Attributes:
        info: what lies there.
        over: what it was written over, if anything.
        found: it was not written, because somebody had written the same bytes.
    """

    info: ObjectInfo
    over: PackageRecord | SetAside | None = None
    found: bool = False


class Companion(Protocol):
    """Is told of what becomes of packages; see `chartrepo.registry.Manifests`. Nothing depends on its success."""

    def published(self, package: PackageRecord) -> None:
        """A package was published."""
        ...

    def deleted(self, package: PackageRecord | Withheld) -> None:
        """A package was deleted, or replaced by another one."""
        ...


class Opened(NamedTuple):
    """An open package or provenance file.

    Attributes:
        reader: gives the bytes; the caller closes it.
        served: what the catalog knows of the package; None while the catalog cannot be asked.
    """

    reader: Reader
    served: Served | None


@dataclass(frozen=True, slots=True)
class Repositories:
    """All repositories of a server.

    Attributes:
        packages: where packages lie.
        catalog: what was read out of them.
        overwrite: when a version may be replaced.
        writes_are_safe: whether two writers are kept apart: by the storage's conditions, or by the set-up.
        clock: seconds since the epoch.
        look: gives the state of a package by its key for next to nothing; None where the storage has no such way.
        strangers: whether servers may write to this storage that do not share its catalog.
        companion: told of what becomes of packages; None for nobody.
        policing: the policies that charts are held to.
    """

    packages: Storage
    catalog: Catalog
    overwrite: Overwrite = Overwrite.FORCE
    writes_are_safe: bool = True
    clock: Callable[[], float] = time.time
    look: Callable[[str], State | None] | None = None
    strangers: bool = True
    companion: Companion | None = None
    policing: Policing = field(default_factory=Policing)

    # ---- writing

    def publish(
        self,
        repository: str,
        package: BinaryIO,
        signature: bytes | None = None,
        *,
        force: bool = False,
        may_replace: bool = True,
        published: int | None = None,
        reserved: bool = False,
        examined: Examined | None = None,
        beside: Callable[[PackageRecord | Withheld], Change] | None = None,
    ) -> Published:
        """Publish a package, and its provenance where given; durable and visible to every reader on return.

        Where a policy requires provenance that is not there yet, readers do not see it, and `Published` says so.

        Both or neither holds for what is refused. A storage that fails after the package was written leaves it there,
        as a death in that moment does: it may be another server's by now. The same call again finishes it. Where it
        was found meanwhile, by a reader or by a sync, it is published, and its provenance can be sent alone.

        Args:
            repository: where to.
            package: the bytes of a `.tgz`, seekable, read from its start.
            signature: the bytes of its `.prov`.
            force: whether the caller asks for replacing the version, should it be there.
            may_replace: whether this caller may replace any.
            published: when it was published elsewhere, in seconds since the epoch; now when None.
            reserved: also take what Helm accepts though an upload of it is refused; the record then warns of it.
            examined: what `admit` said of the package, where it was asked before.
            beside: stores what goes with the package, as soon as that is in storage; what it returns is written to the
                catalog in the same transaction. It is not called where somebody replaces the package meanwhile.

        Raises:
            InvalidName, PackageRefused, ProvenanceRefused: it breaks a rule or a policy; nothing was written.
            AlreadyPublished: the version is there and stays; nothing was written.
            VersionIsFinal: a policy keeps it as it is, or gone; nothing is left of what was written.
            AccessMisconfigured: nobody can tell what policies ask.
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: not now; the package may have been written.
        """
        check_repository(repository)
        self.check_writes()
        replacing = may_replace and self._may_replace(force=force)
        if examined is None:
            examined = self.admit(package)
        chart = examined.package.chart
        when = int(self.clock()) if published is None else published
        for check in self._checks(repository, examined, signature, when, reserved=reserved):
            check()
        immutable = self.policing.immutable(repository, chart.name)
        file = layout.package_file(chart.name, chart.version)
        with self.catalog.exclusive(repository, file) as entry:
            self._check_stays_seen(entry.package(), chart.name, examined.digest, when, signed=signature is not None)
            stored = self._store(
                entry, repository, file, examined, package, replacing=replacing, immutable=immutable, published=when
            )
            try:
                found = self._store_signature(repository, file, signature, examined.digest, stored, replacing=replacing)
            except AlreadyPublished:
                self._refresh(entry, repository, file)
                raise
            except Changed:  # somebody who may has replaced or deleted it already
                self._refresh(entry, repository, file)
                made = record(repository, examined, info=stored.info, signature=None)
                return Published(made, stored.over)
            if stored.over is not None and _digest_of(stored.over) != examined.digest:
                self.policing.forget_signatures(repository, file)
            verdict = self.policing.with_provenance(record(repository, examined, info=stored.info, signature=found))
            _record(entry, verdict)
            if beside is not None:
                entry.with_it(beside(verdict))
        done = Published(verdict, stored.over)
        self.tell_replaced(done)
        if isinstance(verdict, PackageRecord):
            self._tell_published(verdict)
        return done

    def rehearse(
        self,
        repository: str,
        examined: Examined,
        signature: bytes | None = None,
        *,
        force: bool = False,
        may_replace: bool = True,
    ) -> Rehearsal:
        """Tell what would come of `publish` with the same arguments; write nothing, and hold no lock.

        What is there may be another thing a moment later: this is no promise.

        Args:
            repository: where to.
            examined: what `admit` said of the package.
            signature: the bytes of its `.prov`.
            force: whether the caller asks for replacing the version, should it be there.
            may_replace: whether this caller may replace any.

        Raises:
            InvalidName, AccessMisconfigured, CatalogIncomplete, CatalogUnavailable, Unavailable: as for `publish`,
                where nothing else would refuse it before.
        """
        check_repository(repository)
        replacing = may_replace and self._may_replace(force=force)
        looking = replace(self, policing=self.policing.looking(), companion=None)
        return looking._rehearse(repository, examined, signature, replacing=replacing)  # noqa: SLF001 - its own

    def _rehearse(self, repository: str, examined: Examined, signature: bytes | None, *, replacing: bool) -> Rehearsal:
        chart, when = examined.package.chart, int(self.clock())
        file = layout.package_file(chart.name, chart.version)
        info = ObjectInfo(layout.key(repository, file), examined.size, State(""), when)
        package: PackageRecord | Withheld = record(repository, examined, info=info, signature=None)
        over: PackageRecord | SetAside | None = None
        refusals: list[ChartrepoError] = []
        try:
            for check in (self.check_writes, *self._checks(repository, examined, signature, when, reserved=False)):
                with _noting(refusals):
                    check()
            known = self.catalog.known(repository, file)
            with _noting(refusals):
                before = known if isinstance(known, PackageRecord) else None
                self._check_stays_seen(before, chart.name, examined.digest, when, signed=signature is not None)
            with _noting(refusals):
                over = self._replaced(known, examined, repository, file, signature, replacing=replacing)
            lies = read_signature(self.packages, repository, file, examined.digest) if signature is None else None
            given = Signature(State(""), counts=True, content=signature) if signature is not None else lies
            made = record(repository, examined, info=info, signature=given)
            package = self.policing.foreseen(made, given)
        except (ChartrepoError, StorageError):
            if not refusals:
                raise  # a publication would have come so far, too
        return Rehearsal(tuple(refusals), package, over)

    def _replaced(
        self,
        known: PackageRecord | SetAside | None,
        examined: Examined,
        repository: str,
        file: str,
        signature: bytes | None,
        *,
        replacing: bool,
    ) -> PackageRecord | SetAside | None:
        """Return what a package would be written over, as `_store` and `_store_signature` find it.

        Raises:
            AlreadyPublished, PackageRefused: they would not write it.
        """
        immutable = self.policing.immutable(repository, examined.package.chart.name)
        occupant = self._look(known, repository, file)
        if known is None or occupant is None:
            self._check_not_deleted(repository, file, immutable)
        if occupant is None or (isinstance(occupant, Withheld) and occupant.digest == examined.digest):
            return None
        if known is None and isinstance(occupant, PackageRecord) and occupant.digest == examined.digest:
            if signature is not None and not replacing:
                beside = State(occupant.state)
                self._replaceable_provenance(repository, file, signature, beside=beside, keep=examined.digest)
            return None
        self._check_replaceable(occupant, examined, replacing=replacing, immutable=immutable)
        return occupant

    def publish_provenance(
        self, repository: str, signature: bytes, *, force: bool = False, may_replace: bool = True
    ) -> PackageRecord | Withheld | None:
        """Publish the provenance of a package that is there, or will come.

        Returns:
            The package, which readers may see now, or for which something is missing still; None while it is to come.

        Raises:
            ProvenanceRefused: it is none, or it speaks of other bytes than those published.
            AlreadyPublished: the package has one already, and it stays.
            InvalidName, CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: as for `publish`.
        """
        check_repository(repository)
        self.check_writes()
        replacing = may_replace and self._may_replace(force=force)
        statement = provenance.parse(signature)
        file = provenance.package_file(statement)
        if replacing and self.policing.immutable(repository, statement.name) is not None:
            replacing = False
        with self.catalog.exclusive(repository, file) as entry:
            known = self._refresh(entry, repository, file)
            if isinstance(known, PackageRecord | Withheld):
                provenance.check_names_package(statement, file, known.digest)
                provenance.check_states_chart(statement, known.name)
                self.policing.check_signature(repository, known.name, known.created, signature)
            else:
                self.policing.check_signature(repository, statement.name, int(self.clock()), signature)
            if isinstance(known, PackageRecord) and known.signed and not replacing:
                raise AlreadyPublished(f"{layout.provenance_file(file)} already exists")
            state = None if known is None else State(known.state)
            keep = known.digest if isinstance(known, PackageRecord) and not replacing else ""
            try:
                over = self._replaceable_provenance(repository, file, signature, beside=state, keep=keep)
                written = self._write_provenance(repository, file, signature, over=over, beside=state, keep=keep)
            except Changed as error:
                raise Unavailable(f"{error}: try again") from None
            if isinstance(known, PackageRecord):
                made = Signature(written, counts=True, content=signature).of(known)
                _record(entry, self.policing.with_provenance(made))
            elif isinstance(known, Withheld):
                self._refresh(entry, repository, file, reread=True)
            now = _known(entry)
        if isinstance(known, Withheld) and isinstance(now, PackageRecord):
            self._tell_published(now)
        return now if isinstance(now, PackageRecord | Withheld) else None

    def delete(self, repository: str, name: str, version: str) -> PackageRecord | SetAside:
        """Delete a version and its provenance, for every reader on return; return what was deleted.

        What is set aside under the version's file name goes too, whatever it holds: nobody is served it, and it keeps
        the version from being published. Where versions are immutable, one that was served, or is only hidden, is gone
        for good; that is remembered first, so whoever dies in between has not deleted it, and can.

        Raises:
            VersionNotFound: there is none.
            CatalogIncomplete, CatalogUnavailable, Unavailable: as for `publish`.
        """
        check_repository(repository)
        self.check_writes()
        file = layout.package_file(name, version)
        missing = VersionNotFound(f"{name!r} has no version {version!r} in this repository")
        if "/" in file or "\0" in file:
            raise missing
        with self.catalog.exclusive(repository, file) as entry:
            known = self._refresh(entry, repository, file)
            if known is None or (isinstance(known, PackageRecord | Withheld) and known.name != name):
                raise missing
            if isinstance(known, PackageRecord) or known.policies:
                self.policing.remember_deleted(repository, name, file)
            self._remove(entry, repository, file, known)
        if isinstance(known, PackageRecord | Withheld):
            self._tell_deleted(known)
        return known

    def delete_chart(
        self, repository: str, name: str, gone: Callable[[PackageRecord | SetAside], None] = lambda _: None
    ) -> int:
        """Delete all versions of a chart; return how many there were. `gone` is told of each when it is.

        Raises:
            ChartNotFound: there is none.
            CatalogIncomplete, CatalogUnavailable, Unavailable: some versions may be gone; calling again goes on.
        """
        check_repository(repository)
        versions: list[PackageRecord | Withheld] = [
            *self.catalog.versions(repository, name),
            *self.catalog.withheld(repository, name),
        ]
        if not versions:
            raise ChartNotFound(f"there is no chart {name!r} in this repository")
        deleted = 0
        for version in versions:
            try:
                gone(self.delete(repository, name, version.version))
                deleted += 1
            except VersionNotFound:
                log.debug("somebody else deleted %r %r first", name, version.version)
        return deleted

    # ---- reading

    def find_package(self, repository: str, file: str) -> Served:
        """Return what is known of a package without opening it.

        Raises:
            FileNotFound: there is none that can be served.
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        served = self.catalog.package(repository, file)
        if served is None and self._state(layout.key(repository, file)) is not None:
            return self._served_after_all(repository, file, file)
        if served is None:
            raise _no_file(file)
        return served

    def withheld(self, repository: str, file: str) -> Withheld | None:
        """Return a package that readers do not see until its provenance is there; None where there is none.

        Raises:
            CatalogIncomplete, CatalogUnavailable: not now.
        """
        found = self.catalog.aside(repository, file) if self.policing.withholds else None
        return found if isinstance(found, Withheld) else None

    def open_withheld(self, package: Withheld) -> Reader:
        """Open a package that readers do not see, for somebody who may.

        Raises:
            FileNotFound: it is another one by now, or gone.
            Unavailable: the storage does not answer.
        """
        try:
            return self.packages.open(layout.key(package.repository, package.file), state=State(package.state))
        except (NotFound, Changed):
            raise _no_file(package.file) from None

    def find_current(self, repository: str, file: str) -> Served:
        """Do as `find_package`, for the package that lies in storage now: another server may have written since."""
        served = self.find_package(repository, file)
        if self._state(layout.key(repository, file)) != served.state:
            return self._served_after_all(repository, file, file)
        return served

    def learn(self, repository: str, chart: str) -> bool:
        """Look in a bucket for packages of a chart that strangers wrote; return whether any were found.

        Replicas that share nothing but a bucket know each other's packages by their keys at once, and by their digests
        from then on. Servers on one folder share their catalog too.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        if self.look is not None or not self.strangers:
            return False
        known, learned = self.catalog.states_of_chart(repository, chart), False
        for info in self.packages.list(layout.key(repository, f"{chart}-")):
            place = layout.place(info.key)
            if place.repository != repository or not layout.is_package(place.file):
                continue
            if known.get(place.file) != info.state:
                learned = isinstance(self.refresh(repository, place.file), PackageRecord) or learned
        return learned

    def open_package(self, repository: str, file: str) -> Opened:
        """Open a package, in the state that the catalog knows, so that the index and the bytes agree.

        While the catalog cannot be asked, the package is served as it lies in storage.

        Raises:
            FileNotFound: there is none that can be served.
            Unavailable: the storage does not answer.
        """
        return self._open(repository, file, file, lambda served: (served.state, True))

    def watch(self, repository: str, file: str) -> Callable[[str], bool] | None:
        """Return what tells whether the package that is opened next would be the same when opened again.

        It takes the state that the package was served in, and looks at the catalog's count of writes and at the file,
        without waiting for anything. None where that cannot be told.
        """
        look = self.look
        if look is None:
            return None
        number, version = self.catalog.watch(repository, file)
        if number is None:
            return None
        key = layout.key(repository, file)
        return lambda state: version() == number and look(key) == state

    def open_provenance(self, repository: str, file: str) -> Opened:
        """Open the provenance of the package `file`, while it names the digest of that package.

        While the catalog cannot be asked, it is served as it lies in storage, whatever it names; Helm compares that
        with the package it got.

        Raises:
            FileNotFound: there is none, or it speaks of other bytes.
            Unavailable: the storage does not answer.
        """
        name = layout.provenance_file(file)
        return self._open(repository, file, name, lambda served: (served.provenance_state, served.signed))

    def refresh(self, repository: str, file: str, *, reread: bool = False) -> PackageRecord | SetAside | None:
        """Bring what the catalog knows of one package in line with the storage, and return it.

        With `reread` the package is read even where its state says that nothing has changed. Without, one that policies
        hid stays so: workers learn of a changed file a moment later than whoever shows again what it does not hide.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: nothing was changed.
        """
        with self.catalog.exclusive(repository, file) as entry:
            return self._refresh(entry, repository, file, reread=reread)

    def tell_replaced(self, published: Published) -> None:
        """Tell the companion of a package that is gone for another one. `publish` does so where it has a companion."""
        over = published.over
        if isinstance(over, PackageRecord | Withheld) and over.digest != published.record.digest:
            self._tell_deleted(over)

    # ---- steps

    def _checks(
        self, repository: str, examined: Examined, signature: bytes | None, moment: int, *, reserved: bool
    ) -> Iterator[Callable[[], None]]:
        """Give what a package and its provenance are asked, whatever else is there; each raises if it is not so.

        Args:
            repository: where to.
            examined: the package.
            signature: the bytes of its `.prov`; None for none.
            moment: when it is published, in seconds since the epoch.
            reserved: as for `publish`.
        """
        chart = examined.package.chart
        yield lambda: self.check_wanted(repository, chart.name, examined, reserved=reserved)
        if signature is not None:
            yield lambda: self._check_signature(repository, examined, signature, moment)

    def _check_signature(self, repository: str, examined: Examined, signature: bytes, moment: int) -> None:
        chart = examined.package.chart
        file = layout.package_file(chart.name, chart.version)
        provenance.check_names_package(provenance.parse(signature), file, examined.digest)
        self.policing.check_signature(repository, chart.name, moment, signature)

    def _check_stays_seen(
        self, known: PackageRecord | None, chart: str, digest: str, moment: int, *, signed: bool
    ) -> None:
        """Refuse to replace what readers see by what they would not see, for then nobody had anything.

        Raises:
            ProvenanceRefused: that would be so.
        """
        if (
            known is not None
            and known.digest != digest
            and self.policing.would_withhold(known.repository, chart, moment, signed=signed)
        ):
            raise ProvenanceRefused(
                f"{known.file} is there, and what replaces it would have to wait for its provenance, unseen: send the "
                ".prov along, or delete that version first"
            )

    def _tell_published(self, package: PackageRecord) -> None:
        if self.companion is not None:
            with _whatever_comes_of_it(package):
                self.companion.published(package)

    def _tell_deleted(self, package: PackageRecord | Withheld) -> None:
        if self.companion is not None:
            with _whatever_comes_of_it(package):
                self.companion.deleted(package)

    def _open(
        self, repository: str, file: str, name: str, known: Callable[[Served], tuple[str | None, bool]]
    ) -> Opened:
        """Open the package `file`, or the file `name` that goes with it, in the state that the catalog knows.

        Args:
            repository: where they lie.
            file: name of the package.
            name: of what is opened.
            known: returns the state that the catalog knows of it, and whether it may be served in that.
        """
        key = layout.key(repository, name)
        try:
            served = self.catalog.package(repository, file)
            for _ in range(_TRIES):
                state, good = (None, False) if served is None else known(served)
                if state is not None and good:
                    with suppress(NotFound, Changed):
                        return Opened(self.packages.open(key, state=State(state)), served)
                else:
                    lies = self._state(key)
                    if lies is None or lies == state:
                        raise _no_file(name)
                served = self._served_after_all(repository, file, name)
        except (CatalogIncomplete, CatalogUnavailable):
            if self.policing.withholds:
                raise  # only the catalog tells what readers may not see
            return Opened(self._open_as_it_lies(key, name), None)
        raise Unavailable(f"{key!r} keeps changing while it is read: try again")

    def _served_after_all(self, repository: str, file: str, name: str) -> Served:
        """Look at a package again of which the catalog did not know what is served; errors as for `find_package`.

        Args:
            repository: where it lies.
            file: its name.
            name: of what was asked for.
        """
        found = self.refresh(repository, file)
        served = self.catalog.package(repository, file)
        if served is None and isinstance(found, SetAside) and found.state == UNTOLD:
            raise _untold(file)
        if served is None:
            raise _no_file(name)
        return served

    def check_writes(self) -> None:
        """Return if two writers are kept apart.

        Raises:
            WritesUnsafe: they are not.
        """
        if not self.writes_are_safe:
            raise WritesUnsafe(
                "this storage does not honour conditional writes: set single_writer to true where only this server "
                "writes, or use a PostgreSQL catalog"
            )

    def admit(self, package: BinaryIO) -> Examined:
        """Read a package.

        Raises:
            PackageRefused: it can never be served.
        """
        package.seek(0)
        return examine(package)

    def check_wanted(self, repository: str, chart: str, examined: Examined, *, reserved: bool = False) -> None:
        """Return if a package that can be served may be published, as `publish` does.

        Args:
            repository: where to.
            chart: by which name policies are looked up.
            examined: the package.
            reserved: also take what Helm accepts though an upload of it is refused.

        Raises:
            PackageRefused: it breaks rules or policies; it tells of all.
            AccessMisconfigured: nobody can tell what policies ask.
        """
        reservations = () if reserved else examined.package.reservations
        found = examined.package.chart
        refusals = self.policing.refusals(
            repository, found if found.name == chart else replace(found, name=chart), examined.size
        )
        if reservations or refusals:
            raise PackageRefused(*reservations, *refusals)

    def _may_replace(self, *, force: bool) -> bool:
        return self.overwrite is Overwrite.ALWAYS or (self.overwrite is Overwrite.FORCE and force)

    def _store(
        self,
        entry: Exclusive,
        repository: str,
        file: str,
        examined: Examined,
        package: BinaryIO,
        *,
        replacing: bool,
        immutable: Immutable | None,
        published: int,
    ) -> _Stored:
        """Write the package under its key, if it may be written.

        The catalog is not told of a package that is found there as it was to be written: that is for whoever
        acknowledges it, so that an upload that fails once more can be repeated.
        """
        key = layout.key(repository, file)
        # Also what is set aside: not every store refuses a create over something that it gives no ETag for.
        occupant: PackageRecord | SetAside | None = entry.package() or entry.set_aside()
        if occupant is not None and not replacing:
            occupant = self._refresh(entry, repository, file)  # it may have been removed by hand
        for _ in range(_TRIES):
            package.seek(0)
            if isinstance(occupant, Withheld) and occupant.digest == examined.digest:
                # Sent again, as with its provenance: what lies there may stay.
                return _Stored(_lies(occupant))
            try:
                if occupant is None:
                    return self._create(repository, file, package, immutable=immutable, published=published)
                self._check_replaceable(occupant, examined, replacing=replacing, immutable=immutable)
                condition = Matching(State(occupant.state))
                return _Stored(self.packages.put(key, package, condition=condition, published=published), occupant)
            except AlreadyExists:
                occupant = self._look(_known(entry), repository, file)
                if isinstance(occupant, PackageRecord | Withheld) and occupant.digest == examined.digest:
                    # Somebody wrote these very bytes and died, or has not yet come to the catalog: finish for them.
                    return _Stored(_lies(occupant), found=isinstance(occupant, PackageRecord))
                _tell(entry, occupant)
            except Changed:
                occupant = self._refresh(entry, repository, file)
        raise Unavailable(f"{key!r} keeps changing while it is written: try again")

    def _create(
        self, repository: str, file: str, package: BinaryIO, *, immutable: Immutable | None, published: int
    ) -> _Stored:
        """Write a package where none is, unless it was deleted for good."""
        key = layout.key(repository, file)
        self._check_not_deleted(repository, file, immutable)
        info = self.packages.put(key, package, condition=ABSENT, published=published)
        # A server with which there is no lock in common may have remembered and deleted it since the first look.
        try:
            self._check_not_deleted(repository, file, immutable)
        except VersionIsFinal:
            with suppress(NotFound, Changed):
                self.packages.delete(key, state=info.state)
            raise
        return _Stored(info)

    def _check_not_deleted(self, repository: str, file: str, immutable: Immutable | None) -> None:
        if immutable is not None and self.policing.was_deleted(repository, file, immutable):
            raise VersionIsFinal(deleted_for_good(file, immutable))

    def _check_replaceable(
        self,
        occupant: PackageRecord | SetAside,
        examined: Examined,
        *,
        replacing: bool,
        immutable: Immutable | None,
    ) -> None:
        chart = examined.package.chart
        if isinstance(occupant, PackageRecord | Withheld) and (occupant.name, occupant.version) != (
            chart.name,
            chart.version,
        ):
            raise PackageRefused(
                f"{occupant.file}: the chart {occupant.name!r} {occupant.version!r} has a package file of this name "
                f"already, and {chart.name!r} {chart.version!r} would share it: choose another name or version"
            )
        if immutable is not None and (replacing if isinstance(occupant, PackageRecord) else occupant.policies):
            digest = occupant.digest if isinstance(occupant, PackageRecord) else ""
            raise VersionIsFinal(
                f"{occupant.file} already exists, and stays as it is: publish a new version ({immutable.by})",
                digest=digest,
            )
        if not replacing:
            if isinstance(occupant, SetAside):
                raise AlreadyPublished(self._in_the_way(occupant))
            raise AlreadyPublished(f"{occupant.file} already exists", digest=occupant.digest)

    def _in_the_way(self, aside: SetAside) -> str:
        remedy = (
            "upload with ?force to replace it" if self.overwrite is Overwrite.FORCE else "set allow_overwrite to force"
        )
        what = f"{aside.file} already exists and cannot be served ({aside.reason})"
        return f"{what}: {remedy}, or delete this version first"

    def _store_signature(
        self, repository: str, file: str, signature: bytes | None, digest: str, stored: _Stored, *, replacing: bool
    ) -> Signature | None:
        """Write the provenance that came along with a package; without one, judge what lies there.

        Raises:
            AlreadyPublished: the package was there already, with another provenance of its own.
            Changed: somebody replaced or deleted the package since.
        """
        if signature is None:
            return read_signature(self.packages, repository, file, digest)
        # What is known of it was known before the package was written: enough to write at once.
        over = stored.over.provenance_state if isinstance(stored.over, PackageRecord | Withheld) else None
        state = self._write_provenance(
            repository,
            file,
            signature,
            over=None if over is None else State(over),
            beside=stored.info.state,
            keep=digest if stored.found and not replacing else "",
        )
        return Signature(state, counts=True, content=signature)

    def _write_provenance(
        self, repository: str, file: str, signature: bytes, *, over: State | None, beside: State | None, keep: str
    ) -> State:
        """Write a provenance file, over none but one in the state `over`, or over what may be replaced beside that.

        Servers that share nothing but a bucket have no lock in common. Whoever replaces a package writes its
        provenance after it; so what is overwritten is only what was there while the package still was in its state.

        Args:
            repository: where to.
            file: name of the package.
            signature: to be written.
            over: the state of the provenance file that lay there before the package came into its state, or since;
                None for none.
            beside: the state of the package; None while it is to come.
            keep: a digest: another provenance file that names it is not replaced. Empty for none.

        Raises:
            AlreadyPublished: there is one to be kept.
            Changed: the package is in another state.
        """
        key = layout.key(repository, layout.provenance_file(file))
        for _ in range(_TRIES):
            try:
                return self.packages.put(key, signature, condition=ABSENT if over is None else Matching(over)).state
            except (AlreadyExists, Changed):
                over = self._replaceable_provenance(repository, file, signature, beside=beside, keep=keep)
        raise Unavailable(f"{key!r} keeps changing while it is written: try again")

    def _replaceable_provenance(
        self, repository: str, file: str, signature: bytes, *, beside: State | None, keep: str
    ) -> State | None:
        """Return the state of the provenance file that may be written over; see `_write_provenance`."""
        lies = read_signature(self.packages, repository, file, keep)
        if lies is not None and lies.counts and lies.content != signature:
            raise AlreadyPublished(f"{layout.provenance_file(file)} already exists", digest=keep)
        if self._state(layout.key(repository, file)) != beside:
            raise Changed(f"{file!r} was changed while its provenance was written")
        return None if lies is None else lies.state

    def _remove(self, entry: Exclusive, repository: str, file: str, known: PackageRecord | SetAside) -> None:
        key = layout.key(repository, file)
        beside = layout.key(repository, layout.provenance_file(file))
        for _ in range(_TRIES):
            signed = known.provenance_state if isinstance(known, PackageRecord | Withheld) else self._state(beside)
            try:
                self.packages.delete(key, state=State(known.state))
                break
            except NotFound:
                break
            except Changed:
                lies = self._refresh(entry, repository, file)
                if lies is None or not _is_as(lies, known):
                    return  # the version is gone; what lies there instead is not what was to be deleted
                known = lies
        else:
            raise Unavailable(f"{key!r} keeps changing while it is deleted: try again")
        entry.remove()
        self.policing.forget_signatures(repository, file)
        # After the package: whoever dies here leaves a provenance file that nobody sees, not an unsigned package.
        if signed is not None:
            with suppress(NotFound, Changed):  # Changed: it is that of who published anew meanwhile
                self.packages.delete(beside, state=State(signed))

    def _refresh(
        self, entry: Exclusive, repository: str, file: str, *, reread: bool = False
    ) -> PackageRecord | SetAside | None:
        """Look at one key in storage, and put right what the catalog knows of it."""
        now = self._look(_known(entry), repository, file, reread=reread)
        if now is None and _known(entry) is not None:
            self.policing.forget_signatures(repository, file)
        _tell(entry, now)
        return now

    def _look(
        self, known: PackageRecord | SetAside | None, repository: str, file: str, *, reread: bool = False
    ) -> PackageRecord | SetAside | None:
        """Return what lies under one key in storage, of which the catalog knows this, as policies let it be served.

        There is next to no work where neither changed, unless `reread` asks for it.
        """
        try:
            reader = self.packages.open(layout.key(repository, file))
        except NotFound:
            return None
        with reader:
            if isinstance(known, Withheld) and known.state == reader.info.state and not reread:
                still = self.policing.still_withheld(known)
                if still is not None:
                    return still
                reread = True
            if known is None or reread or known.state != reader.info.state:
                found = read_open(self.packages, repository, file, reader)
                return self.policing.judge_found(found) if isinstance(found, PackageRecord) else found
        if isinstance(known, SetAside):
            return known
        if known.provenance_state != self._state(layout.key(repository, layout.provenance_file(file))):
            signature = read_signature(self.packages, repository, file, known.digest)
            known = signature.of(known) if signature is not None else without_provenance(known)
        return self.policing.judged(known)

    def _state(self, key: str) -> State | None:
        try:
            return self.packages.stat(key).state
        except NotFound:
            return None

    def _open_as_it_lies(self, key: str, file: str) -> Reader:
        try:
            reader = self.packages.open(key)
        except NotFound:
            raise _no_file(file) from None
        if reader.info.state == UNTOLD:
            reader.close()
            raise _untold(file)
        return reader


@contextmanager
def _whatever_comes_of_it(package: PackageRecord | Withheld) -> Iterator[None]:
    try:
        yield
    except (ChartrepoError, StorageError) as error:
        log.warning("what was pushed for %s is left to gc: %s", layout.key(package.repository, package.file), error)


_REFUSALS: Final = (PackageRefused, ProvenanceRefused, AlreadyPublished, WritesUnsafe)
"""How a publication is refused for what it is; all other errors say that nobody can tell."""


@contextmanager
def _noting(refusals: list[ChartrepoError]) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        refusals.append(error)


def _known(entry: Exclusive) -> PackageRecord | SetAside | None:
    return entry.package() or entry.set_aside()


def _digest_of(package: PackageRecord | SetAside) -> str | None:
    return package.digest if isinstance(package, PackageRecord | Withheld) else None


def _lies(package: PackageRecord | Withheld) -> ObjectInfo:
    key = layout.key(package.repository, package.file)
    return ObjectInfo(key, package.size, State(package.state), package.created)


def _record(entry: Exclusive, package: PackageRecord | Withheld) -> None:
    if isinstance(package, PackageRecord):
        entry.record(package)
    else:
        entry.put_aside(package)


def _is_as(lies: PackageRecord | SetAside, known: PackageRecord | SetAside) -> bool:
    """Return whether what lies under a key is to be deleted as what lay there was: still that chart, or still none."""
    if isinstance(lies, PackageRecord) and isinstance(known, PackageRecord):
        return lies.name == known.name
    return isinstance(lies, SetAside) and isinstance(known, SetAside)


def _tell(entry: Exclusive, lies: PackageRecord | SetAside | None) -> None:
    """Say to the catalog what lies in storage, unless it knows."""
    known = _known(entry)
    if lies == known:
        return
    if isinstance(lies, PackageRecord):
        entry.record(lies)
    elif isinstance(lies, SetAside):
        level = logging.INFO if lies.policies else logging.WARNING
        log.log(level, "%s is set aside: %s", layout.key(lies.repository, lies.file), lies.reason)
        entry.put_aside(lies)
    elif known is not None:
        log.info("%s is gone from storage", layout.key(known.repository, known.file))
        entry.remove()


def _untold(file: str) -> Misconfigured:
    return Misconfigured(f"cannot serve {file!r}: {NO_STATE}")


def _no_file(file: str) -> FileNotFound:
    return FileNotFound(f"there is no {file!r} in this repository")
