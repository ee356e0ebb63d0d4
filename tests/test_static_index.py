"""A static index, beside the one that Helm makes of the same folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartrepo import static_index
from chartrepo.core.foreign_index import InvalidIndexError
from chartrepo.core.index import Form
from chartrepo.static_index import Found, LeftOut
from tests.support import packages
from tests.support.helm import Helm
from tests.support.packages import package

THEN = 1_600_000_000


def put(folder: Path, path: str, data: bytes, *, published: int = THEN) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, (published, published))


def charts(folder: Path) -> None:
    """A folder with all that an index has to do with."""
    put(folder, "app-1.0.0.tgz", package())
    put(folder, "app-1.10.0.tgz", package("app", "1.10.0", appVersion="1.10", description='"quoted": {x} 😀 é'))
    put(folder, "app-1.9.0-rc.1+build.tgz", package("app", "1.9.0-rc.1+build"))
    put(folder, "sub/lib-0.1.0.tgz", package("lib", "0.1.0", type="library", annotations={"enabled": "true", "y": "n"}))
    put(folder, "sub/odd name.tgz", package("odd", "v2", deprecated=True, keywords=["a", "yes", "1e3"]))
    put(folder, "deep/er/no-1.0.0.tgz", package("no"))
    put(folder, "broken-1.0.0.tgz", b"no package")
    put(folder, "app-1.0.0.tgz.prov", b"signed")
    dependency = {"name": "lib", "version": "^0", "repository": "https://x", "import-values": ["a", {"child": "b"}]}
    put(folder, "web-1.0.0.tgz", package("web", dependencies=[{**dependency, "alias": "l", "tags": ["t"]}]))


def index(folder: Path, *, url: str = "", form: Form = Form.YAML, merged: bytes | None = None) -> dict[str, Any]:
    """What our index of a folder says, as PyYAML reads it."""
    found = [each for each in static_index.read(folder, static_index.packages(folder)) if isinstance(each, Found)]
    parsed: dict[str, Any] = yaml.safe_load(static_index.render(found, url=url, form=form, merged=merged))
    return parsed


def comparable(parsed: dict[str, Any]) -> dict[str, Any]:
    """The entries without the times, of which Helm's are those of the run."""
    return {
        name: [{key: value for key, value in entry.items() if key != "created"} for entry in entries]
        for name, entries in parsed["entries"].items()
    }


class TestBesideHelm:
    @pytest.mark.parametrize("form", Form)
    @pytest.mark.parametrize("url", ["", "https://charts.example.com/x", "https://charts.example.com/"])
    def test_the_entries_are_the_same(self, tmp_path: Path, helm: Helm, url: str, form: Form) -> None:
        charts(tmp_path)
        helm.run("repo", "index", tmp_path, *(["--url", url] if url else []))
        theirs = yaml.safe_load((tmp_path / "index.yaml").read_text())
        assert comparable(index(tmp_path, url=url, form=form)) == comparable(theirs)

    def test_the_entries_are_the_same_after_merging(self, tmp_path: Path, helm: Helm) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        charts(old)
        put(old, "app-0.1.0.tgz", package("app", "0.1.0", annotations={"enabled": "true", "deprecated": "1.10"}))
        put(old, "gone-1.0.0.tgz", package("gone", deprecated=True, dependencies=[{"name": "lib", "version": "1"}]))
        helm.run("repo", "index", old, "--url", "https://old")
        put(new, "app-1.0.0.tgz", package(description="made anew"))
        put(new, "app-2.0.0.tgz", package("app", "2.0.0"))
        helm.run("repo", "index", new, "--merge", old / "index.yaml")
        theirs = yaml.safe_load((new / "index.yaml").read_text())
        ours = index(new, merged=(old / "index.yaml").read_bytes())
        assert comparable(ours) == comparable(theirs)
        assert ours["entries"]["gone"] == theirs["entries"]["gone"]

    @pytest.mark.parametrize("form", Form)
    def test_helm_finds_what_ours_lists(self, tmp_path: Path, helm: Helm, form: Form) -> None:
        charts(tmp_path)
        found = [
            each for each in static_index.read(tmp_path, static_index.packages(tmp_path)) if isinstance(each, Found)
        ]
        static_index.write(tmp_path / "index.yaml", static_index.render(found, url="", form=form))
        helm.run("repo", "index", tmp_path / "sub", "--merge", tmp_path / "index.yaml")
        theirs = yaml.safe_load((tmp_path / "sub/index.yaml").read_text())
        assert {name: len(entries) for name, entries in theirs["entries"].items()} == {
            "app": 3,
            "lib": 1,
            "odd": 1,
            "web": 1,
        }


