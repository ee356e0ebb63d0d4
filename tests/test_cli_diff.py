"""`chartrepo diff`: what it prints, where it takes packages from, and how it ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartrepo.cli import cli
from tests.support.packages import package
from tests.support.server import Server, running
from tests.support.web import Answer, Web
from tests.support.web import running as web_running

pytestmark = pytest.mark.usefixtures("own_folder")

TEMPLATE = "".join(f"line: {number}\n" for number in range(50))
IN_WORDS = (
    "1 value removed: `gone`; dependency redis 18 to 19 (major); 1 value added: `new`; 1 default changed: "
    "`replicaCount` 1 to 2; app version 1 to 1.1 (minor); 1 template changed, 1 added; 1 other file changed."
)


def run(*arguments: str | Path, colour: bool = False) -> Result:
    return CliRunner().invoke(
        cli, ["diff", *map(str, arguments)], prog_name="chartrepo", catch_exceptions=False, color=colour
    )


def write(path: str, version: str = "1.0.0", **others: Any) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(package(version=version, **others))
    return file


@pytest.fixture
def two(own_folder: None) -> tuple[Path, Path]:
    """Two packages that differ in this and that."""
    old = {"values.yaml": "replicaCount: 1\ngone: x\n", "templates/a.yaml": TEMPLATE, "logo.png": b"\0\1"}
    new = {
        "values.yaml": "replicaCount: 2\nnew: true\n",
        "templates/a.yaml": TEMPLATE.replace("line: 20\n", "line: twenty\n"),
        "templates/last.yaml": "no end",
        "logo.png": b"\0\1\2",
    }
    dependency = {"name": "redis", "repository": "https://charts.example.com"}
    return (
        write("old.tgz", "1.0.0", files=old, dependencies=[{**dependency, "version": "18"}], appVersion="1"),
        write("new.tgz", "1.1.0", files=new, dependencies=[{**dependency, "version": "19"}], appVersion="1.1"),
    )


class TestText:
    def test_it_tells_all_that_differs(self, two: tuple[Path, Path]) -> None:
        result = run(*two)
        assert result.exit_code == 1
        assert result.output.splitlines() == [
            "app 1.0.0 to 1.1.0 (minor)",
            IN_WORDS,
            "",
            "Values",
            '- gone: "x"',
            "~ replicaCount: 1 -> 2",
            "+ new: true",
            "--- values.yaml",
            "+++ values.yaml",
            "@@ -1,2 +1,2 @@",
            "-replicaCount: 1",
            "-gone: x",
            "+replicaCount: 2",
            "+new: true",
            "",
            "Dependencies",
            "~ redis 18 -> 19 (major)",
            "",
            "Chart.yaml",
            "~ appVersion: 1 -> 1.1",
            "--- Chart.yaml",
            "+++ Chart.yaml",
            "@@ -1,5 +1,5 @@",
            ' apiVersion: "v2"',
            ' name: "app"',
            '-version: "1.0.0"',
            '-dependencies: [{"name": "redis", "repository": "https://charts.example.com", "version": "18"}]',
            '-appVersion: "1"',
            '+version: "1.1.0"',
            '+dependencies: [{"name": "redis", "repository": "https://charts.example.com", "version": "19"}]',
            '+appVersion: "1.1"',
            "",
            "Templates",
            "--- templates/a.yaml",
            "+++ templates/a.yaml",
            "@@ -18,7 +18,7 @@",
            *(f" line: {number}" for number in (17, 18, 19)),
            "-line: 20",
            "+line: twenty",
            *(f" line: {number}" for number in (21, 22, 23)),
            "--- /dev/null",
            "+++ templates/last.yaml",
            "@@ -0,0 +1,1 @@",
            "+no end",
            "\\ No newline at end of file",
            "",
            "Other files",
            "  logo.png: changed, 2 bytes sha256:b413f47d13ee -> 3 bytes sha256:ae4b3280e56e",
        ]

    @pytest.mark.parametrize(
        ("part", "first", "absent"),
        [
            ("summary", "1 value removed", "line: twenty"),
            ("values", "", "redis"),
            ("dependencies", "", "replicaCount"),
            ("templates", "", "replicaCount"),
            ("files", "", "replicaCount"),
        ],
    )
    def test_one_part_alone(self, two: tuple[Path, Path], part: str, first: str, absent: str) -> None:
        result = run(*two, "--only", part)
        assert result.exit_code == 1
        assert result.output.strip()
        assert first in result.output
        assert absent not in result.output.replace("dependency redis", "").replace("`replicaCount`", "")

    def test_colours_are_for_terminals(self, two: tuple[Path, Path]) -> None:
        assert "\x1b[" not in run(*two).output
        assert "\x1b[31m-line: 20\x1b[0m" in run(*two, colour=True).output

    def test_white_space_can_be_left_out(self) -> None:
        old, new = (write(f"{n}.tgz", files={"templates/a.yaml": f"a:{' ' * n}b\n"}) for n in (1, 2))
        assert "+a:  b" in run(old, new).output
        assert "+a:  b" not in run(old, new, "--ignore-space").output

    def test_what_would_upset_a_terminal_is_made_visible(self) -> None:
        old, new = (
            write(f"{n}.tgz", files={f"templates/\u202e{n}.yaml": f"\x1b[2J{n}\r\n", "values.yaml": f"a: {n}\n"})
            for n in "12"
        )
        output = run(old, new).output
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "⟨U+001B⟩[2J1" in output


class TestStatus:
    def test_it_is_0_where_nothing_differs(self) -> None:
        old, new = write("a.tgz"), write("b.tgz")
        result = run(old, new)
        assert (result.exit_code, result.output.splitlines()[1]) == (0, "Both are the same package, byte for byte.")

    def test_it_is_1_where_the_version_alone_does(self) -> None:
        result = run(write("a.tgz", "1.0.0"), write("b.tgz", "1.0.1"))
        assert result.exit_code == 1
        assert "Nothing changed but the version." in result.output

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("a.tgz", "missing.tgz"), "chartrepo: missing.tgz: No such file or directory"),
            (("a.tgz", "bad.tgz"), "chartrepo: bad.tgz: "),
            (("a.tgz", "."), "chartrepo: .: Is a directory"),
            (("a.tgz",), "Error: name two packages, or REPOSITORY/CHART FROM TO"),
            ((), "Error: name two packages, or REPOSITORY/CHART FROM TO"),
            (("a.tgz", "a.tgz", "--server", "http://x"), "Error: --server needs REPOSITORY/CHART FROM TO"),
            (("a.tgz", "a.tgz", "--username", "x"), "Error: --username and --password-file are for --server"),
            (("team/*", "1", "2"), "names no chart"),
            (("app", "1", "2", "--server", "ftp://x"), "is no address that starts with http:// or https://"),
            (("app", "1", "2", "--server", "http://me:secret@x"), "the address holds a credential"),
            (("app", "1.0.0", "2.0.0"), "chartrepo: there is no chart 'app' in the root"),
        ],
    )
    def test_it_is_2_with_a_sentence_where_they_cannot_be_compared(self, arguments: tuple[str, ...], said: str) -> None:
        write("a.tgz")
        write("data/other-1.0.0.tgz", name="other")
        Path("bad.tgz").write_bytes(b"no package")
        result = run(*arguments)
        assert result.exit_code == 2
        assert said in result.output
        assert "Traceback" not in result.output


def test_as_json(two: tuple[Path, Path]) -> None:
    result = run(*two, "--json")
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert (told["name"], told["from"]["version"], told["to"]["version"], told["same"]) == (
        "app",
        "1.0.0",
        "1.1.0",
        False,
    )
    assert [(each["change"], each["path"]) for each in told["values"]] == [
        ("removed", "gone"),
        ("default", "replicaCount"),
        ("added", "new"),
    ]


def test_two_charts_can_be_compared_and_are_told_to_be_two() -> None:
    result = run(write("a.tgz"), write("b.tgz", name="other"))
    assert result.exit_code == 1
    assert "these are two charts: app and other" in result.output


class TestStorage:
    @pytest.mark.parametrize(("old", "new"), [("1.0.0", "1.1.0"), ("~1.0", "latest"), ("1.0", "^1")])
    def test_versions_lie_there_and_need_no_catalog(self, old: str, new: str) -> None:
        for version in ("1.0.0", "1.1.0"):
            write(f"data/team/app-{version}.tgz", version, files={"values.yaml": f"v: '{version}'\n"})
        result = run("team/app", old, new)
        assert result.exit_code == 1, result.output
        assert "`v` 1.0.0 to 1.1.0" in result.output

    def test_a_version_that_is_not_there_is_told_with_those_that_are(self) -> None:
        write("data/app-1.0.0.tgz")
        result = run("app", "1.0.0", "^7")
        assert result.exit_code == 2
        assert "app has no version ^7: there are 1.0.0" in result.output

    def test_a_file_of_that_name_may_be_of_another_chart(self) -> None:
        write("data/app-1-2.0.0.tgz", "1-2.0.0")
        assert run("app-1", "2.0.0", "2.0.0").exit_code == 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("diff")
    (folder / "data" / "team").mkdir(parents=True)
    for version in ("1.0.0", "1.1.0"):
        data = package(version=version, files={"values.yaml": f"v: '{version}'\n"})
        (folder / "data" / "team" / f"app-{version}.tgz").write_bytes(data)
    credential = {"CHARTREPO_BASIC_AUTH_USER": "me", "CHARTREPO_BASIC_AUTH_PASSWORD": "secret"}
    with running(folder, context_path="/charts", env=credential) as found:
        yield found


class TestServer:
    def test_versions_are_fetched_from_there(self, server: Server) -> None:
        Path("password").write_text("secret\n")
        more = ("--server", server.url, "--username", "me", "--password-file", "password")
        result = run("team/app", "1.0.0", "latest", *more)
        assert result.exit_code == 1, result.output
        assert "`v` 1.0.0 to 1.1.0" in result.output
        assert run("team/app", "1.1.0", "1.1.0", *more).exit_code == 0
        missing = run("team/app", "1.1.0", "7.0.0", *more)
        assert missing.exit_code == 2
        assert "has no version 7.0.0 of app, or you may not read it" in missing.output

    def test_without_a_credential_it_is_told_to_give_one(self, server: Server) -> None:
        result = run("team/app", "1.0.0", "1.1.0", "--server", server.url)
        assert result.exit_code == 2
        assert re.search("the server answers 401.*: give --username and --password-file", result.output)

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            (b"<html>", "is none of ChartMuseum's API"),
            (b"[]", "is none of ChartMuseum's API"),
            (b'{"urls": []}', "is none of ChartMuseum's API"),
            (b'{"urls": ["charts/app-1.0.0.tgz"], "digest": "abc"}', "has not the digest that the server says"),
            (b'{"urls": ["charts/bad.tgz"]}', "bad.tgz: "),
            (b'{"urls": ["charts/missing.tgz"]}', "missing.tgz: the server answers 404"),
        ],
    )
    def test_what_a_server_says_is_not_believed(self, entry: bytes, said: str) -> None:
        with web_running() as web:
            self._publish(web, entry)
            result = run("app", "1.0.0", "1.0.0", "--server", web.url)
        assert result.exit_code == 2
        assert said in result.output
        assert "Traceback" not in result.output

    def test_a_credential_goes_to_its_own_server_alone(self) -> None:
        Path("password").write_text("secret")
        with web_running() as web, web_running() as other:
            other.answers["/app-1.0.0.tgz"] = Answer(package())
            self._publish(web, json.dumps({"urls": [f"{other.url}/app-1.0.0.tgz"]}).encode())
            result = run("app", "1.0.0", "1.0.0", "--server", web.url, "--username", "x", "--password-file", "password")
            assert result.exit_code == 0, result.output
            assert web.credentials()[0] is not None
            assert set(other.credentials()) == {None}

    @staticmethod
    def _publish(web: Web, entry: bytes) -> None:
        web.answers["/api/charts/app/1.0.0"] = Answer(entry)
        web.answers["/charts/app-1.0.0.tgz"] = Answer(package())
        web.answers["/charts/bad.tgz"] = Answer(b"bad")
