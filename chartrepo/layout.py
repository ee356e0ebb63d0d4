"""Where everything lies: the only builder of storage keys.

Packages, in ChartMuseum's own layout, so that its folder or bucket is served as it is::

    <repository>/<name>-<version>.tgz
    <repository>/<name>-<version>.tgz.prov
    <repository>/index.yaml                  written for web servers when publish_index is on; never read
    <repository>/index-cache.yaml            ChartMuseum's; never read, never touched

What came through OCI and is no package, for the chart `web` of the repository `team/app`. No name has a part that
begins with `_`, so that none of this can be taken for a repository's, nor one chart's for another's::

    _oci/team/app/web/_blobs/<algorithm>/<hex>             a blob; a published package lies under its key above instead
    _oci/team/app/web/_blobs/<algorithm>/<hex>.condemned   nothing needs the blob, and gc is going to remove it
    _oci/team/app/web/_manifests/<algorithm>/<hex>         a manifest that was pushed, byte for byte
    _oci/team/app/web/_tags/<tag>                          which of them a tag names

The root repository has no folder. Everything private lies in a storage of its own (``DIR/.chartrepo`` on disk,
``.chartrepo/<prefix>`` in a bucket), so that a web server may publish the packages' folder as a whole::

    storage-id                               a random name, by which a catalog knows its storage
    snapshot.jsonl.gz                        what the catalog knew, for servers whose own disk is lost at each start
    oci-uploads/<ab>/<uuid>.<offset>         a piece of a blob that is being uploaded
    oci-uploads/<ab>/<uuid>.ended            says that the upload is over
    tokens/<id>.json                         an API token: what is kept of it, its hash among that
    signing-keys/<time>-<random>             a key that signs registry tokens and sessions; the newest signs
    ended-sessions/<end>-<id>                somebody signed out; until the session would have ended by itself, in hex
    deleted/team/app/web-1.0.0.tgz/<seconds> a version was deleted then, and is not to come back
    accepted/team/app/web-1.0.0.tgz/<digests> the signature of a package was accepted, and by which key
    tokens/<id>.used                         when it was used last; by itself, so that it brings no token back
    token-owners/<ab..>/<id>                 an API token that a user made for himself, by a digest of the user's name
    audit/<day>/<first>-<last>-<batch>.jsonl audit records of a day, in UTC; first and last are minutes, as 0930
    pulls/totals.json.gz                     how often each version was pulled, and when it was last
    pulls/new/<batch>.json.gz                ... since then, as a server counted it in about a minute
"""

import re
from hashlib import sha256
from typing import Final, NamedTuple

from chartrepo.core.errors import DigestInvalid
from chartrepo.core.oci import Digest, is_name, is_tag, parse_digest

PACKAGE_SUFFIX: Final = ".tgz"
PROVENANCE_SUFFIX: Final = ".tgz.prov"
INDEX_FILE: Final = "index.yaml"
SNAPSHOT_KEY: Final = "snapshot.jsonl.gz"
STORAGE_ID_KEY: Final = "storage-id"


OCI_FOLDER: Final = "_oci"
OCI_PREFIX: Final = f"{OCI_FOLDER}/"
UPLOADS_PREFIX: Final = "oci-uploads/"
TOKENS_PREFIX: Final = "tokens/"
TOKEN_OWNERS_PREFIX: Final = "token-owners/"  # noqa: S105 - no secret
SIGNING_KEYS_PREFIX: Final = "signing-keys/"
DELETED_PREFIX: Final = "deleted/"
AUDIT_PREFIX: Final = "audit/"
ACCEPTED_PREFIX: Final = "accepted/"
ENDED_SESSIONS_PREFIX: Final = "ended-sessions/"
PULLS_PREFIX: Final = "pulls/"
PULL_TOTALS_KEY: Final = f"{PULLS_PREFIX}totals.json.gz"

_BLOBS: Final = "_blobs"
_MANIFESTS: Final = "_manifests"
_TAGS: Final = "_tags"
_CONDEMNED: Final = ".condemned"
_ENDED: Final = "ended"
_ENDED_SESSION: Final = re.compile(rf"{ENDED_SESSIONS_PREFIX}([0-9a-f]{{12}})-[0-9a-f]{{32}}")
_NEW_PULLS: Final = re.compile(rf"{PULLS_PREFIX}new/([0-9a-f]+)\.json\.gz")
_AUDIT: Final = re.compile(
    rf"{AUDIT_PREFIX}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/([0-9]{{4}})-([0-9]{{4}})-([0-9a-z-]+)\.jsonl"
)


class Place(NamedTuple):
    """A file of a repository."""

    repository: str
    file: str


