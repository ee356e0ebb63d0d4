"""`chartrepo token`: what it prints, where, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chartrepo import layout
from chartrepo.access import SigningKeys, Tokens
from chartrepo.cli import cli
from chartrepo.core.tokens import id_in
from storage.base import ABSENT, ANYWAY, Unavailable
from storage.local import LocalStorage
from tests.support.packages import package

KNOWN = {"CHARTREPO_ADMIN_PASSWORD": "x"}

pytestmark = pytest.mark.usefixtures("own_folder")


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner(env=env or KNOWN).invoke(cli, arguments, prog_name="chartrepo", catch_exceptions=False)


def create(name: str = "ci", *allow: str, expires: str = "90d") -> str:
    flags = [flag for each in allow for flag in ("--allow", each)]
    result = run("token", "create", "--name", name, "--expires", expires, *flags)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def state() -> LocalStorage:
    return LocalStorage("data/.chartrepo", private=True)


def in_storage() -> Tokens:
    return Tokens(state())


class TestCreate:
    def test_the_token_alone_is_on_standard_output(self) -> None:
        result = run("token", "create", "--name", "ci", "--allow", "read:**", "--allow", "publish:team/**")
        assert result.exit_code == 0
        text = result.stdout.removesuffix("\n")
        assert id_in(text) is not None
        assert result.stderr.startswith("token:ci may read:**, publish:team/**, until 20")
        found = in_storage().identify(text)
        assert found is not None
        assert found.allow == ("read:**", "publish:team/**")
        assert found.expires == found.created + 90 * 86400
        assert found.made_by == "chartrepo token create"

    def test_one_can_last_for_ever_and_be_allowed_nothing_by_itself(self) -> None:
        Path("data").mkdir()
        result = run("token", "create", "--name", "ci", "--expires", "never")
        assert result.stderr == "token:ci may do what rules give to it, for ever. It is shown this once:\n"
        found = in_storage().find("ci")
        assert found is not None
        assert (found.allow, found.expires) == ((), None)

    def test_a_folder_that_was_not_there_is_spoken_of(self) -> None:
        said = "note: there was no folder data, and it was made: is it the one that the server serves?\n"
        assert run("token", "create", "--name", "ci").stderr.endswith(said)
        assert not run("token", "create", "--name", "cd").stderr.endswith(said)

    def test_a_server_that_would_not_take_it_is_spoken_of(self) -> None:
        result = run("token", "create", "--name", "ci", env={"CHARTREPO_ADMIN_PASSWORD": ""})
        assert result.exit_code == 0
        assert "a server with these settings takes no tokens: set htpasswd, admin_password or" in result.stderr

    @pytest.mark.parametrize(
        ("flags", "problem"),
        [
            (("--name", "CI"), "name: 'CI' names no token"),
            (("--name", "ci", "--allow", "write:**"), "allow: there is no action 'write'"),
            (("--name", "ci", "--allow", "read"), "allow: 'read' is no ACTION:PATTERN"),
            (("--name", "ci", "--expires", "soon"), "expires: 'soon' is not never, nor a duration"),
            ((), "Missing option '--name'"),
        ],
    )
    def test_what_is_wrong_is_one_line_and_nothing_is_made(self, flags: tuple[str, ...], problem: str) -> None:
        result = run("token", "create", *flags)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr
        assert not list(Path().rglob("*.json"))

    def test_a_name_is_there_once(self) -> None:
        create()
        result = run("token", "create", "--name", "ci")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is a token ci already: revoke it, or choose another name" in result.stderr

    def test_what_is_kept_is_for_the_server_s_user_alone(self) -> None:
        text = create()
        file = Path("data/.chartrepo") / layout.token_key(text[4:14])
        assert file.stat().st_mode & 0o077 == 0
        assert text not in file.read_text()


class TestList:
    def test_all_are_listed_without_secrets(self) -> None:
        texts = [create("web", "read:**", expires="never"), create()]
        in_storage().identify(texts[0])
        result = run("token", "list")
        assert result.exit_code == 0
        heading, ci, web, _, verdict = result.stdout.splitlines()
        assert (heading, verdict) == ("Tokens:", "2 tokens")
        assert ci.split()[:3] == ["ci", texts[1][4:14], "expires"]
        assert ci.endswith("  (rules alone)")
        assert "  never used  " in ci
        assert "never expires" in web
        assert "  used 20" in web
        assert all(text[14:] not in result.stdout for text in texts)

    def test_programs_get_them_as_json(self) -> None:
        create("ci", "read:**")
        found = json.loads(run("token", "list", "--json").stdout)
        assert [each["name"] for each in found["tokens"]] == ["ci"]
        assert found["spoilt"] == []
        assert found["tokens"][0]["expired"] is False
        assert "hash" not in found["tokens"][0]

    def test_expired_and_spoilt_ones_are_said_to_be_so(self) -> None:
        old = Tokens(state(), now=lambda: 1_000_000_000)
        state().check()
        old.create("old", [], lifetime=60, made_by="")
        state().put(layout.token_key("0" * 10), b"?", condition=ABSENT)
        result = run("token", "list")
        assert "expired 2001-09-09T01:47:40Z" in result.stdout
        assert "Refused, as their records cannot be read:\n  0000000000  the record is no JSON\n" in result.stdout

    def test_where_there_are_none_it_says_so_and_makes_nothing(self, own_folder: Path) -> None:
        Path("data").mkdir()
        assert run("token", "list").stdout == "0 tokens\n"
        assert sorted(own_folder.rglob("*")) == [own_folder / "data"]


class TestRevoke:
    def test_a_revoked_one_is_gone(self) -> None:
        text = create()
        result = run("token", "revoke", "ci")
        assert (result.exit_code, result.stdout) == (0, f"revoked ci ({text[4:14]})\n")
        assert in_storage().identify(text) is None
        assert run("token", "list").stdout == "0 tokens\n"

    def test_one_can_be_named_by_its_id_also_when_it_is_spoilt(self) -> None:
        identifier = create()[4:14]
        state().put(layout.token_key(identifier), b"?", condition=ANYWAY)
        assert run("token", "revoke", identifier).stdout == f"revoked {identifier}\n"
        assert run("token", "list").stdout == "0 tokens\n"

    def test_one_that_is_not_there_is_an_error(self) -> None:
        Path("data").mkdir()
        assert "there is no token 'ci'" in run("token", "revoke", "ci").stderr
        create("web")
        result = run("token", "revoke", "ci")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no token 'ci'" in result.stderr

    def test_a_storage_that_is_not_there_is_an_error_and_is_not_made(self) -> None:
        for arguments in (("revoke", "ci"), ("list",)):
            result = run("token", *arguments, "--storage", "datta")
            assert result.exit_code == 2
            assert "there is no folder" in result.stderr
        assert not Path("datta").exists()


def test_neither_a_reindex_nor_a_lost_catalog_has_a_part_in_it() -> None:
    Path("data").mkdir()
    Path("data/app-1.0.0.tgz").write_bytes(package())
    living, revoked = create("living"), create("revoked")
    assert run("reindex").exit_code == 0
    assert run("token", "revoke", "revoked").exit_code == 0
    for file in Path("data/.chartrepo").glob("catalog*"):
        file.unlink()
    assert run("reindex").exit_code == 0
    assert run("check").exit_code == 0
    assert run("gc", "--grace", "0").exit_code == 0
    assert in_storage().identify(living) is not None
    assert in_storage().identify(revoked) is None


class TestExplain:
    def test_what_a_token_was_given_decides(self) -> None:
        create("ci", "publish:team/**")
        result = run("permissions", "explain", "--as", "token:ci", "publish", "team/web")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (
            "token:ci may publish team/web by what the token itself was given: "
            '{who: [token:ci], may: [publish], on: ["team/**"]}\n'
        )

    def test_a_rule_decides_before_that(self) -> None:
        create("ci", "publish:team/**")
        Path("rules").write_text('permissions: [{who: ["token:ci"], may: [publish], on: ["team/web"]}]')
        env = {**KNOWN, "CHARTREPO_PERMISSIONS": "rules"}
        assert (
            "by rule 1 of rules"
            in run("permissions", "explain", "--as", "token:ci", "publish", "team/web", env=env).stdout
        )

    def test_what_is_missing_is_a_rule_or_another_token(self) -> None:
        create("ci", "publish:team/**")
        result = run("permissions", "explain", "--as", "token:ci", "delete", "team/web")
        assert result.exit_code == 1
        assert '- {who: [token:ci], may: [delete], on: ["team/web"]}' in result.stdout
        assert result.stderr == "note: so would a new token with --allow delete:team/web\n"

    def test_a_token_that_is_not_there_is_doubted(self) -> None:
        result = run("permissions", "explain", "--as", "token:ci", "publish", "team/web")
        assert result.exit_code == 1
        assert result.stderr == (
            "note: there is no token 'ci' that has not expired: the answer is by the rules alone\n"
        )

    def test_a_storage_that_cannot_be_read_is_said_to_be_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        create("ci", "publish:team/**")

        def fails(*_: object) -> None:
            raise Unavailable("the disk does not answer")

        monkeypatch.setattr(LocalStorage, "list", fails)
        result = run("permissions", "explain", "--as", "token:ci", "publish", "team/web")
        assert result.exit_code == 1
        assert result.stderr == (
            "note: whether there is a token 'ci' could not be found out, so the answer is by the rules alone: "
            "the disk does not answer\n"
        )


def test_keys_are_rotated_and_old_ones_forgotten_if_so_asked() -> None:
    keys = SigningKeys((state(),))
    assert run("token", "rotate-keys").stdout == "a new key signs from now on\n"
    old, _ = keys.newest()
    result = run("token", "rotate-keys", "--forget")
    assert (result.exit_code, result.stdout) == (0, "a new key signs from now on; 1 old one forgotten\n")
    assert SigningKeys((state(),)).get(old) is None
