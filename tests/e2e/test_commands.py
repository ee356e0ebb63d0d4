"""The commands as people run them, beside real servers, buckets and databases."""

import json
import os
import pty
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support import registry as registries
from tests.support import server
from tests.support.helm import Helm
from tests.support.packages import package
from tests.support.processes import Process, eventually
from tests.support.repositories import provenance
from tests.support.s3server import S3

THEN = 1_600_000_000


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder as an old ChartMuseum leaves it: three packages, one of them signed, in two repositories."""
    folder = tmp_path / "old"
    put(folder, "app-1.0.0.tgz", package())
    put(folder, "team/app/app-2.0.0.tgz", package("app", "2.0.0"))
    put(folder, "team/app/lib-1.0.0.tgz", package("lib"))
    put(folder, "team/app/lib-1.0.0.tgz.prov", provenance(package("lib"), "lib-1.0.0.tgz", name="lib"))
    put(folder, "index-cache.yaml", b"apiVersion: v1\n")
    return folder


def put(folder: Path, path: str, data: bytes, *, published: int = THEN) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, (published, published))


def many(folder: Path, count: int) -> None:
    for number in range(count):
        put(folder, f"app-1.0.{number}.tgz", package("app", f"1.0.{number}"), published=THEN + number)


def run(
    folder: Path, *arguments: str | Path, status: int = 0, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run chartrepo in a folder, and see that it ends with a status."""
    done = subprocess.run(
        server.command(*arguments),
        cwd=folder,
        env=server.environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time, in whole seconds, of each file of a repository, but the server's own."""
    return {
        file.relative_to(folder).as_posix(): (file.read_bytes(), int(file.stat().st_mtime))
        for file in folder.rglob("*.tgz*")
        if ".chartrepo" not in file.parts
    }


def index(url: str) -> dict[str, list[dict[str, Any]]]:
    request = urllib.request.Request(f"{url}/index.yaml", headers={"User-Agent": "Helm/3.17.3"})
    with urllib.request.urlopen(request) as answer:
        entries: dict[str, list[dict[str, Any]]] = json.load(answer)["entries"]
        return entries


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder as plain files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as files:
        thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{files.server_address[1]}"
        finally:
            files.shutdown()
            thread.join()


class TestImportOfAFolder:
    def test_needs_no_server(self, tmp_path: Path, old: Path) -> None:
        done = run(tmp_path, "import", old, "--storage", "new")
        assert done.stdout == "3 packages: 3 imported, 0 there already, 0 refused, 0 failed\n"
        assert "There is no catalog yet" in done.stderr
        packages = {path: data for path, data in tree(tmp_path / "new").items() if path.endswith(".tgz")}
        assert packages == {path: data for path, data in tree(old).items() if path.endswith(".tgz")}
        assert run(tmp_path, "check", "--storage", "new").stdout == "3 packages read: all is well\n"

    def test_is_seen_at_once_by_a_server_that_runs(self, tmp_path: Path, old: Path, helm: Helm) -> None:
        with server.running(tmp_path, "--sync-interval", "0") as running:
            assert index(running.url) == {}
            run(tmp_path, "import", old, "--storage", "data")
            assert index(running.url)["app"][0]["created"] == "2020-09-13T12:26:40Z"
            assert set(index(f"{running.url}/team/app")) == {"app", "lib"}
            helm.run("repo", "add", "mine", f"{running.url}/team/app")
            found = helm.json("search", "repo", "mine/")
            assert [(each["name"], each["version"]) for each in found] == [("mine/app", "2.0.0"), ("mine/lib", "1.0.0")]

    def test_can_be_run_again(self, tmp_path: Path, old: Path) -> None:
        run(tmp_path, "import", old, "--storage", "new", "--to", "x")
        done = json.loads(run(tmp_path, "import", old, "--storage", "new", "--to", "x", "--json").stdout)
        assert done == {
            "source": str(old),
            "packages": 3,
            "imported": 0,
            "present": 3,
            "refused": 0,
            "failed": 0,
            "complete": True,
            "problems": [],
            "warnings": [],
        }

    def test_lists_what_it_refuses(self, tmp_path: Path, old: Path) -> None:
        put(old, "bad-1.0.0.tgz", b"no package")
        done = run(tmp_path, "import", old, "--storage", "new", status=1)
        assert "Not imported:\n  bad-1.0.0.tgz  " in done.stdout
        assert done.stdout.endswith("4 packages: 3 imported, 0 there already, 1 refused, 0 failed\n")

    def test_shows_a_bar_on_a_terminal(self, tmp_path: Path, old: Path) -> None:
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            with os.fdopen(theirs, "wb") as end:
                subprocess.run(
                    server.command("import", old, "--storage", "new"),
                    cwd=tmp_path,
                    env=server.environment({"TERM": "xterm"}),
                    stdout=subprocess.DEVNULL,
                    stderr=end,
                    check=True,
                )
            shown = terminal.read(100_000)
        assert b"Importing  [####" in shown
        assert b"3/3" in shown

    def test_into_postgresql_is_seen_by_every_replica(self, tmp_path: Path, old: Path, postgres_url: str) -> None:
        env = {"CHARTREPO_CATALOG": postgres_url}
        with (
            server.running(_made(tmp_path / "one"), storage=tmp_path / "data", env=env) as one,
            server.running(_made(tmp_path / "two"), storage=tmp_path / "data", env=env) as two,
        ):
            run(tmp_path, "import", old, "--storage", "data", env=env)
            assert set(index(f"{one.url}/team/app")) == set(index(f"{two.url}/team/app")) == {"app", "lib"}
        assert run(tmp_path, "check", "--storage", "data", env=env).stdout == "3 packages read: all is well\n"


class TestImportThatIsBrokenOff:
    COUNT = 1000

    @contextmanager
    def under_way(self, tmp_path: Path) -> Iterator[Process]:
        """An import that has brought something, and not all."""
        many(tmp_path / "old", self.COUNT)
        # In memory it takes a second, and on a busy machine we may come to look at it only then: we come first.
        process = Process(
            ["nice", "-n", "19", *server.command("import", "old", "--storage", "new", "--jobs", "1")],
            log=tmp_path / "log",
            environment=server.environment(),
            folder=tmp_path,
        )
        try:
            new = tmp_path / "new"
            process.wait_until(lambda: len(list(new.glob("app-*.tgz"))) > 20, what="it had brought something")
            yield process
        finally:
            process.kill()

    def see_that_it_can_be_taken_up(self, tmp_path: Path) -> None:
        brought = len(tree(tmp_path / "new"))
        assert 20 < brought < self.COUNT
        done = json.loads(run(tmp_path, "import", "old", "--storage", "new", "--json").stdout)
        assert done["imported"] + done["present"] == self.COUNT
        assert done["present"] >= brought - 1  # one may have been between storage and catalog
        assert tree(tmp_path / "new") == tree(tmp_path / "old")
        run(tmp_path, "check", "--storage", "new")

    def test_by_a_kill_is_taken_up(self, tmp_path: Path) -> None:
        with self.under_way(tmp_path) as process:
            process.kill()
        self.see_that_it_can_be_taken_up(tmp_path)

    def test_by_ctrl_c_says_how_it_is_taken_up(self, tmp_path: Path) -> None:
        with self.under_way(tmp_path) as process:
            process.signal(signal.SIGINT)
            assert process.wait() == 130
            assert "Run the same command again" in process.printed
            assert "Traceback" not in process.printed
        self.see_that_it_can_be_taken_up(tmp_path)


class TestImportOfAnAddress:
    def test_that_is_a_chartrepo_with_a_credential(self, tmp_path: Path, old: Path) -> None:
        env = {"CHARTREPO_BASIC_AUTH_USER": "ci", "CHARTREPO_BASIC_AUTH_PASSWORD": "s3cr3t"}
        with server.running(_made(tmp_path / "run"), storage=old, context_path="/charts", env=env) as running:
            source = f"{running.url}/team/app"
            refused = run(tmp_path, "import", source, "--storage", "new", status=2)
            assert "give --username and --password-file" in refused.stderr
            credential = ("--username", "ci", "--password-file", "-")
            done = run(tmp_path, "import", source, "--to", "x/y", "--storage", "new", *credential, stdin="s3cr3t\n")
        assert done.stdout == "2 packages: 2 imported, 0 there already, 0 refused, 0 failed\n"
        wanted = {path.replace("team/app/", "x/y/"): data for path, data in tree(old).items() if "team/" in path}
        brought = tree(tmp_path / "new")
        assert {path: data for path, (data, _) in brought.items()} == {path: data for path, (data, _) in wanted.items()}
        assert {when for path, (_, when) in brought.items() if path.endswith(".tgz")} == {THEN}

    def test_that_is_a_static_index(self, tmp_path: Path, old: Path) -> None:
        run(tmp_path, "index", old / "team/app")
        with serving(old / "team/app") as url:
            done = run(tmp_path, "import", url, "--storage", "new")
            assert done.stdout == "2 packages: 2 imported, 0 there already, 0 refused, 0 failed\n"
            put(old, "team/app/app-2.0.0.tgz", b"replaced behind the index's back")
            again = run(tmp_path, "import", url, "--storage", "other", status=1)
        digest = sha256(package("app", "2.0.0")).hexdigest()
        assert f"the source's index gives it the digest {digest}" in again.stdout
        assert set(tree(tmp_path / "other")) == {"lib-1.0.0.tgz", "lib-1.0.0.tgz.prov"}

    def test_that_nobody_answers_at_is_one_line(self, tmp_path: Path) -> None:
        done = run(tmp_path, "import", "http://127.0.0.1:9/charts", "--storage", "new", status=2)
        assert "chartrepo: http://127.0.0.1:9/charts/index.yaml: '127.0.0.1' does not answer" in done.stderr
        assert not (tmp_path / "new").exists()


class TestImportOfARegistry:
    def test_brings_what_helm_pushed_with_its_time(self, tmp_path: Path, old: Path, helm: Helm) -> None:
        with registries.running() as registry:
            for file in old.rglob("*.tgz"):
                below = file.parent.relative_to(old).as_posix()
                helm.run("push", file, f"oci://{registry.host}/project/{below}".removesuffix("/."), "--plain-http")
            registry.scheme, registry.user = "Bearer", ("ci", "secret")
            command = ("import", f"oci://{registry.host}/project", "--storage", "new")
            command = (*command, "--username", "ci", "--password-file", "-")
            done = run(tmp_path, *command, stdin="secret\n")
            assert done.stdout == "3 packages: 3 imported, 0 there already, 0 refused, 0 failed\n"
            again = run(tmp_path, *command, stdin="secret\n")
        assert again.stdout == "3 packages: 0 imported, 3 there already, 0 refused, 0 failed\n"
        new = tree(tmp_path / "new")
        assert {path: data for path, (data, _) in new.items()} == {path: data for path, (data, _) in tree(old).items()}
        assert {published for path, (_, published) in new.items() if path.endswith(".tgz")} == {THEN}

    def test_tells_how_many_are_no_charts(self, tmp_path: Path) -> None:
        with registries.running() as registry:
            registry.push("project/app", package())
            registry.push_image("project/image", "1", "2")
            done = run(tmp_path, "import", f"oci://{registry.host}/project", "--storage", "new")
        assert done.stdout == "1 package: 1 imported, 0 there already, 0 refused, 0 failed\n"
        assert "being no charts but images, signatures and the like: 2 tags\n" in done.stderr

    def test_that_cannot_be_is_one_line(self, tmp_path: Path) -> None:
        with registries.running() as registry:
            done = run(tmp_path, "import", f"oci://{registry.host}/project", "--storage", "new", status=2)
        assert f"chartrepo: oci://{registry.host}/project: the registry lists no repository below" in done.stderr
        assert not (tmp_path / "new").exists()


class TestImportOfABucket:
    def upload(self, moto_s3: S3, old: Path, prefix: str) -> str:
        """Copy a folder into a new bucket, as `aws s3 cp --recursive` does."""
        bucket = moto_s3.new_bucket()
        client = boto3.client("s3", endpoint_url=moto_s3.endpoint_url)
        try:
            for path, (data, _) in tree(old).items():
                client.put_object(Bucket=bucket, Key=prefix + path, Body=data)
        finally:
            client.close()
        return bucket

    def test_into_a_folder(self, tmp_path: Path, old: Path, moto_s3: S3) -> None:
        bucket = self.upload(moto_s3, old, "charts/")
        where = ("--source-endpoint", moto_s3.endpoint_url, "--storage", "new")
        done = run(tmp_path, "import", f"s3://{bucket}/charts", *where)
        assert done.stdout == "3 packages: 3 imported, 0 there already, 0 refused, 0 failed\n"
        assert {path: data for path, (data, _) in tree(tmp_path / "new").items()} == {
            path: data for path, (data, _) in tree(old).items()
        }
        again = run(tmp_path, "import", f"s3://{bucket}/charts", *where)
        assert again.stdout == "3 packages: 0 imported, 3 there already, 0 refused, 0 failed\n"

    def test_into_a_bucket_beside_its_server(self, tmp_path: Path, old: Path, moto_s3: S3) -> None:
        env = {"CHARTREPO_S3_ENDPOINT": moto_s3.endpoint_url}
        source, target = self.upload(moto_s3, old, ""), f"s3://{moto_s3.new_bucket()}/x"
        with server.running(tmp_path, storage=target, env=env) as running:
            run(tmp_path, "import", f"s3://{source}", "--storage", target, env=env)
            assert set(index(f"{running.url}/team/app")) == {"app", "lib"}
            assert run(tmp_path, "check", "--storage", target, env=env).stdout == "3 packages read: all is well\n"

    def test_that_does_not_exist_is_one_line(self, tmp_path: Path, moto_s3: S3) -> None:
        where = ("--source-endpoint", moto_s3.endpoint_url, "--storage", "new")
        done = run(tmp_path, "import", "s3://no-such-bucket", *where, status=2)
        assert done.stderr.startswith("chartrepo: ")
        assert done.stderr.count("\n") == 1


class TestWhatCannotBeImported:
    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("no-such-folder", "there is no folder"),
            ("oci://host/charts:1.0.0", "names one version"),
            ("ftp://host/charts", "is nothing to import from"),
            ("https://ci:secret@host/charts", "use --username and --password-file"),
        ],
    )
    def test_is_one_line(self, tmp_path: Path, source: str, reason: str) -> None:
        done = run(tmp_path, "import", source, "--storage", "new", status=2)
        assert reason in done.stderr
        assert "secret" not in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "new").exists()

    def test_is_what_should_go_where_no_repository_can_be(self, tmp_path: Path, old: Path) -> None:
        done = run(tmp_path, "import", old, "--to", "api/x", "--storage", "new", status=2)
        assert "choose another name" in done.stderr


