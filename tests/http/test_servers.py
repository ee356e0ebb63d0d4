"""What only real sockets show, under both web servers."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running

LIMIT = 256 * 1024
TIMEOUT = 1.0
APP = package()


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the two web servers."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CHARTREPO_MAX_UPLOAD_SIZE": str(LIMIT),
        "CHARTREPO_UPLOAD_TIMEOUT": f"{TIMEOUT}s",
        "CHARTREPO_WORKERS": "1",
        "CHARTREPO_THREADS": "2",
    }
    with running(tmp_path_factory.mktemp("server"), "--open-writes", "--server", kind, env=settings) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        yield connection


def answer(connection: http.client.HTTPConnection) -> tuple[int, dict[str, object]]:
    with connection.getresponse() as response:
        return response.status, json.loads(response.read())


def raw(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def status_of(data: bytes) -> int:
    return int(data.split(b" ", 2)[1])


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        assert piece, f"the connection was closed after {data!r}"
        data += piece
    return data


def chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def test_a_body_may_come_in_chunks_without_a_length(connection: http.client.HTTPConnection, server: Server) -> None:
    connection.request("POST", "/api/chunked/charts", body=chunks(APP), encode_chunked=True)
    assert answer(connection) == (201, {"saved": True})
    connection.request("GET", "/chunked/charts/app-1.0.0.tgz")
    with connection.getresponse() as response:
        assert response.read() == APP


def test_a_form_may_come_in_chunks_too(connection: http.client.HTTPConnection) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="chart"; filename="/x/app.tgz"\r\n\r\n' + APP + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
    connection.request("POST", "/api/form/charts", body=chunks(form), headers=headers, encode_chunked=True)
    assert answer(connection) == (201, {"saved": True})


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_client_sees_the_413_in_the_middle_of_its_upload_and_keeps_the_connection(
    connection: http.client.HTTPConnection, chunked: bool
) -> None:
    data = bytes(30 * 2**20)
    body = (data[start : start + 65536] for start in range(0, len(data), 65536)) if chunked else data
    connection.request("POST", "/api/charts", body=body, encode_chunked=chunked)
    status, error = answer(connection)
    assert status == 413
    assert "max_upload_size" in str(error)
    connection.request("GET", "/health")
    assert answer(connection) == (200, {"healthy": True})


def test_a_refused_upload_keeps_the_connection(connection: http.client.HTTPConnection) -> None:
    for _ in range(3):
        connection.request("POST", "/api/charts", body=b"nonsense" * 1000)
        assert answer(connection)[0] == 400
        connection.request("POST", "/api/UPPER CASE/charts".replace(" ", "%20"), body=b"nonsense" * 1000)
        assert answer(connection)[0] == 400
        connection.request("POST", "/api/charts", body=b"nonsense" * 1000, headers={"Origin": "http://evil"})
        assert answer(connection)[0] == 403


@pytest.mark.parametrize("path", ["/index.yaml", "/api/charts", "/chunked/charts/none-1.0.0.tgz", "/health", "/"])
def test_head_has_the_length_of_get_and_no_body(connection: http.client.HTTPConnection, path: str) -> None:
    lengths = []
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, path)
        with connection.getresponse() as response:
            lengths.append(response.headers["Content-Length"])
            assert (len(response.read()) == 0) == (method == "HEAD")
    assert len(set(lengths)) == 1


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_request_that_was_sent_behind_a_large_body_is_answered(server: Server, chunked: bool) -> None:
    data = bytes(LIMIT)
    framing = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % LIMIT
    upload = b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n"
    upload += b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in chunks(data)) + b"0\r\n\r\n" if chunked else data
    with raw(server) as connection:
        connection.sendall(upload * 2 + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert [status_of(b"HTTP/1.1 " + part) for part in answers.split(b"HTTP/1.1 ")[1:]] == [400, 400, 200]


def test_a_client_that_waits_for_a_go_ahead_gets_it(server: Server) -> None:
    with raw(server) as connection:
        connection.sendall(
            b"POST /api/expect/charts HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(APP)
        )
        assert status_of(read_head(connection)) == 100
        connection.sendall(APP)
        assert status_of(read_head(connection)) == 201


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
def test_an_upload_that_breaks_off_publishes_nothing(server: Server, chunked: bool, form: bool) -> None:
    repository = f"broken-{'chunked' if chunked else 'length'}-{'form' if form else 'raw'}"
    head = b"--b\r\nContent-Disposition: form-data; name=chart; filename=x\r\n\r\n" if form else b""
    kind = b"Content-Type: multipart/form-data; boundary=b\r\n" if form else b""
    data = head + APP[: len(APP) // 2]
    framing = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: 2000\r\n"
    before = server.log.count(repository)
    with raw(server) as connection:
        connection.sendall(f"POST /api/{repository}/charts HTTP/1.1\r\nHost: localhost\r\n".encode() + kind + framing)
        connection.sendall(b"\r\n" + (b"%x\r\n%b\r\n" % (len(data), data) if chunked else data))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(30)
        while connection.recv(4096):
            pass
    eventually(lambda: server.log.count(repository) > before, what="the request was logged")
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as other:
        other.request("GET", f"/api/{repository}/charts")
        assert answer(other) == (200, {})


@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
@pytest.mark.parametrize("path", ["/api/malformed/charts", "/api/malformed/prov"])
def test_chunks_that_are_none_are_a_bad_request(server: Server, kind: str, path: str, form: bool) -> None:
    what = b"Content-Type: multipart/form-data; boundary=b\r\n" if form else b""
    with raw(server) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n".encode() + what)
        connection.sendall(b"\r\nzz\r\nabc\r\n0\r\n\r\n")
        data = read_head(connection)
        while b"}" not in data:
            data += connection.recv(4096)
    assert status_of(data) == 400
    if kind == "gunicorn":  # granian says that the body has ended
        assert b"not in chunks as its Transfer-Encoding says" in data
    assert "Traceback" not in server.log


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("drip", [0.1, 30], ids=["drips", "stalls"])
def test_a_body_that_never_ends_is_given_up(server: Server, kind: str, chunked: bool, drip: float) -> None:
    if kind == "granian":
        pytest.skip("under granian it holds its thread until the client leaves: see chartrepo.http.bodies")
    framing = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: 100000\r\n"
    with raw(server) as connection:
        connection.sendall(b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n")
        connection.settimeout(drip)
        data = b""
        while not data:
            connection.sendall(b"1\r\nx\r\n" if chunked else b"x")
            try:
                data = connection.recv(4096)
            except TimeoutError:
                continue
        assert status_of(data) == 408


@pytest.mark.parametrize("known", [True, False], ids=["known", "anonymous"])
def test_clients_that_stall_leave_room_for_others(kind: str, tmp_path: Path, known: bool) -> None:
    settings = {
        "CHARTREPO_UPLOAD_TIMEOUT": "10m",
        "CHARTREPO_WORKERS": "1",
        "CHARTREPO_THREADS": "4",
        "CHARTREPO_ADMIN_PASSWORD": "secret",
    }
    login = b"Authorization: Basic YWRtaW46c2VjcmV0\r\n" if known else b""
    with running(tmp_path, "--server", kind, env=settings) as server, ExitStack() as stack:
        for _ in range(40):
            stalled = stack.enter_context(raw(server))
            stalled.sendall(
                b"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n" + login + b"\r\nx"
            )
        connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)))
        connection.request("GET", "/api/charts")  # it would take minutes, if each held a thread for some seconds
        assert answer(connection) == (200, {})


def test_an_upload_waits_for_its_turn(kind: str, tmp_path: Path) -> None:
    data = package("app", "1.0.0")
    head = f"POST /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    settings = {"CHARTREPO_WORKERS": "1", "CHARTREPO_THREADS": "4"}
    with running(tmp_path, "--server", kind, "--open-writes", env=settings) as server, ExitStack() as stack:
        slow = [stack.enter_context(raw(server)) for _ in range(2)]
        for connection in slow:
            connection.sendall(head + data[:-1])
        time.sleep(0.5)
        connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)))
        connection.request("POST", "/api/team/charts", body=data)
        time.sleep(1)
        slow[0].sendall(data[-1:])
        assert answer(connection)[0] == 201


def test_both_spellings_of_a_plus_lead_to_the_package(connection: http.client.HTTPConnection) -> None:
    data = package("app", "1.0.0+build")
    connection.request("POST", "/api/plus/charts", body=data)
    assert answer(connection)[0] == 201
    for spelling in ("+", "%2B", "%2b"):
        connection.request("GET", f"/plus/charts/app-1.0.0{spelling}build.tgz")
        with connection.getresponse() as response:
            assert response.read() == data


@pytest.mark.parametrize(
    "path", ["/charts/..%2f..%2fetc%2fpasswd", "/charts/%00.tgz", "/%ff%fe/index.yaml", "/a/../../index.yaml"]
)
def test_hostile_paths_find_nothing(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    assert answer(connection)[0] == 404
