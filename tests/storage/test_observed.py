"""Each call to a storage that is watched is told, with its time and its error."""

from pathlib import Path

import pytest

from storage.base import ABSENT, ANYWAY, AlreadyExists, NotFound
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from storage.observed import ObservedStorage


def test_each_call_is_told_with_its_error() -> None:
    told: list[tuple[str, str | None]] = []

    def observe(operation: str, seconds: float, error: str | None) -> None:
        assert seconds >= 0
        told.append((operation, error))

    storage = ObservedStorage(MemoryStorage(), observe)
    storage.check()
    storage.put("k", b"bytes", condition=ABSENT)
    with pytest.raises(AlreadyExists):
        storage.put("k", b"bytes", condition=ABSENT)
    with storage.open("k") as reader:
        reader.read()
    storage.copy("copy", "k", origin=storage)
    storage.stat("k")
    list(storage.list())
    storage.delete("k")
    with pytest.raises(NotFound):
        storage.delete("k")
    storage.remove_leftovers()
    storage.url("k", expires=1, filename="k")
    assert told == [
        ("check", None),
        ("put", None),
        ("put", "AlreadyExists"),
        ("open", None),
        ("copy", None),
        ("stat", None),
        ("list", None),
        ("delete", None),
        ("delete", "NotFound"),
        ("remove_leftovers", None),
    ]


def test_the_storage_below_is_given_the_origin_below(tmp_path: Path) -> None:
    packages, state = (ObservedStorage(LocalStorage(tmp_path / name), lambda *_: None) for name in ("a", "b"))
    packages.check()
    state.check()
    state.put("k", b"bytes", condition=ABSENT)
    packages.copy("k", "k", origin=state)
    assert (tmp_path / "a/k").samefile(tmp_path / "b/k")


def test_a_listing_is_told_when_it_ends_even_when_it_is_left_early() -> None:
    told = []
    storage = ObservedStorage(MemoryStorage(), lambda operation, *_: told.append(operation))
    storage.put("a", b"", condition=ANYWAY)
    storage.put("b", b"", condition=ANYWAY)
    told.clear()
    listing = storage.list()
    next(listing)
    assert told == []
    del listing
    assert told == ["list"]
