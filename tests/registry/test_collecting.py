"""Garbage is collected beside clients that go on: each moment that matters, one by one."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread, current_thread

import pytest

from chartrepo import layout
from chartrepo.catalog.locks import LockFolder
from chartrepo.core import oci
from chartrepo.registry import Blobs, Collected, Collector
from storage.base import ABSENT, Condition, NotFound, ObjectInfo, Readable, State, Storage
from tests.support.faults import FaultyStorage
from tests.support.oci_contents import Content, artifact, digest_of
from tests.support.pushes import blob, put_blob, put_manifest
from tests.support.repositories import NOW, Shop
from tests.support.site import Site

NAME = "team/app"
DATA = b"a blob that nothing needs"
DIGEST = oci.parse_digest(digest_of(DATA))
KEY = layout.blob_key(NAME, DIGEST)
MARK = layout.condemned_key(NAME, DIGEST)
GRACE = 100


class Bucket(FaultyStorage):
    """A storage in which the same bytes are always in the same state, and something happens at certain moments.

    Attributes:
        before_put: by key, what happens before it is written.
        after_put: the same, after it was.
        listed: what happens after each time that all was listed, in turn.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self.before_put: dict[str, Callable[[], object]] = {}
        self.after_put: dict[str, Callable[[], object]] = {}
        self.listed: list[Callable[[], object]] = []

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        self.before_put.pop(key, lambda: None)()
        info = super().put(key, source, condition=condition, published=published, durable=durable)
        self.after_put.pop(key, lambda: None)()
        return info

    def stat(self, key: str) -> ObjectInfo:
        return replace(super().stat(key), state=State("the same"))

    def delete(self, key: str, *, state: State | None = None) -> None:
        super().delete(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        found = [replace(info, state=State("the same")) for info in super().list(prefix)]
        if prefix == layout.name_prefix(NAME) and self.listed:
            self.listed.pop(0)()
        yield from found


def collect(shop: Shop, storage: Storage, *, grace: float = GRACE) -> Collected:
    """Collect garbage as of when what was published at `NOW` is as old as the grace."""
    blobs = Blobs(replace(shop.repositories, packages=storage))
    return Collector(blobs, grace=grace, clock=lambda: NOW + grace).collect()


def test_a_blob_that_is_sent_again_right_before_it_is_condemned_is_there(site: Site, shop: Shop) -> None:
    shop.put(KEY, DATA, published=NOW)
    storage = Bucket(shop.inner)
    storage.before_put[MARK] = lambda: put_blob(site, NAME, DATA)

    assert collect(shop, storage).condemned == 0
    assert blob(site, NAME, str(DIGEST)) == DATA


def test_a_blob_that_is_sent_again_right_before_it_is_removed_stays(site: Site, shop: Shop) -> None:
    shop.put(KEY, DATA, published=NOW)
    shop.inner.put(MARK, b"", condition=ABSENT, published=NOW)
    storage = Bucket(shop.inner)

    def send_again() -> None:
        """As a replica with a catalog of its own does, which does not wait for this one's lock."""
        shop.put(KEY, DATA, published=NOW + GRACE)
        with suppress(NotFound):
            shop.inner.delete(MARK)

    storage.listed = [lambda: None, send_again]  # it is listed before anybody has to wait, too

    assert collect(shop, storage).blobs == 0
    assert blob(site, NAME, str(DIGEST)) == DATA


def test_a_manifest_is_not_refused_while_its_blob_is_condemned_too_late(
    site: Site, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put(KEY, DATA, published=NOW)
    bundle = artifact(layer=Content(DATA))
    put_blob(site, NAME, bundle.blobs[0].data)
    storage = Bucket(shop.inner)
    answers: list[int] = []
    client = Thread(target=lambda: answers.append(put_manifest(site, NAME, bundle.manifest).status_code))

    waits = Event()
    acquire = LockFolder._acquire

    def acquire_and_tell(folder: LockFolder, name: str, patience: float) -> int | None:
        if current_thread() is client:
            waits.set()
        return acquire(folder, name, patience)

    def push_between() -> None:
        """Begin a push, and go on when it waits, or has been refused for the mark."""
        client.start()
        while not waits.wait(0.01) and client.is_alive():
            pass

    monkeypatch.setattr(LockFolder, "_acquire", acquire_and_tell)
    storage.before_put[MARK] = lambda: put_blob(site, NAME, DATA)
    storage.after_put[MARK] = push_between
    collect(shop, storage)
    client.join()

    assert answers == [201]
