"""The command line: what it prints, what it refuses, and how it ends."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner, Result

from chartrepo import cli as command_line
from chartrepo.cli.importing import Origin
from chartrepo.core.errors import AccessMisconfigured, CatalogUnavailable
from chartrepo.settings import TABLE, Setting, Settings
from chartrepo.version import __version__
from storage.base import Misconfigured

COMMANDS: Final = (
    *("serve", "import", "reindex", "check", "diff", "index", "config", "completion", "catalog", "catalog prune"),
    *("permissions", "permissions explain", "permissions check"),
)

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def run(*arguments: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
    return CliRunner(env=env or {}).invoke(
        command_line.cli, list(arguments), prog_name="chartrepo", input=stdin, catch_exceptions=False
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stands in for the server: tells with what settings it was started."""
    started: list[Settings] = []
    module = ModuleType("chartrepo.serve")
    module.run_server = started.append  # type: ignore[attr-defined] # a module made by hand
    monkeypatch.setitem(sys.modules, "chartrepo.serve", module)
    monkeypatch.setattr("chartrepo.logs.configure", lambda *_: None)
    return started


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself(self, command: str) -> None:
        result = run(*command.split(), "--help")
        assert result.exit_code == 0
        assert result.output.startswith(f"Usage: chartrepo {command} ")

    @pytest.mark.parametrize("setting", [each for each in TABLE if each.flag], ids=lambda setting: setting.name)
    def test_serve_has_a_flag_for_the_setting(self, setting: Setting) -> None:
        assert f"{setting.option} " in run("serve", "--help").output

    def test_no_flag_takes_a_password(self) -> None:
        assert "--basic-auth-password" not in run("serve", "--help").output
        assert run("serve", "--basic-auth-password", "x").exit_code == 2

    def test_flags_stand_under_the_headings_of_the_settings(self) -> None:
        lines = run("serve", "--help").output.splitlines()
        assert lines.index("Listening:") < lines.index("Storage:") < lines.index("Access:")

    def test_commands_that_do_not_listen_have_no_flags_for_listening(self) -> None:
        assert "--host" not in run("check", "--help").output
        assert "--storage" in run("check", "--help").output

    @pytest.mark.parametrize("command", ["import", "check", "reindex", "catalog prune"])
    def test_commands_that_do_not_serve_have_no_flags_for_serving(self, command: str) -> None:
        text = run(*command.split(), "--help").output
        for flag in ("--sync-interval", "--storage-redirect", "--redirect-expires", "--access-log", "--metrics"):
            assert flag not in text
            assert flag in run("serve", "--help").output
        for flag in ("--catalog", "--single-writer", "--s3-endpoint", "--log-level"):
            assert flag in text

    def test_the_examples_in_help_texts_use_flags_that_exist(self) -> None:
        known = {"--data-binary"}
        for name in COMMANDS:
            command: click.Command = command_line.cli
            for part in name.split():
                assert isinstance(command, click.Group)
                command = command.commands[part]
            known |= {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        for name in ("", *COMMANDS):
            epilog = run(*name.split(), "--help").output
            used = {word.strip("`,.") for word in epilog.split() if word.startswith("--")}
            assert used - known - {"--help", "--version"} == set()


class TestVersion:
    def test_is_told(self) -> None:
        assert run("--version").output == f"chartrepo {__version__}\n"

    def test_is_told_by_python_m_too(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "chartrepo", "--version"], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"chartrepo {__version__}\n"

    def test_needs_no_heavy_import(self) -> None:
        code = "import sys, chartrepo.cli; print(sorted(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = {name.partition(".")[0] for name in ast.literal_eval(done.stdout)}
        heavy = {"flask", "sqlalchemy", "boto3", "botocore", "gunicorn", "granian", "prometheus_client", "yaml"}
        assert loaded & heavy == set()


class TestConfig:
    def test_shows_value_and_source_of_every_setting(self) -> None:
        result = run("config", "--port", "81", env={"CHARTREPO_WORKERS": "4"})
        rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
        assert list(rows) == [setting.name for setting in TABLE]
        assert rows["port"] == ["81", "--port"]
        assert rows["workers"] == ["4", "CHARTREPO_WORKERS"]
        assert rows["host"] == ["127.0.0.1", "default"]

    def test_shows_them_as_json(self, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        file.write_text("max_upload_size: 50 MiB\n", encoding="utf-8")
        shown = json.loads(run("config", "--json", "--config", str(file)).output)
        assert shown["max_upload_size"] == {"value": "50MiB", "source": f"{file}, line 1"}

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_hides_secrets(self, form: tuple[str, ...]) -> None:
        env = {
            "CHARTREPO_BASIC_AUTH_USER": "ci",
            "CHARTREPO_BASIC_AUTH_PASSWORD": "hunter2",
            "CHARTREPO_CATALOG": "postgresql://me:hunter2@db/x",
        }
        result = run("config", *form, env=env)
        assert "hunter2" not in result.output
        assert "postgresql://me:***@db/x" in result.output

    def test_prints_a_configuration_file_that_it_reads(self, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        file.write_text(run("config", "--example").output, encoding="utf-8")
        assert run("config", "--config", str(file)).output == run("config").output

    def test_a_flag_can_take_back_what_the_environment_switched_on(self) -> None:
        env = {"CHARTREPO_PUBLISH_INDEX": "true"}
        shown = json.loads(run("config", "--json", "--no-publish-index", env=env).output)
        assert shown["publish_index"] == {"value": "false", "source": "--publish-index"}


class TestServe:
    def test_starts_the_server_with_the_effective_settings(self, server: list[Settings]) -> None:
        result = run("serve", "--open-writes", "--storage", "s3://charts/x", env={"CHARTREPO_PORT": "0"})
        assert result.exit_code == 0
        assert (server[0].port, server[0].open_writes, str(server[0].storage)) == (0, True, "s3://charts/x")

    def test_is_not_reached_with_half_a_credential_that_stops_no_other_command(
        self, server: list[Settings], tmp_path: Path
    ) -> None:
        env = {"CHARTREPO_BASIC_AUTH_PASSWORD": "x"}
        result = run("serve", env=env)
        assert (result.exit_code, server) == (2, [])
        assert "set without basic_auth_user" in result.stderr
        for command in ("check", "reindex", "catalog prune", f"import {tmp_path}"):
            assert run(*command.split(), "--storage", str(tmp_path), env=env).exit_code == 0
        assert run("config", env=env).exit_code == 0

    def test_is_not_reached_with_a_wrong_setting(self, server: list[Settings]) -> None:
        assert run("serve", "--open-writes", "--host", "0.0.0.0").exit_code == 2
        assert server == []


class TestFailures:
    def test_of_configuration_are_one_line_and_status_2(self) -> None:
        result = run("config", env={"CHARTREPO_PROT": "1"})
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr == "chartrepo: CHARTREPO_PROT is not a setting: did you mean CHARTREPO_PORT?\n"

    @pytest.mark.parametrize(
        ("error", "line"),
        [
            (Misconfigured("there is no bucket 'x'"), "chartrepo: there is no bucket 'x'\n"),
            (CatalogUnavailable("the database\nis gone"), "chartrepo: the database\\nis gone\n"),
            (CatalogUnavailable("it fails", detail="db:5432 refuses"), "chartrepo: db:5432 refuses\n"),
            (PermissionError(13, "Permission denied", "/srv/x"), "chartrepo: /srv/x: Permission denied\n"),
            (OSError(98, "Address already in use"), "chartrepo: Address already in use\n"),
        ],
    )
    def test_of_a_command_are_one_line_and_status_2(
        self, monkeypatch: pytest.MonkeyPatch, server: list[Settings], error: Exception, line: str
    ) -> None:
        def fail(_settings: Settings) -> None:
            raise error

        monkeypatch.setattr(sys.modules["chartrepo.serve"], "run_server", fail)
        result = run("serve")
        assert (result.exit_code, result.stderr) == (2, line)

    def test_of_a_file_about_access_are_a_line_each(
        self, monkeypatch: pytest.MonkeyPatch, server: list[Settings]
    ) -> None:
        def fail(_settings: Settings) -> None:
            raise AccessMisconfigured("line 1: no\nhash", "line 2: no colon")

        monkeypatch.setattr(sys.modules["chartrepo.serve"], "run_server", fail)
        result = run("serve")
        assert result.exit_code == 2
        assert result.stderr == "chartrepo: line 1: no\\nhash\nchartrepo: line 2: no colon\n"

    def test_that_are_our_own_mistakes_are_not_hidden(
        self, monkeypatch: pytest.MonkeyPatch, server: list[Settings]
    ) -> None:
        def fail(_settings: Settings) -> None:
            raise KeyError("a bug")

        monkeypatch.setattr(sys.modules["chartrepo.serve"], "run_server", fail)
        with pytest.raises(KeyError):
            run("serve")

    def test_ctrl_c_is_told_apart_from_a_finding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(_settings: Settings, *, policies: bool, as_json: bool) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr("chartrepo.logs.configure", lambda *_: None)
        monkeypatch.setattr(importlib.import_module("chartrepo.cli.maintenance"), "run_check", stop)
        result = run("check")
        assert (result.exit_code, result.stderr) == (130, "chartrepo: stopped\n")

    def test_of_spelling_are_answered_with_the_nearest_flag(self) -> None:
        result = run("serve", "--prot", "1")
        assert result.exit_code == 2
        assert "--port" in result.stderr


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_prints_a_script_for_the_shell(self, shell: str) -> None:
        result = run("completion", shell)
        assert result.exit_code == 0
        assert f"_CHARTREPO_COMPLETE={shell}_complete" in result.stdout

    def completions(self, words: str) -> list[str]:
        """What the shell is offered for the last of these words."""
        env = {
            "_CHARTREPO_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        code = "from chartrepo.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    def test_knows_commands_flags_and_values(self) -> None:
        assert self.completions("chartrepo ser") == ["serve"]
        assert "--allow-overwrite" in self.completions("chartrepo serve --allow")
        assert self.completions("chartrepo serve --allow-overwrite ") == ["never", "force", "always"]


class TestHandedOn:
    """The commands whose work is done elsewhere hand on what they were given."""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

        def recorder(name: str) -> Any:
            def record(*arguments: Any, **named: Any) -> int:
                calls.append((name, arguments, named))
                return 1

            return record

        for module, names in {
            "chartrepo.cli.importing": ["run_import"],
            "chartrepo.cli.maintenance": ["run_reindex", "run_check", "run_index", "run_prune"],
        }.items():
            for name in names:
                monkeypatch.setattr(importlib.import_module(module), name, recorder(name))
        monkeypatch.setattr("chartrepo.logs.configure", lambda *_: None)
        return calls

    def test_import(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
        arguments = ("https://x", "--to", "team/app", "--username", "ci", "--password-file", "-", "--jobs", "3")
        result = run("import", *arguments, stdin="s3cr3t\n")
        (name, (given, origin), named) = calls[0]
        assert result.exit_code == 1
        assert name == "run_import"
        assert isinstance(given, Settings)
        assert origin == Origin("https://x", username="ci", password="s3cr3t")
        assert named == {"to": "team/app", "jobs": 3, "as_json": False}

    def test_import_from_a_registry_without_encryption(
        self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
    ) -> None:
        run("import", "oci://x/y", "--plain-http")
        assert calls[0][1][1] == Origin("oci://x/y", plain_http=True)

    def test_import_with_a_user_and_no_way_to_a_password(self, calls: list[Any]) -> None:
        result = run("import", "https://x", "--username", "ci")
        assert (result.exit_code, calls) == (2, [])
        assert "--password-file" in result.stderr

    def test_import_from_another_s3_service(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
        run("import", "s3://x", "--source-endpoint", "http://y", "--source-region", "z", "--source-profile", "p")
        assert calls[0][1][1] == Origin("s3://x", endpoint="http://y", region="z", profile="p")

    def test_check_ends_with_the_status_it_was_given(
        self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
    ) -> None:
        assert run("check", "--json").exit_code == 1
        assert (calls[0][0], calls[0][2]) == ("run_check", {"policies": False, "as_json": True})

    def test_check_of_policies(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
        run("check", "--policy", "--policies", "./new.yaml")
        assert (str(calls[0][1][0].policies), calls[0][2]) == ("new.yaml", {"policies": True, "as_json": False})

    def test_index(self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]], tmp_path: Path) -> None:
        assert run("index", str(tmp_path), "--url", "https://x").exit_code == 0
        assert calls == [("run_index", (tmp_path,), {"url": "https://x", "merge": None, "as_json": False})]

    @pytest.mark.parametrize(("command", "function"), [("reindex", "run_reindex"), ("catalog prune", "run_prune")])
    def test_reindex_and_prune(
        self, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]], command: str, function: str
    ) -> None:
        assert run(*command.split(), "--storage", "./x").exit_code == 0
        name, (given,), _ = calls[0]
        assert (name, str(given.storage)) == (function, "./x")
