"""Provenance files as `helm package --sign` makes them, with keys that a test makes; and keys for helm itself."""

import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from pysequoia import Cert, SignatureMode, Tsk, sign

from tests.support import tools


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


def gpg_keys(folder: Path) -> None:
    """Make a key pair with GnuPG in the form of keyring that helm reads: `secret.gpg` and `public.gpg`, of Signer.

    Raises:
        UnobtainableError: there is no GnuPG.
    """
    gpg = tools.on_path("gpg")
    if gpg is None:
        raise tools.UnobtainableError("gpg is not on PATH")
    # gpg's agent listens on a socket in this folder, and a socket's path must be short.
    with tempfile.TemporaryDirectory() as home:
        run: list[str | Path] = [
            gpg,
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]

        def ask(*arguments: str | Path) -> None:
            subprocess.run([*run, *arguments], check=True, capture_output=True)

        try:
            ask("--quick-generate-key", "Signer <signer@example.org>", "rsa2048", "sign", "never")
            ask("--output", folder / "secret.gpg", "--export-secret-keys")
            ask("--output", folder / "public.gpg", "--export")
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
