"""The client side: single requests, many requests as fast as they go, and streams of uploads."""

import http.client
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

AGENT: Final = "Helm/3.17.3"
"""Who we say we are: a server may send its index in the form that this client reads best."""

CONNECTIONS: Final = 8
_TIMEOUT: Final = 300
_CREATED: Final = 201
_OK: Final = 200

_WRK_SCRIPT: Final = """\
local requests, at = {}, 0
function init(arguments)
   for path in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("GET", path)
   end
end
function request()
   at = at % #requests + 1
   return requests[at]
end
function done(summary, latency, all)
   local e = summary.errors
   io.write(string.format('\\n{"requests": %d, "microseconds": %d, "status": %d, "broken": %d}\\n',
      summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class LoadFailedError(Exception):
    """Requests were not answered as they must be; the text says which and how."""


class Client:
    """One kept-alive connection. Not safe to share between threads."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._headers = {"User-Agent": AGENT, **(headers or {})}
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send one request; status and body of the answer. A connection that the server closed is opened again."""
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._connection.close()
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
        return answer.status, answer.read()

    def get(self, path: str) -> bytes:
        """The body under a path.

        Raises:
            LoadFailedError: the status is not 200.
        """
        status, body = self.request("GET", path)
        if status != _OK:
            raise LoadFailedError(f"GET {path} is answered with {status}: {body[:100]!r}")
        return body

    def upload(self, package: bytes) -> None:
        """Publish a package.

        Raises:
            LoadFailedError: it was not acknowledged.
        """
        status, body = self.request("POST", "/api/charts", package)
        if status != _CREATED:
            raise LoadFailedError(f"an upload is answered with {status}: {body[:100]!r}")


@contextmanager
def connected(url: str, headers: Mapping[str, str] | None = None) -> Iterator[Client]:
    """A client for the time of a block, with headers that it sends each time."""
    client = Client(url, headers)
    try:
        yield client
    finally:
        client.close()


@dataclass(slots=True)
class Took:
    """How long something took, in seconds, once it is over."""

    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[Took]:
    """Take the time of a block."""
    took = Took()
    begun = time.perf_counter()
    yield took
    took.seconds = time.perf_counter() - begun


def wait_for(url: str, *, seconds: float) -> None:
    """Wait until an address answers with 200.

    Raises:
        LoadFailedError: it does not, in that time.
    """
    split = urlsplit(url)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with connected(url) as client:
            if client.request("GET", split.path)[0] == _OK:
                return
        time.sleep(0.05)
    raise LoadFailedError(f"{url} does not answer with 200 after {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast requests were answered.

    Attributes:
        per_second: answers a second.
        requests: how many there were.
        client: who sent them.
    """

    per_second: float
    requests: int
    client: str


def get_rate(
    url: str,
    paths: Sequence[str],
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] | None = None,
) -> Rate:
    """GET the paths in turn over kept-alive connections, as fast as the server goes.

    Args:
        url: of the server.
        paths: with their queries.
        seconds: for how long.
        connections: at a time.
        headers: sent with each request.

    Raises:
        LoadFailedError: an answer had another status than 200, or a connection broke.
    """
    wrk = shutil.which("wrk")
    if wrk:
        return _wrk_rate(wrk, url, paths, seconds, connections, headers or {})
    return _own_rate(url, paths, seconds, connections, headers or {})


def _wrk_rate(  # noqa: PLR0917 - as `get_rate`
    wrk: str, url: str, paths: Sequence[str], seconds: float, connections: int, headers: Mapping[str, str]
) -> Rate:
    with tempfile.TemporaryDirectory() as folder:
        script, list_of_paths = Path(folder, "paths.lua"), Path(folder, "paths.txt")
        script.write_text(_WRK_SCRIPT)
        list_of_paths.write_text("\n".join(paths) + "\n")
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
        for name, value in {"User-Agent": AGENT, **headers}.items():
            options += ["-H", f"{name}: {value}"]
        output = subprocess.run(
            [wrk, *options, "-s", script, url, "--", list_of_paths],
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds + 120,
        ).stdout
    told = json.loads(output.strip().splitlines()[-1])
    if told["status"] or told["broken"] or not told["requests"]:
        raise LoadFailedError(
            f"of {told['requests']} GETs {told['status']} had a wrong status and {told['broken']} broke"
        )
    return Rate(told["requests"] / told["microseconds"] * 1e6, told["requests"], "wrk")


def _own_rate(url: str, paths: Sequence[str], seconds: float, connections: int, headers: Mapping[str, str]) -> Rate:
    counts = [0] * connections
    begin = time.monotonic()

    def fetch(number: int) -> None:
        with connected(url, headers) as client:
            for path in itertools.islice(itertools.cycle(paths), number, None):
                client.get(path)
                counts[number] += 1
                if time.monotonic() - begin > seconds:
                    return

    in_parallel(fetch, connections)
    return Rate(sum(counts) / (time.monotonic() - begin), sum(counts), "http.client")


def in_parallel(work: Callable[[int], None], count: int) -> None:
    """Run `work(0)` to `work(count - 1)`, each in a thread, and wait for all.

    Raises:
        Exception: the first that any of them raised.
    """
    errors: list[Exception] = []

    def run(number: int) -> None:
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - handed to the caller below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@contextmanager
def upload_stream(url: str, packages: Iterator[bytes], *, per_second: float) -> Iterator[list[float]]:
    """Upload at a steady pace, in the background, for the time of a block.

    Gives a list that grows by one for each acknowledged upload. A server that is slower than the pace gets them one
    after another.

    Raises:
        LoadFailedError: at the end of the block, when an upload was not acknowledged.
    """
    stopped = threading.Event()
    done: list[float] = []
    errors: list[Exception] = []

    def upload() -> None:
        try:
            with connected(url) as client:
                while not stopped.is_set():
                    begin = time.monotonic()
                    client.upload(next(packages))
                    done.append(time.monotonic())
                    stopped.wait(max(0.0, 1 / per_second - (done[-1] - begin)))
        except (LoadFailedError, OSError, http.client.HTTPException) as error:
            errors.append(error)

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        yield done
    finally:
        stopped.set()
        thread.join()
    if errors:
        raise errors[0]
