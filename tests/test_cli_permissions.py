"""`chartrepo permissions`: what it says of callers, rules and users, and how it ends."""

from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from chartrepo.cli import cli

HASH: Final = "$2b$04$abcdefghijklmnopqrstuu5rjMvNXGQfkXxHfCwpnHoqGBFqLbFSK"
RULES: Final = """\
permissions:
  - {who: [authenticated], may: [read], on: ["**"]}
  - {who: ["group:web"], may: [publish], on: ["team/**"]}
  - {who: ["user:grace"], may: [admin], on: ["web"]}
groups:
  web: [ada]
"""

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def files(own_folder: Path) -> dict[str, str]:
    """Two users, ada and grace, and three rules; and the variables that name the files."""
    (own_folder / "users").write_text(f"ada:{HASH}\ngrace:{HASH}\n", encoding="utf-8")
    (own_folder / "rules").write_text(RULES, encoding="utf-8")
    return {"CHARTREPO_PERMISSIONS": "rules", "CHARTREPO_HTPASSWD": "users"}


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner(env=env or {}).invoke(
        cli, ["permissions", *arguments], prog_name="chartrepo", catch_exceptions=False
    )


def rules(*lines: str) -> None:
    Path("rules").write_text("\n".join(lines), encoding="utf-8")


