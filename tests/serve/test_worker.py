"""What a gunicorn worker has at hand it answers at once, whatever its threads are busy with."""

import base64
import http.client
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.http import answers, get
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running

APP = package()
PATH = "/charts/app-1.0.0.tgz"
CHARTS = 60
LONG = "x" * 15_000
"""A description that makes an index of many charts larger than what a connection takes at once."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one thread, that has a package and a large index at hand."""
    folder = tmp_path_factory.mktemp("worker")
    data = folder / "data"
    data.mkdir()
    (data / "app-1.0.0.tgz").write_bytes(APP)
    for number in range(CHARTS):
        (data / f"large-{number}-1.0.0.tgz").write_bytes(package(f"large-{number}", description=LONG))
    settings = {"CHARTREPO_WORKERS": "1", "CHARTREPO_THREADS": "1", "CHARTREPO_KEEPALIVE": "3s"}
    with running(folder, "--open-writes", env=settings) as server:
        eventually(lambda: _is_at_hand(server, PATH) and _is_at_hand(server, "/index.yaml"), what="both are at hand")
        yield server


def fetch(server: Server, path: str, *, timeout: float = 30, login: str = "") -> bytes:
    """GET with the same headers every time, and `Authorization` where that is given."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)) as connection:
        own = {"Authorization": login} if login else {}
        connection.request("GET", path, headers={"User-Agent": "Helm/3.17.3", **own})
        with connection.getresponse() as response:
            assert response.status == 200
            return response.read()


def _is_at_hand(server: Server, path: str, login: str = "") -> bool:
    fetch(server, path, login=login)
    with busy(server, login):
        return _answers(server, path, login)


def _answers(server: Server, path: str, login: str = "") -> bool:
    try:
        fetch(server, path, timeout=0.5, login=login)
    except TimeoutError:
        return False
    return True


def raw(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


@contextmanager
def busy(server: Server, login: str = "") -> Iterator[None]:
    """Let the only thread wait for an upload that does not go on."""
    own = f"Authorization: {login}\r\n" if login else ""
    with raw(server) as stalled:
        stalled.sendall(f"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n{own}\r\nx".encode())
        eventually(lambda: not _answers(server, "/health"), what="the thread is busy")
        yield


def asked(path: str, *lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join(
        [
            f"GET {path} HTTP/{version}",
            "Host: localhost",
            "User-Agent: Helm/3.17.3",
            "Accept-Encoding: identity",
            *lines,
            "",
            "",
        ]
    ).encode()


def test_neither_packages_nor_indexes_nor_the_probe_wait_for_a_thread(server: Server) -> None:
    with busy(server):
        assert fetch(server, PATH) == APP
        assert fetch(server, "/livez") == b"ok\n"
        assert b"large-59-1.0.0.tgz" in fetch(server, "/index.yaml")


def test_an_upload_shows_in_the_index_that_was_at_hand(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        for version in ("2.0.0", "2.1.0"):
            connection.request("POST", "/api/fresh/charts", body=package("app", version))
            assert connection.getresponse().read() == b'{"saved":true}'
            connection.request("GET", "/fresh/index.yaml")
            assert f"app-{version}.tgz".encode() in connection.getresponse().read()


def test_a_client_that_takes_its_answer_slowly_keeps_nobody_waiting(server: Server) -> None:
    whole = fetch(server, "/index.yaml")
    assert len(whole) > 500_000
    with raw(server) as slow:
        for _ in range(20):
            slow.sendall(asked("/index.yaml"))
        for _ in range(3):
            assert fetch(server, PATH) == APP
        assert answers(slow, 20) == [(200, whole)] * 20


def test_requests_that_arrive_together_are_answered_in_their_order(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(asked(PATH) + asked("/health") + asked(PATH) + asked("/charts/none-1.0.0.tgz") + asked(PATH))
        statuses = answers(connection, 5)
        assert [status for status, _ in statuses] == [200, 200, 200, 404, 200]
        assert [body == APP for _, body in statuses] == [True, False, True, False, True]


def test_a_request_that_arrives_in_drips_takes_no_thread_before_it_is_whole(server: Server) -> None:
    with raw(server) as dripping:
        request = asked("/health")
        for at in range(len(request) - 1):
            dripping.sendall(request[at : at + 1])
        assert fetch(server, "/health")
        dripping.sendall(request[-1:])
        assert answers(dripping, 1)[0][0] == 200


def test_a_request_that_begins_before_an_idle_connection_is_closed_is_answered(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(asked("/livez"))
        answers(connection, 1)
        time.sleep(2.5)
        connection.sendall(asked("/livez")[:20])
        time.sleep(1.5)
        connection.sendall(asked("/livez")[20:])
        assert answers(connection, 1) == [(200, b"ok\n")]


def test_an_idle_connection_is_closed(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(asked("/livez"))
        answers(connection, 1)
        assert connection.recv(4096) == b""


def test_a_client_that_does_not_notice_the_end_keeps_nobody_waiting(server: Server) -> None:
    stubborn = [raw(server) for _ in range(5)]
    try:
        for each in stubborn:
            each.sendall(asked(PATH, "Connection: close"))
            answers(each, 1)
        fetch(server, "/livez", timeout=1.5)  # they are given two seconds to notice
    finally:
        for each in stubborn:
            each.close()


def test_connections_that_end_take_no_thread(server: Server) -> None:
    process = psutil.Process(server.workers[0])
    before = process.num_fds()
    with busy(server):
        for line in ("Connection: close", "Accept: */*"):
            for _ in range(30):
                with raw(server) as connection:
                    connection.sendall(asked("/livez", line))
                    answers(connection, 1)
        eventually(lambda: process.num_fds() <= before + 3, what="all are closed")


def test_the_half_of_a_next_request_takes_no_thread(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(asked("/health") + b"GET /he")
        assert answers(connection, 1)[0][0] == 200
        assert fetch(server, "/health")
        connection.sendall(b"alth HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answers(connection, 1)[0][0] == 200


def test_a_next_request_that_does_not_go_on_takes_no_thread(server: Server) -> None:
    with raw(server) as connection:
        for path in ("/health", "/readyz", "/api/charts/app"):
            connection.sendall(asked(path))
            assert answers(connection, 1)[0][0] == 200
            connection.sendall(b"GET /he")
            assert fetch(server, "/health")
            connection.sendall(b"alth HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answers(connection, 1)[0][0] == 200


def test_a_client_with_many_requests_in_a_row_lets_others_have_their_turn(server: Server) -> None:
    over = threading.Event()

    def ask_on() -> int:
        count = 0
        with raw(server) as connection:
            while not over.is_set():
                connection.sendall(asked("/health"))
                assert answers(connection, 1)[0][0] == 200
                count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        counts = [pool.submit(ask_on) for _ in range(2)]
        assert all(fetch(server, "/health") for _ in range(50))
        over.set()
        assert all(each.result() > 10 for each in counts)


@pytest.mark.parametrize(
    "sent",
    [
        asked(PATH, version="9.9"),
        asked(PATH, "No colon in this"),
        asked(PATH, "Content-Length: -1"),
        asked(PATH, "X: " + "x" * 100_000),
        b"GET\r\n\r\n",
        b"GET " + b"x" * 100_000,
    ],
    ids=["version", "header", "length", "long header", "no path", "long path"],
)
def test_what_is_no_request_is_refused_and_harms_nobody(server: Server, sent: bytes) -> None:
    with raw(server) as connection:
        connection.sendall(sent)
        assert connection.recv(4096)[:10] in {b"HTTP/1.1 4", b"HTTP/1.1 5"}
    assert fetch(server, PATH) == APP
    assert "Traceback" not in server.log


@pytest.mark.parametrize("path", [PATH, "/livez", "/health"])
def test_a_body_of_a_get_is_passed_over(server: Server, path: str) -> None:
    hidden = asked("/charts/none-1.0.0.tgz")
    with raw(server) as connection:
        connection.sendall(asked(path, f"Content-Length: {len(hidden)}") + hidden + asked(path))
        assert [status for status, _ in answers(connection, 2)] == [200, 200]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("path", [PATH, "/livez", "/health"])
def test_a_body_of_a_get_that_comes_late_is_never_taken_for_a_request(server: Server, path: str) -> None:
    hidden = asked("/charts/none-1.0.0.tgz")
    with raw(server) as connection:
        connection.sendall(asked(path, f"Content-Length: {len(hidden)}"))
        time.sleep(0.1)
        connection.sendall(hidden + asked(path, "Connection: close"))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert set(re.findall(rb"HTTP/1.1 (\d+) ", data)) == {b"200"}
    assert "Traceback" not in server.log


def test_bodies_of_gets_that_never_come_hold_up_nobody(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stalled = stack.enter_context(raw(server))
            stalled.sendall(asked("/charts/none-1.0.0.tgz", "Content-Length: 5000"))
        fetch(server, "/health", timeout=10)


@pytest.mark.parametrize(("line", "version"), [("Connection: close", "1.1"), ("Accept: */*", "1.0")])
def test_a_connection_ends_where_the_client_wants_it_so(server: Server, line: str, version: str) -> None:
    with raw(server) as connection:
        connection.sendall(asked(PATH, line, version=version))
        data = b""
        while piece := connection.recv(65536):
            data += piece
        assert data.endswith(APP)


def test_conditions_are_heeded(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", PATH)
        with connection.getresponse() as response:
            etag = response.headers["ETag"]
            response.read()
        connection.request("GET", PATH, headers={"If-None-Match": etag})
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (304, b"")
        connection.request("GET", PATH, headers={"Range": "bytes=0-9"})
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (206, APP[:10])


def test_where_no_connection_is_kept_each_request_is_answered_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path, "--open-writes", env={"CHARTREPO_KEEPALIVE": "0"}) as server:
        for path in ("/livez", "/health", "/livez"):
            with raw(server) as connection:
                time.sleep(0.2)  # so that the worker has seen the connection without a request on it
                connection.sendall(asked(path))
                data = b""
                while piece := connection.recv(4096):
                    data += piece
                assert data.startswith(b"HTTP/1.1 200")


def test_whoever_was_just_known_is_answered_at_hand_too_and_no_other(tmp_path: Path) -> None:
    login = "Basic " + base64.b64encode(b"me:secret").decode()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "app-1.0.0.tgz").write_bytes(APP)
    settings = {"CHARTREPO_WORKERS": "1", "CHARTREPO_THREADS": "1"}
    secret = {"CHARTREPO_BASIC_AUTH_USER": "me", "CHARTREPO_BASIC_AUTH_PASSWORD": "secret"}
    with running(tmp_path, env={**settings, **secret}) as server:
        eventually(lambda: _is_at_hand(server, PATH, login), what="it is at hand")
        assert fetch(server, PATH, login=login) == APP
        assert get(f"{server.url}{PATH}").status == 401
        assert get(f"{server.url}{PATH}", Authorization=login + "x").status == 401


def test_what_is_at_hand_is_logged_and_counted_too(tmp_path: Path) -> None:
    with running(tmp_path, "--open-writes", env={"CHARTREPO_WORKERS": "1"}) as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            for number in range(20):
                connection.request("GET", "/livez", headers={"X-Request-Id": f"mine-{number}"})
                connection.getresponse().read()
        lines = [line for line in server.log.splitlines() if "request_id=mine-" in line and "/livez" in line]
        assert len(lines) == 20
        metrics = get(f"{server.url}/metrics").body.decode()
        assert 'chartrepo_http_requests_total{method="GET",route="/livez",status="200"} 20.0' in metrics


def test_a_kept_connection_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    """An upload that is under way is answered, and then nobody waits for what its client may ask next."""
    with running(tmp_path, "--open-writes", "--graceful-timeout", "60s") as server, raw(server) as connection:
        connection.sendall(
            b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(APP) + APP[:100]
        )
        time.sleep(0.3)
        server.process.signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(APP[100:])
        assert answers(connection, 1)[0][0] == 201
        assert connection.recv(4096) == b""
        assert server.process.wait(seconds=30) == 0
