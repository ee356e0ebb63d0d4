"""Policies applied: to what comes in, and to what lies in the storage.

At the door a policy holds as soon as its `since` has come. What lies in the storage is judged by its time of
publication, which travels with the bytes, and by nothing that could be lost: so it comes out the same after a reindex,
on a new replica, and without the catalog that knew it. What is not to be served is set aside with the reason.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from chartrepo import layout
from chartrepo.catalog import PackageRecord, SetAside, Withheld
from chartrepo.core.chart import ChartVersion
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.policies import NO_POLICIES, Immutable, Policies
from chartrepo.core.signers import Demand, KeyState, Signer
from chartrepo.deletions import Deletions
from chartrepo.examine import Signature
from chartrepo.outcomes import Outcome, ReadMany, Task
from chartrepo.trust.judge import Trust, check
from chartrepo.watched import Watched

Judge = Callable[[PackageRecord], PackageRecord | SetAside]
"""Says of a package that it is served, or why not."""


class Policing:
    """The policies that are in force now. Safe to share between threads.

    Args:
        file: of policies; None where there are none.
        deletions: where those are remembered that are for good; None where nothing is written or found.
        trust: judges provenance; None where nothing is judged.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        file: Watched[Policies] | None = None,
        deletions: Deletions | None = None,
        trust: Trust | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._deletions = deletions
        self._trust = trust
        self._clock = clock

    @property
    def policies(self) -> Policies:
        """What the file says, as of a second ago at most.

        Raises:
            AccessMisconfigured: it never could be read.
        """
        return self._file.value if self._file is not None else NO_POLICIES

    def check(self) -> None:
        """Read the file now.

        Raises:
            AccessMisconfigured: it cannot be used; it tells of all that is wrong with it.
        """
        if self._file is not None:
            self._file.check()

    def files(self) -> Mapping[str, bool]:
        """Return whether the file can be used as it is now, by the setting that names it."""
        return {"policies": self._file.problem is None} if self._file is not None else {}

    # ---- at the door

    def refusals(self, repository: str, chart: ChartVersion, size: int) -> tuple[str, ...]:
        """Return all that a chart breaks which is to be published now, a sentence each."""
        return self.policies.broken_by(repository, chart, size, int(self._clock()))

    def immutable(self, repository: str, chart: str) -> Immutable | None:
        """Return by what the versions of a chart are immutable now; None where they are not."""
        return self.policies.immutable_since(repository, chart, int(self._clock()))

    def check_signature(self, repository: str, chart: str, moment: int, signature: bytes) -> None:
        """Return if policies take a provenance file.

        Args:
            repository: where to.
            chart: its name.
            moment: when it is or was published, in seconds since the epoch.
            signature: the provenance file.

        Raises:
            ProvenanceRefused: one of them does not.
        """
        check(self.policies.demands(repository, chart, moment), signature)

    def requires_provenance(self, repository: str, chart: str, moment: int) -> bool:
        """Return whether a chart that is published at a moment is seen only with a signature."""
        return any(demand.required for demand in self.policies.demands(repository, chart, moment))

    def would_withhold(self, repository: str, chart: str, moment: int, *, signed: bool) -> bool:
        """Return whether a chart that is published at a moment has to wait for more than it comes with.

        Args:
            repository: where to.
            chart: its name.
            moment: when, in seconds since the epoch.
            signed: whether it comes with a provenance file that policies take.
        """
        demands = self.policies.demands(repository, chart, moment)
        return any(demand.required and not (signed and demand.keyring is not None) for demand in demands)

    def asks_provenance(self, package: PackageRecord) -> bool:
        """Return whether policies ask anything of the provenance of a package."""
        return bool(self._demands_on(package))

    def forget_signatures(self, repository: str, file: str) -> None:
        """Take note of a package that is gone, or was replaced: what was signed there before is signed no more."""
        if self._trust is not None:
            self._trust.forget(repository, file)

    def remember_deleted(self, repository: str, chart: str, file: str) -> None:
        """Remember, where versions of the chart are immutable, that one is going to be deleted; durable on return.

        Raises:
            NoSpace, Unavailable: the deletion must not be gone on with.
        """
        if self._deletions is not None and self.immutable(repository, chart) is not None:
            self._deletions.remember(repository, file, int(self._clock()))

    def was_deleted(self, repository: str, file: str, immutable: Immutable) -> bool:
        """Return whether a version was deleted for good.

        Raises:
            Unavailable: the storage does not answer.
        """
        return self._deletions is not None and _is_final(self._deletions.last(repository, file), immutable)

    # ---- what lies in the storage

    def judged(self, package: PackageRecord, *, deleted: int | None = None) -> PackageRecord | SetAside:
        """Return a package as it is, or set aside where policies keep it from being served.

        Args:
            package: as it was read.
            deleted: when a package of this key was deleted last, in seconds since the epoch; None for never.
        """
        policies = self.policies
        if not policies.policies:
            return self.with_provenance(package)
        reasons = policies.broken_by(package.repository, _chart(package), package.size, package.created)
        if deleted is not None:
            immutable = policies.immutable_since(package.repository, package.name, int(self._clock()))
            if immutable is not None and _is_final(deleted, immutable):
                reasons = (deleted_for_good(package.file, immutable), *reasons)
        if not reasons:
            return self.with_provenance(package)
        return SetAside(
            package.repository, package.file, package.state, "; ".join(reasons), policies=policies.fingerprint
        )

    def with_provenance(self, package: PackageRecord) -> PackageRecord | Withheld:
        """Return a package with who signed it, or withheld until its provenance is there, as policies ask.

        Raises:
            StorageError: nobody knows.
        """
        demands = self._demands_on(package)
        if not demands or self._trust is None:
            return package if package.signer is None else replace(package, signer=None)
        return self._trust.judged(package, demands, policies=self.policies.fingerprint)

    def looking(self) -> "Policing":
        """Return the same policies for somebody who tries something out: what is accepted is not noted."""
        trust = self._trust.looking() if self._trust is not None else None
        return Policing(self._file, self._deletions, trust, self._clock)

    def foreseen(self, package: PackageRecord, signature: Signature | None) -> PackageRecord | Withheld:
        """Do as `with_provenance` with a package and a provenance file that need not be in the storage.

        Raises:
            StorageError: nobody knows.
        """
        demands = self._demands_on(package)
        if not demands or self._trust is None:
            return package
        return self._trust.judged_with(package, signature, demands, policies=self.policies.fingerprint)

    @property
    def withholds(self) -> bool:
        """Whether policies may keep packages from readers for want of provenance."""
        return self.policies.requires_provenance

    def still_withheld(self, package: Withheld) -> Withheld | None:
        """Return a package as it is withheld now; None where it has to be read, and judged by that.

        What other policies than those of now withheld stays so, as all that they hid: see `Repositories.refresh`.

        Raises:
            StorageError: nobody knows.
        """
        demands = self.policies.demands(package.repository, package.name, package.created)
        if self._trust is None or self.is_outdated(package):
            return package
        return self._trust.still_withheld(package, demands, policies=self.policies.fingerprint)

    def key_state(self, package: PackageRecord, signer: Signer) -> KeyState:
        """Return what the signature by which a package was accepted is worth today.

        Raises:
            StorageError: nobody knows.
        """
        if self._trust is None:
            return KeyState.UNKNOWN
        return self._trust.state(package, signer, self._demands_on(package))

    def _demands_on(self, package: PackageRecord) -> tuple[Demand, ...]:
        return self.policies.demands(package.repository, package.name, package.created)

    def judge_found(self, package: PackageRecord) -> PackageRecord | SetAside:
        """Do as `judged`, with a package that the catalog did not know in this state: is it one that was deleted?

        Raises:
            Unavailable: the storage does not answer.
        """
        deleted = None
        if self._deletions is not None and self.immutable(package.repository, package.name) is not None:
            deleted = self._deletions.last(package.repository, package.file)
        return self.judged(package, deleted=deleted)

    def is_outdated(self, aside: SetAside) -> bool:
        """Return whether a package was set aside by policies that were others than those of now."""
        return bool(aside.policies) and aside.policies != self.policies.fingerprint

    def judge_of_many(self) -> Judge:
        """Return what does as `judge_found` with any number of packages, and asks the storage once.

        Raises:
            Unavailable: the storage does not answer.
        """
        deleted: Mapping[str, int] = {}
        if self._deletions is not None and self.policies.makes_immutable:
            deleted = self._deletions.all()
        return lambda package: self.judged(package, deleted=deleted.get(layout.key(package.repository, package.file)))

    def reading(self, read_many: ReadMany) -> ReadMany:
        """Return what reads many packages and judges them."""

        def read(tasks: Iterable[Task]) -> Iterator[Outcome]:
            judge = self.judge_of_many()
            for outcome in read_many(tasks):
                yield judge(outcome) if isinstance(outcome, PackageRecord) else outcome

        return read

    def broken(self, package: PackageRecord) -> tuple[str, ...]:
        """Return all that a package would break if it was published now, or at any time that a policy is for.

        Raises:
            StorageError: nobody knows.
        """
        reasons = self.policies.broken_by(package.repository, _chart(package), package.size, None)
        demands = self.policies.demands(package.repository, package.name, None)
        if not demands or self._trust is None:
            return reasons
        return (*reasons, *self._trust.broken(package, demands))


def deleted_for_good(file: str, immutable: Immutable) -> str:
    """Return the sentence that tells why a version does not come back."""
    return f"{file} was deleted, and a deleted version does not come back: publish a new version ({immutable.by})"


def _is_final(deleted: int | None, immutable: Immutable) -> bool:
    return deleted is not None and deleted >= immutable.since


def _chart(package: PackageRecord) -> ChartVersion:
    return ChartVersion(package.name, package.version, metadata_of(package.entry_json))
