"""S3 servers for the tests: moto, which only acts like one, and versitygw, which is one."""

import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import boto3
from botocore.config import Config

from tests.support import tools
from tests.support.processes import Process, ServerError, answers, free_port

VERSITYGW: Final = "v1.8.0"
_MOTO: Final = Path(__file__).with_name("moto_server.py")
REGION: Final = "us-east-1"
ACCESS_KEY: Final = "tests"
SECRET_KEY: Final = "tests-secret"

# What boto3 finds, in this process and in every child; and nothing of the person's own who runs the tests.
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class S3(NamedTuple):
    """An S3 server that runs.

    Attributes:
        endpoint_url: where it answers, in path style.
        new_bucket: makes an empty bucket and gives its name.
    """

    endpoint_url: str
    new_bucket: Callable[[], str]


def _at(endpoint_url: str) -> S3:
    def new_bucket() -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()
        return name

    return S3(endpoint_url, new_bucket)


@contextmanager
def running_moto(folder: Path) -> Iterator[S3]:
    """Run moto's server as a process of its own; `folder` takes its log."""
    server = Process([sys.executable, "-P", str(_MOTO)], log=folder / "moto.log")
    try:
        server.wait_until(lambda: "Running on" in server.printed, what="it told its address")
        address = re.search(r"Running on (http://127\.0\.0\.1:\d+)", server.printed)
        if address is None:
            raise ServerError(f"moto did not tell its address:\n{server.printed}")
        yield _at(address[1])
    finally:
        server.kill()


def versitygw() -> Path:
    """The gateway's binary: from PATH, else built from its Go module.

    Raises:
        UnobtainableError: neither is to be had here.
    """
    return tools.on_path("versitygw") or tools.cached(
        f"versitygw-{VERSITYGW}",
        lambda folder: tools.go_install(f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}", folder),
    )


class Gateway:
    """A versitygw over a folder. It can be stopped and started again at the same address, its objects kept.

    Attributes:
        s3: how to reach it.
    """

    def __init__(self, folder: Path) -> None:
        self._binary = versitygw()
        self._folder = folder
        self._objects = folder / "objects"
        self._objects.mkdir()
        self._port = free_port()
        self._process: Process | None = None
        self.s3 = _at(f"http://127.0.0.1:{self._port}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        where = ["--port", f"127.0.0.1:{self._port}", "--health", "/health", "--region", REGION, "--keep-alive"]
        self._process = Process(
            [self._binary, *where, "posix", self._objects],
            log=self._folder / "versitygw.log",
            environment={**os.environ, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
        )
        self._process.wait_until(lambda: answers(f"{self.s3.endpoint_url}/health"), what="it answered")

    def put_by_hand(self, bucket: str, key: str, data: bytes) -> None:
        """Put a file where it keeps its objects, without its knowing."""
        file = self._objects / bucket / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def stop(self) -> None:
        """Kill it. More than once is fine."""
        if self._process is not None:
            self._process.kill()
            self._process = None
