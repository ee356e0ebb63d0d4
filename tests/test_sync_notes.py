"""How syncs went is noted, and nothing depends on the note."""

from pathlib import Path

import pytest

from chartrepo.sync import Report
from chartrepo.sync_notes import SyncNote, SyncNotes

REPORT = Report(found=7, changed=2, set_aside=1, seconds=0.25)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def notes(tmp_path: Path, clock: Clock) -> SyncNotes:
    return SyncNotes(tmp_path, clock)


def test_there_is_nothing_before_the_first(notes: SyncNotes) -> None:
    assert notes.read() == SyncNote()


def test_one_that_went_well_is_noted_for_all_processes(notes: SyncNotes, tmp_path: Path, clock: Clock) -> None:
    notes.done(REPORT)
    assert SyncNotes(tmp_path, clock).read() == SyncNote(1000.0, 0.25, 7, 2, 1)


def test_failures_are_counted_until_one_goes_well(notes: SyncNotes, clock: Clock) -> None:
    notes.done(REPORT)
    for clock.now in (1010.0, 1020.0):
        notes.failed("the storage does not answer")
    assert notes.read() == SyncNote(1000.0, 0.25, 7, 2, 1, 1020.0, 2, "the storage does not answer")
    clock.now = 1030.0
    notes.done(REPORT)
    assert notes.read() == SyncNote(1030.0, 0.25, 7, 2, 1)


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"unknown": 1}', b"[" * 100_000, b"\xff"])
def test_a_note_that_makes_no_sense_is_none(notes: SyncNotes, tmp_path: Path, said: bytes) -> None:
    (tmp_path / "last-sync.json").write_bytes(said)
    assert notes.read() == SyncNote()
    notes.failed("so")
    assert notes.read().failures == 1


def test_what_cannot_be_written_is_logged(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    SyncNotes(tmp_path / "nowhere", clock).done(REPORT)
    assert "could not be noted" in caplog.text
