"""The public keys of an issuer, as RFC 7517 writes them, and which of them can have signed a token."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MAX_KEYS: Final = 100
"""Of one issuer; what comes behind is not looked at."""
MIN_RSA: Final = 2048
"""Bits, as RFC 7518 wants them."""

RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
ALGORITHMS: Final = RSA | frozenset(_CURVES.values()) | {"EdDSA"}
"""Those that are taken: all have a key that signs and another one that is public. `none` and HMAC are no such ones."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key.

    Attributes:
        id: as a token names it; None where the issuer gave it none.
        algorithms: that a token which it signed can have.
        public: what PyJWT takes.
    """

    id: str | None
    algorithms: frozenset[str]
    public: Any


@dataclass(frozen=True, slots=True)
class KeySet:
    """All keys of an issuer."""

    keys: tuple[Key, ...]

    def find(self, key_id: str | None, algorithm: str) -> Key | None:
        """Return the key that a token names; without a name, the one that it can only be; None for none."""
        fit = [key for key in self.keys if algorithm in key.algorithms and key_id in (None, key.id)]
        return fit[0] if len(fit) == 1 or (fit and key_id is not None) else None


def parse_keys(data: bytes) -> KeySet:
    """Read a set of keys. Those that sign nothing, or nothing that is taken here, are passed over.

    Raises:
        ValueError: it is none, or has no key that can be used; the message completes "the keys ...".
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("are no JSON") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError('are no set of keys, as {"keys": [...]}')  # noqa: TRY004 - of a file, not of an argument
    found = tuple(key for each in listed[:MAX_KEYS] if isinstance(each, dict) for key in _read(each))
    if not found:
        raise ValueError(f"have none that signs with one of {', '.join(sorted(ALGORITHMS))}")
    return KeySet(found)


def _read(given: dict[str, Any]) -> Iterator[Key]:
    """The key, if it can be used."""
    uses, said, key_id = given.get("key_ops", ["verify"]), given.get("alg"), given.get("kid")
    if given.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        return
    possible, public = _public(given)
    algorithms = possible if said is None else frozenset(each for each in possible if each == said)
    if public is not None and algorithms:
        yield Key(key_id if isinstance(key_id, str) else None, algorithms, public)


def _public(given: dict[str, Any]) -> tuple[frozenset[str], Any]:
    """Which algorithms a key is for, and itself, without what would make it a private one."""
    kind, curve = given.get("kty"), str(given.get("crv"))
    try:
        if kind == "RSA":
            key = RSAAlgorithm.from_jwk(_members(given, "kty", "n", "e"))
            return RSA, key if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA else None
        if kind == "EC" and curve in _CURVES:
            return frozenset({_CURVES[curve]}), ECAlgorithm.from_jwk(_members(given, "kty", "crv", "x", "y"))
        if kind == "OKP" and curve == "Ed25519":
            return frozenset({"EdDSA"}), OKPAlgorithm.from_jwk(_members(given, "kty", "crv", "x"))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        pass
    return frozenset(), None


def _members(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names}
