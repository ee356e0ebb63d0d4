"""How to reach an S3 storage, as plain values: whoever only reads settings needs no boto3 for it."""

from dataclasses import dataclass
from typing import Literal

AddressingStyle = Literal["auto", "path", "virtual"]
Encryption = Literal["AES256", "aws:kms"]


@dataclass(frozen=True, slots=True)
class S3Options:
    """What an S3 storage needs beside its bucket. Credentials are found by boto3's own chain.

    Attributes:
        endpoint: URL of the service; None for Amazon's own, or for what boto3's environment names.
        region: name of the region; None for what boto3's environment names, else `us-east-1`.
        profile: whose credentials to use, by its name in AWS's own files; None for what boto3's chain finds.
        addressing: whether the bucket stands in the path or in the host name. `auto` is the path where an endpoint is
            given.
        encryption: how the service shall encrypt what is written; None for what the bucket says.
        kms_key: id of the key for `aws:kms`; None for the account's own.
        connect_timeout: seconds until a connection must stand.
        read_timeout: seconds between two pieces of an answer.
        attempts: how often something that failed in passing is tried in all.
        pool_size: connections kept open; one for each thread is enough.
    """

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    addressing: AddressingStyle = "auto"
    encryption: Encryption | None = None
    kms_key: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    attempts: int = 3
    pool_size: int = 32
