"""What is kept of records in the storage: written once, found by all replicas, read in pages, removed when old."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from chartrepo import layout
from chartrepo.audit import Journal, Spool, journal
from chartrepo.core.audit import Deed, Outcome, Position, Record, Wanted, stamp, wanted
from storage.base import ABSENT, Unavailable
from storage.memory import MemoryStorage
from tests.storage.buckets import at, fresh_bucket
from tests.support.faults import FaultyStorage
from tests.support.repositories import Clock
from tests.support.s3server import S3

NOON: Final = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
EVER: Final = Wanted(since="2000-01-01", until="2100-01-01")
MONTH: Final = wanted({}, NOON)
DOWN: Final = Unavailable("the storage does not answer")


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


@pytest.fixture
def kept(storage: FaultyStorage) -> Journal:
    return Journal(storage, clock=Clock(NOON))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


_numbers: Final = iter(range(10**6))


def made(seconds: float = NOON, **said: str) -> Record:
    """A record of a moment."""
    some = Record(action=Deed.PUBLISH, outcome=Outcome.DONE, caller="user:ada", protocol="api", repository="")
    return replace(some, id=f"{next(_numbers):016x}", time=stamp(seconds), **said)


def told(spool: Spool, *records: Record) -> None:
    for record in records:
        spool.append(record.to_line())


def keys(storage: FaultyStorage) -> list[str]:
    return sorted(info.key for info in storage.list(layout.AUDIT_PREFIX))


def in_pages(kept: Journal, wanted: Wanted, limit: int, waiting: list[bytes] | None = None) -> Iterator[list[Record]]:
    before: Position | None = None
    for _ in range(10_000):
        page = kept.page(wanted, limit, before=before, waiting=waiting or [])
        yield page.records
        if page.next is None:
            return
        assert before is None or page.next < before
        before = page.next
    raise AssertionError("there is no end")


def everything(kept: Journal, wanted: Wanted = MONTH, limit: int = 1000) -> list[Record]:
    return [record for page in in_pages(kept, wanted, limit) for record in page]


class TestTakingIn:
    def test_an_object_holds_what_waited_and_says_when_that_was(
        self, kept: Journal, spool: Spool, storage: FaultyStorage
    ) -> None:
        records = [made(NOON), made(NOON + 61), made(NOON + 59)]
        told(spool, *records)
        assert kept.take_in(spool) == 3
        (key,) = keys(storage)
        place = layout.audit_place(key)
        assert place is not None
        assert (place.day, place.first, place.last) == ("2026-11-30", "1200", "1201")
        with storage.open(key) as file:
            assert file.read() == b"".join(record.to_line() for record in records)
        assert list(filter(None, spool.lines())) == []

    def test_where_nothing_waits_nothing_is_written(self, kept: Journal, spool: Spool, storage: FaultyStorage) -> None:
        assert kept.take_in(spool) == 0
        assert storage.calls == []

    def test_each_day_has_objects_of_its_own(self, kept: Journal, spool: Spool, storage: FaultyStorage) -> None:
        told(spool, made(NOON), made(NOON - 86400), made(NOON - 86400 * 3))
        kept.take_in(spool)
        assert [key.split("/")[1] for key in keys(storage)] == ["2026-11-27", "2026-11-29", "2026-11-30"]

    def test_a_large_batch_becomes_several_objects(
        self, kept: Journal, spool: Spool, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "MAX_OBJECT", 1000)
        records = [made(NOON + number) for number in range(50)]
        told(spool, *records)
        kept.take_in(spool)
        assert len(keys(storage)) > 5
        assert all(info.size < 1500 for info in storage.list(layout.AUDIT_PREFIX))
        assert everything(kept) == records[::-1]

    def test_what_fails_is_taken_at_the_next_time(self, kept: Journal, spool: Spool, storage: FaultyStorage) -> None:
        first, second = made(), made(NOON + 60)
        told(spool, first)
        storage.fail("put", DOWN)
        with pytest.raises(Unavailable):
            kept.take_in(spool)
        assert everything(kept) == []
        told(spool, second)
        assert kept.take_in(spool) == 2
        assert everything(kept) == [second, first]

    def test_who_dies_behind_the_write_writes_nothing_twice(
        self, kept: Journal, spool: Spool, storage: FaultyStorage
    ) -> None:
        records = [made(NOON - 86400), made(NOON)]
        told(spool, *records)
        storage.fail("put", DOWN, when="after", skip=1)
        with pytest.raises(Unavailable):
            kept.take_in(spool)
        kept.take_in(spool)
        assert len(keys(storage)) == 2
        assert everything(kept) == records[::-1]

    def test_what_is_no_record_is_logged_and_stops_nothing(
        self, kept: Journal, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        record = made()
        spool.append(b'{"id":"half\n')
        spool.append(b"\x00\xff\n")
        told(spool, record)
        assert kept.take_in(spool) == 1
        assert everything(kept) == [record]
        assert [each.levelname for each in caplog.records] == ["ERROR", "ERROR"]
        assert "half" in caplog.text

    def test_two_servers_on_one_folder_take_each_record_once(
        self, kept: Journal, spool: Spool, storage: FaultyStorage, tmp_path: Path
    ) -> None:
        other = Spool(tmp_path / "spool")
        records = [made(), made(), made()]
        told(spool, records[0])
        told(other, records[1])
        batches = other.batches()
        told(other, records[2])
        assert len(batches) == 1
        kept.take_in(spool)
        assert Journal(storage).take_in(other) == 0
        assert sorted(everything(kept), key=lambda each: each.id) == records

    def test_a_spool_that_cannot_be_read_is_said_to_be_so(
        self, kept: Journal, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told(spool, made())

        def refuse(_path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(Unavailable, match="audit records that wait cannot be read"):
            kept.take_in(spool)


class TestReading:
    def test_the_newest_is_first_whoever_wrote_it(self, storage: FaultyStorage, tmp_path: Path) -> None:
        records = [made(NOON + number * 7 - 3600) for number in range(200)]
        kept = Journal(storage)
        for replica in range(3):
            spool = Spool(tmp_path / f"replica {replica}")
            for begin in range(0, 200, 20):
                told(spool, *(records[begin : begin + 20][replica::3]))
                kept.take_in(spool)
        assert everything(kept) == records[::-1]

    @pytest.mark.parametrize("limit", [1, 2, 7, 100])
    def test_pages_hold_each_record_once(self, kept: Journal, spool: Spool, limit: int) -> None:
        records = [made(NOON - number // 3 * 20_000) for number in range(60)]
        for begin in range(0, 60, 7):
            told(spool, *records[begin : begin + 7])
            kept.take_in(spool)
        pages = list(in_pages(kept, MONTH, limit))
        assert {len(page) for page in pages[:-1]} <= {limit}
        listed = [record for page in pages for record in page]
        assert [each.position for each in listed] == sorted((each.position for each in records), reverse=True)

    def test_few_objects_are_opened_for_a_page_of_many(
        self, kept: Journal, spool: Spool, storage: FaultyStorage
    ) -> None:
        for number in range(100):
            told(spool, made(NOON - number * 60))
            kept.take_in(spool)
        storage.calls.clear()
        assert len(kept.page(MONTH, 10).records) == 10
        assert sum(call.operation == "open" for call in storage.calls) <= 11
        assert [call.key for call in storage.calls if call.operation == "list"] == [
            "audit/2026-12-01/",
            "audit/2026-11-30/",
        ]

    def test_only_days_and_minutes_in_between_are_looked_at(
        self, kept: Journal, spool: Spool, storage: FaultyStorage
    ) -> None:
        for number in range(100):
            told(spool, made(NOON - number * 60))
            kept.take_in(spool)
        storage.calls.clear()
        asked = wanted({"since": "2026-11-30T11:00:00Z", "until": "2026-11-30T11:05:00Z"}, NOON)
        assert [each.time[11:16] for each in everything(kept, asked)] == ["11:04", "11:03", "11:02", "11:01", "11:00"]
        assert sum(call.operation == "open" for call in storage.calls) <= 6

    def test_who_looks_for_a_needle_is_given_pages_to_go_on_from(
        self, kept: Journal, spool: Spool, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "OBJECTS", 5)
        monkeypatch.setattr(journal, "DAYS", 3)
        needle = made(NOON - 25 * 86400, chart="needle")
        for number in range(25):
            told(spool, made(NOON - number * 60))
            kept.take_in(spool)
        told(spool, needle)
        kept.take_in(spool)
        storage.calls.clear()
        pages = list(in_pages(kept, replace(MONTH, chart="needle"), 10))
        assert [record for page in pages for record in page] == [needle]
        assert len(pages) > 5

    def test_more_objects_of_one_minute_than_a_page_opens_are_come_to_an_end_with(
        self, kept: Journal, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "OBJECTS", 2)
        records = [made(NOON + number) for number in range(12)]
        for record in records:
            told(spool, record)
            kept.take_in(spool)
        for limit in (1, 5, 100):
            assert [record for page in in_pages(kept, MONTH, limit) for record in page] == records[::-1]

    def test_objects_that_reach_over_hours_are_come_to_an_end_with(
        self, kept: Journal, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "OBJECTS", 2)
        records = []
        for number in range(10):
            pair = [made(NOON - 3600 * 6 + number), made(NOON - number * 600)]
            told(spool, *pair)
            kept.take_in(spool)
            records += pair
        listed = [record for page in in_pages(kept, MONTH, 3) for record in page]
        assert listed == sorted(records, key=lambda each: each.position, reverse=True)

    def test_what_still_waits_is_there_too_and_once(self, kept: Journal, spool: Spool) -> None:
        records = [made(NOON + number) for number in range(3)]
        told(spool, *records[:2])
        lines = list(spool.lines())
        kept.take_in(spool)
        told(spool, records[2])
        lines += [*spool.lines(), *spool.lines()]
        for limit in (1, 10):
            listed = [record for page in in_pages(kept, MONTH, limit, lines) for record in page]
            assert listed == records[::-1]

    def test_a_line_that_is_none_is_passed_over(
        self, kept: Journal, storage: FaultyStorage, caplog: pytest.LogCaptureFixture
    ) -> None:
        record = made()
        other_day = made(NOON - 86400)
        storage.put(
            "audit/2026-11-30/1200-1200-byhand.jsonl",
            b"?\n" + record.to_line() + other_day.to_line(),
            condition=ABSENT,
        )
        storage.put("audit/2026-11-30/README", b"?", condition=ABSENT)
        assert everything(kept) == [record]
        assert caplog.text.count("is passed over") == 2

    def test_an_object_that_is_removed_meanwhile_is_passed_over(
        self, kept: Journal, spool: Spool, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told(spool, made())
        kept.take_in(spool)
        listed = list(storage.list(layout.AUDIT_PREFIX))
        kept.remove_older(-2 * 86400)
        monkeypatch.setattr(storage, "list", lambda prefix: iter([each for each in listed if prefix in each.key]))
        assert everything(kept) == []

    def test_a_storage_that_does_not_answer_is_no_empty_page(self, kept: Journal, storage: FaultyStorage) -> None:
        storage.fail("list", DOWN)
        with pytest.raises(Unavailable):
            kept.page(MONTH, 10)

    def test_the_beginning_of_time_is_an_end(self, kept: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "DAYS", 10**9)
        assert everything(kept, Wanted(since="0001-01-01", until="0001-02-01")) == []


class TestKeeping:
    def test_days_that_ended_long_ago_are_removed(self, kept: Journal, spool: Spool) -> None:
        records = [made(NOON - days * 86400) for days in range(10)]
        told(spool, *records)
        kept.take_in(spool)
        assert kept.remove_older(7 * 86400) == 2
        assert everything(kept) == records[:8]
        assert kept.remove_older(7 * 86400) == 0

    def test_nothing_else_is(self, kept: Journal, storage: FaultyStorage) -> None:
        for key in ("audit/2001-01-01/notes.txt", "audit/README", "tokens/0123456789.json"):
            storage.put(key, b"", condition=ABSENT)
        assert kept.remove_older(0) == 0
        assert len(list(storage.list())) == 3


def test_replicas_on_one_bucket_see_each_others(moto_s3: S3, tmp_path: Path) -> None:
    bucket = fresh_bucket(moto_s3)
    records = [made(NOON + number) for number in range(4)]
    replicas = [Journal(at(moto_s3, bucket, ".chartrepo/charts")) for _ in range(2)]
    for number, record in enumerate(records):
        spool = Spool(tmp_path / f"replica {number % 2}")
        told(spool, record)
        replicas[number % 2].take_in(spool)
    for replica in replicas:
        assert everything(replica) == records[::-1]
        assert replica.page(MONTH, 3).records == records[:0:-1]
