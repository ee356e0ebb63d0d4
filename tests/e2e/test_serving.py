"""The server as a set of processes: how it starts, what it says, what it survives, how it ends."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

from tests.support.http import Got, call, get, publish
from tests.support.packages import package
from tests.support.processes import eventually, free_port
from tests.support.server import Server, command, environment, running, start

if TYPE_CHECKING:
    from collections.abc import Callable

SERVERS = ["gunicorn", "granian"]


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the two web servers."""
    return str(request.param)


def charts(server: Server) -> list[str]:
    """What the index lists; nothing while it does not answer."""
    got = get(f"{server.url}/index.yaml")
    return sorted(yaml.safe_load(got.body)["entries"]) if got.status == 200 else []


def child_of(server: Server, *, doing: str) -> psutil.Process:
    """The child that has `doing` among what it has open or does: `background`, or a `worker`."""
    children = psutil.Process(server.process.pid).children()
    web = max(children, key=lambda child: len(child.children()))
    if doing == "worker":
        return web.children()[0]
    return next(child for child in children if child != web)


def refusal(folder: Path, *arguments: str) -> str:
    """The one line that a server says which cannot start."""
    done = subprocess.run(
        command("serve", *arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


class TestStart:
    def test_it_says_where_it_is_what_it_serves_who_may_write_and_what_to_type(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes") as server:
            said = server.log
            catalog = tmp_path / "data" / ".chartrepo" / "catalog-v4.sqlite"
            assert f"file {catalog}\n" in said
            assert catalog.exists()

        assert f"http://127.0.0.1:{server.port}/" in said
        assert f"folder {tmp_path / 'data'}" in said
        assert "open to every program on this machine" in said
        assert f"helm repo add my-charts http://127.0.0.1:{server.port}" in said

    def test_it_says_what_it_found(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "team").mkdir(parents=True)
        for version in ("1.0.0", "1.1.0"):
            (tmp_path / "data" / "team" / f"app-{version}.tgz").write_bytes(package(version=version))
        with running(tmp_path) as server:
            eventually(lambda: "found 2 versions of 1 chart in 1 repository" in server.log, what="it said so")

    def test_the_web_server_says_nothing_of_its_own(self, tmp_path: Path, kind: str) -> None:
        with running(tmp_path, "--server", kind) as server:
            assert charts(server) == []
        said = [line for line in server.log.splitlines() if re.match(r"[0-9]{4}-", line) and "GET" not in line]

        assert len(said) == 2, said
        assert "the catalog is complete" in said[0]
        assert "found 0 versions" in said[1]

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_above_the_level_of_requests_it_logs_none(self, tmp_path: Path, form: str) -> None:
        with running(tmp_path, "--log-level", "warning", "--log-format", form) as server:
            assert charts(server) == []
        assert "index.yaml" not in server.log

    def test_a_package_put_there_before_a_later_start_is_found(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes") as server:
            publish(server.url, package())
        (tmp_path / "data" / "web-1.0.0.tgz").write_bytes(package("web"))
        with running(tmp_path) as server:
            eventually(lambda: charts(server) == ["app", "web"], what="it was found")

    def test_a_server_that_nobody_writes_to_says_so_and_warns_of_nothing(self, tmp_path: Path) -> None:
        with running(tmp_path) as server:
            said = server.log

        assert "nobody: set basic_auth_user and basic_auth_password" in said
        assert "warning" not in said.lower()

    def test_port_zero_takes_a_free_one_and_says_which(self, tmp_path: Path) -> None:
        server = start(tmp_path, "--port", "0")
        try:
            server.process.wait_until(lambda: "helm repo add" in server.log, what="it spoke")
            port = re.search(r"http://127\.0\.0\.1:(\d+)/", server.log)
            assert port is not None
            eventually(lambda: get(f"http://127.0.0.1:{port[1]}/readyz").status == 200, what="ready")
        finally:
            server.kill()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--storage", "/proc/nowhere"], "/proc/nowhere"),
            (["--open-writes", "--host", "0.0.0.0"], "--open-writes|open_writes"),
            (["--host", "203.0.113.1"], "203.0.113.1"),
            (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
            (["--storage", "ftp://somewhere"], "ftp"),
            (["--catalog", "mysql://somewhere"], "mysql|catalog"),
            (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
        ],
    )
    def test_what_cannot_work_is_one_clear_line_and_status_2(
        self, tmp_path: Path, arguments: list[str], said: str
    ) -> None:
        assert re.search(said, refusal(tmp_path, "--port", "0", *arguments))

    def test_a_postgresql_without_the_database_is_one_clear_line_and_status_2(
        self, tmp_path: Path, postgres_url: str
    ) -> None:
        said = refusal(tmp_path, "--port", "0", "--catalog", f"{postgres_url}_not")
        assert re.search('database ".*_not" does not exist: make it with createdb', said)

    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("127.0.0.1:1/x?sslmode=bogus", "invalid sslmode value"),
            ("127.0.0.1:99999/x", "invalid port number"),
            ("127.0.0.1:abc/x", "invalid integer value"),
        ],
    )
    def test_an_address_of_postgresql_that_is_none_is_one_clear_line_and_status_2(
        self, tmp_path: Path, address: str, said: str
    ) -> None:
        assert said in refusal(tmp_path, "--port", "0", "--catalog", f"postgresql://me@{address}")

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "no.such.host.invalid"])
    def test_a_postgresql_that_does_not_answer_is_waited_for_and_each_try_is_one_line(
        self, tmp_path: Path, host: str
    ) -> None:
        server = start(tmp_path, "--catalog", f"postgresql://u:secret@{host}/d", "--no-access-log")
        try:
            server.process.wait_until(lambda: server.log.count("the sync failed") == 2, what="it tried twice")
            assert get(f"{server.url}/livez").status == 200
        finally:
            server.kill()
        said = [line for line in server.log.splitlines() if "PostgreSQL" in line]
        assert len(said) == 2, said
        assert all(host.partition(":")[0] in line for line in said)
        assert "secret" not in server.log

    def test_a_port_in_use_is_one_clear_line_and_status_2(self, tmp_path: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = str(other.getsockname()[1])
            said = f"port {port} on 127.0.0.1 is in use: stop what listens there, or choose another one with"
            assert f"{said} --port\n" in refusal(tmp_path, "--port", port)
            assert f"{said} --admin-port\n" in refusal(tmp_path, "--port", "0", "--admin-port", port)
        said = refusal(tmp_path, "--port", "0", "--admin-port", "0", "--admin-host", "203.0.113.1")
        assert "203.0.113.1 is no address of this machine: choose another one with --admin-host" in said

    def test_it_is_alive_while_the_catalog_is_built_and_serves_packages(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        for number in range(6000):
            (tmp_path / "data" / f"app-1.{number}.0.tgz").write_bytes(package(version=f"1.{number}.0"))
        server = start(tmp_path)
        seen: list[Got] = []
        try:
            server.process.wait_until(lambda: _connects(server.port), what="it listened")
            while not seen or seen[-1].status != 200:
                seen.append(get(f"{server.url}/index.yaml"))
                assert get(f"{server.url}/livez").status == 200
                assert get(f"{server.url}/charts/app-1.7.0.tgz").status == 200
        finally:
            server.kill()

        assert seen[0].status == 503
        assert seen[0].headers["Retry-After"]


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class TestEnd:
    def test_requests_under_way_are_finished(self, tmp_path: Path, kind: str) -> None:
        answers: list[int] = []
        with running(tmp_path, "--open-writes", "--server", kind) as server:
            upload = _SlowUpload(server.port, package())
            upload.send_half()
            ending = threading.Thread(target=server.terminate)
            ending.start()
            time.sleep(0.5)
            answers.append(upload.finish())
            ending.join()

        assert answers == [201]
        assert (tmp_path / "data" / "app-1.0.0.tgz").read_bytes() == package()

    def test_the_port_is_closed_while_requests_under_way_are_finished(self, tmp_path: Path, kind: str) -> None:
        """Somebody who comes meanwhile is refused, and need not wait for an answer that never comes."""
        with running(tmp_path, "--open-writes", "--server", kind) as server:
            upload = _SlowUpload(server.port, package())
            upload.send_half()
            ending = threading.Thread(target=server.terminate)
            ending.start()
            eventually(lambda: not _connects(server.port), what="the port is closed")
            assert upload.finish() == 201
            ending.join()

    def test_ctrl_c_ends_it_in_order_too(self, tmp_path: Path, kind: str) -> None:
        server = start(tmp_path, "--server", kind)
        try:
            server.wait_until_ready()
            os.killpg(server.process.pid, signal.SIGINT)
            assert server.process.wait() == 0
            assert "Traceback" not in server.log
        finally:
            server.kill()

    def test_a_sigterm_to_the_whole_group_ends_it_in_order_too(self, tmp_path: Path, kind: str) -> None:
        """As systemd does it."""
        server = start(tmp_path, "--server", kind, "--graceful-timeout", "20")
        try:
            server.wait_until_ready()
            os.killpg(server.process.pid, signal.SIGTERM)
            assert server.process.wait() == 0
            assert "refused to gracefully stop" not in server.log
            assert "Traceback" not in server.log
        finally:
            server.kill()

    def test_a_worker_that_hears_of_the_end_late_ends_all_the_same(self, tmp_path: Path, kind: str) -> None:
        server = start(tmp_path, "--server", kind, "--workers", "2", "--graceful-timeout", "20")
        try:
            server.wait_until_ready()
            eventually(lambda: len(server.workers) == 2, what="both workers were born")
            late = psutil.Process(server.workers[-1])
            late.suspend()
            server.process.signal(signal.SIGTERM)
            time.sleep(1)
            late.resume()
            assert server.process.wait() == 0
            assert "refused to gracefully stop" not in server.log
        finally:
            server.kill()

    def test_no_child_outlives_a_killed_parent(self, tmp_path: Path, kind: str) -> None:
        server = start(tmp_path, "--server", kind)
        try:
            server.wait_until_ready()
            children = [psutil.Process(pid) for pid in server.children]
            os.kill(server.process.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs(children, timeout=20)
            assert not alive
        finally:
            server.kill()

    def test_no_reader_outlives_a_server_that_is_killed_while_it_builds(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        for number in range(3000):
            (tmp_path / "data" / f"app-1.{number}.0.tgz").write_bytes(package(version=f"1.{number}.0"))
        server = start(tmp_path)
        try:
            server.process.wait_until(lambda: "building the catalog" in server.log, what="it built")
            eventually(lambda: len(server.children) >= 6, what="it read in several processes")
            children = [psutil.Process(pid) for pid in server.children]
            os.kill(server.process.pid, signal.SIGKILL)
            _, alive = psutil.wait_procs(children, timeout=20)
            assert not alive
        finally:
            server.kill()


class _SlowUpload:
    """A POST whose body comes in two halves."""

    def __init__(self, port: int, data: bytes) -> None:
        self._data = data
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send_half(self) -> None:
        head = f"POST /api/charts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(self._data)}\r\n\r\n"
        self._socket.sendall(head.encode() + self._data[: len(self._data) // 2])
        time.sleep(0.3)

    def finish(self) -> int:
        self._socket.sendall(self._data[len(self._data) // 2 :])
        with self._socket, self._socket.makefile("rb") as answer:
            return int(answer.readline().split()[1])


class TestDeaths:
    def test_a_killed_worker_is_replaced(self, tmp_path: Path, kind: str) -> None:
        with running(tmp_path, "--open-writes", "--server", kind) as server:
            publish(server.url, package())
            worker = child_of(server, doing="worker")
            worker.kill()
            eventually(lambda: not psutil.pid_exists(worker.pid) and charts(server) == ["app"], what="it was back")
            eventually(lambda: publish(server.url, package("web")).status in {201, 409}, what="uploads work")

    def test_a_killed_background_process_is_replaced_and_syncs_at_once(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes", "--sync-interval", "0") as server:
            child_of(server, doing="background").kill()
            eventually(lambda: "starting it again" in server.log, what="it was noticed")
            (tmp_path / "data" / "app-1.0.0.tgz").write_bytes(package())
            eventually(lambda: charts(server) == ["app"], what="it was synced")

    def test_a_background_process_that_keeps_dying_leaves_the_web_server_alone(self, tmp_path: Path) -> None:
        with running(tmp_path, "--open-writes", "--sync-interval", "0") as server:
            parent = psutil.Process(server.process.pid)
            known = {
                max(parent.children(), key=lambda child: len(child.children()))
            }  # the web server, and who is killed
            for _ in range(4):
                eventually(lambda: set(parent.children()) - known, what="there is one")
                killed = (set(parent.children()) - known).pop()
                killed.kill()
                known.add(killed)
                assert publish(server.url, package()).status in {201, 409}
            eventually(lambda: "starting it again in 4 s" in server.log, what="it was given time")
            (tmp_path / "data" / "web-1.0.0.tgz").write_bytes(package("web"))
            eventually(lambda: charts(server) == ["app", "web"], what="it was synced in the end")

    def test_a_killed_web_server_is_replaced(self, tmp_path: Path, kind: str) -> None:
        with running(tmp_path, "--open-writes", "--server", kind) as server:
            web = max(psutil.Process(server.process.pid).children(), key=lambda child: len(child.children()))
            web.kill()
            eventually(lambda: "starting it again" in server.log, what="it was noticed")
            eventually(lambda: _connects(server.port) and _answers(server), what="it was back")
            assert publish(server.url, package()).status == 201


def _answers(server: Server) -> bool:
    try:
        return get(f"{server.url}/livez").status == 200
    except OSError:
        return False


class TestTheCatalogFile:
    """SQLite's file goes, or goes bad, while the server runs."""

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        return [path for path in (folder / "data" / ".chartrepo").iterdir() if path.name.startswith("catalog")]

    def _delete(self, folder: Path) -> None:
        for path in self._files(folder):
            path.unlink()

    def _spoil(self, folder: Path) -> None:
        for path in self._files(folder):
            if not path.is_symlink() and path.suffix.startswith(".sqlite") and not path.name.endswith(("-wal", "-shm")):
                with path.open("r+b") as file:
                    file.write(b"spoiled!" * 8192)

    @pytest.mark.parametrize("harm", ["_delete", "_spoil"])
    def test_it_is_built_anew_and_nothing_acknowledged_is_lost(self, tmp_path: Path, harm: str) -> None:
        spoil: Callable[[Path], None] = getattr(self, harm)
        with running(tmp_path, "--open-writes", "--sync-interval", "0") as server:
            for number in range(20):
                assert publish(server.url, package(version=f"1.{number}.0")).status == 201
            spoil(tmp_path)

            assert get(f"{server.url}/charts/app-1.7.0.tgz").body == package(version="1.7.0")
            eventually(
                lambda: publish(server.url, package("web")).status in {201, 409}, what="uploads work again", seconds=90
            )
            eventually(lambda: charts(server) == ["app", "web"], what="the index is back", seconds=90)
            eventually(lambda: len(get(f"{server.url}/api/charts/app").json) == 20, what="all are there", seconds=90)

    def test_another_storage_never_gets_it(self, tmp_path: Path) -> None:
        catalog = f"sqlite:///{tmp_path}/catalog.sqlite"
        for storage in ("one", "two"):
            (tmp_path / storage).mkdir()
        with running(tmp_path, "--catalog", catalog, storage=tmp_path / "one"):
            pass
        said = refusal(tmp_path, "--port", "0", "--storage", str(tmp_path / "two"), "--catalog", catalog)

        assert "another storage" in said


def test_two_workers_agree_at_once(tmp_path: Path) -> None:
    with running(tmp_path, "--open-writes", "--workers", "4") as server:
        for number in range(40):
            assert publish(server.url, package(version=f"1.{number}.0")).status == 201
            got = get(f"{server.url}/index.yaml")
            assert len(yaml.safe_load(got.body)["entries"]["app"]) == number + 1


def test_metrics_outlive_a_state_folder_that_somebody_removes(tmp_path: Path) -> None:
    state = tmp_path / "data" / ".chartrepo"
    with running(tmp_path, "--open-writes") as server:
        # At once: file by file, the server would put new ones beside those that are not removed yet.
        shutil.rmtree(state.rename(tmp_path / "gone"))

        def both_workers_are_counted() -> bool:
            got = get(f"{server.url}/metrics")
            assert got.status == 200
            return "chartrepo_workers 2.0" in got.text

        eventually(both_workers_are_counted, what="both workers noticed")
        eventually(lambda: publish(server.url, package()).status == 201, what="uploads work again")
        assert 'chartrepo_uploads_total{result="created"} 1.0' in get(f"{server.url}/metrics").text
        folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
        assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o700"}


def test_two_servers_on_one_state_folder_count_apart(tmp_path: Path) -> None:
    """As they are during an upgrade."""
    with running(tmp_path, "--open-writes") as old:
        publish(old.url, package())
        with running(tmp_path, "--open-writes") as new:
            publish(new.url, package("web"))
            publish(new.url, package("db"))
            assert 'chartrepo_uploads_total{result="created"} 1.0' in get(f"{old.url}/metrics").text
            assert 'chartrepo_uploads_total{result="created"} 2.0' in get(f"{new.url}/metrics").text
        assert 'chartrepo_uploads_total{result="created"} 1.0' in get(f"{old.url}/metrics").text


def test_the_admin_listener_serves_health_and_metrics_and_the_main_one_no_metrics(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "--open-writes", "--admin-port", str(port)) as server:
        publish(server.url, package())
        admin = f"http://127.0.0.1:{port}"

        assert get(f"{admin}/livez").status == get(f"{admin}/readyz").status == get(f"{admin}/health").status == 200
        assert 'chartrepo_uploads_total{result="created"} 1.0' in get(f"{admin}/metrics").text
        assert get(f"{admin}/index.yaml").status == 404
        assert get(f"{server.url}/metrics").status == 404
        assert get(f"{server.url}/readyz").status == 200


def test_the_admin_listener_asks_no_proxy_for_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = free_port()
    server = start(tmp_path, "--admin-port", str(port))
    try:
        server.process.wait_until(lambda: _connects(port) and _connects(server.port), what="it listened")
        for asked, where in ((f"127.0.0.1:{port}", "/livez"), (f"127.0.0.1:{server.port}", "/livez")):
            with closing(HTTPConnection(asked, timeout=30)) as connection:
                connection.request("GET", where)
                assert connection.getresponse().status == 200
        probe = subprocess.run(
            [sys.executable, Path(__file__).parents[2] / "deploy" / "healthcheck.py"],
            env={**os.environ, "CHARTREPO_PORT": str(server.port)},
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert probe.returncode == 0, probe
    finally:
        server.kill()


def test_the_index_beside_the_packages_is_written_soon_and_at_the_end(tmp_path: Path) -> None:
    index = tmp_path / "data" / "index.yaml"
    with running(tmp_path, "--open-writes", "--publish-index") as server:
        publish(server.url, package())
        eventually(lambda: index.exists() and "app-1.0.0.tgz" in index.read_text(), what="it was written")
        publish(server.url, package("web"))

    assert "web-1.0.0.tgz" in index.read_text()


def test_a_folder_that_may_only_be_read_is_served(tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    data.mkdir()
    (data / "app-1.0.0.tgz").write_bytes(package())
    with running(tmp_path, "--state-dir", state) as server:
        assert charts(server) == ["app"]
        assert publish(server.url, package("web")).status == 403
    assert [path.name for path in data.iterdir()] == ["app-1.0.0.tgz"]

    with running(tmp_path, "--state-dir", state, "--open-writes") as server:
        assert publish(server.url, package("web")).status == 201


def test_the_catalog_is_not_kept_for_a_second_writer_of_the_same_file(tmp_path: Path) -> None:
    """Two servers on one folder share its catalog and its locks, and see each other's uploads at once."""
    with running(tmp_path, "--open-writes") as one, running(tmp_path, "--open-writes") as two:
        assert publish(one.url, package()).status == 201
        assert charts(two) == ["app"]
        assert publish(two.url, package(appVersion="2")).status == 409
        assert call("DELETE", f"{two.url}/api/charts/app/1.0.0").status == 200
        assert charts(one) == []


def test_the_catalog_is_plain_sqlite_that_other_tools_can_open(tmp_path: Path) -> None:
    with running(tmp_path, "--open-writes") as server:
        publish(server.url, package())
    link = next(path for path in (tmp_path / "data" / ".chartrepo").iterdir() if path.is_symlink())
    connection = sqlite3.connect(f"file:{link}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()
