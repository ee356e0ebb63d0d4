"""Commands that hold packages to policies, and files of policies with which none of them begins."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chartrepo.cli import cli
from tests.support.packages import package

NEEDS_ICON = 'policies: [{on: "**", since: 2021-01-01, required: [icon]}]\n'
SAID = 'Chart.yaml: icon is missing: write it (policy 1, on "**", of policies.yaml)'
pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture(autouse=True)
def packages(own_folder: Path) -> None:
    (own_folder / "data").mkdir()
    for name, year in (("old", 2020), ("new", 2022)):
        file = own_folder / "data" / f"{name}-1.0.0.tgz"
        file.write_bytes(package(name))
        os.utime(file, ((year - 1970) * 31_557_600,) * 2)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--policies", "policies.yaml"])


def test_a_check_of_policies_tells_what_is_not_served_and_what_is_all_the_same(own_folder: Path) -> None:
    (own_folder / "policies.yaml").write_text(NEEDS_ICON)
    result = run("check", "--policy", "--json")
    assert result.exit_code == 1
    assert [(each["kind"], each["file"], each["message"]) for each in json.loads(result.stdout)["findings"]] == [
        ("policy", "new-1.0.0.tgz", f"policies do not let it be served: {SAID}"),
        ("policy", "old-1.0.0.tgz", f"it is served, for it was published before the policy holds: {SAID}"),
    ]
    assert run("check").exit_code == 0


def test_a_reindex_holds_to_them(own_folder: Path) -> None:
    (own_folder / "policies.yaml").write_text(NEEDS_ICON)
    assert "1 set aside" in run("reindex").stdout


def test_an_import_tells_what_it_refused(own_folder: Path) -> None:
    (own_folder / "policies.yaml").write_text('policies: [{on: "from/**", existing: hide, required: [icon]}]')
    (own_folder / "there").mkdir()
    (own_folder / "there" / "app-1.0.0.tgz").write_bytes(package("app"))
    result = run("import", "there", "--to", "from", "--json")
    assert result.exit_code == 1
    assert "icon is missing" in result.stdout


@pytest.mark.parametrize("command", ["serve", "check", "reindex", "import there", "gc"])
def test_no_command_begins_with_policies_that_cannot_be_read(own_folder: Path, command: str) -> None:
    (own_folder / "there").mkdir()
    (own_folder / "policies.yaml").write_text("policies: [{on: 7}]")
    result = run(*command.split())
    assert result.exit_code == 2
    assert "policies.yaml: policies, policy 1, on: '7' is no text" in result.stderr
    assert "policies, policy 1: since is missing" in result.stderr


def test_a_check_of_policies_needs_some() -> None:
    result = CliRunner().invoke(cli, ["check", "--policy"])
    assert result.exit_code == 2
    assert "name a file of them with the setting policies" in result.stderr
