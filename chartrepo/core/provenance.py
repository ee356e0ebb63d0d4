"""Provenance files: what a `.prov` says of a package. Whether its signature holds is for `chartrepo.trust` to say.

Helm writes a clear-signed OpenPGP message (RFC 9580, section 7): the chart's metadata as YAML, a line `...`, and the
digests of the files it speaks of.

    -----BEGIN PGP SIGNED MESSAGE-----
    Hash: SHA512

    name: app
    version: 1.0.0

    ...
    files:
      app-1.0.0.tgz: sha256:<64 hexadecimal digits>
    -----BEGIN PGP SIGNATURE-----
    ...
    -----END PGP SIGNATURE-----

`helm verify` looks up the package's file name under `files` and compares the digest; so do we.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from chartrepo.core import versions
from chartrepo.core.chart import MAX_FILE_NAME, STATE_PREFIX
from chartrepo.core.errors import InvalidVersion, ProvenanceRefused
from chartrepo.core.messages import shown
from chartrepo.core.scalars import InvalidYamlError, Scalar, text_of
from chartrepo.core.yaml11 import Budget, Value, load

MAX_BYTES: Final = 1024 * 1024
"""The largest provenance file that is read. It repeats Chart.yaml, a few KiB, and adds less than 1 KiB; what is beyond
this would, as an entry of the index, harm every reader of the repository."""

_MAX_NODES: Final = 100_000
_MAX_DEPTH: Final = 100

_BEGIN_MESSAGE = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_END_SIGNATURE = b"-----END PGP SIGNATURE-----"
_HEADER = re.compile(rb" *Hash *:[ -~]*")
_END_OF_METADATA = b"\n...\n"
_SUM = re.compile("sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a provenance file says.

    Attributes:
        name: the chart's name as stated.
        version: the chart's version as stated.
        files: file name to SHA-256, in plain hexadecimal digits.
    """

    name: str
    version: str
    files: Mapping[str, str]


class ClearSigned(NamedTuple):
    """A clear-signed message, taken apart as Go's `clearsign` does.

    Attributes:
        text: what is signed, and all that may be read of it: line ends are LF, none is the last.
        signature: the armored block behind it, which holds one signature or more.
        alone: whether nothing but white space stands before and after the message.
    """

    text: bytes
    signature: bytes
    alone: bool


def parse(data: bytes) -> Provenance:
    """Read a provenance file.

    Raises:
        ProvenanceRefused: Helm does not read it as one, it is larger than `MAX_BYTES`, or it does not state the chart's
            name and version.
    """
    return read(take_apart(data))


def read(message: ClearSigned) -> Provenance:
    """Read what a provenance file says in its signed text.

    Raises:
        ProvenanceRefused: as `parse`.
    """
    # Helm reads the two parts before and behind the first such line, and no others.
    metadata, *parts = message.text.split(_END_OF_METADATA)
    if not parts:
        raise _refused("has no line '...' between the chart's metadata and the digests")
    stated = _mapping(metadata, "metadata")
    files = _mapping(parts[0], "list of digests").get("files")
    if not isinstance(files, dict) or not files:
        raise _refused("names no files and their digests")
    return Provenance(
        name=_text(stated, "name"),
        version=_text(stated, "version"),
        files={file: _digest(file, value) for file, value in files.items()},
    )


def take_apart(data: bytes) -> ClearSigned:
    """Find the clear-signed message in a provenance file. Anything may stand before and after it, as for Helm.

    Raises:
        ProvenanceRefused: there is none, or the file is larger than `MAX_BYTES`.
    """
    if len(data) > MAX_BYTES:
        raise _refused(f"has {len(data)} bytes, and {MAX_BYTES} are the most")
    before, found, rest = b"\n".join([b"", data]).partition(b"\n" + _BEGIN_MESSAGE)
    lines = (line.removesuffix(b"\r") for line in rest.split(b"\n"))
    if not found or next(lines):
        raise _refused(f"has no line {_BEGIN_MESSAGE.decode()!r}")
    for line in lines:
        if not line.strip():
            break
        if not _HEADER.fullmatch(line):
            raise _refused(f"has the header {shown(line.decode(errors='replace'))}, and only 'Hash' is allowed")
    text = []
    for line in lines:
        if line == _BEGIN_SIGNATURE:
            break
        # Lines that begin with a dash were escaped so that none looks like a marker; spaces at an end are not signed.
        text.append(line.removeprefix(b"- ").rstrip(b" \t"))
    signature = [_BEGIN_SIGNATURE]
    for line in lines:
        signature.append(line)
        if line.startswith(_END_SIGNATURE):
            break
    else:
        raise _refused("has no signature at its end")
    around = [before, signature[-1].removeprefix(_END_SIGNATURE), *lines]
    return ClearSigned(b"\n".join(text), b"\n".join(signature), alone=not b"".join(around).strip())


