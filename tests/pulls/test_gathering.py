"""From workers to the storage: counted once, whoever dies in between, by any number of replicas, and shown."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.catalog import PullView
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.core.pulls import GONE, NONE, Pull, Tally
from chartrepo.pulls import Counting, Gathering, Ledger, gathering, ledger
from storage.base import ANYWAY, Misconfigured, Storage, StorageError, Unavailable
from storage.memory import MemoryStorage
from tests.storage.buckets import at, fresh_bucket
from tests.support.faults import FaultyStorage, Operation
from tests.support.repositories import NOW, Clock
from tests.support.s3server import S3

APP = Pull("team", "app", "1.0.0")
NEXT = Pull("team", "app", "2.0.0")
DOWN = Unavailable("the storage does not answer")


@dataclass
class Replica:
    """A server: a worker, the process in the background, and what pages see."""

    folder: Path
    storage: Storage
    own: Storage = field(default_factory=MemoryStorage)
    clock: Clock = field(default_factory=Clock)
    gone: set[str] = field(default_factory=set)
    silent: bool = False

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.counting = Counting(self.folder, clock=self.clock)
        self.view = PullView(self.folder)
        self.gathering = Gathering(
            self.folder,
            Ledger(self.storage),
            self.view,
            own=Ledger(self.own),
            is_there=self.is_there,
            pause=lambda _: None,
            clock=self.clock,
        )

    def is_there(self, pull: Pull) -> bool:
        if self.silent:
            raise CatalogUnavailable("not now")
        return pull.version not in self.gone

    def pull(self, pull: Pull = APP, times: int = 1) -> None:
        for _ in range(times):
            self.counting.count(pull)

    def gather(self) -> None:
        self.gathering.gather()

    def shown(self) -> dict[str, int]:
        """What pages see: of the chart as a whole, and of its versions."""
        versions = self.view.versions("team", "app", ["1.0.0", "2.0.0"])
        return {"": self.view.chart("team", "app").pulls, **{name: tally.pulls for name, tally in versions.items()}}


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


@pytest.fixture
def server(tmp_path: Path, storage: FaultyStorage) -> Replica:
    return Replica(tmp_path / "one", storage)


@pytest.fixture
def other(tmp_path: Path, storage: FaultyStorage) -> Replica:
    return Replica(tmp_path / "other", storage)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many batches are summed up here."""
    monkeypatch.setattr(ledger, "ENOUGH", 3)
    return 3


@contextmanager
def failing(storage: FaultyStorage, operation: Operation, error: StorageError) -> Iterator[None]:
    storage.fail(operation, error, times=None)
    yield
    storage.heal()


def keys(storage: Storage) -> list[str]:
    return sorted(info.key for info in storage.list())


def batches(storage: Storage) -> list[str]:
    return [key for key in keys(storage) if layout.new_pulls(key)]


def test_pulls_are_shown_when_they_were_gathered(server: Replica) -> None:
    server.pull(APP, 3)
    server.clock.now += 5
    server.pull(NEXT)
    assert server.view.chart("team", "app") == NONE
    server.gather()
    assert server.view.chart("team", "app") == Tally(4, NOW + 5)
    assert server.view.versions("team", "app", ["1.0.0", "2.0.0", "3.0.0"]) == {
        "1.0.0": Tally(3, NOW),
        "2.0.0": Tally(1, NOW + 5),
    }
    assert server.view.chart("", "app") == NONE
    server.pull(APP)
    server.gather()
    assert server.shown() == {"": 5, "1.0.0": 4, "2.0.0": 1}


def test_nothing_is_written_where_nothing_was_pulled(server: Replica, storage: FaultyStorage) -> None:
    server.gather()
    assert keys(storage) == []
    server.pull()
    server.gather()
    before = len(storage.calls)
    server.gather()
    assert [call.operation for call in storage.calls[before:]] == ["list"]


def test_nothing_is_left_on_the_disk(server: Replica) -> None:
    server.pull()
    server.gather()
    assert sorted(file.name for file in server.folder.iterdir() if not file.name.startswith("view-")) == []


