"""Garbage collection: removing what nothing needs, beside servers that go on.

It goes in two steps, so that a push never loses a blob that it counts upon. What nothing needs is first condemned, by a
mark beside it: from then on nobody is told that it is there, so that whoever needs it sends it again, which takes the
mark away. What is still condemned, and still needed by nothing, when the grace is over is removed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from chartrepo import layout, pushed
from chartrepo.catalog import Held, ManifestRecord, TagRecord
from chartrepo.core import oci
from chartrepo.core.oci import Digest, Name
from chartrepo.registry.blobs import Blobs
from storage.base import ABSENT, AlreadyExists, Changed, NotFound, ObjectInfo, State, Storage


@dataclass(slots=True)
class Collected:
    """What came of it, or would.

    Attributes:
        condemned: blobs that are removed the next time, once the grace is over.
        condemned_bytes: of these.
        spared: blobs that were condemned, and are needed again.
        blobs: that were removed.
        manifests: that were removed: what they are of is gone, or no tag leads to them.
        tags: that were removed: the version is gone, or the manifest.
        freed: bytes, of all that was removed.
    """

    condemned: int = 0
    condemned_bytes: int = 0
    spared: int = 0
    blobs: int = 0
    manifests: int = 0
    tags: int = 0
    freed: int = 0


@dataclass(slots=True)
class _Found:
    """What lies in storage of one OCI repository, and what its manifests say."""

    blobs: dict[Digest, ObjectInfo] = field(default_factory=dict)
    marks: dict[Digest, ObjectInfo] = field(default_factory=dict)
    manifests: dict[Digest, ObjectInfo] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    records: dict[Digest, ManifestRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects garbage.

    Attributes:
        blobs: of all OCI repositories.
        grace: seconds for which a blob stays condemned, and below which nothing is old enough to be.
        untagged: whether manifests that no tag leads to are garbage too.
        dry_run: whether to change nothing, and only say what would be.
        clock: seconds since the epoch.
    """

    blobs: Blobs
    grace: float
    untagged: bool = False
    dry_run: bool = False
    clock: Callable[[], float] = time.time

    @property
    def _storage(self) -> Storage:
        return self.blobs.storage

    def collect(self) -> Collected:
        """Go through all OCI repositories once.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: what was done by then stays so.
        """
        done = Collected()
        for path in self._names():
            # Manifests never change, so most are read before anybody has to wait.
            before = self._look(path, {})
            with self.blobs.repositories.catalog.artifacts.holding(path) as held:
                found = self._look(path, before.records)
                _Collection(self, held, oci.split_name(path), found, done).run()
        return done

    def _names(self) -> list[str]:
        places = (layout.oci_place(info.key) for info in self._storage.list(layout.OCI_PREFIX))
        return sorted({place.path for place in places if place is not None})

    def _look(self, path: str, known: Mapping[Digest, ManifestRecord]) -> _Found:
        found = _Found()
        for info in self._storage.list(layout.name_prefix(path)):
            match layout.oci_place(info.key):
                case layout.BlobPlace(_, digest):
                    found.blobs[digest] = info
                case layout.CondemnedPlace(_, digest):
                    found.marks[digest] = info
                case layout.ManifestPlace(_, digest):
                    found.manifests[digest] = info
                case layout.TagPlace(_, tag):
                    found.tags.append(tag)
        found.records.update(self._read(path, found, known))
        return found

    def _read(
        self, path: str, found: _Found, known: Mapping[Digest, ManifestRecord]
    ) -> Iterator[tuple[Digest, ManifestRecord]]:
        def read(digest: Digest) -> ManifestRecord:
            return pushed.read_manifest_record(self._storage, path, digest, loose=False)

        for digest in found.manifests:
            record = known.get(digest) or pushed.told(partial(read, digest))
            if record is not None:
                yield digest, record


