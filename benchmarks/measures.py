"""What is measured of a server, one function a measure. None of them is told which server it has before it."""

import http.client
import itertools
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import load, servers
from benchmarks.charts import Corpus, Release
from benchmarks.load import LoadFailedError
from benchmarks.servers import Server, ServerFailedError

EXPECTED_ERRORS: Final = (
    LoadFailedError,
    ServerFailedError,
    OSError,
    http.client.HTTPException,
    subprocess.SubprocessError,
)
"""What a server that cannot do something makes of a measure. Anything else is a mistake of ours and ends the run."""

INDEX: Final = "/index.yaml"
_UPLOAD_CLIENTS: Final = 8
_POLL_SECONDS: Final = 0.05
_PACKAGES: Final = 2000


@dataclass(frozen=True, slots=True)
class Value:
    """One figure.

    Attributes:
        value: None when it could not be had.
        unit: what it counts; `/s`, `MiB/s` and `x` (a share) are better when higher, all others when lower.
        reason: why there is no value.
        detail: what it was made from.
    """

    value: float | None
    unit: str
    reason: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def higher_is_better(self) -> bool:
        """How two of a kind compare."""
        return self.unit in {"/s", "MiB/s", "x"}


Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long things may take.

    Attributes:
        seconds: of each load.
        uploads: of each series, at most.
        start_seconds: until a started server must have its index complete.
        stream_per_second: the pace of the steady stream of uploads.
    """

    seconds: float = 5
    uploads: int = 400
    start_seconds: float = 300
    stream_per_second: float = 10


@dataclass(slots=True)
class Subject:
    """A running server and what was published on it so far."""

    server: Server
    corpus: Corpus
    bounds: Bounds
    nginx: str | None
    helm: Path | None
    _next_release: Iterator[int] = field(default_factory=itertools.count, init=False)
    _published: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def versions(self) -> int:
        """How many versions the index must have."""
        return self.corpus.count + self._published

    def fresh(self) -> Release:
        """A release that was never published."""
        return self.corpus.fresh(next(self._next_release))

    def acknowledged(self, count: int = 1) -> None:
        """Take note of uploads that were answered with 201."""
        with self._lock:
            self._published += count

    def some_packages(self) -> list[str]:
        """The paths of some packages, the same for every server, in no order."""
        releases = list(self.corpus.releases())
        chosen = random.Random(self.corpus.seed).sample(releases, min(_PACKAGES, len(releases)))
        return [f"/charts/{release.file}" for release in chosen]


Measure = Callable[[Subject], Values]


def wait_until_complete(subject: Subject) -> float:
    """Wait until the index answers with every version; the time when it did, on the monotonic clock.

    Raises:
        ServerFailedError: the server ended, or did not get there in time.
    """
    deadline = time.monotonic() + subject.bounds.start_seconds
    seen: object = "no answer"
    while time.monotonic() < deadline:
        subject.server.check_alive()
        try:
            with load.connected(subject.server.url) as client:
                status, body = client.request("GET", INDEX)
        except (OSError, http.client.HTTPException) as error:
            seen = error
        else:
            found = _count_versions(body)
            if status == http.HTTPStatus.OK and found >= subject.versions:
                return time.monotonic()
            seen = f"status {status} with {found} of {subject.versions} versions"
        time.sleep(_POLL_SECONDS)
    raise ServerFailedError(f"the index is not complete after {subject.bounds.start_seconds:g} s: {seen}")


def _count_versions(index: bytes) -> int:
    """How many versions an index has, YAML or JSON: each names its file once."""
    return index.count(b".tgz")


def upload(subject: Subject) -> Values:
    """From the first byte of an upload until a GET of the index shows it; the median of several."""
    took: list[float] = []
    begin = time.monotonic()
    with load.connected(subject.server.url) as client:
        while len(took) < 15 and time.monotonic() - begin < subject.bounds.seconds * 4:  # noqa: PLR2004
            release = subject.fresh()
            package = subject.corpus.package(release)
            started = time.monotonic()
            client.upload(package)
            subject.acknowledged()
            while release.file.encode() not in client.get(INDEX):
                if time.monotonic() - started > subject.bounds.start_seconds:
                    raise LoadFailedError(f"{release.file} was acknowledged and does not show in the index")
            took.append((time.monotonic() - started) * 1000)
    detail = {"times": len(took), "fastest": min(took), "slowest": max(took)}
    return {"upload until the index shows it": Value(statistics.median(took), "ms", detail=detail)}


def burst(subject: Subject) -> Values:
    """Uploads a second by several clients; all of them must be in the index afterwards."""
    releases = [subject.fresh() for _ in range(subject.bounds.uploads)]
    packages = [(release, subject.corpus.package(release)) for release in releases]
    waiting = iter(packages)
    published: list[Release] = []
    lock = threading.Lock()
    begin = time.monotonic()
    deadline = begin + subject.bounds.seconds * 2

    def publish(_number: int) -> None:
        with load.connected(subject.server.url) as client:
            while time.monotonic() < deadline:
                with lock:
                    release, package = next(waiting, (None, b""))
                if release is None:
                    return
                client.upload(package)
                with lock:
                    published.append(release)

    try:
        load.in_parallel(publish, _UPLOAD_CLIENTS)
    finally:
        subject.acknowledged(len(published))
    seconds = time.monotonic() - begin
    with load.connected(subject.server.url) as client:
        index = client.get(INDEX)
    lost = [release.file for release in published if release.file.encode() not in index]
    if lost:
        raise LoadFailedError(f"{len(lost)} of {len(published)} acknowledged uploads are not in the index: {lost[:3]}")
    detail = {"uploads": len(published), "seconds": seconds, "clients": _UPLOAD_CLIENTS}
    return {f"uploads, {_UPLOAD_CLIENTS} clients": Value(len(published) / seconds, "/s", detail=detail)}


def index(subject: Subject) -> Values:
    """GETs of the index a second, and the share of what nginx reaches with the same bytes around the same time."""
    path = [INDEX]
    if subject.nginx is None:
        own = load.get_rate(subject.server.url, path, seconds=subject.bounds.seconds)
        return {"index GET": Value(own.per_second, "/s", detail={"client": own.client})}
    with load.connected(subject.server.url) as client:
        body = client.get(INDEX)
    with tempfile.TemporaryDirectory() as folder:
        reference = servers.nginx(subject.nginx, Path(folder))
        Path(folder, "files", INDEX[1:]).write_bytes(body)
        with reference:
            servers.wait_for_port(reference, seconds=10)
            before = load.get_rate(reference.url, path, seconds=subject.bounds.seconds / 2)
            own = load.get_rate(subject.server.url, path, seconds=subject.bounds.seconds)
            after = load.get_rate(reference.url, path, seconds=subject.bounds.seconds / 2)
    nginx = (before.per_second + after.per_second) / 2
    detail = {
        "bytes": len(body),
        "client": own.client,
        "nginx before": before.per_second,
        "nginx after": after.per_second,
    }
    return {
        "index GET": Value(own.per_second, "/s", detail=detail),
        "index GET, share of nginx": Value(own.per_second / nginx, "x", detail=detail),
    }


def package(subject: Subject) -> Values:
    """GETs of packages a second, over many of them."""
    paths = subject.some_packages()
    rate = load.get_rate(subject.server.url, paths, seconds=subject.bounds.seconds)
    return {"package GET": Value(rate.per_second, "/s", detail={"packages": len(paths), "client": rate.client})}


def stream(subject: Subject) -> Values:
    """What is left of the two GET rates while packages are uploaded at a steady pace."""
    return {
        "index GET under uploads, share of quiet": _under_uploads(subject, [INDEX]),
        "package GET under uploads, share of quiet": _under_uploads(subject, subject.some_packages()),
    }


def _under_uploads(subject: Subject, paths: Sequence[str]) -> Value:
    url, bounds = subject.server.url, subject.bounds
    packages = (subject.corpus.package(subject.fresh()) for _ in itertools.count())
    before = load.get_rate(url, paths, seconds=bounds.seconds / 2)
    begin = time.monotonic()
    uploads: list[float] = []
    try:
        with load.upload_stream(url, packages, per_second=bounds.stream_per_second) as uploads:
            busy = load.get_rate(url, paths, seconds=bounds.seconds)
        seconds = time.monotonic() - begin
    finally:
        subject.acknowledged(len(uploads))
    after = load.get_rate(url, paths, seconds=bounds.seconds / 2)
    quiet = (before.per_second + after.per_second) / 2
    detail = {
        "quiet before": before.per_second,
        "quiet after": after.per_second,
        "busy": busy.per_second,
        "uploads a second": len(uploads) / seconds,
    }
    return Value(busy.per_second / quiet, "x", detail=detail)


def memory(subject: Subject) -> Values:
    """What all processes of the server hold by now."""
    processes = subject.server.processes()
    return {"memory after the load": Value(subject.server.memory(), "MiB", detail={"processes": len(processes)})}


def helm(subject: Subject) -> Values:
    """What a person waits for `helm repo update` and `helm search repo`; with the newest of each chart only, too."""
    if subject.helm is None:
        raise LoadFailedError("no helm was given")
    return {
        "helm repo update + search repo": _update_and_search(subject, ""),
        "the same with ?versions=1": _update_and_search(subject, "/?versions=1"),
    }


def _update_and_search(subject: Subject, query: str) -> Value:
    took: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}

        def run(*words: str) -> bytes:
            environment = os.environ | homes
            return subprocess.run(
                [f"{subject.helm}", *words], env=environment, check=True, capture_output=True, timeout=300
            ).stdout

        run("repo", "add", "bench", subject.server.url + query)
        begin = time.monotonic()
        while len(took) < 3 and time.monotonic() - begin < subject.bounds.seconds * 6:  # noqa: PLR2004
            started = time.monotonic()
            run("repo", "update")
            found = run("search", "repo", "bench/")
            took.append(time.monotonic() - started)
    charts = found.count(b"\n") - 1
    return Value(statistics.median(took), "s", detail={"times": len(took), "charts found": charts})


LOADS: Final[dict[str, Measure]] = {
    "upload": upload,
    "burst": burst,
    "index": index,
    "package": package,
    "stream": stream,
    "helm": helm,
    "memory": memory,
}
"""By the name that `--measure` takes, in the order in which they are run."""

START: Final = "start"
"""The one measure that is not taken of a running server: its two starts."""
