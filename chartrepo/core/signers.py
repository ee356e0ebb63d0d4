"""Who signed a package, and what policies ask of that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Protocol

from chartrepo.core.oci import Digest
from chartrepo.core.provenance import ClearSigned


class SignatureKind(Enum):
    """What a signature was made with."""

    OPENPGP = "openpgp"
    COSIGN = "cosign"


class KeyState(Enum):
    """What a signature that was accepted is worth today."""

    VALID = "valid"
    EXPIRED = "expired"
    """The key has expired since. What it signed before holds."""
    RETIRED = "retired"
    """The key was revoked since, as superseded or no longer used. What it signed before holds."""
    COMPROMISED = "compromised"
    """The key was revoked as compromised, or without a reason. Nothing that it signed would be accepted now."""
    UNKNOWN = "unknown"
    """The key is no longer among those that are trusted here."""
    REFUSED = "refused"
    """The key is there, and the signature would not be accepted now: a part of the key was revoked, or is too weak."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who made a signature that was accepted.

    Attributes:
        kind: what it was made with.
        name: the first user id of the key; of a key of cosign the name of its file.
        key: its fingerprint in hexadecimal digits; of a key of cosign the SHA-256 of the public key (DER).
        signed_at: when, as the signature says, in seconds since the epoch; None where it does not say.
    """

    kind: SignatureKind
    name: str
    key: str
    signed_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return asdict(self) | {"kind": self.kind.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Signer":
        """Read what `as_json` returned.

        Raises:
            ValueError, TypeError: it is not that.
        """
        return cls(**{**values, "kind": SignatureKind(values["kind"])})


class Keyring(Protocol):
    """Keys of OpenPGP whose signatures are taken."""

    def verify(self, message: ClearSigned) -> Signer:
        """Return who signed a provenance file.

        Raises:
            SignatureRefused: no signature of it holds.
        """
        ...

    def state(self, message: ClearSigned, key: str) -> KeyState:
        """Return what a signature by the key of this fingerprint, which was accepted, is worth today."""
        ...


class CosignKeys(Protocol):
    """Public keys whose signatures of manifests are taken."""

    def __contains__(self, fingerprint: str) -> bool:
        """Return whether the key of this fingerprint is one of them."""
        ...

    def verify_claim(self, document: bytes, signature: str, manifest: Digest) -> Signer:
        """Return who signed a manifest, by a document that names it.

        Raises:
            SignatureRefused: the signature does not hold, or is of something else.
        """
        ...

    def verify_bundle(self, bundle: bytes, manifest: Digest) -> Signer:
        """Return who signed a manifest, by a Sigstore bundle; raises as `verify_claim`."""
        ...


@dataclass(frozen=True, slots=True)
class Demand:
    """What one policy asks of the provenance of a chart's packages.

    Attributes:
        required: whether a package is shown only with a signature that holds.
        keyring: that provenance files are verified with; None where none is named.
        cosign_keys: the same for signatures of cosign.
        files: names of the files with the keys of both.
        by: the policy, as messages name it.
    """

    required: bool
    keyring: Keyring | None
    cosign_keys: CosignKeys | None
    files: tuple[str, ...]
    by: str