class _Collection:
    """One OCI repository, while nobody else changes what is in it."""

    def __init__(
        self,
        collector: Collector,
        held: Held,
        name: Name,
        found: _Found,
        done: Collected,
    ) -> None:
        self._collector = collector
        self._storage = collector.blobs.storage
        self._held = held
        self._name = name
        self._found = found
        self._manifests = found.records
        self._done = done
        self._now = collector.clock()
        aside = collector.blobs.repositories.catalog.set_aside(name.repository)
        # What was pushed for a version goes with it, and a version that policies hide is not gone.
        self._hides = any(each.policies and each.file.startswith(f"{name.chart}-") for each in aside)

    def run(self) -> None:
        tags = [tag for tag in map(self._tag, self._found.tags) if tag is not None]
        for digest in [each for each in self._manifests if self._is_dead(each)]:
            self._remove_manifest(digest)
        tags = [tag for tag in tags if not self._remove_dead_tag(tag)]
        if self._collector.untagged:
            live = self._reachable(tags)
            for digest in [each for each in self._manifests if each not in live and self._is_old_manifest(each)]:
                self._remove_manifest(digest)
        needed = {need for record in self._manifests.values() for need in record.needs}
        for digest, info in self._found.blobs.items():
            self._judge(digest, info, needed=str(digest) in needed)
        for digest in self._found.marks.keys() - self._found.blobs.keys():
            self._delete(layout.condemned_key(self._name.path, digest))

    # ---- manifests and tags

    def _tag(self, tag: str) -> TagRecord | None:
        return pushed.told(lambda: pushed.read_tag(self._storage, self._name.path, tag))

    def _is_dead(self, digest: Digest) -> bool:
        """Return whether a manifest is of a package that is gone, so that nobody can get it any more."""
        package = self._manifests[digest].chart
        if package is None or self._hides or not self._is_old_manifest(digest):
            return False
        return oci.sha256(package) not in self._found.blobs and not self._is_published(package)

    def _is_published(self, package: str) -> bool:
        return self._collector.blobs.package(self._name, package) is not None

    def _is_old_manifest(self, digest: Digest) -> bool:
        return self._age(self._found.manifests[digest]) >= self._collector.grace

    def _remove_dead_tag(self, tag: TagRecord) -> bool:
        """Remove a tag whose version, or whose manifest, is gone; return whether it is such a one."""
        gone = oci.parse_digest(tag.digest) not in self._manifests
        if tag.package is not None:
            gone = gone or not (self._hides or self._is_published(tag.package))
        elif gone and self._is_made(tag.digest):
            gone = False
        if gone:
            self._done.tags += 1
            self._delete(layout.tag_key(self._name.path, tag.tag))
            if not self._collector.dry_run:
                self._held.drop_tag(tag.tag)
        return gone

    def _is_made(self, digest: str) -> bool:
        contents = self._collector.blobs.repositories.catalog.artifacts.contents(self._name, oci.parse_digest(digest))
        return bool(contents)

    def _reachable(self, tags: list[TagRecord]) -> set[Digest]:
        """Return the manifests that a tag leads to: by itself, as part of an index, or as what they are about."""
        live: set[Digest] = set()
        waiting = [oci.parse_digest(tag.digest) for tag in tags]
        about: dict[str, list[Digest]] = {}
        for digest, record in self._manifests.items():
            if record.subject is not None:
                about.setdefault(record.subject, []).append(digest)
        for subject, referrers in about.items():
            if oci.parse_digest(subject) not in self._manifests and self._is_made(subject):
                waiting += referrers  # about a package, which needs no tag
        while waiting:
            digest = waiting.pop()
            if digest in live:
                continue
            live.add(digest)
            waiting += about.get(str(digest), [])
            if digest in self._manifests:
                parts = map(oci.parse_digest, self._manifests[digest].needs)
                waiting += [part for part in parts if part in self._manifests]
        return live

    def _remove_manifest(self, digest: Digest) -> None:
        self._done.manifests += 1
        self._done.freed += self._found.manifests[digest].size
        self._delete(layout.manifest_key(self._name.path, digest))
        if not self._collector.dry_run:
            self._held.drop_manifest(str(digest))
        del self._manifests[digest]

    # ---- blobs

    def _judge(self, digest: Digest, info: ObjectInfo, *, needed: bool) -> None:
        # A copy of a published package is left where a server died while it published: once is enough.
        by_others = any(
            str(digest) in record.needs and record.chart != digest.hex for record in self._manifests.values()
        )
        if digest.algorithm == oci.ALGORITHMS[0] and not by_others and self._is_published(digest.hex):
            if self._age(info) >= self._collector.grace:
                self._remove_blob(digest, info)
                if not self._collector.dry_run:
                    self._held.set_loose(digest.hex, loose=False)
            return
        mark = self._found.marks.get(digest)
        if needed:
            if mark is not None:
                self._done.spared += 1
                self._delete(mark.key)
            return
        if self._age(info) < self._collector.grace:
            return
        if mark is None and not self._condemn(digest, info):
            return
        if self._collector.grace <= (0.0 if mark is None else self._age(mark)):
            self._remove_blob(digest, info)

    def _condemn(self, digest: Digest, info: ObjectInfo) -> bool:
        """Mark a blob, and return whether it stays marked."""
        if not self._collector.dry_run:
            key = layout.condemned_key(self._name.path, digest)
            with suppress(AlreadyExists):
                self._storage.put(key, b"", condition=ABSENT)
            if not self._is_as_listed(info):
                # Whoever sent it again before it was marked found no mark to take away.
                self._delete(key)
                return False
        if self._collector.grace > 0:
            self._done.condemned += 1
            self._done.condemned_bytes += info.size
        return True

    def _is_as_listed(self, info: ObjectInfo) -> bool:
        """Return whether a blob is still the one that was judged, and not one that was sent again since."""
        try:
            now = self._storage.stat(info.key)
        except NotFound:
            return False
        return now.state == info.state and self._age(now) >= self._collector.grace

    def _remove_blob(self, digest: Digest, info: ObjectInfo) -> None:
        if not self._collector.dry_run:
            # The state of the same bytes is the same in a bucket, so that age has to tell that they were sent again.
            if not self._is_as_listed(info):
                return
            try:
                self._storage.delete(info.key, state=State(info.state))
            except NotFound:
                return
            except Changed:
                return  # sent again in this very moment
        self._done.blobs += 1
        self._done.freed += info.size
        self._delete(layout.condemned_key(self._name.path, digest))

    def _age(self, info: ObjectInfo) -> float:
        """Return how many seconds ago an object was written."""
        published = info.published
        if published is None:  # a bucket's listing does not tell
            try:
                published = self._storage.stat(info.key).published
            except NotFound:
                return 0.0
        return self._now - (published or 0)

    def _delete(self, key: str) -> None:
        if not self._collector.dry_run:
            with suppress(NotFound):
                self._storage.delete(key)
