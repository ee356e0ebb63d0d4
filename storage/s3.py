"""Objects in a bucket of an S3 service. The only module that imports boto3, which costs 30 MB and 0.3 s.

boto3 repeats nothing here. It would also repeat a DELETE whose answer got lost, and so remove what somebody else put
there meanwhile; and of a PUT that it repeated, it would report the second answer: 412, because the first had worked.
"""

import io
import logging
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Self, TypedDict, TypeVar, cast
from urllib.parse import quote, urlsplit

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp
from urllib3.exceptions import HTTPError, NameResolutionError

from storage import copying, keys, s3_answers
from storage.base import (
    ABSENT,
    ANYWAY,
    UNTOLD,
    Abilities,
    AlreadyExists,
    Changed,
    Condition,
    InvalidKey,
    Matching,
    Misconfigured,
    NoSpace,
    NotFound,
    ObjectInfo,
    Readable,
    State,
    Storage,
    StorageError,
    Unavailable,
    as_published,
)
from storage.circuit import Circuit
from storage.options import AddressingStyle, S3Options
from storage.s3_answers import Meaning, Unsupported, UploadGone
from storage.s3_multipart import (
    COPIED_AT_ONCE,
    SENT_AT_ONCE,
    Ask,
    Conditions,
    Pieces,
    Properties,
    Upload,
    copied_part_size,
    part_size,
)

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import (
        CopySourceTypeDef,
        DeleteObjectRequestTypeDef,
        GetObjectOutputTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectOutputTypeDef,
        ListMultipartUploadsRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        MultipartUploadTypeDef,
        ObjectTypeDef,
    )

_LOG: Final = logging.getLogger(__name__)

_PUBLISHED: Final = "chartrepo-published"
_WRITE: Final = "chartrepo-write"
_PROBE: Final = f"{keys.RESERVED}-probe-"
_DEAD_AFTER: Final = 3600
"""Seconds after which a probe has no server any more that waits for it."""

_ABANDONED_AFTER: Final = 86_400
"""Seconds that a multipart upload may take from its first part to its last."""

_SMALL: Final = 1 << 20
"""Bodies up to this many bytes are sent at once. boto3 lets the service agree to a longer one first."""

_ONE_PUT: Final = 64 << 20
"""Files up to this many bytes are one PUT, as every package is. They can be sent again without being in memory, so that
it is more than for a stream; AWS would take 5 GiB."""

_PUT_TOGETHER: Final = 64 << 20
"""Bytes that a service puts together from parts, or copies, in a second at the least. versitygw does both byte by byte,
130 to 280 MiB/s on one disk, and answers when it is done."""

_LOOKS: Final = 2.0
"""Seconds between two looks for what the service is putting together."""

_NO_STATE: Final = State("0" * 32)
"""A state in which no object is."""

_MEDIA_TYPES: Final = {
    ".prov": "application/pgp-signature",
    ".tgz": "application/gzip",
    ".yaml": "application/x-yaml",
}
"""What an object is by the end of its key, for those to whom the bucket itself gives it."""

_SECONDS: Final = re.compile(r"-?[0-9]{1,12}")
_SHOWN: Final = 300
_FIRST_PAUSE: Final = 0.1
_WRITES_TIMED_OUT: Final = 2
"""After so many time-outs a write is given up. A read is given up after one: whoever waits for it holds a thread."""

_MISSING: Final = 404
_CONFLICT: Final = 409
_PRECONDITION_FAILED: Final = 412
_RANGE_NOT_SATISFIABLE: Final = 416

_NO_CREDENTIALS: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.ProfileNotFound,
)

T = TypeVar("T")


def connect(options: S3Options, bucket: str) -> "S3Client":
    """Make a client for an `S3Storage` of a bucket. Threads may share it; processes may not. Nothing is sent yet.

    Raises:
        Misconfigured: the options contradict themselves, or boto3's own configuration is broken.
    """
    style = options.addressing
    if style == "auto" and options.endpoint is None:
        # Left to itself, boto3 signs addresses at Amazon's global endpoint, which redirects to where the signature does
        # not hold. A certificate does not cover a dot in a bucket's name.
        style = "path" if "." in bucket else "virtual"
    try:
        client = _client(options, style)
        if style != options.addressing and not _is_amazon(client):
            client.close()
            client = _client(options, options.addressing)
    except (aws.BotoCoreError, ValueError) as error:
        raise Misconfigured(f"cannot talk to S3: {_sentence(error)}") from None
    return client


