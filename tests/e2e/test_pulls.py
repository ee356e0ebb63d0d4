"""Pulls of a real helm, under both web servers: each counted once, whoever dies, by all replicas."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from chartrepo import layout
from storage.local import LocalStorage
from tests.storage.buckets import fresh_bucket
from tests.support.helm import Helm
from tests.support.http import get, publish
from tests.support.packages import package
from tests.support.s3server import S3
from tests.support.server import Server, running

SERVERS = pytest.mark.parametrize("kind", ["gunicorn", "granian"])


def pulls(server: Server, chart: str = "app") -> dict[str, int]:
    """What the API tells: of the chart as a whole, and of its versions."""
    told: dict[str, Any] = json.loads(get(f"{server.url}/api/charts/{chart}/pulls").body)
    return {"": told["pulls"], **{version: each["pulls"] for version, each in told["versions"].items()}}


def shown(server: Server, expected: dict[str, int]) -> None:
    """Wait until the API tells this. A server that starts gathers what an earlier one left at once."""
    server.process.wait_until(lambda: pulls(server) == expected, what=f"{expected} is shown")


@SERVERS
def test_each_pull_of_a_real_helm_is_one(tmp_path: Path, kind: str, helm: Helm) -> None:
    arguments = ("--open-writes", "--server", kind, "--workers", "2")
    with running(tmp_path, *arguments) as server:
        for version in ("1.0.0", "2.0.0"):
            assert publish(server.url, package("app", version)).status == 201
        oci = f"oci://127.0.0.1:{server.port}/app"
        helm.run("repo", "add", "shop", server.url)
        helm.run("pull", "shop/app", "--version", "1.0.0", "-d", tmp_path)
        helm.run("pull", oci, "--version", "2.0.0", "--plain-http", "-d", tmp_path)
        helm.run("pull", oci, "--version", "2.0.0", "--plain-http", "-d", tmp_path)
        helm.run("show", "values", "shop/app", "--version", "1.0.0")
    with running(tmp_path, *arguments) as server:
        shown(server, {"": 4, "1.0.0": 2, "2.0.0": 2})


@SERVERS
def test_no_death_takes_a_pull(tmp_path: Path, kind: str) -> None:
    arguments = ("--open-writes", "--server", kind, "--workers", "2")
    package_ = package("app", "1.0.0")
    count = 0

    def pull(server: Server) -> None:
        nonlocal count
        if get(f"{server.url}/charts/app-1.0.0.tgz").body == package_:
            count += 1

    with running(tmp_path, *arguments) as server:
        assert publish(server.url, package_).status == 201
        server.process.wait_until(lambda: len(server.workers) == 2, what="both workers were there")
        for worker in server.workers:
            for _ in range(20):
                pull(server)
            os.kill(worker, signal.SIGKILL)
            server.process.wait_until(lambda: get(f"{server.url}/livez").status == 200, what="it answered again")
        pull(server)
        server.kill()
    assert count == 41
    with running(tmp_path, *arguments) as server:
        shown(server, {"": count, "1.0.0": count})
        pull(server)
    state = tmp_path / "data" / ".chartrepo"
    assert [file.name for file in (state / "pull-counts").iterdir() if not file.name.startswith("view-")] == []
    assert sum(layout.new_pulls(info.key) is not None for info in LocalStorage(state, private=True).list()) == 2
    shutil.rmtree(state / "pull-counts")
    with running(tmp_path, *arguments) as server:
        shown(server, {"": count, "1.0.0": count})


def test_of_a_folder_that_can_only_be_read_they_are_kept_beside_it(tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    data.mkdir()
    (data / "app-1.0.0.tgz").write_bytes(package("app", "1.0.0"))
    data.chmod(0o555)  # root writes all the same, so nobody may write over the network either
    try:
        for round_ in (1, 2):
            with running(tmp_path, "--state-dir", state) as server:
                assert get(f"{server.url}/charts/app-1.0.0.tgz").status == 200
            with running(tmp_path, "--state-dir", state) as server:
                shown(server, {"": round_, "1.0.0": round_})
        assert sum(layout.new_pulls(info.key) is not None for info in LocalStorage(state, private=True).list()) == 2
        assert [file.name for file in data.iterdir()] == ["app-1.0.0.tgz"]
    finally:
        data.chmod(0o755)


def test_two_replicas_on_one_bucket(tmp_path: Path, best_s3: S3) -> None:
    storage = f"s3://{fresh_bucket(best_s3)}"
    arguments = ("--open-writes", "--s3-endpoint", best_s3.endpoint_url, "--state-dir")
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    for round_ in (1, 2):
        with (
            running(folders[0], *arguments, folders[0] / "state", storage=storage) as one,
            running(folders[1], *arguments, folders[1] / "state", storage=storage) as two,
        ):
            if round_ == 1:
                assert publish(one.url, package("app", "1.0.0")).status == 201
                assert publish(two.url, package("app", "1.0.0")).status in {201, 409}
            for server in (one, two, two):
                assert get(f"{server.url}/charts/app-1.0.0.tgz").status == 200
        for folder in folders:
            shutil.rmtree(folder / "state")  # pods come and go
    with running(folders[0], *arguments, folders[0] / "state", storage=storage) as server:
        shown(server, {"": 6, "1.0.0": 6})
