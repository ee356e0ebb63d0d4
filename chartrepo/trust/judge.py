"""Whether a package may be shown, by what policies ask of its provenance.

Each policy that is for a chart has to be content by itself, with its own keys: a signature that one takes is none to
another that does not know the key.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from chartrepo.catalog import PackageRecord, Withheld
from chartrepo.core import oci, provenance
from chartrepo.core.errors import SignatureRefused
from chartrepo.core.provenance import ClearSigned
from chartrepo.core.signers import Demand, Keyring, KeyState, SignatureKind, Signer
from chartrepo.examine import Signature, read_signature
from chartrepo.trust.accepted import Acceptance, Acceptances
from chartrepo.trust.attestations import Attestation, Referrers, attestations
from storage.base import Storage, StorageError

log = logging.getLogger(__name__)

_UNSEEN: Final = "readers do not see it until its provenance is there: "
_COSIGN: Final = "cosign"
"""The evidence in a note of a signature of cosign, which may be anywhere in the storage."""


class Trust:
    """Judges packages. Safe to share between threads.

    Args:
        acceptances: which signatures were accepted.
        storage: where packages lie, and what was pushed.
        referrers: finds manifests that are about another one.
    """

    def __init__(self, acceptances: Acceptances, storage: Storage, referrers: Referrers) -> None:
        self._acceptances = acceptances
        self._storage = storage
        self._referrers = referrers

    def judged(self, package: PackageRecord, demands: Sequence[Demand], *, policies: str) -> PackageRecord | Withheld:
        """Return a package with who signed it, or withheld where a policy requires a signature that is not there.

        A provenance file that a policy does not take counts as little as one that names other bytes.

        Args:
            package: as it was read.
            demands: what policies ask of it.
            policies: their fingerprint.

        Raises:
            StorageError: nobody knows.
        """
        signature = None
        if package.provenance_state is not None:
            signature = read_signature(self._storage, package.repository, package.file, package.digest)
        return self._judged(package, signature, demands, policies)

    def looking(self) -> "Trust":
        """Return what judges as this does, and notes nothing of what it accepts."""
        return Trust(self._acceptances.looking(), self._storage, self._referrers)

    def judged_with(
        self, package: PackageRecord, signature: Signature | None, demands: Sequence[Demand], *, policies: str
    ) -> PackageRecord | Withheld:
        """Do as `judged`, by a provenance file that need not lie beside the package; None for none.

        Raises:
            StorageError: nobody knows.
        """
        return self._judged(package, signature, demands, policies)

    def broken(self, package: PackageRecord, demands: Sequence[Demand]) -> tuple[str, ...]:
        """Return what a package that is served breaks of what policies ask of its provenance, were they for it.

        Args:
            package: as it was read.
            demands: what policies ask.

        Raises:
            StorageError: nobody knows.
        """
        found = self.judged(package, demands, policies="")
        if isinstance(found, Withheld):
            return (f"its provenance is not there: {found.reason.removeprefix(_UNSEEN)}",)
        if package.signed and not found.signed:
            by = " and ".join(demand.by for demand in demands if demand.keyring is not None)
            return (f"{package.file}.prov is signed by no key that is trusted here: sign it by one that is ({by})",)
        return ()

    def still_withheld(self, package: Withheld, demands: Sequence[Demand], *, policies: str) -> Withheld | None:
        """Return a package as it is withheld now; None where nothing is missing any more. Arguments as for `judged`.

        Raises:
            StorageError: nobody knows.
        """
        signature = read_signature(self._storage, package.repository, package.file, package.digest)
        found = self._judged(_stand_in(package), signature, demands, policies)
        return found if isinstance(found, Withheld) else None

    def forget(self, repository: str, file: str) -> None:
        """Take note of a package that is gone."""
        self._acceptances.forget(repository, file)

    def state(self, package: PackageRecord, signer: Signer, demands: Sequence[Demand]) -> KeyState:
        """Return what the signature by which a package was accepted is worth today.

        Args:
            package: the package.
            signer: who had signed it.
            demands: what policies ask of it.

        Raises:
            StorageError: nobody knows.
        """
        if signer.kind is SignatureKind.COSIGN:
            known = any(demand.cosign_keys is not None and signer.key in demand.cosign_keys for demand in demands)
            return KeyState.VALID if known else KeyState.UNKNOWN
        signature = read_signature(self._storage, package.repository, package.file, package.digest)
        if signature is None or not signature.counts:
            return KeyState.UNKNOWN
        message = provenance.take_apart(signature.content)
        states = {demand.keyring.state(message, signer.key) for demand in demands if demand.keyring is not None}
        return next((state for state in _WORST_FIRST if state in states), KeyState.UNKNOWN)

    # ---- steps

    def _judged(
        self, package: PackageRecord, signature: Signature | None, demands: Sequence[Demand], policies: str
    ) -> PackageRecord | Withheld:
        found: dict[int, Signer] = {}
        wrong = False
        if signature is not None and signature.counts and any(demand.keyring is not None for demand in demands):
            found = self._by_provenance(package, signature.content, demands)
            wrong = not found
        if signature is not None:
            package = signature._replace(counts=signature.counts and not wrong).of(package)
        found |= self._by_cosign(package, [each for each in enumerate(demands) if each[0] not in found])
        missing = [demand for number, demand in enumerate(demands) if demand.required and number not in found]
        if missing:
            return _withheld(package, _what_is_missing(package, missing, wrong=wrong), policies)
        signer = next((found[number] for number in sorted(found)), None)
        return replace(package, signer=json.dumps(signer.as_json()) if signer is not None else None)

    def _by_provenance(self, package: PackageRecord, signature: bytes, demands: Sequence[Demand]) -> dict[int, Signer]:
        """Return who signed by each demand that has a keyring; nobody where one of them does not take the file."""
        message = provenance.take_apart(signature)
        evidence = hashlib.sha256(signature).hexdigest()
        found: dict[int, Signer] = {}
        for number, demand in enumerate(demands):
            if demand.keyring is None:
                continue
            signer = self._verified(demand.keyring, message) or self._accepted(package, evidence, demand)
            if signer is None:
                return {}
            found[number] = signer
        self._note(package, evidence, [(demands[number], signer) for number, signer in found.items()])
        return found

    def _verified(self, keyring: Keyring, message: ClearSigned) -> Signer | None:
        try:
            return keyring.verify(message)
        except SignatureRefused:
            return None

    def _by_cosign(self, package: PackageRecord, demands: Sequence[tuple[int, Demand]]) -> dict[int, Signer]:
        asked = [(number, demand) for number, demand in demands if demand.cosign_keys is not None]
        if not asked:
            return {}
        found = {
            number: signer
            for number, demand in asked
            if (signer := self._accepted(package, _COSIGN, demand)) is not None
        }
        left = dict(asked)
        for attestation in self._attestations(package) if len(found) < len(asked) else ():
            for number in left.keys() - found.keys():
                signer = _attested(attestation, left[number])
                if signer is not None:
                    found[number] = signer
            if len(found) == len(asked):
                break
        self._note(package, _COSIGN, [(left[number], signer) for number, signer in found.items()])
        return found

    def _attestations(self, package: PackageRecord) -> Iterator[Attestation]:
        name = oci.Name(package.repository, package.name)
        return attestations(self._storage, name, package.version, package.digest, self._referrers)

    def _accepted(self, package: PackageRecord, evidence: str, demand: Demand) -> Signer | None:
        note = self._acceptances.find(package.repository, package.file, package.digest, evidence)
        return note.signer if note is not None and not set(note.files).isdisjoint(demand.files) else None

    def _note(self, package: PackageRecord, evidence: str, found: Sequence[tuple[Demand, Signer]]) -> None:
        """Note what was accepted. Where that cannot be written, it is tried again with the next look at the package."""
        if not found:
            return
        files = tuple(dict.fromkeys(file for demand, _ in found for file in demand.files))
        note = Acceptance(found[0][1], files)
        try:
            self._acceptances.write(package.repository, package.file, package.digest, evidence, note)
        except StorageError as error:
            log.warning("that the signature of %s was accepted could not be noted: %s", package.file, error)


_WORST_FIRST: Final = (
    KeyState.COMPROMISED,
    KeyState.REFUSED,
    KeyState.RETIRED,
    KeyState.EXPIRED,
    KeyState.VALID,
)


def check(demands: Sequence[Demand], signature: bytes) -> None:
    """Refuse a provenance file at the door that a policy does not take. What was accepted once does not matter.

    Raises:
        ProvenanceRefused: a policy does not take it.
    """
    for demand in demands:
        if demand.keyring is not None:
            try:
                demand.keyring.verify(provenance.take_apart(signature))
            except SignatureRefused as error:
                raise SignatureRefused(f"{error} ({demand.by})") from None


def _attested(attestation: Attestation, demand: Demand) -> Signer | None:
    try:
        return attestation(demand.cosign_keys) if demand.cosign_keys is not None else None
    except SignatureRefused:
        return None


def _withheld(package: PackageRecord, reason: str, policies: str) -> Withheld:
    return Withheld(
        package.repository,
        package.file,
        package.state,
        reason,
        policies,
        package.name,
        package.version,
        package.digest,
        package.size,
        package.created,
        package.provenance_state,
    )


def _stand_in(package: Withheld) -> PackageRecord:
    """Return what is known of a package without reading it: enough to judge its provenance, and no more."""
    return PackageRecord(
        repository=package.repository,
        file=package.file,
        name=package.name,
        version=package.version,
        state=package.state,
        provenance_state=None,
        signed=False,
        provenance_digest=None,
        provenance_size=0,
        digest=package.digest,
        size=package.size,
        created=package.created,
        entry_json="",
        entry_yaml="",
    )


def _what_is_missing(package: PackageRecord, demands: Sequence[Demand], *, wrong: bool) -> str:
    ways = []
    if any(demand.keyring is not None for demand in demands):
        what = "the provenance file beside it is signed by no key that is trusted here: " if wrong else ""
        ways.append(f"{what}send {package.file}.prov, signed by a key that is trusted here")
    if any(demand.cosign_keys is not None for demand in demands):
        ways.append("push it with 'helm push' and sign its manifest with cosign, by a key that is trusted here")
    by = " and ".join(demand.by for demand in demands)
    return f"{_UNSEEN}{', or '.join(ways)} ({by})"
