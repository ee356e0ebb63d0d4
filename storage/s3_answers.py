"""What an S3 service means by a status and a code: Amazon's codes, MinIO's, Ceph's, and what gateways make up."""

from dataclasses import dataclass
from typing import Final

from storage.base import Changed, InvalidKey, Misconfigured, NoSpace, NotFound, StorageError, Unavailable


class Unsupported(Misconfigured):
    """The service does not know something that was asked of it."""


class UploadGone(Unavailable):
    """The service does not know, or no longer, the multipart upload that it was asked about."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What went wrong.

    Attributes:
        kind: the error to raise.
        reason: the rest of its sentence: why, and what to do.
        status: of the answer; 0 where there was none.
        silent: whether there was no answer because nobody gave one.
        timed_out: whether that took the whole of a time-out.
        detail: boto3's own words, for those who run the server: they may name the endpoint, the bucket and the prefix.
    """

    kind: type[StorageError]
    reason: str
    status: int = 0
    silent: bool = False
    timed_out: bool = False
    detail: str = ""

    @property
    def passing(self) -> bool:
        """Whether it may well help to ask again."""
        return self.kind is Unavailable


Verdict = tuple[type[StorageError], str]

_AGAIN: Final[Verdict] = (Unavailable, "try again later")
_FULL: Final[Verdict] = (NoSpace, "make room, or raise the quota")
_RENEW: Final[Verdict] = (Misconfigured, "renew the credentials")
_RIGHTS: Final[Verdict] = (Misconfigured, "give these credentials the right to list, read, write and delete there")
_REGION: Final[Verdict] = (Misconfigured, "set the region in which the bucket is, or its endpoint")
_OTHER: Final[Verdict] = (Misconfigured, "look into the service's log")
_NO_S3: Final[Verdict] = (Misconfigured, "look whether the endpoint is that of an S3 service")

_BY_CODE: Final[dict[str, Verdict]] = {
    "AccessDenied": _RIGHTS,
    "AllAccessDisabled": _RIGHTS,
    "AuthorizationHeaderMalformed": _REGION,
    "BadDigest": _AGAIN,
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "IllegalLocationConstraintException": _REGION,
    "IncompleteBody": _AGAIN,
    "InsufficientStorage": _FULL,
    "InvalidAccessKeyId": (Misconfigured, "set an access key that the service knows"),
    "InvalidBucketName": (Misconfigured, "name a bucket that can exist"),
    "InvalidToken": _RENEW,
    "KMS.DisabledException": (Misconfigured, "enable the encryption key"),
    "KMS.NotFoundException": (Misconfigured, "name an encryption key that exists"),
    "KeyTooLongError": (InvalidKey, "use a shorter name"),
    "NoSuchBucket": (Misconfigured, "make the bucket, or name another"),
    "NoSuchUpload": (UploadGone, "send it again"),
    "NotImplemented": (Unsupported, "use another service"),
    "PermanentRedirect": _REGION,
    "QuotaExceeded": _FULL,
    "RequestTimeTooSkewed": (Misconfigured, "set this machine's clock"),
    "RequestTimeout": _AGAIN,
    "SignatureDoesNotMatch": (Misconfigured, "set the secret key that belongs to the access key"),
    "StorageFull": _FULL,
    "XAmzContentSHA256Mismatch": _AGAIN,
    "XAdminUserNotFound": (Misconfigured, "set an access key that the service knows"),
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
}
_BY_STATUS: Final[dict[int, Verdict]] = {
    301: _REGION,
    307: _REGION,
    401: _RIGHTS,
    403: _RIGHTS,
    404: (NotFound, "look whether endpoint and bucket are the right ones"),
    405: (Unsupported, "use another service"),
    408: _AGAIN,
    409: _AGAIN,
    412: (Changed, "it is another"),
    425: _AGAIN,
    429: _AGAIN,
    501: (Unsupported, "use another service"),
    507: _FULL,
}
_BY_CLASS: Final[dict[int, Verdict]] = {4: _OTHER, 5: _AGAIN}
_SHOWN: Final = 80


def of_answer(code: str, status: int) -> Meaning:
    """Say what an answer means that is not a success.

    `code` is the error code of its body, empty where it has none; boto3 gives the status as text for an answer to HEAD.
    """
    kind, remedy = _BY_CODE.get(code) or _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _NO_S3)
    named = f" {code[:_SHOWN]!r}" if code not in {"", str(status)} else ""
    return Meaning(kind, f"the service answered {status}{named}; {remedy}", status)
