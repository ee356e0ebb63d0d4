"""Fresh buckets without a fresh client for each: making one takes longer than most tests."""

import functools
import os
import uuid
from typing import TYPE_CHECKING

from storage.options import S3Options
from storage.s3 import S3Storage, connect
from tests.support.s3server import CREDENTIALS, S3

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def fresh_bucket(server: S3) -> str:
    """Make an empty bucket and give its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client(server.endpoint_url).create_bucket(Bucket=name)
    return name


def at(server: S3, bucket: str, prefix: str = "") -> S3Storage:
    """A storage under a prefix."""
    return S3Storage(client(server.endpoint_url), bucket, prefix, S3Options(endpoint=server.endpoint_url))


def raw(server: S3, bucket: str) -> list[str]:
    """The keys of all that lies in a bucket, hidden or not."""
    page = client(server.endpoint_url).list_objects_v2(Bucket=bucket)
    return [content["Key"] for content in page.get("Contents", [])]


def uploads(server: S3, bucket: str) -> list[str]:
    """The keys of all multipart uploads in a bucket that are under way."""
    page = client(server.endpoint_url).list_multipart_uploads(Bucket=bucket)
    return [upload["Key"] for upload in page.get("Uploads", [])]


@functools.cache
def client(endpoint: str) -> "S3Client":
    """The client that all tests share. It is made when the first one asks, with the credentials of the fixtures."""
    assert os.environ["AWS_ACCESS_KEY_ID"] == CREDENTIALS["AWS_ACCESS_KEY_ID"]
    return connect(S3Options(endpoint=endpoint), "any")
