"""Who signed a package, as it is recorded and shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


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
