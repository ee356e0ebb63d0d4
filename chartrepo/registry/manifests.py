"""Manifests and tags: what a reference gives, and what becomes of one that is pushed.

A tag that is a version of the chart gives the package under the classic key: through the manifest that was pushed for
these bytes, as long as the same `.prov` lies beside them, else through one that is made from both. So both protocols
show the same versions at every moment: this module asks for the package first, and for what was pushed only then.
"""

import hashlib
import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import BinaryIO, Final, NamedTuple

from chartrepo import layout, pushed
from chartrepo.catalog import Artifacts, Change, Content, ContentKind, Held, PackageRecord, TagRecord, Withheld
from chartrepo.core import made_manifests, manifests, oci, provenance, versions
from chartrepo.core.errors import (
    AlreadyPublished,
    BlobUnknown,
    DigestInvalid,
    FileNotFound,
    InvalidVersion,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameUnknown,
    NotDeletable,
    PackageRefused,
    ProvenanceRefused,
    VersionIsFinal,
    VersionNotFound,
)
from chartrepo.core.made_manifests import Part
from chartrepo.core.manifests import ChartParts, Manifest
from chartrepo.core.oci import Descriptor, Digest, Name
from chartrepo.examine import Examined
from chartrepo.registry.blobs import Blobs
from chartrepo.registry.unknown import unknown_name
from chartrepo.repository import Published, Repositories
from chartrepo.trust.attestations import signed_manifest
from storage.base import ABSENT, ANYWAY, AlreadyExists, NotFound, State, Storage

log = logging.getLogger(__name__)

_PIECE: Final = 256 * 1024
_ABOUT_A_DIGEST: Final = re.compile(r"sha(256|512)-[0-9a-f]{64}")
_MADE: Final = frozenset({ContentKind.MANIFEST, ContentKind.SIGNED_MANIFEST})


class Allowed(Enum):
    """What may be pushed."""

    ANY = "any"
    CHARTS = "charts"


class FoundManifest(NamedTuple):
    """A manifest.

    Attributes:
        data: its bytes.
        media_type: what it is.
        digest: of its bytes.
        still: tells, without waiting, whether the same reference would give the same; None where that cannot be told.
        withheld: whether it is of a package that readers do not see for want of provenance.
    """

    data: bytes
    media_type: str
    digest: Digest
    still: Callable[[], bool] | None = None
    withheld: bool = False


class PutManifest(NamedTuple):
    """What became of a manifest that was pushed.

    Attributes:
        digest: of its bytes.
        subject: what it is about, if it is about a manifest.
        tags: that name it now.
        published: the version that was published by it, if one was.
        twice: the package (SHA-256 in hex) that lies as a blob besides, for `Manifests.tidy`; None for none.
        present: version and package (SHA-256 in hex) of the chart that it is, where that was there already.
        waits: whether it is a chart's, and came without a tag, which clients send after it.
    """

    digest: Digest
    subject: Digest | None
    tags: tuple[str, ...]
    published: Published | None
    twice: str | None
    present: tuple[str, str] | None
    waits: bool


class _Chart(NamedTuple):
    """The package of a manifest, judged as an upload.

    Attributes:
        examined: what was read out of it.
        signature: its provenance, which names it; None for none.
    """

    examined: Examined
    signature: bytes | None


