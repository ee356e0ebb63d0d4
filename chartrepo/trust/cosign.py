"""Signatures that cosign makes of manifests, judged by public keys alone: no certificate, and no transparency log.

Two forms are known. Up to its second version cosign signs a small JSON document that names the manifest's digest
(simple signing), and keeps the signature in an annotation. The third makes a Sigstore bundle: an in-toto statement in
an envelope of DSSE. The same key may sign other statements about the same manifest, as that it was scanned; those say
nothing of whose it is, so one of cosign's own type is asked for.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from chartrepo.core.errors import AccessMisconfigured, SignatureRefused
from chartrepo.core.oci import Digest
from chartrepo.core.signers import SignatureKind, Signer

MAX_BYTES: Final = 1024 * 1024
"""The largest document or bundle that is read."""

_CLAIM: Final = "cosign container image signature"
_STATEMENTS: Final = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
_SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"
_MAX_SIGNATURES: Final = 8
_MIN_RSA: Final = 2048
_PEM: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_REMEDY: Final = "write what `cosign public-key` prints: a key of ECDSA P-256, Ed25519, or RSA of 2048 bits or more"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with.

    Attributes:
        name: of the file that it was read from.
        fingerprint: SHA-256 of the key (DER, SubjectPublicKeyInfo) in hexadecimal digits.
        check: takes a signature and what was signed; raises `InvalidSignature`.
    """

    name: str
    fingerprint: str
    check: Callable[[bytes, bytes], None]


class CosignKeys:
    """The keys whose signatures are taken. Safe to share between threads."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = tuple(keys)

    def __contains__(self, fingerprint: str) -> bool:
        return any(key.fingerprint == fingerprint for key in self._keys)

    def verify_claim(self, document: bytes, signature: str, manifest: Digest) -> Signer:
        """Return who signed a manifest, by a document of simple signing.

        Args:
            document: the JSON document.
            signature: of it, in base64.
            manifest: the digest that it has to name.

        Raises:
            SignatureRefused: the signature does not hold, or the document says something else.
        """
        signer = self._signer(document, [signature])
        critical = _object(_json(document, "document"), "critical")
        if critical.get("type") != _CLAIM:
            raise _refused(f"is of a document that is no {_CLAIM}", "sign the chart with `cosign sign`")
        named = _object(critical, "image").get("docker-manifest-digest")
        if named != str(manifest):
            raise _of_another(named, manifest)
        return signer

    def verify_bundle(self, bundle: bytes, manifest: Digest) -> Signer:
        """Return who signed a manifest, by a Sigstore bundle.

        Args:
            bundle: the JSON document.
            manifest: the digest that it has to name.

        Raises:
            SignatureRefused: the signature does not hold, or is of something else.
        """
        envelope = _object(_json(bundle, "bundle"), "dsseEnvelope")
        kind, payload = envelope.get("payloadType"), _bytes(envelope.get("payload"))
        if kind != _STATEMENT_TYPE:
            raise _refused("is of something that is no in-toto statement", "sign the chart with `cosign sign`")
        signatures = envelope.get("signatures")
        if not isinstance(signatures, list) or not all(isinstance(each, dict) for each in signatures):
            raise _refused("has no list of signatures", "sign the chart with `cosign sign`")
        # What is signed (DSSE, "PAE"): the type is part of it.
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signer = self._signer(signed, [each.get("sig") for each in signatures])
        statement = _json(payload, "statement")
        if statement.get("_type") not in _STATEMENTS or statement.get("predicateType") != _SIGNED:
            raise _refused("says something else about the chart", "sign the chart with `cosign sign`")
        subjects = statement.get("subject")
        named = [
            _object(each, "digest").get(manifest.algorithm)
            for each in (subjects if isinstance(subjects, list) else [])
            if isinstance(each, dict)
        ]
        if manifest.hex not in named:
            raise _of_another(named[0] if named else None, manifest)
        return signer

    def _signer(self, signed: bytes, signatures: list[Any]) -> Signer:
        for signature in map(_bytes, signatures[:_MAX_SIGNATURES]):
            for key in self._keys:
                try:
                    key.check(signature, signed)
                except InvalidSignature:
                    continue
                return Signer(SignatureKind.COSIGN, key.name, key.fingerprint)
        raise _refused("is by none of the keys that are trusted here", "sign with one of them, or add its public key")


def read_public_keys(data: bytes, name: str) -> list[PublicKey]:
    """Read a file of public keys (PEM), one or more.

    Args:
        data: the file.
        name: of the file, for messages and for signers.

    Raises:
        AccessMisconfigured: it holds none, or one of a kind that is not taken.
    """
    if b"-----BEGIN PGP " in data:
        raise AccessMisconfigured(f"{name} holds keys of OpenPGP, and not of cosign: name it under keyrings")
    blocks = _PEM.findall(data)
    if not blocks:
        raise AccessMisconfigured(f"{name} holds no public key: {_REMEDY}")
    return [_public_key(block, name) for block in blocks]


def _public_key(block: bytes, name: str) -> PublicKey:
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AccessMisconfigured(f"{name} holds something that is no public key ({error}): {_REMEDY}") from None
    check: Callable[[bytes, bytes], None]
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        check = _ecdsa(key)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        check = key.verify
    elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA:
        check = _rsa(key)
    else:
        raise AccessMisconfigured(f"{name} holds a key of a kind that is not taken: {_REMEDY}")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(name, hashlib.sha256(der).hexdigest(), check)


def _ecdsa(key: ec.EllipticCurvePublicKey) -> Callable[[bytes, bytes], None]:
    return lambda signature, signed: key.verify(signature, signed, ec.ECDSA(SHA256()))


def _rsa(key: rsa.RSAPublicKey) -> Callable[[bytes, bytes], None]:
    return lambda signature, signed: key.verify(signature, signed, padding.PKCS1v15(), SHA256())


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data) if len(data) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _refused(f"has a {what} that is no JSON object of up to {MAX_BYTES} bytes", "sign with cosign again")
    return value


def _object(values: dict[str, Any], field: str) -> dict[str, Any]:
    value = values.get(field)
    if not isinstance(value, dict):
        raise _refused(f"has no {field}", "sign the chart with `cosign sign`, and a key")
    return value


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (ValueError, binascii.Error):
        return b""


def _of_another(named: object, manifest: Digest) -> SignatureRefused:
    return _refused(f"is of {str(named)[:80]!r}, not of the manifest {manifest}", "sign this one")


def _refused(what: str, remedy: str) -> SignatureRefused:
    return SignatureRefused(f"the signature of cosign {what}: {remedy}")