def _client(options: S3Options, style: AddressingStyle) -> "S3Client":
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    session = boto3.session.Session(profile_name=options.profile, botocore_session=core)
    return session.client(
        "s3",
        endpoint_url=options.endpoint,
        region_name=options.region or session.region_name or "us-east-1",
        config=Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": style},
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            max_pool_connections=options.pool_size,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
        ),
    )


def _moment(text: str) -> datetime:
    """Read a time in an answer. The usual form is read quickly: else half of a listing's time goes to its times."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parse_timestamp(text)


def _is_amazon(client: "S3Client") -> bool:
    """Whether requests go to Amazon, and not to an endpoint that boto3 found in its own configuration."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def new_circuit() -> Circuit:
    """Make what the storages of one client share, so that a service that is silent keeps few threads waiting."""
    return Circuit("the S3 service")


class S3Reader:
    """A `storage.base.Reader` of an answer that is still under way."""

    def __init__(self, info: ObjectInfo, body: "StreamingBody | None", left: int) -> None:
        """Give `left` bytes out of `body`, which is None where there are none."""
        self.info = info
        self._body = body
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        """See `storage.base.Reader`."""
        wanted = self._left if size < 0 else min(size, self._left)
        if self._body is None or not wanted:
            return b""
        try:
            data = self._body.read(wanted)
        except (aws.BotoCoreError, HTTPError, OSError) as error:
            raise self._broken(type(error).__name__) from None
        if not data or (size < 0 and len(data) < wanted):
            raise self._broken(f"{wanted} bytes are missing")
        self._left -= len(data)
        return data

    def close(self) -> None:
        """See `storage.base.Reader`. An object that was not read to its end costs the connection."""
        if self._body is not None:
            self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _broken(self, why: str) -> Unavailable:
        return Unavailable(f"the connection broke while {keys.shown(self.info.key)} was being read: {why}; try again")


