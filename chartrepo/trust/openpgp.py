"""Keyrings, and the signatures of provenance files.

All of OpenPGP is Sequoia's work, through pysequoia. It judges a key at the time that the signature states: one that
expired since, or was revoked since as superseded or no longer used, was good then. One that was revoked as compromised,
or without a reason, is bad at any time.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from pysequoia import Cert, Sig, verify
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, Tag

from chartrepo.core.errors import AccessMisconfigured, SignatureRefused
from chartrepo.core.messages import shown
from chartrepo.core.provenance import ClearSigned
from chartrepo.core.signers import KeyState, SignatureKind, Signer

_MAX_SIGNATURES: Final = 8
"""In one provenance file; each costs a look at all keys."""
_HASHES: Final = (
    HashAlgorithm.SHA256,
    HashAlgorithm.SHA384,
    HashAlgorithm.SHA512,
    HashAlgorithm.SHA3_256,
    HashAlgorithm.SHA3_512,
)
_KEYS: Final = (Tag.PublicKey, Tag.PublicSubkey, Tag.SecretKey, Tag.SecretSubkey)
_VERSION: Final = b"\4"
_RSA: Final = (b"\1", b"\3")
_SIGNATURE_PACKET: Final = b"\xc2\xff"
"""How a packet with a signature begins whose length stands in the four bytes that follow."""
_KEYBOX: Final = b"KBXf"
"""Stands in a file of GnuPG's own at the ninth byte."""
_EXPORT: Final = "export the public keys with gpg --export"


class Keyring:
    """The keys whose signatures are taken. Safe to share between threads.

    Args:
        certificates: several of one fingerprint count as one that has all their parts, so that no copy hides a
            revocation that another one brings.
        clock: seconds since the epoch.
    """

    def __init__(self, certificates: Iterable[Cert], *, clock: Callable[[], float] = time.time) -> None:
        self._certificates: dict[str, Cert] = {}
        self._clock = clock
        for certificate in certificates:
            known = self._certificates.get(certificate.fingerprint)
            merged = certificate if known is None else known.merge(certificate)
            self._certificates[certificate.fingerprint] = merged
        # For messages alone: which keys a signature is tried with is the library's choice.
        self._by_key = {
            key: certificate
            for certificate in self._certificates.values()
            for packet in PacketPile.from_bytes(bytes(certificate))
            if packet.tag in _KEYS
            for key in (packet.fingerprint, packet.key_id)
            if key is not None
        }

    def __len__(self) -> int:
        return len(self._certificates)

    def verify(self, message: ClearSigned) -> Signer:
        """Return who signed a provenance file; where several did, the first who is in this keyring.

        Raises:
            SignatureRefused: no signature of it holds.
        """
        if not message.alone:
            raise SignatureRefused(
                "the provenance file has text around the signed message, which nobody signed: remove that"
            )
        # A carriage return inside a line ends it for some programs, and not for others.
        if b"\r" in message.text:
            raise SignatureRefused(
                "the provenance file has a carriage return inside a line: make it with 'helm package --sign'"
            )
        reasons = []
        for signature in _signatures(message.signature):
            try:
                return self._signer(message.text, signature)
            except SignatureRefused as error:
                reasons.append(str(error))
        raise SignatureRefused("; ".join(dict.fromkeys(reasons)))

    def state(self, message: ClearSigned, key: str) -> KeyState:
        """Return what a signature that was accepted is worth today.

        Args:
            message: the provenance file, as it was accepted.
            key: the fingerprint of the certificate by which it was.
        """
        certificate = self._certificates.get(key)
        if certificate is None:
            return KeyState.UNKNOWN
        try:
            Keyring([certificate], clock=self._clock).verify(message)
        except SignatureRefused:
            return KeyState.COMPROMISED if certificate.is_revoked else KeyState.REFUSED
        if certificate.is_revoked:
            return KeyState.RETIRED
        end = certificate.expiration
        return KeyState.EXPIRED if end is not None and end.timestamp() <= self._clock() else KeyState.VALID

    def _signer(self, text: bytes, signature: Sig) -> Signer:
        made = signature.created
        if signature.hash_algorithm not in _HASHES:
            name = str(signature.hash_algorithm).rpartition(".")[2]
            raise SignatureRefused(f"the provenance file is signed over {name}, which can be forged: use SHA-512")
        # Detached from the text, so that what was verified is what was read, byte for byte. Line ends are signed as
        # CRLF, whichever the file has (RFC 9580, section 7.2).
        with _in_one_sentence() as failed:
            found = verify(
                bytes=text.replace(b"\n", b"\r\n"),
                store=lambda _key_ids: list(self._certificates.values()),
                signature=signature,
            )
        if failed or made is None or not found.valid_sigs:
            raise SignatureRefused(self._why_not(signature))
        certificate = self._certificates[found.valid_sigs[0].certificate]
        return Signer(SignatureKind.OPENPGP, _name(certificate), certificate.fingerprint, int(made.timestamp()))

    def _why_not(self, signature: Sig) -> str:
        """Say why the library refused a signature, of which it says nothing."""
        key = signature.issuer_fingerprint or signature.issuer_key_id or "that it does not name"
        certificate = self._by_key.get(key)
        if certificate is None:
            return (
                f"the provenance file is signed by the key {key}, which is in no keyring here: sign with a key that "
                "is, or add it to the keyring"
            )
        who = (
            f"the provenance file's signature by {shown(_name(certificate))} ({certificate.fingerprint}) does not hold"
        )
        end, made = certificate.expiration, signature.created
        if certificate.is_revoked:
            return f"{who}: the key is revoked; sign with another one"
        if end is not None and made is not None and made >= end:
            return f"{who}: the key expired on {end:%Y-%m-%d}, before it was made; sign with another one"
        if made is not None and made > datetime.fromtimestamp(self._clock(), UTC):
            return f"{who}: it is dated {made:%Y-%m-%d %H:%M} UTC, which is to come; set the signer's clock right"
        return f"{who}: the text was changed since, or the key may not sign or is too weak; sign the chart again"