class _Push(NamedTuple):
    """A manifest that is pushed, while its OCI repository is held.

    Attributes:
        held: the OCI repository.
        name: of it.
        digest: of the manifest.
        data: its bytes.
        manifest: what they say.
        tags: that it gets; with each the package (SHA-256 in hex) that it is the version of, if it is one.
        may_replace: whether it may replace a version.
    """

    held: Held
    name: Name
    digest: Digest
    data: bytes
    manifest: Manifest
    tags: Mapping[str, str | None]
    may_replace: bool

    @property
    def publishes(self) -> bool:
        """Whether it publishes a version."""
        return any(self.tags.values())


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests and tags of all OCI repositories.

    Attributes:
        repositories: the packages, and the storage.
        blobs: what manifests point at.
        allowed: what may be pushed.
        max_package: the largest package, in bytes.
        new_file: gives an empty file for a package on its way.
    """

    repositories: Repositories
    blobs: Blobs
    allowed: Allowed
    max_package: int
    new_file: Callable[[], BinaryIO]

    @property
    def _storage(self) -> Storage:
        return self.repositories.packages

    @property
    def _artifacts(self) -> Artifacts:
        return self.repositories.catalog.artifacts

    # ---- reading

    def get(self, name: Name, reference: str) -> FoundManifest:
        """Return the manifest that a tag or a digest names.

        Raises:
            NameUnknown, ManifestUnknown: there is none.
            DigestInvalid: the reference is a digest that cannot be one.
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        if oci.is_digest(reference):
            found = self._by_digest(name, oci.parse_digest(reference))
        elif oci.is_tag(reference):
            found = self._by_tag(name, reference)
        else:
            found = None
        if found is None:
            raise self.unknown(name, reference)
        return found

    def unknown(self, name: Name, reference: str) -> ManifestUnknown | NameUnknown:
        """Return the error that says that there is no such manifest."""
        if not self._artifacts.knows(name):
            return unknown_name(name)
        return ManifestUnknown(f"{name} has no manifest {reference[:140]!r}")

    def _by_digest(self, name: Name, digest: Digest) -> FoundManifest | None:
        found = self._pushed(name, digest) or self._made_with_digest(name, digest)
        if found is None and self.repositories.learn(name.repository, name.chart):
            found = self._pushed(name, digest) or self._made_with_digest(name, digest)
        return found

    def _pushed(self, name: Name, digest: Digest) -> FoundManifest | None:
        """Return a manifest that was pushed; None where there is none, or the package is gone that it is of."""
        look = self.repositories.look
        try:
            data, state = pushed.read_manifest(self._storage, name.path, digest)
            manifest = manifests.parse(data)
        except NotFound:
            return None
        except ManifestInvalid as error:
            log.warning("%s", error)
            return None
        key = layout.manifest_key(name.path, digest)
        package_there: Callable[[], bool] | None = None
        if manifest.chart is not None:
            package_there = self._package_there(name, manifest.chart.package.digest)
            if package_there is None:
                return None
            if self.blobs.withholds(name, manifest.chart.package.digest):
                return FoundManifest(data, manifest.media_type, digest, withheld=True)
        still = None
        if look is not None:
            still = _all(lambda: look(key) == state, package_there)
        return FoundManifest(data, manifest.media_type, digest, still)

    def _pushed_bytes(self, name: Name, digest: Digest) -> bytes | None:
        try:
            return pushed.read_manifest(self._storage, name.path, digest)[0]
        except (NotFound, ManifestInvalid):
            return None

    def _package_there(self, name: Name, package: Digest) -> Callable[[], bool] | None:
        """Return what tells whether the package of a manifest still can be had; None where it cannot be had now."""
        look = self.repositories.look
        record = self.blobs.package(name, package.hex)
        if record is not None:
            unchanged = self.repositories.watch(record.repository, record.file)
            state = State(record.state)
            return (lambda: unchanged(state)) if unchanged is not None else _never
        try:
            info = self._storage.stat(layout.blob_key(name.path, package))
        except NotFound:
            return None
        return (lambda: look(info.key) == info.state) if look is not None else _never

    def _made_with_digest(self, name: Name, digest: Digest) -> FoundManifest | None:
        for content in self._artifacts.contents(name, digest):
            if content.kind in _MADE:
                package = content.package
                unchanged = self.repositories.watch(package.repository, package.file)
                found = self._made(package, unchanged, signed=content.kind is ContentKind.SIGNED_MANIFEST)
                if found.digest == digest:
                    return found
        return None

    def _made(
        self, package: PackageRecord, unchanged: Callable[[State], bool] | None, *, signed: bool
    ) -> FoundManifest:
        """Return the manifest of a package that nobody pushed, or that was pushed with another one.

        Args:
            package: what it is made from.
            unchanged: what `Repositories.watch` gave.
            signed: whether its provenance is in it.
        """
        signature = None
        if signed and package.provenance_digest is not None:
            signature = Part(package.provenance_digest, package.provenance_size)
        metadata = made_manifests.metadata_of(package.entry_json)
        data = made_manifests.manifest(metadata, Part(package.digest, package.size), signature)
        state = State(package.state)
        still = None if unchanged is None else lambda: unchanged(state)
        return FoundManifest(data, oci.IMAGE_MANIFEST, oci.digest_of(data), still)

    def _by_tag(self, name: Name, tag: str) -> FoundManifest | None:
        # Before the package is looked up: what comes to it in between, a provenance say, is a change.
        unchanged = self.repositories.watch(name.repository, layout.package_file(name.chart, oci.version_of(tag)))
        package = self._version(name, tag)
        record = self._tag(name, tag)
        if package is None:
            if record is None or record.package is not None:
                return None  # of a version that was deleted nothing is left
            found = self._by_digest(name, oci.parse_digest(record.digest))
        else:
            found = None
            if record is not None and (record.package, record.provenance) == (
                package.digest,
                package.provenance_digest,
            ):
                found = self._pushed(name, oci.parse_digest(record.digest))
            found = found or self._made(package, unchanged, signed=package.signed)
        return None if found is None else self._while_tagged(found, name, tag, record)

    def _while_tagged(self, found: FoundManifest, name: Name, tag: str, record: TagRecord | None) -> FoundManifest:
        """Return a manifest that is what a tag names only as long as the tag is as it was."""
        look = self.repositories.look
        if found.still is None or look is None:
            return found._replace(still=None)
        key, state = layout.tag_key(name.path, tag), record.state if record is not None else None
        if record is not None and record.package is None:
            return found._replace(still=None)  # it could become a version
        return found._replace(still=_all(lambda: look(key) == state, found.still))

    def _version(self, name: Name, tag: str) -> PackageRecord | None:
        """Return the published version that a tag stands for."""
        version = oci.version_of(tag)
        try:
            versions.check(version)
        except InvalidVersion:
            return None
        file = layout.package_file(name.chart, version)
        try:
            served = self.repositories.find_current(name.repository, file)
        except FileNotFound:
            return None
        if (served.name, served.version) != (name.chart, version):
            return None  # `a` 1-2.0 and `a-1` 2.0 have one file name
        return self.blobs.package(name, served.digest)

    def _tag(self, name: Name, tag: str) -> TagRecord | None:
        return pushed.told(lambda: pushed.read_tag(self._storage, name.path, tag))

    # ---- pushing

    def put(
        self,
        name: Name,
        reference: str,
        data: bytes,
        content_type: str,
        tags: Sequence[str] = (),
        *,
        may_replace: bool = True,
    ) -> PutManifest:
        """Take in a manifest; where a tag is its chart's own version, publish the chart. Durable on return.

        Args:
            name: of the OCI repository.
            reference: a tag, or the digest of `data`.
            data: the manifest.
            content_type: what the client says it is; empty for nothing.
            tags: more tags, beside a digest.
            may_replace: whether this caller may replace a version.

        Raises:
            DigestInvalid: the reference is another digest than that of the bytes.
            ManifestInvalid: it breaks a rule, or its chart does; nothing was changed.
            ManifestBlobUnknown: it needs what is not there.
            AlreadyPublished: another package has this version.
            CatalogIncomplete, CatalogUnavailable, NoSpace, Unavailable: not now.
        """
        self.repositories.check_writes()
        digest, wanted = _reference(reference, data, tags)
        manifest = manifests.parse(data, content_type)
        self._check_allowed(manifest, wanted)
        published, twice = None, False
        with self.new_file() as file:
            chart = self._take_chart(name, manifest.chart, file) if manifest.chart is not None else None
            tagged = {tag: self._publishes(name, tag, chart) for tag in wanted}
            self._check_aliases(name, [tag for tag, version in tagged.items() if version is None])
            with self._artifacts.holding(name.path) as held:
                self._check_needs_twice(name, manifest)  # now nobody removes them any more
                self._keep_parts(name, manifest)
                push = _Push(held, name, digest, data, manifest, tagged, may_replace)
                if chart is not None and push.publishes:
                    published, twice = self._publish(push, file, chart)
                else:
                    self._store(push)
        present = None
        if chart is not None and push.publishes and published is None:
            present = (chart.examined.package.chart.version, chart.examined.digest)
        if published is not None:
            self.repositories.tell_replaced(published)
            published = self._look_at_withheld(published)
        self._look_at_signed(name, manifest, wanted)
        return PutManifest(
            digest,
            manifest.subject,
            wanted,
            published,
            chart.examined.digest if chart and twice else None,
            present,
            waits=chart is not None and not wanted,
        )

    def _look_at_withheld(self, published: Published) -> Published:
        """Look again at a package that waits for its provenance: its manifest may have been signed before its tag was.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: it was pushed, and is seen by the next sync.
        """
        package = published.record
        if not isinstance(package, Withheld):
            return published
        found = self.repositories.refresh(package.repository, package.file)
        return published._replace(record=found) if isinstance(found, PackageRecord) else published

    def _look_at_signed(self, name: Name, manifest: Manifest, tags: Sequence[str]) -> None:
        """Look again at the packages whose manifests may have been signed by one that was pushed.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: it was pushed, and is seen by the next sync.
        """
        about = {manifest.subject, *map(signed_manifest, tags)} - {None}
        for record in filter(None, (self._artifacts.manifest(name, str(digest)) for digest in about)):
            if record.chart is None:
                continue
            withheld = self.repositories.catalog.withheld(name.repository, name.chart)
            files = {package.file for package in withheld if package.digest == record.chart}
            published = self.blobs.package(name, record.chart)
            if published is not None and self.repositories.policing.asks_provenance(published):
                files.add(published.file)
            for file in files:
                found = self.repositories.refresh(name.repository, file, reread=True)
                if isinstance(found, PackageRecord) and published is None:
                    self.published(found)

    def _check_allowed(self, manifest: Manifest, tags: Sequence[str]) -> None:
        if self.allowed is Allowed.ANY or manifest.chart is not None or manifest.subject is not None:
            return
        if tags and all(_ABOUT_A_DIGEST.match(tag) for tag in tags):
            return  # signatures and lists of referrers, as they were kept before there was `subject`
        raise ManifestInvalid(
            "manifest: this server takes charts, and what is about one (with a subject), for oci_artifacts is set to "
            "charts: push it elsewhere, or set oci_artifacts to any"
        )

    def _check_aliases(self, name: Name, tags: Sequence[str]) -> None:
        """Refuse to give a version's tag to something else, for the tag would go on naming the version."""
        for tag in tags:
            package = self._version(name, tag)
            if package is not None:
                raise AlreadyPublished(
                    f"the tag {tag} is the version of {package.file}, and this is not its manifest: choose another tag"
                )

    def _check_needs_twice(self, name: Name, manifest: Manifest) -> None:
        """Do as `_check_needs`, and look again before a refusal: another replica may have published what was a blob."""
        try:
            self._check_needs(name, manifest)
        except ManifestBlobUnknown:
            if not self.repositories.learn(name.repository, name.chart):
                raise
            self._check_needs(name, manifest)

    def _check_needs(self, name: Name, manifest: Manifest) -> None:
        for blob in manifest.blobs:
            try:
                size = self.blobs.size(name, blob.digest)
            except BlobUnknown:
                raise _needs_blob(name, blob) from None
            _check_size(blob, size)
        for each in manifest.manifests:
            found = self._by_digest(name, each.digest)
            if found is None:
                raise ManifestBlobUnknown(
                    f"the manifest needs the manifest {each.digest}, which {name} does not have: send it first"
                )
            _check_size(each, len(found.data))

    def _take_chart(self, name: Name, parts: ChartParts, file: BinaryIO) -> _Chart:
        """Read the package of a chart into a file, and judge it as an upload.

        Raises:
            ManifestInvalid: an upload of it would be refused.
        """
        if parts.package.size > self.max_package:
            raise ManifestInvalid(
                f"the package has {parts.package.size} bytes, and {self.max_package} are the most: "
                "raise max_upload_size to allow it"
            )
        if parts.provenance is not None and parts.provenance.size > provenance.MAX_BYTES:
            raise ManifestInvalid(
                f"the provenance has {parts.provenance.size} bytes, and {provenance.MAX_BYTES} are the most: "
                "push the .prov that `helm package --sign` made"
            )
        self._copy(name, parts.package, file)
        signature = None
        try:
            examined = self.repositories.admit(file)
            self.repositories.check_wanted(name.repository, name.chart, examined)
            if parts.provenance is not None:
                chart = examined.package.chart
                signature = self._provenance(name, parts.provenance)
                provenance.check_names_package(
                    provenance.parse(signature), layout.package_file(chart.name, chart.version), examined.digest
                )
        except (PackageRefused, ProvenanceRefused) as error:
            raise ManifestInvalid(str(error)) from None
        return _Chart(examined, signature)

    def _copy(self, name: Name, wanted: Descriptor, file: BinaryIO) -> None:
        try:
            blob = self.blobs.open(name, wanted.digest)
        except BlobUnknown:
            raise _needs_blob(name, wanted) from None
        with blob.reader or io.BytesIO(blob.data) as reader:
            _check_size(wanted, blob.size)
            while piece := reader.read(_PIECE):
                file.write(piece)

    def _provenance(self, name: Name, wanted: Descriptor) -> bytes:
        with self.new_file() as file:
            self._copy(name, wanted, file)
            file.seek(0)
            return file.read(provenance.MAX_BYTES + 1)

    def _store(
        self, push: _Push, package: PackageRecord | Withheld | None = None, *, signature: bytes | None = None
    ) -> None:
        """Write a manifest and its tags.

        Args:
            push: of it.
            package: that it publishes, where that is known to lie under its key; else it is looked up.
            signature: the provenance in it.
        """
        path, parts = push.name.path, push.manifest.chart
        key = layout.manifest_key(path, push.digest)
        try:
            self._storage.put(key, push.data, condition=ABSENT)
        except AlreadyExists:
            if self._pushed_bytes(push.name, push.digest) is None:  # hands put something else there
                self._storage.put(key, push.data, condition=ANYWAY)
        # Of what is published now `tidy` removes the blob in a moment.
        published = isinstance(package, PackageRecord)
        loose = parts is not None and not published and self._is_loose(push.name, parts.package.digest)
        push.held.put_manifest(pushed.manifest_record(path, push.digest, push.data, push.manifest, loose=loose))
        for tag, version_of in push.tags.items():
            self._store_tag(push, tag, version_of, package, signature)

    def _keep_parts(self, name: Name, manifest: Manifest) -> None:
        """Give a manifest blobs of its own of what it needs and belongs to a package, which may be replaced.

        A chart's own package is the exception: with it goes the manifest.
        """
        own = manifest.chart.package.digest if manifest.chart is not None else None
        for blob in manifest.blobs:
            if blob.digest != own:
                self.blobs.keep(name, blob.digest)

    def _is_loose(self, name: Name, package: Digest) -> bool:
        return self.blobs.loose_size(name, package) is not None

    def _publishes(self, name: Name, tag: str, chart: _Chart | None) -> str | None:
        """Return the digest (hex) of the package that a tag is the version of, under its own name; None for others."""
        if chart is None or chart.examined.package.chart.name != name.chart:
            return None
        return chart.examined.digest if oci.tag_of(chart.examined.package.chart.version) == tag else None

    def _publish(self, push: _Push, file: BinaryIO, chart: _Chart) -> tuple[Published | None, bool]:
        """Put the package of a manifest under its own key, and store the manifest.

        Returns:
            What was published, None where it was there already; and whether the package lies as a blob besides.
        """
        digest = chart.examined.digest
        twice = self._is_loose(push.name, oci.sha256(digest))
        published, stored = None, False

        def beside(package: PackageRecord | Withheld) -> Change:
            nonlocal stored
            self._store(push, package, signature=chart.signature)
            stored = True
            return push.held.take()

        if self.blobs.package(push.name, digest) is None:
            published = self._publish_package(push, file, chart, beside)
        if published is None:
            self._add_provenance(push.name, chart.signature)  # pushed again: nothing of the package changes
        if not stored:
            self._store(push)
        return published, twice

    def _publish_package(
        self, push: _Push, file: BinaryIO, chart: _Chart, beside: Callable[[PackageRecord | Withheld], Change]
    ) -> Published | None:
        """Publish a package; None where it is there already."""
        repositories = replace(self.repositories, companion=None)  # which would wait for the lock that is held here
        try:
            return repositories.publish(
                push.name.repository,
                file,
                chart.signature,
                examined=chart.examined,
                beside=beside,
                may_replace=push.may_replace,
            )
        except (PackageRefused, ProvenanceRefused) as error:
            raise ManifestInvalid(str(error)) from None
        except AlreadyPublished as error:
            if error.digest == chart.examined.digest:
                return None
            if isinstance(error, VersionIsFinal):
                raise
            final = repositories.policing.immutable(push.name.repository, push.name.chart) is not None
            remedy = "give this one a new version" + ("" if final else ", or set allow_overwrite to always")
            raise AlreadyPublished(f"{error} and is another package: {remedy}", digest=error.digest) from None

    def _add_provenance(self, name: Name, signature: bytes | None) -> None:
        """Put a provenance beside a package that was there already.

        Raises:
            AlreadyPublished: it has another one.
        """
        if signature is None:
            return
        try:
            self.repositories.publish_provenance(name.repository, signature)
        except AlreadyPublished:
            file = provenance.package_file(provenance.parse(signature))
            with self.repositories.open_provenance(name.repository, file).reader as reader:
                if reader.read() != signature:
                    raise

    def _store_tag(
        self,
        push: _Push,
        tag: str,
        version_of: str | None,
        published: PackageRecord | Withheld | None,
        signature: bytes | None,
    ) -> None:
        beside = None
        if version_of is not None:
            published = published or self._version(push.name, tag)
            if published is None or published.digest != version_of:
                return  # deleted, or replaced, since it was published
            if isinstance(published, PackageRecord):
                beside = published.provenance_digest
            elif signature is not None:  # it may be what counts once the rest is there
                beside = hashlib.sha256(signature).hexdigest()
        path, digest = push.name.path, str(push.digest)
        content = pushed.tag_content(digest, version_of, beside)
        state = self._storage.put(layout.tag_key(path, tag), content, condition=ANYWAY).state
        push.held.put_tag(TagRecord(path, tag, digest, version_of, beside, state))

    def tidy(self, name: Name, package: str) -> None:
        """Remove the blob of a package (SHA-256 in hex) that is published, and lies under its own key too.

        gc would do it as well. So it can wait until a push was answered.
        """
        with self._artifacts.holding(name.path) as held:
            if self.blobs.package(name, package) is not None and not held.needs_blob_of(package):
                with suppress(NotFound):
                    self._storage.delete(layout.blob_key(name.path, oci.sha256(package)))
                if any(record.loose for record in self._artifacts.of_package(name, package)):
                    held.set_loose(package, loose=False)

    # ---- deleting

    def delete(self, name: Name, reference: str) -> Sequence[PackageRecord | Withheld]:
        """Delete a tag, or a manifest with the tags that name it; a version goes with its tag, and its last manifest.

        Returns:
            The versions that went.

        Raises:
            NameUnknown, ManifestUnknown: there is none.
            NotDeletable: it is made from a package, and is not what the package's tag gives.
            DigestInvalid, CatalogIncomplete, CatalogUnavailable, Unavailable: as for `get`.
        """
        self.repositories.check_writes()
        if oci.is_digest(reference):
            return self._delete_manifest(name, oci.parse_digest(reference))
        if oci.is_tag(reference):
            return self._delete_tag(name, reference)
        raise self.unknown(name, reference)

    def _delete_tag(self, name: Name, tag: str) -> Sequence[PackageRecord | Withheld]:
        package = self._version(name, tag) or self._withheld(name, lambda each: oci.tag_of(each.version) == tag)
        if package is not None:
            self._delete_version(name, package)
        with self._artifacts.holding(name.path) as held:
            record = self._tag(name, tag)
            if record is not None and not self._is_of_a_version(name, record):
                _forget_tag(self._storage, held, record)
        if package is None and (record is None or record.package is not None):
            raise self.unknown(name, tag)
        return [package] if package is not None else []

    def _is_of_a_version(self, name: Name, record: TagRecord) -> bool:
        """Return whether a tag was pushed with a version that is there: it was published since another was deleted."""
        package = self._version(name, record.tag)
        return package is not None and record.package == package.digest

    def _withheld(self, name: Name, wanted: Callable[[Withheld], bool]) -> Withheld | None:
        """Return a version that readers do not see for want of provenance."""
        return next(filter(wanted, self.repositories.catalog.withheld(name.repository, name.chart)), None)

    def _delete_version(self, name: Name, package: PackageRecord | Withheld) -> None:
        with suppress(VersionNotFound):  # somebody else deleted it first
            self.repositories.delete(name.repository, package.name, package.version)
        self._forget_manifests_of(name, package)

    # ---- what happens on the classic side

    def published(self, package: PackageRecord) -> None:
        """Take note of a package that was published: where it lies as a blob too, once is enough."""
        name = Name(package.repository, package.name)
        if any(record.loose for record in self._artifacts.of_package(name, package.digest)):
            self.tidy(name, package.digest)

    def deleted(self, package: PackageRecord | Withheld) -> None:
        """Take note of a package that was deleted, or replaced by another: what was pushed for it goes with it."""
        name = Name(package.repository, package.name)
        if self._artifacts.of_package(name, package.digest):
            self._forget_manifests_of(name, package)

    def _forget_manifests_of(self, name: Name, package: PackageRecord | Withheld) -> None:
        """Remove the manifests of a package that is gone, though a copy of it may lie as a blob: see `tidy`.

        Where this does not come to its end, gc removes those of which no copy is left.
        """
        for record in self._artifacts.of_package(name, package.digest):
            with self._artifacts.holding(name.path) as held:
                if self.blobs.package(name, package.digest) is None:
                    self._forget(held, name, oci.parse_digest(record.digest))

    def _delete_manifest(self, name: Name, digest: Digest) -> Sequence[PackageRecord | Withheld]:
        found = self._pushed(name, digest)
        if found is None:
            return self._delete_made(name, digest)
        chart = manifests.parse(found.data).chart
        with self._artifacts.holding(name.path) as held:
            index = held.who_needs(digest)
            if index is not None:
                raise NotDeletable(f"the index {index} needs the manifest {digest}: delete that one first")
            self._forget(held, name, digest)
        if chart is None:
            return []
        digest_of_package = chart.package.digest.hex
        package = self.blobs.package(name, digest_of_package) or self._withheld(
            name, lambda each: each.digest == digest_of_package
        )
        if package is None or self._artifacts.of_package(name, package.digest):
            return []
        self._delete_version(name, package)
        return [package]

    def _delete_made(self, name: Name, digest: Digest) -> Sequence[PackageRecord]:
        contents = [each for each in self._artifacts.contents(name, digest) if each.kind in _MADE]
        for content in contents:
            self._check_is_last(name, content)
            self._delete_version(name, content.package)
        if not contents:
            raise self.unknown(name, str(digest))
        return [content.package for content in contents]

    def _check_is_last(self, name: Name, content: Content) -> None:
        package = content.package
        remedy = f"delete the tag {oci.tag_of(package.version)} to delete the version"
        others = self._artifacts.of_package(name, package.digest)
        if others:
            raise NotDeletable(
                f"this manifest is made from {package.file}, which has others that were pushed "
                f"({others[0].digest}): {remedy}"
            )
        if package.signed and content.kind is ContentKind.MANIFEST:
            raise NotDeletable(
                f"this manifest is made from {package.file}, which has a newer one with its provenance: {remedy}"
            )

    def _forget(self, held: Held, name: Name, digest: Digest) -> None:
        """Remove a manifest and the tags that name it."""
        for record in self._artifacts.tags_of_manifest(name, str(digest)):
            _forget_tag(self._storage, held, record)
        with suppress(NotFound):
            self._storage.delete(layout.manifest_key(name.path, digest))
        held.drop_manifest(str(digest))


