"""A gunicorn worker with one thread, over TLS: nobody who is slow at it keeps others waiting."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from tests.support.certificates import Authority
from tests.support.http import answers, get
from tests.support.packages import package
from tests.support.processes import eventually, free_port
from tests.support.server import Server, environment, running

APP = package()
PATH = "/charts/app-1.0.0.tgz"
CHARTS = 60
LONG = "x" * 15_000
"""A description that makes an index of many charts larger than what a connection takes at once."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def server(made: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("worker")
    data = folder / "data"
    data.mkdir()
    (data / "app-1.0.0.tgz").write_bytes(APP)
    for number in range(CHARTS):
        (data / f"large-{number}-1.0.0.tgz").write_bytes(package(f"large-{number}", description=LONG))
    # One thread is for whoever takes an answer slowly, and the other for all others.
    settings = {"CHARTREPO_WORKERS": "1", "CHARTREPO_THREADS": "2", "CHARTREPO_UPLOAD_TIMEOUT": "1s"}
    with running(folder, "--open-writes", tls=made.serving, env=settings) as server:
        yield server


def plain(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def secure(server: Server, made: Authority) -> ssl.SSLSocket:
    return made.context().wrap_socket(plain(server), server_hostname="localhost")


def fetch(server: Server, made: Authority, path: str) -> bytes:
    client = http.client.HTTPSConnection("localhost", server.port, timeout=30, context=made.context())
    with closing(client):
        client.request("GET", path, headers={"User-Agent": "Helm/3.17.3"})
        with client.getresponse() as response:
            assert response.status == 200
            return response.read()


def asked(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: Helm/3.17.3", *lines, "", ""]).encode()


def hello(made: Authority) -> bytes:
    """What a client says first."""
    out = ssl.MemoryBIO()
    client = made.context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


STALLS: dict[str, Callable[[Server, Authority], socket.socket]] = {}


def stall(make: Callable[[Server, Authority], socket.socket]) -> Callable[[Server, Authority], socket.socket]:
    STALLS[make.__name__.replace("_", " ")] = make
    return make


@stall
def says_nothing(server: Server, made: Authority) -> socket.socket:
    return plain(server)


@stall
def half_a_hello(server: Server, made: Authority) -> socket.socket:
    client = plain(server)
    client.sendall(hello(made)[:100])
    return client


@stall
def only_a_hello(server: Server, made: Authority) -> socket.socket:
    client = plain(server)
    client.sendall(hello(made))
    return client


@stall
def silent_after_the_handshake(server: Server, made: Authority) -> socket.socket:
    return secure(server, made)


@stall
def half_a_header(server: Server, made: Authority) -> socket.socket:
    client = secure(server, made)
    client.sendall(asked("/health")[:20])
    return client


@stall
def half_a_record(server: Server, made: Authority) -> socket.socket:
    client = secure(server, made)
    socket.socket.sendall(client, b"\x17\x03\x03\x40\x00" + os.urandom(100))
    return client


@pytest.mark.parametrize("name", STALLS)
def test_clients_that_stall_take_no_thread(server: Server, made: Authority, name: str) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(closing(STALLS[name](server, made)))
        assert fetch(server, made, "/health")
        assert fetch(server, made, PATH) == APP


def test_a_body_that_never_ends_is_given_up_and_the_client_is_told(server: Server, made: Authority) -> None:
    with secure(server, made) as client:
        client.sendall(b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("body", [b"short", bytes(100_000)], ids=["short", "long"])
def test_requests_behind_a_body_in_one_record_are_not_forgotten(server: Server, made: Authority, body: bytes) -> None:
    upload = b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    with secure(server, made) as client:
        client.sendall(upload + body + asked("/health") + asked(PATH) + asked("/health"))
        found = answers(client, 4)
    assert [status for status, _ in found] == [400, 200, 200, 200]
    assert found[2][1] == APP


def test_a_client_that_takes_its_answers_slowly_gets_them_whole(server: Server, made: Authority) -> None:
    whole = fetch(server, made, "/index.yaml")
    assert len(whole) > 500_000
    with secure(server, made) as slow:
        for _ in range(20):
            slow.sendall(asked("/index.yaml"))
        for _ in range(3):
            assert fetch(server, made, PATH) == APP
        assert answers(slow, 20) == [(200, whole)] * 20


def test_an_upload_that_is_refused_early_is_told_so(server: Server, made: Authority) -> None:
    client = http.client.HTTPSConnection("localhost", server.port, timeout=30, context=made.context())
    with closing(client):
        client.request("POST", "/api/charts", body=bytes(30 * 2**20))
        assert client.getresponse().status == 413


def test_the_end_of_a_connection_is_said(server: Server, made: Authority) -> None:
    with secure(server, made) as client:
        client.suppress_ragged_eofs = False  # an end that is not said would raise
        client.sendall(asked("/livez", "Connection: close"))
        data = b"".join(iter(lambda: client.recv(4096), b""))
    assert data.endswith(b"ok\n")


def test_plain_http_is_told_where_to_go(server: Server) -> None:
    got = get(f"http://127.0.0.1:{server.port}/index.yaml")
    assert got.status == 400
    assert "https://" in got.text


@pytest.mark.parametrize("gated", [False, True], ids=["on the main port", "on the admin port"])
def test_the_check_of_the_container_asks_where_it_gets_an_answer(server: Server, made: Authority, gated: bool) -> None:
    own = {"CHARTREPO_PORT": str(server.port), "CHARTREPO_TLS_CERT": str(made.server.cert)}
    if gated:
        admin = {"CHARTREPO_TLS_CLIENT_CA": str(made.ca), "CHARTREPO_ADMIN_PORT": server.admin.rpartition(":")[2]}
        own = {**own, "CHARTREPO_PORT": str(free_port()), **admin}
    script = Path(__file__).parents[2] / "deploy" / "healthcheck.py"
    probe = subprocess.run([sys.executable, script], env=environment(own), timeout=30, check=False)
    assert probe.returncode == 0


def test_garbage_harms_nobody_and_leaves_nothing_behind(server: Server, made: Authority) -> None:
    process = psutil.Process(server.workers[0])
    for path in ("/health", PATH, "/livez"):  # so that all is open that stays open
        fetch(server, made, path)
    before = process.num_fds()
    for garbage in (os.urandom(5000), b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x15\x03\x03\x00\x02\x02\x28", b"x"):
        with plain(server) as client:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    with secure(server, made) as client:
        client.sendall(asked("/livez"))
        answers(client, 1)
        socket.socket.sendall(client, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert fetch(server, made, PATH) == APP
    eventually(lambda: process.num_fds() <= before + 1, what="all are closed")
    assert "Traceback" not in server.log


def test_why_a_handshake_failed_is_logged(server: Server, made: Authority) -> None:
    trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with plain(server) as client, pytest.raises(ssl.SSLCertVerificationError):
        trusts_nobody.wrap_socket(client, server_hostname="localhost")
    eventually(lambda: "no TLS with 127.0.0.1: tlsv1 alert unknown ca" in server.log, what="it is logged")


def test_neither_a_handshake_nor_a_silent_client_holds_up_a_stop(made: Authority, tmp_path: Path) -> None:
    with running(tmp_path, "--graceful-timeout", "60s", tls=made.serving) as server, ExitStack() as stack:
        for name in ("only a hello", "silent after the handshake", "half a header"):
            stack.enter_context(closing(STALLS[name](server, made)))
        fetch(server, made, "/health")
        server.process.signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
