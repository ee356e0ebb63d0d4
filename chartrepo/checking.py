"""The check of a whole storage: every package, its provenance, and what the catalog says of it. Nothing is changed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, SetAside
from chartrepo.comparing import Comparison, Pair, compare, known_to, look_again
from chartrepo.outcomes import Outcome, ReadMany, Task
from chartrepo.policing import Policing
from storage.base import Storage

_UNDER_WAY: Final = 1.0
"""Seconds that an upload takes at most from storage to catalog, in general."""


class Kind(Enum):
    """What was found of a package. The last ones are no faults."""

    SET_ASIDE = "set aside"
    POLICY = "policy"
    DIGEST = "digest"
    PROVENANCE = "provenance"
    UNKNOWN = "unknown"
    MISSING = "missing"
    ENTRY = "entry"
    REWRITTEN = "rewritten"
    RESERVED = "reserved"
    WAITING = "waiting"
    HIDDEN = "hidden"


_HARMLESS: Final = frozenset({Kind.REWRITTEN, Kind.RESERVED, Kind.WAITING, Kind.HIDDEN})


class Finding(NamedTuple):
    """Something to know of a file, in a sentence."""

    kind: Kind
    key: str
    message: str

    @property
    def harmless(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self.kind in _HARMLESS


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a check.

    Attributes:
        packages: how many there are in storage.
        compared: whether there was a catalog to compare them with.
        findings: in the order of keys.
    """

    packages: int
    compared: bool
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found that somebody has to do something about."""
        return all(finding.harmless for finding in self.findings)


def check(packages: Storage, catalog: Catalog, read_many: ReadMany, policing: Policing | None = None) -> Report:
    """Read every package, and compare it with its provenance and with the catalog.

    A catalog that was not built yet is not compared with. Servers may be at work meanwhile.

    Args:
        packages: where they lie.
        catalog: of them.
        read_many: see `chartrepo.outcomes.ReadMany`; it has held to the policies what it gives.
        policing: the policies, where all that breaks them is to be found, also what is served all the same; None where
            they are not to be looked at.

    Raises:
        CatalogUnavailable, Unavailable: catalog or storage do not answer.
    """
    compared = not catalog.needs_rebuild
    breaking: dict[str, tuple[str, ...]] = {}
    noting = read_many if policing is None else _noting(read_many, policing, breaking)
    comparison = compare(packages, known_to(catalog) if compared else {}, noting)
    differing: dict[str, Pair] = {}
    if compared and comparison.differing:
        time.sleep(_UNDER_WAY)
        differing = look_again(packages, catalog, comparison, read_many)
    findings = [*_of_packages(comparison, hidden=Kind.HIDDEN if policing is None else Kind.POLICY)]
    findings += (
        Finding(Kind.POLICY, key, f"it is served, for it was published before the policy holds: {'; '.join(reasons)}")
        for key, reasons in breaking.items()
    )
    findings += (each for pair in differing.items() for each in _of_pair(*pair))
    return Report(len(comparison.listing.packages), compared, tuple(sorted(findings, key=lambda each: each.key)))


def _noting(read_many: ReadMany, policing: Policing, breaking: dict[str, tuple[str, ...]]) -> ReadMany:
    """Return what reads packages, and keeps in `breaking` what those break that are served."""

    def read(tasks: Iterable[Task]) -> Iterator[Outcome]:
        for outcome in read_many(tasks):
            reasons = policing.broken(outcome) if isinstance(outcome, PackageRecord) else ()
            if reasons and isinstance(outcome, PackageRecord):
                breaking[layout.key(outcome.repository, outcome.file)] = reasons
            yield outcome

    return read


def _of_packages(comparison: Comparison, *, hidden: Kind) -> Iterator[Finding]:
    for key, aside in comparison.aside.items():
        if aside.policies:
            yield Finding(hidden, key, f"policies do not let it be served: {aside.reason}")
        else:
            yield Finding(Kind.SET_ASIDE, key, aside.reason)
    for key in comparison.unsigned:
        file = layout.provenance_file(key)
        # Left behind by a version that was overwritten, or come before the package that it speaks of.
        yield Finding(
            Kind.WAITING,
            file,
            "it does not name the digest of the package, or policies do not take it: nobody is given it",
        )
    for key, record in comparison.reserved.items():
        for warning in record.warnings:
            yield Finding(Kind.RESERVED, key, f"it is served, and an upload of it would be refused: {warning}")
    for key in comparison.listing.provenance.keys() - comparison.listing.packages.keys():
        yield Finding(Kind.WAITING, layout.provenance_file(key), "its package is not there")


def _of_pair(key: str, pair: Pair) -> Iterator[Finding]:
    match pair:
        case (PackageRecord() as known, PackageRecord() as found):
            yield from _of_records(key, known, found)
        case (None, PackageRecord()):
            yield Finding(Kind.UNKNOWN, key, "the catalog does not know it yet: the next sync of a server finds it")
        case (SetAside() as known, PackageRecord()) if known.policies:
            yield Finding(Kind.HIDDEN, key, "it is hidden by policies of before: a running server shows it soon")
        case (SetAside() as known, PackageRecord()):
            yield Finding(Kind.UNKNOWN, key, f"the catalog has it set aside ({known.reason}): run chartrepo reindex")
        case (PackageRecord(), SetAside() as found) if not found.policies:
            yield Finding(Kind.ENTRY, key, "the catalog lists it, and it cannot be served: run chartrepo reindex")
        case (PackageRecord(), None):
            yield Finding(Kind.MISSING, key, "the catalog lists it, and it is not in storage: restore it, or reindex")
        case _:
            return  # what is set aside either way, or by policies, is told already


def _of_records(key: str, known: PackageRecord, found: PackageRecord) -> Iterator[Finding]:
    if found.digest != known.digest:
        unnoticed = found.state == known.state
        yield Finding(
            Kind.DIGEST,
            key,
            f"its bytes have the digest {found.digest}, and the catalog says {known.digest}"
            + (", though its size and time say that nothing changed: restore it from a back-up" if unnoticed else ""),
        )
    elif _entry(found) != _entry(known):
        yield Finding(Kind.ENTRY, key, "the catalog's entry is not what the package says: run chartrepo reindex")
    elif (found.provenance_state, found.signed) == (known.provenance_state, known.signed):
        yield Finding(Kind.REWRITTEN, key, "the same bytes were written again since the catalog read them")
    if (found.provenance_state, found.signed) != (known.provenance_state, known.signed):
        file = layout.provenance_file(key)
        yield Finding(
            Kind.PROVENANCE, file, "the catalog knows another one, or none: the next sync of a server sees it"
        )


def _entry(record: PackageRecord) -> tuple[object, ...]:
    return (
        record.name,
        record.version,
        record.size,
        record.created,
        record.entry_json,
        record.entry_yaml,
        record.warnings,
    )