def _reference(reference: str, data: bytes, tags: Sequence[str]) -> tuple[Digest, tuple[str, ...]]:
    """Return the digest of a manifest that is pushed, and the tags that it gets."""
    if oci.is_digest(reference):
        digest = oci.parse_digest(reference)
        found = oci.digest_of(data, digest.algorithm)
        if found != digest:
            raise DigestInvalid(f"the manifest was sent as {digest}, and its bytes have {found}: send it again")
        wanted = tuple(dict.fromkeys(tags))
    else:
        digest, wanted = oci.digest_of(data), (reference,)
    for tag in wanted:
        if not oci.is_tag(tag):
            raise ManifestInvalid(
                f"manifest: {tag[:140]!r} cannot be a tag: use up to 128 letters, digits, '_', '.' and '-', "
                "with a letter, a digit or '_' in front"
            )
    return digest, wanted


def _forget_tag(storage: Storage, held: Held, record: TagRecord) -> None:
    with suppress(NotFound):
        storage.delete(layout.tag_key(record.name, record.tag))
    held.drop_tag(record.tag)


def _needs_blob(name: Name, blob: Descriptor) -> ManifestBlobUnknown:
    return ManifestBlobUnknown(f"the manifest needs the blob {blob.digest}, which {name} does not have: send it first")


def _check_size(descriptor: Descriptor, size: int) -> None:
    if descriptor.size != size:
        raise ManifestInvalid(
            f"manifest: {descriptor.digest} is said to have {descriptor.size} bytes, and has {size}: mend its size"
        )


def _all(first: Callable[[], bool], second: Callable[[], bool] | None) -> Callable[[], bool]:
    return first if second is None else lambda: first() and second()


def _never() -> bool:
    return False
