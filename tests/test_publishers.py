"""Who published a version: found among the audit records of its minutes, and remembered."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from chartrepo.audit import Journal, Records, Spool
from chartrepo.core.audit import Deed, Outcome, Record, stamp
from chartrepo.publishers import Publisher, Publishers
from storage.base import Unavailable
from storage.memory import MemoryStorage
from tests.support.catalogs import package
from tests.support.faults import FaultyStorage
from tests.support.repositories import NOW, Clock

DIGEST: Final = f"sha256:{'ab' * 32}"
_numbers: Final = iter(range(10**6))


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW + 30.0)


@pytest.fixture
def journal(storage: FaultyStorage) -> Journal:
    return Journal(storage)


@pytest.fixture
def publishers(journal: Journal, spool: Spool, clock: Clock) -> Publishers:
    return Publishers(Records(journal, spool, now=clock), clock=clock, most=3)


def tell(spool: Spool, seconds: float = NOW + 1.0, **said: str) -> Publisher:
    record = Record(action=Deed.PUBLISH, outcome=Outcome.DONE, caller="user:ada", protocol="api", repository="")
    record = replace(record, chart="app", version="1.0.0", kind="package", digest=DIGEST)
    record = replace(record, id=f"{next(_numbers):016x}", time=stamp(seconds), **said)
    spool.append(record.to_line())
    return Publisher(record.caller, record.time)


def test_it_is_found_before_and_after_its_record_came_to_the_storage(
    publishers: Publishers, journal: Journal, spool: Spool, clock: Clock
) -> None:
    ada = tell(spool)
    assert publishers.of(package()) == ada
    journal.take_in(spool)
    assert Publishers(Records(journal, spool, now=clock), clock=clock).of(package()) == ada


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": Outcome.REFUSED},
        {"outcome": Outcome.UNCHANGED},
        {"action": Deed.DELETE},
        {"repository": "team"},
        {"chart": "web"},
        {"version": "1.0.1"},
        {"digest": f"sha256:{'cd' * 32}"},
    ],
)
def test_a_record_of_something_else_is_not_taken_for_it(
    publishers: Publishers, spool: Spool, said: dict[str, str]
) -> None:
    tell(spool, **said)
    assert publishers.of(package()) is None


@pytest.mark.parametrize("seconds", [NOW - 60.0, NOW + 600.0])
def test_a_record_of_another_time_is_not_taken_for_it(publishers: Publishers, spool: Spool, seconds: float) -> None:
    tell(spool, seconds)
    assert publishers.of(package()) is None


def test_who_replaced_it_is_the_one_and_who_sent_the_same_again_is_not(publishers: Publishers, spool: Spool) -> None:
    grace = tell(spool, NOW + 2.0, action=Deed.OVERWRITE, caller="user:grace")
    tell(spool, NOW + 3.0, caller="user:eve")
    assert publishers.of(package()) == grace


def test_it_is_found_around_midnight(publishers: Publishers, journal: Journal, spool: Spool) -> None:
    midnight = 1_699_920_000
    ada = tell(spool, midnight + 1.0)
    journal.take_in(spool)
    assert publishers.of(package(created=midnight - 1)) == ada


def test_few_objects_are_read_whatever_else_that_day_has(
    publishers: Publishers, journal: Journal, spool: Spool, storage: FaultyStorage
) -> None:
    for minutes in range(-200, 200, 4):
        tell(spool, NOW + 60.0 * minutes, chart="other")
        journal.take_in(spool)
    tell(spool)
    journal.take_in(spool)
    storage.calls.clear()
    assert publishers.of(package()) is not None
    assert sum(call.operation == "open" for call in storage.calls) <= 3
    assert publishers.of(package()) is not None
    assert sum(call.operation == "list" for call in storage.calls) <= 2


def test_of_whom_nobody_knows_it_is_asked_again_later(publishers: Publishers, spool: Spool, clock: Clock) -> None:
    assert publishers.of(package()) is None
    ada = tell(spool)
    assert publishers.of(package()) is None
    clock.now += 601
    assert publishers.of(package()) == ada


def test_nothing_is_held_up_by_a_storage_that_does_not_answer(
    publishers: Publishers, journal: Journal, spool: Spool, storage: FaultyStorage
) -> None:
    ada = tell(spool)
    journal.take_in(spool)
    storage.fail("list", Unavailable("the storage does not answer"))
    assert publishers.of(package()) is None
    assert publishers.of(package()) == ada


def test_only_some_are_looked_up_at_a_time(publishers: Publishers, spool: Spool) -> None:
    versions = [package(version=f"1.0.{number}") for number in range(3)]
    told = [tell(spool, version=each.version) for each in versions]
    assert publishers.of_some(versions, look_ups=2) == [told[0], told[1], None]
    assert publishers.of_some(versions, look_ups=2) == told


def test_not_all_is_remembered(publishers: Publishers, spool: Spool) -> None:
    told = {version: tell(spool, version=version) for version in ("1.0.0", "1.0.1", "1.0.2", "1.0.3")}
    for version, publisher in told.items():
        assert publishers.of(package(version=version)) == publisher
    assert publishers.of_some([package()], look_ups=0) == [None]


def test_a_time_that_hands_gave_is_no_reason_to_fail(publishers: Publishers) -> None:
    assert publishers.of(package(created=2**60)) is None
    assert publishers.of(package(created=0)) is None
    assert publishers.of(package(created=-5)) is None


def test_where_nothing_is_kept_nobody_is_known() -> None:
    assert Publishers(None).of(package()) is None
