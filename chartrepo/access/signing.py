"""What this server says to itself later, signed: in the hands of clients meanwhile, who can read it and not change it.

Who has shown a credential is kept as a digest of what was shown, so that what was got for it ends with it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from chartrepo.access.keys import SigningKeys

_STAMP: Final = "c"
_STAMP_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was signed, as it came back.

    Attributes:
        said: what was signed.
        key: by which.
    """

    said: Mapping[str, Any]
    key: bytes = field(repr=False)

    def is_stamped_with(self, secret: str) -> bool:
        """Return whether it was signed for this secret."""
        return hmac.compare_digest(_stamp(self.key, secret), str(self.said.get(_STAMP, "")))

    def derived(self, text: str) -> bytes:
        """Return 32 bytes that only this server can make of a text."""
        return derived(self.key, text)


class Seal:
    """Signs for one use, and believes nothing that was signed for another.

    Args:
        keys: that sign.
        use: what for.
    """

    def __init__(self, keys: SigningKeys, use: str) -> None:
        self._keys = keys
        self._use = use

    def sign(self, said: Mapping[str, Any], *, secret: str | None = None) -> tuple[str, bytes]:
        """Return the text of what is said, and the key that signed it.

        Args:
            said: what is JSON, none of it under `c`.
            secret: what is another where the credential that was shown no longer holds.

        Raises:
            StorageError: there is no key to sign with, and none can be made.
        """
        key_id, key = self._keys.newest()
        stamp = {} if secret is None else {_STAMP: _stamp(key, secret)}
        signed = self._serializer(key).dumps({**said, **stamp})
        return f"{key_id}.{signed if isinstance(signed, str) else signed.decode()}", key

    def read(self, text: str) -> Sealed | None:
        """Return what was signed; None where nothing was, by a key that is known, or is written in another way.

        Raises:
            StorageError: nobody knows, as the storage of the keys does not answer.
        """
        key_id, _, signed = text.partition(".")
        key = self._keys.get(key_id)
        if key is None:
            return None
        try:
            said = self._serializer(key).loads(signed)
        except BadSignature:
            return None
        signature = signed.rpartition(".")[2]  # of whose last letter decoding ignores some bits
        if base64_encode(base64_decode(signature)) != signature.encode() or not isinstance(said, dict):
            return None
        return Sealed(said, key)

    def _serializer(self, key: bytes) -> URLSafeSerializer:
        how = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        return URLSafeSerializer(key, salt=self._use, signer_kwargs=how)


def derived(key: bytes, text: str) -> bytes:
    """Return 32 bytes that only who has the key can make of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=32, person=b"derived").digest()


def _stamp(key: bytes, secret: str) -> str:
    """A digest of a secret that tells nobody what it is, for it is in the hands of a client."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=key, digest_size=_STAMP_BYTES).hexdigest()
