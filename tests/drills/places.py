"""Where a drill's packages lie, seen past the server: what it is told, and what is really there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import boto3
from botocore.config import Config

from tests.support import s3server

Kind = Literal["local", "moto", "versitygw"]


class Place(Protocol):
    """A storage that a drill works on.

    Attributes:
        url: what `--storage` names.
        arguments: more that `chartrepo` has to be told.
        env: changes of its environment.
    """

    @property
    def url(self) -> str: ...

    @property
    def arguments(self) -> tuple[str, ...]: ...

    @property
    def env(self) -> Mapping[str, str]: ...

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """All that lies there but the server's own state, read by other means than the server's."""
        ...


class Folder:
    """A folder of this machine."""

    arguments: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder)
        self.env: dict[str, str] = {}

    def objects(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.folder.rglob("*")):
            key = path.relative_to(self.folder).as_posix()
            if path.is_file() and not key.startswith(".chartrepo/") and key != ".chartrepo-lock":
                yield key, path.read_bytes()


class Bucket:
    """A bucket of an S3 server, new and empty.

    Args:
        s3: the server.
        endpoint: where chartrepo shall reach it, where that is not its own address.
    """

    def __init__(self, s3: s3server.S3, endpoint: str = "") -> None:
        self._bucket = s3.new_bucket()
        self._endpoint = s3.endpoint_url
        self.url = f"s3://{self._bucket}"
        self.arguments: tuple[str, ...] = ("--s3-endpoint", endpoint or s3.endpoint_url)
        self.env = s3server.CREDENTIALS

    def objects(self) -> Iterator[tuple[str, bytes]]:
        client = boto3.client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=s3server.REGION,
            aws_access_key_id=s3server.ACCESS_KEY,
            aws_secret_access_key=s3server.SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
                for listed in page.get("Contents", []):
                    if not listed["Key"].startswith(".chartrepo/"):
                        with client.get_object(Bucket=self._bucket, Key=listed["Key"])["Body"] as body:
                            yield listed["Key"], body.read()
        finally:
            client.close()


@contextmanager
def s3_server(kind: Kind, folder: Path) -> Iterator[s3server.S3]:
    """Run an S3 server; `folder` takes its files."""
    if kind == "moto":
        with s3server.running_moto(folder) as moto:
            yield moto
        return
    gateway = s3server.Gateway(folder)
    gateway.start()
    try:
        yield gateway.s3
    finally:
        gateway.stop()


@contextmanager
def opened(kind: Kind, folder: Path) -> Iterator[Place]:
    """A new, empty storage; `folder` takes it, or the files of the server that keeps it."""
    if kind == "local":
        yield Folder(folder / "data")
        return
    with s3_server(kind, folder) as s3:
        yield Bucket(s3)