class TestCheck:
    def test_tells_what_is_wrong(self, tmp_path: Path, old: Path) -> None:
        run(tmp_path, "reindex", "--storage", old)
        put(old, "bad-1.0.0.tgz", b"no package")
        (old / "app-1.0.0.tgz").unlink()
        done = run(tmp_path, "check", "--storage", old, status=1)
        assert "  missing    app-1.0.0.tgz  the catalog lists it" in done.stdout
        assert "  set aside  bad-1.0.0.tgz  " in done.stdout
        assert done.stdout.endswith("3 packages read: 2 faults\n")
        found = json.loads(run(tmp_path, "check", "--storage", old, "--json", status=1).stdout)
        assert [(each["kind"], each["file"]) for each in found["findings"]] == [
            ("missing", "app-1.0.0.tgz"),
            ("set aside", "bad-1.0.0.tgz"),
        ]

    def test_leaves_no_trace(self, tmp_path: Path, old: Path) -> None:
        before = sorted(tmp_path.rglob("*"))
        assert "there is no catalog" in run(tmp_path, "check", "--storage", old).stdout
        assert sorted(tmp_path.rglob("*")) == before

    def test_of_nothing_is_one_line(self, tmp_path: Path) -> None:
        done = run(tmp_path, "check", "--storage", "nowhere", status=2)
        assert done.stderr.startswith("chartrepo: there is no folder ")
        assert done.stderr.count("\n") == 1


