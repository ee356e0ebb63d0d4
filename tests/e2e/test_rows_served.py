"""The fifty uploads, each sent to a running server, and each laid into the storage of one."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chartrepo.core.archive import read_package
from chartrepo.core.errors import PackageRefused
from tests.support.http import Got, call, get, publish
from tests.support.rows import ROWS, Row
from tests.support.server import Server, running

LARGEST = "200MiB"
"""What a body may have here: row 24 is a package of more than 100 MiB, whatever gzip makes of it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("rows"), "--open-writes", "--max-upload-size", LARGEST) as server:
        yield server


def of_its_own(number: int) -> str:
    """A repository that no other row writes to."""
    return f"rows/n{number}"


def send(server: Server, repository: str, row: Row) -> Got:
    if row.beside is not None:
        assert publish(server.url, row.beside(), repository).status == 201
    return publish(server.url, row.build(), repository)


@pytest.mark.parametrize(("number", "row"), list(enumerate(ROWS)), ids=lambda value: getattr(value, "what", None))
def test_an_upload_is_taken_or_refused_as_the_row_says(server: Server, number: int, row: Row) -> None:
    repository = of_its_own(number)

    got = send(server, repository, row)

    if row.verdict.on_upload == "A":
        assert (got.status, got.json) == (201, {"saved": True})
    else:
        assert got.status == 400
        assert all(word in got.error for word in row.words), got.error
    listed = yaml.safe_load(get(f"{server.url}/{repository}/index.yaml").body)["entries"]
    assert bool(listed) == (row.verdict.on_upload == "A" or row.beside is not None)


def test_what_lies_in_the_storage_is_served_or_set_aside_as_the_rows_say(tmp_path: Path) -> None:
    served, aside = set(), set()
    for number, row in enumerate(ROWS):
        if row.beside is not None:
            continue  # two charts of one file name cannot lie in one folder
        data = row.build()
        folder = tmp_path / "data" / of_its_own(number)
        folder.mkdir(parents=True)
        (folder / file_name(data)).write_bytes(data)
        (aside if row.verdict.in_storage == "R" else served).add(of_its_own(number))
    with running(tmp_path) as server:
        status = get(f"{server.url}/api/repositories").json
        assert {each["name"] for each in status["repositories"] if each["versions"]} == served
        told = {each["name"]: each["set_aside"] for each in status["repositories"] + status["set_aside_folders"]}
        assert {name for name, files in told.items() if files} == aside
        assert all(file["reason"] for files in told.values() for file in files)
        for number, row in enumerate(ROWS):
            if of_its_own(number) in served:
                listed = yaml.safe_load(get(f"{server.url}/{of_its_own(number)}/index.yaml").body)["entries"]
                ((entry,),) = listed.values()
                assert call("GET", f"{server.url}/{of_its_own(number)}/{entry['urls'][0]}").body == row.build()


def file_name(data: bytes) -> str:
    """What the package has to be called; where that cannot be said, what somebody may have called it."""
    try:
        return read_package(io.BytesIO(data)).chart.file
    except PackageRefused:
        return "app-1.0.0.tgz"
