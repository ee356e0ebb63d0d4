"""What a start finds out, and says, before any other process is started."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartrepo import assembly
from chartrepo.configuration import load
from chartrepo.kinds import Folder
from chartrepo.settings import Settings
from storage.base import Abilities, Misconfigured
from storage.local import LocalStorage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    defaults = load({}, {}, Path.read_text).settings
    return replace(defaults, storage=Folder(tmp_path / "data"), state_dir=tmp_path / "state")


class TestAFolderThatMayOnlyBeRead:
    @pytest.fixture(autouse=True)
    def read_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        check = LocalStorage.check

        def refuse(storage: LocalStorage, *, writable: bool = True) -> Abilities:
            if writable:
                raise Misconfigured("cannot use the folder '/x': Permission denied; give the user the right to it")
            return check(storage, writable=False)

        monkeypatch.setattr(LocalStorage, "check", refuse)

    @pytest.mark.parametrize(
        ("changes", "setting"),
        [
            ({"basic_auth_user": "ci", "basic_auth_password": "x"}, "basic_auth_user"),
            ({"open_writes": True}, "open_writes"),
        ],
    )
    def test_is_refused_with_the_setting_that_asks_for_more(
        self, settings: Settings, changes: dict[str, Any], setting: str
    ) -> None:
        asked_by = assembly.writing_asked_by(replace(settings, **changes))
        with pytest.raises(Misconfigured) as told:
            assembly.prepare(settings, writable=True, asked_by=asked_by)
        assert str(told.value) == (
            "cannot use the folder '/x': Permission denied; give the user the right to it; it is to be written to "
            f"because {setting} is set, and is served read-only without that"
        )

    def test_is_taken_where_nobody_is_to_write(self, settings: Settings) -> None:
        assert assembly.writing_asked_by(settings) == ""
        assert assembly.prepare(settings, writable=False).storage_id

    def test_is_refused_to_commands_that_write_in_any_case(self, settings: Settings) -> None:
        with pytest.raises(Misconfigured, match=r"the right to it$"):
            assembly.prepare(settings, writable=True)


def test_a_folder_that_may_not_even_be_read_is_nobody_s_wish(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Abilities:
        raise Misconfigured(f"cannot use it: {errno.EACCES}")

    monkeypatch.setattr(LocalStorage, "check", refuse)
    with pytest.raises(Misconfigured, match=f"^cannot use it: {errno.EACCES}$"):
        assembly.prepare(settings, writable=True, asked_by="open_writes")
