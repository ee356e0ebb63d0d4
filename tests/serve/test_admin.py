"""Whether the workers answer, as the listener for health and metrics finds out over TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from chartrepo.access import watch_certificate
from chartrepo.serve.admin import ask_workers
from tests.support.certificates import Authority
from tests.support.processes import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("made"))


@pytest.fixture
def worker() -> Iterator[tuple[socket.socket, str]]:
    """A listener that nobody serves yet, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener, f"https://127.0.0.1:{listener.getsockname()[1]}/charts"


def serve_one(listener: socket.socket, made: Authority, client_ca: Path | None, stack: ExitStack) -> None:
    """Answer the next client as a worker does, in a thread that has ended with `stack`."""
    watched = watch_certificate(made.server.cert, made.server.key, client_ca)
    context = watched.value.context

    def answer() -> None:
        client, _ = listener.accept()
        with suppress(ssl.SSLError), closing(context.wrap_socket(client, server_side=True)) as secure:
            assert secure.recv(4096).startswith(b"GET /charts/livez ")
            secure.sendall(OK)

    thread = threading.Thread(target=answer)
    thread.start()
    stack.callback(thread.join)


def test_any_certificate_of_a_worker_will_do(worker: tuple[socket.socket, str], made: Authority) -> None:
    listener, url = worker
    with ExitStack() as stack:
        serve_one(listener, made, None, stack)
        ask_workers(url, gate=False)


def test_a_worker_that_asks_for_a_certificate_has_answered(worker: tuple[socket.socket, str], made: Authority) -> None:
    listener, url = worker
    with ExitStack() as stack:
        serve_one(listener, made, made.ca, stack)
        ask_workers(url, gate=True)


@pytest.mark.parametrize("gate", [False, True])
def test_where_nobody_listens_nobody_answers(gate: bool) -> None:
    with pytest.raises(OSError, match=r"refused"):
        ask_workers(f"https://127.0.0.1:{free_port()}", gate=gate)


def test_a_gate_that_is_open_is_no_answer(worker: tuple[socket.socket, str], made: Authority) -> None:
    listener, url = worker
    with ExitStack() as stack:
        watched = watch_certificate(made.server.cert, made.server.key)

        def close_at_once() -> None:
            client, _ = listener.accept()
            watched.value.context.wrap_socket(client, server_side=True).close()

        thread = threading.Thread(target=close_at_once)
        thread.start()
        stack.callback(thread.join)
        with pytest.raises(ConnectionError, match="was not asked"):
            ask_workers(url, gate=True)
