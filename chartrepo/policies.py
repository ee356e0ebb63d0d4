"""The file of policies: what charts must be like, and the schemas that it names."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from chartrepo.core.errors import AccessMisconfigured, PoliciesInvalid
from chartrepo.core.messages import shown
from chartrepo.core.policies import Policies, Schema
from chartrepo.core.signers import CosignKeys, Keyring
from chartrepo.documents import load_strictly
from chartrepo.watched import Named, Watched

_KEY: Final = "policies"

_T = TypeVar("_T")


def watch_policies(path: Path) -> Watched[Policies]:
    """Return what reads a file of policies now, and whenever it or a file that it names changes."""
    named = Named()

    def parse(data: bytes) -> Policies:
        try:
            return parse_policies(data, path.name, lambda name: named.read(path.parent / name, remedy="make it"))
        except AccessMisconfigured as error:
            raise AccessMisconfigured(*(f"{path}: {problem}" for problem in error.problems)) from None

    return Watched(
        path, parse, remedy="write one, which begins with policies: and a list of them below it", named=named
    )


def parse_policies(data: bytes, source: str, read: Callable[[str], bytes]) -> Policies:
    """Read a file of policies, which is YAML with `policies`.

    Args:
        data: the file.
        source: how messages are to name it.
        read: gives the bytes of a file that it names; raises `AccessMisconfigured`.

    Raises:
        AccessMisconfigured: it is none; the message says all that is wrong.
    """
    document = load_strictly(data)
    if not isinstance(document, dict) or _KEY not in document:
        raise PoliciesInvalid(f"there is no {_KEY}: write a list of policies under it; an empty one asks for nothing")
    wrong = [f"there is no key {shown(str(key))}: write {_KEY}" for key in document if key != _KEY]
    try:
        made = Policies.parse(document[_KEY], _Files(data, read), source=source)
    except PoliciesInvalid as error:
        raise PoliciesInvalid(*wrong, *error.problems) from None
    if wrong:
        raise PoliciesInvalid(*wrong)
    return made


class _Files:
    """Reads what a file of policies names, once each."""

    def __init__(self, data: bytes, read: Callable[[str], bytes]) -> None:
        self._hash = sha256(data)
        self._read = read
        self._schemas: dict[str, Schema] = {}
        self._bytes: dict[str, bytes] = {}

    @property
    def fingerprint(self) -> str:
        """See `chartrepo.core.policies.Files`."""
        return self._hash.hexdigest()

    def schema(self, name: str) -> Schema:
        """See `chartrepo.core.policies.Files`."""
        # Only a file that names one needs the library.
        from chartrepo.schemas import parse_schema  # noqa: PLC0415

        if name not in self._schemas:
            self._schemas[name] = parse_schema(self._once(name), Path(name).name)
        return self._schemas[name]

    def keyring(self, names: Sequence[str]) -> Keyring:
        """See `chartrepo.core.policies.Files`."""
        from chartrepo.trust.openpgp import Keyring as _Keyring  # noqa: PLC0415 - as above
        from chartrepo.trust.openpgp import read_certificates  # noqa: PLC0415

        return _Keyring(each for name in names for each in self._parsed(name, read_certificates))

    def cosign_keys(self, names: Sequence[str]) -> CosignKeys:
        """See `chartrepo.core.policies.Files`."""
        from chartrepo.trust.cosign import CosignKeys as _CosignKeys  # noqa: PLC0415 - as above
        from chartrepo.trust.cosign import read_public_keys  # noqa: PLC0415

        return _CosignKeys(each for name in names for each in self._parsed(name, read_public_keys))

    def _parsed(self, name: str, read: Callable[[bytes, str], _T]) -> _T:
        try:
            return read(self._once(name), name)
        except AccessMisconfigured as error:
            raise PoliciesInvalid(*error.problems) from None

    def _once(self, name: str) -> bytes:
        if name not in self._bytes:
            try:
                self._bytes[name] = self._read(name)
            except AccessMisconfigured as error:
                raise PoliciesInvalid(*error.problems) from None
            self._hash.update(sha256(self._bytes[name]).digest())
        return self._bytes[name]
