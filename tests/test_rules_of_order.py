"""The nine rules of order of docs/architecture.md, each held in a moment that is made to come, not waited for.

Servers are replicas of one storage. Some share a catalog and its locks; of two that share the catalog but no locks
(somebody removed them, a connection was cut) conditions alone must decide; those on a bucket alone share neither.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import pytest

from chartrepo.building import build
from chartrepo.catalog import Catalog, PackageRecord, open_catalog, sqlite
from chartrepo.core.errors import (
    AlreadyPublished,
    CatalogIncomplete,
    CatalogUnavailable,
    FileNotFound,
    PackageRefused,
    VersionNotFound,
)
from chartrepo.core.index import Form
from chartrepo.indexes import Indexes
from chartrepo.published import PublishedIndexes
from chartrepo.reading import read_many
from chartrepo.repository import Opened, Repositories
from chartrepo.serve.wishes import Wishes
from chartrepo.snapshot import Snapshot
from chartrepo.sync import sync
from storage.base import (
    ABSENT,
    Abilities,
    AlreadyExists,
    Condition,
    Matching,
    ObjectInfo,
    Readable,
    Reader,
    State,
    Storage,
    Unavailable,
)
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from tests.support.http import get
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.repositories import NOW, Shop, provenance
from tests.support.server import running

APP = package()
OTHER = package(appVersion="2.0")
THIRD = package(appVersion="3.0")
FILE = "app-1.0.0.tgz"
PROVENANCE = "app-1.0.0.tgz.prov"

Operation = Literal["put", "open", "stat", "delete", "list"]
Happening = Callable[[], object]


class Asked(NamedTuple):
    """A change that a storage was asked for, and the state it was asked for in; the condition, of a `put`."""

    operation: Operation
    key: str
    expected: Condition | State | None


class Eventful:
    """A storage on the way to which something happens, once, at a moment that a test names.

    Attributes:
        asked: the changes it was asked for, in order.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._before: dict[tuple[Operation, str], Happening] = {}
        self._after: dict[tuple[Operation, str], Happening] = {}
        self.asked: list[Asked] = []

    def before(self, operation: Operation, key: str, happens: Happening) -> None:
        self._before[operation, key] = happens

    def after(self, operation: Operation, key: str, happens: Happening) -> None:
        self._after[operation, key] = happens

    def check(self, *, writable: bool = True) -> Abilities:
        return self._inner.check(writable=writable)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        self.asked.append(Asked("put", key, condition))
        self._happen(self._before, "put", key)
        info = self._inner.put(key, source, condition=condition, published=published, durable=durable)
        self._happen(self._after, "put", key)
        return info

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        return self._inner.copy(key, source, origin=origin)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        self._happen(self._before, "open", key)
        return self._inner.open(key, state=state, start=start, length=length)

    def stat(self, key: str) -> ObjectInfo:
        self._happen(self._before, "stat", key)
        return self._inner.stat(key)

    def delete(self, key: str, *, state: State | None = None) -> None:
        self.asked.append(Asked("delete", key, state))
        self._happen(self._before, "delete", key)
        self._inner.delete(key, state=state)
        self._happen(self._after, "delete", key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        listing = [*self._inner.list(prefix)]
        self._happen(self._after, "list", prefix)
        yield from listing

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        return self._inner.url(key, expires=expires, filename=filename)

    def remove_leftovers(self) -> int:
        return self._inner.remove_leftovers()

    def _happen(self, what: dict[tuple[Operation, str], Happening], operation: Operation, key: str) -> None:
        happens = what.pop((operation, key), None)
        if happens is not None:
            happens()


class Server:
    """A replica.

    Attributes:
        storage: as it sees it.
        repositories: its use cases.
    """

    def __init__(self, inner: Storage, catalog: Catalog) -> None:
        self.storage = Eventful(inner)
        self.repositories = Repositories(self.storage, catalog, clock=lambda: NOW)

    def publish(self, data: bytes, signature: bytes | None = None, *, force: bool = False) -> PackageRecord:
        return self.repositories.publish("", io.BytesIO(data), signature, force=force).record


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """What all servers of a test share."""
    shop = Shop(tmp_path / "shared")
    shop.build()
    return shop


@pytest.fixture
def server(shop: Shop) -> Server:
    return Server(shop.inner, shop.catalog)


@pytest.fixture
def unlocked(shop: Shop, tmp_path: Path) -> Iterator[Server]:
    """A second server on the same catalog, which the locks do not keep out."""
    catalog = open_catalog(
        f"sqlite:///{shop.folder}/catalog.sqlite", lock_dir=tmp_path / "other-locks", storage_id="the storage"
    )
    yield Server(shop.inner, catalog)
    catalog.close()


@pytest.fixture
def impatient(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A second server on the same catalog and locks, which does not wait for a lock."""
    monkeypatch.setattr(sqlite, "_LOCK_SECONDS", 0)
    catalog = open_catalog(
        f"sqlite:///{shop.folder}/catalog.sqlite", lock_dir=shop.folder / "locks", storage_id="the storage"
    )
    yield Server(shop.inner, catalog)
    catalog.close()


@pytest.fixture
def elsewhere(shop: Shop, tmp_path: Path) -> Server:
    """A second server with a catalog of its own."""
    second = Shop(tmp_path / "elsewhere", inner=shop.inner)
    second.build()
    return Server(shop.inner, second.catalog)


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def resigned(data: bytes) -> bytes:
    """Another provenance of the same bytes."""
    return provenance(data).replace(b"wsBc", b"wsFc")


def known(shop: Shop) -> list[str]:
    """The digests that the catalog has of the chart."""
    return [record.digest for record in shop.catalog.versions("", "app")]


def told(opened: Opened) -> tuple[str, str]:
    """The digest that a reader is told, and that of the bytes it is given."""
    assert opened.served is not None
    with opened.reader as reader:
        return opened.served.digest, digest(reader.read())


class TestRule1StorageFirstCatalogSecondAnswerLast:
    def test_a_package_is_in_storage_before_the_catalog_knows_it(self, shop: Shop, server: Server) -> None:
        meanwhile: list[list[str]] = []
        server.storage.after("put", FILE, lambda: meanwhile.append(known(shop)))

        server.publish(APP)

        assert meanwhile == [[]]
        assert known(shop) == [digest(APP)]

    def test_a_package_is_gone_from_storage_before_the_catalog_forgets_it(self, shop: Shop, server: Server) -> None:
        server.publish(APP)
        meanwhile: list[list[str]] = []
        server.storage.after("delete", FILE, lambda: meanwhile.append(known(shop)))

        server.repositories.delete("", "app", "1.0.0")

        assert meanwhile == [[digest(APP)]]
        assert known(shop) == []

    def test_a_publish_that_died_in_between_is_put_right_by_sync(self, shop: Shop) -> None:
        shop.storage.fail("put", Unavailable("killed here"), when="after")
        with pytest.raises(Unavailable):
            shop.publish(APP)
        assert shop.listed() == []

        shop.sync()

        assert shop.listed() == ["app 1.0.0"]

    def test_a_delete_that_died_in_between_is_put_right_by_sync(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.fail("delete", Unavailable("killed here"), when="after")
        with pytest.raises(Unavailable):
            shop.repositories.delete("", "app", "1.0.0")

        shop.sync()

        assert shop.listed() == []

    def test_whoever_finds_a_dead_publish_finishes_it_first(self, shop: Shop, server: Server) -> None:
        shop.put(FILE, APP, published=NOW - 500)

        with pytest.raises(AlreadyPublished):
            server.publish(OTHER)
        assert known(shop) == [digest(APP)]

    def test_the_same_bytes_finish_a_dead_publish_as_their_own(self, shop: Shop, server: Server) -> None:
        shop.put(FILE, APP, published=NOW - 500)

        assert server.publish(APP).created == NOW - 500
        assert known(shop) == [digest(APP)]

    def test_who_finishes_a_dead_publish_tells_of_what_was_read_and_not_of_what_came_since(
        self, shop: Shop, server: Server
    ) -> None:
        shop.put(FILE, APP)
        server.storage.before("open", PROVENANCE, lambda: shop.put(FILE, OTHER))  # after the package was read

        server.publish(APP)

        assert told(server.repositories.open_package("", FILE)) == (digest(OTHER), digest(OTHER))

    @pytest.mark.parametrize(
        "write",
        [
            lambda server: server.publish(OTHER, force=True),
            lambda server: server.repositories.publish_provenance("", provenance(APP)),
            lambda server: server.repositories.delete("", "app", "1.0.0"),
        ],
        ids=["publish", "publish provenance", "delete"],
    )
    def test_a_catalog_that_is_away_is_noticed_before_storage_is_written(
        self, shop: Shop, server: Server, write: Callable[[Server], object]
    ) -> None:
        server.publish(APP)
        server.storage.asked.clear()
        next(path for path in shop.folder.iterdir() if path.is_symlink()).unlink()

        with pytest.raises(CatalogUnavailable):
            write(server)

        assert server.storage.asked == []


class TestRule2LocksSaveWorkConditionsDecide:
    def test_without_the_lock_one_still_wins_and_the_index_names_its_bytes(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        server.storage.before("put", FILE, lambda: unlocked.publish(OTHER))

        with pytest.raises(AlreadyPublished):
            server.publish(APP)

        assert known(shop) == [digest(OTHER)] == [digest(shop.fetch())]

    def test_without_a_shared_catalog_one_still_wins(self, shop: Shop, server: Server, elsewhere: Server) -> None:
        server.storage.before("put", FILE, lambda: elsewhere.publish(OTHER))

        with pytest.raises(AlreadyPublished):
            server.publish(APP)

        assert told(server.repositories.open_package("", FILE)) == (digest(OTHER), digest(OTHER))

    def test_two_charts_that_share_a_file_name_are_kept_apart_without_the_lock(
        self, server: Server, unlocked: Server
    ) -> None:
        server.storage.before("put", "a-1-2.0.0.tgz", lambda: unlocked.publish(package("a", "1-2.0.0")))

        with pytest.raises(PackageRefused, match="share"):
            server.publish(package("a-1", "2.0.0"), force=True)

    def test_two_charts_that_share_a_file_name_share_the_lock(self, server: Server, impatient: Server) -> None:
        waited: list[str] = []

        def publish() -> None:
            with pytest.raises(CatalogUnavailable, match="another upload") as refusal:
                impatient.publish(package("a", "1-2.0.0"))
            waited.append(str(refusal.value))

        server.storage.before("put", "a-1-2.0.0.tgz", publish)
        server.publish(package("a-1", "2.0.0"))

        assert len(waited) == 1
        assert impatient.storage.asked == []

    def test_a_package_is_written_and_removed_only_in_the_state_that_was_read(self, server: Server) -> None:
        first = server.publish(APP)
        second = server.publish(OTHER, force=True)
        server.repositories.delete("", "app", "1.0.0")

        assert [asked for asked in server.storage.asked if asked.key == FILE] == [
            Asked("put", FILE, ABSENT),
            Asked("put", FILE, Matching(State(first.state))),
            Asked("delete", FILE, State(second.state)),
        ]

    def test_a_delete_that_meets_a_replacement_deletes_what_it_has_read_since(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        server.publish(APP)
        server.storage.before("delete", FILE, lambda: unlocked.publish(OTHER, force=True))

        server.repositories.delete("", "app", "1.0.0")

        assert [asked.operation for asked in server.storage.asked if asked.key == FILE] == ["put", "delete", "delete"]
        assert known(shop) == []
        assert list(shop.inner.list()) == []

    @pytest.mark.parametrize("signature", [None, provenance(APP)], ids=["unsigned", "signed"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_who_fails_half_way_takes_nothing_back_that_another_server_acknowledged(
        self, server: Server, elsewhere: Server, signature: bytes | None, moment: str
    ) -> None:
        def fail() -> None:
            raise Unavailable("503")

        elsewhere.storage.before("put", PROVENANCE, fail)
        if moment == "before":
            elsewhere.storage.before("put", FILE, lambda: server.publish(APP))
            # The provenance is looked for when the package is found there, and once more at the end.
            elsewhere.storage.before("open", PROVENANCE, lambda: elsewhere.storage.before("open", PROVENANCE, fail))
        else:
            elsewhere.storage.after("put", FILE, lambda: server.publish(APP))
            elsewhere.storage.before("open", PROVENANCE, fail)

        with pytest.raises(Unavailable):
            elsewhere.publish(APP, signature)

        with server.repositories.open_package("", FILE).reader as reader:
            assert reader.read() == APP

    def test_a_delete_that_meets_another_chart_under_the_same_file_name_leaves_that(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        file = "a-1-2.0.0.tgz"
        neighbour = package("a-1", "2.0.0")
        signature = provenance(neighbour, file, name="a-1", version="2.0.0")
        server.publish(package("a", "1-2.0.0"))

        def replace() -> None:
            shop.inner.delete(file)
            unlocked.publish(neighbour, signature)

        server.storage.before("delete", file, replace)
        server.repositories.delete("", "a", "1-2.0.0")

        assert (len(shop.catalog.versions("", "a")), len(shop.catalog.versions("", "a-1"))) == (0, 1)
        assert shop.fetch(file) == neighbour
        assert shop.fetch_provenance(file) == signature

    def test_a_delete_of_what_is_set_aside_leaves_the_package_that_comes_meanwhile(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        shop.put(FILE, b"rubbish")
        shop.put(PROVENANCE, b"rubbish")
        server.storage.before("delete", FILE, lambda: unlocked.publish(APP, provenance(APP), force=True))

        server.repositories.delete("", "app", "1.0.0")

        assert known(shop) == [digest(APP)]
        assert shop.fetch_provenance() == provenance(APP)

    def test_a_delete_of_what_is_set_aside_deletes_other_rubbish_that_comes_meanwhile(
        self, shop: Shop, server: Server
    ) -> None:
        shop.put(FILE, b"rubbish")
        server.storage.before("delete", FILE, lambda: shop.put(FILE, b"more rubbish"))

        server.repositories.delete("", "app", "1.0.0")

        assert list(shop.inner.list()) == []
        assert list(shop.catalog.set_aside()) == []


class TestRule3AListingAloneTellsWhatChanged:
    def test_only_what_changed_is_read(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path / "state", inner=LocalStorage(tmp_path / "data"))
        shop.inner.check()
        for name in ("kept", "replaced", "signed"):
            shop.put(f"{name}-1.0.0.tgz", package(name))
        shop.build()
        shop.put("replaced-1.0.0.tgz", package("replaced"))  # the same bytes, in the same second
        shop.put("signed-1.0.0.tgz.prov", b"not a provenance")
        shop.storage.calls.clear()

        shop.sync()

        opened = {call.key for call in shop.storage.calls if call.operation == "open"}
        assert {key.removesuffix(".prov") for key in opened} == {"replaced-1.0.0.tgz", "signed-1.0.0.tgz"}

    def test_nothing_that_did_not_change_is_read(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))
        shop.put("bad-1.0.0.tgz", b"rubbish")
        shop.sync()
        shop.storage.calls.clear()

        shop.sync()

        assert [call.operation for call in shop.storage.calls] == ["list"]


class TestRule4APackageIsServedOnlyInTheStateThatTheCatalogKnows:
    def test_a_copy_by_hand_in_the_moment_of_the_answer_is_read_before_it_is_given(
        self, shop: Shop, server: Server
    ) -> None:
        server.publish(APP)
        server.storage.before("open", FILE, lambda: shop.put(FILE, OTHER))

        assert told(server.repositories.open_package("", FILE)) == (digest(OTHER), digest(OTHER))
        assert known(shop) == [digest(OTHER)]

    def test_between_the_two_writes_of_a_replacement_index_and_bytes_agree(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        server.publish(APP)
        meanwhile: list[tuple[str, str]] = []
        listed: list[list[str]] = []

        def read() -> None:
            meanwhile.append(told(unlocked.repositories.open_package("", FILE)))
            listed.append(known(shop))

        server.storage.after("put", FILE, read)
        server.publish(OTHER, force=True)

        assert meanwhile == [(digest(OTHER), digest(OTHER))]
        assert listed == [[digest(OTHER)]]

    def test_a_package_that_was_never_listed_is_read_before_it_is_given(self, shop: Shop, server: Server) -> None:
        shop.put(FILE, APP)

        assert told(server.repositories.open_package("", FILE)) == (digest(APP), digest(APP))
        assert known(shop) == [digest(APP)]

    def test_another_servers_replacement_is_read_before_it_is_given(self, server: Server, elsewhere: Server) -> None:
        server.publish(APP)
        elsewhere.publish(OTHER, force=True)

        assert told(server.repositories.open_package("", FILE)) == (digest(OTHER), digest(OTHER))


class TestRule5SyncDoesNotBelieveAListing:
    def test_what_was_published_after_the_listing_stays(self, shop: Shop, server: Server) -> None:
        server.storage.after("list", "", lambda: shop.publish(APP))

        sync(server.repositories)

        assert known(shop) == [digest(APP)]

    def test_what_was_replaced_after_the_listing_stays_replaced(self, shop: Shop, server: Server) -> None:
        shop.put(FILE, APP)
        server.storage.after("list", "", lambda: shop.publish(OTHER, force=True))

        sync(server.repositories)

        assert known(shop) == [digest(OTHER)]

    def test_what_was_deleted_after_the_listing_does_not_come_back(self, shop: Shop, server: Server) -> None:
        shop.put(FILE, APP)
        server.storage.after("list", "", lambda: shop.repositories.delete("", "app", "1.0.0"))

        sync(server.repositories)

        assert known(shop) == []

    def test_what_came_back_after_the_listing_is_not_dropped(self, shop: Shop, server: Server) -> None:
        shop.publish(APP)
        shop.inner.delete(FILE)
        server.storage.after("list", "", lambda: shop.put(FILE, OTHER))

        sync(server.repositories)

        assert known(shop) == [digest(OTHER)]

    def test_it_looks_under_the_lock_of_the_key(self, shop: Shop, server: Server, impatient: Server) -> None:
        shop.put(FILE, APP)
        kept_out: list[str] = []

        def publish() -> None:
            with pytest.raises(CatalogUnavailable, match="another upload") as refusal:
                impatient.publish(OTHER)
            kept_out.append(str(refusal.value))

        server.storage.before("open", FILE, publish)
        sync(server.repositories)

        assert len(kept_out) == 1
        assert known(shop) == [digest(APP)]

    def test_one_runs_at_a_time_on_a_catalog(self, shop: Shop, impatient: Server) -> None:
        with shop.catalog.sync_lock() as ours, impatient.repositories.catalog.sync_lock() as theirs:
            assert (ours, theirs) == (True, False)


class TestRule6AProvenanceCountsOnlyForTheBytesItNames:
    def test_the_order_is_package_provenance_catalog(self, shop: Shop, server: Server) -> None:
        meanwhile: list[list[str]] = []
        server.storage.after("put", PROVENANCE, lambda: meanwhile.append(known(shop)))

        server.publish(APP, provenance(APP))

        assert [asked.key for asked in server.storage.asked] == [FILE, PROVENANCE]
        assert meanwhile == [[]]

    def test_a_loser_never_touches_the_winners(self, server: Server, unlocked: Server) -> None:
        server.storage.before("put", FILE, lambda: unlocked.publish(OTHER, provenance(OTHER)))

        with pytest.raises(AlreadyPublished):
            server.publish(APP, provenance(APP))

        assert [asked.key for asked in server.storage.asked] == [FILE]
        with server.repositories.open_provenance("", FILE).reader as reader:
            assert reader.read() == provenance(OTHER)

    @pytest.mark.parametrize("signature", [provenance(OTHER), None], ids=["signed", "unsigned"])
    def test_who_is_replaced_before_the_provenance_leaves_bytes_and_provenance_of_the_new_one(
        self, shop: Shop, server: Server, unlocked: Server, signature: bytes | None
    ) -> None:
        server.storage.after("put", FILE, lambda: unlocked.publish(OTHER, signature, force=True))

        published = server.publish(APP, provenance(APP))

        assert published.digest == digest(APP)
        assert told(unlocked.repositories.open_package("", FILE)) == (digest(OTHER), digest(OTHER))
        assert shop.catalog.versions("", "app")[0].signed == (signature is not None)

    def test_who_is_replaced_while_looking_at_an_older_provenance_never_touches_the_new_one(
        self, shop: Shop, server: Server, unlocked: Server
    ) -> None:
        shop.put(PROVENANCE, provenance(THIRD))
        server.storage.before("open", PROVENANCE, lambda: unlocked.publish(OTHER, provenance(OTHER), force=True))

        server.publish(APP, provenance(APP))

        assert known(shop) == [digest(OTHER)]
        assert shop.fetch_provenance() == provenance(OTHER)

    def test_an_older_one_that_nobody_sees_is_replaced(self, shop: Shop, server: Server) -> None:
        shop.put(PROVENANCE, provenance(OTHER))

        server.publish(APP, provenance(APP))

        assert shop.fetch_provenance() == provenance(APP)

    def test_one_that_waits_for_these_bytes_gives_way_to_the_one_that_comes_with_them(
        self, shop: Shop, server: Server
    ) -> None:
        server.repositories.publish_provenance("", resigned(APP))

        server.publish(APP, provenance(APP))

        assert shop.fetch_provenance() == provenance(APP)

    def test_one_that_never_comes_to_rest_is_given_up(self, shop: Shop) -> None:
        shop.storage.fail("put", AlreadyExists("again"), key=PROVENANCE, times=None)

        with pytest.raises(Unavailable, match="keeps changing"):
            shop.publish(APP, provenance(APP))

    def test_it_is_written_without_looking_and_only_over_the_one_that_was_known(
        self, shop: Shop, server: Server
    ) -> None:
        first = shop.publish(APP, provenance(APP)).record
        assert first.provenance_state is not None
        shop.storage.calls.clear()

        server.publish(OTHER, provenance(OTHER), force=True)
        shop.repositories.delete("", "app", "1.0.0")
        shop.storage.calls.clear()
        shop.publish(APP, provenance(APP))

        assert server.storage.asked[1] == Asked("put", PROVENANCE, Matching(State(first.provenance_state)))
        assert shop.storage.calls == [("put", FILE), ("put", PROVENANCE)]

    def test_who_finishes_a_publish_does_not_replace_the_provenance_that_was_acknowledged_with_it(
        self, shop: Shop, server: Server, elsewhere: Server
    ) -> None:
        server.publish(APP, provenance(APP))

        with pytest.raises(AlreadyPublished, match=r"app-1\.0\.0\.tgz\.prov already exists"):
            elsewhere.publish(APP, resigned(APP))

        assert shop.fetch_provenance() == provenance(APP)
        with elsewhere.repositories.open_provenance("", FILE).reader as reader:
            assert reader.read() == provenance(APP)

    def test_who_finishes_a_publish_may_bring_the_same_provenance_or_the_one_that_is_missing(
        self, server: Server, elsewhere: Server
    ) -> None:
        server.publish(APP, provenance(APP))
        web = package("web")
        server.publish(web)

        assert elsewhere.publish(APP, provenance(APP)).signed
        assert elsewhere.publish(web, provenance(web, "web-1.0.0.tgz", name="web")).signed

    def test_who_may_replace_may_finish_a_publish_with_another_provenance(
        self, shop: Shop, server: Server, elsewhere: Server
    ) -> None:
        server.publish(APP, provenance(APP))

        elsewhere.publish(APP, resigned(APP), force=True)

        assert shop.fetch_provenance() == resigned(APP)

    def test_a_provenance_that_comes_alone_never_touches_that_of_bytes_that_come_meanwhile(
        self, server: Server, unlocked: Server
    ) -> None:
        server.storage.before("put", PROVENANCE, lambda: unlocked.publish(OTHER, provenance(OTHER)))

        with pytest.raises(Unavailable, match="try again"):
            server.repositories.publish_provenance("", provenance(APP))

        with unlocked.repositories.open_provenance("", FILE).reader as reader:
            assert reader.read() == provenance(OTHER)

    def test_who_deletes_never_touches_that_of_bytes_that_come_meanwhile(
        self, server: Server, unlocked: Server
    ) -> None:
        server.publish(APP, provenance(APP))
        server.storage.before("delete", PROVENANCE, lambda: unlocked.publish(OTHER, provenance(OTHER)))

        server.repositories.delete("", "app", "1.0.0")

        with server.repositories.open_provenance("", FILE).reader as reader:
            assert reader.read() == provenance(OTHER)

    def test_who_dies_between_a_replacement_and_its_provenance_leaves_the_old_one_unseen(self, shop: Shop) -> None:
        shop.publish(APP, provenance(APP))
        shop.storage.fail("put", Unavailable("killed here"), key=PROVENANCE)
        with pytest.raises(Unavailable):
            shop.publish(OTHER, provenance(OTHER), force=True)

        assert shop.fetch() == OTHER
        with pytest.raises(FileNotFound):
            shop.fetch_provenance()

    def test_one_that_came_first_waits_unseen_until_its_bytes_come(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put(PROVENANCE, provenance(OTHER))
        with pytest.raises(FileNotFound):
            shop.fetch_provenance()

        shop.publish(OTHER, force=True)

        assert shop.fetch_provenance() == provenance(OTHER)


class TestRule7SnapshotAndPublishedIndexAreNeverTheTruth:
    def test_of_two_snapshots_the_later_one_stays_and_harms_nobody(self, shop: Shop, tmp_path: Path) -> None:
        """It was written by another server, before the package was replaced and a second one came."""
        state = MemoryStorage()
        stale = Shop(tmp_path / "stale", inner=shop.inner)
        shop.put(FILE, APP)
        shop.put("gone-1.0.0.tgz", package("gone"))
        stale.build()
        shop.inner.delete("gone-1.0.0.tgz")
        shop.put(FILE, OTHER)
        shop.put("web-1.0.0.tgz", package("web"))
        shop.sync()
        Snapshot(state, shop.catalog, folder=shop.folder).write()
        Snapshot(state, stale.catalog, folder=stale.folder).write()

        fresh = Shop(tmp_path / "fresh", inner=shop.inner)
        remembered = Snapshot(state, fresh.catalog, folder=fresh.folder).read
        build(
            fresh.catalog,
            fresh.storage,
            lambda tasks: read_many(lambda: fresh.storage, tasks),
            remembered=remembered,
        )

        assert set(fresh.catalog.records()) == set(shop.catalog.records())

    def test_an_index_file_that_somebody_wrote_is_never_read(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("index.yaml", b"entries: {evil: []}")

        shop.sync()
        assert Indexes(shop.catalog).get("", Form.YAML).names == ["app"]

    def test_an_index_file_is_written_anew_after_the_next_change(self, shop: Shop) -> None:
        published = PublishedIndexes(shop.repositories, context_path="")
        shop.publish(APP)
        published.write_all()
        shop.put("index.yaml", b"another server's")

        shop.publish(package("web"))
        published.write_all()

        with shop.inner.open("index.yaml") as reader:
            assert b"web-1.0.0.tgz" in reader.read()


class TestRule8AnIndexIsRenderedFromOneRead:
    def test_what_is_committed_while_it_is_rendered_is_not_in_it_and_in_the_next_one(self, shop: Shop) -> None:
        shop.publish(APP)
        late = iter([package("aaa"), package("zzz")])

        def prefix(_repository: str) -> str:  # asked for after the read began, and before the charts are read
            for data in late:
                shop.publish(data)
            with suppress(VersionNotFound):
                shop.repositories.delete("", "app", "1.0.0")
            return "charts/"

        indexes = Indexes(shop.catalog, url_prefix=prefix)
        began_at = shop.catalog.mark("")
        index = indexes.get("", Form.JSON)

        assert (index.mark, index.names) == (began_at, ["app"])
        assert indexes.get("", Form.JSON).names == ["aaa", "zzz"]


class TestRule9OneProcessWorksInTheBackground:
    def test_the_death_of_a_worker_triggers_a_sync(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes", "--workers", "1", "--sync-interval", "0") as server:
            put_by_hand(tmp_path / "data" / FILE)
            assert b"app-1.0.0" not in get(f"{server.url}/index.yaml").body

            (worker,) = server.workers
            psutil.Process(worker).kill()

            eventually(lambda: b"app-1.0.0" in get(f"{server.url}/index.yaml").body, what="it was found")

    def test_request_workers_have_no_part_in_it(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes", "--workers", "1", "--sync-interval", "0") as server:
            parent = psutil.Process(server.process.pid)
            (background,) = (child for child in parent.children() if not child.children())
            put_by_hand(tmp_path / "data" / FILE)
            background.suspend()
            try:
                Wishes(tmp_path / "data" / ".chartrepo").sync()
                answers = [get(f"{server.url}/index.yaml").body for _ in range(20)]
            finally:
                background.resume()
            eventually(lambda: b"app-1.0.0" in get(f"{server.url}/index.yaml").body, what="it was found")

        assert not [body for body in answers if b"app-1.0.0" in body]


def put_by_hand(file: Path) -> None:
    """Put the package there, as if it had been there for long."""
    file.write_bytes(APP)
    os.utime(file, (NOW, NOW))


class TestWhileTheCatalogIsRebuilt:
    """A rebuild stands between the rules: it must miss nothing that was acknowledged, before it or after it."""

    def test_what_was_acknowledged_before_it_is_in_it_and_nothing_is_acknowledged_during_it(
        self, shop: Shop, server: Server
    ) -> None:
        builder = Eventful(shop.inner)
        server.publish(APP)
        refused: list[str] = []

        def publish() -> None:
            with pytest.raises(CatalogIncomplete) as refusal:
                server.publish(package("late"))
            refused.append(str(refusal.value))

        builder.after("list", "", publish)
        build(shop.catalog, builder, lambda tasks: read_many(lambda: builder, tasks))

        assert shop.listed() == ["app 1.0.0"]
        assert len(refused) == 1

    def test_an_upload_that_it_overtook_is_in_it(self, shop: Shop, server: Server) -> None:
        reader_of_the_old_one = Indexes(shop.catalog)
        assert reader_of_the_old_one.get("", Form.JSON).names == []
        builder = Shop(shop.folder, inner=MemoryStorage())  # whose listing was made before
        server.storage.after(
            "put", FILE, lambda: build(builder.catalog, builder.storage, lambda tasks: read_many(MemoryStorage, tasks))
        )

        server.publish(APP)

        assert known(shop) == [digest(APP)]
        assert reader_of_the_old_one.get("", Form.JSON).names == ["app"]

    def test_what_was_deleted_while_it_was_rebuilt_is_not_in_it(self, shop: Shop, server: Server) -> None:
        """The catalog that the delete began with did not know the package; that which it ends with has read it."""
        shop.put(FILE, APP)
        builder = Shop(shop.folder, inner=shop.inner)
        server.storage.before(
            "delete",
            FILE,
            lambda: build(builder.catalog, shop.inner, lambda tasks: read_many(lambda: shop.inner, tasks)),
        )

        server.repositories.delete("", "app", "1.0.0")

        assert known(shop) == []
