"""Objects that are sent to an S3 service, or copied there, in parts: for what is too long for one request.

S3 takes 10,000 parts of at most 5 GiB, and all but the last have to be of 5 MiB at least.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypedDict, TypeVar, Unpack, cast

from storage.base import Readable, StorageError
from storage.options import Encryption

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

_MIB: Final = 1 << 20
_CHUNK: Final = _MIB

SENT_AT_ONCE: Final = 16 * _MIB
"""Streams up to this many bytes are one PUT."""

COPIED_AT_ONCE: Final = 512 * _MIB
"""Objects up to this many bytes are copied by one request, and longer ones in parts of this size: a service that copies
byte by byte answers that in time, at 50 MiB/s at least. AWS would take 5 GiB."""

_MOST_PARTS: Final = 10_000

# A part of a stream has to be in memory, or it could not be sent again, and nobody knows how many are to come. So the
# parts are small while there are few, and grow in time for the 5 TiB that an object can have: 64 MiB are enough for
# 265 GiB, 256 MiB for 1 TiB.
_STEPS: Final = ((1000, SENT_AT_ONCE), (4000, 64 * _MIB), (3000, 256 * _MIB), (2000, 2112 * _MIB))
_ENDS: Final = tuple(accumulate(count for count, _ in _STEPS))

T = TypeVar("T")


class Ask(Protocol):
    """Asks the service, again where that may help; what fails for good is a `StorageError`."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """Call it and return what it returns."""
        ...


class Properties(TypedDict, total=False):
    """What an object is beside its bytes, in boto3's terms."""

    Metadata: dict[str, str]
    ContentType: str
    ServerSideEncryption: Encryption
    SSEKMSKeyId: str


class Conditions(TypedDict, total=False):
    """On what is under the key, in boto3's terms."""

    IfNoneMatch: str
    IfMatch: str


def part_size(number: int) -> int:
    """How long the part of this number is in an upload of unknown length; numbers begin with 1."""
    return next((size for end, (_, size) in zip(_ENDS, _STEPS, strict=True) if number <= end), _STEPS[-1][1])


def copied_part_size(size: int) -> int:
    """How long each part is of an object of `size` bytes that the service copies by itself."""
    return max(COPIED_AT_ONCE, -(-size // _MOST_PARTS))


class Pieces:
    """What a stream gives, in pieces as long as the caller wants them. One piece is in memory at a time.

    Errors of the stream pass as they are.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._ahead = bytearray()

    def fit(self, size: int) -> bool:
        """Whether no more than `size` bytes are left."""
        while len(self._ahead) <= size:
            data = self._source.read(min(_CHUNK, size + 1 - len(self._ahead)))
            if not data:
                return True
            self._ahead += data
        return False

    def take(self, size: int) -> bytearray:
        """The next `size` bytes; fewer where the stream ends before."""
        self.fit(size)
        piece, self._ahead = self._ahead, self._ahead[size:]
        del piece[size:]
        return piece

    @property
    def left(self) -> bool:
        """Whether there is more, as far as was looked: one byte beyond what was taken."""
        return bool(self._ahead)


class Upload:
    """A multipart upload. It is aborted where its `with` ends in an error.

    Attributes:
        size: bytes that the service has so far.
    """

    def __init__(self, client: "S3Client", ask: Ask, bucket: str, key: str, properties: Properties) -> None:
        """Begin it, for an object under `key`, of which nobody knows yet.

        Raises:
            StorageError: the service does not let us; so do the others raise it.
        """
        self.size = 0
        self._client = client
        self._ask = ask
        self._bucket, self._key = bucket, key
        self._parts: list[CompletedPartTypeDef] = []
        self._id = ask(lambda: client.create_multipart_upload(Bucket=bucket, Key=key, **properties))["UploadId"]

    @property
    def next_number(self) -> int:
        """The number of the next part."""
        return len(self._parts) + 1

    def send(self, data: bytearray) -> None:
        """Add a part."""
        answer = self._ask(
            lambda: self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=self.next_number,
                Body=cast("bytes", data),  # boto3 takes both, and no copy is made
            )
        )
        self._add(answer["ETag"], len(data))

    def copy(self, source: "CopySourceTypeDef", tag: str, length: int) -> None:
        """Add a part that is the next `length` bytes of another object, while that has this ETag."""
        last = self.size + length - 1
        answer = self._ask(
            lambda: self._client.upload_part_copy(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=self.next_number,
                CopySource=source,
                CopySourceIfMatch=tag,
                CopySourceRange=f"bytes={self.size}-{last}",
            )
        )
        self._add(answer["CopyPartResult"]["ETag"], length)

    def complete(self, **conditions: Unpack[Conditions]) -> str:
        """Make an object of it, and return its ETag. It is asked for once, and errors are those of boto3."""
        return self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._id,
            MultipartUpload={"Parts": self._parts},
            **conditions,
        )["ETag"]

    def _add(self, tag: str, length: int) -> None:
        self._parts.append({"PartNumber": self.next_number, "ETag": tag})
        self.size += length

    def _abort(self) -> None:
        self._ask(lambda: self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._id))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is not None:
            # What cannot be aborted now is a leftover, and has nothing to say beside the first error.
            with suppress(StorageError):
                self._abort()