class S3Storage:
    """A `storage.base.Storage` under a prefix in a bucket.

    Each write is one PUT with a condition, and carries a random id. Where its answer is lost, or says that the key is
    taken, the object's id tells whether it was this write that took it.

    A stream of more than 16 MiB, and a file of more than 64 MiB, is a multipart upload, of which nobody sees anything
    until the service is told to make an object of it. That request bears the condition. Not every service honours it
    there, so that the driver looks just before. Where it is not honoured, the last one wins of writers of one key that
    finish in the same moment.

    A conditional DELETE is honoured by few services yet, and of those some compare first and delete then (versitygw
    does). There a replacement in the moment between is lost with what it replaced: whoever deletes and replaces at once
    needs a lock of its own. Creating and replacing are decided by the service wherever `check` says so.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        prefix: str,
        options: S3Options,
        *,
        conditional_writes: bool = True,
        circuit: Circuit | None = None,
    ) -> None:
        """Keep objects under `prefix`, which is empty or ends with a slash. Nothing is asked yet.

        `conditional_writes` is what `check` found out, in whatever process; it finds out again when it is called.
        `circuit` is what storages of one client share; without it this one has its own.
        """
        self._client = client
        self._circuit = circuit or new_circuit()
        self._bucket = bucket
        self._prefix = prefix
        self._options = options
        self._conditional = conditional_writes
        self._conditional_delete = True
        self._reported: set[str] = set()

    def check(self, *, writable: bool = True) -> Abilities:
        """See `storage.base.Storage`. Writes an object of a random name, and removes it."""
        where = f"bucket {self._bucket}"
        if self._prefix:
            where += f", prefix {self._prefix}"
        if self._options.endpoint:
            where += f", at {urlsplit(self._options.endpoint).netloc.rpartition('@')[2]}"
        try:
            self._repeat(lambda: self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1))
        except _FailedError as failed:
            raise failed.at_start(where) from None
        if writable:
            self._probe()
        return Abilities(where, conditional_writes=writable and self._conditional)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,  # noqa: ARG002 - the contract's arguments
    ) -> ObjectInfo:
        """See `storage.base.Storage`. A bucket keeps whatever it took."""
        keys.check(key)
        published = int(time.time()) if published is None else as_published(published)
        body = _body(source)
        if isinstance(body, Pieces):
            return self._put_in_parts(key, body, condition, published)
        with self._circuit.call(f"write {keys.shown(key)}"):
            return self._put(key, body, condition, published)

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        """See `storage.base.Storage`.

        Few services honour a condition on a copy (AWS does, versitygw does not), so that the driver looks before as
        well. Where it is not honoured, a copy overwrites what somebody else put there in the same moment.
        """
        keys.check(key)
        place = self if origin is None else origin
        if isinstance(place, S3Storage):
            with suppress(Unsupported):
                return self._copy(key, place.stat(source), place.address(source))
        return copying.through_this_process(self, key, source, place)

    def address(self, key: str) -> "CopySourceTypeDef":
        """Where an object is, for whoever copies it."""
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> S3Reader:
        """See `storage.base.Storage`."""
        keys.check(key)
        with self._circuit.call(f"read {keys.shown(key)}"):
            return self._open(key, state, start, length)

    def stat(self, key: str) -> ObjectInfo:
        """See `storage.base.Storage`."""
        keys.check(key)
        with self._circuit.call(f"look at {keys.shown(key)}"):
            return self._look(key).info

    def delete(self, key: str, *, state: State | None = None) -> None:
        """See `storage.base.Storage`. After a lost answer, DELETE is repeated only over the very object it was for."""
        keys.check(key)
        with self._circuit.call(f"delete {keys.shown(key)}"):
            seen = self._look(key)
            if state is not None and seen.info.state != state:
                raise _changed(key)
            self._delete(key, state, seen)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `storage.base.Storage`. Objects that no key can name are left out with a warning."""
        keys.check_prefix(prefix)
        for content in self._contents(self._prefix + prefix):
            key = content["Key"].removeprefix(self._prefix)
            if keys.is_sound(key):
                yield ObjectInfo(key, content["Size"], _state(content.get("ETag", "")), None)
            elif key and not key.endswith("/") and f"/{keys.RESERVED}" not in f"/{key}" and key not in self._reported:
                self._reported.add(key)
                _LOG.warning("%s is left out: no key of ours can name it", keys.shown(key))

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        """See `storage.base.Storage`."""
        keys.check(key)
        try:
            return self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": self._prefix + key,
                    "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
                },
                ExpiresIn=expires,
            )
        except aws.BotoCoreError as error:
            raise _FailedError(_meaning(error)).to("sign an address for", keys.shown(key)) from None

    def remove_leftovers(self) -> int:
        """See `storage.base.Storage`.

        A PUT leaves nothing behind. These are probes of servers that died in `check`, and multipart uploads that began
        more than a day ago, whoever began them: what lies under the prefix is this storage's.
        """
        return self._remove_probes() + self._abort_uploads()

    # Writing

    def _remove_probes(self) -> int:
        removed = 0
        for content in self._contents(self._prefix + _PROBE):
            if content["LastModified"].timestamp() < time.time() - _DEAD_AFTER:
                key = content["Key"].removeprefix(self._prefix)
                with self._circuit.call(f"delete {keys.shown(key)}"):
                    try:
                        self._delete_once(key, None)
                    except _FailedError as failed:
                        raise failed.to("delete", keys.shown(key), Unavailable) from None
                removed += 1
        return removed

    def _abort_uploads(self) -> int:
        aborted = 0
        for upload in self._uploads():
            key = upload["Key"].removeprefix(self._prefix)
            # In a bucket without a prefix the server's own state lies under it as well, and sees to its own uploads.
            if keys.is_sound(key) and upload["Initiated"].timestamp() < time.time() - _ABANDONED_AFTER:
                aborted += self._abort(key, upload["UploadId"])
        return aborted

    def _abort(self, key: str, upload: str) -> bool:
        """Abort a multipart upload, and tell whether it was still there."""
        name = self._prefix + key
        with self._circuit.call(f"delete {keys.shown(key)}"):
            try:
                self._repeat(
                    lambda: self._client.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)
                )
            except _FailedError as failed:
                if failed.meaning.kind is UploadGone:
                    return False
                raise failed.to("delete", keys.shown(key), Unavailable) from None
        return True

    def _put(self, key: str, body: "_Body", condition: Condition, published: int) -> ObjectInfo:
        write = _Write(key, condition, secrets.token_hex(16), _size(body), published)
        properties, conditions = self._properties(write), self._conditions(condition)
        if not self._conditional or condition == Matching(UNTOLD):
            self._compare(key, condition)

        def put() -> str:
            sent = _from_its_start(body)
            try:
                return self._ask(
                    lambda: self._client.put_object(
                        Bucket=self._bucket, Key=self._prefix + key, Body=sent, **properties, **conditions
                    )
                )["ETag"]
            except _FailedError:
                if isinstance(body, _Section) and body.failed is not None:
                    raise body.failed from None
                raise

        return self._write(write, put)

    def _put_in_parts(self, key: str, pieces: Pieces, condition: Condition, published: int) -> ObjectInfo:
        write = _Write(key, condition, secrets.token_hex(16), 0, published)
        with self._upload(write) as upload:
            while pieces.left:
                upload.send(pieces.take(part_size(upload.next_number)))
            return self._complete(write._replace(size=upload.size, patience=upload.size / _PUT_TOGETHER), upload)

    def _copy(self, key: str, found: ObjectInfo, source: "CopySourceTypeDef") -> ObjectInfo:
        """Let the service copy what was `found` at `source`.

        Raises:
            Unsupported: it does not do that.
            StorageError: as `copy` does.
        """
        patience = found.size / _PUT_TOGETHER
        write = _Write(key, ABSENT, secrets.token_hex(16), found.size, found.published or 0, patience)
        with self._circuit.call(f"write {keys.shown(key)}"):
            self._compare(key, ABSENT)
            if found.size <= COPIED_AT_ONCE or found.state == UNTOLD:
                return self._copy_at_once(write, found, source)
        part = copied_part_size(found.size)
        with self._upload(write) as upload:
            while upload.size < found.size:
                upload.copy(source, _tag(found.state), min(part, found.size - upload.size))
            return self._complete(write, upload)

    def _copy_at_once(self, write: "_Write", found: ObjectInfo, source: "CopySourceTypeDef") -> ObjectInfo:
        same: _Same = {} if found.state == UNTOLD else {"CopySourceIfMatch": _tag(found.state)}

        def ask(conditions: Conditions) -> str:
            return self._client.copy_object(
                Bucket=self._bucket,
                Key=self._prefix + write.key,
                CopySource=source,
                MetadataDirective="REPLACE",
                **self._properties(write),
                **conditions,
                **same,
            )["CopyObjectResult"]["ETag"]

        def copy() -> str:
            try:
                return self._where_known(write.condition, ask)
            except _FailedError as failed:
                if failed.meaning.kind is NotFound:
                    raise NotFound(f"there is no {keys.shown(found.key)}") from None
                raise

        try:
            return self._write(write, copy)
        except AlreadyExists:
            if self._look_for(write.key) is None:
                raise Unavailable(f"{keys.shown(found.key)} was replaced while it was copied; try again") from None
            raise

    def _upload(self, write: "_Write") -> Upload:
        """Begin a multipart upload. The service is not asked while the caller looks for what to send."""

        def ask(call: Callable[[], T]) -> T:
            with self._circuit.call(f"write {keys.shown(write.key)}"):
                try:
                    return self._repeat(call, patience=_WRITES_TIMED_OUT)
                except _FailedError as failed:
                    raise failed.to("write", keys.shown(write.key), Unavailable) from None

        upload: Ask = ask
        return Upload(self._client, upload, self._bucket, self._prefix + write.key, self._properties(write))

    def _complete(self, write: "_Write", upload: Upload) -> ObjectInfo:
        def complete() -> str:
            return self._where_known(write.condition, lambda conditions: upload.complete(**conditions))

        with self._circuit.call(f"write {keys.shown(write.key)}"):
            if write.condition is not ANYWAY:
                self._compare(write.key, write.condition)
            return self._write(write, complete)

    def _where_known(self, condition: Condition, call: Callable[[Conditions], T]) -> T:
        """Ask with a condition; without it where the service knows it for a PUT alone. The caller has looked."""
        conditions = self._conditions(condition)
        try:
            return self._ask(lambda: call(conditions))
        except _FailedError as failed:
            if failed.meaning.kind is not Unsupported or not conditions:
                raise
        return self._ask(lambda: call({}))

    def _write(self, write: "_Write", send: Callable[[], str]) -> ObjectInfo:
        """Let `send` write an object and return its ETag, again where that may help.

        Raises:
            StorageError: as `put` does.
        """
        key, condition = write.key, write.condition
        doubtful = False  # whether it may have worked without our hearing of it
        timed_out = 0
        failed: _FailedError
        for _ in self._attempts():
            try:
                return ObjectInfo(key, write.size, _state(send()), write.published)
            except _FailedError as error:
                failed = error
            if failed.meaning.kind is UploadGone:
                break
            if failed.meaning.passing and failed.meaning.status != _CONFLICT:
                doubtful = True
                timed_out += failed.meaning.timed_out
                if failed.meaning.timed_out and self._appears(write):
                    break
                if timed_out == _WRITES_TIMED_OUT:
                    break
            elif (info := self._settle(failed, write, doubtful=doubtful)) is not None:
                return info
        seen = self._look_for(key)
        if seen is not None and seen.write == write.id:
            return seen.info
        if seen is not None and condition is ABSENT and not doubtful:
            raise _lost(key, condition)
        raise failed.to("write", keys.shown(key))

    def _appears(self, write: "_Write") -> bool:
        """Wait for an object that the service may still be making, and tell whether it is there."""
        until = time.monotonic() + write.patience
        while time.monotonic() < until:
            time.sleep(min(_LOOKS, write.patience))
            seen = self._look_for(write.key)
            if seen is not None and seen.write == write.id:
                return True
        return False

    def _settle(self, failed: "_FailedError", write: "_Write", *, doubtful: bool) -> ObjectInfo | None:
        """Say what an answer to a write means that tells of another write.

        Returns:
            The object, where the other write is an earlier attempt of our own; None where the two came at once, and it
            is worth another try.
        """
        key, condition = write.key, write.condition
        refused = failed.meaning.status == _PRECONDITION_FAILED or (
            failed.meaning.status == _MISSING and isinstance(condition, Matching)
        )
        if not refused and failed.meaning.status != _CONFLICT:
            raise failed.to("write", keys.shown(key), Unavailable)
        seen = self._look_for(key)
        if seen is not None and seen.write == write.id:
            return seen.info
        if refused and seen is None and doubtful:
            raise Unavailable(f"the answer to writing {keys.shown(key)} got lost, and nothing is there now; try again")
        if refused:
            raise _lost(key, condition)
        return None

    def _properties(self, write: "_Write") -> Properties:
        """What an object is to be beside its bytes."""
        properties: Properties = {"Metadata": {_PUBLISHED: str(write.published), _WRITE: write.id}}
        media_type = _MEDIA_TYPES.get(PurePosixPath(write.key).suffix)
        if media_type is not None:
            properties["ContentType"] = media_type
        if self._options.encryption is not None:
            properties["ServerSideEncryption"] = self._options.encryption
        if self._options.kms_key is not None:
            properties["SSEKMSKeyId"] = self._options.kms_key
        return properties

    def _conditions(self, condition: Condition) -> Conditions:
        """A condition as S3 wants it; none where the service does not honour it."""
        if self._conditional and condition is ABSENT:
            return {"IfNoneMatch": "*"}
        if self._conditional and isinstance(condition, Matching):
            return {"IfMatch": _tag(condition.state)}
        return {}

    def _compare(self, key: str, condition: Condition) -> None:
        """Look whether a condition holds, for a service that would not. Callers keep each other out meanwhile."""
        seen = self._look_for(key)
        if (condition is ABSENT and seen is not None) or (
            isinstance(condition, Matching) and (seen is None or seen.info.state != condition.state)
        ):
            raise _lost(key, condition)

    def _delete(self, key: str, state: State | None, seen: "_Seen") -> None:
        doubtful = False
        failed: _FailedError
        for _ in self._attempts():
            try:
                return self._delete_once(key, state)
            except _FailedError as error:
                failed = error
            if failed.meaning.status == _PRECONDITION_FAILED:
                raise _changed(key)
            if failed.meaning.kind is Unsupported and state is not None and self._conditional_delete:
                self._conditional_delete = False
                continue
            if not failed.meaning.passing and not (doubtful and failed.meaning.status == _MISSING):
                raise failed.to("delete", keys.shown(key)) from None
            doubtful = True
            now = self._look_for(key)
            if now is None:
                return None
            if now != seen:
                break
        raise failed.to("delete", keys.shown(key), Unavailable)

    def _delete_once(self, key: str, state: State | None) -> None:
        request: DeleteObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._prefix + key}
        if state is not None and self._conditional_delete:
            request["IfMatch"] = _tag(state)
        self._ask(lambda: self._client.delete_object(**request))

    def _probe(self) -> None:
        """Find out what the service does with conditions.

        Raises:
            Misconfigured: it cannot be written to, or loses what has to be kept with an object.
        """
        key = f"{_PROBE}{secrets.token_hex(8)}"
        published = 1_000_000_000
        try:
            self._conditional = self._conditional_delete = True
            self._conditional = self._probe_put(key, published)
            seen = self._look(key)
            if seen.info.published != published or not seen.write:
                raise Misconfigured(
                    f"bucket {self._bucket} does not keep metadata with its objects, where their time of publication "
                    "belongs: use another service"
                )
            try:
                self._delete_once(key, _NO_STATE)
                self._conditional_delete = False
            except _FailedError as failed:
                self._conditional_delete = failed.meaning.status == _PRECONDITION_FAILED
        finally:
            with suppress(_FailedError):
                self._delete_once(key, None)

    def _probe_put(self, key: str, published: int) -> bool:
        """Write the probe, and tell whether conditions on writes are honoured."""
        try:
            state = self._put(key, b"1", ABSENT, published).state
            for condition in (ABSENT, Matching(_NO_STATE)):
                with suppress(AlreadyExists, Changed):
                    self._put(key, b"2", condition, published)
                    return False
            self._put(key, b"3", Matching(state), published)
        except (Unsupported, Changed):
            self._put(key, b"4", ANYWAY, published)
            return False
        return True

    # Looking

    def _open(self, key: str, state: State | None, start: int, length: int | None) -> S3Reader:
        if length == 0:
            return self._open_nothing(key, state)
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._prefix + key}
        if state is not None:
            request["IfMatch"] = _tag(state)
        if start or length is not None:
            request["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        try:
            answer = self._repeat(lambda: self._client.get_object(**request))
        except _FailedError as failed:
            if failed.meaning.status == _PRECONDITION_FAILED:
                raise _changed(key) from None
            if failed.meaning.status == _RANGE_NOT_SATISFIABLE:
                return self._open_nothing(key, state)
            raise failed.to("read", keys.shown(key)) from None
        # An answer to a range says "bytes 0-9/100".
        total = answer.get("ContentRange", "").rpartition("/")[2]
        size = int(total) if total.isdecimal() else answer["ContentLength"]
        if "Range" in request and not total:
            answer["Body"].close()
            raise Misconfigured(f"cannot read a part of {keys.shown(key)}: the service does not know ranges")
        return S3Reader(_info(key, answer, size), answer["Body"], answer["ContentLength"])

    def _look(self, key: str) -> "_Seen":
        try:
            answer = self._repeat(lambda: self._client.head_object(Bucket=self._bucket, Key=self._prefix + key))
        except _FailedError as failed:
            raise failed.to("look at", keys.shown(key)) from None
        info = _info(key, answer, answer["ContentLength"])
        return _Seen(info, _metadata(answer).get(_WRITE), answer["LastModified"])

    def _look_for(self, key: str) -> "_Seen | None":
        try:
            return self._look(key)
        except NotFound:
            return None

    def _uploads(self) -> "Iterator[MultipartUploadTypeDef]":
        """All multipart uploads under the prefix that are under way; none where the service does not tell."""
        request: ListMultipartUploadsRequestTypeDef = {"Bucket": self._bucket, "Prefix": self._prefix}
        while True:
            with self._circuit.call("list the uploads in the bucket"):
                try:
                    page = self._repeat(lambda: self._client.list_multipart_uploads(**request))
                except _FailedError as failed:
                    if failed.meaning.kind is Unsupported:
                        return
                    raise failed.to("list", "the uploads in the bucket", Unavailable) from None
            yield from page.get("Uploads", [])
            # The next page begins after a key and not, as S3 offers, after an upload: versitygw refuses its own ids. Of
            # several uploads of one key, those beyond a page are left to the next clean-up.
            after = page.get("NextKeyMarker")
            if not page.get("IsTruncated") or not after or after == request.get("KeyMarker"):
                return
            request["KeyMarker"] = after

    def _open_nothing(self, key: str, state: State | None) -> S3Reader:
        """Open a part of an object that has no bytes."""
        info = self._look(key).info
        if state is not None and info.state != state:
            raise _changed(key)
        return S3Reader(info, None, 0)

    def _contents(self, prefix: str) -> "Iterator[ObjectTypeDef]":
        request: ListObjectsV2RequestTypeDef = {"Bucket": self._bucket, "Prefix": prefix}
        while True:
            with self._circuit.call("list the bucket"):
                try:
                    page = self._repeat(lambda: self._client.list_objects_v2(**request))
                except _FailedError as failed:
                    raise failed.to("list", "the bucket", Unavailable) from None
            yield from page.get("Contents", [])
            if not page["IsTruncated"]:
                return
            token = page.get("NextContinuationToken")
            if not token or token == request.get("ContinuationToken"):
                raise Unavailable("cannot list the bucket: the service does not say how to go on")
            request["ContinuationToken"] = token

    # Asking

    def _attempts(self) -> Iterator[None]:
        """Give as many turns as there are attempts, with longer and longer pauses between them."""
        for number in range(self._options.attempts):
            if number:
                time.sleep(_FIRST_PAUSE * 4 ** (number - 1) * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            yield

    def _repeat(self, call: Callable[[], T], *, patience: int = 1) -> T:
        """Ask for something that may be done twice, again where that may help, up to `patience` time-outs."""
        timed_out = 0
        failed: _FailedError
        for _ in self._attempts():
            try:
                return self._ask(call)
            except _FailedError as error:
                failed = error
                timed_out += failed.meaning.timed_out
                if not failed.meaning.passing or timed_out == patience:
                    break
        raise failed

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except (aws.ClientError, aws.BotoCoreError, ResponseParserError, HTTPError) as error:
            meaning = _meaning(error)
            if meaning.status:
                self._circuit.answered()
            raise _FailedError(meaning) from None
        self._circuit.answered()
        return answer


class _FailedError(Exception):
    """A call that failed. It does not leave this module."""

    def __init__(self, meaning: Meaning) -> None:
        super().__init__(meaning.reason)
        self.meaning = meaning

    def to(self, action: str, name: str, instead: type[StorageError] | None = None) -> StorageError:
        """The error for the caller; of the kind `instead`, where the answer cannot mean what it seems to.

        Callers show its sentence to clients, so what only those may know who run the server goes to the log.
        """
        kind = self._kind(instead)
        if kind is NotFound:
            return NotFound(f"there is no {name}")
        if self.meaning.detail:
            _LOG.warning("cannot %s %s: %s", action, name, self.meaning.detail)
        error = kind(f"cannot {action} {name}: {self.meaning.reason}")
        if isinstance(error, Unavailable):
            error.silent = self.meaning.silent
        return error

    def at_start(self, where: str) -> StorageError:
        """The error for whoever starts a server, who is told all."""
        detail = self.meaning.detail
        if self.meaning.silent:
            reason = f"{detail}; see that the service runs, and that s3_endpoint is its address"
        else:
            reason = self.meaning.reason + (f" ({detail})" if detail else "")
        return self._kind(Misconfigured)(f"cannot use {where}: {reason}")

    def _kind(self, instead: type[StorageError] | None) -> type[StorageError]:
        kind = self.meaning.kind
        if instead is None or issubclass(kind, Unavailable | NoSpace | InvalidKey):
            return kind
        return instead


class _Seen(NamedTuple):
    """An object as a HEAD shows it; equal only to what no other write has touched.

    Attributes:
        info: what everybody may know of it.
        write: the id of the write that put it there; None where other hands did.
        modified: when, by the service's clock.
    """

    info: ObjectInfo
    write: str | None
    modified: datetime


class _Write(NamedTuple):
    """What is to be written.

    Attributes:
        key: where.
        condition: what has to be there.
        id: a random one, by which the object is recognised.
        size: in bytes.
        published: when, in seconds since the epoch.
        patience: seconds that the service may be at it after it was asked, beyond the time-out.
    """

    key: str
    condition: Condition
    id: str
    size: int
    published: int
    patience: float = 0.0


class _Same(TypedDict, total=False):
    """On the source of a copy, in boto3's terms."""

    CopySourceIfMatch: str


class _Section(io.RawIOBase):
    """The rest of a file, as a file that begins where the other one stands: boto3 rewinds to 0 wherever it began.

    Attributes:
        size: in bytes.
        failed: what reading the file failed with, which boto3 would take for a broken connection.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.failed: BaseException | None = None
        self._file = file
        self._start = file.tell()
        self.size = file.seek(0, io.SEEK_END) - self._start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)
        except BaseException as error:
            self.failed = error
            raise

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset + self._start if whence == io.SEEK_SET else offset, whence) - self._start


_Body = bytes | bytearray | _Section
"""What one PUT sends."""


def _body(source: bytes | Readable) -> _Body | Pieces:
    """What to send: in one PUT, or in parts."""
    if isinstance(source, bytes):
        if len(source) <= _ONE_PUT:
            return source
        source = io.BytesIO(source)
    file = _as_file(source)
    if file is not None:
        section = _Section(file)
        section.seek(0)
        if section.size <= _ONE_PUT:
            return section.read() if section.size <= _SMALL else section
    pieces = Pieces(source)
    return pieces.take(SENT_AT_ONCE) if pieces.fit(SENT_AT_ONCE) else pieces


def _as_file(source: Readable) -> BinaryIO | None:
    """The source, where it can be read again."""
    seekable = getattr(source, "seekable", None)
    return cast("BinaryIO", source) if seekable is not None and seekable() else None


def _size(body: _Body) -> int:
    return body.size if isinstance(body, _Section) else len(body)


def _from_its_start(body: _Body) -> "bytes | BinaryIO":
    if isinstance(body, _Section):
        body.seek(0)
        return cast("BinaryIO", body)
    return cast("bytes", body)  # boto3 takes both


def _state(tag: str) -> State:
    """The state that an ETag names. Some services forget the quotes in listings, and proxies weaken it.

    versitygw has none for a file that was not written through it: none at all in an answer, an empty one in a listing.
    """
    return State(tag.removeprefix("W/").strip('"')) or UNTOLD


def _tag(state: State) -> str:
    """The ETag of a state. To an empty one versitygw says yes, whatever there is; so callers look first."""
    return f'"{"" if state == UNTOLD else state}"'


def _info(key: str, answer: "HeadObjectOutputTypeDef | GetObjectOutputTypeDef", size: int) -> ObjectInfo:
    published = _metadata(answer).get(_PUBLISHED, "")
    return ObjectInfo(
        key,
        size,
        _state(answer.get("ETag", "")),
        as_published(int(published)) if _SECONDS.fullmatch(published) else int(answer["LastModified"].timestamp()),
    )


def _metadata(answer: "HeadObjectOutputTypeDef | GetObjectOutputTypeDef") -> dict[str, str]:
    """What was written with the object, under names in small letters, whatever the service made of them."""
    return {name.lower(): value for name, value in answer["Metadata"].items()}


def _changed(key: str) -> Changed:
    return Changed(f"{keys.shown(key)} is not what it was any more")


def _lost(key: str, condition: Condition) -> StorageError:
    return AlreadyExists(f"{keys.shown(key)} exists already") if condition is ABSENT else _changed(key)


def _meaning(error: Exception) -> Meaning:
    """What an error of boto3 says."""
    if isinstance(error, aws.ClientError):
        answer = error.response
        return s3_answers.of_answer(
            answer.get("Error", {}).get("Code") or "", answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        )
    detail = _sentence(error)
    if isinstance(error, _NO_CREDENTIALS):
        return Meaning(
            Misconfigured,
            "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role",
            detail=detail,
        )
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | ResponseParserError | HTTPError):
        return _of_connection(error, detail)
    return Meaning(Misconfigured, "the request cannot be made; look into the server's log", detail=detail)


def _of_connection(error: Exception, detail: str) -> Meaning:
    if isinstance(error, aws.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        remedy = "the service's certificate is not trusted; set AWS_CA_BUNDLE to who signed it"
        return Meaning(Misconfigured, remedy, detail=detail)
    if isinstance(error, aws.EndpointConnectionError) and isinstance(error.kwargs.get("error"), NameResolutionError):
        return Meaning(Misconfigured, "the S3 service's name is not known; look at s3_endpoint", detail=detail)
    if isinstance(error, ResponseParserError):
        return Meaning(Unavailable, "the S3 service's answer makes no sense; try again later", detail=detail)
    timed_out = isinstance(error, aws.ConnectTimeoutError | aws.ReadTimeoutError)
    if timed_out:
        what = "the S3 service did not answer in time"
    elif isinstance(error, aws.EndpointConnectionError):
        what = "the S3 service cannot be reached"
    else:
        what = "the connection to the S3 service broke"
    reason = f"{what} (the server's log says more); try again later"
    return Meaning(Unavailable, reason, silent=True, timed_out=timed_out, detail=detail)


def _sentence(error: Exception) -> str:
    """The first line of what boto3 says of its error."""
    return (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN].rstrip(".")
