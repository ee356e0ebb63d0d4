"""Counting goes on, and no process dies, where the disk has no room for what is counted."""

import errno
import os
from pathlib import Path

import pytest

from chartrepo.metrics import Metrics


def render(metrics: Metrics) -> str:
    return metrics.render(tuple)[1].decode()


def full(descriptor: int, offset: int, size: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_blocks_of_a_file_are_taken_before_it_is_written_to(tmp_path: Path) -> None:
    Metrics(tmp_path).upload("created")

    files = [path.stat() for path in tmp_path.iterdir()]
    assert files
    assert all(file.st_blocks * 512 >= file.st_size for file in files)


def test_where_the_disk_is_full_counts_are_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    metrics = Metrics(tmp_path)
    metrics.upload("created")

    assert list(tmp_path.iterdir()) == []
    assert "No space left on device" in caplog.text
    assert "chartrepo_uploads_total" not in render(metrics)


def test_what_was_counted_stays_when_the_disk_is_full_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(tmp_path)
    metrics.upload("created")
    monkeypatch.setattr(os, "posix_fallocate", full)
    for number in range(2000):
        metrics.request(f"/a-route-with-a-long-name/{number}", "GET", 200, 0.1)

    assert 'chartrepo_uploads_total{result="created"} 1.0' in render(metrics)


def test_a_file_grows_with_what_is_counted(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    for number in range(2000):
        metrics.request(f"/a-route-with-a-long-name/{number}", "GET", 200, 0.1)

    assert '/a-route-with-a-long-name/1999",status="200"} 1.0' in render(metrics)
    assert all(file.stat().st_blocks * 512 >= file.stat().st_size for file in tmp_path.iterdir())