class TestReindex:
    def test_is_seen_by_a_server_that_runs(self, tmp_path: Path, old: Path) -> None:
        with server.running(tmp_path, "--sync-interval", "0", storage=old) as running:
            eventually(lambda: "found 3 versions" in running.log, what="the first sync is over")
            put(old, "new-1.0.0.tgz", package("new"))
            assert "new" not in index(running.url)
            done = run(tmp_path, "reindex", "--storage", old)
            # The server looks once more by itself, soon after its start, and may have been quicker.
            assert done.stdout.startswith("4 packages read: ")
            assert "new" in index(running.url)

    def test_builds_what_a_server_then_finds(self, tmp_path: Path, old: Path) -> None:
        assert run(tmp_path, "reindex", "--storage", old).stdout == "3 packages read: the catalog was built\n"
        with server.running(tmp_path, storage=old) as running:
            assert set(index(running.url)) == {"app"}
            assert "building the catalog" not in running.log


class TestIndex:
    def test_names_what_it_leaves_out(self, tmp_path: Path, old: Path) -> None:
        put(old, "bad-1.0.0.tgz", b"no package")
        done = run(tmp_path, "index", old, "--url", "https://x", "--json")
        assert done.stdout == f"{old}/index.yaml: 1 version of 1 chart\n"
        assert done.stderr.startswith("left out: bad-1.0.0.tgz: ")
        assert json.loads((old / "index.yaml").read_text())["entries"]["app"][0]["urls"] == ["https://x/app-1.0.0.tgz"]

    def test_merges_an_index_that_need_not_be_there_yet(self, tmp_path: Path, old: Path) -> None:
        run(tmp_path, "index", old, "--merge", old / "index.yaml")
        (old / "app-1.0.0.tgz").unlink()
        run(tmp_path, "index", old, "--merge", old / "index.yaml")
        assert "app-1.0.0.tgz" in (old / "index.yaml").read_text()

    def test_that_cannot_be_merged_is_one_line(self, tmp_path: Path, old: Path) -> None:
        done = run(tmp_path, "index", old, "--merge", old / "app-1.0.0.tgz", status=2)
        assert done.stderr.startswith(f"chartrepo: {old}/app-1.0.0.tgz: the index is not ")
        assert not (old / "index.yaml").exists()


def test_prune_drops_the_catalogs_of_other_releases(tmp_path: Path, old: Path) -> None:
    run(tmp_path, "reindex", "--storage", old)
    other = old / ".chartrepo/catalog-v999.sqlite"
    other.write_bytes(b"")
    assert run(tmp_path, "catalog", "prune", "--storage", old).stdout == "dropped catalog-v999.sqlite\n"
    assert run(tmp_path, "catalog", "prune", "--storage", old).stdout == "there is nothing to drop\n"
    run(tmp_path, "check", "--storage", old)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
