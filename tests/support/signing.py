"""Provenance files as `helm package --sign` makes them, with keys that a test makes."""

from hashlib import sha256

from pysequoia import Cert, SignatureMode, Tsk, sign


def key(name: str = "Ada <ada@example.com>") -> Tsk:
    """A new key pair."""
    return Tsk.generate(name)


def public(*keys: Tsk) -> bytes:
    """What `gpg --export --armor` writes."""
    return "".join(str(each.extract_certificate()) for each in keys).encode()


def compromised(key: Tsk) -> bytes:
    """The same of a key that was revoked, without a reason."""
    certificate = key.extract_certificate()
    return str(Cert.from_bytes(bytes(certificate) + bytes(certificate.revoke(key.certifier())))).encode()


def provenance(key: Tsk, package: bytes, name: str = "app", version: str = "1.0.0") -> bytes:
    """The signed provenance of a package."""
    text = (
        f"apiVersion: v2\nname: {name}\nversion: {version}\n\n...\n"
        f"files:\n  {name}-{version}.tgz: sha256:{sha256(package).hexdigest()}\n"
    )
    return sign(key.signer(), text.encode(), mode=SignatureMode.CLEAR)