def package_file(name: str, version: str) -> str:
    """Return the file name of a package, as `helm package` calls it."""
    return f"{name}-{version}{PACKAGE_SUFFIX}"


def key(repository: str, file: str) -> str:
    """Return the storage key of a file in a repository."""
    return f"{repository}/{file}" if repository else file


def provenance_file(package: str) -> str:
    """Return the name of the provenance file that goes with a package file."""
    return f"{package}.prov"


def index_key(repository: str) -> str:
    """Return the storage key of the published index of a repository."""
    return key(repository, INDEX_FILE)


def place(storage_key: str) -> Place:
    """Return the repository and the file that a storage key names."""
    repository, _, file = storage_key.rpartition("/")
    return Place(repository, file)


def is_package(file: str) -> bool:
    """Return whether a file or a key ends as those of packages do; a tag may be called so too, and is none."""
    return file.endswith(PACKAGE_SUFFIX) and not is_oci(file)


def is_provenance(file: str) -> bool:
    """Return whether a file or a key ends as that of a package's provenance does; see `is_package`."""
    return file.endswith(PROVENANCE_SUFFIX) and not is_oci(file)


def package_of(provenance: str) -> str:
    """Return the package file, or its key, that a provenance file goes with."""
    return provenance.removesuffix(".prov")


# ---- OCI


class BlobPlace(NamedTuple):
    """A blob of the OCI repository at `path` (as `Name.path` has it)."""

    path: str
    digest: Digest


class CondemnedPlace(NamedTuple):
    """The mark on a blob that gc is going to remove."""

    path: str
    digest: Digest


class ManifestPlace(NamedTuple):
    """A manifest that was pushed."""

    path: str
    digest: Digest


class TagPlace(NamedTuple):
    """A tag."""

    path: str
    tag: str


OciPlace = BlobPlace | CondemnedPlace | ManifestPlace | TagPlace


def blob_key(path: str, digest: Digest) -> str:
    """Return the storage key of a blob."""
    return f"{OCI_PREFIX}{path}/{_BLOBS}/{digest.algorithm}/{digest.hex}"


def condemned_key(path: str, digest: Digest) -> str:
    """Return the storage key of the mark that a blob is going to be removed."""
    return blob_key(path, digest) + _CONDEMNED


def manifest_key(path: str, digest: Digest) -> str:
    """Return the storage key of a manifest that was pushed."""
    return f"{OCI_PREFIX}{path}/{_MANIFESTS}/{digest.algorithm}/{digest.hex}"


def tag_key(path: str, tag: str) -> str:
    """Return the storage key of a tag."""
    return f"{OCI_PREFIX}{path}/{_TAGS}/{tag}"


def manifests_prefix(path: str) -> str:
    """Return what the keys of all manifests of one OCI repository begin with."""
    return f"{OCI_PREFIX}{path}/{_MANIFESTS}/"


def name_prefix(path: str) -> str:
    """Return what the keys of one OCI repository begin with, and no other's."""
    return f"{OCI_PREFIX}{path}/_"


def is_oci(storage_key: str) -> bool:
    """Return whether a key is that of something which came through OCI."""
    return storage_key.startswith(OCI_PREFIX)


def oci_place(storage_key: str) -> OciPlace | None:
    """Return what lies under a key for which `is_oci`; None where it is nothing of ours."""
    parts = storage_key.removeprefix(OCI_PREFIX).split("/")
    match parts:
        case [*path, kind, tag] if kind == _TAGS and is_name("/".join(path)) and is_tag(tag):
            return TagPlace("/".join(path), tag)
        case [*path, kind, algorithm, encoded] if kind in (_BLOBS, _MANIFESTS) and is_name("/".join(path)):
            condemned = kind == _BLOBS and encoded.endswith(_CONDEMNED)
            try:
                digest = parse_digest(f"{algorithm}:{encoded.removesuffix(_CONDEMNED) if condemned else encoded}")
            except DigestInvalid:
                return None
            if kind == _MANIFESTS:
                return ManifestPlace("/".join(path), digest)
            return CondemnedPlace("/".join(path), digest) if condemned else BlobPlace("/".join(path), digest)
    return None


def upload_prefix(upload: str) -> str:
    """Return what the state's keys of one upload of a blob begin with; `upload` is a UUID."""
    return f"{UPLOADS_PREFIX}{upload[-2:]}/{upload}."


def chunk_key(upload: str, offset: int) -> str:
    """Return the state's key of the piece that begins at this byte of a blob that is being uploaded."""
    return f"{upload_prefix(upload)}{offset:020d}"


