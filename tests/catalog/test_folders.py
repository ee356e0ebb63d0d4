"""Folders that nobody else may look into, whoever makes them, and whenever."""

from pathlib import Path

import pytest

from chartrepo.catalog.folders import make_private
from chartrepo.catalog.generations import Generations
from chartrepo.catalog.locks import LockFolder


def rights(*folders: Path) -> list[str]:
    return [oct(folder.stat().st_mode & 0o777) for folder in folders]


def test_what_is_made_is_for_this_user_alone_with_what_is_missing_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_private(folder)
    assert rights(folder, folder.parent, folder.parent.parent) == ["0o700"] * 3


def test_what_is_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    make_private(tmp_path / "a")
    assert rights(tmp_path, tmp_path / "a") == ["0o755", "0o700"]


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OSError, match="a"):
            make_private(folder)


def test_the_folder_of_a_catalog_is_made_so(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    Generations(folder / "catalog.sqlite").next()
    assert rights(folder) == ["0o700"]


def test_the_folder_of_locks_is_made_so(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "locks"
    with LockFolder(folder, patience=0).key(b"a"):
        pass
    assert rights(folder, folder.parent) == ["0o700", "0o700"]
