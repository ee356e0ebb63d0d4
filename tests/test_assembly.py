"""What a start finds out, and says, before any other process is started."""

import errno
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chartrepo import assembly
from chartrepo.configuration import load
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.kinds import Bucket, Folder
from chartrepo.settings import Settings
from storage import s3, s3_answers
from storage.base import ABSENT, Abilities, Misconfigured, Unavailable
from storage.local import LocalStorage
from tests.support.issuers import Key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    defaults = load({}, {}, Path.read_text).settings
    return replace(defaults, storage=Folder(tmp_path / "data"), state_dir=tmp_path / "state")


def test_blobs_can_be_sent_in_pieces_where_the_state_is_elsewhere(settings: Settings) -> None:
    ground = assembly.prepare(settings, writable=True)

    state = assembly.storages(settings, ground).state
    state.put("oci-uploads/abc/1.0", b"a piece", condition=ABSENT)
    assert [info.key for info in state.list("oci-uploads/")] == ["oci-uploads/abc/1.0"]


def test_servers_with_a_state_of_their_own_know_one_id_of_their_storage(settings: Settings, tmp_path: Path) -> None:
    other = replace(settings, state_dir=tmp_path / "other")

    first, second = (assembly.prepare(each, writable=True) for each in (settings, other))
    assert first.storage_id == second.storage_id


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

    @pytest.mark.parametrize("changes", [{"admin_password": "x"}, {"htpasswd": Path("users")}], ids=["admin", "users"])
    def test_is_taken_with_a_warning_where_a_credential_may_be_for_reading(
        self, settings: Settings, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        asked_by = assembly.writing_asked_by(replace(settings, **changes))
        assert assembly.prepare(settings, writable=True, asked_by=asked_by).storage_id
        assert "packages are served, and nobody can write, whatever rules say" in caplog.text

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


class TestAnS3Service:
    @pytest.fixture
    def settings(self, settings: Settings, s3_credentials: None) -> Settings:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        return replace(settings, storage=Bucket("charts", "x"), s3_endpoint=f"http://127.0.0.1:{port}")

    def test_that_is_not_there_is_told_with_the_setting_to_look_at(self, settings: Settings) -> None:
        for start in (assembly.look, partial(assembly.prepare, writable=True)):
            with pytest.raises(Unavailable) as told:
                start(settings)
            assert str(told.value) == (
                f"cannot use s3://charts/x: no S3 service answers at {settings.s3_endpoint}: check s3_endpoint, and "
                "whether the service runs and can be reached from here"
            )

    def test_that_is_there_and_cannot_is_told_as_it_says(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        meaning = s3_answers.of_answer("SlowDown", 503)

        def refuse(*_: object, **__: object) -> Abilities:
            raise meaning.kind(f"cannot use bucket charts: {meaning.reason}")

        monkeypatch.setattr(s3.S3Storage, "check", refuse)
        with pytest.raises(Unavailable, match="the service answered 503 'SlowDown'; try again later"):
            assembly.look(settings)


class TestRulesWithoutAnybody:
    @pytest.fixture
    def rules(self, tmp_path: Path) -> Path:
        path = tmp_path / "rules.yaml"
        path.write_text("permissions: []\n")
        return path

    def test_are_refused_with_what_would_make_somebody_known(self, settings: Settings, rules: Path) -> None:
        with pytest.raises(AccessMisconfigured, match=f"or write issuers into {rules}"):
            assembly.check_files(replace(settings, permissions=rules))

    def test_are_taken_where_an_issuer_does(self, settings: Settings, rules: Path) -> None:
        rules.write_text("permissions: []\nissuers: {github: {audience: charts}}\n")
        assembly.check_files(replace(settings, permissions=rules))
        assert assembly.writing_asked_by(replace(settings, permissions=rules)) == "permissions"

    def test_are_taken_beside_a_password(self, settings: Settings, rules: Path) -> None:
        assembly.check_files(replace(settings, permissions=rules, admin_password="secret"))

    def test_all_files_that_cannot_be_used_are_told_at_once(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "rules.yaml").write_text(
            "permissions: []\nissuers: {x: {audience: y, issuer: z, jwks_file: gone.json}}\n"
        )
        named = {"permissions": tmp_path / "rules.yaml", "htpasswd": tmp_path / "gone"}
        with pytest.raises(AccessMisconfigured) as refusal:
            assembly.check_files(replace(settings, **named, bearer_auth=True, auth_cert_path=tmp_path / "gone.pem"))
        assert [problem.partition(" ")[0] for problem in refusal.value.problems] == [
            str(tmp_path / name) for name in ("gone", "gone.pem", "gone.json")
        ]

    @pytest.mark.parametrize("data", [b"", b"x", Key().pem])
    def test_a_key_of_bearer_tokens_has_to_be_one_of_rsa(self, settings: Settings, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "key.pem"
        path.write_bytes(data)
        with pytest.raises(AccessMisconfigured, match="holds"):
            assembly.check_files(replace(settings, bearer_auth=True, auth_cert_path=path))


class TestTls:
    def test_without_files_there_is_none(self, settings: Settings) -> None:
        assert assembly.certificate(settings) is None

    @pytest.mark.parametrize(
        ("named", "missing"),
        [("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")],
    )
    def test_a_part_without_the_rest_is_refused(self, settings: Settings, named: str, missing: str) -> None:
        with pytest.raises(Misconfigured, match=f"{named} is set and {missing} is not"):
            assembly.certificate(replace(settings, **{named: Path("file")}))
