"""Many packages read at once, in several processes."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from chartrepo import reading
from chartrepo.catalog import PackageRecord, SetAside
from chartrepo.outcomes import Outcome, Task
from chartrepo.reading import read_many
from storage.base import ANYWAY, Storage, Unavailable
from storage.local import LocalStorage
from tests.support.packages import package

ENOUGH = 450
"""So many that processes are worth while."""


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path / "data")
    storage.check()
    for number in range(ENOUGH):
        storage.put(f"app-1.{number}.0.tgz", package(version=f"1.{number}.0"), condition=ANYWAY)
    return storage


TASKS = [Task("", f"app-1.{number}.0.tgz", signed=False) for number in range(ENOUGH)]


def versions(outcomes: Iterable[Outcome]) -> set[str]:
    return {outcome.version for outcome in outcomes if isinstance(outcome, PackageRecord)}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("count", [3, ENOUGH])
def test_each_is_read_once(storage: LocalStorage, threads: int, count: int) -> None:
    outcomes = list(read_many(lambda: storage, TASKS[:count], threads=threads))

    assert len(outcomes) == len(versions(outcomes)) == count


def test_what_has_gone_meanwhile_is_nothing(storage: LocalStorage) -> None:
    storage.delete("app-1.3.0.tgz")

    assert list(read_many(lambda: storage, TASKS)).count(None) == 1


def test_a_storage_that_does_not_answer_ends_it(storage: LocalStorage) -> None:
    def silent() -> Storage:
        return LocalStorage(Path("/nowhere/at/all"))

    with pytest.raises(Unavailable):
        list(read_many(silent, TASKS))


def test_a_fault_of_ours_on_one_package_harms_no_other(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = reading.read_stored

    def faulty(storage: Storage, repository: str, file: str, **others: bool) -> PackageRecord | SetAside:
        if file == "app-1.3.0.tgz":
            raise RecursionError
        return real(storage, repository, file, **others)

    monkeypatch.setattr(reading, "read_stored", faulty)
    outcomes = list(read_many(lambda: storage, TASKS))

    assert len(versions(outcomes)) == ENOUGH - 1
    (aside,) = (outcome for outcome in outcomes if isinstance(outcome, SetAside))
    assert aside.file == "app-1.3.0.tgz"


def test_what_it_failed_on_is_named_by_its_key(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reading, "read_stored", broken)
    tasks = [Task("", "app-1.0.0.tgz", signed=False), Task("team", "app-1.0.0.tgz", signed=False)]

    list(read_many(lambda: storage, tasks))

    assert [record.getMessage().split()[1] for record in caplog.records] == ["app-1.0.0.tgz", "team/app-1.0.0.tgz"]


def test_a_killed_process_is_an_error_and_no_hang(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_arguments: object, **_others: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(reading, "read_stored", killed)

    with pytest.raises(Unavailable, match="was killed"):
        list(read_many(lambda: storage, TASKS))


def test_nothing_to_read_is_no_work() -> None:
    assert list(read_many(lambda: LocalStorage("/nowhere"), [])) == []
