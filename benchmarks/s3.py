"""Starts and uploads where the packages lie in a bucket, with every request to the store counted."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config

from benchmarks import load, measures, servers
from benchmarks.charts import Corpus
from benchmarks.counting import CountingProxy
from benchmarks.measures import Bounds, Subject, Value, Values
from benchmarks.servers import Command, Server

_BUCKET: Final = "benchmark"
_KEY, _SECRET, _REGION = "benchmark", "benchmark-secret", "us-east-1"
_UPLOADS: Final = 10
_READY_SECONDS: Final = 60


@contextmanager
def store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an S3 store with an empty state, for the time of a block.

    `kind` is `moto`, the path of a versitygw, or the URL of a store that runs already and takes our account.
    """
    if kind.startswith(("http://", "https://")):
        yield kind
        return
    port = servers.free_port()
    objects = folder / "objects"
    objects.mkdir()
    if kind == "moto":
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", f"{port}"]
    else:
        words = [kind, "--port", f"127.0.0.1:{port}", "--region", _REGION, "posix", f"{objects}"]
    root = {"ROOT_ACCESS_KEY": _KEY, "ROOT_SECRET_KEY": _SECRET}
    with Server(words, port, folder / "store.log", folder, root) as running:
        servers.wait_for_port(running, seconds=_READY_SECONDS)
        yield running.url


def fill(url: str, packages: Path) -> None:
    """Make the bucket, and put every file of the folder into it."""
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=_REGION,
        aws_access_key_id=_KEY,
        aws_secret_access_key=_SECRET,
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )

    def put(path: Path) -> None:
        client.put_object(Bucket=_BUCKET, Key=path.name, Body=path.read_bytes())

    try:
        client.create_bucket(Bucket=_BUCKET)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, packages.iterdir()))
    finally:
        client.close()


def measure(
    command: Command, corpus: Corpus, bounds: Bounds, *, store_url: str, folder: Path
) -> Iterator[tuple[str, Value]]:
    """Start twice on the filled bucket, each time with an empty disk; then once more, counted, and publish.

    Gives each figure as soon as it is there.
    """
    for what in ("without", "with"):
        with _started(command, corpus, bounds, store_url=store_url, folder=folder / what) as subject:
            seconds = measures.wait_until_complete(subject) - subject.server.started
        yield f"S3: start {what} snapshot", Value(seconds, "s")
    with (
        CountingProxy(store_url) as proxy,
        _started(command, corpus, bounds, store_url=proxy.url, folder=folder / "counted") as subject,
    ):
        measures.wait_until_complete(subject)
        yield from _requests_for_an_upload(subject, proxy).items()


@contextmanager
def _started(command: Command, corpus: Corpus, bounds: Bounds, *, store_url: str, folder: Path) -> Iterator[Subject]:
    """The server on the bucket, with an empty disk, for the time of a block."""
    environment = {
        "AWS_ENDPOINT_URL_S3": store_url,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_DEFAULT_REGION": _REGION,
    }
    folder.mkdir()
    port = servers.free_port()
    words = command.filled(port=port, storage=f"s3://{_BUCKET}", state=folder)
    with Server(words, port, folder / "log", folder, environment) as server:
        yield Subject(server, corpus, bounds, None, None)


def _requests_for_an_upload(subject: Subject, proxy: CountingProxy) -> Values:
    """What one upload asks of the store."""
    at_start = dict(proxy.counts)
    packages = [subject.corpus.package(subject.fresh()) for _ in range(_UPLOADS)]
    proxy.counts.clear()
    with load.connected(subject.server.url) as client:
        for package in packages:
            client.upload(package)
    counts = dict(proxy.counts)
    detail = {"uploads": _UPLOADS, "requests": counts, "requests of the start with snapshot": at_start}
    return {
        "S3: PUTs of a package for an upload": Value(counts.get("PUT package", 0) / _UPLOADS, "", detail=detail),
        "S3: listings for an upload": Value(counts.get("LIST", 0) / _UPLOADS, "", detail=detail),
        "S3: all requests for an upload": Value(sum(counts.values()) / _UPLOADS, "", detail=detail),
    }