class TestTimes:
    def test_are_those_of_the_files(self, tmp_path: Path) -> None:
        put(tmp_path, "app-1.0.0.tgz", package())
        assert index(tmp_path)["entries"]["app"][0]["created"] == "2020-09-13T12:26:40Z"

    def test_are_those_of_the_merged_index_for_the_very_same_package(self, tmp_path: Path) -> None:
        put(tmp_path, "app-1.0.0.tgz", package())
        put(tmp_path, "app-2.0.0.tgz", package("app", "2.0.0"))
        before = index(tmp_path)
        put(tmp_path, "app-1.0.0.tgz", package(), published=THEN + 10)
        put(tmp_path, "app-2.0.0.tgz", package("app", "2.0.0", description="another"), published=THEN + 10)
        after = index(tmp_path, merged=json.dumps(before).encode())
        assert [(entry["version"], entry["created"]) for entry in after["entries"]["app"]] == [
            ("2.0.0", "2020-09-13T12:26:50Z"),
            ("1.0.0", "2020-09-13T12:26:40Z"),
        ]


class TestReading:
    def test_leaves_out_what_helm_does_not_load_and_says_why(self, tmp_path: Path) -> None:
        put(tmp_path, "sub/broken.tgz", b"no package")
        ((path, reason),) = (
            (each.path, each.reason)
            for each in static_index.read(tmp_path, static_index.packages(tmp_path))
            if isinstance(each, LeftOut)
        )
        assert path == "sub/broken.tgz"
        assert "gzip" in reason

    def test_takes_what_helm_takes_though_an_upload_would_be_refused(self, tmp_path: Path) -> None:
        put(tmp_path, "app-1.0.0.tgz", packages.archive([("./Chart.yaml", packages.chart_yaml())]))
        assert list(index(tmp_path)["entries"]) == ["app"]

    def test_is_the_same_in_several_processes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(10):
            put(tmp_path, f"app-1.{number}.0.tgz", package("app", f"1.{number}.0"))
        alone = index(tmp_path)["entries"]
        monkeypatch.setattr(static_index, "_WORTH_A_PROCESS", 2)
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        assert index(tmp_path)["entries"] == alone

    def test_of_an_empty_folder_gives_an_index_without_entries(self, tmp_path: Path) -> None:
        assert index(tmp_path)["entries"] == {}


class TestMerging:
    def test_needs_an_index(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidIndexError):
            index(tmp_path, merged=b"<html>")

    def test_keeps_the_addresses_and_the_order(self, tmp_path: Path) -> None:
        put(tmp_path, "app-1.5.0.tgz", package("app", "1.5.0"))
        old = {
            "apiVersion": "v1",
            "entries": {
                "app": [
                    {"name": "app", "version": v, "urls": [f"https://a/{v}", "https://b"]} for v in ("1.0.0", "2.0.0")
                ]
            },
        }
        entries = index(tmp_path, merged=json.dumps(old).encode())["entries"]["app"]
        assert [entry["version"] for entry in entries] == ["2.0.0", "1.5.0", "1.0.0"]
        assert entries[0] == old["entries"]["app"][1]  # type: ignore[index] # a mapping of mappings


class TestWriting:
    def test_replaces_the_file_as_a_whole_with_its_rights(self, tmp_path: Path) -> None:
        file = tmp_path / "index.yaml"
        file.write_text("before")
        file.chmod(0o640)
        with file.open() as reader:
            static_index.write(file, b"after")
            assert reader.read() == "before"
        assert file.read_bytes() == b"after"
        assert file.stat().st_mode & 0o777 == 0o640
        assert [each.name for each in tmp_path.iterdir()] == ["index.yaml"]

    def test_gives_a_new_file_the_rights_that_files_have(self, tmp_path: Path) -> None:
        (tmp_path / "usual").touch()
        static_index.write(tmp_path / "index.yaml", b"x")
        assert (tmp_path / "index.yaml").stat().st_mode == (tmp_path / "usual").stat().st_mode

    def test_that_fails_leaves_what_was_there(self, tmp_path: Path) -> None:
        (tmp_path / "index.yaml").mkdir()
        with pytest.raises(IsADirectoryError):
            static_index.write(tmp_path / "index.yaml", b"x")
        assert [each.name for each in tmp_path.iterdir()] == ["index.yaml"]
