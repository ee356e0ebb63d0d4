"""Clients that push under load: charts, tags that move, artifacts with several blobs; they note every answer.

Each has OCI repositories of its own. Where the answer to a request was lost, the state before it and the one after it
are allowed, as `tests.drills.ledger` says.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.drills.clients import REPOSITORIES, Upload, Writer, make, remove
from tests.drills.ledger import NOTHING, Content, Key, Ledger
from tests.drills.pushes import (
    BLOBS,
    FOR_NOW,
    MADE,
    MANIFESTS,
    NONE,
    Item,
    Pushed,
    answered,
    chart,
    has_blob,
    name_of,
    put_manifest,
    repository,
    send_blob,
)
from tests.support import oci_contents
from tests.support.http import Got
from tests.support.oci import Upload as UploadUnderWay
from tests.support.oci_contents import IMAGE, OCTETS, Bundle, index, manifest

_SIZES: Final = (10, 5_000, 50_000, 600_000)
_TRIES: Final = 60
_PAUSE: Final = 0.2
_ALIASES: Final = ("stable", "latest")


@dataclass
class _Chart:
    """A version, and the digests of all manifests that were sent of it."""

    upload: Upload
    manifests: dict[str, oci_contents.Content] = field(default_factory=dict)


@dataclass
class _Artifact:
    """A manifest that no other one needs, and the tags that were ever moved to it."""

    name: str
    bundle: Bundle
    tags: set[str] = field(default_factory=set)


class Pusher(Writer):
    """Pushes, and deletes what it pushed; see `Writer`.

    Args:
        number: of the client, from 0.
        base: gives the address of the server to ask next.
        ledger: takes what is said of packages.
        book: takes what is said of blobs and manifests.
        seed: of all choices.
    """

    def __init__(self, number: int, base: Callable[[], str], ledger: Ledger, book: Pushed, *, seed: int) -> None:
        super().__init__(number, base, seed=seed)
        self._ledger = ledger
        self._book = book
        self._charts: list[_Chart] = []
        self._artifacts: list[_Artifact] = []
        self._count = 0

    def _act(self) -> Got | None:
        choice = self._chance.random()
        if choice < 0.3 or not self._charts:
            return self._push_chart(self._new_chart())
        if choice < 0.45:
            return self._push_chart(self._chance.choice(self._charts))
        if choice < 0.6:
            return self._move_alias(self._chance.choice(self._charts))
        if choice < 0.7:
            return self._delete_version(self._charts.pop(self._chance.randrange(len(self._charts))))
        if choice < 0.9 or not self._artifacts:
            return self._push_artifact()
        return self._delete_artifact(self._artifacts.pop(self._chance.randrange(len(self._artifacts))))

    # ---- blobs

    def _send(self, name: str, content: oci_contents.Content) -> Got | None:
        """Have a blob there."""
        got = has_blob(self._base(), name, content)
        if got is None or got.status != 404:
            return got
        item = Item(name, BLOBS, content.digest)
        self._book.begin(item, content.digest)
        if len(content.data) > 1000 and self._chance.random() < 0.5:
            got = self._send_in_pieces(name, content)
        else:
            got = send_blob(self._base(), name, content)
        self._note(item, content.digest, got, kind=BLOBS)
        return got

    def _send_in_pieces(self, name: str, content: oci_contents.Content) -> Got | None:
        """Send a blob piece by piece, and go on where a connection broke."""
        place = repository(self._base(), name)
        got = answered(place.post_upload)
        if got is None or got.status != 202:
            return got
        upload, sent = place.begun(got), 0
        step = max(1000, len(content.data) // self._chance.randint(2, 4))
        for _ in range(_TRIES):
            if sent < len(content.data):
                got = self._patch(upload, content.data[sent : sent + step], sent)
                took = got is not None and got.status == 202
                sent += min(step, len(content.data) - sent) if took else 0
            else:
                got = answered(lambda: upload.close(content.digest))
                took = False
            if got is not None and got.status in {201, 404}:
                return got if got.status == 201 else self._begin_again(name, content)
            if not took:
                here = self._ask(upload)
                if here is None:
                    return self._begin_again(name, content)
                if here < sent:
                    self._book.strange.append(f"{name}: {here} bytes of an upload are there, and {sent} were promised")
                self._book.count("uploads gone on with")
                sent = here
        return None

    @staticmethod
    def _patch(upload: UploadUnderWay, piece: bytes, sent: int) -> Got | None:
        return answered(lambda: upload.patch(piece, at=sent))

    def _ask(self, upload: UploadUnderWay) -> int | None:
        """Ask how far an upload came until somebody knows; None where it is unknown."""
        for _ in range(_TRIES):
            got = answered(upload.ask)
            if got is not None and got.status == 204:
                last = int(str(got.headers["Range"]).partition("-")[2])
                return last + 1 if last else 0
            if got is not None and got.status == 404:
                return None
            self._stopping.wait(_PAUSE)
        return None

    def _begin_again(self, name: str, content: oci_contents.Content) -> Got | None:
        self._book.count("uploads begun again")
        return send_blob(self._base(), name, content)

    # ---- manifests

    def _put(self, name: str, content: oci_contents.Content, reference: str, kind: str) -> Got | None:
        item = Item(name, MANIFESTS, reference)
        self._book.begin(item, content.digest)
        got = put_manifest(self._base(), name, content, reference)
        self._note(item, content.digest, got, kind=kind)
        return got

    def _push(self, name: str, bundle: Bundle) -> Got | None:
        """Push all but tags; the first no, or the last answer."""
        for content in bundle.all_blobs():
            got = self._send(name, content)
            if got is None or got.status >= 300:
                return got
        got = None
        for each in bundle.all_manifests():
            got = self._put(name, each, each.digest, MANIFESTS)
            if got is None or got.status != 201:
                return got
        return got

    def _note(self, item: Item, digest: str, got: Got | None, *, kind: str) -> None:
        if got is not None and got.status == 201:
            self._book.acknowledge(item, digest, kind)
            return
        self._blame(item.path, got)
        self._book.doubt(item, digest)

    def _blame(self, path: str, got: Got | None) -> None:
        if got is not None and got.status not in FOR_NOW:
            self._book.strange.append(f"{path}: the answer was {got.status} {got.text[:200]}")

    # ---- charts

    def _new_chart(self) -> _Chart:
        self._count += 1
        key = Key(self._chance.choice(REPOSITORIES), f"pushed-{self._number}-{self._count % 5}", f"1.{self._count}.0")
        return _Chart(make(key, self._chance, signed=self._chance.random() < 0.25))

    def _push_chart(self, what: _Chart) -> Got | None:
        """Push a version, with another manifest each time."""
        if what not in self._charts:
            self._charts.append(what)
        upload, name = what.upload, name_of(what.upload.key)
        bundle = chart(upload, f"moment {len(what.manifests)}")
        what.manifests[bundle.digest] = bundle.manifest
        got = self._push(name, bundle)
        if got is None or got.status != 201:
            return got
        item = Item(name, MANIFESTS, upload.key.version)
        self._ledger.begin(upload.key, upload.content.package)
        self._book.begin(item, bundle.digest)
        got = put_manifest(self._base(), name, bundle.manifest, upload.key.version)
        if got is not None and got.status == 201:
            self._ledger.acknowledge(upload.key, upload.content, "pushes")
            self._book.acknowledge(item, bundle.digest, "versions")
        else:
            self._blame(item.path, got)
            # A package whose provenance, or tag, did not follow was never acknowledged, and is sound by itself.
            self._ledger.doubt(upload.key, upload.content, Content(upload.content.package))
            self._book.doubt(item, bundle.digest, MADE)
        return got

    def _move_alias(self, what: _Chart) -> Got | None:
        name = name_of(what.upload.key)
        known = self._book.settled()
        for digest, content in what.manifests.items():
            page = known.get(Item(name, MANIFESTS, digest))
            if page is not None and page.allowed == {digest}:
                return self._put(name, content, self._chance.choice(_ALIASES), "aliases")
        return self._push_chart(what)

    def _delete_version(self, what: _Chart) -> Got | None:
        key, name = what.upload.key, name_of(what.upload.key)
        tag = Item(name, MANIFESTS, key.version)
        blobs = [Item(name, BLOBS, each.digest) for each in chart(what.upload, "").blobs]
        manifests = [Item(name, MANIFESTS, digest) for digest in what.manifests]
        aliases = [Item(name, MANIFESTS, alias) for alias in _ALIASES]
        before = self._begin_all([tag, *manifests, *aliases, *blobs])
        self._ledger.begin(key)
        if self._chance.random() < 0.5:
            got = remove(self._base(), key)
        else:
            place = repository(self._base(), name)
            got = answered(lambda: place.delete_manifest(key.version))
        gone = {*what.manifests, MADE}
        if got is not None and got.status in {200, 202}:
            self._ledger.acknowledge(key, NOTHING, "deletes")
            for item in (tag, *manifests, *aliases):
                self._settle(item, before, gone=gone)
            for item in blobs:  # until a gc, and for as long as nobody else needs them
                self._settle(item, before, gone=gone, perhaps=True)
        elif got is not None and got.status == 404:
            self._ledger.learn(key, lambda content: content == NOTHING, "404 said that it is not there")
            self._settle(tag, before, gone=gone)
            for item in (*manifests, *aliases, *blobs):
                self._settle(item, before, gone=set())
        else:
            self._blame(key.path, got)
            self._ledger.doubt(key, NOTHING)
            for item in (tag, *manifests, *aliases, *blobs):
                self._settle(item, before, gone=gone, perhaps=True)
        return got

    def _begin_all(self, items: Iterable[Item]) -> dict[Item, frozenset[str]]:
        """Note that a request begins which may change all these, and return what they are allowed to be so far."""
        known = self._book.settled()
        before = {item: known[item].allowed for item in items if item in known}
        for item in before:
            self._book.begin(item)
        return before

    def _settle(self, item: Item, before: dict[Item, frozenset[str]], *, gone: set[str], perhaps: bool = False) -> None:
        """Say what an item may be after what is in `gone` was deleted, or perhaps was."""
        if item not in before:
            return
        hit = {*before[item]} & gone or item.kind == BLOBS
        left = before[item] if perhaps else before[item] - gone
        self._book.decide(item, {*left, NONE} if hit and gone else before[item])

    # ---- artifacts

    def _push_artifact(self) -> Got | None:
        name = f"artifacts/of-{self._number}"
        bundle = self._image()
        if self._chance.random() < 0.2:
            bundle = index(bundle, self._image())
        what = _Artifact(name, bundle)
        self._artifacts.append(what)
        got = self._push(name, bundle)
        if got is None or got.status != 201:
            return got
        tag = self._chance.choice((f"v{len(self._artifacts)}", *_ALIASES))
        what.tags.add(tag)
        return self._put(name, bundle.manifest, tag, "tags")

    def _image(self) -> Bundle:
        self._count += 1
        config = oci_contents.Content(json.dumps({"number": self._count}).encode(), OCTETS)
        sizes = [self._chance.choice(_SIZES) for _ in range(self._chance.randint(1, 3))]
        layers = [oci_contents.Content(self._chance.randbytes(size), OCTETS) for size in sizes]
        described = [layer.described() for layer in layers]
        return Bundle(manifest(IMAGE, config=config.described(), layers=described), (config, *layers))

    def _delete_artifact(self, what: _Artifact) -> Got | None:
        digest = what.bundle.digest
        item = Item(what.name, MANIFESTS, digest)
        tags = [Item(what.name, MANIFESTS, tag) for tag in what.tags]
        before = self._begin_all([item, *tags])
        place = repository(self._base(), what.name)
        got = answered(lambda: place.delete_manifest(digest))
        if got is not None and got.status == 202:
            self._book.count("deletes")
            for each in (item, *tags):
                self._settle(each, before, gone={digest})
        elif got is not None and got.status == 404 and NONE in before.get(item, {NONE}):
            for each in (item, *tags):
                self._settle(each, before, gone={digest})
        else:
            self._blame(item.path, got)
            for each in (item, *tags):
                self._settle(each, before, gone={digest}, perhaps=True)
        return got
