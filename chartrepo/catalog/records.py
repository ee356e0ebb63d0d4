"""The values that go into the catalog and come out of it."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """Everything that was read out of one package.

    Attributes:
        repository: as `team/app`, empty for the root repository.
        file: the package's file name, `<name>-<version>.tgz`; unique in its repository.
        name: the chart's.
        version: as the chart writes it.
        state: the storage's name for the bytes that were read.
        provenance_state: the same for the `.prov` that was looked at, None when there was none.
        signed: whether that `.prov` counts, which is while it names this package's digest.
        provenance_digest: plain hex SHA-256 of a `.prov` that counts, else None.
        provenance_size: of a `.prov` that counts, in bytes, else 0.
        digest: plain hex SHA-256 of the package.
        size: of the package, in bytes.
        created: time of publication, in seconds since the epoch.
        entry_json: the index entry, without `urls`, as JSON.
        entry_yaml: the same as YAML.
        warnings: what an upload of it would be refused for.
        signer: who signed it, as JSON of `chartrepo.core.signers.Signer`; None where nothing asks for that, or nobody
            did.
    """

    repository: str
    file: str
    name: str
    version: str
    state: str
    provenance_state: str | None
    signed: bool
    provenance_digest: str | None
    provenance_size: int
    digest: str
    size: int
    created: int
    entry_json: str
    entry_yaml: str
    warnings: tuple[str, ...] = ()
    signer: str | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A package that cannot be served, or that policies keep from being served.

    Attributes:
        repository: the folder it lies in, which may be none that can be a repository.
        file: its name in there.
        state: the storage's name for the bytes that were refused; other bytes are read again.
        reason: one sentence for people.
        policies: the fingerprint of the policies that keep it; empty where it cannot be served whatever they say.
    """

    repository: str
    file: str
    state: str
    reason: str
    policies: str = ""


@dataclass(frozen=True, slots=True)
class Withheld(SetAside):
    """A sound package that no reader sees until its provenance is there.

    To all that shows packages it is one that is set aside. Fields as in `PackageRecord`, of the package that it is.
    """

    name: str = ""
    version: str = ""
    digest: str = ""
    size: int = 0
    created: int = 0
    provenance_state: str | None = None


class Served(NamedTuple):
    """What is needed to serve one package, with fields as in `PackageRecord`."""

    state: str
    provenance_state: str | None
    signed: bool
    digest: str
    size: int
    created: int
    name: str
    version: str


class Known(NamedTuple):
    """What a listing of the storage is compared with.

    Attributes:
        repository: or the folder, where the package is set aside.
        file: the package's file name.
        state: as in `PackageRecord` and `SetAside`.
        provenance_state: as in `PackageRecord`; None where the package is set aside for good.
        served: whether it is not set aside.
        withheld: whether it is set aside until its provenance is there.
    """

    repository: str
    file: str
    state: str
    provenance_state: str | None
    served: bool
    withheld: bool = False


class Mark(NamedTuple):
    """Names the content of one repository: two that are equal stand for the same content.

    Attributes:
        catalog: random, another one for every catalog that was ever built.
        revision: grows with every change in the repository; 0 where it holds nothing and never did.
    """

    catalog: str
    revision: int


class Entry(NamedTuple):
    """One version of a chart, as an index shows it.

    Attributes:
        version: as the chart writes it.
        file: the package's file name, from which the URL is made.
        created: in seconds since the epoch.
        stable: not a prerelease.
        text: the index entry without `urls`, in the form that was asked for.
    """

    version: str
    file: str
    created: int
    stable: bool
    text: str


@dataclass(frozen=True, slots=True)
class RepositoryStatus:
    """What one repository holds.

    Attributes:
        name: as `team/app`, empty for the root repository.
        charts: how many it has.
        versions: of all charts.
        size: of all packages, in bytes.
        revision: see `Mark`.
        changed_at: when its index changed last, in seconds since the epoch.
    """

    name: str
    charts: int
    versions: int
    size: int
    revision: int
    changed_at: int


# ---- OCI


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """What was read out of a manifest that was pushed.

    Attributes:
        name: of the OCI repository, as `team/app/web`.
        digest: of the manifest, with its algorithm.
        media_type: of the manifest.
        size: of the manifest, in bytes.
        subject: digest of the manifest that it is about, if it is about one.
        artifact_type: as a list of referrers shows it; None for an index that has none.
        annotations: as JSON.
        chart: plain hex SHA-256 of the package that it is the manifest of; None where it is no Helm chart's.
        loose: whether that package lies as a blob, because it is not published under its own key.
        needs: digests of the blobs and manifests without which it is not whole.
    """

    name: str
    digest: str
    media_type: str
    size: int
    subject: str | None
    artifact_type: str | None
    annotations: str
    chart: str | None
    loose: bool
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagRecord:
    """A tag that was pushed.

    Attributes:
        name: of the OCI repository, as `team/app/web`.
        tag: the tag.
        digest: of the manifest that it names.
        package: where it is a version of the chart, the plain hex SHA-256 of its package; None for any other tag.
        provenance: the same of the `.prov` that lay beside the package when the tag was pushed; None for none.
        state: the storage's name for the bytes that were read.
    """

    name: str
    tag: str
    digest: str
    package: str | None
    provenance: str | None
    state: str


class ContentKind(Enum):
    """What a digest can be that belongs to a package."""

    PACKAGE = "package"
    PROVENANCE = "provenance"
    CONFIG = "config"
    MANIFEST = "manifest"
    SIGNED_MANIFEST = "signed"


class Content(NamedTuple):
    """What can be had of a package by a digest of SHA-256.

    Attributes:
        kind: what it is.
        package: that it belongs to.
    """

    kind: ContentKind
    package: PackageRecord