def ended_key(upload: str) -> str:
    """Return the state's key of the mark that an upload is over."""
    return upload_prefix(upload) + _ENDED


def chunk_offset(state_key: str) -> int | None:
    """Return the offset in a state's key of an upload; None in the mark that it is over."""
    last = state_key.rpartition(".")[2]
    return int(last) if last.isdecimal() else None


def upload_of(state_key: str) -> str:
    """Return the upload that a state's key belongs to."""
    return state_key.rpartition("/")[2].partition(".")[0]


# ---- deletions


def deletions_prefix(repository: str, file: str) -> str:
    """Return what the state's keys of the deletions of one package file begin with."""
    return f"{DELETED_PREFIX}{key(repository, file)}/"


def deletion_key(repository: str, file: str, moment: int) -> str:
    """Return the state's key that says that a package file was deleted at `moment`, in seconds since the epoch."""
    return f"{deletions_prefix(repository, file)}{moment}"


def deletion(state_key: str) -> tuple[str, int] | None:
    """Return the key of the package that was deleted, and when; None where a state's key says nothing of the kind."""
    package, _, moment = state_key.removeprefix(DELETED_PREFIX).rpartition("/")
    return (package, int(moment)) if package and moment.isdecimal() else None


# ---- signatures


def accepted_prefix(repository: str, file: str) -> str:
    """Return what the state's keys of all signatures begin with that were accepted for one package file."""
    return f"{ACCEPTED_PREFIX}{key(repository, file)}/"


def accepted_key(repository: str, file: str, package: str, evidence: str) -> str:
    """Return the state's key of the note that a signature was accepted.

    Args:
        repository: where the package lies.
        file: its name.
        package: its SHA-256, in hex.
        evidence: the SHA-256 of its provenance file, in hex; or a word.
    """
    return f"{accepted_prefix(repository, file)}{package}-{evidence}"


# ---- tokens


def signing_key(key_id: str) -> str:
    """Return the state's key of a key that signs, by its id."""
    return f"{SIGNING_KEYS_PREFIX}{key_id}"


def signing_key_id(storage_key: str) -> str:
    """Return the id of the key that signs which lies under a key of the state's storage."""
    return storage_key.removeprefix(SIGNING_KEYS_PREFIX)


def token_key(token: str) -> str:
    """Return the state's key of the record of an API token, by its id."""
    return f"{TOKENS_PREFIX}{token}.json"


def token_used_key(token: str) -> str:
    """Return the state's key of what tells when an API token was used last."""
    return f"{TOKENS_PREFIX}{token}.used"


def token_owner_prefix(owner: str) -> str:
    """Return what the state's keys begin with that tell which tokens a user made for himself."""
    return f"{TOKEN_OWNERS_PREFIX}{sha256(owner.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}/"


def token_owner_key(owner: str, token: str) -> str:
    """Return the state's key of what tells that a token, by its id, is a user's own."""
    return f"{token_owner_prefix(owner)}{token}"


def ended_session_key(ends: int, session: str) -> str:
    """Return the state's key of what tells that a session was ended, by its id and when it ends by itself."""
    return f"{ENDED_SESSIONS_PREFIX}{ends:012x}-{session}"


def end_of_session(storage_key: str) -> int | None:
    """Return when the session ends by itself that a key tells of; None for other keys."""
    match = _ENDED_SESSION.fullmatch(storage_key)
    return int(match[1], 16) if match is not None else None


# ---- audit


class AuditPlace(NamedTuple):
    """An object of audit records: the day that all of them are of, their first and last minutes, and whose it is."""

    day: str
    first: str
    last: str
    batch: str


def audit_prefix(day: str) -> str:
    """Return what the state's keys of the audit records of a day begin with, as `2026-01-31`."""
    return f"{AUDIT_PREFIX}{day}/"


def audit_key(place: AuditPlace) -> str:
    """Return the state's key of audit records."""
    return f"{audit_prefix(place.day)}{place.first}-{place.last}-{place.batch}.jsonl"


def audit_place(storage_key: str) -> AuditPlace | None:
    """Return what lies under a key of the state's storage; None where it is no audit records of ours."""
    found = _AUDIT.fullmatch(storage_key)
    return AuditPlace(*found.groups()) if found is not None else None


# ---- pulls


def new_pulls_key(batch: str) -> str:
    """Return the state's key of pulls that are not in the totals yet."""
    return f"{PULLS_PREFIX}new/{batch}.json.gz"


def new_pulls(state_key: str) -> str | None:
    """Return the batch of pulls that lies under a key of the state's storage; None where it is none."""
    found = _NEW_PULLS.fullmatch(state_key)
    return found[1] if found is not None else None
