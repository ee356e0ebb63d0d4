"""What commands record of themselves, and `chartrepo audit`."""

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartrepo import layout
from chartrepo.audit import Spool
from chartrepo.cli import cli
from storage.base import Unavailable
from storage.local import LocalStorage
from tests.support.oci_contents import digest_of
from tests.support.packages import package
from tests.support.repositories import provenance

KNOWN = {"CHARTREPO_ADMIN_PASSWORD": "x"}
ME = f"command:{pwd.getpwuid(os.getuid()).pw_name}"

pytestmark = pytest.mark.usefixtures("own_folder")


def run(*arguments: str) -> Result:
    return CliRunner(env=KNOWN).invoke(cli, arguments, prog_name="chartrepo", catch_exceptions=False)


def asked(*arguments: str) -> list[dict[str, Any]]:
    """What `chartrepo audit` prints, without what is random."""
    result = run("audit", *arguments)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(each.pop("id") and each.pop("time") for each in found)
    return found


def objects() -> list[str]:
    return [info.key for info in LocalStorage("data/.chartrepo", private=True).list(layout.AUDIT_PREFIX)]


class TestRecords:
    def test_tokens_that_are_made_and_revoked_are_in_the_storage_at_once(self) -> None:
        run("token", "create", "--name", "ci", "--allow", "read:**", "--expires", "never")
        (key,) = objects()
        assert b"create-token" in (Path("data/.chartrepo") / key).read_bytes()
        run("token", "revoke", "ci")
        assert len(objects()) == 2
        revoked, created = asked()
        token_id = created["token_id"]
        by_me = {"outcome": "done", "caller": ME, "protocol": "command", "kind": "token", "token": "ci"}
        assert created == by_me | {
            "action": "create-token",
            "token_id": token_id,
            "detail": "may read:**, for ever",
        }
        assert revoked == by_me | {"action": "revoke-token", "token_id": token_id}

    def test_so_is_a_new_key(self) -> None:
        run("token", "rotate-keys")
        run("token", "rotate-keys", "--forget")
        assert [each["detail"] for each in asked("--action", "rotate-keys")] == [
            "a new key signs from now on; 1 old one forgotten",
            "a new key signs from now on",
        ]

    def test_standard_output_is_the_token_alone(self) -> None:
        assert run("token", "create", "--name", "ci").stdout.count("\n") == 1

    def test_each_package_that_is_imported_is_one_and_those_that_are_there_are_none(self, tmp_path: Path) -> None:
        source = tmp_path / "source" / "team"
        source.mkdir(parents=True)
        (source / "app-1.0.0.tgz").write_bytes(package())
        (source / "web-1.0.0.tgz").write_bytes(package("web"))
        (source / "bad-1.0.0.tgz").write_bytes(b"bad")
        assert run("import", str(source.parent)).exit_code == 1
        records = sorted(asked(), key=lambda each: str(each["chart"]))
        assert [(each["action"], each["repository"], each["chart"], each["version"]) for each in records] == [
            ("publish", "team", "app", "1.0.0"),
            ("publish", "team", "web", "1.0.0"),
        ]
        assert records[0]["digest"] == digest_of(package())
        assert records[0]["detail"] == "imported from team/app-1.0.0.tgz"
        (source / "app-1.0.0.tgz.prov").write_bytes(provenance(package()))
        run("import", str(source.parent))
        assert [each["kind"] for each in asked()].count("provenance") == 1
        assert len(asked()) == 3

    def test_garbage_that_is_removed_is_one(self) -> None:
        run("reindex")
        blob = Path(f"data/_oci/app/_blobs/sha256/{digest_of(b'x').partition(':')[2]}")
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"x")
        os.utime(blob, (1, 1))
        for _ in range(2):
            assert run("gc", "--grace", "0s").exit_code == 0
        run("gc", "--grace", "0s")
        assert [(each["action"], each["detail"]) for each in asked()] == [
            ("gc", "removed 1 blob, 0 manifests and 0 tags")
        ]

    def test_what_the_storage_does_not_take_waits_for_the_next_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        put = LocalStorage.put

        def fail(self: LocalStorage, key: str, *arguments: Any, **options: Any) -> Any:
            if key.startswith(layout.AUDIT_PREFIX):
                raise Unavailable("it does not answer")
            return put(self, key, *arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(LocalStorage, "put", fail)
            result = run("token", "create", "--name", "ci")
        assert result.exit_code == 0
        assert "wait in state_dir: it does not answer" in result.stderr
        assert objects() == []
        assert len(asked()) == 1
        run("token", "rotate-keys")
        assert len(asked()) == 2
        assert list(Spool(Path("data/.chartrepo/audit-spool")).lines()) == []

    def test_none_are_kept_where_the_settings_say_so(self) -> None:
        run("token", "create", "--name", "ci", "--no-audit")
        assert asked() == []
        result = run("audit", "--no-audit")
        assert result.exit_code == 2
        assert "no audit records are kept: set audit to true" in result.stderr


class TestAsking:
    @pytest.fixture(autouse=True)
    def _five(self, own_folder: Path) -> None:
        for number in range(5):
            run("token", "create", "--name", f"t{number}")

    def test_the_newest_come_first_and_no_more_than_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chartrepo.cli.auditing.MOST", 2)
        assert [each["token"] for each in asked()] == ["t4", "t3", "t2", "t1", "t0"]
        assert [each["token"] for each in asked("--limit", "3")] == ["t4", "t3", "t2"]

    def test_less_can_be_asked_for(self) -> None:
        assert len(asked("--caller", ME, "--outcome", "done", "--since", "1h")) == 5
        assert asked("--caller", "user:ada") == []
        assert asked("--until", "2020-01-01", "--since", "2019-12-01") == []

    @pytest.mark.parametrize(
        ("flags", "problem"),
        [
            (("--since", "soon"), "'soon' is no moment"),
            (("--action", "read"), "action: there is no 'read'"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(self, flags: tuple[str, ...], problem: str) -> None:
        result = run("audit", *flags)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr

    def test_nothing_was_recorded_where_nothing_was_done(self) -> None:
        assert run("audit", "--storage", "elsewhere").exit_code == 2

    def test_what_others_make_of_the_state_leaves_records_alone(self) -> None:
        before = objects()
        for command in (("reindex",), ("catalog", "prune"), ("gc",), ("check",)):
            assert run(*command).exit_code == 0
        assert objects() == before
