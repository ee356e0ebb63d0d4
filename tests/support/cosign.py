"""What cosign makes with a key pair: its documents, bundles and signatures, without its program."""

import base64
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

CLAIM: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT: Final = "application/vnd.in-toto+json"
SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key pair as `cosign generate-key-pair` makes it."""
    return ec.generate_private_key(ec.SECP256R1())


def public(key: PrivateKey) -> bytes:
    """What `cosign public-key` prints."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(key: PrivateKey, data: bytes) -> str:
    """A signature, in base64."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(data, ec.ECDSA(SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(data, padding.PKCS1v15(), SHA256())
    else:
        signature = key.sign(data)
    return base64.b64encode(signature).decode()


def claim(digest: str, **critical: Any) -> bytes:
    """The document that cosign 2 signs of a manifest."""
    said = {
        "identity": {"docker-reference": "example.com/team/app"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
        **critical,
    }
    return json.dumps({"critical": said, "optional": None}, separators=(",", ":")).encode()


def bundle(key: PrivateKey, digest: str, *, kind: str = STATEMENT, **statement: Any) -> bytes:
    """The bundle that cosign 3 makes of a manifest, with a key."""
    algorithm, _, value = digest.partition(":")
    said = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {algorithm: value}}],
        "predicateType": SIGNED,
        "predicate": {},
        **statement,
    }
    payload = json.dumps(said).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    return json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "hint"}},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": kind,
                "signatures": [{"sig": sign(key, signed)}],
            },
        }
    ).encode()