class TestExplain:
    @pytest.mark.parametrize("caller", ["ada", "user:ada"])
    def test_names_the_rule_by_its_number_in_the_file(self, files: dict[str, str], caller: str) -> None:
        result = run("explain", "--as", caller, "publish", "team/app/web", env=files)
        assert result.exit_code == 0
        assert result.output == (
            "user:ada may publish team/app/web by rule 2 of rules: "
            '{who: [group:web], may: [publish], on: ["team/**"]}\n'
        )

    def test_counts_no_rules_that_settings_stand_for(self, files: dict[str, str]) -> None:
        env = {**files, "CHARTREPO_ADMIN_PASSWORD": "x", "CHARTREPO_BASIC_AUTH_USER": "ci"}
        result = run("explain", "--as", "grace", "delete", "web", env={**env, "CHARTREPO_BASIC_AUTH_PASSWORD": "x"})
        assert (result.exit_code, "rule 3 of rules" in result.output) == (0, True)

    def test_takes_the_files_from_flags(self, files: dict[str, str]) -> None:
        result = run("explain", "--permissions", "rules", "--htpasswd", "users", "--as", "ada", "read", "web")
        assert (result.exit_code, "rule 1 of rules" in result.output) == (0, True)

    def test_gives_a_rule_to_paste_where_nothing_allows_it(self, files: dict[str, str]) -> None:
        result = run("explain", "--as", "grace", "publish", "team/web", env=files)
        assert result.exit_code == 1
        verdict, rule = result.output.splitlines()
        assert verdict == (
            "user:grace may not publish team/web: nothing allows it; in rules, below permissions, this would:"
        )
        assert rule == '- {who: [user:grace], may: [publish], on: ["team/web"]}'
        rules("permissions:", f"  {rule}")
        assert run("explain", "--as", "grace", "publish", "team/web", env=files).exit_code == 0

    def test_is_about_everybody_where_nobody_is_named(self, files: dict[str, str]) -> None:
        result = run("explain", "read", "web", env=files)
        assert result.exit_code == 1
        assert result.output.startswith("anonymous may not read web: ")
        assert result.output.endswith('\n- {who: [anonymous], may: [read], on: ["web"]}\n')

    def test_takes_a_group_for_somebody_in_that_group_alone(self, files: dict[str, str]) -> None:
        assert run("explain", "--as", "group:web", "publish", "team/web", env=files).exit_code == 0
        result = run("explain", "--as", "group:web", "publish", "web", env=files)
        assert result.exit_code == 1
        assert result.output.endswith('\n- {who: [group:web], may: [publish], on: ["web"]}\n')

    def test_takes_a_group_for_somebody_with_a_credential(self, files: dict[str, str]) -> None:
        assert "rule 1 of rules" in run("explain", "--as", "group:web", "read", "web", env=files).output

    @pytest.mark.parametrize(
        ("env", "arguments", "origin"),
        [
            ({"BASIC_AUTH_USER": "ci"}, ("--as", "ci", "admin", "web"), "by the setting basic_auth_user"),
            ({"BASIC_AUTH_USER": "admin"}, ("--as", "admin", "admin", "web"), "by the setting basic_auth_user"),
            ({}, ("--as", "admin", "delete", "web"), "by the setting admin_password"),
            ({"AUTH_ANONYMOUS_GET": "true"}, ("read", "web"), "by the setting auth_anonymous_get"),
            ({}, ("read", "web"), "by default, as basic_auth_user and permissions are not set"),
            ({}, ("--as", "ada", "delete", "web"), "by default, as permissions is not set"),
            ({"OPEN_WRITES": "true"}, ("publish", "web"), "by the setting open_writes, on this machine alone"),
        ],
    )
    def test_names_the_setting_that_a_rule_comes_from(
        self, env: dict[str, str], arguments: tuple[str, ...], origin: str
    ) -> None:
        env = {"ADMIN_PASSWORD": "x", "BASIC_AUTH_PASSWORD": "y", **env}
        result = run("explain", *arguments, env={f"CHARTREPO_{name}": value for name, value in env.items()})
        assert result.exit_code == 0
        assert f" web {origin}: {{who: [" in result.output

    def test_says_where_the_missing_rule_belongs_when_there_is_no_file(self) -> None:
        result = run("explain", "publish", "web", env={"CHARTREPO_ADMIN_PASSWORD": "x"})
        assert result.exit_code == 1
        assert "in a file that the setting permissions names, this would:\n- {who: [anonymous]" in result.output

    @pytest.mark.parametrize(
        ("caller", "note"),
        [
            ("adda", "note: there is no user 'adda', who could log in: the answer is for one who is added\n"),
            ("group:ops", "note: nobody is in the group 'ops': the answer is for one who is put in\n"),
            ("ada", ""),
            ("group:web", ""),
            ("anonymous", ""),
        ],
    )
    def test_doubts_callers_that_are_not_there(self, files: dict[str, str], caller: str, note: str) -> None:
        assert run("explain", "--as", caller, "read", "web", env=files).stderr == note

    def test_doubts_every_caller_where_nobody_can_be_known(self) -> None:
        assert run("explain", "--as", "ada", "publish", "web").stderr == (
            "note: nobody can be known: set htpasswd, admin_password or basic_auth_user\n"
        )
        assert run("explain", "read", "web").stderr == ""

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("write", "web"), "'write' is not one of 'read', 'publish', 'overwrite', 'delete', 'admin'"),
            (("read", "team/"), "'team/' names no chart"),
            (("read", "/web"), "'/web' names no chart"),
            (("read", "team/*"), "'team/*' names no chart"),
            (("read", "api/web"), "'api' cannot name a repository"),
            (("read", "web", "--as", "Team:web"), "'Team:web' names no caller"),
            (("read", "web", "--as", "user:*"), "'user:*' names nobody"),
            (("read", "web", "--as", ""), "'user:' names no caller"),
            (("read",), "Missing argument 'REPOSITORY/CHART'"),
        ],
    )
    def test_refuses_what_it_does_not_understand(self, arguments: tuple[str, ...], problem: str) -> None:
        result = run("explain", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr

    def test_cannot_tell_from_files_that_are_wrong(self, files: dict[str, str]) -> None:
        rules("permissions: [{who: ada, may: read, on: web}]")
        Path("users").unlink()
        result = run("explain", "read", "web", env=files)
        assert (result.exit_code, result.stdout) == (2, "")
        assert [line.partition(",")[0] for line in result.stderr.splitlines()] == [
            "chartrepo: users is not there: make it with `htpasswd -c -B -C 12 users NAME`",
            "chartrepo: rules: permissions",
        ]


ISSUERS: Final = """\
permissions:
  - {who: ["github:acme/web/.github/workflows/release.yml@refs/tags/v*"], may: [publish], on: ["apps/*"]}
  - {who: [{issuer: github, repository: acme/web, environment: production}], may: [read], on: ["apps/*"]}
  - {who: ["sso:ada", "group:sso:web"], may: [publish], on: ["team/*"]}
  - {who: [authenticated], may: [read], on: ["shared/*"]}
issuers:
  github: {audience: charts}
  cluster: {kind: kubernetes, audience: charts, authenticated: true}
  sso: {url: "https://sso.example.com", audience: charts, groups: groups}
groups:
  ops: ["sso:ada"]
"""


class TestIssuers:
    @pytest.fixture(autouse=True)
    def with_issuers(self, files: dict[str, str]) -> None:
        rules(ISSUERS)

    @pytest.mark.parametrize(
        ("caller", "wanted", "status", "said"),
        [
            (
                "github:acme/web/.github/workflows/release.yml@refs/tags/v1",
                "publish apps/web",
                0,
                "by rule 1 of rules: {who: [",
            ),
            (
                "github:acme/web/.github/workflows/release.yml@refs/heads/main",
                "publish apps/web",
                1,
                "- {who: [github:acme/",
            ),
            (
                "{issuer: github, repository: acme/web, job_workflow_ref: x, environment: production}",
                "read apps/web",
                0,
                "by rule 2",
            ),
            (
                "{issuer: github, repository: acme/web, job_workflow_ref: x}",
                "read apps/web",
                1,
                '- {who: [{issuer: github, job_workflow_ref: x, repository: acme/web}], may: [read], on: ["apps/web"]}',
            ),
            ("sso:ada", "publish team/web", 0, "by rule 3"),
            ("group:sso:web", "publish team/web", 0, "by rule 3"),
            ("sso:bob", "publish team/web", 1, "- {who: [sso:bob], may: [publish]"),
            ("sso:bob", "read shared/web", 1, "nothing allows it"),
            ("cluster:ci/pusher", "read shared/web", 0, "by rule 4"),
            ("user:ada", "read shared/web", 0, "by rule 4"),
            ("other:ada", "read shared/web", 1, "note: no issuer is called 'other'"),
        ],
    )
    def test_their_callers_are_explained(self, caller: str, wanted: str, status: int, said: str) -> None:
        result = run("explain", "--permissions", "rules", "--as", caller, *wanted.split())
        assert (result.exit_code, said in result.output) == (status, True), result.output

    @pytest.mark.parametrize(
        ("caller", "problem"),
        [
            ("github:acme/web", "is none of github's short names"),
            ("{issuer: github}", "name at least one claim"),
            ("{issuer: gone, a: b}", "no issuer is called 'gone'"),
            ("{", "is no mapping"),
            ("{issuer: github, repository: acme/web, event_name: pull_request_target}", "pull_request_target"),
        ],
    )
    def test_what_can_be_nobody_is_refused(self, caller: str, problem: str) -> None:
        result = run("explain", "--permissions", "rules", "--as", caller, "read", "web")
        assert (result.exit_code, problem in result.output) == (2, True), result.output

    def test_rules_for_them_are_checked(self) -> None:
        result = run("check", "--permissions", "rules")
        assert (result.exit_code, result.stdout) == (0, "4 rules, 0 users, 1 group, 3 issuers: all is well\n")

    def test_rules_for_those_that_are_not_there_do_nothing(self) -> None:
        gone = (
            ISSUERS.replace("  github: {audience: charts}\n", "")
            .replace(", groups: groups", "")
            .replace("sso:ada]", "x")
        )
        rules(gone.replace('ops: ["sso:ada"]', 'ops: ["old:ada"]'))
        result = run("check", "--strict", "--permissions", "rules")
        assert result.exit_code == 1
        for part in (
            "rule 1, who: no issuer is called 'github'",
            "rule 2, who: no issuer is called 'github'",
            "rule 3, who: nobody is in the group 'sso:web'",
            "groups, 'ops': no issuer is called 'old'",
        ):
            assert part in result.stdout

    def test_a_claim_that_no_token_has_does_nothing(self) -> None:
        rules(ISSUERS.replace("environment: production", "project_path: acme/web"))
        assert "no token of github has a claim 'project_path'" in run("check", "--permissions", "rules").stdout


class TestCheck:
    def test_counts_what_is_right(self, files: dict[str, str]) -> None:
        result = run("check", "--strict", env=files)
        assert (result.exit_code, result.output) == (0, "3 rules, 2 users, 1 group: all is well\n")

    def test_tells_of_all_that_is_wrong_with_both_files(self, files: dict[str, str]) -> None:
        rules(
            "permissions:", "- {who: ada, may: read, on: web}", "- {who: anonymous, may: write, on: web}", "group: {}"
        )
        Path("users").write_text("ada\ngrace:secret\n", encoding="utf-8")
        result = run("check", env=files)
        assert (result.exit_code, result.stderr) == (1, "")
        places = [
            "users, line 1: ",
            "users, line 2: ",
            "rules: there is no key 'group'",
            "rules: permissions, rule 1, who",
        ]
        lines = result.stdout.splitlines()
        assert [place for place in places if not any(line.startswith(place) for line in lines)] == []
        assert any(line.startswith("rules: permissions, rule 2, may: ") for line in lines)
        assert len(lines) == 5

    def test_tells_of_a_file_that_is_not_there(self, files: dict[str, str]) -> None:
        Path("rules").unlink()
        result = run("check", env=files)
        assert (result.exit_code, result.output) == (
            1,
            "rules is not there: write one, which begins with permissions: and a list of rules below it\n",
        )

    @pytest.mark.parametrize(("flags", "status"), [((), 0), (("--strict",), 1)])
    def test_warns_of_what_does_nothing(self, files: dict[str, str], flags: tuple[str, ...], status: int) -> None:
        rules(
            "permissions:",
            "- {who: [user:admin, user:adda], may: read, on: web}",
            "- {who: [group:empty, group:web], may: read, on: api/web}",
            "groups: {empty: [], web: [ada, addda]}",
        )
        result = run("check", *flags, env={**files, "CHARTREPO_ADMIN_PASSWORD": "x"})
        *warnings, verdict = result.output.splitlines()
        assert result.exit_code == status
        assert verdict == "2 rules, 3 users, 2 groups: 4 warnings"
        for line, part in zip(
            warnings,
            [
                "rule 1, who: no htpasswd file has the user 'adda'",
                "rule 2, who: nobody is in the group 'empty'",
                "rule 2, on: 'api/web' matches nothing",
                "groups, 'web': there is no user 'addda'",
            ],
            strict=True,
        ):
            assert line.startswith("warning: rules: ")
            assert part in line

    def test_does_not_miss_users_where_no_setting_names_any(self, files: dict[str, str]) -> None:
        result = run("check", "--strict", "--permissions", "rules")
        assert (result.exit_code, result.stdout) == (0, "3 rules, 0 users, 1 group: all is well\n")
        assert "whether users are there was not checked" in result.stderr

    def test_says_what_holds_without_a_file_of_rules(self, files: dict[str, str]) -> None:
        result = run("check", "--htpasswd", "users", env={"CHARTREPO_ADMIN_PASSWORD": "x"})
        assert result.exit_code == 0
        heading, *rows, _, verdict = result.output.splitlines()
        assert heading == "The setting permissions names no file of rules. So these hold:"
        assert [row.split("  {")[-1] for row in rows] == [
            'who: [user:admin], may: [admin], on: ["**"]}',
            'who: [anonymous], may: [read], on: ["**"]}',
            'who: ["user:*"], may: [read, publish, overwrite, delete], on: ["**"]}',
        ]
        assert rows[0].startswith("  by the setting admin_password ")
        assert verdict == "3 users: all is well"

    def test_says_that_nobody_can_be_known(self) -> None:
        result = run("check")
        assert result.exit_code == 0
        assert "nobody can be known: set htpasswd, admin_password or basic_auth_user" in result.output

    def test_needs_settings_that_are_right(self) -> None:
        assert run("check", env={"CHARTREPO_PERMISSION": "rules"}).exit_code == 2


@pytest.mark.parametrize("arguments", [("explain", "--as", "ada", "read", "web"), ("check",)])
def test_neither_storage_nor_catalog_is_touched(files: dict[str, str], arguments: tuple[str, ...]) -> None:
    before = sorted(Path().rglob("*"))
    env = {**files, "CHARTREPO_STORAGE": "s3://nowhere", "CHARTREPO_CATALOG": "postgresql://nowhere/x"}
    assert run(*arguments, env=env).exit_code == 0
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("command", ["explain", "check"])
def test_only_settings_that_are_asked_for_have_flags(command: str) -> None:
    text = run(command, "--help").output
    for flag in ("--config", "--permissions", "--htpasswd", "--auth-anonymous-get"):
        assert flag in text
    for flag in ("--host", "--trusted-proxies", "--admin-password"):
        assert flag not in text
    assert ("--storage" in text) == (command == "explain")  # tokens lie there