def package_file(provenance: Provenance) -> str:
    """The file name of the package that a provenance file speaks of, by the name and version that it states.

    Raises:
        ProvenanceRefused: it gives no digest for that file, or no package could be called so.
    """
    name, version = provenance.name, provenance.version
    file = f"{name}-{version}.tgz"
    if file not in provenance.files:
        raise _refused(f"states {shown(name)} {shown(version)}, but gives no digest of {shown(file)}")
    try:
        versions.check(version)
    except InvalidVersion as error:
        raise _refused(f"states the version {error}") from None
    # What the file is stored as is made of this name, which nobody has read in a package yet.
    if (
        not name.isprintable()
        or not {"/", "\\"}.isdisjoint(name)
        or name.startswith(STATE_PREFIX)
        or len(file.encode()) > MAX_FILE_NAME
    ):
        raise _refused(f"states the name {shown(name)}, which no package here can have")
    return file


def names_package(provenance: Provenance, file: str, digest: str) -> bool:
    """Whether `helm verify` would find this package in the provenance file.

    Args:
        provenance: what the provenance file says.
        file: the package's file name, `<name>-<version>.tgz`.
        digest: SHA-256 of its bytes, in plain hexadecimal digits.
    """
    return provenance.files.get(file) == digest


def check_names_package(provenance: Provenance, file: str, digest: str) -> None:
    """Make sure that `names_package`.

    Raises:
        ProvenanceRefused: the provenance file speaks of another package; the message names both.
    """
    if names_package(provenance, file, digest):
        return
    named = provenance.files.get(file)
    if named is None:
        others = ", ".join(shown(other) for other in list(provenance.files)[:3])
        raise ProvenanceRefused(
            f"the provenance file speaks of {others}, not of {shown(file)}: send the one that was made for this package"
        )
    raise ProvenanceRefused(
        f"the provenance file gives {shown(file)} the digest sha256:{named}, but the package has sha256:{digest}: "
        "send the package that was signed, or sign this one"
    )


def check_states_chart(provenance: Provenance, name: str) -> None:
    """Make sure that a provenance file states the name that the chart in the package has.

    Two charts can share a file name, as `web` in version `1.0.0-2.0.0` and `web-1.0.0` in version `2.0.0`, and who may
    do something with the one need not be who may do it with the other.

    Raises:
        ProvenanceRefused: it states another; the message names both.
    """
    if provenance.name != name:
        raise ProvenanceRefused(
            f"the provenance file states the chart {shown(provenance.name)}, but the package holds {shown(name)}: "
            "send the one that was made for this package"
        )


def _mapping(data: bytes, what: str) -> dict[str, Value]:
    try:
        value = load(data, Budget(_MAX_NODES, _MAX_DEPTH))
    except InvalidYamlError as error:
        raise _refused(f"has a {what} that Helm does not read ({error})") from None
    if not isinstance(value, dict):
        raise _refused(f"has a {what} that is no mapping of keys to values")
    return value


def _text(stated: Mapping[str, Value], field: str) -> str:
    value = stated.get(field)
    text = text_of(value) if isinstance(value, Scalar) else value
    if not text or not isinstance(text, str):
        raise _refused(f"does not state the chart's {field}")
    return text


def _digest(file: str, value: Value) -> str:
    found = _SUM.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise _refused(f"gives {shown(file)} no digest of the form 'sha256:' and 64 hexadecimal digits in lower case")
    return found[1]


def _refused(what: str) -> ProvenanceRefused:
    return ProvenanceRefused(f"the provenance file {what}: make it with 'helm package --sign'")