def test_replicas_see_what_others_counted(server: Replica, other: Replica) -> None:
    server.pull(APP, 2)
    other.pull(APP, 3)
    server.gather()
    other.gather()
    server.gather()
    assert server.shown() == other.shown() == {"": 5, "1.0.0": 5}


def test_batches_are_summed_up_and_removed_by_whoever_comes_next(
    server: Replica, other: Replica, storage: FaultyStorage, few: int
) -> None:
    for _ in range(few):
        server.pull()
        server.gather()
    assert len(batches(storage)) == few
    assert layout.PULL_TOTALS_KEY in keys(storage)
    other.gather()
    assert batches(storage) == []
    server.pull()
    server.gather()
    other.gather()
    assert server.shown() == other.shown() == {"": few + 1, "1.0.0": few + 1}


def test_new_totals_are_not_shown_anew_where_all_of_them_is_shown(
    server: Replica, other: Replica, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.gather()
    other.gather()
    for replica in (server, other):
        monkeypatch.setattr(replica.view, "replace", lambda *_: pytest.fail("all is shown anew"))
    for _ in range(4 * few):
        server.pull()
        other.pull(NEXT, 2)
        server.gather()
        other.gather()
    server.gather()
    assert server.shown() == other.shown() == {"": 12 * few, "1.0.0": 4 * few, "2.0.0": 8 * few}


def test_totals_stay_right_in_a_long_life(server: Replica, other: Replica, storage: FaultyStorage, few: int) -> None:
    for round_ in range(40):
        server.pull(APP, round_ % 3)
        other.pull(NEXT)
        server.gather()
        other.gather()
        if round_ % 7 == 0:
            server.start()  # a server that ended, and another one on its folder
        assert len(batches(storage)) <= 2 * few + 2
    server.gather()
    total = sum(round_ % 3 for round_ in range(40))
    assert server.shown() == other.shown() == {"": total + 40, "1.0.0": total, "2.0.0": 40}
    shutil.rmtree(server.folder)
    server.gather()
    assert server.shown() == other.shown()


def test_what_cannot_be_stored_waits(server: Replica, storage: FaultyStorage) -> None:
    server.pull()
    with failing(storage, "put", DOWN):
        for _ in range(3):
            with pytest.raises(Unavailable):
                server.gather()
            server.pull()
    server.gather()
    assert server.shown() == {"": 4, "1.0.0": 4}
    assert len(batches(storage)) == 2  # what waits is no more than that, however long it takes


@pytest.mark.parametrize("operation", ["put", "list", "open"])
def test_whoever_dies_after_storing_is_counted_once(
    server: Replica, storage: FaultyStorage, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    server.pull(APP, 2)
    where, what = {"put": (Path, "unlink"), "list": (PullView, "shown"), "open": (PullView, "replace")}[operation]
    with monkeypatch.context() as patch:
        patch.setattr(where, what, killed)  # just after it
        with pytest.raises(Killed):
            server.gather()
    server.start()
    server.gather()
    server.gather()
    assert server.shown() == {"": 2, "1.0.0": 2}
    assert len(batches(storage)) == 1


def test_whoever_dies_between_totals_and_removal_is_counted_once(
    server: Replica, storage: FaultyStorage, few: int
) -> None:
    for _ in range(few):
        server.pull()
        server.gather()
    with failing(storage, "delete", DOWN), pytest.raises(Unavailable):
        server.gather()
    server.start()
    shutil.rmtree(server.folder)
    server.gather()
    assert server.shown() == {"": few, "1.0.0": few}


def test_a_replica_that_is_late_with_its_totals_changes_nothing(
    server: Replica, other: Replica, storage: FaultyStorage, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(few - 1):
        server.pull()
        server.gather()
    server.pull()
    monkeypatch.setattr(ledger, "ENOUGH", 100)
    server.gather()
    monkeypatch.setattr(ledger, "ENOUGH", few)
    late = Ledger(storage)
    listed, put = late.look(), storage.put

    def quicker(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(storage, "put", put)
        other.gather()  # sums up and removes
        other.gather()
        return put(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "put", quicker)
    late.sum_up(listed)
    other.pull()
    other.gather()
    server.gather()
    assert server.shown() == other.shown() == {"": few + 1, "1.0.0": few + 1}


def test_versions_that_are_gone_are_counted_together_when_they_are_old(
    server: Replica, other: Replica, storage: FaultyStorage, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_MANY", 2)
    server.pull(APP, 2)
    server.pull(NEXT, 3)
    server.gather()
    server.gone = other.gone = {"1.0.0"}

    def an_hour() -> None:
        for _ in range(few):
            server.pull(Pull("other", "chart", "1.0.0"))
            server.gather()
        other.gather()

    def kept() -> dict[str, int]:
        return {
            pull.version: tally.pulls for pull, tally in Ledger(storage).totals().tallies.items() if pull.chart == "app"
        }

    an_hour()
    assert kept() == {"1.0.0": 2, "2.0.0": 3}
    server.clock.now += 91 * 86400
    server.silent = other.silent = True
    an_hour()
    assert kept() == {"1.0.0": 2, "2.0.0": 3}
    server.silent = other.silent = False
    server.clock.now += 86400
    an_hour()
    assert kept() == {GONE: 2, "2.0.0": 3}
    server.gather()
    assert server.shown() == other.shown() == {"": 5, "2.0.0": 3}


def test_broken_totals_are_left_as_they_are(server: Replica, storage: FaultyStorage, few: int) -> None:
    storage.put(layout.PULL_TOTALS_KEY, b"{}", condition=ANYWAY)
    for _ in range(few + 1):
        server.pull()
        with pytest.raises(Unavailable, match="put back a copy"):
            server.gather()
    assert len(batches(storage)) == few + 1
    storage.delete(layout.PULL_TOTALS_KEY)
    server.gather()
    assert server.shown() == {"": few + 1, "1.0.0": few + 1}


def test_a_broken_batch_is_passed_over(
    server: Replica, storage: FaultyStorage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.put(layout.new_pulls_key("abcd"), b"no gzip", condition=ANYWAY)
    server.pull()
    server.gather()
    assert server.shown() == {"": 1, "1.0.0": 1}
    assert "abcd.json.gz cannot be read" in caplog.text


def test_where_the_storage_takes_nothing_they_are_kept_in_the_servers_own(
    server: Replica, storage: FaultyStorage, caplog: pytest.LogCaptureFixture
) -> None:
    server.pull()
    with failing(storage, "put", Misconfigured("no right to write")):
        server.gather()
        server.pull()
        server.gather()
    assert server.shown() == {"": 2, "1.0.0": 2}
    assert (len(batches(storage)), len(batches(server.own))) == (0, 2)
    assert caplog.text.count("the server's own folder") == 1


def test_a_view_that_is_lost_or_broken_is_made_again(server: Replica) -> None:
    server.pull()
    server.gather()
    (view,) = server.folder.glob("view-*.sqlite")
    for suffix in ("-wal", "-shm"):
        view.with_name(view.name + suffix).unlink(missing_ok=True)
    view.write_bytes(b"this is no database" * 1000)
    server.view = PullView(server.folder)
    assert server.shown() == {"": 0}
    with pytest.raises(Exception, match="not a database"):
        server.gather()
    server.gather()
    assert server.shown() == {"": 1, "1.0.0": 1}


def test_two_replicas_on_one_bucket(tmp_path: Path, best_s3: S3, few: int) -> None:
    name = fresh_bucket(best_s3)
    one, two = (Replica(tmp_path / folder, at(best_s3, name)) for folder in ("one", "two"))
    for _ in range(7):
        one.pull()
        two.pull(NEXT, 2)
        one.gather()
        two.gather()
    one.gather()
    assert one.shown() == two.shown() == {"": 21, "1.0.0": 7, "2.0.0": 14}
    assert len(batches(at(best_s3, name))) <= 2 * few