def read_certificates(data: bytes, name: str) -> list[Cert]:
    """Read a file of keys: what `gpg --export` wrote, armored or not, or GnuPG's own pubring.gpg or secring.gpg.

    Of secret keys the public part is taken.

    Args:
        data: the file.
        name: of the file, for messages.

    Raises:
        AccessMisconfigured: it is no such file, or it holds no key.
    """
    if data[8:12] == _KEYBOX:
        raise AccessMisconfigured(f"{name} is a keybox, which GnuPG alone reads: {_EXPORT}")
    certificates: list[Cert] = []
    with _in_one_sentence() as failed:
        certificates = [Cert.from_bytes(bytes(each)) for each in Cert.split_bytes(data)]
    if failed:
        raise AccessMisconfigured(f"{name} cannot be read as keys of OpenPGP ({failed[0]}): {_EXPORT}")
    if not certificates:
        raise AccessMisconfigured(f"{name} holds no key: {_EXPORT}")
    return certificates


def _signatures(block: bytes) -> list[Sig]:
    found: list[Sig] = []
    with _in_one_sentence() as failed:
        packets = [packet for packet in PacketPile.from_bytes(block) if packet.tag == Tag.Signature]
        found = [Sig.from_bytes(_mended(packet)) for packet in packets[: _MAX_SIGNATURES + 1]]
    if failed or not found:
        raise SignatureRefused("the provenance file's signature cannot be read: make it with 'helm package --sign'")
    if len(found) > _MAX_SIGNATURES:
        raise SignatureRefused(f"the provenance file has more than {_MAX_SIGNATURES} signatures: send it with fewer")
    return found


def _mended(packet: Packet) -> bytes:
    """Return a signature whose number says rightly how many bits it has.

    Helm 3 signs with a library that counts whole bytes. So every second number of RSA says one bit or more too many,
    and Sequoia, going by RFC 9580, section 3.2, reads no such packet. The number itself stays what it is.
    """
    body = packet.body
    if packet.signature_version is not None or body[:1] != _VERSION or body[2:3] not in _RSA:
        return bytes(packet)
    end = 6 + int.from_bytes(body[4:6])  # of what is hashed
    end += 2 + int.from_bytes(body[end : end + 2])  # of what is not
    end += 2  # the beginning of the hash
    number = int.from_bytes(body[end + 2 :])
    bits = number.bit_length()
    mended = body[:end] + (bits % 2**16).to_bytes(2) + number.to_bytes((bits + 7) // 8)
    return _SIGNATURE_PACKET + len(mended).to_bytes(4) + mended


def _name(certificate: Cert) -> str:
    names = certificate.user_ids
    return str(names[0]) if names else ""


@contextmanager
def _in_one_sentence() -> Iterator[list[str]]:
    """Give a list that holds, after the block, what the library says went wrong in it, without where in its code."""
    said: list[str] = []
    try:
        yield said
    except Exception as error:  # noqa: BLE001 - the library's are RuntimeError, with anything inside
        said.append(str(error).partition("\n")[0] or type(error).__name__)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what becomes of a fault in Rust; it cannot be imported
            raise
        said.append("the library failed")
