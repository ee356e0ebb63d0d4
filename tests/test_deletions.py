"""Deletions that are for good, in every kind of storage."""

from pathlib import Path

import pytest

from chartrepo.deletions import Deletions
from storage.base import ANYWAY, Storage
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from storage.options import S3Options
from storage.url import open_storage

FILE = "web-1.0.0+build.1.tgz"


@pytest.fixture(params=["memory", "local", "s3"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The storage of the server's own state."""
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "local":
        storage = LocalStorage(tmp_path / "state", private=True)
        storage.check()
        return storage
    service = request.getfixturevalue("moto_s3")
    options = S3Options(endpoint=service.endpoint_url)
    return open_storage(f"s3://{service.new_bucket()}/prefix", options).state


def test_the_last_deletion_counts_and_each_may_be_remembered_twice(state: Storage) -> None:
    deletions = Deletions(state)
    for moment in (20, 100, 3, 100):
        deletions.remember("team", FILE, moment)
    deletions.remember("", FILE, 7)
    assert deletions.last("team", FILE) == 100
    assert deletions.last("", FILE) == 7
    assert deletions.all() == {f"team/{FILE}": 100, FILE: 7}


def test_what_was_never_deleted_is_not_known(state: Storage) -> None:
    deletions = Deletions(state)
    deletions.remember("team", "web-1.0.0.tgz", 100)
    for repository, file in (("team", "web-1.0.0"), ("team/web-1.0.0.tgz", "100"), ("", "web-1.0.0.tgz")):
        assert deletions.last(repository, file) is None


def test_what_hands_put_between_them_is_passed_over(state: Storage) -> None:
    state.put("deleted/team/web-1.0.0.tgz/README", b"", condition=ANYWAY)
    state.put("deleted/7", b"", condition=ANYWAY)
    assert Deletions(state).all() == {}
    assert Deletions(state).last("team", "web-1.0.0.tgz") is None
